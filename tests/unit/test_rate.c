/* Counters of events per key. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lb/base/rate.h"

#define START 1000000

static int setup(void **state)
{
    *state = rate_table_new(1024);
    return 0;
}

static int teardown(void **state)
{
    rate_table_free(*state);
    return 0;
}

static bool take(struct rate_table *table, const char *key, unsigned limit, uint64_t window, uint64_t now)
{
    return rate_take(table, slice_of(key), limit, window, now);
}

static bool take_numbered(struct rate_table *table, unsigned number, unsigned limit, uint64_t now)
{
    char key[32];
    snprintf(key, sizeof(key), "key-%u", number);
    return take(table, key, limit, 1000, now);
}

static void what_exceeds_the_limit_is_refused(void **state)
{
    for (unsigned i = 0; i < 5; i++)
        assert_true(take(*state, "a", 5, 1000, START));
    for (unsigned i = 0; i < 5; i++)
        assert_false(take(*state, "a", 5, 1000, START + i));
}

static void a_limit_of_one_lets_one_through(void **state)
{
    assert_true(take(*state, "a", 1, 1, START));
    assert_false(take(*state, "a", 1, 1, START));
}

static void keys_count_apart(void **state)
{
    assert_true(take(*state, "a", 1, 1000, START));
    assert_true(take(*state, "b", 1, 1000, START));
    assert_true(take(*state, "", 1, 1000, START));
    assert_false(take(*state, "a", 1, 1000, START));
}

static void keys_that_differ_in_length_or_in_zeros_count_apart(void **state)
{
    for (size_t len = 0; len < 20; len++)
        assert_true(
            rate_take(*state, slice_make("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", len), 1, 1000, START));
}

static void windows_count_apart(void **state)
{
    assert_true(take(*state, "a", 1, 1000, START));
    assert_true(take(*state, "a", 1, 2000, START));
    assert_false(take(*state, "a", 1, 1000, START));
}

static void a_limit_may_change(void **state)
{
    assert_true(take(*state, "a", 2, 1000, START));
    assert_true(take(*state, "a", 2, 1000, START));
    assert_false(take(*state, "a", 2, 1000, START));
    assert_true(take(*state, "a", 3, 1000, START));
    assert_false(take(*state, "a", 2, 1000, START));
}

static void after_the_window_all_is_granted_anew(void **state)
{
    for (unsigned i = 0; i < 3; i++)
        assert_true(take(*state, "a", 3, 1000, START));
    assert_false(take(*state, "a", 3, 1000, START + 999));
    for (unsigned i = 0; i < 3; i++)
        assert_true(take(*state, "a", 3, 1000, START + 1125));
    assert_false(take(*state, "a", 3, 1000, START + 1125));
}

static void what_is_refused_is_not_counted(void **state)
{
    assert_true(take(*state, "a", 1, 1000, START));
    for (unsigned i = 1; i < 1000; i++)
        assert_false(take(*state, "a", 1, 1000, START + i));
    assert_true(take(*state, "a", 1, 1000, START + 1125));
}

/* Asks every few milliseconds, then looks at every window there was. */
static void no_window_holds_more_than_the_limit(void **state)
{
    static const uint64_t windows[] = {1, 3, 8, 10, 100, 777, 1000};
    static bool granted[6000];
    for (size_t w = 0; w < sizeof(windows) / sizeof(windows[0]); w++) {
        for (unsigned t = 0; t < 6000; t++)
            granted[t] = (t * 7919u % 3 != 0 || t % 500 < 20) && take(*state, "a", 10, windows[w], START + t);
        for (unsigned from = 0; from < 6000; from += 7) {
            unsigned count = 0;
            for (unsigned t = from; t < from + windows[w] && t < 6000; t++)
                count += granted[t];
            assert_in_range(count, 0, 10);
        }
    }
}

static void who_asks_without_pause_gets_nearly_the_limit(void **state)
{
    unsigned count = 0;
    for (unsigned t = 0; t < 9000; t++)
        count += take(*state, "a", 100, 1000, START + t);
    assert_in_range(count, 800, 900);
}

