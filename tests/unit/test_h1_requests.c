#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/test_h1_transcript.h"

static const struct h1_way requests = {.kind = H1_REQUESTS, .limits = {4096, 20, 1024}};

/* The same however the bytes are cut. */
static void reads_by(const struct h1_way *way, const char *bytes, const char *expected)
{
    for (size_t cut = 0; cut < 20; cut++) {
        struct h1_transcript transcript = h1_transcribe(way, slice_of(bytes), cut);
        assert_string_equal(transcript.text, expected);
        free(transcript.text);
    }
}

static void reads(const char *bytes, const char *expected)
{
    reads_by(&requests, bytes, expected);
}

#define CHUNKED      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
#define CHUNKED_HEAD "HEAD POST / 1.1 keep chunked|host=a|transfer-encoding=chunked\n"

static void a_get_is_complete_with_its_head(void **state)
{
    (void)state;
    reads("GET /a?b=c HTTP/1.1\r\nHost: a.example\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n",
          "HEAD GET /a?b=c 1.1 keep ends|host=a.example|user-agent=x|accept=*/*\n");
}

static void names_come_in_lower_case_and_values_without_blanks_around(void **state)
{
    (void)state;
    reads("GET / HTTP/1.1\r\nX-A-LONG-NAME-IN-CAPITALS:\t v a\tl \t\r\nB:c\r\nEmpty:\r\nBlank:   \r\n\r\n",
          "HEAD GET / 1.1 keep ends|x-a-long-name-in-capitals=v a\tl|b=c|empty=|blank=\n");
}

static void bytes_over_127_stay_in_values(void **state)
{
    (void)state;
    reads("GET / HTTP/1.1\r\nA: \xc3\xa4\xff\r\n\r\n", "HEAD GET / 1.1 keep ends|a=\xc3\xa4\xff\n");
}

static void requests_follow_each_other(void **state)
{
    (void)state;
    reads("GET /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\r\nContent-Length: 2\r\n\r\nhiGET /3 HTTP/1.1\r\n\r\n",
          "HEAD GET /1 1.1 keep ends\nHEAD POST /2 1.1 keep length=2|content-length=2\nBODY hi\nEND\n"
          "HEAD GET /3 1.1 keep ends\n");
}

static void a_crlf_or_two_before_a_request_are_skipped(void **state)
{
    (void)state;
    reads("\r\nGET / HTTP/1.1\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n",
          "HEAD GET / 1.1 keep ends\nHEAD GET / 1.1 keep ends\n");
}

static void a_body_has_its_length(void **state)
{
    (void)state;
    reads("PUT / HTTP/1.1\r\nContent-Length: 0012 \r\n\r\nabc\r\n\r\nx",
          "HEAD PUT / 1.1 keep length=12|content-length=0012\nBODY abc\r\n\r\nx\nMORE\n");
    reads("PUT / HTTP/1.1\r\nContent-Length: 10\r\n\r\n0\r\n\r\nGET /",
          "HEAD PUT / 1.1 keep length=10|content-length=10\nBODY 0\r\n\r\nGET /\nEND\n");
}

static void a_body_of_length_0_is_none(void **state)
{
    (void)state;
    reads("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
          "HEAD POST / 1.1 keep length=0 ends|content-length=0\n");
}

static void a_get_may_have_a_body(void **state)
{
    (void)state;
    reads("GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx",
          "HEAD GET / 1.1 keep length=1|content-length=1\nBODY x\nEND\n");
}

static void the_greatest_length_is_that_of_a_signed_number(void **state)
{
    (void)state;
    reads(
        "PUT / HTTP/1.1\r\nContent-Length: 9223372036854775807\r\n\r\nx",
        "HEAD PUT / 1.1 keep length=9223372036854775807|content-length=9223372036854775807\nBODY x\nMORE\n");
}

static void chunks_are_joined(void **state)
{
    (void)state;
    reads(CHUNKED "3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n", CHUNKED_HEAD "BODY abc0123456789\nEND\n");
}

static void a_chunked_body_may_be_empty(void **state)
{
    (void)state;
    reads(CHUNKED "0\r\n\r\nGET / HTTP/1.1\r\n\r\n", CHUNKED_HEAD "END\nHEAD GET / 1.1 keep ends\n");
}

static void case_does_not_count_in_chunked(void **state)
{
    (void)state;
    reads("POST / HTTP/1.1\r\nTRANSFER-ENCODING: Chunked \r\n\r\n0\r\n\r\n",
          "HEAD POST / 1.1 keep chunked|transfer-encoding=Chunked\nEND\n");
}

