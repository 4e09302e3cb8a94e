/* Requests over HTTP/1.1: the bytes that reach a server. */
#include "tests/unit/test_upstream_origin.h"

#define OK "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"

struct scene {
    struct world *world;
    struct asker *asker;
    int fd;
};

static struct scene scene_new(void)
{
    struct scene scene = {.world = world_new()};
    scene.asker = asker_new(scene.world);
    asker_opens(scene.asker, false, true);
    await(scene.asker, TOLD_READY);
    scene.fd = origin_accept(scene.world);
    return scene;
}

static void scene_free(struct scene *scene)
{
    close(scene->fd);
    asker_free(scene->asker);
    world_free(scene->world);
}

static void check_request(const char *method, const char *fields, int64_t length, const char *body, bool ends,
                          const char *expected)
{
    struct scene scene = scene_new();
    ask(scene.asker, method, fields, length, body, ends);
    ORIGIN_GOT(scene.world, scene.fd, expected);
    assert_int_equal(scene.world->server.bytes_out, strcspn(expected, "|"));
    assert_int_equal(scene.world->server.requests, 1);
    scene_free(&scene);
}

/* ---- what must not reach a server ---- */

static void more_body_than_promised_is_not_sent(void **state)
{
    (void)state;
    check_request("POST", "", 2, "abc", false, "|");
    struct scene scene = scene_new();
    ask(scene.asker, "POST", "", 3, "ab", false);
    assert_int_equal(upstream_body(scene.asker->upstream, SLICE_LITERAL("cGET / HTTP/1.1\r\n\r\n")),
                     STREAM_BROKEN);
    ORIGIN_GOT(scene.world, scene.fd, "POST /p HTTP/1.1\r\nhost: a.test\r\ncontent-length: 3\r\n\r\nab|");
    scene_free(&scene);
}

static void less_body_than_promised_ends_the_connection(void **state)
{
    (void)state;
    struct scene scene = scene_new();
    ask(scene.asker, "POST", "", 3, "ab", false);
    assert_int_equal(upstream_end(scene.asker->upstream, NULL), STREAM_BROKEN);
    ORIGIN_GOT(scene.world, scene.fd, "POST /p HTTP/1.1\r\nhost: a.test\r\ncontent-length: 3\r\n\r\nab|");
    origin_says(scene.world, scene.fd, OK);
    assert_string_equal(scene.asker->story, "ready, 200 whole");
    asker_closes(scene.asker);
    assert_int_equal(scene.world->server.idle, 0);
    scene_free(&scene);
}

static void framing_of_another_hand_is_not_sent(void **state)
{
    (void)state;
    check_request("POST", "content-length: 5\n", 2, "ab", true, "|");
    check_request("POST", "transfer-encoding: chunked\n", 2, "ab", true, "|");
    check_request("GET", "connection: close\n", -1, "", true, "|");
}

static void nothing_is_sent_after_the_end(void **state)
{
    (void)state;
    struct scene scene = scene_new();
    ask(scene.asker, "GET", "", -1, "", true);
    assert_int_equal(upstream_body(scene.asker->upstream, SLICE_LITERAL("x")), STREAM_BROKEN);
    ORIGIN_GOT(scene.world, scene.fd, "GET /p HTTP/1.1\r\nhost: a.test\r\n\r\n|");
    scene_free(&scene);
}

static void one_connection_takes_one_request(void **state)
{
    (void)state;
    struct scene scene = scene_new();
    ask(scene.asker, "GET", "", -1, "", true);
    assert_int_equal(ask_with(scene.asker, "GET", "", -1, SLICE_LITERAL(""), true), STREAM_BROKEN);
    ORIGIN_GOT(scene.world, scene.fd, "GET /p HTTP/1.1\r\nhost: a.test\r\n\r\n");
    scene_free(&scene);
}

static void a_request_before_the_connection_is_there_is_not_sent(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct asker *asker = asker_new(world);
    asker_opens(asker, false, true);
    assert_int_equal(ask_with(asker, "GET", "", -1, SLICE_LITERAL(""), true), STREAM_BROKEN);
    asker_free(asker);
    world_free(world);
}

