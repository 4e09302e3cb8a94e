#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/test_h1_transcript.h"

struct refused {
    unsigned status;
    const char *bytes;
    size_t len;
};

#define R(status, bytes)                                                                                     \
    {                                                                                                        \
        status, bytes, sizeof(bytes) - 1                                                                     \
    }

#define GET     "GET / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
#define X10     "xxxxxxxxxx"
#define X50     X10 X10 X10 X10 X10

static const char *last_line(const char *transcript)
{
    const char *last = transcript;
    for (const char *at = transcript; *at; at++)
        if (*at == '\n' && at[1])
            last = at + 1;
    return last;
}

static void refuses_cut(const struct refused *refused, const struct http_limits *limits, size_t cut,
                        const char *whole)
{
    struct h1_way way = {.kind = H1_REQUESTS, .limits = *limits};
    struct h1_transcript transcript = h1_transcribe(&way, slice_make(refused->bytes, refused->len), cut);
    char expected[32];
    snprintf(expected, sizeof(expected), "INVALID %u\n", refused->status);
    if (strcmp(last_line(transcript.text), expected) != 0)
        fail_msg("%s\ngave %s(%s), not %s", refused->bytes, transcript.text,
                 transcript.error.text ? transcript.error.text : "no error", expected);
    assert_true(transcript.error.text[0] != '\0');
    if (whole)
        assert_string_equal(transcript.text, whole);
    free(transcript.text);
}

static void refuses_by(const struct refused *table, size_t count, const struct http_limits *limits)
{
    struct h1_way way = {.kind = H1_REQUESTS, .limits = *limits};
    for (size_t i = 0; i < count; i++) {
        struct h1_transcript whole = h1_transcribe(&way, slice_make(table[i].bytes, table[i].len), 0);
        for (size_t cut = 0; cut < 12; cut++)
            refuses_cut(&table[i], limits, cut, whole.text);
        free(whole.text);
    }
}

#define REFUSES(table) refuses_by(table, sizeof(table) / sizeof((table)[0]), &H1_LIMITS)

