/* Blocks for HTTP/2 sessions. */
#include "test_h2_world.h"

#define LARGE 5000u /* of no list */

static void what_was_given_back_is_taken_again(void **state)
{
    struct h2_memory memory = {0};
    (void)state;
    void *first = h2_memory_take(&memory, 100);
    h2_memory_give(&memory, first);
    assert_ptr_equal(h2_memory_take(&memory, 90), first);
    h2_memory_give(&memory, first);
    h2_memory_free(&memory);
    assert_int_equal(memory.kept, 0);
}

static void a_block_is_taken_by_one_at_a_time(void **state)
{
    struct h2_memory memory = {0};
    (void)state;
    void *first = h2_memory_take(&memory, 100);
    h2_memory_give(&memory, first);
    void *again = h2_memory_take(&memory, 100), *other = h2_memory_take(&memory, 100);
    assert_ptr_not_equal(again, other);
    h2_memory_give(&memory, again);
    h2_memory_give(&memory, other);
    h2_memory_free(&memory);
}

/* Whatever lies in a list before: each size is usable to its end, which the sanitizers see. */
static void every_size_has_room(void **state)
{
    struct h2_memory memory = {0};
    (void)state;
    for (int turn = 0; turn < 2; turn++)
        for (size_t size = 0; size < 1200; size++) {
            char *bytes = h2_memory_take(&memory, size);
            assert_non_null(bytes);
            assert_int_equal((uintptr_t)bytes % 16, 0);
            memset(bytes, 0xFF, size);
            h2_memory_give(&memory, bytes);
        }
    h2_memory_free(&memory);
}

static void a_used_block_is_zeroed_when_asked_for(void **state)
{
    struct h2_memory memory = {0};
    (void)state;
    unsigned char *bytes = h2_memory_take(&memory, 200);
    memset(bytes, 0xFF, 200);
    h2_memory_give(&memory, bytes);
    unsigned char *zeroed = h2_memory_take_zeroed(&memory, 200);
    assert_ptr_equal(zeroed, bytes);
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(zeroed[i], 0);
    h2_memory_give(&memory, zeroed);
    h2_memory_free(&memory);
}

static void a_block_keeps_its_bytes_when_its_size_changes(void **state)
{
    static const size_t sizes[] = {10, 40, 300, LARGE, 2 * LARGE, 2 * LARGE - 1, 300, 10};
    struct h2_memory memory = {0};
    (void)state;
    char *bytes = h2_memory_resize(&memory, NULL, 10);
    memcpy(bytes, "123456789", 10);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        bytes = h2_memory_resize(&memory, bytes, sizes[i]);
        assert_non_null(bytes);
        assert_string_equal(bytes, "123456789");
        memset(bytes + 10, 0xFF, sizes[i] - 10);
    }
    h2_memory_give(&memory, bytes);
    h2_memory_free(&memory);
}

static void a_size_that_no_memory_has_is_refused(void **state)
{
    struct h2_memory memory = {0};
    (void)state;
    assert_null(h2_memory_take(&memory, SIZE_MAX));
    assert_null(h2_memory_take(&memory, SIZE_MAX - 8));
    assert_null(h2_memory_take_zeroed(NULL, SIZE_MAX - 8));
    char *bytes = h2_memory_take(&memory, 10);
    assert_null(h2_memory_resize(&memory, bytes, SIZE_MAX - 8));
    h2_memory_give(&memory, bytes); /* still there */
    h2_memory_free(&memory);
}

static void the_lists_have_an_end(void **state)
{
    enum { COUNT = 3000 };
    static void *blocks[COUNT];
    struct h2_memory memory = {0};
    (void)state;
    for (int i = 0; i < COUNT; i++)
        blocks[i] = h2_memory_take(&memory, 1000);
    for (int i = 0; i < COUNT; i++)
        h2_memory_give(&memory, blocks[i]);
    assert_in_range(memory.kept, 1000 * 1000, 1 << 20);
    h2_memory_free(&memory);
}

static void what_is_large_is_not_kept(void **state)
{
    struct h2_memory memory = {0};
    (void)state;
    h2_memory_give(&memory, h2_memory_take(&memory, LARGE));
    assert_int_equal(memory.kept, 0);
    h2_memory_give(&memory, NULL);
    h2_memory_free(&memory);
}

static void without_lists_blocks_come_and_go(void **state)
{
    (void)state;
    char *bytes = h2_memory_take_zeroed(NULL, 100);
    assert_int_equal(bytes[99], 0);
    bytes = h2_memory_resize(NULL, bytes, 200);
    bytes[199] = 1;
    h2_memory_give(NULL, bytes);
}

static struct end *end_with(struct h2_memory *memory, bool server)
{
    struct end *end = calloc(1, sizeof(*end));
    assert_non_null(end);
    struct h2_settings settings = test_settings(end, server);
    settings.memory = memory;
    end_start(end, &settings);
    return end;
}

static void sessions_share_their_lists(void **state)
{
    struct h2_memory memory = {0};
    size_t kept = 0;
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct world world = {end_with(&memory, false), end_with(&memory, true)};
        run(&world);
        for (unsigned n = 1; n <= 20; n++) {
            assert_non_null(request(&world, "GET", true));
            run(&world);
            respond(world.server, world.server->last, 200, false);
            h2_write_last(world.server->last, SLICE_LITERAL("an answer"));
            run(&world);
            assert_int_equal(world.client->closed, n);
        }
        world_free(&world);
        assert_true(memory.kept > 0 && (kept == 0 || memory.kept == kept)); /* nothing new was made */
        kept = memory.kept;
    }
    h2_memory_free(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_given_back_is_taken_again),
        cmocka_unit_test(a_block_is_taken_by_one_at_a_time),
        cmocka_unit_test(every_size_has_room),
        cmocka_unit_test(a_used_block_is_zeroed_when_asked_for),
        cmocka_unit_test(a_block_keeps_its_bytes_when_its_size_changes),
        cmocka_unit_test(a_size_that_no_memory_has_is_refused),
        cmocka_unit_test(the_lists_have_an_end),
        cmocka_unit_test(what_is_large_is_not_kept),
        cmocka_unit_test(without_lists_blocks_come_and_go),
        cmocka_unit_test(sessions_share_their_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