/* ---- framing ---- */

static void a_request_without_body_says_so_where_one_is_usual(void **state)
{
    (void)state;
    check_request("GET", "a: b\n", -1, "", true, "GET /p HTTP/1.1\r\nhost: a.test\r\na: b\r\n\r\n");
    check_request("DELETE", "", -1, "", true, "DELETE /p HTTP/1.1\r\nhost: a.test\r\n\r\n");
    check_request("POST", "", -1, "", true, "POST /p HTTP/1.1\r\nhost: a.test\r\ncontent-length: 0\r\n\r\n");
}

static void a_known_length_is_sent_as_such(void **state)
{
    (void)state;
    check_request("POST", "", 2, "ab", true,
                  "POST /p HTTP/1.1\r\nhost: a.test\r\ncontent-length: 2\r\n\r\nab");
    check_request("POST", "", -1, "ab", true,
                  "POST /p HTTP/1.1\r\nhost: a.test\r\ncontent-length: 2\r\n\r\nab");
}

static void an_unknown_length_is_sent_in_chunks(void **state)
{
    (void)state;
    struct scene scene = scene_new();
    ask(scene.asker, "POST", "", -1, "ab", false);
    ORIGIN_GOT(scene.world, scene.fd,
               "POST /p HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n");
    upstream_body(scene.asker->upstream, SLICE_LITERAL("0123456789abcdef"));
    upstream_body(scene.asker->upstream, SLICE_LITERAL(""));
    ORIGIN_GOT(scene.world, scene.fd, "10\r\n0123456789abcdef\r\n");
    assert_int_equal(upstream_end(scene.asker->upstream, NULL), STREAM_WROTE);
    ORIGIN_GOT(scene.world, scene.fd, "0\r\n\r\n");
    scene_free(&scene);
}

static void trailers_follow_the_last_chunk(void **state)
{
    (void)state;
    struct scene scene = scene_new();
    struct http_head *trailers = head_pool_take(&scene.world->heads);
    http_head_add(trailers, SLICE_LITERAL("t"), SLICE_LITERAL("1"));
    ask(scene.asker, "PUT", "te: trailers\n", -1, "", false);
    upstream_end(scene.asker->upstream, trailers);
    head_pool_give(&scene.world->heads, trailers);
    ORIGIN_GOT(scene.world, scene.fd,
               "PUT /p HTTP/1.1\r\nhost: a.test\r\nte: trailers\r\nconnection: te\r\n"
               "transfer-encoding: chunked\r\n\r\n0\r\nt: 1\r\n\r\n");
    scene_free(&scene);
}

static void check_large(int64_t length, const char *before, const char *after)
{
    enum { LARGE = 100 * 1024 };
    struct scene scene = scene_new();
    char *body = malloc(LARGE), *got = malloc(LARGE + 4096);
    memset(body, 'x', LARGE);
    ask_with(scene.asker, "POST", "", length, slice_make(body, LARGE), false);
    upstream_end(scene.asker->upstream, NULL);
    origin_got(scene.world, scene.fd, got, LARGE + 4096, strlen(before) + LARGE + strlen(after));
    assert_int_equal(strlen(got), strlen(before) + LARGE + strlen(after));
    assert_memory_equal(got, before, strlen(before));
    assert_memory_equal(got + strlen(before), body, LARGE);
    assert_string_equal(got + strlen(before) + LARGE, after);
    free(body);
    free(got);
    scene_free(&scene);
}

static void large_pieces_are_framed_the_same(void **state)
{
    (void)state;
    check_large(100 * 1024, "POST /p HTTP/1.1\r\nhost: a.test\r\ncontent-length: 102400\r\n\r\n", "");
    check_large(-1, "POST /p HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n19000\r\n",
                "\r\n0\r\n\r\n");
}

