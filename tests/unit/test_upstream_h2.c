/* Requests to servers over HTTP/2, played by a server session of lb's own or by frames written by hand. */
#include "tests/unit/test_upstream_origin.h"

#include "lb/http/h2.h"

/* ---- the origin ---- */

#define STREAMS 128

struct origin {
    struct world *world;
    int fd;
    struct h2_session *session;
    struct head_pool heads;
    struct h2_stream *streams[STREAMS]; /* in the order of their requests */
    unsigned count, resets, ends;
    uint32_t code;
    struct http_head *head, *trailers; /* the last ones */
    size_t body_len;
    bool keeps; /* grants nothing again */
};

static void origin_head(void *owner, struct h2_stream *stream, struct http_head *head, bool ends)
{
    struct origin *origin = owner;
    assert_true(origin->count < STREAMS);
    origin->streams[origin->count++] = stream;
    origin->ends += ends;
    head_pool_give(&origin->heads, origin->head);
    origin->head = head;
}

static void origin_data(void *owner, struct h2_stream *stream, struct slice bytes)
{
    struct origin *origin = owner;
    origin->body_len += bytes.len;
    if (!origin->keeps)
        h2_consumed(stream, bytes.len);
}

static void origin_end(void *owner, struct h2_stream *stream, struct http_head *trailers)
{
    struct origin *origin = owner;
    (void)stream;
    origin->ends++;
    head_pool_give(&origin->heads, origin->trailers);
    origin->trailers = trailers;
}

static void origin_reset(void *owner, struct h2_stream *stream, uint32_t code, bool unprocessed)
{
    struct origin *origin = owner;
    (void)stream;
    (void)unprocessed;
    origin->resets++;
    origin->code = code;
}

static void origin_event(void *owner, struct h2_stream *stream)
{
    (void)owner;
    (void)stream;
}

static void origin_goaway(void *owner)
{
    (void)owner;
}

