/* What is wrong with a listener's TLS settings is told at load, with the file and the remedy. */
#include "tests/unit/test_tls_client.h"

struct world {
    struct pki_cert root, own, other, client;
};

static int setup_world(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_true(tls_library_start());
    world->root = pki_root("Root");
    world->own =
        pki_make((struct pki_spec){.cn = "localhost", .issuer = &world->root, .purpose = "serverAuth"});
    world->other =
        pki_make((struct pki_spec){.cn = "other", .issuer = &world->root, .purpose = "serverAuth"});
    world->client = pki_client("client", &world->root);
    *state = world;
    return 0;
}

static int teardown_world(void **state)
{
    struct world *world = *state;
    pki_free(&world->root);
    pki_free(&world->own);
    pki_free(&world->other);
    pki_free(&world->client);
    free(world);
    tls_library_stop();
    return 0;
}

static struct tls_settings good_settings(const struct world *world)
{
    return server_settings(TLS_MUTUAL, pki_pem(&world->own, NULL), pki_key_pem(&world->own, NULL),
                           pki_pem(&world->root, NULL));
}

static void replace(struct tls_file *file, char *text)
{
    free(file->data);
    file->data = text;
    file->len = strlen(text);
}

static bool is_told(const struct problems *problems, const char *text, bool warning)
{
    for (size_t i = 0; i < problems->count; i++)
        if (strstr(problems->list[i].text, text) && problems->list[i].warning == warning)
            return true;
    problems_print(problems);
    return false;
}

/* Frees the settings. */
static void expect_problem(struct tls_settings settings, const char *text)
{
    struct problems problems = {0};
    assert_null(tls_context_new(&settings, (struct place){"lb.ini", 3}, &problems));
    assert_true(problems.errors > 0);
    assert_true(is_told(&problems, text, false));
    problems_free(&problems);
    settings_free(&settings);
}

static void expect_warning(struct tls_settings settings, const char *text)
{
    struct problems problems = {0};
    struct tls_context *context = tls_context_new(&settings, (struct place){"lb.ini", 3}, &problems);
    assert_non_null(context);
    assert_int_equal(problems.errors, 0);
    assert_true(is_told(&problems, text, true));
    tls_context_free(context);
    problems_free(&problems);
    settings_free(&settings);
}

/* ---- certificate and key ---- */

static void a_key_that_does_not_fit_its_certificate_is_refused(void **state)
{
    struct world *world = *state;
    struct tls_settings settings = good_settings(world);
    replace(&settings.pairs[0].key, pki_key_pem(&world->other, NULL));
    expect_problem(settings, "the key in server.key does not belong to the first certificate in server.pem");
}

static void swapped_certificate_and_key_are_named_as_such(void **state)
{
    struct world *world = *state;
    struct tls_settings settings = good_settings(world);
    replace(&settings.pairs[0].certificate, pki_key_pem(&world->own, NULL));
    expect_problem(settings,
                   "server.pem holds a private key but no certificate: are certificate and key swapped?");
    settings = good_settings(world);
    replace(&settings.pairs[0].key, pki_pem(&world->own, NULL));
    expect_problem(settings,
                   "server.key holds a certificate but no private key: are certificate and key swapped?");
}

static void an_encrypted_key_is_refused_with_the_remedy(void **state)
{
    struct world *world = *state;
    struct tls_settings settings = good_settings(world);
    replace(&settings.pairs[0].key, pki_key_pem(&world->own, "secret"));
    expect_problem(settings,
                   "the key in server.key is encrypted: decrypt it with openssl pkey -in server.key");
}

static void empty_and_damaged_files_are_refused(void **state)
{
    struct tls_settings settings = good_settings(*state);
    replace(&settings.pairs[0].certificate, strdup(""));
    expect_problem(settings, "server.pem holds no certificate");
    settings = good_settings(*state);
    replace(&settings.pairs[0].key, strdup("nothing"));
    expect_problem(settings, "server.key holds no private key");
    settings = good_settings(*state);
    settings.pairs[0].certificate.data[200] = '*';
    expect_problem(settings, "server.pem: a certificate cannot be used");
    settings = good_settings(*state);
    settings.pairs[0].certificate.data[300] = '\0';
    settings.pairs[0].certificate.len = 300;
    expect_problem(settings, "server.pem holds no certificate");
}