static void what_does_not_fit_is_queued_and_drains(void **state)
{
    (void)state;
    static char piece[64 * 1024], sink[256 * 1024];
    struct scene scene = scene_new();
    enum stream_written wrote = STREAM_WROTE;
    ask(scene.asker, "POST", "", -1, "", false);
    for (int i = 0; i < 1000 && wrote == STREAM_WROTE; i++)
        wrote = upstream_body(scene.asker->upstream, slice_make(piece, sizeof(piece)));
    assert_int_equal(wrote, STREAM_QUEUED);
    for (int i = 0; i < 2000 && !(scene.asker->told & TOLD_DRAINED); i++) {
        while (recv(scene.fd, sink, sizeof(sink), 0) > 0)
            continue;
        turn(scene.world);
    }
    assert_string_equal(scene.asker->story, "ready, drained");
    scene_free(&scene);
}

static void a_request_head_is_the_same_afterwards(void **state)
{
    (void)state;
    struct scene scene = scene_new();
    struct http_head *head = make_request(scene.world, "POST", "te: trailers\n");
    head->content_length = 0;
    struct http_head before = *head;
    upstream_request(scene.asker->upstream, head, SLICE_LITERAL("/p"), SLICE_LITERAL(""), true);
    assert_memory_equal(head, &before, sizeof(before));
    assert_int_equal(http_head_field_count(head), 2);
    head_pool_give(&scene.world->heads, head);
    scene_free(&scene);
}

/* ---- answers that come early ---- */

static void an_early_answer_is_told_and_the_request_may_be_completed(void **state)
{
    (void)state;
    struct scene scene = scene_new();
    ask(scene.asker, "POST", "", 4, "ab", false);
    origin_says(scene.world, scene.fd, OK);
    assert_string_equal(scene.asker->story, "ready, 200 whole");
    assert_int_equal(upstream_body(scene.asker->upstream, SLICE_LITERAL("cd")), STREAM_WROTE);
    assert_int_equal(upstream_end(scene.asker->upstream, NULL), STREAM_WROTE);
    asker_closes(scene.asker);
    assert_int_equal(scene.world->server.idle, 1);
    scene_free(&scene);
}

static void a_connection_with_half_a_request_is_not_kept(void **state)
{
    (void)state;
    struct scene scene = scene_new();
    ask(scene.asker, "POST", "", 4, "ab", false);
    origin_says(scene.world, scene.fd, OK);
    asker_closes(scene.asker);
    assert_int_equal(scene.world->server.idle, 0);
    ORIGIN_GOT(scene.world, scene.fd, "POST /p HTTP/1.1\r\nhost: a.test\r\ncontent-length: 4\r\n\r\nab|");
    scene_free(&scene);
}

static void a_server_that_leaves_after_its_early_answer_is_no_failure(void **state)
{
    (void)state;
    struct scene scene = scene_new();
    ask(scene.asker, "POST", "", -1, "ab", false);
    origin_says(scene.world, scene.fd, "HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n");
    origin_leaves(scene.world, scene.fd);
    enum stream_written wrote = STREAM_WROTE;
    for (int i = 0; i < 1000 && wrote == STREAM_WROTE; i++) {
        wrote = upstream_body(scene.asker->upstream, SLICE_LITERAL("cd"));
        turn(scene.world);
    }
    assert_int_equal(wrote, STREAM_BROKEN);
    assert_string_equal(scene.asker->story, "ready, 413 whole");
    scene.fd = -1;
    scene_free(&scene);
}

static void an_answer_before_the_request_is_none(void **state)
{
    (void)state;
    struct scene scene = scene_new();
    origin_says(scene.world, scene.fd, OK);
    await(scene.asker, TOLD_FAILED);
    assert_string_equal(scene.asker->story, "ready, closed");
    scene_free(&scene);
}

/* ---- tunnels ---- */

#define SWITCH "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"

static void an_upgrade_that_the_request_has_not_finished_is_refused(void **state)
{
    (void)state;
    struct scene scene = scene_new();
    ask(scene.asker, "POST", "upgrade: x\n", -1, "ab", false);
    origin_says(scene.world, scene.fd, SWITCH);
    await(scene.asker, TOLD_FAILED);
    assert_string_equal(scene.asker->story, "ready, bad answer");
    scene_free(&scene);
}

