/* Connections over HTTP/1.1 that are kept: when they serve again, and when they go. */
#include "tests/unit/test_upstream_origin.h"

#define ASKED "GET /p HTTP/1.1\r\nhost: a.test\r\n\r\n"
#define OK    "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"

/* A request that is answered, on a new connection or a kept one; gives the origin's end of a new one. */
static int visit(struct world *world, struct asker **asker)
{
    *asker = asker_new(world);
    int fd = asker_asks(*asker, "GET");
    origin_says(world, fd, OK);
    assert_true((*asker)->told & TOLD_HEAD);
    return fd;
}

static int one_kept(struct world *world)
{
    struct asker *asker;
    int fd = visit(world, &asker);
    asker_free(asker);
    assert_int_equal(world->server.idle, 1);
    return fd;
}

static bool comes_reused(struct world *world, bool fresh, bool idempotent)
{
    struct asker *asker = asker_new(world);
    asker_opens(asker, fresh, idempotent);
    bool reused = upstream_reused(asker->upstream);
    assert_int_equal(upstream_ready(asker->upstream), reused);
    asker_free(asker);
    if (!reused)
        close(origin_accept(world));
    return reused;
}

/* ---- what goes ---- */

static void a_byte_that_nobody_asked_for_ends_an_idle_connection(void **state)
{
    (void)state;
    struct world *world = world_new();
    int fd = one_kept(world);
    origin_says(world, fd, "\r");
    assert_int_equal(world->server.idle, 0);
    assert_false(comes_reused(world, false, true));
    close(fd);
    world_free(world);
}

static void the_servers_end_ends_an_idle_connection(void **state)
{
    (void)state;
    struct world *world = world_new();
    int fd = one_kept(world);
    origin_ends(world, fd);
    assert_int_equal(world->server.idle, 0);
    close(fd);
    fd = one_kept(world);
    origin_resets(world, fd);
    assert_int_equal(world->server.idle, 0);
    world_free(world);
}

/* The loop has not seen yet what the server did. */
static void what_cannot_be_repeated_is_not_sent_to_a_connection_that_has_ended(void **state)
{
    (void)state;
    struct world *world = world_new();
    int fd = one_kept(world);
    shutdown(fd, SHUT_WR);
    delivered(fd);
    assert_false(comes_reused(world, false, false));
    assert_int_equal(world->server.idle, 0);
    close(fd);
    fd = one_kept(world);
    assert_int_equal(send(fd, "x", 1, 0), 1);
    delivered(fd);
    assert_false(comes_reused(world, false, false));
    close(fd);
    fd = one_kept(world);
    assert_true(comes_reused(world, false, false));
    close(fd);
    world_free(world);
}

static void a_stale_connection_fails_as_closed_and_reused(void **state)
{
    (void)state;
    struct world *world = world_new();
    int fd = one_kept(world);
    close(fd);
    struct asker *asker = asker_new(world);
    asker_opens(asker, false, true);
    assert_true(upstream_ready(asker->upstream));
    ask(asker, "GET", "", -1, "", true);
    await(asker, TOLD_FAILED);
    assert_string_equal(asker->story, "closed");
    assert_true(upstream_reused(asker->upstream));
    asker_free(asker);
    world_free(world);
}

static void fresh_is_never_a_kept_one(void **state)
{
    (void)state;
    struct world *world = world_new();
    int fd = one_kept(world);
    assert_false(comes_reused(world, true, true));
    assert_int_equal(world->server.idle, 1);
    close(fd);
    world_free(world);
}

static void no_more_are_kept_than_the_backend_says(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct asker *askers[3];
    int fds[3];
    world->backend.pool_connections = 2;
    for (int i = 0; i < 3; i++)
        fds[i] = visit(world, &askers[i]);
    for (int i = 0; i < 3; i++) {
        asker_free(askers[i]);
        assert_int_equal(world->server.idle, i < 2 ? i + 1 : 2);
    }
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    world_free(world);
}

