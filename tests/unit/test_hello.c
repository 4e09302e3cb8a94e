#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lb/tls/hello.h"

/* A hello under construction: handshake bytes without record headers. */
struct build {
    unsigned char bytes[HELLO_WIRE_MAX];
    size_t len;
};

static void put(struct build *build, const void *bytes, size_t len)
{
    assert_true(build->len + len <= sizeof build->bytes);
    memcpy(build->bytes + build->len, bytes, len);
    build->len += len;
}

static void put_number(struct build *build, size_t width, size_t number)
{
    for (size_t i = width; i-- > 0;) {
        unsigned char byte = (unsigned char)(number >> 8 * i);
        put(build, &byte, 1);
    }
}

static void put_extension(struct build *build, unsigned type, const void *body, size_t len)
{
    put_number(build, 2, type);
    put_number(build, 2, len);
    put(build, body, len);
}

static void put_names(struct build *build, const char *name, size_t len)
{
    put_number(build, 2, 0);
    put_number(build, 2, len + 5);
    put_number(build, 2, len + 3);
    put_number(build, 1, 0);
    put_number(build, 2, len);
    put(build, name, len);
}

/* The handshake message around the given extensions. */
static struct build wrap(const struct build *extensions, const char *suites, size_t suites_len)
{
    struct build body = {.len = 0}, out = {.len = 0};
    unsigned char random[32] = {7};
    put_number(&body, 2, 0x0303);
    put(&body, random, sizeof random);
    put_number(&body, 1, 0);
    put_number(&body, 2, suites_len);
    put(&body, suites, suites_len);
    put_number(&body, 2, 0x0100);
    put_number(&body, 2, extensions->len);
    put(&body, extensions->bytes, extensions->len);
    put_number(&out, 1, 1);
    put_number(&out, 3, body.len);
    put(&out, body.bytes, body.len);
    return out;
}

static const char TLS13_SUITE[] = "\x13\x01";

/* Cuts a handshake message into records of at most `chunk` bytes. */
static struct build records(const struct build *message, size_t chunk)
{
    struct build out = {.len = 0};
    for (size_t at = 0; at < message->len; at += chunk) {
        size_t len = message->len - at < chunk ? message->len - at : chunk;
        put(&out, "\x16\x03\x01", 3);
        put_number(&out, 2, len);
        put(&out, message->bytes + at, len);
    }
    return out;
}

struct seen {
    enum hello_result result;
    struct hello hello;
    struct slice record;
    char flat[HELLO_MAX + 5];
    char *copy; /* exactly as long as the input: a sanitizer sees each byte read too far */
};

static void read_bytes(struct seen *seen, const void *bytes, size_t len)
{
    free(seen->copy);
    seen->copy = malloc(len ? len : 1);
    memcpy(seen->copy, bytes, len);
    seen->result = hello_read(slice_make(seen->copy, len), seen->flat, &seen->hello, &seen->record);
}

static void read_extensions(struct seen *seen, const struct build *extensions)
{
    struct build message = wrap(extensions, TLS13_SUITE, 2);
    struct build wire = records(&message, 16384);
    read_bytes(seen, wire.bytes, wire.len);
}

static struct build usual_extensions(void)
{
    struct build out = {.len = 0};
    put_names(&out, "Api.Example.com", 15);
    put_extension(&out, 43, "\x04\x03\x04\x03\x03", 5);
    put_extension(&out, 10, "\x00\x04\x00\x1d\x00\x17", 6);
    put_extension(&out, 13, "\x00\x04\x04\x03\x08\x04", 6);
    put_extension(&out, 16, "\x00\x0c\x02h2\x08http/1.1", 14);
    return out;
}

static void *setup_seen(void)
{
    return calloc(1, sizeof(struct seen));
}

static int setup(void **state)
{
    *state = setup_seen();
    return 0;
}

static int teardown(void **state)
{
    struct seen *seen = *state;
    free(seen->copy);
    free(seen);
    return 0;
}

