/* Policies, and servers that outlive snapshots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>

#include "lb/balance/backend.h"
#include "lb/base/memory.h"

struct bed {
    struct server_table table;
    struct member members[4];
    struct backend backend;
    struct balancer balancer;
};

static void lay(struct bed *bed, const char *policy, const unsigned *weights, size_t count)
{
    static char names[][2] = {"a", "b", "c", "d"}, app[] = "app";
    const char *why;
    *bed = (struct bed){0};
    for (size_t i = 0; i < count; i++) {
        char text[32];
        snprintf(text, sizeof(text), "127.0.0.1:%zu", 9000 + i);
        bed->members[i] = (struct member){.name = names[i], .weight = weights[i], .resolved = true};
        assert_true(addr_parse(text, &bed->members[i].addr, &why));
        bed->members[i].server = server_get(&bed->table, "app", names[i], &bed->members[i].addr);
    }
    bed->backend = (struct backend){.name = app,
                                    .policy = policy_find(policy),
                                    .members = bed->members,
                                    .member_count = count};
    balancer_init(&bed->balancer, &bed->backend);
}

static void clear(struct bed *bed)
{
    balancer_release(&bed->balancer);
    for (size_t i = 0; i < bed->backend.member_count; i++)
        server_put(&bed->table, bed->members[i].server);
    assert_null(bed->table.first);
}

/* Picks with nothing tried before; the name, or "-". */
static const char *pick(struct bed *bed)
{
    struct tried tried = {{0}};
    const struct member *member = balancer_pick(&bed->balancer, &tried);
    return member ? member->name : "-";
}

static void nothing_is_picked_when_all_are_down(void **state)
{
    struct bed bed;
    (void)state;
    lay(&bed, "round-robin", (unsigned[]){1, 1}, 2);
    atomic_store(&bed.members[0].server->up, false);
    atomic_store(&bed.members[1].server->up, false);
    assert_string_equal(pick(&bed), "-");
    clear(&bed);
}

static void a_server_of_weight_zero_or_without_address_is_never_picked(void **state)
{
    struct bed bed;
    (void)state;
    lay(&bed, "least-connections", (unsigned[]){0, 1, 1}, 3);
    bed.members[1].resolved = false;
    for (int i = 0; i < 10; i++)
        assert_string_equal(pick(&bed), "c");
    clear(&bed);
}

static void a_full_server_is_passed_over(void **state)
{
    struct bed bed;
    (void)state;
    lay(&bed, "round-robin", (unsigned[]){1, 1}, 2);
    bed.members[0].max_connections = 1;
    assert_string_equal(pick(&bed), "a");
    for (int i = 0; i < 5; i++)
        assert_string_equal(pick(&bed), "b");
    balancer_release_member(&bed.members[0]);
    assert_string_equal(pick(&bed), "b"); /* its turn had come */
    assert_string_equal(pick(&bed), "a");
    clear(&bed);
}

static void a_server_is_tried_once_for_a_connection(void **state)
{
    struct bed bed;
    struct tried tried = {{0}};
    (void)state;
    lay(&bed, "round-robin", (unsigned[]){5, 1}, 2);
    assert_string_equal(balancer_pick(&bed.balancer, &tried)->name, "a");
    assert_string_equal(balancer_pick(&bed.balancer, &tried)->name, "b");
    assert_null(balancer_pick(&bed.balancer, &tried));
    clear(&bed);
}

static void weights_are_spread_smoothly(void **state)
{
    struct bed bed;
    char sequence[15] = "";
    (void)state;
    lay(&bed, "round-robin", (unsigned[]){5, 1, 1}, 3);
    for (int i = 0; i < 14; i++)
        strcat(sequence, pick(&bed));
    assert_string_equal(sequence, "aabacaaaabacaa");
    clear(&bed);
}

static void the_least_loaded_server_gets_the_next_connection(void **state)
{
    struct bed bed;
    (void)state;
    lay(&bed, "least-connections", (unsigned[]){1, 1, 1}, 3);
    atomic_store(&bed.members[0].server->active, 3);
    atomic_store(&bed.members[2].server->active, 1);
    assert_string_equal(pick(&bed), "b");
    clear(&bed);
}