static void none_is_kept_where_the_backend_keeps_none(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct asker *asker;
    world->backend.pool_connections = 0;
    int fd = visit(world, &asker);
    asker_free(asker);
    assert_int_equal(world->server.idle, 0);
    close(fd);
    world_free(world);
}

static void a_tick_closes_what_has_been_idle_for_long(void **state)
{
    (void)state;
    struct world *world = world_new();
    int fd = one_kept(world);
    uint64_t since = uv_now(&world->loop);
    pool_tick(world->pool, 10);
    pool_tick(world->pool, since + 500);
    assert_int_equal(world->server.idle, 1);
    pool_tick(world->pool, since + 2000);
    assert_int_equal(world->server.idle, 0);
    ORIGIN_GOT(world, fd, ASKED "|");
    close(fd);
    world_free(world);
}

/* ---- what stays ---- */

static void the_connection_used_last_serves_first(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct asker *first, *second, *third = asker_new(world);
    int first_fd = visit(world, &first), second_fd = visit(world, &second);
    asker_free(second);
    asker_free(first);
    asker_opens(third, false, true);
    ORIGIN_GOT(world, first_fd, ASKED);
    ask(third, "GET", "", -1, "", true);
    ORIGIN_GOT(world, first_fd, ASKED);
    assert_int_equal(world->server.reused, 1);
    assert_int_equal(world->server.requests, 3);
    assert_int_equal(world->server.connections, 2);
    asker_free(third);
    close(first_fd);
    close(second_fd);
    world_free(world);
}