static void a_method_is_a_known_token_and_one_blank(void **state)
{
    (void)state;
    static const struct refused table[] = {
        R(501, "FOO / HTTP/1.1\r\n\r\n"),
        R(501, "get / HTTP/1.1\r\n\r\n"),
        R(501, "GE / HTTP/1.1\r\n\r\n"),
        R(501, "GETX / HTTP/1.1\r\n\r\n"),
        R(501, "F!#$ / HTTP/1.1\r\n\r\n"),
        R(501, "FOO / HTTP/1.1\nA: b\r\n\r\n"),
        R(501, "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
        R(501, "DESCRIBE / HTTP/1.1\r\n\r\n"),
        R(501, X50 " / HTTP/1.1\r\n\r\n"),
        R(501, X50 X50 X50),
        R(400, "F@O / HTTP/1.1\r\n\r\n"),
        R(400, "GET@ / HTTP/1.1\r\n\r\n"),
        R(400, "GET\t/ HTTP/1.1\r\n\r\n"),
        R(400, "GET\r\n\r\n"),
        R(400, "GET\n"),
        R(400, "G\0T / HTTP/1.1\r\n\r\n"),
        R(400, " GET / HTTP/1.1\r\n\r\n"),
        R(400, "\tGET / HTTP/1.1\r\n\r\n"),
        R(400, "\x16\x03\x01\x02"),
        R(400, "\xc3\xa4 / HTTP/1.1\r\n\r\n"),
        R(400, "GET/ HTTP/1.1\r\n\r\n"),
        R(400, "FOO"
               "\r\n\r\n"),
    };
    REFUSES(table);
}

static void only_one_or_two_crlf_may_come_first(void **state)
{
    (void)state;
    static const struct refused table[] = {
        R(400, "\r\n\r\n\r\n" GET "\r\n"), R(400, "\n" GET "\r\n"),
        R(400, "\r" GET "\r\n"),           R(400, "\r\r\n" GET "\r\n"),
        R(400, "\r\n\n" GET "\r\n"),       R(400, "\r\n GET / HTTP/1.1\r\n\r\n"),
        R(400, GET "\r\n\n" GET "\r\n"),   R(400, GET "\r\n\r\n\r\n\r\n"),
    };
    REFUSES(table);
}

static void a_target_is_of_visible_characters_between_single_blanks(void **state)
{
    (void)state;
    static const struct refused table[] = {
        R(400, "GET  / HTTP/1.1\r\n\r\n"),       R(400, "GET /  HTTP/1.1\r\n\r\n"),
        R(400, "GET / a HTTP/1.1\r\n\r\n"),      R(400, "GET /\tHTTP/1.1\r\n\r\n"),
        R(400, "GET /a\tb HTTP/1.1\r\n\r\n"),    R(400, "GET /a\0b HTTP/1.1\r\n\r\n"),
        R(400, "GET /a\x01 HTTP/1.1\r\n\r\n"),   R(400, "GET /a\x7f HTTP/1.1\r\n\r\n"),
        R(400, "GET /a\f HTTP/1.1\r\n\r\n"),     R(400, "GET /\xc3\xa4 HTTP/1.1\r\n\r\n"),
        R(400, "GET /a\rb HTTP/1.1\r\n\r\n"),    R(400, "GET /a\nb HTTP/1.1\r\n\r\n"),
        R(400, "GET HTTP/1.1\r\n\r\n"),          R(400, "GET a HTTP/1.1\r\n\r\n"),
        R(400, "GET /a\r\n b HTTP/1.1\r\n\r\n"),
    };
    REFUSES(table);
}

static void another_version_is_505_and_none_is_400(void **state)
{
    (void)state;
    static const struct refused table[] = {
        R(505, "GET / HTTP/0.9\r\n\r\n"),
        R(505, "GET / HTTP/1.2\r\n\r\n"),
        R(505, "GET / HTTP/1.9\r\n\r\n"),
        R(505, "GET / HTTP/2.0\r\n\r\n"),
        R(505, "GET / HTTP/3.0\r\n\r\n"),
        R(505, "GET / HTTP/0.1\r\n\r\n"),
        R(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        R(400, "PRI / HTTP/1.1\r\n\r\n"),
        R(505, "PRI / HTTP/1.1\r\nHost: a\r\n\r\n"),
        R(400, "GET /\r\n\r\n"),
        R(400, "GET /\r\nHost: a\r\n\r\n"),
        R(400, "GET / \r\n\r\n"),
        R(400, "GET / http/1.1\r\n\r\n"),
        R(400, "GET / Http/1.1\r\n\r\n"),
        R(400, "GET / HTTP/1\r\n\r\n"),
        R(400, "GET / HTTP/11\r\n\r\n"),
        R(400, "GET / HTTP/1.10\r\n\r\n"),
        R(400, "GET / HTTP/01.1\r\n\r\n"),
        R(400, "GET / HTTP/3\r\n\r\n"),
        R(400, "GET / HTTP/2\r\n\r\n"),
        R(400, "GET / HTTP/a.b\r\n\r\n"),
        R(400, "GET / HTTP/1.1x\r\n\r\n"),
        R(400, "GET / HTTP/1.1 \r\n\r\n"),
        R(400, "GET / HTTP/1.2 \r\n\r\n"),
        R(400, "GET / HTTP/1,1\r\n\r\n"),
        R(400, "GET / HTTP /1.1\r\n\r\n"),
        R(400, "GET / XTTP/1.1\r\n\r\n"),
        R(400, "DESCRIBE / RTSP/1.0\r\n\r\n"),
        R(400, "SOURCE / ICE/1.0\r\n\r\n"),
        R(400, "GET / HTTP/1.1\n\n"),
        R(400, "GET / HTTP/1.1\nHost: a\r\n\r\n"),
        R(400, "GET / HTTP/1.1\rHost: a\r\n\r\n"),
        R(400, "GET / HTTP/1.1\r\r\n\r\n"),
    };
    REFUSES(table);
}

static void a_field_is_a_token_a_colon_and_a_value_on_one_line(void **state)
{
    (void)state;
    static const struct refused table[] = {
        R(400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
        R(400, "GET / HTTP/1.1\r\n\tHost: a\r\n\r\n"),
        R(400, GET "A : b\r\n\r\n"),
        R(400, GET "A\t: b\r\n\r\n"),
        R(400, GET "A b: c\r\n\r\n"),
        R(400, GET "A\r\n\r\n"),
        R(400, GET ": b\r\n\r\n"),
        R(400, GET "A@: b\r\n\r\n"),
        R(400, GET "A(c): b\r\n\r\n"),
        R(400, GET "\"A\": b\r\n\r\n"),
        R(400, GET "\xc3\xa4: b\r\n\r\n"),
        R(400, GET "A\0: b\r\n\r\n"),
        R(400, GET "A\x7f: b\r\n\r\n"),
        R(400, GET "A: b\r\n c\r\n\r\n"),
        R(400, GET "A: b\r\n\tc\r\n\r\n"),
        R(400, GET "A: b\r\n \r\n\r\n"),
        R(400, GET "A:\r\n b\r\n\r\n"),
        R(400, GET " \r\n\r\n"),
        R(400, GET "A: b\n\r\n"),
        R(400, GET "A: b\nC: d\r\n\r\n"),
        R(400, GET "A: b\r\n\n"),
        R(400, GET "\n"),
        R(400, GET "\rGET"),
        R(400, GET "A: b\rC: d\r\n\r\n"),
        R(400, GET "A: b\r\r\n\r\n"),
        R(400, GET "A: b\0c\r\n\r\n"),
        R(400, GET "A: b\x01\r\n\r\n"),
        R(400, GET "A: 12345678\x1f"
                   "2345678\r\n\r\n"),
        R(400, GET "A: 1\t345678\x7f"
                   "\r\n\r\n"),
        R(400, GET "A: b\x0b"
                   "c\r\n\r\n"),
        R(400, GET "A:\x0c"
                   "b\r\n\r\n"),
        R(400, GET "A: \x1b[2J\r\n\r\n"),
        R(400, GET "Connection: close\0\r\n\r\n"),
        R(400, GET "Connection: keep-alive\x01\r\n\r\n"),
        R(400, GET "Connection: upgrade\n\r\n"),
        R(400, GET "Upgrade: a\0\r\n\r\n"),
    };
    REFUSES(table);
}

static void one_host_is_enough(void **state)
{
    (void)state;
    static const struct refused table[] = {
        R(400, GET "Host: b\r\n\r\n"),
        R(400, GET "host: a\r\n\r\n"),
        R(400, GET "X: y\r\nHOST:\r\n\r\n"),
    };
    REFUSES(table);
}

static void a_length_is_one_number(void **state)
{
    (void)state;
    static const struct refused table[] = {
        R(400, GET "Content-Length: 1\r\nContent-Length: 1\r\n\r\na"),
        R(400, GET "Content-Length: 1\r\nContent-Length: 2\r\n\r\na"),
        R(400, GET "Content-Length: 0\r\nContent-Length: 0\r\n\r\n"),
        R(400, GET "Content-Length: 1, 1\r\n\r\na"),
        R(400, GET "Content-Length: 5,5\r\n\r\naaaaa"),
        R(400, GET "Content-Length:\r\n\r\n"),
        R(400, GET "Content-Length:   \r\n\r\n"),
        R(400, GET "Content-Length: +1\r\n\r\na"),
        R(400, GET "Content-Length: -1\r\n\r\na"),
        R(400, GET "Content-Length: 0x1\r\n\r\na"),
        R(400, GET "Content-Length: a\r\n\r\naaaaaaaaaa"),
        R(400, GET "Content-Length: 1 1\r\n\r\na"),
        R(400, GET "Content-Length: 1\t1\r\n\r\na"),
        R(400, GET "Content-Length: 1.0\r\n\r\na"),
        R(400, GET "Content-Length: 1;a\r\n\r\na"),
        R(400, GET "Content-Length: \"1\"\r\n\r\na"),
        R(400, GET "Content-Length: 9223372036854775808\r\n\r\na"),
        R(400, GET "Content-Length: 18446744073709551615\r\n\r\na"),
        R(400, GET "Content-Length: 18446744073709551617\r\n\r\na"),
        R(400, GET "Content-Length: 100000000000000000000000000000001\r\n\r\na"),
        R(400, GET "Content-Length: 1\r\n 0\r\n\r\na"),
        R(400, GET "Content-Length : 1\r\n\r\na"),
        R(400, GET "Content_Length: 1\r\n\r\na"),
        R(400, GET "content.length: 1\r\n\r\na"),
        R(400, GET "Content-Length: 1\r\nContent_Length: 1\r\n\r\na"),
    };
    REFUSES(table);
}

static void a_coding_is_chunked_alone(void **state)
{
    (void)state;
    static const struct refused table[] = {
        R(400, GET "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        R(400, GET "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        R(400, GET "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n"),
        R(400, GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        R(400, GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
        R(501, GET "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        R(400, GET "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        R(400, GET "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        R(400, GET "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
        R(400, GET "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n"),
        R(400, GET "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n"),
        R(400, GET "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
        R(400, GET "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"),
        R(400, GET "Transfer-Encoding: chunked chunked\r\n\r\n0\r\n\r\n"),
        R(400, GET "Transfer-Encoding:\r\n\r\n0\r\n\r\n"),
        R(400, GET "Transfer-Encoding:\x0b"
                   "chunked\r\n\r\n0\r\n\r\n"),
        R(400, GET "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
        R(400, GET "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        R(501, GET "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n"),
        R(501, GET "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
        R(501, GET "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        R(501, GET "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n"),
        R(400, GET "Transfer_Encoding: chunked\r\n\r\n0\r\n\r\n"),
        R(400, GET "Transfer.Encoding: chunked\r\n\r\n0\r\n\r\n"),
        R(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    };
    REFUSES(table);
}

static void a_chunk_has_a_plain_size_and_ends_where_it_says(void **state)
{
    (void)state;
    static const struct refused table[] = {
        R(400, CHUNKED "\r\n\r\n"),
        R(400, CHUNKED ";a\r\n\r\n"),
        R(400, CHUNKED "+1\r\na\r\n0\r\n\r\n"),
        R(400, CHUNKED "-1\r\na\r\n0\r\n\r\n"),
        R(400, CHUNKED "0x1\r\na\r\n0\r\n\r\n"),
        R(400, CHUNKED "1h\r\na\r\n0\r\n\r\n"),
        R(400, CHUNKED " 1\r\na\r\n0\r\n\r\n"),
        R(400, CHUNKED "1 \r\na\r\n0\r\n\r\n"),
        R(400, CHUNKED "1\t\r\na\r\n0\r\n\r\n"),
        R(400, CHUNKED "1 ;a\r\na\r\n0\r\n\r\n"),
        R(400, CHUNKED "1,1\r\na\r\n0\r\n\r\n"),
        R(400, CHUNKED "00000000000000001\r\na\r\n0\r\n\r\n"),
        R(400, CHUNKED "8000000000000000\r\na"),
        R(400, CHUNKED "ffffffffffffffff\r\na"),
        R(400, CHUNKED "10000000000000001\r\na\r\n0\r\n\r\n"),
        R(400, CHUNKED "1\na\r\n0\r\n\r\n"),
        R(400, CHUNKED "1\ra\r\n0\r\n\r\n"),
        R(400, CHUNKED "1\r\na\n0\r\n\r\n"),
        R(400, CHUNKED "1\r\na\r0\r\n\r\n"),
        R(400, CHUNKED "1\r\nab\r\n0\r\n\r\n"),
        R(400, CHUNKED "2\r\na\r\n0\r\n\r\n"),
        R(400, CHUNKED "1\r\na0\r\n\r\n"),
        R(400, CHUNKED "1;a\0\r\na\r\n0\r\n\r\n"),
        R(400, CHUNKED "1;a\x01\r\na\r\n0\r\n\r\n"),
        R(400, CHUNKED "1;a=\"\x7f\"\r\na\r\n0\r\n\r\n"),
        R(400, CHUNKED "1;a\n\r\na\r\n0\r\n\r\n"),
        R(400, CHUNKED "1;a=\"\r\n\"\r\na\r\n0\r\n\r\n"),
        R(400, CHUNKED "1;a\ra\r\n0\r\n\r\n"),
        R(400, CHUNKED "0\r\n\n"),
        R(400, CHUNKED "0\n\r\n"),
        R(400, CHUNKED "0\r\n\rGET"),
    };
    REFUSES(table);
}

static void trailers_are_fields_and_frame_nothing(void **state)
{
    (void)state;
    static const struct refused table[] = {
        R(400, CHUNKED "0\r\nContent-Length: 1\r\n\r\n"),
        R(400, CHUNKED "0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        R(400, CHUNKED "0\r\ncontent_length: 1\r\n\r\n"),
        R(400, CHUNKED "0\r\ntransfer.encoding: x\r\n\r\n"),
        R(400, CHUNKED "0\r\nA : b\r\n\r\n"),
        R(400, CHUNKED "0\r\n A: b\r\n\r\n"),
        R(400, CHUNKED "0\r\nA: b\r\n c\r\n\r\n"),
        R(400, CHUNKED "0\r\nA: b\nC: d\r\n\r\n"),
        R(400, CHUNKED "0\r\nA: b\0\r\n\r\n"),
        R(400, CHUNKED "0\r\nA\r\n\r\n"),
        R(400, CHUNKED "0\r\nGET / HTTP/1.1\r\nA: b\r\n\r\n"),
    };
    REFUSES(table);
}

/* ---- limits ---- */

static const struct http_limits narrow = {.header_bytes = 60, .header_count = 3, .uri_bytes = 20};

static void what_is_too_long_is_cut_off_while_it_comes(void **state)
{
    (void)state;
    static const struct refused table[] = {
        R(414, "GET /" X10 X10),
        R(414, "GET /" X10 X10 " HTTP/1.1\r\n\r\n"),
        R(414, "GET /" X50 "\x01"),
        R(431, "GET / HTTP/1.1\r\n" X50),
        R(431, "GET / HTTP/1.1\r\n" X50 ": x\r\n\r\n"),
        R(431, "GET / HTTP/1.1\r\na: " X50),
        R(431, "GET / HTTP/1.1\r\na: " X50 "\x01"),
        R(431, "GET / HTTP/1.1\r\na:" X10 X10 X10 X10 "\r\nb:c\r\n\r\n"),
        R(431, "GET / HTTP/1.1\r\na:                                             b\r\n\r\n"),
        R(431, "GET / HTTP/1.1\r\na:\r\nb:\r\nc:\r\nd:\r\n\r\n"),
        R(431, "GET / HTTP/1.1\r\na:\r\nb:\r\nc:\r\nd"),
    };
    refuses_by(table, sizeof(table) / sizeof(table[0]), &narrow);
}

static void a_target_that_fills_the_head_is_a_target_too_long(void **state)
{
    (void)state;
    static const struct http_limits limits = {.header_bytes = 20, .header_count = 3, .uri_bytes = 1000};
    static const struct refused table[] = {R(414, "GET /" X50)};
    refuses_by(table, 1, &limits);
}

static void what_was_wrong_before_the_limit_is_refused_for_that(void **state)
{
    (void)state;
    static const struct refused table[] = {
        R(501, "FOO /" X50),
        R(400, "GET / HTTP/1.1\r\na:\x01" X50),
    };
    refuses_by(table, sizeof(table) / sizeof(table[0]), &narrow);
}

static void chunk_extensions_of_all_chunks_count_together(void **state)
{
    (void)state;
    static const struct refused table[] = {
        R(431, CHUNKED "1;" X50 X10 "x"),
        R(431, CHUNKED "1;a=" X50 X50 "\r\na\r\n0\r\n\r\n"),
        R(431, CHUNKED "1;a=" X10 X10 X10 "\r\na\r\n1;a=" X10 X10 X10 "\r\na\r\n0\r\n\r\n"),
        R(431, CHUNKED "1;a=\"" X50 X10 X10),
    };
    refuses_by(table, sizeof(table) / sizeof(table[0]), &narrow);
}

static void trailers_have_the_limits_of_heads(void **state)
{
    (void)state;
    static const struct refused table[] = {
        R(431, CHUNKED "0\r\n" X50 X10 X10),
        R(431, CHUNKED "0\r\na: " X50 X10),
        R(431, CHUNKED "0\r\na:\r\nb:\r\nc:\r\nd:\r\n\r\n"),
    };
    refuses_by(table, sizeof(table) / sizeof(table[0]), &narrow);
}

static void a_name_longer_than_heads_can_hold_is_refused_whatever_the_limits(void **state)
{
    (void)state;
    static char bytes[70100];
    static const struct http_limits wide = {.header_bytes = 1 << 20, .header_count = 9, .uri_bytes = 9};
    int first = snprintf(bytes, sizeof(bytes), "GET / HTTP/1.1\r\n");
    memset(bytes + first, 'a', 70000);
    struct h1_way way = {.kind = H1_REQUESTS, .limits = wide};
    for (size_t cut = 0; cut < 4; cut++) {
        struct h1_transcript transcript = h1_transcribe(&way, slice_of(bytes), cut * 1000);
        assert_string_equal(transcript.text, "INVALID 431\n");
        free(transcript.text);
    }
}

static void nothing_is_read_after_a_refusal(void **state)
{
    (void)state;
    struct h1_decoder *decoder = h1_decoder_new(H1_REQUESTS, &H1_LIMITS);
    struct http_head head;
    http_head_init(&head);
    struct slice bad = SLICE_LITERAL("@"), good = SLICE_LITERAL("GET / HTTP/1.1\r\n\r\n"), none = {"", 0};
    assert_int_equal(h1_decode(decoder, &bad, &head).event, H1_INVALID);
    assert_int_equal(h1_decode(decoder, &good, &head).event, H1_INVALID);
    assert_int_equal(h1_decode(decoder, &none, &head).event, H1_INVALID);
    assert_int_equal(h1_decoder_eof(decoder), H1_INVALID);
    http_head_free(&head);
    h1_decoder_free(decoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_method_is_a_known_token_and_one_blank),
        cmocka_unit_test(only_one_or_two_crlf_may_come_first),
        cmocka_unit_test(a_target_is_of_visible_characters_between_single_blanks),
        cmocka_unit_test(another_version_is_505_and_none_is_400),
        cmocka_unit_test(a_field_is_a_token_a_colon_and_a_value_on_one_line),
        cmocka_unit_test(one_host_is_enough),
        cmocka_unit_test(a_length_is_one_number),
        cmocka_unit_test(a_coding_is_chunked_alone),
        cmocka_unit_test(a_chunk_has_a_plain_size_and_ends_where_it_says),
        cmocka_unit_test(trailers_are_fields_and_frame_nothing),
        cmocka_unit_test(what_is_too_long_is_cut_off_while_it_comes),
        cmocka_unit_test(a_target_that_fills_the_head_is_a_target_too_long),
        cmocka_unit_test(what_was_wrong_before_the_limit_is_refused_for_that),
        cmocka_unit_test(chunk_extensions_of_all_chunks_count_together),
        cmocka_unit_test(trailers_have_the_limits_of_heads),
        cmocka_unit_test(a_name_longer_than_heads_can_hold_is_refused_whatever_the_limits),
        cmocka_unit_test(nothing_is_read_after_a_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
