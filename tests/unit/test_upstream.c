/* Answers over HTTP/1.1: what an owner is told, and which connections are kept. */
#include "tests/unit/test_upstream_origin.h"

#define OK "HTTP/1.1 200 OK\r\n"

/* ---- what is no answer ---- */

static void a_refused_connect_is_told_with_its_error(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct asker *asker = asker_new(world);
    close(world->listener);
    world->listener = socket(AF_INET, SOCK_STREAM, 0);
    asker_opens(asker, false, true);
    await(asker, TOLD_FAILED);
    assert_string_equal(asker->story, "no connection");
    assert_int_equal(asker->failure.error, UV_ECONNREFUSED);
    assert_int_equal(world->server.connect_errors, 1);
    assert_int_equal(world->server.connections, 0);
    asker_free(asker);
    world_free(world);
}

static void an_end_before_the_answer_is_closed(void **state)
{
    (void)state;
    check_answer("GET", "", 'e', "ready, closed", 0);
    check_answer("GET", "", 'r', "ready, closed", 0);
}

static void an_end_within_the_answer_is_a_cut(void **state)
{
    (void)state;
    check_answer("GET", "HTTP/1.1 2", 'e', "ready, cut", 0);
    check_answer("GET", OK "content-length: 3\r\n\r\nab", 'e', "ready, 200, body, cut", 0);
    check_answer("GET", OK "content-length: 3\r\n\r\nab", 'r', "ready, 200, body, cut", 0);
    check_answer("GET", OK "transfer-encoding: chunked\r\n\r\n2\r\nab\r\n", 'e', "ready, 200, body, cut", 0);
    check_answer("GET", OK "transfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n", 'e', "ready, 200, body, cut",
                 0);
    check_answer("GET", "HTTP/1.1 103 Early\r\n\r\n", 'e', "ready, 103, cut", 0);
}

static void a_reset_does_not_end_a_body_without_length(void **state)
{
    (void)state;
    check_answer("GET", OK "\r\nab", 'r', "ready, 200, body, cut", 0);
}

static void what_cannot_be_read_is_a_bad_answer(void **state)
{
    (void)state;
    check_answer("GET", "SSH-2.0-x\r\n", '.', "ready, bad answer", 0);
    check_answer("GET", OK "content-length: 1\r\ncontent-length: 2\r\n\r\na", '.', "ready, bad answer", 0);
    check_answer("GET", OK "content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", '.',
                 "ready, bad answer", 0);
    check_answer("GET", OK "transfer-encoding: chunked\r\n\r\nx\r\n", '.', "ready, 200, bad answer", 0);
    check_answer("GET", "HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", '.',
                 "ready, bad answer", 0);
}

static void a_head_beyond_the_limits_is_a_bad_answer(void **state)
{
    (void)state;
    char *answer = calloc(1, 100 * 1024);
    assert_non_null(answer);
    size_t len = (size_t)sprintf(answer, OK "a: ");
    memset(answer + len, 'b', 70 * 1024);
    check_answer("GET", answer, '.', "ready, bad answer", 0);
    free(answer);
}

/* ---- which connections are kept ---- */

static void what_follows_an_answer_ends_the_connection(void **state)
{
    (void)state;
    check_answer("GET", OK "content-length: 1\r\n\r\naX", '.', "ready, 200, body, end", 0);
    check_answer("GET", OK "content-length: 0\r\n\r\n\r\n", '.', "ready, 200 whole", 0);
    check_answer("GET", OK "transfer-encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1", '.', "ready, 200, end", 0);
    check_answer("HEAD", OK "content-length: 3\r\n\r\nabc", '.', "ready, 200 whole", 0);
}

static void a_connection_that_ends_is_not_kept(void **state)
{
    (void)state;
    check_answer("GET", OK "content-length: 0\r\nconnection: close\r\n\r\n", '.', "ready, 200 whole", 0);
    check_answer("GET", "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", '.', "ready, 200 whole", 0);
    check_answer("GET", OK "content-length: 0\r\n\r\n", 'e', "ready, 200 whole", 0);
    check_answer("GET", OK "\r\nab", 'e', "ready, 200, body, end", 0);
}

static void a_clean_connection_is_kept(void **state)
{
    (void)state;
    check_answer("GET", OK "content-length: 0\r\n\r\n", '.', "ready, 200 whole", 1);
    check_answer("GET", OK "content-length: 2\r\n\r\nab", '.', "ready, 200, body, end", 1);
    check_answer("GET", "HTTP/1.1 204 No Content\r\n\r\n", '.', "ready, 204 whole", 1);
    check_answer("GET", "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", '.', "ready, 304 whole", 1);
    check_answer("GET", OK "transfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", '.',
                 "ready, 200, body, end", 1);
}

static void an_answer_to_head_has_no_body(void **state)
{
    (void)state;
    check_answer("HEAD", OK "content-length: 3\r\n\r\n", '.', "ready, 200 whole", 1);
    check_answer("HEAD", OK "transfer-encoding: chunked\r\n\r\n", '.', "ready, 200 whole", 1);
}

static void interim_answers_come_first(void **state)
{
    (void)state;
    check_answer("GET",
                 "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: a\r\n\r\n" OK
                 "content-length: 1\r\n\r\na",
                 '.', "ready, 100, 103, 200, body, end", 1);
}

