#include "tests/unit/test_tls_pki.h"

#include <openssl/sha.h>

#include "lb/tls/certificate.h"
#include "lb/tls/crl.h"

/* What an op emitted, one value behind the other, each ended by '|'. */
struct gathered {
    char text[8192];
    size_t len, values;
};

static void gather(void *sink, struct slice value)
{
    struct gathered *gathered = sink;
    assert_true(gathered->len + value.len + 1 < sizeof gathered->text);
    memcpy(gathered->text + gathered->len, value.data, value.len);
    gathered->len += value.len;
    gathered->text[gathered->len++] = '|';
    gathered->text[gathered->len] = '\0';
    gathered->values++;
}

struct opened {
    struct pki_cert made;
    unsigned char *der;
    struct certificate certificate;
};

/* On the heap with its exact size, so that a sanitizer sees each byte read too far. */
static struct opened open_made(struct pki_cert made)
{
    struct opened out = {.made = made};
    unsigned char *der;
    const char *why;
    size_t len = pki_der(&made, &der);
    out.der = malloc(len);
    memcpy(out.der, der, len);
    OPENSSL_free(der);
    if (!certificate_open(slice_make(out.der, len), &out.certificate, &why))
        fail_msg("%s", why);
    return out;
}

static void close_made(struct opened *opened)
{
    pki_free(&opened->made);
    free(opened->der);
}

static const char *values_of(const struct opened *opened, enum script_field field, const char *key,
                             struct gathered *into)
{
    *into = (struct gathered){.len = 0};
    assert_true(certificate_ops.values(&opened->certificate, field, slice_of(key), gather, into));
    return into->text;
}

static void expect_values(const struct opened *opened, enum script_field field, const char *key,
                          const char *expected)
{
    struct gathered got;
    assert_string_equal(values_of(opened, field, key, &got), expected);
}

static void add(X509_NAME *name, const char *type, int kind, const char *value, int set)
{
    assert_true(X509_NAME_add_entry_by_txt(name, type, kind, (const unsigned char *)value, (int)strlen(value),
                                           -1, set));
}

static void expect_malformed(struct pki_spec spec, const char *why_part)
{
    struct pki_cert made = pki_make(spec);
    struct certificate certificate;
    unsigned char *der;
    const char *why;
    size_t len = pki_der(&made, &der);
    assert_false(certificate_open(slice_make(der, len), &certificate, &why));
    assert_non_null(strstr(why, why_part));
    OPENSSL_free(der);
    pki_free(&made);
}

/* ---- malformed ---- */

static void every_cut_off_certificate_is_refused(void **state)
{
    (void)state;
    struct opened good = open_made(
        pki_make((struct pki_spec){.cn = "a", .san = "DNS:a.example", .usage = "digitalSignature"}));
    struct slice whole = good.certificate.der;
    for (size_t len = 0; len < whole.len; len++) {
        struct certificate certificate;
        const char *why;
        char *copy = malloc(len ? len : 1);
        memcpy(copy, whole.data, len);
        assert_false(certificate_open(slice_make(copy, len), &certificate, &why));
        assert_non_null(why);
        free(copy);
    }
    close_made(&good);
}

static void bytes_behind_a_certificate_are_refused(void **state)
{
    (void)state;
    struct opened good = open_made(pki_make((struct pki_spec){.cn = "a"}));
    size_t len = good.certificate.der.len;
    char *longer = calloc(1, len + 1);
    struct certificate certificate;
    const char *why;
    memcpy(longer, good.certificate.der.data, len);
    assert_false(certificate_open(slice_make(longer, len + 1), &certificate, &why));
    free(longer);
    close_made(&good);
}

