/* Requests that HTTP/2 or lb forbids: the stream is reset and nobody hears of it; the connection goes on. */
#include "test_h2_world.h"

static struct wire *refused_stream(bool ends, const char *const *fields)
{
    struct wire *wire = wire_new();
    add_headers(wire, 1, ends, fields);
    assert_true(deliver(wire));
    h2_send(wire->server->session);
    assert_int_equal(wire->server->heads_seen, 0);
    return wire;
}

static void assert_refused(bool ends, const char *const *fields)
{
    struct wire *wire = refused_stream(ends, fields);
    const uint8_t *reset = sent_frame(wire->server, NGHTTP2_RST_STREAM, 0);
    assert_non_null(reset);
    assert_int_equal(number_at(reset + 9), H2_PROTOCOL_ERROR);
    assert_int_equal(h2_open_streams(wire->server->session), 0);
    add_get(wire, 3, true);
    assert_true(deliver(wire));
    assert_int_equal(wire->server->heads_seen, 1);
    wire_free(wire);
}

#define REFUSED(name, ...)                                                                                   \
    static void name(void **state)                                                                           \
    {                                                                                                        \
        (void)state;                                                                                         \
        assert_refused(true, FIELDS(__VA_ARGS__));                                                           \
    }

#define METHOD    ":method", "GET"
#define SCHEME    ":scheme", "https"
#define AUTHORITY ":authority", "example.com"
#define PATH      ":path", "/"

REFUSED(a_request_without_method_is_refused, SCHEME, AUTHORITY, PATH)
REFUSED(a_request_without_scheme_is_refused, METHOD, AUTHORITY, PATH)
REFUSED(a_request_without_path_is_refused, METHOD, SCHEME, AUTHORITY)
REFUSED(a_request_that_names_no_host_is_refused, METHOD, SCHEME, PATH)
REFUSED(an_empty_path_is_refused, METHOD, SCHEME, AUTHORITY, ":path", "")
REFUSED(an_empty_authority_is_refused, METHOD, SCHEME, ":authority", "", PATH)
REFUSED(a_path_without_slash_is_refused, METHOD, SCHEME, AUTHORITY, ":path", "a")
REFUSED(a_star_is_for_options_only, METHOD, SCHEME, AUTHORITY, ":path", "*")
REFUSED(a_blank_in_the_path_is_refused, METHOD, SCHEME, AUTHORITY, ":path", "/a b")
REFUSED(a_line_end_in_the_path_is_refused, METHOD, SCHEME, AUTHORITY, ":path", "/a\r\nX: y")
REFUSED(a_high_byte_in_the_path_is_refused, METHOD, SCHEME, AUTHORITY, ":path", "/\xc3\xa4")
REFUSED(a_method_that_is_no_token_is_refused, ":method", "GET /x", SCHEME, AUTHORITY, PATH)
REFUSED(another_scheme_is_refused, METHOD, ":scheme", "ftp", AUTHORITY, PATH)
REFUSED(a_scheme_in_upper_case_is_refused, METHOD, ":scheme", "HTTPS", AUTHORITY, PATH)
REFUSED(a_scheme_with_a_path_in_it_is_refused, METHOD, ":scheme", "https://evil/", AUTHORITY, PATH)
REFUSED(userinfo_in_the_authority_is_refused, METHOD, SCHEME, ":authority", "a@example.com", PATH)
REFUSED(a_blank_in_the_authority_is_refused, METHOD, SCHEME, ":authority", "a b", PATH)
REFUSED(a_doubled_path_is_refused, METHOD, SCHEME, AUTHORITY, PATH, ":path", "/b")
REFUSED(a_doubled_method_is_refused, METHOD, METHOD, SCHEME, AUTHORITY, PATH)
REFUSED(a_doubled_authority_is_refused, METHOD, SCHEME, AUTHORITY, AUTHORITY, PATH)
REFUSED(an_unknown_pseudo_header_is_refused, BASE, ":weird", "1")
REFUSED(a_status_in_a_request_is_refused, BASE, ":status", "200")
REFUSED(a_protocol_in_a_request_is_refused, ":method", "CONNECT", SCHEME, AUTHORITY, PATH, ":protocol",
        "websocket")
