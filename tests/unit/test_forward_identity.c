#include "tests/unit/test_tls_pki.h"

#include <openssl/sha.h>

#include "lb/base/text.h"
#include "lb/http/encode.h"
#include "lb/http/forward.h"

enum { CHAIN = 4 };

/* A leaf under two intermediates under a root, as the verified chain. */
struct world {
    struct http_head head;
    struct pki_cert made[CHAIN];
    unsigned char *der[CHAIN];
    struct certificate chain[CHAIN];
    char value[65536];
};

static void odd_subject(X509_NAME *name)
{
    X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"a, \"b\" \\", -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)"\xc3\x84 x ", -1, -1, 0);
}

static void open_chain(struct world *world)
{
    const char *why;
    for (int i = 0; i < CHAIN; i++) {
        size_t len = pki_der(&world->made[i], &world->der[i]);
        if (!certificate_open(slice_make(world->der[i], len), &world->chain[i], &why))
            fail_msg("%s", why);
    }
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    http_head_init(&world->head);
    world->made[3] = pki_root("root");
    world->made[2] = pki_intermediate("outer", &world->made[3]);
    world->made[1] = pki_intermediate("inner", &world->made[2]);
    world->made[0] =
        pki_make((struct pki_spec){.name = odd_subject, .issuer = &world->made[1], .serial = 0xabcdef});
    open_chain(world);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < CHAIN; i++) {
        OPENSSL_free(world->der[i]);
        pki_free(&world->made[i]);
    }
    http_head_free(&world->head);
    free(world);
    return 0;
}

/* The value of one identity field; NULL: no field came. */
static const char *value_with(struct world *world, enum field_id id, size_t chain_len)
{
    http_head_reset(&world->head);
    assert_true(forward_add_identity(&world->head, id, world->chain, chain_len));
    if (world->head.count == 0)
        return NULL;
    assert_int_equal(world->head.count, 1);
    assert_int_equal(world->head.fields[0].id, id);
    assert_true(world->head.fields[0].exact);
    struct slice value = head_value(&world->head, &world->head.fields[0]);
    assert_true(value.len < sizeof(world->value));
    memcpy(world->value, value.data, value.len);
    world->value[value.len] = '\0';
    return world->value;
}

static const char *value_of(struct world *world, enum field_id id)
{
    return value_with(world, id, CHAIN);
}

static bool identity(unsigned id)
{
    return field_traits((enum field_id)id) & FIELD_IDENTITY;
}

/* "…:base64:" of a certificate as OpenSSL encodes it. */
static char *sequence_of(const struct certificate *certificate, char *out)
{
    size_t len =
        (size_t)EVP_EncodeBlock((unsigned char *)out + 1, (const unsigned char *)certificate->der.data,
                                (int)certificate->der.len);
    out[0] = ':';
    memcpy(out + 1 + len, ":", 2);
    return out;
}

/* ---- names ---- */

static void a_field_that_is_no_identity_field_has_no_id(void **state)
{
    static const char *const names[] = {"",
                                        "Host",
                                        "X-SSL-Client",
                                        "X_SSL_Client_DN",
                                        "X-SSL-Client-DN ",
                                        "client.cert",
                                        "X-Forwarded-For",
                                        "Cookie"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(forward_identity(slice_of(names[i])), HEADER_OTHER);
}

static void every_identity_field_is_named_once(void **state)
{
    uint64_t found = 0, expected = 0;
    (void)state;
    for (const char *const *name = forward_identity_names(); *name; name++) {
        enum field_id id = forward_identity(slice_of(*name));
        assert_int_not_equal(id, HEADER_OTHER);
        assert_false(found >> id & 1);
        found |= 1ull << id;
    }
    for (unsigned id = HEADER_OTHER + 1; id < HEADER_COUNT; id++)
        expected |= (uint64_t)identity(id) << id;
    assert_true(found == expected);
    assert_int_equal(forward_identity(slice_of("x-ssl-CLIENT-dn")), HEADER_X_SSL_CLIENT_DN);
}

/* ---- nothing to say ---- */

static void without_a_certificate_only_verify_speaks(void **state)
{
    struct world *world = *state;
    for (unsigned id = HEADER_OTHER + 1; id < HEADER_COUNT; id++)
        if (identity(id) && id != HEADER_X_SSL_CLIENT_VERIFY)
            assert_null(value_with(world, (enum field_id)id, 0));
    assert_string_equal(value_with(world, HEADER_X_SSL_CLIENT_VERIFY, 0), "NONE");
}

static void what_is_no_identity_field_adds_nothing(void **state)
{
    struct world *world = *state;
    for (unsigned id = HEADER_OTHER; id < HEADER_COUNT; id++)
        if (!identity(id))
            assert_null(value_of(world, (enum field_id)id));
}

static void a_chain_of_leaf_and_anchor_has_nothing_between(void **state)
{
    assert_null(value_with(*state, HEADER_CLIENT_CERT_CHAIN, 1));
    assert_null(value_with(*state, HEADER_CLIENT_CERT_CHAIN, 2));
}

/* ---- bytes that must not pass ---- */

static void no_value_holds_a_byte_outside_printable_ascii(void **state)
{
    struct world *world = *state;
    for (unsigned id = HEADER_OTHER + 1; id < HEADER_COUNT; id++) {
        if (!identity(id))
            continue;
        const char *value = value_of(world, (enum field_id)id);
        assert_non_null(value);
        for (; *value; value++)
            assert_in_range(*value, 0x20, 0x7e);
        assert_int_equal(value - world->value, world->head.fields[0].value.len);
    }
}

static void a_name_is_escaped_to_ascii_and_ends_as_it_ends(void **state)
{
    assert_string_equal(value_of(*state, HEADER_X_SSL_CLIENT_DN), "CN=\\C3\\84 x\\ ,O=a\\, \\\"b\\\" \\\\");
}

static void blank_at_end(X509_NAME *name)
{
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)"admin ", -1, -1, 0);
}