static void origin_output(void *owner, struct slice bytes)
{
    const struct origin *origin = owner;
    for (int i = 0; i < 10000 && bytes.len > 0; i++) {
        ssize_t went = send(origin->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        if (went < 0 && errno != EAGAIN)
            return;
        if (went > 0)
            bytes = slice_make(bytes.data + went, bytes.len - (size_t)went);
        if (bytes.len > 0)
            turn(origin->world);
    }
    assert_int_equal(bytes.len, 0);
}

static const struct h2_events origin_events = {
    .head = origin_head,
    .data = origin_data,
    .end = origin_end,
    .reset = origin_reset,
    .closed = origin_event,
    .drained = origin_event,
    .output = origin_output,
    .goaway = origin_goaway,
};

static struct origin *origin_new(struct world *world, uint32_t max_streams)
{
    struct origin *origin = calloc(1, sizeof(*origin));
    assert_non_null(origin);
    struct h2_settings settings = {.server = true,
                                   .max_streams = max_streams,
                                   .stream_window = 65535,
                                   .session_window = 65535,
                                   .limits = {65536, 100, 8192},
                                   .heads = &origin->heads};
    origin->world = world;
    origin->fd = origin_accept(world);
    origin->session = h2_new(&settings, &origin_events, origin);
    assert_non_null(origin->session);
    return origin;
}

static bool more_to_read(const struct origin *origin)
{
    char byte;
    return recv(origin->fd, &byte, 1, MSG_PEEK) > 0;
}

/* Reads what has come and says what is to be said, until both sides are at rest. */
static void play(struct origin *origin)
{
    static char bytes[64 * 1024];
    for (int i = 0; i < 200; i++) {
        turn(origin->world);
        ssize_t got = recv(origin->fd, bytes, sizeof(bytes), 0);
        if (got > 0)
            h2_receive(origin->session, slice_make(bytes, (size_t)got));
        h2_send(origin->session);
        delivered(origin->fd);
        turn(origin->world);
        if (got <= 0 && !more_to_read(origin))
            return;
    }
}

static bool has_left(struct origin *origin)
{
    static char bytes[1024];
    ssize_t got = -1;
    for (int i = 0; i < 1000 && got != 0; i++) {
        turn(origin->world);
        got = recv(origin->fd, bytes, sizeof(bytes), 0);
        if (got < 0)
            usleep(1000);
    }
    return got == 0;
}

static void origin_free(struct origin *origin)
{
    h2_free(origin->session);
    head_pool_give(&origin->heads, origin->head);
    head_pool_give(&origin->heads, origin->trailers);
    head_pool_free(&origin->heads);
    close(origin->fd);
    free(origin);
}

static void answer(struct origin *origin, unsigned stream, unsigned status, bool ends)
{
    struct http_head *head = head_pool_take(&origin->heads);
    head->status = status;
    assert_true(http_head_add(head, SLICE_LITERAL("server"), SLICE_LITERAL("test")));
    assert_true(h2_respond(origin->streams[stream], head, ends));
    head_pool_give(&origin->heads, head);
}

static struct world *world_of_h2(void)
{
    struct world *world = world_new();
    world->backend.h2 = true;
    return world;
}

/* The first request on a new connection, and its origin. */
static struct origin *first_request(struct asker *asker, uint32_t max_streams)
{
    asker_opens(asker, false, true);
    await(asker, TOLD_READY);
    ask(asker, "GET", "", -1, "", true);
    struct origin *origin = origin_new(asker->world, max_streams);
    play(origin);
    assert_int_equal(origin->count, 1);
    return origin;
}

static void next_request(struct asker *asker, struct origin *origin)
{
    asker_opens(asker, false, true);
    assert_true(upstream_ready(asker->upstream));
    ask(asker, "GET", "", -1, "", true);
    play(origin);
}

static bool has(const struct http_head *head, const char *name, const char *value)
{
    const struct http_field *field = http_head_next_named(head, slice_of(name), NULL);
    return field && slice_is(head_value(head, field), value);
}

/* ---- failures ---- */

static void a_refused_connect_fails_for_all_that_wait(void **state)
{
    (void)state;
    struct world *world = world_of_h2();
    struct asker *first = asker_new(world), *second = asker_new(world);
    close(world->listener);
    world->listener = socket(AF_INET, SOCK_STREAM, 0);
    asker_opens(first, false, true);
    asker_opens(second, false, true);
    await(first, TOLD_FAILED);
    await(second, TOLD_FAILED);
    assert_string_equal(first->story, "no connection");
    assert_string_equal(second->story, "no connection");
    assert_int_equal(world->server.connect_errors, 1);
    asker_free(first);
    asker_free(second);
    world_free(world);
}

static void an_owner_that_waits_may_close_another_when_both_fail(void **state)
{
    (void)state;
    struct world *world = world_of_h2();
    struct asker *first = asker_new(world), *second = asker_new(world);
    close(world->listener);
    world->listener = socket(AF_INET, SOCK_STREAM, 0);
    first->closes_in = second->closes_in = TOLD_FAILED;
    asker_opens(first, false, true);
    asker_opens(second, false, true);
    await(first, TOLD_FAILED);
    assert_true(first->closed && second->closed);
    asker_free(first);
    asker_free(second);
    world_free(world);
}

static void what_is_no_http2_is_a_bad_answer(void **state)
{
    (void)state;
    struct world *world = world_of_h2();
    struct asker *asker = asker_new(world);
    int fd = asker_asks(asker, "GET");
    origin_says(world, fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
    await(asker, TOLD_FAILED);
    assert_string_equal(asker->story, "ready, bad answer");
    close(fd);
    asker_free(asker);
    world_free(world);
}

static void a_lost_connection_fails_each_request_as_far_as_it_was(void **state)
{
    (void)state;
    struct world *world = world_of_h2();
    struct asker *first = asker_new(world), *second = asker_new(world), *third = asker_new(world);
    struct origin *origin = first_request(first, 100);
    next_request(second, origin);
    next_request(third, origin);
    answer(origin, 1, 200, false);
    answer(origin, 2, 200, true);
    play(origin);
    origin_ends(world, origin->fd);
    assert_string_equal(first->story, "ready, closed");
    assert_string_equal(second->story, "200, cut");
    assert_string_equal(third->story, "200 whole");
    asker_free(first);
    asker_free(second);
    asker_free(third);
    origin_free(origin);
    world_free(world);
}

static void a_reset_before_the_answer_is_closed_and_within_it_a_cut(void **state)
{
    (void)state;
    struct world *world = world_of_h2();
    struct asker *first = asker_new(world), *second = asker_new(world), *third = asker_new(world);
    struct origin *origin = first_request(first, 100);
    next_request(second, origin);
    next_request(third, origin);
    answer(origin, 1, 200, false);
    play(origin);
    h2_reset(origin->streams[0], H2_INTERNAL_ERROR);
    h2_reset(origin->streams[1], H2_INTERNAL_ERROR);
    h2_reset(origin->streams[2], H2_REFUSED_STREAM);
    play(origin);
    assert_string_equal(first->story, "ready, closed");
    assert_string_equal(second->story, "200, cut");
    assert_string_equal(third->story, "untouched");
    asker_free(first);
    asker_free(second);
    asker_free(third);
    assert_int_equal(world->server.idle, 1);
    origin_free(origin);
    world_free(world);
}

#define EMPTY_SETTINGS "\0\0\0\x04\0\0\0\0\0"

static void goaway_leaves_what_it_does_not_cover_untouched(void **state)
{
    (void)state;
    static const char frames[] = EMPTY_SETTINGS "\0\0\x08\x07\0\0\0\0\0"
                                                "\0\0\0\x01\0\0\0\0";
    struct world *world = world_of_h2();
    struct asker *first = asker_new(world), *second = asker_new(world), *third = asker_new(world);
    int fd = asker_asks(first, "GET");
    asker_opens(second, false, true);
    ask(second, "GET", "", -1, "", true);
    assert_int_equal(send(fd, frames, sizeof(frames) - 1, 0), (ssize_t)sizeof(frames) - 1);
    await(second, TOLD_FAILED);
    assert_string_equal(second->story, "untouched");
    assert_string_equal(first->story, "ready");
    asker_opens(third, false, true);
    assert_false(upstream_ready(third->upstream));
    asker_free(third);
    asker_free(first);
    asker_free(second);
    assert_int_equal(world->server.idle, 0);
    close(fd);
    world_free(world);
}

static void a_peer_that_goes_takes_no_more_and_finishes(void **state)
{
    (void)state;
    struct world *world = world_of_h2();
    struct asker *first = asker_new(world), *second = asker_new(world);
    struct origin *origin = first_request(first, 100);
    h2_goaway(origin->session, true);
    play(origin);
    asker_opens(second, false, true);
    assert_false(upstream_ready(second->upstream));
    answer(origin, 0, 200, true);
    play(origin);
    assert_string_equal(first->story, "ready, 200 whole");
    asker_free(first);
    play(origin);
    assert_true(has_left(origin));
    asker_free(second);
    origin_free(origin);
    world_free(world);
}

/* ---- sharing ---- */

static void requests_share_a_connection(void **state)
{
    (void)state;
    struct world *world = world_of_h2();
    struct asker *first = asker_new(world), *second = asker_new(world);
    struct origin *origin = first_request(first, 100);
    next_request(second, origin);
    assert_true(upstream_reused(second->upstream));
    assert_int_equal(origin->count, 2);
    answer(origin, 1, 201, true);
    answer(origin, 0, 202, true);
    play(origin);
    assert_string_equal(first->story, "ready, 202 whole");
    assert_string_equal(second->story, "201 whole");
    assert_int_equal(world->server.connections, 1);
    assert_int_equal(world->server.requests, 2);
    assert_int_equal(world->server.reused, 1);
    asker_free(first);
    assert_int_equal(world->server.idle, 0);
    asker_free(second);
    assert_int_equal(world->server.idle, 1);
    play(origin);
    assert_int_equal(origin->resets, 0);
    origin_free(origin);
    world_free(world);
}

static void several_wait_for_the_same_connection(void **state)
{
    (void)state;
    struct world *world = world_of_h2();
    struct asker *askers[3];
    for (int i = 0; i < 3; i++) {
        askers[i] = asker_new(world);
        askers[i]->asks_when_ready = true;
        asker_opens(askers[i], true, true);
        assert_false(upstream_ready(askers[i]->upstream));
    }
    for (int i = 0; i < 3; i++)
        await(askers[i], TOLD_READY);
    struct origin *origin = origin_new(world, 100);
    play(origin);
    assert_int_equal(origin->count, 3);
    assert_false(origin_is_called(world));
    for (int i = 0; i < 3; i++)
        asker_free(askers[i]);
    play(origin);
    assert_int_equal(origin->resets, 3);
    assert_int_equal(origin->code, H2_CANCEL);
    origin_free(origin);
    world_free(world);
}

static void a_connection_that_nobody_waits_for_any_more_is_given_up(void **state)
{
    (void)state;
    struct world *world = world_of_h2();
    struct asker *asker = asker_new(world);
    asker_opens(asker, false, true);
    asker_free(asker);
    turn(world);
    assert_int_equal(world->server.connections, 0);
    world_free(world);
}

static void a_full_connection_gets_a_second_one_beside_it(void **state)
{
    (void)state;
    struct world *world = world_of_h2();
    struct asker *first = asker_new(world), *second = asker_new(world), *third = asker_new(world);
    struct origin *origin = first_request(first, 1);
    struct origin *other = first_request(second, 1);
    assert_int_equal(world->server.connections, 2);
    answer(origin, 0, 200, true);
    play(origin);
    asker_free(first);
    next_request(third, origin);
    assert_int_equal(origin->count, 2);
    asker_free(second);
    asker_free(third);
    origin_free(origin);
    origin_free(other);
    world_free(world);
}

static void fresh_is_never_a_connection_that_has_served(void **state)
{
    (void)state;
    struct world *world = world_of_h2();
    struct asker *first = asker_new(world), *second = asker_new(world);
    struct origin *origin = first_request(first, 100);
    asker_opens(second, true, true);
    assert_false(upstream_ready(second->upstream));
    assert_false(upstream_reused(second->upstream));
    asker_free(first);
    asker_free(second);
    origin_free(origin);
    world_free(world);
}

/* ---- messages ---- */

static void a_request_arrives_without_what_http2_does_not_have(void **state)
{
    (void)state;
    struct world *world = world_of_h2();
    struct asker *asker = asker_new(world);
    asker_opens(asker, false, true);
    await(asker, TOLD_READY);
    ask(asker, "POST", "upgrade: x\nte: trailers\nx-a: b\n", 3, "abc", true);
    struct origin *origin = origin_new(world, 100);
    play(origin);
    const struct http_head *head = origin->head;
    assert_true(slice_is(head_text(head, head->authority), "a.test"));
    assert_true(slice_is(head_text(head, head->scheme), "http"));
    assert_true(slice_is(head_text(head, head->target), "/p"));
    assert_int_equal(head->method, METHOD_POST);
    assert_int_equal(head->content_length, 3);
    assert_true(has(head, "te", "trailers") && has(head, "x-a", "b"));
    assert_null(http_head_next_named(head, SLICE_LITERAL("upgrade"), NULL));
    assert_int_equal(origin->body_len, 3);
    assert_int_equal(origin->ends, 1);
    asker_free(asker);
    origin_free(origin);
    world_free(world);
}

static void bodies_and_trailers_go_both_ways(void **state)
{
    (void)state;
    struct world *world = world_of_h2();
    struct asker *asker = asker_new(world);
    struct http_head *trailers = head_pool_take(&world->heads);
    assert_true(http_head_add(trailers, SLICE_LITERAL("t"), SLICE_LITERAL("1")));
    asker_opens(asker, false, true);
    await(asker, TOLD_READY);
    ask(asker, "POST", "", -1, "ab", false);
    struct origin *origin = origin_new(world, 100);
    play(origin);
    assert_int_equal(upstream_body(asker->upstream, SLICE_LITERAL("cd")), STREAM_WROTE);
    upstream_end(asker->upstream, trailers);
    play(origin);
    assert_int_equal(origin->body_len, 4);
    assert_non_null(origin->trailers);
    assert_true(has(origin->trailers, "t", "1"));
    answer(origin, 0, 103, false);
    answer(origin, 0, 200, false);
    h2_write(origin->streams[0], SLICE_LITERAL("xyz"));
    h2_end(origin->streams[0], trailers);
    play(origin);
    assert_string_equal(asker->story, "ready, 103, 200, body, end with 1 trailers");
    assert_string_equal(asker->body, "xyz");
    head_pool_give(&world->heads, trailers);
    asker_free(asker);
    play(origin);
    assert_int_equal(origin->resets, 0);
    assert_int_equal(world->server.idle, 1);
    origin_free(origin);
    world_free(world);
}

static void an_early_answer_may_end_the_request(void **state)
{
    (void)state;
    struct world *world = world_of_h2();
    struct asker *asker = asker_new(world);
    asker_opens(asker, false, true);
    await(asker, TOLD_READY);
    ask(asker, "POST", "", -1, "ab", false);
    struct origin *origin = origin_new(world, 100);
    play(origin);
    answer(origin, 0, 413, true);
    play(origin);
    assert_int_equal(upstream_body(asker->upstream, SLICE_LITERAL("cd")), STREAM_BROKEN);
    assert_string_equal(asker->story, "ready, 413 whole");
    asker_free(asker);
    assert_int_equal(world->server.idle, 1);
    origin_free(origin);
    world_free(world);
}

/* ---- back-pressure ---- */

static void a_paused_answer_holds_back_itself_and_no_other(void **state)
{
    (void)state;
    static char bytes[600 * 1024];
    struct world *world = world_of_h2();
    struct asker *slow = asker_new(world), *other = asker_new(world);
    struct origin *origin = first_request(slow, 100);
    upstream_pause(slow->upstream);
    answer(origin, 0, 200, false);
    h2_write(origin->streams[0], slice_make(bytes, sizeof(bytes)));
    h2_end(origin->streams[0], NULL);
    play(origin);
    play(origin);
    assert_int_equal(slow->body_len, 256 * 1024);
    next_request(other, origin);
    answer(origin, 1, 200, false);
    h2_write(origin->streams[1], slice_make(bytes, sizeof(bytes)));
    h2_end(origin->streams[1], NULL);
    for (int i = 0; i < 20; i++)
        play(origin);
    assert_int_equal(other->body_len, sizeof(bytes));
    assert_int_equal(slow->body_len, 256 * 1024);
    upstream_resume(slow->upstream);
    for (int i = 0; i < 20; i++)
        play(origin);
    assert_int_equal(slow->body_len, sizeof(bytes));
    assert_string_equal(slow->story, "ready, 200, body, end");
    asker_free(slow);
    asker_free(other);
    origin_free(origin);
    world_free(world);
}

static void a_server_that_grants_nothing_blocks_the_request_until_it_does(void **state)
{
    (void)state;
    static char piece[32 * 1024];
    struct world *world = world_of_h2();
    struct asker *asker = asker_new(world);
    asker_opens(asker, false, true);
    await(asker, TOLD_READY);
    ask(asker, "POST", "", -1, "", false);
    struct origin *origin = origin_new(world, 100);
    origin->keeps = true;
    play(origin);
    enum stream_written wrote = STREAM_WROTE;
    size_t sent = 0;
    for (; sent < 1024 * 1024 && wrote == STREAM_WROTE; sent += sizeof(piece))
        wrote = upstream_body(asker->upstream, slice_make(piece, sizeof(piece)));
    assert_int_equal(wrote, STREAM_QUEUED);
    play(origin);
    assert_string_equal(asker->story, "ready");
    assert_int_equal(origin->body_len, 65535);
    origin->keeps = false;
    h2_consumed(origin->streams[0], 65535);
    for (int i = 0; i < 20; i++)
        play(origin);
    assert_string_equal(asker->story, "ready, drained");
    assert_int_equal(origin->body_len, sent);
    asker_free(asker);
    origin_free(origin);
    world_free(world);
}

/* ---- closing in events, and the pool ---- */

static void check_closing(enum told told, const char *story)
{
    struct world *world = world_of_h2();
    struct asker *asker = asker_new(world);
    struct origin *origin = first_request(asker, 100);
    asker->closes_in = told;
    answer(origin, 0, 200, false);
    h2_write(origin->streams[0], SLICE_LITERAL("abc"));
    h2_end(origin->streams[0], NULL);
    play(origin);
    assert_string_equal(asker->story, story);
    assert_int_equal(world->server.idle, 1);
    asker_free(asker);
    origin_free(origin);
    world_free(world);
}

static void an_owner_may_close_in_any_event(void **state)
{
    (void)state;
    check_closing(TOLD_HEAD, "ready, 200");
    check_closing(TOLD_BODY, "ready, 200, body");
    check_closing(TOLD_END, "ready, 200, body, end");
}

static void an_owner_may_close_in_an_event_of_a_retired_pool(void **state)
{
    (void)state;
    struct world *world = world_of_h2();
    struct asker *asker = asker_new(world);
    struct origin *origin = first_request(asker, 100);
    pool_retire(world->pool);
    world->pool = NULL;
    asker->closes_in = TOLD_HEAD;
    answer(origin, 0, 200, true);
    play(origin);
    assert_string_equal(asker->story, "ready, 200 whole");
    assert_true(has_left(origin));
    asker_free(asker);
    origin_free(origin);
    world_free(world);
}

static void an_idle_connection_goes_after_its_time(void **state)
{
    (void)state;
    struct world *world = world_of_h2();
    struct asker *asker = asker_new(world);
    struct origin *origin = first_request(asker, 100);
    pool_tick(world->pool, uv_now(&world->loop) + 5000);
    answer(origin, 0, 200, true);
    play(origin);
    assert_string_equal(asker->story, "ready, 200 whole");
    asker_free(asker);
    pool_tick(world->pool, uv_now(&world->loop) + 500);
    assert_int_equal(world->server.idle, 1);
    pool_tick(world->pool, uv_now(&world->loop) + 5000);
    assert_int_equal(world->server.idle, 0);
    play(origin);
    assert_true(has_left(origin));
    origin_free(origin);
    world_free(world);
}

static void an_idle_connection_answers_pings(void **state)
{
    (void)state;
    struct world *world = world_of_h2();
    struct asker *asker = asker_new(world);
    struct origin *origin = first_request(asker, 100);
    answer(origin, 0, 200, true);
    play(origin);
    asker_free(asker);
    play(origin);
    unsigned long long before = world->server.bytes_out;
    h2_ping(origin->session);
    play(origin);
    assert_int_equal(world->server.bytes_out - before, 17);
    assert_int_equal(world->server.idle, 1);
    origin_free(origin);
    world_free(world);
}

static void a_peer_that_goes_ends_an_idle_connection(void **state)
{
    (void)state;
    struct world *world = world_of_h2();
    struct asker *asker = asker_new(world);
    struct origin *origin = first_request(asker, 100);
    answer(origin, 0, 200, true);
    play(origin);
    asker_free(asker);
    h2_goaway(origin->session, true);
    play(origin);
    assert_int_equal(world->server.idle, 0);
    assert_true(has_left(origin));
    origin_free(origin);
    world_free(world);
}

struct snapshot {
    struct backend backend;
    struct member member;
};

static bool keeps(void *context, const struct server *server, const struct backend **backend,
                  const struct member **member)
{
    const struct snapshot *snapshot = context;
    (void)server;
    *backend = &snapshot->backend;
    *member = &snapshot->member;
    return true;
}

static void idle_connections_move_and_those_in_use_finish(void **state)
{
    (void)state;
    struct world *world = world_of_h2();
    struct asker *busy = asker_new(world), *done = asker_new(world), *next = asker_new(world);
    struct origin *origin = first_request(busy, 1), *other = first_request(done, 1);
    struct snapshot snapshot = {world->backend, world->member};
    asker_free(done);
    play(other);
    struct pool *from = world->pool;
    world->pool = pool_new(&world->thread);
    pool_move(from, world->pool, keeps, &snapshot);
    pool_retire(from);
    world->backend = snapshot.backend;
    assert_int_equal(world->server.idle, 1);
    int error;
    next->upstream = upstream_open(world->pool, &snapshot.backend, &snapshot.member, false, true,
                                   &asker_events, next, &error);
    assert_true(upstream_ready(next->upstream));
    answer(origin, 0, 200, true);
    play(origin);
    assert_string_equal(busy->story, "ready, 200 whole");
    asker_free(busy);
    assert_true(has_left(origin));
    asker_free(next);
    origin_free(origin);
    origin_free(other);
    turn(world);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_connect_fails_for_all_that_wait),
        cmocka_unit_test(an_owner_that_waits_may_close_another_when_both_fail),
        cmocka_unit_test(what_is_no_http2_is_a_bad_answer),
        cmocka_unit_test(a_lost_connection_fails_each_request_as_far_as_it_was),
        cmocka_unit_test(a_reset_before_the_answer_is_closed_and_within_it_a_cut),
        cmocka_unit_test(goaway_leaves_what_it_does_not_cover_untouched),
        cmocka_unit_test(a_peer_that_goes_takes_no_more_and_finishes),
        cmocka_unit_test(requests_share_a_connection),
        cmocka_unit_test(several_wait_for_the_same_connection),
        cmocka_unit_test(a_connection_that_nobody_waits_for_any_more_is_given_up),
        cmocka_unit_test(a_full_connection_gets_a_second_one_beside_it),
        cmocka_unit_test(fresh_is_never_a_connection_that_has_served),
        cmocka_unit_test(a_request_arrives_without_what_http2_does_not_have),
        cmocka_unit_test(bodies_and_trailers_go_both_ways),
        cmocka_unit_test(an_early_answer_may_end_the_request),
        cmocka_unit_test(a_paused_answer_holds_back_itself_and_no_other),
        cmocka_unit_test(a_server_that_grants_nothing_blocks_the_request_until_it_does),
        cmocka_unit_test(an_owner_may_close_in_any_event),
        cmocka_unit_test(an_owner_may_close_in_an_event_of_a_retired_pool),
        cmocka_unit_test(an_idle_connection_goes_after_its_time),
        cmocka_unit_test(an_idle_connection_answers_pings),
        cmocka_unit_test(a_peer_that_goes_ends_an_idle_connection),
        cmocka_unit_test(idle_connections_move_and_those_in_use_finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
