/* Allocation that cannot fail for what is built at start and reload (out of memory there ends the process
 * with a line on stderr). What a client can cause to be allocated uses plain malloc and handles NULL. */
#ifndef LB_BASE_MEMORY_H
#define LB_BASE_MEMORY_H

#include <stddef.h>

void *mem_new(size_t size); /* zeroed */
void *mem_grow(void *old, size_t size);
char *mem_copy(const char *string); /* NULL stays NULL */
char *mem_copy_n(const char *bytes, size_t len);
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