static void a_kept_connection_reads_each_answer_anew(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct asker *asker = asker_new(world);
    int fd = asker_asks(asker, "HEAD");
    origin_says(world, fd, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n");
    asker_free(asker);
    for (int i = 0; i < 3; i++) {
        asker = asker_new(world);
        asker_opens(asker, false, true);
        assert_true(upstream_reused(asker->upstream));
        ask(asker, "POST", "", -1, "x", i > 0);
        if (i == 0)
            upstream_end(asker->upstream, NULL);
        origin_says(world, fd, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc");
        assert_string_equal(asker->story, "200, body, end");
        asker_free(asker);
        assert_int_equal(world->server.idle, 1);
    }
    close(fd);
    world_free(world);
}

static void a_connection_kept_while_paused_is_watched(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct asker *asker;
    int fd = visit(world, &asker);
    upstream_pause(asker->upstream);
    asker_free(asker);
    assert_int_equal(world->server.idle, 1);
    origin_ends(world, fd);
    assert_int_equal(world->server.idle, 0);
    close(fd);
    world_free(world);
}

/* The next request is opened from within the last event of the one before. */
static void on_end_open_next(void *owner, struct http_head *head, bool ends)
{
    struct asker *asker = owner;
    struct world *world = asker->world;
    int error;
    assert_true(ends);
    head_pool_give(&world->heads, head);
    asker->closed = true;
    upstream_close(asker->upstream);
    struct asker *next = asker_new(world);
    next->upstream =
        upstream_open(world->pool, &world->backend, &world->member, false, true, &asker_events, next, &error);
    assert_true(upstream_reused(next->upstream));
    ask(next, "GET", "", -1, "", true);
    asker->next = next;
}

static void the_next_request_may_begin_within_the_last_event(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct asker *asker = asker_new(world);
    struct upstream_events events = asker_events;
    int error;
    events.head = on_end_open_next;
    asker->upstream =
        upstream_open(world->pool, &world->backend, &world->member, false, true, &events, asker, &error);
    await(asker, TOLD_READY);
    ask(asker, "GET", "", -1, "", true);
    int fd = origin_accept(world);
    origin_says(world, fd, OK);
    struct asker *next = asker->next;
    assert_non_null(next);
    origin_says(world, fd, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_string_equal(next->story, "204 whole");
    asker_free(next);
    asker_free(asker);
    close(fd);
    world_free(world);
}

/* ---- reloads ---- */

static void a_retired_pool_closes_idle_connections_and_keeps_none(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct asker *first, *second;
    int first_fd = visit(world, &first), second_fd = visit(world, &second);
    asker_free(first);
    pool_retire(world->pool);
    world->pool = NULL;
    assert_int_equal(world->server.idle, 0);
    turn(world);
    asker_free(second);
    assert_int_equal(world->server.idle, 0);
    close(first_fd);
    close(second_fd);
    world_free(world);
}

static void a_request_finishes_on_a_retired_pool(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct asker *asker = asker_new(world);
    int fd = asker_asks(asker, "GET");
    pool_retire(world->pool);
    world->pool = NULL;
    origin_says(world, fd, OK);
    assert_string_equal(asker->story, "ready, 200 whole");
    asker_free(asker);
    assert_int_equal(world->server.idle, 0);
    close(fd);
    world_free(world);
}

struct snapshot {
    struct backend backend;
    struct member member;
    bool known;
};

static bool keeps(void *context, const struct server *server, const struct backend **backend,
                  const struct member **member)
{
    struct snapshot *snapshot = context;
    assert_ptr_equal(server, snapshot->member.server);
    *backend = &snapshot->backend;
    *member = &snapshot->member;
    return snapshot->known;
}

/* Three kept connections in a new snapshot; gives how many of them are left. */
static unsigned kept_after_reload(bool known, bool h2, uint64_t pool_connections)
{
    struct world *world = world_new();
    struct asker *askers[3];
    int fds[3];
    for (int i = 0; i < 3; i++)
        fds[i] = visit(world, &askers[i]);
    for (int i = 0; i < 3; i++)
        asker_free(askers[i]);
    struct snapshot next = {world->backend, world->member, known};
    next.backend.h2 = h2;
    next.backend.pool_connections = pool_connections;
    struct pool *from = world->pool, *to = pool_new(&world->thread);
    pool_move(from, to, keeps, &next);
    pool_retire(from);
    world->pool = to;
    world->backend = next.backend;
    turn(world);
    unsigned left = world->server.idle;
    if (left > 0) { /* the one used last is the first again */
        struct asker *asker = asker_new(world);
        int error;
        asker->upstream =
            upstream_open(to, &next.backend, &next.member, false, true, &asker_events, asker, &error);
        assert_true(upstream_reused(asker->upstream));
        ORIGIN_GOT(world, fds[2], ASKED);
        ask(asker, "GET", "", -1, "", true);
        ORIGIN_GOT(world, fds[2], ASKED);
        asker_free(asker);
    }
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    turn(world);
    world_free(world);
    return left;
}

static void idle_connections_move_to_a_snapshot_that_knows_their_server(void **state)
{
    (void)state;
    assert_int_equal(kept_after_reload(false, false, 4), 0);
    assert_int_equal(kept_after_reload(true, true, 4), 0);
    assert_int_equal(kept_after_reload(true, false, 0), 0);
    assert_int_equal(kept_after_reload(true, false, 2), 2);
    assert_int_equal(kept_after_reload(true, false, 4), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_byte_that_nobody_asked_for_ends_an_idle_connection),
        cmocka_unit_test(the_servers_end_ends_an_idle_connection),
        cmocka_unit_test(what_cannot_be_repeated_is_not_sent_to_a_connection_that_has_ended),
        cmocka_unit_test(a_stale_connection_fails_as_closed_and_reused),
        cmocka_unit_test(fresh_is_never_a_kept_one),
        cmocka_unit_test(no_more_are_kept_than_the_backend_says),
        cmocka_unit_test(none_is_kept_where_the_backend_keeps_none),
        cmocka_unit_test(a_tick_closes_what_has_been_idle_for_long),
        cmocka_unit_test(the_connection_used_last_serves_first),
        cmocka_unit_test(a_kept_connection_reads_each_answer_anew),
        cmocka_unit_test(a_connection_kept_while_paused_is_watched),
        cmocka_unit_test(the_next_request_may_begin_within_the_last_event),
        cmocka_unit_test(a_retired_pool_closes_idle_connections_and_keeps_none),
        cmocka_unit_test(a_request_finishes_on_a_retired_pool),
        cmocka_unit_test(idle_connections_move_to_a_snapshot_that_knows_their_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