static void a_blank_that_ends_a_name_is_not_cut_off(void **state)
{
    struct world *world = *state;
    OPENSSL_free(world->der[0]);
    pki_free(&world->made[0]);
    for (int i = 1; i < CHAIN; i++)
        OPENSSL_free(world->der[i]);
    world->made[0] = pki_make((struct pki_spec){.name = blank_at_end, .issuer = &world->made[1]});
    open_chain(world);
    assert_string_equal(value_of(world, HEADER_X_SSL_CLIENT_DN), "CN=admin\\20");
}

/* ---- values ---- */

static void a_proven_certificate_is_a_success(void **state)
{
    assert_string_equal(value_of(*state, HEADER_X_SSL_CLIENT_VERIFY), "SUCCESS");
    assert_string_equal(value_with(*state, HEADER_X_SSL_CLIENT_VERIFY, 1), "SUCCESS");
}

static void the_issuer_is_the_leafs(void **state)
{
    assert_string_equal(value_of(*state, HEADER_X_SSL_CLIENT_ISSUER), "CN=inner,O=Test");
}

static void the_serial_is_upper_case_hex(void **state)
{
    assert_string_equal(value_of(*state, HEADER_X_SSL_CLIENT_SERIAL), "ABCDEF");
}

static void the_digest_is_lower_case_hex_of_the_leaf(void **state)
{
    struct world *world = *state;
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char hex[2 * SHA256_DIGEST_LENGTH + 1];
    struct text text;
    SHA256(world->der[0], world->chain[0].der.len, digest);
    text_init(&text, hex, sizeof(hex));
    text_hex(&text, digest, sizeof(digest), false);
    assert_string_equal(value_of(world, HEADER_X_SSL_CLIENT_SHA256), hex);
}

static void the_end_of_validity_is_a_time(void **state)
{
    struct world *world = *state;
    world->chain[0].not_after = 1798859045;
    assert_string_equal(value_of(world, HEADER_X_SSL_CLIENT_NOTAFTER), "2027-01-02T03:04:05Z");
}

static void the_percent_encoded_certificate_decodes_to_its_pem(void **state)
{
    struct world *world = *state;
    char *pem = pki_pem(&world->made[0], NULL), decoded[8192];
    size_t len = 0;
    for (const char *at = value_of(world, HEADER_X_SSL_CLIENT_CERT); *at; at++) {
        unsigned byte = (unsigned char)*at;
        assert_null(strchr("+/= \n", *at));
        if (byte == '%') {
            assert_int_equal(sscanf(at + 1, "%2X", &byte), 1);
            at += 2;
        }
        decoded[len++] = (char)byte;
    }
    decoded[len] = '\0';
    assert_string_equal(decoded, pem);
    free(pem);
}

static void client_cert_is_the_leaf_between_colons(void **state)
{
    struct world *world = *state;
    char expected[8192];
    assert_string_equal(value_of(world, HEADER_CLIENT_CERT), sequence_of(&world->chain[0], expected));
}

