#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/test_h1_transcript.h"

static const struct h1_way responses = {.kind = H1_RESPONSES, .limits = {4096, 20, 1024}};

static void reads_by(const struct h1_way *way, struct slice bytes, const char *expected)
{
    for (size_t cut = 0; cut < 12; cut++) {
        struct h1_transcript transcript = h1_transcribe(way, bytes, cut);
        assert_string_equal(transcript.text, expected);
        free(transcript.text);
    }
}

static void reads(const char *bytes, const char *expected)
{
    reads_by(&responses, slice_of(bytes), expected);
}

static void reads_to_eof(const char *bytes, const char *expected)
{
    struct h1_way way = responses;
    way.eof = true;
    reads_by(&way, slice_of(bytes), expected);
}

#define INVALID "INVALID 400\n"
#define OK      "HTTP/1.1 200 OK\r\n"

static void framing_that_is_not_plain_is_refused(void **state)
{
    (void)state;
    reads(OK "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", INVALID);
    reads(OK "Content-Length: 1, 1\r\n\r\na", INVALID);
    reads(OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", INVALID);
    reads(OK "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n", INVALID);
    reads(OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", INVALID);
    reads(OK "Transfer-Encoding: gzip\r\n\r\nabc", "INVALID 501\n");
    reads(OK "Transfer-Encoding:\r\n\r\nabc", INVALID);
    reads(OK "Transfer_Encoding: chunked\r\n\r\n0\r\n\r\n", INVALID);
    reads("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", INVALID);
    reads("HTTP/1.1 204 No Content\r\nContent-Length: x\r\n\r\n", INVALID);
}

static void lines_that_are_not_plain_are_refused(void **state)
{
    (void)state;
    reads("HTTP/1.1 200 OK\nA: b\r\n\r\n", INVALID);
    reads("HTTP/1.1 200 OK\rA: b\r\n\r\n", INVALID);
    reads("HTTP/1.1 200 O\x01K\r\n\r\n", INVALID);
    reads("HTTP/1.1  200 OK\r\n\r\n", INVALID);
    reads("HTTP/1.1 20 OK\r\n\r\n", INVALID);
    reads("HTTP/1.1 2000 OK\r\n\r\n", INVALID);
    reads("HTTP/1.1 099 OK\r\n\r\n", INVALID);
    reads("HTTP/1.1 600 OK\r\n\r\n", INVALID);
    reads("HTTP/1.1\r\n\r\n", INVALID);
    reads("http/1.1 200 OK\r\n\r\n", INVALID);
    reads("HTTP/2.0 200 OK\r\n\r\n", "INVALID 505\n");
    reads("ICY 200 OK\r\n\r\n", INVALID);
    reads("\r\n" OK "\r\n", INVALID);
    reads(OK "A: b\r\n c\r\n\r\n", INVALID);
    reads(OK "A : b\r\n\r\n", INVALID);
    reads(OK "A: b\nC: d\r\n\r\n", INVALID);
    reads(OK " A: b\r\n\r\n", INVALID);
    reads_by(&responses, SLICE_LITERAL(OK "A: b\0\r\n\r\n"), INVALID);
}

static void a_bad_chunk_is_refused(void **state)
{
    (void)state;
    const char head[] = "HEAD 200 1.1 keep chunked|transfer-encoding=chunked\nINVALID 400\n";
    reads(OK "Transfer-Encoding: chunked\r\n\r\nx\r\n", head);
    reads(OK "Transfer-Encoding: chunked\r\n\r\n 1\r\na\r\n", head);
    reads(OK "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 1\r\n\r\n", head);
}

static void a_101_that_nobody_asked_for_is_refused(void **state)
{
    (void)state;
    reads("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", INVALID);
}

static void a_response_that_is_cut_short_is_invalid(void **state)
{
    (void)state;
    reads_to_eof("HTTP/1.1 200", INVALID);
    reads_to_eof(OK "Content-Length: 2\r\n\r\na",
                 "HEAD 200 1.1 keep length=2|content-length=2\nBODY a\nINVALID 400\n");
    reads_to_eof(OK "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
                 "HEAD 200 1.1 keep chunked|transfer-encoding=chunked\nBODY a\nINVALID 400\n");
}

static void limits_hold_for_responses(void **state)
{
    (void)state;
    struct h1_way way = {.kind = H1_RESPONSES, .limits = {30, 1, 1}};
    reads_by(&way, SLICE_LITERAL("HTTP/1.1 200 a very long phrase ...."), "INVALID 431\n");
    reads_by(&way, SLICE_LITERAL(OK "a:\r\nb:\r\n\r\n"), "INVALID 431\n");
}

static void a_body_with_a_length_ends_with_it(void **state)
{
    (void)state;
    reads(OK "Content-Length: 3\r\n\r\nabcHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
          "HEAD 200 1.1 keep length=3|content-length=3\nBODY abc\nEND\nHEAD 404 1.1 keep length=0 "
          "ends|content-length=0\n");
}

static void a_chunked_body_ends_with_its_trailers(void **state)
{
    (void)state;
    reads(
        OK
        "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nGrpc-Status: 0\r\nSet-Cookie: x\r\n\r\n",
        "HEAD 200 1.1 keep chunked|transfer-encoding=chunked\nBODY abc\nEND|grpc-status=0\n");
}

static void a_body_without_length_ends_with_the_connection(void **state)
{
    (void)state;
    reads(OK "A: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "HEAD 200 1.1|a=b\nBODY HTTP/1.1 200 OK\r\n\r\n\nMORE\n");
    reads_to_eof("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nab",
                 "HEAD 200 1.0|connection=keep-alive\nBODY ab\nEND\n");
    reads_to_eof(OK "\r\n", "HEAD 200 1.1\nEND\n");
}

static void a_reason_phrase_may_be_missing_or_of_any_text(void **state)
{
    (void)state;
    reads("HTTP/1.1 204\r\n\r\n", "HEAD 204 1.1 keep ends\n");
    reads("HTTP/1.1 204 \r\n\r\n", "HEAD 204 1.1 keep ends\n");
    reads("HTTP/1.1 204 a\tb \xff \r\n\r\n", "HEAD 204 1.1 keep ends\n");
}

static void a_204_and_a_304_have_no_body_whatever_they_say(void **state)
{
    (void)state;
    reads("HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\nHTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n\r\n",
          "HEAD 204 1.1 keep length=5 ends|content-length=5\nHEAD 304 1.1 keep chunked "
          "ends|transfer-encoding=chunked\n");
}

static void the_answer_to_head_has_no_body_whatever_it_says(void **state)
{
    (void)state;
    struct h1_way way = responses;
    way.head_request = true;
    reads_by(&way,
             SLICE_LITERAL(OK "Content-Length: 5\r\n\r\n" OK "Transfer-Encoding: chunked\r\n\r\n" OK "\r\n"),
             "HEAD 200 1.1 keep length=5 ends|content-length=5\n"
             "HEAD 200 1.1 keep chunked ends|transfer-encoding=chunked\nHEAD 200 1.1 keep ends\n");
}

static void interim_responses_are_heads_of_their_own(void **state)
{
    (void)state;
    reads("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK
          "Content-Length: 1\r\n\r\na",
          "HEAD 100 1.1 keep ends\nHEAD 103 1.1 keep ends|link=x\nHEAD 200 1.1 keep "
          "length=1|content-length=1\nBODY a\nEND\n");
}

static void what_is_expected_holds_for_the_head_after_an_interim_one(void **state)
{
    (void)state;
    struct h1_way way = responses;
    way.head_request = true;
    reads_by(&way, SLICE_LITERAL("HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 9\r\n\r\n"),
             "HEAD 100 1.1 keep ends\nHEAD 200 1.1 keep length=9 ends|content-length=9\n");
}

static struct h1_result first_event(struct h1_decoder *decoder, struct slice *in, struct http_head *head)
{
    http_head_reset(head);
    return h1_decode(decoder, in, head);
}

static void bytes_after_a_response_stay_where_they_are(void **state)
{
    (void)state;
    struct h1_decoder *decoder = h1_decoder_new(H1_RESPONSES, &H1_LIMITS);
    struct http_head head;
    http_head_init(&head);
    struct slice in = SLICE_LITERAL(OK "Content-Length: 0\r\n\r\nextra");
    assert_true(first_event(decoder, &in, &head).ends);
    assert_true(slice_is(in, "extra"));
    in = SLICE_LITERAL(OK "Content-Length: 1\r\n\r\naextra");
    assert_int_equal(first_event(decoder, &in, &head).event, H1_HEAD);
    assert_int_equal(h1_decode(decoder, &in, NULL).event, H1_BODY);
    assert_int_equal(h1_decode(decoder, &in, NULL).event, H1_END);
    assert_true(slice_is(in, "extra"));
    assert_true(h1_decoder_idle(decoder));
    http_head_free(&head);
    h1_decoder_free(decoder);
}

static void a_101_that_was_asked_for_leaves_what_follows_alone(void **state)
{
    (void)state;
    struct h1_decoder *decoder = h1_decoder_new(H1_RESPONSES, &H1_LIMITS);
    struct http_head head;
    http_head_init(&head);
    h1_decoder_expect(decoder, false, true);
    struct slice in =
        SLICE_LITERAL("HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n\x81\x05hello");
    assert_int_equal(first_event(decoder, &in, &head).event, H1_HEAD);
    assert_int_equal(head.status, 101);
    assert_true(slice_is(in, "\x81\x05hello"));
    http_head_free(&head);
    h1_decoder_free(decoder);
}

static void keep_alive_follows_version_and_connection(void **state)
{
    (void)state;
    reads("HTTP/1.0 204 x\r\n\r\n", "HEAD 204 1.0 ends\n");
    reads("HTTP/1.0 204 x\r\nConnection: keep-alive\r\n\r\n",
          "HEAD 204 1.0 keep ends|connection=keep-alive\n");
    reads("HTTP/1.1 204 x\r\nConnection: close\r\n\r\n", "HEAD 204 1.1 ends|connection=close\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(framing_that_is_not_plain_is_refused),
        cmocka_unit_test(lines_that_are_not_plain_are_refused),
        cmocka_unit_test(a_bad_chunk_is_refused),
        cmocka_unit_test(a_101_that_nobody_asked_for_is_refused),
        cmocka_unit_test(a_response_that_is_cut_short_is_invalid),
        cmocka_unit_test(limits_hold_for_responses),
        cmocka_unit_test(a_body_with_a_length_ends_with_it),
        cmocka_unit_test(a_chunked_body_ends_with_its_trailers),
        cmocka_unit_test(a_body_without_length_ends_with_the_connection),
        cmocka_unit_test(a_reason_phrase_may_be_missing_or_of_any_text),
        cmocka_unit_test(a_204_and_a_304_have_no_body_whatever_they_say),
        cmocka_unit_test(the_answer_to_head_has_no_body_whatever_it_says),
        cmocka_unit_test(interim_responses_are_heads_of_their_own),
        cmocka_unit_test(what_is_expected_holds_for_the_head_after_an_interim_one),
        cmocka_unit_test(bytes_after_a_response_stay_where_they_are),
        cmocka_unit_test(a_101_that_was_asked_for_leaves_what_follows_alone),
        cmocka_unit_test(keep_alive_follows_version_and_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
