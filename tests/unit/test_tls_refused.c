/* A client's own certificate: who is let in, who is not, with which reason and alert, in both versions. */
#include "tests/unit/test_tls_world.h"

/* ---- the leaf ---- */

static void a_client_without_certificate_is_refused(void **state)
{
    static const int alerts[] = {40, 116};
    struct server server;
    start(&server, *state);
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;
        meet(&server, &(struct client_spec){.version = VERSIONS[i]}, &meeting);
        assert_int_equal(meeting.result, TLS_FAILED);
        assert_int_equal(tls_session_failure(meeting.session)->reason, REASON_CERTIFICATE_MISSING);
        assert_int_equal(tls_session_failure(meeting.session)->alert_sent, alerts[i]);
        assert_int_equal(meeting.client.alert, alerts[i]);
        assert_null(tls_session_offered(meeting.session));
        part(&meeting);
    }
    server_stop(&server);
}

static void a_certificate_of_an_unknown_ca_is_refused(void **state)
{
    struct world *world = *state;
    expect_leaf_refused(world, (struct pki_spec){.issuer = &world->other_root},
                        (struct expected){REASON_CERTIFICATE_UNKNOWN_CA, 48,
                                          "CN=Other Root,O=Test is neither in"});
}

static void a_self_signed_certificate_is_refused(void **state)
{
    struct server server;
    struct pki_cert leaf = pki_make((struct pki_spec){.cn = "self"});
    start(&server, *state);
    expect_refused(&server, (struct client_spec){.leaf = &leaf},
                   (struct expected){REASON_CERTIFICATE_SELF_SIGNED, 48, "CN=self,O=Test is self-signed"});
    pki_free(&leaf);
    server_stop(&server);
}

static void a_self_signed_certificate_in_the_name_of_a_ca_is_refused(void **state)
{
    struct server server;
    struct pki_cert leaf = pki_make((struct pki_spec){.cn = "Root"});
    start(&server, *state);
    expect_refused(&server, (struct client_spec){.leaf = &leaf},
                   (struct expected){REASON_CERTIFICATE_SELF_SIGNED, 48, "CN=Root,O=Test is self-signed"});
    pki_free(&leaf);
    server_stop(&server);
}

static void a_ca_of_the_right_name_with_another_key_is_refused(void **state)
{
    struct pki_cert twin = pki_root("Root");
    expect_leaf_refused(*state, (struct pki_spec){.issuer = &twin},
                        (struct expected){REASON_CERTIFICATE_UNKNOWN_CA, 48, "with another key"});
    pki_free(&twin);
}

static void an_expired_certificate_is_refused(void **state)
{
    expect_leaf_refused(*state, (struct pki_spec){.from = -9 * PKI_DAY, .until = -PKI_DAY},
                        (struct expected){REASON_CERTIFICATE_EXPIRED, 45,
                                          "certificate CN=client,O=Test has expired on 20"});
}

static void a_certificate_of_tomorrow_is_refused(void **state)
{
    expect_leaf_refused(*state, (struct pki_spec){.from = PKI_DAY},
                        (struct expected){REASON_CERTIFICATE_NOT_YET_VALID, 45, "is not valid before 20"});
}

static void a_server_certificate_is_refused(void **state)
{
    expect_leaf_refused(*state, (struct pki_spec){.purpose = "serverAuth"},
                        (struct expected){REASON_CERTIFICATE_PURPOSE, 43, "lacks clientAuth"});
}

static void a_key_that_may_not_sign_is_refused(void **state)
{
    expect_leaf_refused(*state, (struct pki_spec){.usage = "critical,keyEncipherment"},
                        (struct expected){REASON_CERTIFICATE_PURPOSE, 43, "lacks digitalSignature"});
}

static void a_forged_signature_is_refused(void **state)
{
    struct world *world = *state;
    expect_leaf_refused(world, (struct pki_spec){.signer = &world->other_root},
                        (struct expected){REASON_CERTIFICATE_CHAIN_BROKEN, 42, "signature is not that of"});
}

static void a_sha1_signature_is_refused(void **state)
{
    expect_leaf_refused(*state, (struct pki_spec){.sha1 = true},
                        (struct expected){REASON_CERTIFICATE_WEAK, 42, "signed with SHA-1"});
}

static void a_short_rsa_key_is_refused(void **state)
{
    expect_leaf_refused(*state, (struct pki_spec){.key = PKI_RSA1024},
                        (struct expected){REASON_CERTIFICATE_WEAK, 42, "fewer than 2048 bits"});
}

static void an_unknown_critical_extension_is_refused(void **state)
{
    expect_leaf_refused(*state, (struct pki_spec){.critical = "?"},
                        (struct expected){REASON_CERTIFICATE_MALFORMED, 43, "critical extension"});
}

static void name_with_nul(X509_NAME *name)
{
    X509_NAME_add_entry_by_txt(name, "CN", V_ASN1_UTF8STRING, (const unsigned char *)"admin\0.evil", 11, -1,
                               0);
}

static void name_with_newline(X509_NAME *name)
{
    X509_NAME_add_entry_by_txt(name, "CN", V_ASN1_UTF8STRING, (const unsigned char *)"admin\nforged line", 17,
                               -1, 0);
}

static void controls_in_a_name_are_refused(void **state)
{
    struct expected expected = {REASON_CERTIFICATE_MALFORMED, 42, "control character"};
    expect_leaf_refused(*state, (struct pki_spec){.name = name_with_nul}, expected);
    expect_leaf_refused(*state, (struct pki_spec){.name = name_with_newline}, expected);
}