static void chunk_extensions_are_dropped(void **state)
{
    (void)state;
    reads(CHUNKED "3;a=b;c=\"d e\"\r\nabc\r\n0;last\r\n\r\n", CHUNKED_HEAD "BODY abc\nEND\n");
}

static void sixteen_digits_are_a_chunk_size(void **state)
{
    (void)state;
    reads(CHUNKED "0000000000000001\r\na\r\n0000000000000000\r\n\r\n", CHUNKED_HEAD "BODY a\nEND\n");
}

static void trailers_come_with_the_end(void **state)
{
    (void)state;
    reads(CHUNKED "1\r\na\r\n0\r\nX-Sum: 12\r\nServer-Timing: x\r\n\r\n",
          CHUNKED_HEAD "BODY a\nEND|x-sum=12|server-timing=x\n");
}

static void trailers_that_must_come_before_the_body_are_dropped(void **state)
{
    (void)state;
    reads(CHUNKED "0\r\nHost: b\r\nX-Sum: 1\r\nAuthorization: x\r\nX_SSL_Client_DN: y\r\nCookie: z\r\n\r\n",
          CHUNKED_HEAD "END|x-sum=1\n");
}

static void trailers_nobody_wants_are_dropped(void **state)
{
    (void)state;
    struct h1_way way = requests;
    way.no_trailers = true;
    reads_by(&way, CHUNKED "1\r\na\r\n0\r\nX-Sum: 12\r\n\r\nGET / HTTP/1.1\r\n\r\n",
             CHUNKED_HEAD "BODY a\nEND\nHEAD GET / 1.1 keep ends\n");
}

static void a_framing_trailer_is_refused_though_nobody_wants_trailers(void **state)
{
    (void)state;
    struct h1_way way = requests;
    way.no_trailers = true;
    reads_by(&way, CHUNKED "0\r\nTransfer_Encoding: chunked\r\n\r\n", CHUNKED_HEAD "INVALID 400\n");
}

