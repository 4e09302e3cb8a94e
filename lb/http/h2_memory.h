/*
 * Small blocks for the HTTP/2 sessions of one thread, which take and give back several for each request:
 * lists by size, without a lock. What is large comes from malloc.
 */
#ifndef LB_HTTP_H2_MEMORY_H
#define LB_HTTP_H2_MEMORY_H

#include <stddef.h>

#define H2_MEMORY_CLASSES 16

struct h2_memory {
    struct h2_block *free[H2_MEMORY_CLASSES];
    size_t kept; /* bytes in all lists */
};

/* As malloc and its kin, NULL when out of memory. `memory` may be NULL: then malloc it is. A block must be
 * given back to what it was taken from. */
void *h2_memory_take(struct h2_memory *memory, size_t size);
void *h2_memory_take_zeroed(struct h2_memory *memory, size_t size);
void *h2_memory_resize(struct h2_memory *memory, void *block, size_t size);
void h2_memory_give(struct h2_memory *memory, void *block); /* NULL is harmless */

/* What lies in the lists goes; whatever is still out must not be given back any more. */
void h2_memory_free(struct h2_memory *memory);

#endif