static void certificate_and_key_may_be_in_one_file(void **state)
{
    struct world *world = *state;
    struct tls_settings settings = good_settings(world);
    char *key = pki_key_pem(&world->own, NULL), *pem = pki_pem(&world->own, NULL);
    char *both = malloc(strlen(key) + strlen(pem) + 1);
    strcpy(both, key);
    strcat(both, pem);
    free(pem);
    free(key);
    replace(&settings.pairs[0].key, both);
    replace(&settings.pairs[0].certificate, strdup(both));
    struct server server;
    server_start(&server, settings);
    assert_int_equal(server.problems.count, 0);
    server_stop(&server);
}

static void an_expired_certificate_of_our_own_is_warned_of(void **state)
{
    struct world *world = *state;
    struct tls_settings settings = good_settings(world);
    struct pki_cert old = pki_make((struct pki_spec){
        .cn = "old", .share = &world->own, .issuer = &world->root, .from = -9 * PKI_DAY, .until = -PKI_DAY});
    replace(&settings.pairs[0].certificate, pki_pem(&old, NULL));
    expect_warning(settings, "certificate CN=old,O=Test has expired on 20");
    pki_free(&old);
}

static void a_chain_out_of_order_is_warned_of(void **state)
{
    struct world *world = *state;
    struct tls_settings settings = good_settings(world);
    replace(&settings.pairs[0].certificate, pki_pem(&world->own, &world->other, NULL));
    expect_warning(settings, "certificate 2, CN=other,O=Test, did not issue the one before it");
}

/* ---- client-ca ---- */

static void mutual_tls_without_client_ca_is_refused(void **state)
{
    struct tls_settings settings = good_settings(*state);
    free(settings.client_ca.data);
    settings.client_ca = (struct tls_file){0};
    expect_problem(settings, "mutual TLS needs client-ca");
    settings = good_settings(*state);
    settings.mode = TLS_MUTUAL_OPTIONAL;
    replace(&settings.client_ca, strdup("# none\n"));
    expect_problem(settings, "clients.pem holds no certificate of a CA");
}

static void a_broken_certificate_in_client_ca_is_refused(void **state)
{
    struct world *world = *state;
    struct tls_settings settings = good_settings(world);
    replace(&settings.client_ca, pki_pem(&world->root, &world->root, NULL));
    settings.client_ca.data[strlen(settings.client_ca.data) / 2 + 100] = '*';
    expect_problem(settings, "clients.pem: after 1 certificates: a CERTIFICATE block is no valid base64");
}

static void a_cut_off_client_ca_is_refused(void **state)
{
    struct world *world = *state;
    struct tls_settings settings = good_settings(world);
    replace(&settings.client_ca, pki_pem(&world->root, &world->root, NULL));
    settings.client_ca.len -= 20;
    settings.client_ca.data[settings.client_ca.len] = '\0';
    expect_problem(settings, "is not followed by its END line");
}

static void a_client_ca_without_any_ca_is_refused(void **state)
{
    struct world *world = *state;
    struct tls_settings settings = good_settings(world);
    replace(&settings.client_ca, pki_pem(&world->client, NULL));
    expect_problem(settings, "clients.pem holds no certificate of a CA");
}

static void one_way_tls_needs_no_client_ca(void **state)
{
    struct tls_settings settings = good_settings(*state);
    settings.mode = TLS_ONE_WAY;
    free(settings.client_ca.data);
    settings.client_ca = (struct tls_file){0};
    struct server server;
    server_start(&server, settings);
    server_stop(&server);
}

/* ---- client-crl ---- */

