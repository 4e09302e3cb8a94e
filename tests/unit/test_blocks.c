/* Memory for Lua: blocks that move, grow and shrink keep what they hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "scripting/internal.h"

#define SIZE_MOST (BLOCK_STEP * BLOCK_CLASSES + 40)

static void fill(unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(i * 7 + 1);
}

static void holds(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        assert_int_equal(bytes[i], (unsigned char)(i * 7 + 1));
}

static void a_block_keeps_its_bytes_from_any_size_to_any_other(void **state)
{
    struct blocks blocks = {.kept = 0};
    (void)state;
    for (size_t from = 1; from <= SIZE_MOST; from++)
        for (size_t to = 1; to <= SIZE_MOST; to += 5) {
            unsigned char *block = blocks_resize(&blocks, NULL, 0, from);
            assert_non_null(block);
            fill(block, from);
            block = blocks_resize(&blocks, block, from, to);
            assert_non_null(block);
            holds(block, from < to ? from : to);
            fill(block, to);
            blocks_drop(&blocks, block, to);
        }
    blocks_free(&blocks);
}

static void two_blocks_in_use_are_never_the_same(void **state)
{
    struct blocks blocks = {.kept = 0};
    (void)state;
    for (int round = 0; round < 3; round++) {
        unsigned char *first = blocks_resize(&blocks, NULL, 0, 40);
        unsigned char *second = blocks_resize(&blocks, NULL, 0, 48);
        assert_ptr_not_equal(first, second);
        fill(first, 40);
        memset(second, 0, 48);
        holds(first, 40);
        blocks_drop(&blocks, first, 40);
        blocks_drop(&blocks, second, 48);
    }
    blocks_free(&blocks);
}

static void what_waits_for_use_is_bounded(void **state)
{
    enum { COUNT = 4096, SIZE = 256 };
    static void *many[COUNT];
    struct blocks blocks = {.kept = 0};
    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        assert_non_null(many[i] = blocks_resize(&blocks, NULL, 0, SIZE));
    for (size_t i = 0; i < COUNT; i++)
        blocks_drop(&blocks, many[i], SIZE);
    assert_true(blocks.kept <= COUNT * SIZE / 4);
    blocks_free(&blocks);
    assert_int_equal(blocks.kept, 0);
}

static void nothing_is_dropped_without_harm(void **state)
{
    struct blocks blocks = {.kept = 0};
    (void)state;
    blocks_drop(&blocks, NULL, 0);
    blocks_drop(&blocks, NULL, 16);
    assert_int_equal(blocks.kept, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_dropped_without_harm),
        cmocka_unit_test(two_blocks_in_use_are_never_the_same),
        cmocka_unit_test(a_block_keeps_its_bytes_from_any_size_to_any_other),
        cmocka_unit_test(what_waits_for_use_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