static void a_heavier_server_carries_more_connections(void **state)
{
    struct bed bed;
    (void)state;
    lay(&bed, "least-connections", (unsigned[]){1, 3}, 2);
    for (int i = 0; i < 40; i++)
        pick(&bed);
    assert_int_equal(atomic_load(&bed.members[0].server->active), 10);
    assert_int_equal(atomic_load(&bed.members[1].server->active), 30);
    clear(&bed);
}

static void idle_servers_take_turns(void **state)
{
    struct bed bed;
    char sequence[10] = "";
    (void)state;
    lay(&bed, "least-connections", (unsigned[]){1, 1, 1}, 3);
    for (int i = 0; i < 9; i++) {
        struct tried tried = {{0}};
        const struct member *member = balancer_pick(&bed.balancer, &tried);
        strcat(sequence, member->name);
        balancer_release_member(member);
    }
    assert_string_equal(sequence, "abcabcabc");
    clear(&bed);
}

static void a_server_is_found_again_by_its_identity(void **state)
{
    struct server_table table = {0};
    struct addr one, other;
    const char *why;
    (void)state;
    assert_true(addr_parse("127.0.0.1:1", &one, &why) && addr_parse("127.0.0.1:2", &other, &why));
    struct server *first = server_get(&table, "app", "a", &one);
    assert_ptr_equal(server_get(&table, "app", "a", &one), first);
    struct server *moved = server_get(&table, "app", "a", &other);
    assert_ptr_not_equal(moved, first);
    server_put(&table, moved);
    server_put(&table, first);
    assert_ptr_equal(table.first, first);
    server_put(&table, first);
    assert_null(table.first);
}

static void an_unknown_policy_is_not_found(void **state)
{
    (void)state;
    assert_null(policy_find("random"));
    for (const char *const *name = policy_names(); *name; name++)
        assert_string_equal(policy_find(*name)->name, *name);
}

struct crowd {
    struct balancer balancer; /* a thread's own */
    atomic_bool *exceeded;
};

static void *pick_and_release(void *argument)
{
    struct crowd *crowd = argument;
    for (int i = 0; i < 200000; i++) {
        struct tried tried = {{0}};
        const struct member *member = balancer_pick(&crowd->balancer, &tried);
        if (!member)
            continue;
        if (atomic_load(&member->server->active) > member->max_connections)
            atomic_store(crowd->exceeded, true);
        balancer_release_member(member);
    }
    return NULL;
}

static void threads_together_never_exceed_max_connections(void **state)
{
    struct bed bed;
    struct crowd crowd[3];
    pthread_t threads[3];
    atomic_bool exceeded = false;
    (void)state;
    lay(&bed, "round-robin", (unsigned[]){1}, 1);
    bed.members[0].max_connections = 1;
    for (size_t i = 0; i < 3; i++) {
        crowd[i] = (struct crowd){.exceeded = &exceeded};
        balancer_init(&crowd[i].balancer, &bed.backend);
        assert_int_equal(pthread_create(&threads[i], NULL, pick_and_release, &crowd[i]), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        balancer_release(&crowd[i].balancer);
    }
    assert_false(exceeded);
    assert_int_equal(bed.members[0].server->active, 0);
    clear(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_picked_when_all_are_down),
        cmocka_unit_test(a_server_of_weight_zero_or_without_address_is_never_picked),
        cmocka_unit_test(a_full_server_is_passed_over),
        cmocka_unit_test(a_server_is_tried_once_for_a_connection),
        cmocka_unit_test(weights_are_spread_smoothly),
        cmocka_unit_test(the_least_loaded_server_gets_the_next_connection),
        cmocka_unit_test(a_heavier_server_carries_more_connections),
        cmocka_unit_test(idle_servers_take_turns),
        cmocka_unit_test(a_server_is_found_again_by_its_identity),
        cmocka_unit_test(an_unknown_policy_is_not_found),
        cmocka_unit_test(threads_together_never_exceed_max_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