static void expect_invalid(struct seen *seen, const struct build *extensions)
{
    read_extensions(seen, extensions);
    assert_int_equal(seen->result, HELLO_INVALID);
    assert_non_null(seen->hello.why);
}

/* ---- what is no hello ---- */

static void plain_http_is_named_as_such(void **state)
{
    struct seen *seen = *state;
    read_bytes(seen, "GET / HTTP/1.1\r\n", 16);
    assert_int_equal(seen->result, HELLO_INVALID);
    assert_non_null(strstr(seen->hello.why, "HTTP"));
}

static void a_proxy_header_is_named_as_such(void **state)
{
    struct seen *seen = *state;
    read_bytes(seen, "PROXY TCP4 1.2.3.4", 18);
    assert_int_equal(seen->result, HELLO_INVALID);
    assert_non_null(strstr(seen->hello.why, "PROXY"));
}

static void an_sslv2_hello_is_named_as_such(void **state)
{
    struct seen *seen = *state;
    read_bytes(seen, "\x80\x2e\x01\x00\x02", 5);
    assert_int_equal(seen->result, HELLO_INVALID);
    assert_non_null(strstr(seen->hello.why, "SSLv2"));
}

static void a_wrong_first_byte_is_refused_at_once(void **state)
{
    struct seen *seen = *state;
    for (int byte = 0; byte < 256; byte++) {
        unsigned char first = (unsigned char)byte;
        read_bytes(seen, &first, 1);
        assert_int_equal(seen->result, byte == 22 ? HELLO_PARTIAL : HELLO_INVALID);
    }
}

static void another_handshake_message_first_is_refused(void **state)
{
    read_bytes(*state, "\x16\x03\x01\x00\x04\x02\x00\x00\x00", 9);
    assert_int_equal(((struct seen *)*state)->result, HELLO_INVALID);
}

static void a_record_of_length_zero_or_too_long_is_refused(void **state)
{
    struct seen *seen = *state;
    read_bytes(seen, "\x16\x03\x01\x00\x00", 5);
    assert_int_equal(seen->result, HELLO_INVALID);
    read_bytes(seen, "\x16\x03\x01\x40\x01", 5);
    assert_int_equal(seen->result, HELLO_INVALID);
}

static void a_hello_over_the_limit_is_too_long(void **state)
{
    struct seen *seen = *state;
    read_bytes(seen, "\x16\x03\x01\x40\x00\x01\x00\x40\x00", 9);
    assert_int_equal(seen->result, HELLO_TOO_LONG);
}

static void endless_tiny_records_are_too_long(void **state)
{
    struct build extensions = {.len = 0}, message;
    static char padding[12000];
    put_extension(&extensions, 21, padding, sizeof padding);
    message = wrap(&extensions, TLS13_SUITE, 2);
    message.len = 5460;
    struct build wire = records(&message, 1);
    put(&wire, "\x16\x03\x01\x00\x01\x00\x16\x03", 8);
    read_bytes(*state, wire.bytes, wire.len);
    assert_int_equal(((struct seen *)*state)->result, HELLO_TOO_LONG);
}

static void bytes_behind_the_hello_in_its_record_are_refused(void **state)
{
    struct build extensions = usual_extensions(), message = wrap(&extensions, TLS13_SUITE, 2);
    put(&message, "\0", 1);
    struct build wire = records(&message, 16384);
    read_bytes(*state, wire.bytes, wire.len);
    assert_int_equal(((struct seen *)*state)->result, HELLO_INVALID);
}

static void another_record_inside_the_hello_is_refused(void **state)
{
    struct build extensions = usual_extensions(), message = wrap(&extensions, TLS13_SUITE, 2);
    struct build wire = records(&message, 60);
    wire.bytes[65] = 21;
    read_bytes(*state, wire.bytes, wire.len);
    assert_int_equal(((struct seen *)*state)->result, HELLO_INVALID);
}

/* ---- lies inside ---- */