static struct tls_settings settings_with_crl(const struct world *world, char *crl)
{
    struct tls_settings settings = good_settings(world);
    settings_add_crl(&settings, pem_file("clients.crl", crl));
    return settings;
}

static void a_file_without_crl_is_refused(void **state)
{
    expect_problem(settings_with_crl(*state, strdup("none")), "clients.crl holds no CRL");
}

static void a_crl_with_a_forged_signature_is_refused(void **state)
{
    struct world *world = *state;
    char *crl = pki_crl_pem(&world->root, &world->other, NULL, -60, PKI_DAY);
    expect_problem(settings_with_crl(world, crl),
                   "CRL 1 is not signed by the CA of client-ca that it names, CN=Root");
}

static void a_damaged_crl_is_refused(void **state)
{
    struct world *world = *state;
    char *crl = pki_crl_pem(&world->root, &world->root, NULL, -60, PKI_DAY);
    strchr(crl, '\n')[3] = '*';
    expect_problem(settings_with_crl(world, crl), "clients.crl: an X509 CRL block is no valid base64");
}

static void a_crl_of_nobody_is_warned_of(void **state)
{
    struct world *world = *state;
    char *crl = pki_crl_pem(&world->other, &world->other, NULL, -60, PKI_DAY);
    expect_warning(settings_with_crl(world, crl), "no CA of client-ca is named CN=other,O=Test");
}

static void a_required_crl_that_is_missing_is_warned_of(void **state)
{
    struct tls_settings settings = good_settings(*state);
    settings.crl_required = true;
    expect_warning(settings, "CA CN=Root,O=Test has no CRL in client-crl");
}

static void a_der_crl_is_read(void **state)
{
    struct world *world = *state;
    struct tls_settings settings = good_settings(world);
    X509_CRL *crl = pki_make_crl(&world->root, &world->root, &world->client, -60, PKI_DAY);
    unsigned char *der = NULL;
    int len = i2d_X509_CRL(crl, &der);
    X509_CRL_free(crl);
    struct tls_file file = {.path = (char *)"clients.crl", .data = malloc((size_t)len), .len = (size_t)len};
    memcpy(file.data, der, (size_t)len);
    settings_add_crl(&settings, file);
    OPENSSL_free(der);
    struct server server;
    struct meeting meeting;
    server_start(&server, settings);
    meet(&server, &(struct client_spec){.version = TLS1_3_VERSION, .leaf = &world->client}, &meeting);
    assert_int_equal(tls_session_failure(meeting.session)->reason, REASON_CERTIFICATE_REVOKED);
    part(&meeting);
    server_stop(&server);
}

/* ---- names ---- */

static void unknown_names_are_refused_with_the_nearest(void **state)
{
    struct tls_settings settings = good_settings(*state);
    settings.ciphers = (char *)"TLS_AES_128_GCM_SHA265:ECDHE-RSA-AES128-GCM-SHA256";
    expect_problem(
        settings, "there is no cipher \"TLS_AES_128_GCM_SHA265\" here: did you mean TLS_AES_128_GCM_SHA256?");
    settings = good_settings(*state);
    settings.groups = (char *)"X25519:SECP256";
    expect_problem(settings, "there is no group \"SECP256\" here: did you mean SECP256R1?");
}

static void a_version_without_cipher_is_refused(void **state)
{
    struct tls_settings settings = good_settings(*state);
    settings.ciphers = (char *)"TLS_AES_128_GCM_SHA256";
    expect_problem(settings, "the ciphers have none for TLSv1.2");
    settings = good_settings(*state);
    settings.groups = (char *)"";
    expect_problem(settings, "the list of groups is empty");
}