static void any_changed_byte_is_read_safely(void **state)
{
    (void)state;
    struct opened good =
        open_made(pki_make((struct pki_spec){.cn = "a",
                                             .san = "DNS:a.example,IP:10.0.0.1,URI:spiffe://x/y",
                                             .usage = "digitalSignature",
                                             .purpose = "clientAuth"}));
    size_t len = good.certificate.der.len;
    for (size_t i = 0; i < len; i++)
        for (unsigned mask = 1; mask < 256; mask = mask * 2 + 1) {
            struct certificate certificate;
            const char *why;
            good.der[i] ^= (unsigned char)mask;
            if (certificate_open(slice_make(good.der, len), &certificate, &why))
                for (int field = FIELD_SUBJECT_ATTRIBUTE; field <= FIELD_EXTENSION; field++) {
                    struct gathered got = {.len = 0};
                    certificate_ops.values(&certificate, (enum script_field)field, slice_of("CN"), gather,
                                           &got);
                }
            good.der[i] ^= (unsigned char)mask;
        }
    close_made(&good);
}

static void nul_name(X509_NAME *name)
{
    X509_NAME_add_entry_by_txt(name, "CN", V_ASN1_UTF8STRING, (const unsigned char *)"a\0b", 3, -1, 0);
}

static void c1_name(X509_NAME *name)
{
    add(name, "CN", V_ASN1_UTF8STRING,
        "a\xc2\x9b"
        "b",
        0);
}

/* A name with `bytes` in it, which libcrypto would not write: they take the place of as many capital Qs. */
static void expect_bytes_refused(const char *bytes)
{
    struct pki_cert made = pki_make((struct pki_spec){.cn = "aQQb"});
    struct certificate certificate;
    unsigned char *der;
    const char *why;
    size_t len = pki_der(&made, &der);
    for (unsigned char *at = der; (at = memmem(at, len - (size_t)(at - der), "aQQb", 4)) != NULL; at++)
        memcpy(at + 1, bytes, 2);
    assert_false(certificate_open(slice_make(der, len), &certificate, &why));
    assert_non_null(strstr(why, "not encoded"));
    OPENSSL_free(der);
    pki_free(&made);
}

static void controls_and_bad_encodings_in_names_are_refused(void **state)
{
    (void)state;
    expect_malformed((struct pki_spec){.name = nul_name}, "control");
    expect_malformed((struct pki_spec){.name = c1_name}, "control");
    expect_bytes_refused("\xff"
                         "a");
    expect_bytes_refused("\xc0\xae");
    expect_bytes_refused("\x80\x80");
    expect_bytes_refused("a\xe2");
}

/* A certificate whose one DNS name has `bytes`. */
static void expect_san_refused(const char *bytes, int len)
{
    struct pki_cert made = pki_make((struct pki_spec){.cn = "a"});
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    struct certificate certificate;
    const char *why;
    unsigned char *der;
    ASN1_STRING_set(text, bytes, len);
    GENERAL_NAME_set0_value(name, GEN_DNS, text);
    sk_GENERAL_NAME_push(names, name);
    X509_add1_ext_i2d(made.x509, NID_subject_alt_name, names, 0, 0);
    X509_sign(made.x509, made.key, EVP_sha256());
    size_t size = pki_der(&made, &der);
    assert_false(certificate_open(slice_make(der, size), &certificate, &why));
    assert_non_null(strstr(why, "control"));
    OPENSSL_free(der);
    GENERAL_NAMES_free(names);
    pki_free(&made);
}

static void controls_in_alternative_names_are_refused(void **state)
{
    (void)state;
    expect_san_refused("good.example\0.evil.example", 26);
    expect_san_refused("good\nexample", 12);
    expect_san_refused("g\xc3\xbc"
                       "t",
                       4);
}

static void an_extension_that_comes_twice_is_refused(void **state)
{
    (void)state;
    struct pki_cert made = pki_make((struct pki_spec){.cn = "a", .purpose = "clientAuth"});
    X509_EXTENSION *twice = X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage, "serverAuth");
    struct certificate certificate;
    const char *why;
    unsigned char *der;
    X509_add_ext(made.x509, twice, -1);
    X509_sign(made.x509, made.key, EVP_sha256());
    size_t size = pki_der(&made, &der);
    assert_false(certificate_open(slice_make(der, size), &certificate, &why));
    assert_string_equal(why, "an extension comes twice");
    X509_EXTENSION_free(twice);
    OPENSSL_free(der);
    pki_free(&made);
}