REFUSED(connect_is_refused, ":method", "CONNECT", ":authority", "example.com:443")
REFUSED(a_pseudo_header_after_a_field_is_refused, METHOD, SCHEME, AUTHORITY, "a", "b", PATH)
REFUSED(connection_is_refused, BASE, "connection", "close")
REFUSED(keep_alive_is_refused, BASE, "keep-alive", "timeout=5")
REFUSED(proxy_connection_is_refused, BASE, "proxy-connection", "close")
REFUSED(transfer_encoding_is_refused, BASE, "transfer-encoding", "chunked")
REFUSED(upgrade_is_refused, BASE, "upgrade", "h2c")
REFUSED(te_other_than_trailers_is_refused, BASE, "te", "gzip")
REFUSED(an_upper_case_name_is_refused, BASE, "X-Upper", "1")
REFUSED(a_blank_in_a_name_is_refused, BASE, "a b", "1")
REFUSED(an_empty_name_is_refused, BASE, "", "1")
REFUSED(a_colon_in_a_name_is_refused, BASE, "a:b", "1")
REFUSED(a_blank_before_a_value_is_refused, BASE, "a", " 1")
REFUSED(a_tab_after_a_value_is_refused, BASE, "a", "1\t")
REFUSED(a_line_end_in_a_value_is_refused, BASE, "a", "1\r\nb: 2")
REFUSED(a_bare_line_feed_in_a_value_is_refused, BASE, "a", "1\n2")
REFUSED(a_control_in_a_value_is_refused, BASE, "a", "1\x01")
REFUSED(a_delete_in_a_value_is_refused, BASE, "a", "1\x7f")
REFUSED(content_length_with_an_underscore_is_refused, BASE, "content_length", "0")
REFUSED(transfer_encoding_with_a_dot_is_refused, BASE, "transfer.encoding", "chunked")
REFUSED(two_content_lengths_are_refused, BASE, "content-length", "0", "content-length", "0")
REFUSED(a_content_length_with_a_sign_is_refused, BASE, "content-length", "+0")
REFUSED(a_list_of_content_lengths_is_refused, BASE, "content-length", "0, 0")
REFUSED(a_content_length_beyond_numbers_is_refused, BASE, "content-length", "99999999999999999999")
REFUSED(a_content_length_without_body_is_refused, BASE, "content-length", "5")
REFUSED(a_host_other_than_the_authority_is_refused, BASE, "host", "other.com")
REFUSED(two_hosts_are_refused, BASE, "host", "example.com", "host", "example.com")

static void a_nul_in_a_value_is_refused(void **state)
{
    struct wire *wire = wire_new();
    (void)state;
    uint8_t block[256];
    size_t len = deflate(wire, FIELDS(BASE), block, sizeof(block));
    const uint8_t field[] = {0x00, 1, 'a', 3, '1', 0, '2'};
    memcpy(block + len, field, sizeof(field));
    add_frame(wire, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, block,
              len + sizeof(field));
    assert_true(deliver(wire));
    h2_send(wire->server->session);
    assert_int_equal(wire->server->heads_seen, 0);
    assert_non_null(sent_frame(wire->server, NGHTTP2_RST_STREAM, 0));
    wire_free(wire);
}

/* ---- what comes after the head ---- */

/* A POST whose head was taken. */
static struct wire *posted(const char *const *fields)
{
    struct wire *wire = wire_new();
    add_headers(wire, 1, false, fields);
    assert_true(deliver(wire));
    assert_int_equal(wire->server->heads_seen, 1);
    return wire;
}

static void assert_reset_told(struct wire *wire)
{
    assert_true(deliver(wire));
    h2_send(wire->server->session);
    assert_int_equal(wire->server->resets, 1);
    assert_int_equal(wire->server->ends, 0);
    assert_int_equal(wire->server->closed, 0);
    assert_int_equal(wire->server->code, H2_PROTOCOL_ERROR);
    wire_free(wire);
}

static void more_data_than_content_length_resets(void **state)
{
    struct wire *wire = posted(FIELDS(BASE, "content-length", "3"));
    (void)state;
    add_frame(wire, NGHTTP2_DATA, 0, 1, "abcd", 4);
    assert_reset_told(wire);
}

static void less_data_than_content_length_resets(void **state)
{
    struct wire *wire = posted(FIELDS(BASE, "content-length", "3"));
    (void)state;
    add_frame(wire, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "ab", 2);
    assert_reset_told(wire);
}

