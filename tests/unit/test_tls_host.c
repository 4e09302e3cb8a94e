/* Which names a certificate is for: every pair here is one that somebody has got wrong before. */
#include "tests/unit/test_tls_pki.h"

#include "lb/tls/certificate.h"
#include "lb/tls/host_match.h"

static const struct {
    const char *pattern, *host;
} strangers[] = {
    {"example.com", "example.org"},
    {"example.com", "www.example.com"},
    {"www.example.com", "example.com"},
    {"example.com", "xexample.com"},
    {"example.com", "example.com.evil.test"},
    {"*.example.com", "example.com"},
    {"*.example.com", "a.b.example.com"},
    {"*.example.com", ".example.com"},
    {"*.example.com", "evil.test"},
    {"*.b.example.com", "a.c.example.com"},
    {"*", "example"},
    {"*", "example.com"},
    {"*.com", "example.com"},
    {"*.", "example."},
    {"*.*.com", "a.b.com"},
    {"*.*.example.com", "a.b.example.com"},
    {"a.*.example.com", "a.b.example.com"},
    {"www.*.com", "www.example.com"},
    {"w*.example.com", "www.example.com"},
    {"*w.example.com", "www.example.com"},
    {"w*w.example.com", "www.example.com"},
    {"**.example.com", "www.example.com"},
    {"*www.example.com", "www.example.com"},
    {"*example.com", "www.example.com"},
    {"xn--*.example.com", "xn--bcher-kva.example.com"},
    {"example.com.", "example.com"},
    {".example.com", "www.example.com"},
    {"example..com", "example..com"},
    {"", ""},
    {"", "example.com"},
    {"example.com", ""},
    {"example.com", "."},
    {"example.com", "example.com.."},
    {"*.example.com", "*.example.com"},
    {"ex ample.com", "ex ample.com"},
    {"b\xc3\xbc"
     "cher.example",
     "b\xc3\xbc"
     "cher.example"},
    {"example.com\n", "example.com\n"},
    {"127.0.0.1", "127.0.0.1"},
    {"*.0.0.1", "127.0.0.1"},
    {"::1", "::1"},
};

static void a_certificate_for_another_name_does_not_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
        if (host_matches_dns(slice_of(strangers[i].pattern), slice_of(strangers[i].host)))
            fail_msg("%s matches %s", strangers[i].pattern, strangers[i].host);
    }
}

static void a_name_with_a_nul_matches_nothing(void **state)
{
    (void)state;
    struct slice forged = SLICE_LITERAL("example.com\0.evil.test");
    assert_false(host_matches_dns(forged, SLICE_LITERAL("example.com")));
    assert_false(host_matches_dns(SLICE_LITERAL("example.com"), forged));
    assert_false(host_matches_dns(forged, forged));
    assert_false(host_matches_dns(SLICE_LITERAL("example.com\0"), SLICE_LITERAL("example.com")));
    assert_false(host_matches_dns(SLICE_LITERAL("*.evil.test\0"), SLICE_LITERAL("a.evil.test")));
    unsigned char ip[HOST_IP_MAX];
    assert_int_equal(host_ip(SLICE_LITERAL("127.0.0.1\0"), ip), 0);
}

static const struct {
    const char *pattern, *host;
} same[] = {
    {"example.com", "example.com"},         {"EXAMPLE.com", "example.COM"},
    {"example.com", "example.com."},        {"localhost", "localhost"},
    {"a_b.example.com", "a_b.example.com"}, {"*.example.com", "www.example.com"},
    {"*.EXAMPLE.com", "WWW.example.com."},  {"*.example.com", "xn--bcher-kva.example.com"},
    {"*.b.example.com", "a.b.example.com"},
};

static void a_certificate_for_the_name_matches(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        if (!host_matches_dns(slice_of(same[i].pattern), slice_of(same[i].host)))
            fail_msg("%s does not match %s", same[i].pattern, same[i].host);
}

static void labels_and_names_have_their_lengths(void **state)
{
    (void)state;
    char label[70], name[300];
    memset(label, 'a', sizeof label);
    assert_true(host_is_name(slice_make(label, 63)));
    assert_false(host_is_name(slice_make(label, 64)));
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = i % 2 ? '.' : 'a';
    assert_true(host_is_name(slice_make(name, 253)));
    assert_false(host_is_name(slice_make(name, 255)));
}

/* ---- certificates ---- */

static bool is_for(struct pki_spec spec, const char *host)
{
    struct certificate certificate;
    unsigned char *der;
    const char *why;
    spec.cn = spec.cn ? spec.cn : "x";
    struct pki_cert made = pki_make(spec);
    size_t len = pki_der(&made, &der);
    assert_true(certificate_open(slice_make(der, len), &certificate, &why));
    bool matches = host_matches_certificate(certificate.extensions, slice_of(host));
    OPENSSL_free(der);
    pki_free(&made);
    return matches;
}

static void a_common_name_never_counts(void **state)
{
    (void)state;
    assert_false(is_for((struct pki_spec){.cn = "example.com"}, "example.com"));
    assert_false(is_for((struct pki_spec){.cn = "example.com", .san = "DNS:other.test"}, "example.com"));
    assert_false(is_for((struct pki_spec){.cn = "127.0.0.1"}, "127.0.0.1"));
}

static void other_kinds_of_names_do_not_count(void **state)
{
    (void)state;
    assert_false(is_for((struct pki_spec){.san = "email:me@example.com"}, "example.com"));
    assert_false(is_for((struct pki_spec){.san = "URI:https://example.com/"}, "example.com"));
    assert_false(is_for((struct pki_spec){.san = "DNS:127.0.0.1"}, "127.0.0.1"));
    assert_false(is_for((struct pki_spec){.san = "IP:127.0.0.1"}, "localhost"));
}

static void another_address_does_not_match(void **state)
{
    (void)state;
    assert_false(is_for((struct pki_spec){.san = "IP:127.0.0.2"}, "127.0.0.1"));
    assert_false(is_for((struct pki_spec){.san = "IP:::1"}, "127.0.0.1"));
    assert_false(is_for((struct pki_spec){.san = "IP:127.0.0.1"}, "::1"));
    assert_false(is_for((struct pki_spec){.san = "IP:127.0.0.1"}, "::ffff:127.0.0.1"));
}

static void names_and_addresses_of_a_certificate_match(void **state)
{
    (void)state;
    static const char all[] = "email:a@b.test,DNS:one.test,DNS:*.two.test,IP:127.0.0.1,IP:fd00::1";
    assert_true(is_for((struct pki_spec){.san = all}, "one.test"));
    assert_true(is_for((struct pki_spec){.san = all}, "a.two.test"));
    assert_true(is_for((struct pki_spec){.san = all}, "127.0.0.1"));
    assert_true(is_for((struct pki_spec){.san = all}, "fd00:0:0::1"));
    assert_false(is_for((struct pki_spec){.san = all}, "two.test"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_for_another_name_does_not_match),
        cmocka_unit_test(a_name_with_a_nul_matches_nothing),
        cmocka_unit_test(a_certificate_for_the_name_matches),
        cmocka_unit_test(labels_and_names_have_their_lengths),
        cmocka_unit_test(a_common_name_never_counts),
        cmocka_unit_test(other_kinds_of_names_do_not_count),
        cmocka_unit_test(another_address_does_not_match),
        cmocka_unit_test(names_and_addresses_of_a_certificate_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