static void http_1_1_is_kept_alive_unless_it_says_close(void **state)
{
    (void)state;
    reads("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "HEAD GET / 1.1 ends|connection=close\n");
    reads("GET / HTTP/1.1\r\nConnection: x\r\nConnection: keep-alive, CLOSE\r\n\r\n",
          "HEAD GET / 1.1 ends|connection=x|connection=keep-alive, CLOSE\n");
    reads("GET / HTTP/1.1\r\nConnection: closed\r\n\r\n", "HEAD GET / 1.1 keep ends|connection=closed\n");
}

static void http_1_0_is_not_kept_alive_unless_it_says_so(void **state)
{
    (void)state;
    reads("GET / HTTP/1.0\r\n\r\n", "HEAD GET / 1.0 ends\n");
    reads("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
          "HEAD GET / 1.0 keep ends|connection=Keep-Alive\n");
    reads("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
          "HEAD GET / 1.0 ends|connection=keep-alive, close\n");
}

static void a_request_after_one_that_closes_is_read_all_the_same(void **state)
{
    (void)state;
    reads("GET / HTTP/1.1\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\n\r\n",
          "HEAD GET / 1.1 ends|connection=close\nHEAD GET /2 1.1 keep ends\n");
}

static void upgrade_needs_both_fields(void **state)
{
    (void)state;
    reads("GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
          "HEAD GET / 1.1 keep upgrade ends|connection=Upgrade|upgrade=websocket\n");
    reads("GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", "HEAD GET / 1.1 keep ends|upgrade=websocket\n");
    reads("GET / HTTP/1.1\r\nConnection: upgrade\r\n\r\n", "HEAD GET / 1.1 keep ends|connection=upgrade\n");
}

static void nobody_upgrades_to_what_hides_requests(void **state)
{
    (void)state;
    reads("GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
          "HEAD GET / 1.1 keep ends|connection=upgrade|upgrade=h2c\n");
    reads("GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket, H2C\r\n\r\n",
          "HEAD GET / 1.1 keep ends|connection=upgrade|upgrade=websocket, H2C\n");
    reads("GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: HTTP/2.0\r\n\r\n",
          "HEAD GET / 1.1 keep ends|connection=upgrade|upgrade=HTTP/2.0\n");
    reads("GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\nUpgrade: TLS/1.3\r\n\r\n",
          "HEAD GET / 1.1 keep ends|connection=upgrade|upgrade=x|upgrade=TLS/1.3\n");
}

static void http_1_0_cannot_upgrade(void **state)
{
    (void)state;
    reads("GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
          "HEAD GET / 1.0 ends|connection=Upgrade|upgrade=websocket\n");
}

static void a_request_that_upgrades_has_its_body(void **state)
{
    (void)state;
    reads("POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: y\r\nContent-Length: 3\r\n\r\nabc",
          "HEAD POST / 1.1 keep upgrade length=3|connection=upgrade|upgrade=y|content-length=3\nBODY "
          "abc\nEND\n");
    reads("POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\nTransfer-Encoding: "
          "chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
          "HEAD POST / 1.1 keep upgrade chunked|connection=upgrade|upgrade=x|transfer-encoding=chunked\n"
          "BODY a\nEND\n");
}

static void targets_stay_as_sent(void **state)
{
    (void)state;
    reads("GET http://a.example:80/../x?y HTTP/1.1\r\nHost: b\r\n\r\n",
          "HEAD GET http://a.example:80/../x?y 1.1 keep ends|host=b\n");
    reads("OPTIONS * HTTP/1.1\r\n\r\n", "HEAD OPTIONS * 1.1 keep ends\n");
}

static void methods_beyond_the_common_ones_are_read(void **state)
{
    (void)state;
    reads("M-SEARCH /a HTTP/1.1\r\n\r\n", "HEAD M-SEARCH /a 1.1 keep ends\n");
    reads("PROPFIND /a HTTP/1.1\r\n\r\n", "HEAD PROPFIND /a 1.1 keep ends\n");
}

static void limits_allow_what_they_say(void **state)
{
    (void)state;
    /* 19 bytes for the first line, 6 and 5 for the fields, with their line ends. */
    struct h1_way way = {.kind = H1_REQUESTS, .limits = {30, 2, 4}};
    reads_by(&way, "GET /abc HTTP/1.1\r\na: 1\r\nb: \r\n\r\n", "HEAD GET /abc 1.1 keep ends|a=1|b=\n");
    way.limits.header_bytes = 29;
    reads_by(&way, "GET /abc HTTP/1.1\r\na: 1\r\nb: \r\n\r\n", "INVALID 431\n");
}

static void each_request_has_the_limits_of_its_own(void **state)
{
    (void)state;
    struct h1_way way = {.kind = H1_REQUESTS, .limits = {40, 2, 4}};
    reads_by(&way, "GET / HTTP/1.1\r\na: 1\r\nb: 2\r\n\r\nGET / HTTP/1.1\r\na: 1\r\nb: 2\r\n\r\n",
             "HEAD GET / 1.1 keep ends|a=1|b=2\nHEAD GET / 1.1 keep ends|a=1|b=2\n");
}

static void new_limits_hold_from_the_next_request(void **state)
{
    (void)state;
    struct h1_decoder *decoder = h1_decoder_new(H1_REQUESTS, &H1_LIMITS);
    struct http_limits narrow = {4096, 20, 1};
    struct http_head head;
    http_head_init(&head);
    struct slice in = SLICE_LITERAL("GET /abc HTTP/1.1\r\n\r\nGET /abc HTTP/1.1\r\n\r\n");
    assert_int_equal(h1_decode(decoder, &in, &head).event, H1_HEAD);
    h1_decoder_limit(decoder, &narrow);
    http_head_reset(&head);
    assert_int_equal(h1_decode(decoder, &in, &head).event, H1_INVALID);
    assert_int_equal(h1_decoder_error(decoder).status, 414);
    http_head_free(&head);
    h1_decoder_free(decoder);
}

static void a_decoder_is_idle_between_requests_only(void **state)
{
    (void)state;
    struct h1_decoder *decoder = h1_decoder_new(H1_REQUESTS, &H1_LIMITS);
    struct http_head head;
    http_head_init(&head);
    const char bytes[] = "\r\nGET / HTTP/1.1\r\n\r\n";
    for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
        assert_int_equal(h1_decoder_idle(decoder), i <= 2);
        struct slice in = slice_make(bytes + i, 1);
        h1_decode(decoder, &in, &head);
    }
    assert_true(h1_decoder_idle(decoder));
    assert_int_equal(h1_decoder_eof(decoder), H1_MORE);
    http_head_free(&head);
    h1_decoder_free(decoder);
}