static void trailers_refused(bool ends, const char *const *fields)
{
    struct wire *wire = posted(FIELDS(BASE));
    add_headers(wire, 1, ends, fields);
    assert_reset_told(wire);
}

#define TRAILER_REFUSED(name, ends, ...)                                                                     \
    static void name(void **state)                                                                           \
    {                                                                                                        \
        (void)state;                                                                                         \
        trailers_refused(ends, FIELDS(__VA_ARGS__));                                                         \
    }

TRAILER_REFUSED(a_pseudo_header_in_trailers_resets, true, ":path", "/b")
TRAILER_REFUSED(content_length_in_trailers_resets, true, "content-length", "3")
TRAILER_REFUSED(a_framing_look_alike_in_trailers_resets, true, "content_length", "3")
TRAILER_REFUSED(transfer_encoding_in_trailers_resets, true, "transfer-encoding", "chunked")
TRAILER_REFUSED(trailers_that_do_not_end_reset, false, "a", "b")
TRAILER_REFUSED(a_line_end_in_trailers_resets, true, "a", "b\nc")

static void fields_without_business_in_trailers_are_dropped(void **state)
{
    struct wire *wire = posted(FIELDS(BASE));
    (void)state;
    add_headers(wire, 1, true, FIELDS("authorization", "x", "x-sum", "1", "x_forwarded_for", "y"));
    assert_true(deliver(wire));
    assert_int_equal(wire->server->ends, 1);
    assert_non_null(wire->server->trailers);
    assert_int_equal(http_head_field_count(wire->server->trailers), 1);
    wire_free(wire);
}

/* ---- limits ---- */

static void assert_answered(struct wire *wire, const char *digits)
{
    const uint8_t *answer = sent_frame(wire->server, NGHTTP2_HEADERS, 0);
    assert_non_null(answer);
    size_t len = (size_t)answer[1] << 8 | answer[2];
    nghttp2_hd_inflater *inflater;
    nghttp2_nv field;
    int flags = 0;
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    assert_true(nghttp2_hd_inflate_hd2(inflater, &field, &flags, answer + 9, len, 1) > 0);
    assert_memory_equal(field.value, digits, 3);
    nghttp2_hd_inflate_del(inflater);
}

