#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lb/http/h1.h"

static void wrote(struct http_out *out, const char *expected)
{
    assert_false(out->failed);
    assert_int_equal(out->len, strlen(expected));
    assert_memory_equal(out->bytes, expected, out->len);
    http_out_free(out);
}

static void add(struct http_head *head, const char *name, const char *value)
{
    assert_true(http_head_add(head, slice_of(name), slice_of(value)));
}

static void an_empty_chunk_is_not_written(void **state)
{
    (void)state;
    struct http_out out = {0};
    h1_write_chunk(&out, slice_make("", 0));
    assert_int_equal(out.len, 0);
    http_out_free(&out);
}

static void nothing_is_written_after_a_failure(void **state)
{
    (void)state;
    struct http_out out = {.failed = true};
    struct http_head head;
    http_head_init(&head);
    http_out_add(&out, SLICE_LITERAL("a"));
    h1_write_request(&out, &head, SLICE_LITERAL("/"));
    h1_write_response(&out, &head);
    h1_write_chunk(&out, SLICE_LITERAL("a"));
    h1_write_last_chunk(&out, NULL);
    assert_int_equal(out.len, 0);
    assert_null(out.bytes);
}

static void a_request_has_the_target_given_and_fields_in_order(void **state)
{
    (void)state;
    struct http_out out = {0};
    struct http_head head;
    http_head_init(&head);
    assert_true(http_head_put(&head, SLICE_LITERAL("GET"), &head.method_text));
    add(&head, "Host", "a");
    add(&head, "X-Gone", "b");
    add(&head, "Empty", "");
    http_head_remove_named(&head, SLICE_LITERAL("x-gone"));
    h1_write_request(&out, &head, SLICE_LITERAL("/x?y"));
    wrote(&out, "GET /x?y HTTP/1.1\r\nhost: a\r\nempty: \r\n\r\n");
    http_head_free(&head);
}

static void a_response_has_the_phrase_of_its_status(void **state)
{
    (void)state;
    struct http_out out = {0};
    struct http_head head;
    http_head_init(&head);
    head.status = 404;
    add(&head, "Content-Length", "0");
    h1_write_response(&out, &head);
    wrote(&out, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    head.status = 299;
    h1_write_response(&out, &head);
    wrote(&out, "HTTP/1.1 299 Status\r\ncontent-length: 0\r\n\r\n");
    http_head_free(&head);
}

static void chunks_have_their_size_in_hex(void **state)
{
    (void)state;
    struct http_out out = {0};
    h1_write_chunk(&out, SLICE_LITERAL("abc"));
    h1_write_chunk(&out, SLICE_LITERAL("0123456789abcdef01"));
    h1_write_last_chunk(&out, NULL);
    wrote(&out, "3\r\nabc\r\n12\r\n0123456789abcdef01\r\n0\r\n\r\n");
}

static void trailers_stand_in_the_last_chunk(void **state)
{
    (void)state;
    struct http_out out = {0};
    struct http_head trailers;
    http_head_init(&trailers);
    add(&trailers, "X-Sum", "1");
    h1_write_last_chunk(&out, &trailers);
    wrote(&out, "0\r\nx-sum: 1\r\n\r\n");
    http_head_free(&trailers);
}

static void out_grows_and_keeps_what_it_has(void **state)
{
    (void)state;
    struct http_out out = {0};
    for (int i = 0; i < 10000; i++)
        http_out_add(&out, SLICE_LITERAL("0123456789"));
    assert_int_equal(out.len, 100000);
    for (size_t i = 0; i < out.len; i++)
        assert_int_equal(out.bytes[i], '0' + i % 10);
    http_out_free(&out);
    assert_int_equal(out.cap, 0);
}

static void what_is_read_is_written_the_same(void **state)
{
    (void)state;
    const char bytes[] = "PUT /a HTTP/1.1\r\nhost: a\r\nx: y z\r\ncontent-length: 0\r\n\r\n";
    struct http_limits limits = {1000, 10, 100};
    struct h1_decoder *decoder = h1_decoder_new(H1_REQUESTS, &limits);
    struct http_head head;
    struct http_out out = {0};
    struct slice in = slice_of(bytes);
    http_head_init(&head);
    assert_int_equal(h1_decode(decoder, &in, &head).event, H1_HEAD);
    h1_write_request(&out, &head, head_text(&head, head.target));
    wrote(&out, bytes);
    http_head_free(&head);
    h1_decoder_free(decoder);
}

static void statuses_have_phrases(void **state)
{
    (void)state;
    assert_string_equal(http_status_phrase(103), "Early Hints");
    assert_string_equal(http_status_phrase(431), "Request Header Fields Too Large");
    assert_string_equal(http_status_phrase(999), "Status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_chunk_is_not_written),
        cmocka_unit_test(nothing_is_written_after_a_failure),
        cmocka_unit_test(a_request_has_the_target_given_and_fields_in_order),
        cmocka_unit_test(a_response_has_the_phrase_of_its_status),
        cmocka_unit_test(chunks_have_their_size_in_hex),
        cmocka_unit_test(trailers_stand_in_the_last_chunk),
        cmocka_unit_test(out_grows_and_keeps_what_it_has),
        cmocka_unit_test(what_is_read_is_written_the_same),
        cmocka_unit_test(statuses_have_phrases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
