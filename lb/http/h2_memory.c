#include "lb/http/h2_memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CLASS_BYTES ((size_t)64)
#define KEPT_MAX    ((size_t)1 << 20) /* of a thread: what a thousand requests at a time need */

/* In front of each block; keeps what follows as aligned as malloc does. */
struct h2_block {
    _Alignas(16) struct h2_block *next; /* in its list */
    size_t size;                        /* with this; a multiple of CLASS_BYTES if it belongs in a list */
};

/* H2_MEMORY_CLASSES: of no list. */
static size_t class_of(size_t size)
{
    size_t class = (size - 1) / CLASS_BYTES;
    return class < H2_MEMORY_CLASSES ? class : H2_MEMORY_CLASSES;
}

static struct h2_block *block_of(void *bytes)
{
    return (struct h2_block *)bytes - 1;
}

static void *make(size_t size)
{
    struct h2_block *block = malloc(size);
    if (!block)
        return NULL;
    block->size = size;
    return block + 1;
}

void *h2_memory_take(struct h2_memory *memory, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size += sizeof(struct h2_block);
    size_t class = class_of(size);
    if (!memory || class == H2_MEMORY_CLASSES)
        return make(size);
    struct h2_block *block = memory->free[class];
    if (!block)
        return make((class + 1) * CLASS_BYTES);
    memory->free[class] = block->next;
    memory->kept -= block->size;
    return block + 1;
}

void *h2_memory_take_zeroed(struct h2_memory *memory, size_t size)
{
    void *bytes = h2_memory_take(memory, size);
    return bytes ? memset(bytes, 0, size) : NULL;
}

void h2_memory_give(struct h2_memory *memory, void *bytes)
{
    if (!bytes)
        return;
    struct h2_block *block = block_of(bytes);
    size_t class = class_of(block->size);
    if (!memory || class == H2_MEMORY_CLASSES || memory->kept + block->size > KEPT_MAX) {
        free(block);
        return;
    }
    block->next = memory->free[class];
    memory->free[class] = block;
    memory->kept += block->size;
}

void *h2_memory_resize(struct h2_memory *memory, void *bytes, size_t size)
{
    if (!bytes)
        return h2_memory_take(memory, size);
    size_t held = block_of(bytes)->size - sizeof(struct h2_block);
    if (size <= held && held <= H2_MEMORY_CLASSES * CLASS_BYTES)
        return bytes;
    void *grown = h2_memory_take(memory, size);
    if (!grown)
        return NULL;
    memcpy(grown, bytes, size < held ? size : held);
    h2_memory_give(memory, bytes);
    return grown;
}

void h2_memory_free(struct h2_memory *memory)
{
    for (size_t i = 0; i < H2_MEMORY_CLASSES; i++)
        while (memory->free[i]) {
            struct h2_block *block = memory->free[i];
            memory->free[i] = block->next;
            free(block);
        }
    memory->kept = 0;
}