static void a_path_over_the_limit_is_answered_with_414(void **state)
{
    char path[1100];
    (void)state;
    memset(path, 'a', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    struct wire *wire = refused_stream(true, FIELDS(METHOD, SCHEME, AUTHORITY, ":path", path));
    assert_answered(wire, "414");
    assert_int_equal(h2_open_streams(wire->server->session), 0);
    wire_free(wire);
}

static void too_many_fields_are_answered_with_431(void **state)
{
    const char *fields[2 * 60 + 2] = {BASE};
    (void)state;
    for (size_t i = 8; i < 120; i += 2) {
        fields[i] = "a";
        fields[i + 1] = "b";
    }
    struct wire *wire = refused_stream(true, fields);
    assert_answered(wire, "431");
    wire_free(wire);
}

static char *long_value(size_t len)
{
    char *value = malloc(len + 1);
    assert_non_null(value);
    memset(value, '~', len);
    value[len] = '\0';
    return value;
}

static void too_many_bytes_are_answered_with_431_and_the_body_is_waved_off(void **state)
{
    char *value = long_value(9000);
    (void)state;
    struct wire *wire = refused_stream(false, FIELDS(BASE, "a", value));
    assert_answered(wire, "431");
    const uint8_t *reset = sent_frame(wire->server, NGHTTP2_RST_STREAM, 0);
    assert_non_null(reset);
    assert_int_equal(number_at(reset + 9), H2_NO_ERROR);
    free(value);
    wire_free(wire);
}

static void a_head_far_over_the_limit_gets_no_answer(void **state)
{
    char *value = long_value(50000);
    (void)state;
    assert_refused(true, FIELDS(BASE, "a", value));
    free(value);
}

static void trailers_over_the_limit_reset(void **state)
{
    char *value = long_value(9000);
    (void)state;
    trailers_refused(true, FIELDS("a", value));
    free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_without_method_is_refused),
        cmocka_unit_test(a_request_without_scheme_is_refused),
        cmocka_unit_test(a_request_without_path_is_refused),
        cmocka_unit_test(a_request_that_names_no_host_is_refused),
        cmocka_unit_test(an_empty_path_is_refused),
        cmocka_unit_test(an_empty_authority_is_refused),
        cmocka_unit_test(a_path_without_slash_is_refused),
        cmocka_unit_test(a_star_is_for_options_only),
        cmocka_unit_test(a_blank_in_the_path_is_refused),
        cmocka_unit_test(a_line_end_in_the_path_is_refused),
        cmocka_unit_test(a_high_byte_in_the_path_is_refused),
        cmocka_unit_test(a_method_that_is_no_token_is_refused),
        cmocka_unit_test(another_scheme_is_refused),
        cmocka_unit_test(a_scheme_in_upper_case_is_refused),
        cmocka_unit_test(a_scheme_with_a_path_in_it_is_refused),
        cmocka_unit_test(userinfo_in_the_authority_is_refused),
        cmocka_unit_test(a_blank_in_the_authority_is_refused),
        cmocka_unit_test(a_doubled_path_is_refused),
        cmocka_unit_test(a_doubled_method_is_refused),
        cmocka_unit_test(a_doubled_authority_is_refused),
        cmocka_unit_test(an_unknown_pseudo_header_is_refused),
        cmocka_unit_test(a_status_in_a_request_is_refused),
        cmocka_unit_test(a_protocol_in_a_request_is_refused),
        cmocka_unit_test(connect_is_refused),
        cmocka_unit_test(a_pseudo_header_after_a_field_is_refused),
        cmocka_unit_test(connection_is_refused),
        cmocka_unit_test(keep_alive_is_refused),
        cmocka_unit_test(proxy_connection_is_refused),
        cmocka_unit_test(transfer_encoding_is_refused),
        cmocka_unit_test(upgrade_is_refused),
        cmocka_unit_test(te_other_than_trailers_is_refused),
        cmocka_unit_test(an_upper_case_name_is_refused),
        cmocka_unit_test(a_blank_in_a_name_is_refused),
        cmocka_unit_test(an_empty_name_is_refused),
        cmocka_unit_test(a_colon_in_a_name_is_refused),
        cmocka_unit_test(a_blank_before_a_value_is_refused),
        cmocka_unit_test(a_tab_after_a_value_is_refused),
        cmocka_unit_test(a_line_end_in_a_value_is_refused),
        cmocka_unit_test(a_bare_line_feed_in_a_value_is_refused),
        cmocka_unit_test(a_control_in_a_value_is_refused),
        cmocka_unit_test(a_delete_in_a_value_is_refused),
        cmocka_unit_test(content_length_with_an_underscore_is_refused),
        cmocka_unit_test(transfer_encoding_with_a_dot_is_refused),
        cmocka_unit_test(two_content_lengths_are_refused),
        cmocka_unit_test(a_content_length_with_a_sign_is_refused),
        cmocka_unit_test(a_list_of_content_lengths_is_refused),
        cmocka_unit_test(a_content_length_beyond_numbers_is_refused),
        cmocka_unit_test(a_content_length_without_body_is_refused),
        cmocka_unit_test(a_host_other_than_the_authority_is_refused),
        cmocka_unit_test(two_hosts_are_refused),
        cmocka_unit_test(a_pseudo_header_in_trailers_resets),
        cmocka_unit_test(content_length_in_trailers_resets),
        cmocka_unit_test(a_framing_look_alike_in_trailers_resets),
        cmocka_unit_test(transfer_encoding_in_trailers_resets),
        cmocka_unit_test(trailers_that_do_not_end_reset),
        cmocka_unit_test(a_line_end_in_trailers_resets),
        cmocka_unit_test(a_nul_in_a_value_is_refused),
        cmocka_unit_test(more_data_than_content_length_resets),
        cmocka_unit_test(less_data_than_content_length_resets),
        cmocka_unit_test(fields_without_business_in_trailers_are_dropped),
        cmocka_unit_test(a_path_over_the_limit_is_answered_with_414),
        cmocka_unit_test(too_many_fields_are_answered_with_431),
        cmocka_unit_test(too_many_bytes_are_answered_with_431_and_the_body_is_waved_off),
        cmocka_unit_test(a_head_far_over_the_limit_gets_no_answer),
        cmocka_unit_test(trailers_over_the_limit_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