static void a_clock_that_steps_back_grants_nothing(void **state)
{
    assert_true(take(*state, "a", 1, 1000, START));
    assert_false(take(*state, "a", 1, 1000, START - 500));
    assert_false(take(*state, "a", 1, 1000, 0));
    assert_false(take(*state, "a", 1, 1000, START + 500));
}

static void large_limits_and_windows_work(void **state)
{
    assert_true(take(*state, "a", UINT32_MAX, 86400000, START));
    assert_true(take(*state, "a", 1000000, 86400000, UINT64_C(1) << 50));
    assert_false(take(*state, "a", 1, 86400000, UINT64_C(1) << 50));
}

/* The table holds 1024 keys. */
static void a_flood_of_keys_frees_nobody_from_his_limit(void **state)
{
    for (unsigned i = 0; i < 3; i++)
        assert_true(take(*state, "victim", 3, 1000, START));
    for (unsigned i = 0; i < 100000; i++)
        take_numbered(*state, i, 3, START + i / 1000);
    assert_false(take(*state, "victim", 3, 1000, START + 100));
}

static void no_key_gets_more_than_its_limit_however_many_there_are(void **state)
{
    static unsigned char granted[20000];
    memset(granted, 0, sizeof(granted));
    for (unsigned round = 0; round < 10; round++)
        for (unsigned i = 0; i < 20000; i++)
            granted[i] = (unsigned char)(granted[i] + take_numbered(*state, i, 2, START));
    for (unsigned i = 0; i < 20000; i++)
        assert_in_range(granted[i], 0, 2);
}

static void strangers_get_in_while_limits_are_not_used_up(void **state)
{
    unsigned count = 0;
    for (unsigned i = 0; i < 10000; i++)
        take_numbered(*state, i, 1000, START);
    for (unsigned i = 20000; i < 20100; i++)
        count += take_numbered(*state, i, 1000, START);
    assert_int_equal(count, 100);
}

static void after_a_flood_its_memory_serves_others(void **state)
{
    for (unsigned i = 0; i < 20000; i++)
        take_numbered(*state, i, 1, START);
    for (unsigned i = 20000; i < 20050; i++)
        assert_true(take_numbered(*state, i, 1, START + 1125));
}

static void *take_many(void *table)
{
    uintptr_t count = 0;
    for (unsigned i = 0; i < 20000; i++)
        count += rate_take(table, SLICE_LITERAL("shared"), 1000, 1000, START + i / 1000);
    return (void *)count;
}

static void threads_share_one_limit(void **state)
{
    pthread_t threads[4];
    uintptr_t total = 0;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, *state), 0);
    for (unsigned i = 0; i < 4; i++) {
        void *count;
        pthread_join(threads[i], &count);
        total += (uintptr_t)count;
    }
    assert_int_equal(total, 1000);
}

#define rate_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        rate_test(what_exceeds_the_limit_is_refused),
        rate_test(a_limit_of_one_lets_one_through),
        rate_test(keys_count_apart),
        rate_test(keys_that_differ_in_length_or_in_zeros_count_apart),
        rate_test(windows_count_apart),
        rate_test(a_limit_may_change),
        rate_test(after_the_window_all_is_granted_anew),
        rate_test(what_is_refused_is_not_counted),
        rate_test(no_window_holds_more_than_the_limit),
        rate_test(who_asks_without_pause_gets_nearly_the_limit),
        rate_test(a_clock_that_steps_back_grants_nothing),
        rate_test(large_limits_and_windows_work),
        rate_test(a_flood_of_keys_frees_nobody_from_his_limit),
        rate_test(no_key_gets_more_than_its_limit_however_many_there_are),
        rate_test(strangers_get_in_while_limits_are_not_used_up),
        rate_test(after_a_flood_its_memory_serves_others),
        rate_test(threads_share_one_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