static void trailers_come_with_the_end(void **state)
{
    (void)state;
    check_answer("GET", OK "transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nt: 1\r\nu: 2\r\n\r\n", '.',
                 "ready, 200, body, end with 2 trailers", 1);
}

static void an_answer_may_come_byte_by_byte(void **state)
{
    (void)state;
    static const char answer[] = OK "transfer-encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\nt: 1\r\n\r\n";
    struct world *world = world_new();
    struct asker *asker = asker_new(world);
    int fd = asker_asks(asker, "GET");
    for (size_t i = 0; i + 1 < sizeof(answer); i++)
        origin_says(world, fd, (char[]){answer[i], '\0'});
    await(asker, TOLD_END);
    assert_string_equal(asker->story, "ready, 200, body, end with 1 trailers");
    assert_string_equal(asker->body, "ab");
    assert_int_equal(world->server.bytes_in, sizeof(answer) - 1);
    close(fd);
    asker_free(asker);
    world_free(world);
}

/* ---- closing in events ---- */

static void check_closing(enum told told, const char *answer, char then, const char *story, unsigned idle)
{
    struct world *world = world_new();
    struct asker *asker = asker_new(world);
    asker->closes_in = told;
    asker_opens(asker, false, true);
    await(asker, TOLD_READY);
    int fd = origin_accept(world);
    if (told != TOLD_READY) {
        ask(asker, "GET", "", -1, "", true);
        if (*answer)
            origin_says(world, fd, answer);
        if (then == 'e')
            origin_ends(world, fd);
        await(asker, told);
    }
    turn(world);
    assert_string_equal(asker->story, story);
    assert_int_equal(world->server.idle, idle);
    close(fd);
    asker_free(asker);
    world_free(world);
}

static void an_owner_may_close_in_any_event(void **state)
{
    (void)state;
    static const char chunks[] = OK "transfer-encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\nt: 1\r\n\r\n";
    check_closing(TOLD_READY, "", '.', "ready", 1);
    check_closing(TOLD_HEAD, chunks, '.', "ready, 200", 0);
    check_closing(TOLD_HEAD, "HTTP/1.1 100 Continue\r\n\r\n" OK "\r\n", '.', "ready, 100", 0);
    check_closing(TOLD_HEAD, OK "content-length: 0\r\n\r\n", '.', "ready, 200 whole", 1);
    check_closing(TOLD_HEAD, OK "content-length: 0\r\n\r\nx", '.', "ready, 200 whole", 0);
    check_closing(TOLD_BODY, chunks, '.', "ready, 200, body", 0);
    check_closing(TOLD_END, chunks, '.', "ready, 200, body, end with 1 trailers", 1);
    check_closing(TOLD_END, OK "\r\na", 'e', "ready, 200, body, end", 0);
    check_closing(TOLD_FAILED, "", 'e', "ready, closed", 0);
    check_closing(TOLD_FAILED, "x", '.', "ready, bad answer", 0);
}

/* ---- back-pressure ---- */

static void a_paused_answer_stands_still(void **state)
{
    (void)state;
    enum { WHOLE = 8 * 1024 * 1024 };
    static char piece[64 * 1024];
    struct world *world = world_new();
    struct asker *asker = asker_new(world);
    int fd = asker_asks(asker, "GET");
    char head[64];
    snprintf(head, sizeof(head), OK "content-length: %d\r\n\r\nx", WHOLE);
    asker->pauses = true;
    origin_says(world, fd, head);
    await(asker, TOLD_BODY);
    size_t sent = 1, before = asker->body_len;
    for (ssize_t went = 1; went > 0 && sent < WHOLE;) {
        went = send(fd, piece, sizeof(piece) < WHOLE - sent ? sizeof(piece) : WHOLE - sent, MSG_NOSIGNAL);
        sent += went > 0 ? (size_t)went : 0;
        turn(world);
    }
    assert_int_equal(asker->body_len, before);
    asker->pauses = false;
    upstream_resume(asker->upstream);
    for (int i = 0; i < 20000 && !(asker->told & TOLD_END); i++) {
        ssize_t went = sent < WHOLE
                           ? send(fd, piece, sizeof(piece) < WHOLE - sent ? sizeof(piece) : WHOLE - sent, 0)
                           : 0;
        sent += went > 0 ? (size_t)went : 0;
        turn(world);
    }
    assert_true(asker->told & TOLD_END);
    assert_int_equal(asker->body_len, WHOLE);
    close(fd);
    asker_free(asker);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_connect_is_told_with_its_error),
        cmocka_unit_test(an_end_before_the_answer_is_closed),
        cmocka_unit_test(an_end_within_the_answer_is_a_cut),
        cmocka_unit_test(a_reset_does_not_end_a_body_without_length),
        cmocka_unit_test(what_cannot_be_read_is_a_bad_answer),
        cmocka_unit_test(a_head_beyond_the_limits_is_a_bad_answer),
        cmocka_unit_test(what_follows_an_answer_ends_the_connection),
        cmocka_unit_test(a_connection_that_ends_is_not_kept),
        cmocka_unit_test(a_clean_connection_is_kept),
        cmocka_unit_test(an_answer_to_head_has_no_body),
        cmocka_unit_test(interim_answers_come_first),
        cmocka_unit_test(trailers_come_with_the_end),
        cmocka_unit_test(an_answer_may_come_byte_by_byte),
        cmocka_unit_test(an_owner_may_close_in_any_event),
        cmocka_unit_test(a_paused_answer_stands_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