static void an_upgrade_may_be_declined(void **state)
{
    (void)state;
    struct scene scene = scene_new();
    ask(scene.asker, "GET", "upgrade: x\nte: trailers\n", -1, "", true);
    ORIGIN_GOT(scene.world, scene.fd,
               "GET /p HTTP/1.1\r\nhost: a.test\r\nupgrade: x\r\nte: trailers\r\n"
               "connection: upgrade, te\r\n\r\n");
    origin_says(scene.world, scene.fd, OK);
    assert_string_equal(scene.asker->story, "ready, 200 whole");
    scene_free(&scene);
}

static void after_101_bytes_pass_both_ways_as_they_are(void **state)
{
    (void)state;
    struct scene scene = scene_new();
    ask(scene.asker, "GET", "upgrade: x\n", -1, "", true);
    ORIGIN_GOT(scene.world, scene.fd,
               "GET /p HTTP/1.1\r\nhost: a.test\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n");
    origin_says(scene.world, scene.fd, SWITCH "HTTP/1.1");
    origin_says(scene.world, scene.fd, "\r\n");
    upstream_body(scene.asker->upstream, SLICE_LITERAL("up"));
    ORIGIN_GOT(scene.world, scene.fd, "up");
    origin_ends(scene.world, scene.fd);
    upstream_body(scene.asker->upstream, SLICE_LITERAL("stairs"));
    assert_int_equal(upstream_end(scene.asker->upstream, NULL), STREAM_WROTE);
    ORIGIN_GOT(scene.world, scene.fd, "stairs|");
    assert_string_equal(scene.asker->story, "ready, 101, body, end");
    assert_string_equal(scene.asker->body, "HTTP/1.1\r\n");
    asker_closes(scene.asker);
    assert_int_equal(scene.world->server.idle, 0);
    scene_free(&scene);
}

static void a_tunnel_that_is_reset_is_cut(void **state)
{
    (void)state;
    struct scene scene = scene_new();
    ask(scene.asker, "GET", "upgrade: x\n", -1, "", true);
    origin_says(scene.world, scene.fd, SWITCH);
    origin_resets(scene.world, scene.fd);
    await(scene.asker, TOLD_FAILED);
    assert_string_equal(scene.asker->story, "ready, 101, cut");
    scene.fd = -1;
    scene_free(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_body_than_promised_is_not_sent),
        cmocka_unit_test(less_body_than_promised_ends_the_connection),
        cmocka_unit_test(framing_of_another_hand_is_not_sent),
        cmocka_unit_test(nothing_is_sent_after_the_end),
        cmocka_unit_test(one_connection_takes_one_request),
        cmocka_unit_test(a_request_before_the_connection_is_there_is_not_sent),
        cmocka_unit_test(a_request_without_body_says_so_where_one_is_usual),
        cmocka_unit_test(a_known_length_is_sent_as_such),
        cmocka_unit_test(an_unknown_length_is_sent_in_chunks),
        cmocka_unit_test(trailers_follow_the_last_chunk),
        cmocka_unit_test(large_pieces_are_framed_the_same),
        cmocka_unit_test(what_does_not_fit_is_queued_and_drains),
        cmocka_unit_test(a_request_head_is_the_same_afterwards),
        cmocka_unit_test(an_early_answer_is_told_and_the_request_may_be_completed),
        cmocka_unit_test(a_connection_with_half_a_request_is_not_kept),
        cmocka_unit_test(a_server_that_leaves_after_its_early_answer_is_no_failure),
        cmocka_unit_test(an_answer_before_the_request_is_none),
        cmocka_unit_test(an_upgrade_that_the_request_has_not_finished_is_refused),
        cmocka_unit_test(an_upgrade_may_be_declined),
        cmocka_unit_test(after_101_bytes_pass_both_ways_as_they_are),
        cmocka_unit_test(a_tunnel_that_is_reset_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
