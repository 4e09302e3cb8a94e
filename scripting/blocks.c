/* Small blocks for Lua to use again: a call makes and drops a dozen of them. */
#include <stdlib.h>
#include <string.h>

#include "scripting/internal.h"

/* What checks memory must see each block come and go. */
#ifdef LB_ASSERT
#define KEPT_MAX 0
#else
#define KEPT_MAX (256u << 10)
#endif

struct kept_block {
    struct kept_block *next;
};

static bool is_small(size_t size)
{
    return size > 0 && size <= BLOCK_STEP * BLOCK_CLASSES;
}

static size_t class_of(size_t size)
{
    return (size - 1) / BLOCK_STEP;
}

static void *take(struct blocks *blocks, size_t size)
{
    size_t class = class_of(size);
    struct kept_block *block = blocks->free[class];
    if (!block)
        return malloc((class + 1) * BLOCK_STEP);
    blocks->free[class] = block->next;
    blocks->kept -= (class + 1) * BLOCK_STEP;
    return block;
}

static void give(struct blocks *blocks, void *block, size_t size)
{
    size_t class = class_of(size), bytes = (class + 1) * BLOCK_STEP;
    struct kept_block *kept = block;
    if (blocks->kept + bytes > KEPT_MAX) {
        free(block);
        return;
    }
    kept->next = blocks->free[class];
    blocks->free[class] = kept;
    blocks->kept += bytes;
}

void blocks_drop(struct blocks *blocks, void *block, size_t size)
{
    if (block && is_small(size))
        give(blocks, block, size);
    else
        free(block);
}

void *blocks_resize(struct blocks *blocks, void *block, size_t old_size, size_t new_size)
{
    bool was_small = block && is_small(old_size);
    if (was_small && is_small(new_size) && class_of(old_size) == class_of(new_size))
        return block;
    if (!was_small && !is_small(new_size))
        return realloc(block, new_size);
    void *moved = is_small(new_size) ? take(blocks, new_size) : malloc(new_size);
    if (!moved || !block)
        return moved;
    memcpy(moved, block, old_size < new_size ? old_size : new_size);
    blocks_drop(blocks, block, old_size);
    return moved;
}

void blocks_free(struct blocks *blocks)
{
    for (size_t class = 0; class < BLOCK_CLASSES; class ++)
        while (blocks->free[class]) {
            struct kept_block *block = blocks->free[class];
            blocks->free[class] = block->next;
            free(block);
        }
    blocks->kept = 0;
}