/* ---- names ---- */

static void plain_name(X509_NAME *name)
{
    add(name, "C", MBSTRING_UTF8, "DE", 0);
    add(name, "O", MBSTRING_UTF8, "Exa, mple+\"Co\"", 0);
    add(name, "OU", MBSTRING_UTF8, "first", 0);
    add(name, "OU", MBSTRING_UTF8, " second;<x>\\ ", 0);
    add(name, "CN", MBSTRING_UTF8, "#J\xc3\xbcrgen", 0);
    add(name, "emailAddress", MBSTRING_UTF8, "j@example.com", 0);
}

static void names_are_written_as_rfc_4514_says(void **state)
{
    (void)state;
    struct opened opened = open_made(pki_make((struct pki_spec){.name = plain_name}));
    expect_values(&opened, FIELD_SUBJECT_TEXT, "",
                  "emailAddress=j@example.com,CN=\\#J\xc3\xbcrgen,OU=\\ second\\;\\<x\\>\\\\\\ ,OU=first,"
                  "O=Exa\\, mple\\+\\\"Co\\\",C=DE|");
    expect_values(&opened, FIELD_SUBJECT_ATTRIBUTE, "OU", "first| second;<x>\\ |");
    expect_values(&opened, FIELD_SUBJECT_ATTRIBUTE, "2.5.4.11", "first| second;<x>\\ |");
    expect_values(&opened, FIELD_SUBJECT_ATTRIBUTE, "emailAddress", "j@example.com|");
    expect_values(&opened, FIELD_SUBJECT_ATTRIBUTE, "ou", "");
    expect_values(&opened, FIELD_SUBJECT_ATTRIBUTE, "L", "");
    expect_values(&opened, FIELD_ISSUER_ATTRIBUTE, "C", "DE|");
    close_made(&opened);
}

static void multi_name(X509_NAME *name)
{
    add(name, "O", MBSTRING_UTF8, "org", 0);
    add(name, "CN", MBSTRING_UTF8, "both", 0);
    add(name, "UID", MBSTRING_UTF8, "u1", -1);
}

static void attributes_of_one_part_are_joined_by_a_plus(void **state)
{
    (void)state;
    struct opened opened = open_made(pki_make((struct pki_spec){.name = multi_name}));
    struct gathered got;
    const char *text = values_of(&opened, FIELD_SUBJECT_TEXT, "", &got);
    assert_true(strcmp(text, "CN=both+UID=u1,O=org|") == 0 || strcmp(text, "UID=u1+CN=both,O=org|") == 0);
    expect_values(&opened, FIELD_SUBJECT_ATTRIBUTE, "UID", "u1|");
    close_made(&opened);
}

static void old_string_name(X509_NAME *name)
{
    static const unsigned char wide[] = {0, 'W', 0x20, 0xac};
    static const unsigned char wider[] = {0, 0, 0, 'U', 0, 1, 0xf6, 0};
    add(name, "O", V_ASN1_T61STRING, "M\xfcller", 0);
    X509_NAME_add_entry_by_txt(name, "OU", V_ASN1_BMPSTRING, wide, sizeof wide, -1, 0);
    X509_NAME_add_entry_by_txt(name, "L", V_ASN1_UNIVERSALSTRING, wider, sizeof wider, -1, 0);
    add(name, "CN", V_ASN1_PRINTABLESTRING, "plain", 0);
}

static void old_string_types_become_utf8(void **state)
{
    (void)state;
    struct opened opened = open_made(pki_make((struct pki_spec){.name = old_string_name}));
    expect_values(&opened, FIELD_SUBJECT_ATTRIBUTE, "O", "M\xc3\xbcller|");
    expect_values(&opened, FIELD_SUBJECT_ATTRIBUTE, "OU", "W\xe2\x82\xac|");
    expect_values(&opened, FIELD_SUBJECT_ATTRIBUTE, "L", "U\xf0\x9f\x98\x80|");
    expect_values(&opened, FIELD_SUBJECT_TEXT, "",
                  "CN=plain,L=U\xf0\x9f\x98\x80,OU=W\xe2\x82\xac,O=M\xc3\xbcller|");
    close_made(&opened);
}