static void ciphers_and_groups_of_ones_own_are_used(void **state)
{
    struct tls_settings settings = good_settings(*state);
    settings.mode = TLS_ONE_WAY;
    settings.ciphers = (char *)"TLS_CHACHA20_POLY1305_SHA256 : ECDHE-ECDSA-AES256-GCM-SHA384";
    settings.groups = (char *)"secp384r1";
    struct server server;
    server_start(&server, settings);
    static const char *const ciphers[] = {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
                                          "TLS_CHACHA20_POLY1305_SHA256"};
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;
        meet(&server, &(struct client_spec){.version = VERSIONS[i], .groups = "P-256:P-384"}, &meeting);
        assert_int_equal(meeting.result, TLS_OK);
        assert_string_equal(tls_session_cipher(meeting.session), ciphers[i]);
        if (i == 1) /* wolfSSL takes a TLS 1.2 client's own first choice */
            assert_string_equal(tls_session_group(meeting.session), "SECP384R1");
        part(&meeting);
    }
    server_stop(&server);
}

static void all_names_that_are_told_can_be_used(void **state)
{
    for (const char *const *name = tls_group_names(); *name; name++) {
        struct tls_settings settings = good_settings(*state);
        struct server server;
        settings.groups = (char *)*name;
        server_start(&server, settings);
        server_stop(&server);
    }
    for (const char *const *name = tls_cipher_names(); *name; name++) {
        struct tls_settings settings = good_settings(*state);
        struct server server;
        bool new = strncmp(*name, "TLS13", 5) == 0 || strncmp(*name, "TLS_ECDHE", 9) != 0;
        new = new &&strncmp(*name, "ECDHE", 5) != 0;
        settings.min = settings.max = new ? TLS_1_3 : TLS_1_2;
        settings.ciphers = (char *)*name;
        server_start(&server, settings);
        server_stop(&server);
    }
}

static void all_problems_are_told_at_once(void **state)
{
    struct world *world = *state;
    struct tls_settings settings = good_settings(world);
    struct problems problems = {0};
    settings.groups = (char *)"nope";
    replace(&settings.pairs[0].key, strdup("none"));
    replace(&settings.client_ca, strdup("none"));
    assert_null(tls_context_new(&settings, (struct place){"lb.ini", 3}, &problems));
    assert_int_equal(problems.errors, 3);
    size_t of_files = 0;
    for (size_t i = 0; i < problems.count; i++)
        of_files += problems.list[i].line == 7;
    assert_int_equal(of_files, 2);
    problems_free(&problems);
    settings_free(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_that_does_not_fit_its_certificate_is_refused),
        cmocka_unit_test(swapped_certificate_and_key_are_named_as_such),
        cmocka_unit_test(an_encrypted_key_is_refused_with_the_remedy),
        cmocka_unit_test(empty_and_damaged_files_are_refused),
        cmocka_unit_test(certificate_and_key_may_be_in_one_file),
        cmocka_unit_test(an_expired_certificate_of_our_own_is_warned_of),
        cmocka_unit_test(a_chain_out_of_order_is_warned_of),
        cmocka_unit_test(mutual_tls_without_client_ca_is_refused),
        cmocka_unit_test(a_broken_certificate_in_client_ca_is_refused),
        cmocka_unit_test(a_cut_off_client_ca_is_refused),
        cmocka_unit_test(a_client_ca_without_any_ca_is_refused),
        cmocka_unit_test(one_way_tls_needs_no_client_ca),
        cmocka_unit_test(a_file_without_crl_is_refused),
        cmocka_unit_test(a_crl_with_a_forged_signature_is_refused),
        cmocka_unit_test(a_damaged_crl_is_refused),
        cmocka_unit_test(a_crl_of_nobody_is_warned_of),
        cmocka_unit_test(a_required_crl_that_is_missing_is_warned_of),
        cmocka_unit_test(a_der_crl_is_read),
        cmocka_unit_test(unknown_names_are_refused_with_the_nearest),
        cmocka_unit_test(a_version_without_cipher_is_refused),
        cmocka_unit_test(ciphers_and_groups_of_ones_own_are_used),
        cmocka_unit_test(all_names_that_are_told_can_be_used),
        cmocka_unit_test(all_problems_are_told_at_once),
    };
    return cmocka_run_group_tests(tests, setup_world, teardown_world);
}