static void each_wrong_length_is_refused_or_harmless(void **state)
{
    struct seen *seen = *state;
    struct build extensions = usual_extensions(), message = wrap(&extensions, TLS13_SUITE, 2);
    struct build wire = records(&message, 16384);
    for (size_t i = 0; i < wire.len; i++)
        for (int value = 0; value < 256; value += 51) {
            unsigned char before = wire.bytes[i];
            wire.bytes[i] = (unsigned char)value;
            read_bytes(seen, wire.bytes, wire.len);
            assert_true(seen->result != HELLO_INVALID || seen->hello.why);
            wire.bytes[i] = before;
        }
}

static void two_server_name_extensions_are_refused(void **state)
{
    struct build extensions = {.len = 0};
    put_names(&extensions, "a.example", 9);
    put_names(&extensions, "b.example", 9);
    expect_invalid(*state, &extensions);
}

static void two_names_in_one_extension_are_refused(void **state)
{
    struct build extensions = {.len = 0};
    put_extension(&extensions, 0,
                  "\x00\x10\x00\x00\x05"
                  "a.com\x00\x00\x05"
                  "b.com",
                  18);
    expect_invalid(*state, &extensions);
}

static void any_extension_that_comes_twice_is_refused(void **state)
{
    struct build extensions = {.len = 0};
    put_extension(&extensions, 0x1234, "", 0);
    put_extension(&extensions, 0x1234, "", 0);
    expect_invalid(*state, &extensions);
}

static void names_with_controls_or_nul_are_refused(void **state)
{
    static const char *const names[] = {"a\0b.example", "a\nb.example", "a b.examplex",
                                        "a/b.examplex", "-ab.examplex", "a..b.exampl"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct build extensions = {.len = 0};
        put_names(&extensions, names[i], 11);
        expect_invalid(*state, &extensions);
    }
}

static void an_empty_name_is_refused(void **state)
{
    struct build extensions = {.len = 0};
    put_names(&extensions, "", 0);
    expect_invalid(*state, &extensions);
}

static void malformed_lists_are_refused(void **state)
{
    static const struct {
        unsigned type;
        const char *body;
        size_t len;
    } bad[] = {
        {43, "\x03\x03\x04\x03", 4},     {43, "\x00", 1},
        {13, "\x00\x03\x04\x03\x08", 5}, {10, "\x00\x00", 2},
        {16, "\x00\x02\x00\x01", 4},     {16, "\x00\x02\x05h", 4},
        {0, "\x00\x01\x00", 3},          {16, "\x00\x00", 2},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct build extensions = {.len = 0};
        put_extension(&extensions, bad[i].type, bad[i].body, bad[i].len);
        expect_invalid(*state, &extensions);
    }
}

/* ---- good ones ---- */

static void an_address_as_name_counts_as_none(void **state)
{
    static const char *const names[] = {"192.0.2.1", "2001:db8::1", "[::1]"};
    struct seen *seen = *state;
    for (size_t i = 0; i < 3; i++) {
        struct build extensions = {.len = 0};
        put_names(&extensions, names[i], strlen(names[i]));
        read_extensions(seen, &extensions);
        assert_int_equal(seen->result, HELLO_COMPLETE);
        assert_string_equal(seen->hello.name, "");
        assert_true(seen->hello.names_address);
    }
}

static void a_hello_says_what_the_client_wants(void **state)
{
    struct seen *seen = *state;
    struct build extensions = usual_extensions();
    read_extensions(seen, &extensions);
    assert_int_equal(seen->result, HELLO_COMPLETE);
    assert_string_equal(seen->hello.name, "api.example.com");
    assert_int_equal(seen->hello.version_max, 0x0304);
    assert_true(seen->hello.offers_ecdsa && seen->hello.offers_rsa && !seen->hello.offers_psk);
    assert_int_equal(seen->hello.alpn.len, 12);
    assert_int_equal(seen->hello.groups.len, 4);
    assert_int_equal(seen->hello.records, 1);
    assert_ptr_equal(seen->record.data, seen->copy);
}