static void a_request_that_is_cut_short_is_invalid(void **state)
{
    (void)state;
    struct h1_way way = requests;
    way.eof = true;
    reads_by(&way, "GET / HTTP/1.1\r\nHos", "INVALID 400\n");
    reads_by(&way, "GET / HTTP/1.1\r\nContent-Length: 2\r\n\r\na",
             "HEAD GET / 1.1 keep length=2|content-length=2\nBODY a\nINVALID 400\n");
    reads_by(&way, CHUNKED "1\r\na\r\n0\r\n", CHUNKED_HEAD "BODY a\nINVALID 400\n");
    reads_by(&way, "GET / HTTP/1.1\r\n\r\n", "HEAD GET / 1.1 keep ends\n");
}

static void bodies_point_into_the_bytes_given(void **state)
{
    (void)state;
    struct h1_decoder *decoder = h1_decoder_new(H1_REQUESTS, &H1_LIMITS);
    struct http_head head;
    http_head_init(&head);
    const char bytes[] = "PUT / HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcdGET";
    struct slice in = slice_make(bytes, sizeof(bytes) - 1);
    assert_int_equal(h1_decode(decoder, &in, &head).event, H1_HEAD);
    struct h1_result body = h1_decode(decoder, &in, NULL);
    assert_ptr_equal(body.body.data, bytes + sizeof(bytes) - 1 - 7);
    assert_int_equal(body.body.len, 4);
    assert_int_equal(in.len, 3);
    http_head_free(&head);
    h1_decoder_free(decoder);
}

static void host_is_the_authority(void **state)
{
    (void)state;
    struct h1_decoder *decoder = h1_decoder_new(H1_REQUESTS, &H1_LIMITS);
    struct http_head head;
    http_head_init(&head);
    struct slice in = SLICE_LITERAL("HEAD / HTTP/1.1\r\nHost: a.Example:81 \r\n\r\n");
    assert_int_equal(h1_decode(decoder, &in, &head).event, H1_HEAD);
    assert_true(slice_is(head_text(&head, head.authority), "a.Example:81"));
    assert_int_equal(head.method, METHOD_HEAD);
    http_head_free(&head);
    h1_decoder_free(decoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_that_is_cut_short_is_invalid),
        cmocka_unit_test(a_framing_trailer_is_refused_though_nobody_wants_trailers),
        cmocka_unit_test(a_get_is_complete_with_its_head),
        cmocka_unit_test(names_come_in_lower_case_and_values_without_blanks_around),
        cmocka_unit_test(bytes_over_127_stay_in_values),
        cmocka_unit_test(requests_follow_each_other),
        cmocka_unit_test(a_crlf_or_two_before_a_request_are_skipped),
        cmocka_unit_test(a_body_has_its_length),
        cmocka_unit_test(a_body_of_length_0_is_none),
        cmocka_unit_test(a_get_may_have_a_body),
        cmocka_unit_test(the_greatest_length_is_that_of_a_signed_number),
        cmocka_unit_test(chunks_are_joined),
        cmocka_unit_test(a_chunked_body_may_be_empty),
        cmocka_unit_test(case_does_not_count_in_chunked),
        cmocka_unit_test(chunk_extensions_are_dropped),
        cmocka_unit_test(sixteen_digits_are_a_chunk_size),
        cmocka_unit_test(trailers_come_with_the_end),
        cmocka_unit_test(trailers_that_must_come_before_the_body_are_dropped),
        cmocka_unit_test(trailers_nobody_wants_are_dropped),
        cmocka_unit_test(http_1_1_is_kept_alive_unless_it_says_close),
        cmocka_unit_test(http_1_0_is_not_kept_alive_unless_it_says_so),
        cmocka_unit_test(a_request_after_one_that_closes_is_read_all_the_same),
        cmocka_unit_test(upgrade_needs_both_fields),
        cmocka_unit_test(nobody_upgrades_to_what_hides_requests),
        cmocka_unit_test(http_1_0_cannot_upgrade),
        cmocka_unit_test(a_request_that_upgrades_has_its_body),
        cmocka_unit_test(targets_stay_as_sent),
        cmocka_unit_test(methods_beyond_the_common_ones_are_read),
        cmocka_unit_test(limits_allow_what_they_say),
        cmocka_unit_test(each_request_has_the_limits_of_its_own),
        cmocka_unit_test(new_limits_hold_from_the_next_request),
        cmocka_unit_test(a_decoder_is_idle_between_requests_only),
        cmocka_unit_test(bodies_point_into_the_bytes_given),
        cmocka_unit_test(host_is_the_authority),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