static void odd_name(X509_NAME *name)
{
    add(name, "1.3.6.1.4.1.99999.7", V_ASN1_UTF8STRING, "odd", 0);
}

static void unknown_attribute_types_are_dotted_with_hex(void **state)
{
    (void)state;
    struct opened opened = open_made(pki_make((struct pki_spec){.name = odd_name}));
    expect_values(&opened, FIELD_SUBJECT_TEXT, "", "1.3.6.1.4.1.99999.7=#0c036f6464|");
    expect_values(&opened, FIELD_SUBJECT_ATTRIBUTE, "1.3.6.1.4.1.99999.7", "odd|");
    close_made(&opened);
}

static void a_text_is_cut_to_the_room_there_is(void **state)
{
    (void)state;
    struct opened opened = open_made(pki_make((struct pki_spec){.cn = "somebody"}));
    char text[6];
    assert_string_equal(certificate_subject(&opened.certificate, text, sizeof text), "CN=so");
    close_made(&opened);
}

/* ---- other facts ---- */

static void alternative_names_come_by_type(void **state)
{
    (void)state;
    struct opened opened = open_made(pki_make((struct pki_spec){
        .cn = "a",
        .san =
            "DNS:a.example,DNS:b.example,email:x@y.example,URI:spiffe://td/w,IP:10.1.2.3,IP:2001:db8::1"}));
    expect_values(&opened, FIELD_SAN_DNS, "", "a.example|b.example|");
    expect_values(&opened, FIELD_SAN_EMAIL, "", "x@y.example|");
    expect_values(&opened, FIELD_SAN_URI, "", "spiffe://td/w|");
    expect_values(&opened, FIELD_SAN_IP, "", "10.1.2.3|2001:db8::1|");
    expect_values(&opened, FIELD_SPIFFE_ID, "", "spiffe://td/w|");
    close_made(&opened);
}

static void two_uris_make_no_spiffe_id(void **state)
{
    (void)state;
    struct opened opened =
        open_made(pki_make((struct pki_spec){.cn = "a", .san = "URI:spiffe://td/w,URI:https://x"}));
    expect_values(&opened, FIELD_SPIFFE_ID, "", "");
    close_made(&opened);
    opened = open_made(pki_make((struct pki_spec){.cn = "a", .san = "URI:https://x"}));
    expect_values(&opened, FIELD_SPIFFE_ID, "", "");
    close_made(&opened);
}

static void usages_have_their_names_of_rfc_5280(void **state)
{
    (void)state;
    struct opened opened =
        open_made(pki_make((struct pki_spec){.cn = "a",
                                             .usage = "digitalSignature,keyAgreement,decipherOnly",
                                             .purpose = "clientAuth,1.3.6.1.4.1.99999.5"}));
    expect_values(&opened, FIELD_KEY_USAGE, "", "digitalSignature|keyAgreement|decipherOnly|");
    expect_values(&opened, FIELD_EXTENDED_KEY_USAGE, "", "clientAuth|1.3.6.1.4.1.99999.5|");
    expect_values(&opened, FIELD_POLICIES, "", "");
    close_made(&opened);
}

static void policies_and_any_extension_can_be_read(void **state)
{
    (void)state;
    struct pki_cert made = pki_make((struct pki_spec){.cn = "a", .critical = "value"});
    CONF *none = NCONF_new(NULL);
    X509V3_CTX context;
    X509V3_set_ctx(&context, made.x509, made.x509, NULL, NULL, 0);
    X509V3_set_nconf(&context, none);
    X509_EXTENSION *policies =
        X509V3_EXT_nconf_nid(none, &context, NID_certificate_policies, "1.2.3.4,2.5.29.32.0");
    assert_non_null(policies);
    X509_add_ext(made.x509, policies, -1);
    X509_EXTENSION_free(policies);
    NCONF_free(none);
    X509_sign(made.x509, made.key, EVP_sha256());
    struct opened opened = open_made(made);
    expect_values(&opened, FIELD_POLICIES, "", "1.2.3.4|2.5.29.32.0|");
    expect_values(&opened, FIELD_EXTENSION, "1.3.6.1.4.1.99999.1", "value|");
    expect_values(&opened, FIELD_EXTENSION, "1.3.6.1.4.1.99999.2", "");
    close_made(&opened);
}