static void only_the_signatures_offered_count(void **state)
{
    struct seen *seen = *state;
    struct build extensions = {.len = 0};
    put_extension(&extensions, 43, "\x02\x03\x04", 3);
    put_extension(&extensions, 13, "\x00\x02\x08\x04", 4);
    read_extensions(seen, &extensions);
    assert_true(seen->hello.offers_rsa);
    assert_false(seen->hello.offers_ecdsa);
}

static void up_to_tls_1_2_the_suites_narrow_the_keys(void **state)
{
    struct seen *seen = *state;
    struct build extensions = {.len = 0};
    put_names(&extensions, "a.example", 9);
    struct build message = wrap(&extensions, "\xc0\x2f", 2), wire = records(&message, 16384);
    read_bytes(seen, wire.bytes, wire.len);
    assert_int_equal(seen->result, HELLO_COMPLETE);
    assert_int_equal(seen->hello.version_max, 0x0303);
    assert_true(seen->hello.offers_rsa);
    assert_false(seen->hello.offers_ecdsa);
}

static void each_prefix_is_partial(void **state)
{
    struct seen *seen = *state;
    struct build extensions = usual_extensions(), message = wrap(&extensions, TLS13_SUITE, 2);
    for (size_t chunk = 1; chunk <= message.len; chunk += 37) {
        struct build wire = records(&message, chunk);
        for (size_t len = 0; len < wire.len; len++) {
            read_bytes(seen, wire.bytes, len);
            assert_int_equal(seen->result, HELLO_PARTIAL);
        }
    }
}

static void a_hello_cut_into_records_of_any_size_becomes_one_record(void **state)
{
    struct seen *seen = *state;
    struct build extensions = usual_extensions(), message = wrap(&extensions, TLS13_SUITE, 2);
    for (size_t chunk = 1; chunk < message.len; chunk++) {
        struct build wire = records(&message, chunk);
        read_bytes(seen, wire.bytes, wire.len);
        assert_int_equal(seen->result, HELLO_COMPLETE);
        assert_string_equal(seen->hello.name, "api.example.com");
        assert_int_equal(seen->hello.wire_len, wire.len);
        assert_int_equal(seen->record.len, message.len + 5);
        assert_memory_equal(seen->record.data + 5, message.bytes, message.len);
        assert_memory_equal(seen->record.data, "\x16\x03\x01", 3);
    }
}

static void the_largest_hello_is_read(void **state)
{
    struct seen *seen = *state;
    struct build extensions = {.len = 0};
    static char padding[HELLO_MAX];
    size_t fixed = 4 + 2 + 32 + 1 + 4 + 2 + 2 + 4;
    put_extension(&extensions, 21, padding, HELLO_MAX - fixed);
    struct build message = wrap(&extensions, TLS13_SUITE, 2), wire = records(&message, 8000);
    assert_int_equal(message.len, HELLO_MAX);
    read_bytes(seen, wire.bytes, wire.len);
    assert_int_equal(seen->result, HELLO_COMPLETE);
}

static void what_follows_the_hello_is_left_alone(void **state)
{
    struct seen *seen = *state;
    struct build extensions = usual_extensions(), message = wrap(&extensions, TLS13_SUITE, 2);
    struct build wire = records(&message, 16384);
    size_t len = wire.len;
    put(&wire, "\x14\x03\x03\x00\x01\x01", 6);
    read_bytes(seen, wire.bytes, wire.len);
    assert_int_equal(seen->result, HELLO_COMPLETE);
    assert_int_equal(seen->hello.wire_len, len);
    assert_int_equal(seen->record.len, len);
}

/* ---- compacting ---- */

/* As a listener does it: each piece is put behind what is left, which is compacted while it is partial. */
static enum hello_result collect(struct seen *seen, const struct build *wire, size_t piece, size_t *most)
{
    static char kept[2 * HELLO_WIRE_MAX];
    size_t len = 0;
    *most = 0;
    for (size_t at = 0; at < wire->len; at += piece) {
        size_t now = wire->len - at < piece ? wire->len - at : piece;
        memcpy(kept + len, wire->bytes + at, now);
        len += now;
        seen->result = hello_read(slice_make(kept, len), seen->flat, &seen->hello, &seen->record);
        if (seen->result != HELLO_PARTIAL)
            return seen->result;
        len = hello_compact(kept, len);
        *most = len > *most ? len : *most;
    }
    return seen->result;
}