static void name_with_two_in_one_part(X509_NAME *name)
{
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)"a", -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "OU", MBSTRING_UTF8, (const unsigned char *)"b", -1, -1, -1);
}

/* wolfSSL cannot read them; what matters is that the refusal is a clear one. */
static void a_name_part_with_two_attributes_is_refused_as_unreadable(void **state)
{
    expect_leaf_refused(*state, (struct pki_spec){.name = name_with_two_in_one_part},
                        (struct expected){REASON_CERTIFICATE_MALFORMED, 42, "cannot be read"});
}

static void the_subject_offered_is_known_after_a_refusal(void **state)
{
    struct server server;
    struct world *world = *state;
    struct pki_cert leaf =
        pki_make((struct pki_spec){.cn = "mallory", .issuer = &world->other_root, .serial = 0xabc});
    start(&server, world);
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;
        char text[128];
        meet(&server, &(struct client_spec){.version = VERSIONS[i], .leaf = &leaf}, &meeting);
        assert_int_equal(meeting.result, TLS_FAILED);
        const struct certificate *offered = tls_session_offered(meeting.session);
        assert_non_null(offered);
        assert_string_equal(certificate_subject(offered, text, sizeof text), "CN=mallory,O=Test");
        assert_string_equal(certificate_serial(offered, text, sizeof text), "0ABC");
        part(&meeting);
    }
    pki_free(&leaf);
    server_stop(&server);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
/* OpenSSL refuses a key that does not fit its certificate: it changes after the look. */
static void swap_key(const struct pki_cert *certificate, const struct pki_cert *other)
{
    EVP_PKEY_assign(certificate->key, EVP_PKEY_EC, EVP_PKEY_get1_EC_KEY(other->key));
}
#pragma GCC diagnostic pop

static void a_certificate_without_its_key_proves_nothing(void **state)
{
    struct world *world = *state;
    struct server server;
    start(&server, world);
    for (int i = 0; i < 2; i++) {
        struct pki_cert stolen = pki_client("stolen", &world->root),
                        own = pki_make((struct pki_spec){.cn = "own"});
        struct meeting meeting = {.result = TLS_WANT};
        struct client_spec spec = {.version = VERSIONS[i], .leaf = &stolen};
        size_t count;
        client_start(&meeting.client, &spec);
        swap_key(&stolen, &own);
        meeting.session = tls_session_new(server.context, &server.scratch);
        do
            SSL_do_handshake(meeting.client.ssl);
        while (feed_server(&server, &meeting, 0));
        assert_int_equal(meeting.result, TLS_FAILED);
        assert_non_null(strstr(tls_session_failure(meeting.session)->text, "did not prove"));
        assert_null(tls_session_chain(meeting.session, &count));
        assert_int_equal(count, 0);
        part(&meeting);
        pki_free(&stolen);
        pki_free(&own);
    }
    server_stop(&server);
}

/* ---- optional mode ---- */

static void in_optional_mode_none_is_fine_but_a_bad_one_is_not(void **state)
{
    struct world *world = *state;
    struct server server;
    struct pki_cert bad = pki_client("bad", &world->other_root);
    struct tls_settings settings = settings_for(world, &world->root);
    settings.mode = TLS_MUTUAL_OPTIONAL;
    server_start(&server, settings);
    expect_admitted(&server, (struct client_spec){.leaf = NULL}, 0);
    expect_admitted(&server, (struct client_spec){.leaf = &world->client}, 2);
    expect_refused(&server, (struct client_spec){.leaf = &bad},
                   (struct expected){REASON_CERTIFICATE_UNKNOWN_CA, 48, "CN=Other Root"});
    pki_free(&bad);
    server_stop(&server);
}

static void in_one_way_mode_no_certificate_is_asked_for(void **state)
{
    struct world *world = *state;
    struct server server;
    struct tls_settings settings = settings_for(world, &world->root);
    settings.mode = TLS_ONE_WAY;
    server_start(&server, settings);
    expect_admitted(&server, (struct client_spec){.leaf = &world->client}, 0);
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_without_certificate_is_refused),
        cmocka_unit_test(a_certificate_of_an_unknown_ca_is_refused),
        cmocka_unit_test(a_self_signed_certificate_is_refused),
        cmocka_unit_test(a_self_signed_certificate_in_the_name_of_a_ca_is_refused),
        cmocka_unit_test(a_ca_of_the_right_name_with_another_key_is_refused),
        cmocka_unit_test(an_expired_certificate_is_refused),
        cmocka_unit_test(a_certificate_of_tomorrow_is_refused),
        cmocka_unit_test(a_server_certificate_is_refused),
        cmocka_unit_test(a_key_that_may_not_sign_is_refused),
        cmocka_unit_test(a_forged_signature_is_refused),
        cmocka_unit_test(a_sha1_signature_is_refused),
        cmocka_unit_test(a_short_rsa_key_is_refused),
        cmocka_unit_test(an_unknown_critical_extension_is_refused),
        cmocka_unit_test(controls_in_a_name_are_refused),
        cmocka_unit_test(a_name_part_with_two_attributes_is_refused_as_unreadable),
        cmocka_unit_test(the_subject_offered_is_known_after_a_refusal),
        cmocka_unit_test(a_certificate_without_its_key_proves_nothing),
        cmocka_unit_test(in_optional_mode_none_is_fine_but_a_bad_one_is_not),
        cmocka_unit_test(in_one_way_mode_no_certificate_is_asked_for),
    };
    return cmocka_run_group_tests(tests, setup_world, teardown_world);
}