static void keys_tell_their_type_and_size(void **state)
{
    (void)state;
    static const struct {
        enum pki_key key;
        const char *name;
        int64_t bits;
    } kinds[] = {{PKI_EC, "EC|", 256},
                 {PKI_RSA, "RSA|", 2048},
                 {PKI_RSA1024, "RSA|", 1024},
                 {PKI_ED25519, "ED25519|", 256}};
    for (size_t i = 0; i < 4; i++) {
        struct opened opened = open_made(pki_make((struct pki_spec){.cn = "a", .key = kinds[i].key}));
        int64_t bits;
        const char *what;
        expect_values(&opened, FIELD_KEY_TYPE, "", kinds[i].name);
        assert_true(certificate_ops.number(&opened.certificate, FIELD_KEY_BITS, &bits));
        assert_int_equal(bits, kinds[i].bits);
        assert_int_equal(certificate_weak(&opened.certificate, &what), kinds[i].key == PKI_RSA1024);
        close_made(&opened);
    }
}

static void serial_and_dates_are_told(void **state)
{
    (void)state;
    struct opened opened =
        open_made(pki_make((struct pki_spec){.cn = "a", .serial = 0x80ff01, .from = -100, .until = 100}));
    int64_t from, until, now = time(NULL);
    char text[32];
    expect_values(&opened, FIELD_SERIAL, "", "80FF01|");
    assert_string_equal(certificate_serial(&opened.certificate, text, sizeof text), "80FF01");
    assert_true(certificate_ops.number(&opened.certificate, FIELD_NOT_BEFORE, &from));
    assert_true(certificate_ops.number(&opened.certificate, FIELD_NOT_AFTER, &until));
    assert_int_equal(until - from, 200);
    assert_true(from >= now - 110 && from <= now);
    assert_false(certificate_ops.number(&opened.certificate, FIELD_SERIAL, &from));
    close_made(&opened);
}

static void far_dates_are_read_right(void **state)
{
    (void)state;
    struct pki_cert made = pki_make((struct pki_spec){.cn = "a"});
    ASN1_TIME_set_string(X509_getm_notBefore(made.x509), "19991231235959Z");
    ASN1_TIME_set_string(X509_getm_notAfter(made.x509), "99991231235959Z");
    X509_sign(made.x509, made.key, EVP_sha256());
    struct opened opened = open_made(made);
    assert_int_equal(opened.certificate.not_before, 946684799);
    assert_true(opened.certificate.not_after == 253402300799);
    close_made(&opened);
}

static void hex_digest(const void *bytes, size_t len, const EVP_MD *type, char *out)
{
    unsigned char digest[64];
    unsigned size;
    EVP_Digest(bytes, len, digest, &size, type, NULL);
    for (unsigned i = 0; i < size; i++)
        sprintf(out + 2 * i, "%02x", digest[i]);
    strcat(out, "|");
}

static void fingerprints_are_those_of_openssl(void **state)
{
    (void)state;
    struct opened opened = open_made(pki_make((struct pki_spec){.cn = "a"}));
    struct slice der = opened.certificate.der;
    char expected[160], text[80];
    hex_digest(der.data, der.len, EVP_sha256(), expected);
    expect_values(&opened, FIELD_SHA256, "", expected);
    certificate_sha256(&opened.certificate, text, sizeof text);
    assert_memory_equal(text, expected, 64);
    hex_digest(der.data, der.len, EVP_sha1(), expected);
    expect_values(&opened, FIELD_SHA1, "", expected);
    unsigned char *spki = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(opened.made.x509), &spki);
    hex_digest(spki, (size_t)len, EVP_sha256(), expected);
    expect_values(&opened, FIELD_SPKI_SHA256, "", expected);
    OPENSSL_free(spki);
    close_made(&opened);
}