static void a_hello_that_is_compacted_as_it_comes_is_the_same_hello(void **state)
{
    struct seen *seen = *state;
    struct build extensions = usual_extensions(), message = wrap(&extensions, TLS13_SUITE, 2);
    static const size_t chunks[] = {1, 2, 3, 7, 50, 1000};
    size_t most;
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++)
        for (size_t piece = 1; piece < 40; piece++) {
            struct build wire = records(&message, chunks[i]);
            assert_int_equal(collect(seen, &wire, piece, &most), HELLO_COMPLETE);
            assert_string_equal(seen->hello.name, "api.example.com");
            assert_memory_equal(seen->record.data + 5, message.bytes, message.len);
            assert_int_equal(seen->record.len, message.len + 5);
            assert_true(most <= message.len + 10);
        }
}

static void the_largest_hello_in_tiny_records_takes_no_more_than_in_one(void **state)
{
    static struct build extensions, message, wire;
    static char padding[HELLO_MAX];
    size_t most, fixed = 4 + 2 + 32 + 1 + 4 + 2 + 2 + 4;
    extensions.len = 0;
    put_extension(&extensions, 21, padding, HELLO_MAX - fixed);
    message = wrap(&extensions, TLS13_SUITE, 2);
    wire = records(&message, 6);
    assert_int_equal(collect(*state, &wire, 1000, &most), HELLO_COMPLETE);
    assert_true(most <= HELLO_MAX + 10);
}

static void the_end_of_a_record_that_is_to_come_stays_where_it_belongs(void **state)
{
    (void)state;
    char wire[] = "\x16\x03\x01\x00\x01\x01\x16\x03\x01\x00\x02\x00\x00\x16\x03";
    assert_int_equal(hello_compact(wire, 15), 10);
    assert_memory_equal(wire, "\x16\x03\x01\x00\x03\x01\x00\x00\x16\x03", 10);
    assert_int_equal(hello_compact(wire, 3), 3);
    assert_int_equal(hello_compact(wire, 0), 0);
}

/* ---- the second hello ---- */

static const char *difference(struct seen *seen, const struct build *first, const struct build *again)
{
    struct seen other = {.copy = NULL};
    read_extensions(seen, first);
    read_extensions(&other, again);
    assert_int_equal(seen->result, HELLO_COMPLETE);
    assert_int_equal(other.result, HELLO_COMPLETE);
    const char *why = hello_repeats(&seen->hello, &other.hello);
    free(other.copy);
    return why;
}

static void a_second_hello_may_bring_shares_cookie_and_padding(void **state)
{
    struct build first = usual_extensions(), again = usual_extensions();
    put_extension(&first, 51, "\0\0", 2);
    put_extension(&again, 51, "\0\5\0\x17\0\1x", 7);
    put_extension(&again, 44, "\0\1x", 3);
    put_extension(&again, 21, "\0\0\0", 3);
    assert_null(difference(*state, &first, &again));
}