static void client_cert_chain_is_what_stands_between_leaf_and_anchor(void **state)
{
    struct world *world = *state;
    char expected[16384];
    sequence_of(&world->chain[1], expected);
    strcat(expected, ", ");
    sequence_of(&world->chain[2], expected + strlen(expected));
    assert_string_equal(value_of(world, HEADER_CLIENT_CERT_CHAIN), expected);
}

/* ---- within a request ---- */

static void a_request_gets_the_fields_asked_for_and_no_others(void **state)
{
    struct world *world = *state;
    struct addr client;
    const char *why;
    assert_true(addr_parse("127.0.0.1:1", &client, &why));
    struct forward_facts facts = {.client = &client,
                                  .identity = 1ull << HEADER_X_SSL_CLIENT_SERIAL | 1ull << HEADER_COOKIE |
                                              1ull << HEADER_CLIENT_CERT_CHAIN,
                                  .chain = world->chain,
                                  .chain_len = 2};
    assert_true(http_head_add(&world->head, slice_of("Client-Cert-Chain"), slice_of("forged")));
    assert_true(http_head_add(&world->head, slice_of("Cookie"), slice_of("a")));
    assert_true(http_head_add(&world->head, slice_of("X_SSL_Client_Serial"), slice_of("01")));
    assert_true(forward_request(&world->head, &facts));
    for (unsigned i = 0; i < world->head.count; i++)
        if (!world->head.fields[i].gone && identity(world->head.fields[i].id))
            assert_true(slice_is(head_value(&world->head, &world->head.fields[i]), "ABCDEF"));
    assert_non_null(http_head_find(&world->head, HEADER_X_SSL_CLIENT_SERIAL));
    assert_non_null(http_head_find(&world->head, HEADER_COOKIE));
    assert_null(http_head_find(&world->head, HEADER_CLIENT_CERT_CHAIN));
}

/* ---- encodings ---- */

static void collect(void *sink, struct slice piece)
{
    text_add(sink, piece);
}

static void base64_of_every_length_is_openssls(void **state)
{
    unsigned char bytes[2000];
    char expected[3000], got[3000];
    struct text text;
    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 167 + i / 256);
    for (size_t len = 0; len < sizeof(bytes); len++) {
        expected[0] = '\0';
        EVP_EncodeBlock((unsigned char *)expected, bytes, (int)len);
        text_init(&text, got, sizeof(got));
        encode_base64(slice_make(bytes, len), collect, &text);
        assert_string_equal(got, expected);
    }
}

static void times_are_what_the_system_says(void **state)
{
    static const int64_t fixed[] = {0,         -1,         951782399,    951782400,
                                    951868800, 4107542400, 253402300799, -62135596800};
    char expected[40], got[40];
    struct text text;
    struct tm tm;
    (void)state;
    for (int i = 0; i < 2000; i++) {
        time_t seconds = i < 8 ? fixed[i] : (time_t)i * 43199999;
        gmtime_r(&seconds, &tm);
        snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02dZ", (tm.tm_year + 1900) % 10000,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        text_init(&text, got, sizeof(got));
        encode_time(seconds, &text);
        assert_string_equal(got, expected);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_field_that_is_no_identity_field_has_no_id),
        cmocka_unit_test(every_identity_field_is_named_once),
        TEST(without_a_certificate_only_verify_speaks),
        TEST(what_is_no_identity_field_adds_nothing),
        TEST(a_chain_of_leaf_and_anchor_has_nothing_between),
        TEST(no_value_holds_a_byte_outside_printable_ascii),
        TEST(a_name_is_escaped_to_ascii_and_ends_as_it_ends),
        TEST(a_blank_that_ends_a_name_is_not_cut_off),
        TEST(a_proven_certificate_is_a_success),
        TEST(the_issuer_is_the_leafs),
        TEST(the_serial_is_upper_case_hex),
        TEST(the_digest_is_lower_case_hex_of_the_leaf),
        TEST(the_end_of_validity_is_a_time),
        TEST(the_percent_encoded_certificate_decodes_to_its_pem),
        TEST(client_cert_is_the_leaf_between_colons),
        TEST(client_cert_chain_is_what_stands_between_leaf_and_anchor),
        TEST(a_request_gets_the_fields_asked_for_and_no_others),
        cmocka_unit_test(base64_of_every_length_is_openssls),
        cmocka_unit_test(times_are_what_the_system_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