static void pem_is_that_of_openssl_and_can_be_read_again(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        char cn[8] = "aaaaaa";
        cn[i] = '\0';
        struct opened opened = open_made(pki_make((struct pki_spec){.cn = i ? cn : "z"}));
        struct gathered got;
        values_of(&opened, FIELD_PEM, "", &got);
        char *expected = pki_pem(&opened.made, NULL), *room = malloc(strlen(expected));
        got.text[got.len - 1] = '\0';
        assert_string_equal(got.text, expected);
        struct slice pem = slice_of(expected);
        const char *why;
        size_t len;
        assert_true(certificate_next_pem(&pem, room, &len, &why));
        assert_true(slice_equal(slice_make(room, len), opened.certificate.der));
        assert_false(certificate_next_pem(&pem, room, &len, &why));
        assert_null(why);
        free(room);
        free(expected);
        close_made(&opened);
    }
}

static void weak_signatures_are_named(void **state)
{
    (void)state;
    struct opened opened = open_made(pki_make((struct pki_spec){.cn = "a", .sha1 = true}));
    const char *what;
    assert_true(certificate_weak(&opened.certificate, &what));
    assert_string_equal(what, "it is signed with SHA-1");
    close_made(&opened);
    opened = open_made(pki_make((struct pki_spec){.cn = "a", .sha1 = true, .key = PKI_RSA}));
    assert_true(certificate_weak(&opened.certificate, &what));
    close_made(&opened);
}

static void issuers_are_found_by_name_and_key(void **state)
{
    (void)state;
    struct pki_cert root = pki_root("Root"), twin = pki_root("Root");
    struct opened leaf = open_made(pki_client("a", &root)), a = open_made(root), b = open_made(twin);
    assert_true(certificate_issued_by(&leaf.certificate, &a.certificate));
    assert_false(certificate_issued_by(&leaf.certificate, &b.certificate));
    assert_false(certificate_issued_by(&a.certificate, &leaf.certificate));
    assert_true(certificate_self_issued(&a.certificate));
    assert_false(certificate_self_issued(&leaf.certificate));
    close_made(&leaf);
    close_made(&a);
    close_made(&b);
}

/* ---- PEM and CRLs ---- */

static void broken_pem_is_told(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "-----BEGIN CERTIFICATE-----\nAAAA\n",
        "-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nA=AA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAA*A\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE\n-----\nAAAA\n-----END CERTIFICATE-----\n",
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct slice pem = slice_of(broken[i]);
        char room[128];
        size_t len;
        const char *why;
        assert_false(certificate_next_pem(&pem, room, &len, &why));
        assert_non_null(why);
    }
}

static void a_crl_finds_its_serials(void **state)
{
    (void)state;
    struct pki_cert root = pki_root("Root");
    X509_CRL *made = X509_CRL_new();
    ASN1_TIME *now = ASN1_TIME_set(NULL, 1000000000);
    X509_CRL_set_version(made, 1);
    X509_CRL_set_issuer_name(made, X509_get_subject_name(root.x509));
    X509_CRL_set1_lastUpdate(made, now);
    for (int i = 0; i < 300; i++) {
        X509_REVOKED *entry = X509_REVOKED_new();
        ASN1_INTEGER *serial = ASN1_INTEGER_new();
        ASN1_INTEGER_set(serial, (i * 7919) % 100003 + 1);
        X509_REVOKED_set_serialNumber(entry, serial);
        X509_REVOKED_set_revocationDate(entry, now);
        X509_CRL_add0_revoked(made, entry);
        ASN1_INTEGER_free(serial);
    }
    X509_CRL_sign(made, root.key, EVP_sha256());
    unsigned char *der = NULL;
    int len = i2d_X509_CRL(made, &der);
    struct crl crl;
    const char *why;
    assert_true(crl_open(slice_make(der, (size_t)len), &crl, &why));
    assert_int_equal(crl.this_update, 1000000000);
    assert_true(crl.next_update == CRL_NEVER);
    assert_int_equal(crl.count, 300);
    unsigned listed = 0;
    for (unsigned serial = 1; serial <= 100003; serial++) {
        unsigned char bytes[4] = {0, (unsigned char)(serial >> 16), (unsigned char)(serial >> 8),
                                  (unsigned char)serial};
        listed += crl_lists(&crl, slice_make(bytes, sizeof bytes));
    }
    assert_int_equal(listed, 300);
    crl_close(&crl);
    for (int cut = 0; cut < len; cut += 13)
        assert_false(crl_open(slice_make(der, (size_t)cut), &crl, &why));
    OPENSSL_free(der);
    ASN1_TIME_free(now);
    X509_CRL_free(made);
    pki_free(&root);
}

