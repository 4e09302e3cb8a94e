/* What servers are told about the certificate that lb shows. */
#include "tests/unit/test_tls_pki.h"

#include "lb/tls/own.h"

static struct tls_own own_of(const struct pki_cert *certificate)
{
    struct tls_own own;
    char *pem = pki_pem(certificate, NULL);
    struct tls_file file = {.data = pem, .len = strlen(pem)};
    own_read(&file, &own);
    free(pem);
    return own;
}

static void expect_own(enum pki_key issuer_key, enum pki_key key, const char *signature, const char *name,
                       const char *scheme)
{
    struct pki_cert issuer = pki_make((struct pki_spec){.cn = "root", .key = issuer_key});
    struct pki_cert leaf = pki_make((struct pki_spec){.cn = "leaf", .issuer = &issuer, .key = key});
    struct tls_own own = own_of(&leaf);
    assert_string_equal(own.signature, signature);
    assert_string_equal(own.key, name);
    assert_string_equal(own.scheme, scheme);
    pki_free(&leaf);
    pki_free(&issuer);
}

static void what_is_no_certificate_is_not_known(void **state)
{
    (void)state;
    static char key[] = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                broken[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    struct tls_file files[] = {{.data = NULL}, {.data = key}, {.data = broken}};
    for (size_t i = 0; i < 4; i++) {
        struct tls_own own;
        if (i < 3 && files[i].data)
            files[i].len = strlen(files[i].data);
        own_read(i < 3 ? &files[i] : NULL, &own);
        assert_string_equal(own.signature, "");
        assert_string_equal(own.key, "");
        assert_string_equal(own.scheme, "");
    }
}

static void the_issuers_key_names_the_signature(void **state)
{
    (void)state;
    expect_own(PKI_RSA, PKI_EC, "RSA-SHA256", "EC256", "ecdsa_secp256r1_sha256");
    expect_own(PKI_EC, PKI_EC, "ecdsa-with-SHA256", "EC256", "ecdsa_secp256r1_sha256");
    expect_own(PKI_ED25519, PKI_EC, "ED25519", "EC256", "ecdsa_secp256r1_sha256");
}

static void the_own_key_has_its_size_where_there_are_several(void **state)
{
    (void)state;
    expect_own(PKI_EC, PKI_RSA, "ecdsa-with-SHA256", "RSA2048", "");
    expect_own(PKI_EC, PKI_ED25519, "ecdsa-with-SHA256", "ED25519", "ed25519");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_certificate_is_not_known),
        cmocka_unit_test(the_issuers_key_names_the_signature),
        cmocka_unit_test(the_own_key_has_its_size_where_there_are_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