static void a_second_hello_with_another_name_or_list_is_told(void **state)
{
    static const struct {
        unsigned type;
        const char *body;
        size_t len;
        const char *expected;
    } cases[] = {
        {0, "\0\x8\0\0\5b.com", 10, "name"},
        {0,
         "\0\xc\0\0\x9"
         "127.0.0.1",
         14, "name"},
        {43, "\2\3\4", 3, "versions"},
        {10, "\0\2\0\x17", 4, "groups"},
        {13, "\0\2\4\3", 4, "signature schemes"},
        {16, "\0\3\2h2", 5, "protocols"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct build first = {.len = 0}, again = {.len = 0};
        put_extension(&again, cases[i].type, cases[i].body, cases[i].len);
        const char *why = difference(*state, &first, &again);
        assert_non_null(why);
        assert_non_null(strstr(why, cases[i].expected));
        why = difference(*state, &again, &first);
        assert_non_null(why);
    }
}

static void a_second_hello_with_other_suites_is_told(void **state)
{
    struct seen *seen = *state, other = {.copy = NULL};
    struct build extensions = usual_extensions(), message = wrap(&extensions, "\x13\x02", 2);
    struct build wire = records(&message, 16384);
    read_extensions(seen, &extensions);
    read_bytes(&other, wire.bytes, wire.len);
    assert_non_null(hello_repeats(&seen->hello, &other.hello));
    free(other.copy);
}

/* ---- names ---- */

static void what_is_no_host_name_is_not_normalized(void **state)
{
    (void)state;
    static const char *const bad[] = {"",         ".",    "..",        "a..b",    "-a",    "a-",  "a.b-",
                                      "a b",      "a:80", "[::1]",     "1.2.3.4", "1.2.3", "a.1", "a*.b",
                                      "\xc3\xa9", "a/b",  "1.2.3.0x4", "a.0X1f",  "0x"};
    char out[HELLO_NAME_MAX + 1], label[70], name[300];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(hello_normalize_name(slice_of(bad[i]), out));
    memset(label, 'a', 64);
    assert_false(hello_normalize_name(slice_make(label, 64), out));
    for (size_t i = 0; i < 254; i++)
        name[i] = i % 50 == 49 ? '.' : 'a';
    assert_false(hello_normalize_name(slice_make(name, 254), out));
    assert_true(hello_normalize_name(slice_make(name, 253), out));
}

static void names_are_lower_case_without_final_dot(void **state)
{
    (void)state;
    char out[HELLO_NAME_MAX + 1];
    assert_true(hello_normalize_name(slice_of("WWW.Example.COM."), out));
    assert_string_equal(out, "www.example.com");
    assert_true(hello_normalize_name(slice_of("a_b.c-d"), out));
    assert_string_equal(out, "a_b.c-d");
    assert_true(hello_normalize_name(slice_of("1a.2b"), out));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(plain_http_is_named_as_such),
        TEST(a_proxy_header_is_named_as_such),
        TEST(an_sslv2_hello_is_named_as_such),
        TEST(a_wrong_first_byte_is_refused_at_once),
        TEST(another_handshake_message_first_is_refused),
        TEST(a_record_of_length_zero_or_too_long_is_refused),
        TEST(a_hello_over_the_limit_is_too_long),
        TEST(endless_tiny_records_are_too_long),
        TEST(bytes_behind_the_hello_in_its_record_are_refused),
        TEST(another_record_inside_the_hello_is_refused),
        TEST(each_wrong_length_is_refused_or_harmless),
        TEST(two_server_name_extensions_are_refused),
        TEST(two_names_in_one_extension_are_refused),
        TEST(any_extension_that_comes_twice_is_refused),
        TEST(names_with_controls_or_nul_are_refused),
        TEST(an_empty_name_is_refused),
        TEST(malformed_lists_are_refused),
        TEST(an_address_as_name_counts_as_none),
        TEST(a_hello_says_what_the_client_wants),
        TEST(only_the_signatures_offered_count),
        TEST(up_to_tls_1_2_the_suites_narrow_the_keys),
        TEST(each_prefix_is_partial),
        TEST(a_hello_cut_into_records_of_any_size_becomes_one_record),
        TEST(the_largest_hello_is_read),
        TEST(what_follows_the_hello_is_left_alone),
        TEST(a_hello_that_is_compacted_as_it_comes_is_the_same_hello),
        TEST(the_largest_hello_in_tiny_records_takes_no_more_than_in_one),
        TEST(the_end_of_a_record_that_is_to_come_stays_where_it_belongs),
        TEST(a_second_hello_may_bring_shares_cookie_and_padding),
        TEST(a_second_hello_with_another_name_or_list_is_told),
        TEST(a_second_hello_with_other_suites_is_told),
        cmocka_unit_test(what_is_no_host_name_is_not_normalized),
        cmocka_unit_test(names_are_lower_case_without_final_dot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