static void expect_crl_refused(int nid, const char *value, const char *text)
{
    struct pki_cert root = pki_root("Root");
    X509_CRL *made = pki_make_crl(&root, &root, NULL, -60, PKI_DAY);
    if (nid == NID_delta_crl) {
        ASN1_INTEGER *base = ASN1_INTEGER_new();
        ASN1_INTEGER_set(base, 1);
        X509_CRL_add1_ext_i2d(made, nid, base, 1, 0);
        ASN1_INTEGER_free(base);
    } else {
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
        assert_non_null(extension);
        X509_CRL_add_ext(made, extension, -1);
        X509_EXTENSION_free(extension);
    }
    X509_CRL_sign(made, root.key, EVP_sha256());
    unsigned char *der = NULL;
    int len = i2d_X509_CRL(made, &der);
    struct crl crl;
    const char *why = "";
    bool opened = crl_open(slice_make(der, (size_t)len), &crl, &why);
    if (text)
        assert_non_null(strstr(why, text));
    else {
        assert_true(opened && crl.partial);
        crl_close(&crl);
    }
    OPENSSL_free(der);
    X509_CRL_free(made);
    pki_free(&root);
}

static void delta_and_indirect_crls_are_refused_and_partial_ones_marked(void **state)
{
    (void)state;
    expect_crl_refused(NID_delta_crl, NULL, "delta");
    expect_crl_refused(NID_issuing_distribution_point, "critical,indirectCRL:TRUE", "indirect");
    expect_crl_refused(NID_issuing_distribution_point, "critical,onlyuser:TRUE", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_off_certificate_is_refused),
        cmocka_unit_test(bytes_behind_a_certificate_are_refused),
        cmocka_unit_test(any_changed_byte_is_read_safely),
        cmocka_unit_test(controls_and_bad_encodings_in_names_are_refused),
        cmocka_unit_test(controls_in_alternative_names_are_refused),
        cmocka_unit_test(an_extension_that_comes_twice_is_refused),
        cmocka_unit_test(names_are_written_as_rfc_4514_says),
        cmocka_unit_test(attributes_of_one_part_are_joined_by_a_plus),
        cmocka_unit_test(old_string_types_become_utf8),
        cmocka_unit_test(unknown_attribute_types_are_dotted_with_hex),
        cmocka_unit_test(a_text_is_cut_to_the_room_there_is),
        cmocka_unit_test(alternative_names_come_by_type),
        cmocka_unit_test(two_uris_make_no_spiffe_id),
        cmocka_unit_test(usages_have_their_names_of_rfc_5280),
        cmocka_unit_test(policies_and_any_extension_can_be_read),
        cmocka_unit_test(keys_tell_their_type_and_size),
        cmocka_unit_test(serial_and_dates_are_told),
        cmocka_unit_test(far_dates_are_read_right),
        cmocka_unit_test(fingerprints_are_those_of_openssl),
        cmocka_unit_test(pem_is_that_of_openssl_and_can_be_read_again),
        cmocka_unit_test(weak_signatures_are_named),
        cmocka_unit_test(issuers_are_found_by_name_and_key),
        cmocka_unit_test(broken_pem_is_told),
        cmocka_unit_test(a_crl_finds_its_serials),
        cmocka_unit_test(delta_and_indirect_crls_are_refused_and_partial_ones_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
