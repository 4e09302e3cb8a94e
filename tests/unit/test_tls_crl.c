/* Revocation lists. */
#include "tests/unit/test_tls_world.h"

static void start_with_crl(struct server *server, const struct world *world, char *crl, bool required)
{
    struct tls_settings settings = settings_for(world, &world->root);
    settings_add_crl(&settings, pem_file("clients.crl", crl));
    settings.crl_required = required;
    server_start(server, settings);
}

static void a_revoked_certificate_is_refused(void **state)
{
    struct world *world = *state;
    for (int required = 0; required < 2; required++) {
        struct server server;
        struct pki_cert good = pki_client("good", &world->root);
        start_with_crl(&server, world, pki_crl_pem(&world->root, &world->root, &world->client, -60, PKI_DAY),
                       required);
        expect_refused(&server, (struct client_spec){.leaf = &world->client},
                       (struct expected){REASON_CERTIFICATE_REVOKED, 44, "CN=client,O=Test, serial "});
        expect_admitted(&server, (struct client_spec){.leaf = &good}, 2);
        pki_free(&good);
        server_stop(&server);
    }
}

static void an_expired_crl_keeps_its_revoked_out_and_no_others(void **state)
{
    struct world *world = *state;
    struct server server;
    struct pki_cert good = pki_client("good", &world->root);
    start_with_crl(&server, world,
                   pki_crl_pem(&world->root, &world->root, &world->client, -9 * PKI_DAY, -PKI_DAY), false);
    assert_int_equal(server.problems.count, 1);
    expect_refused(&server, (struct client_spec){.leaf = &world->client},
                   (struct expected){REASON_CERTIFICATE_REVOKED, 44, "revoked"});
    expect_admitted(&server, (struct client_spec){.leaf = &good}, 2);
    pki_free(&good);
    server_stop(&server);
}

static void where_a_crl_is_required_an_expired_one_refuses(void **state)
{
    struct world *world = *state;
    struct server server;
    start_with_crl(&server, world, pki_crl_pem(&world->root, &world->root, NULL, -9 * PKI_DAY, -PKI_DAY),
                   true);
    expect_refused(&server, (struct client_spec){.leaf = &world->client},
                   (struct expected){REASON_CRL_EXPIRED, 46,
                                     "the CRL of CN=Root,O=Test was to be renewed by 20"});
    server_stop(&server);
}

static void where_a_crl_is_required_each_ca_of_the_chain_needs_one(void **state)
{
    struct world *world = *state;
    struct server server;
    struct pki_cert leaf = pki_client("below", &world->middle);
    start_with_crl(&server, world, pki_crl_pem(&world->root, &world->root, NULL, -60, PKI_DAY), true);
    expect_admitted(&server, (struct client_spec){.leaf = &world->client}, 2);
    expect_refused(&server, (struct client_spec){.leaf = &leaf, .more = {&world->middle}},
                   (struct expected){REASON_CRL_MISSING, 46, "no CRL of CN=Middle,O=Test"});
    pki_free(&leaf);
    server_stop(&server);
}

static char *joined(char *a, char *b)
{
    char *both = malloc(strlen(a) + strlen(b) + 1);
    strcpy(both, a);
    strcat(both, b);
    free(a);
    free(b);
    return both;
}

static void every_crl_of_a_file_counts(void **state)
{
    struct world *world = *state;
    for (int required = 0; required < 2; required++) {
        struct server server;
        struct pki_cert bad = pki_client("bad", &world->middle), good = pki_client("good", &world->middle);
        char *crls = joined(pki_crl_pem(&world->root, &world->root, NULL, -60, PKI_DAY),
                            pki_crl_pem(&world->middle, &world->middle, &bad, -60, PKI_DAY));
        start_with_crl(&server, world, crls, required);
        expect_refused(&server, (struct client_spec){.leaf = &bad, .more = {&world->middle}},
                       (struct expected){REASON_CERTIFICATE_REVOKED, 44, "CN=bad"});
        expect_admitted(&server, (struct client_spec){.leaf = &good, .more = {&world->middle}}, 3);
        pki_free(&bad);
        pki_free(&good);
        server_stop(&server);
    }
}

static void a_revoked_intermediate_refuses_what_is_below(void **state)
{
    struct world *world = *state;
    struct server server;
    struct pki_cert leaf = pki_client("below", &world->middle);
    start_with_crl(&server, world, pki_crl_pem(&world->root, &world->root, &world->middle, -60, PKI_DAY),
                   false);
    expect_refused(&server, (struct client_spec){.leaf = &leaf, .more = {&world->middle}},
                   (struct expected){REASON_CERTIFICATE_REVOKED, 44, "CN=Middle"});
    pki_free(&leaf);
    server_stop(&server);
}

static void a_crl_that_its_intermediate_did_not_sign_proves_nothing(void **state)
{
    struct world *world = *state;
    struct server server;
    struct pki_cert leaf = pki_client("below", &world->middle);
    char *crls = joined(pki_crl_pem(&world->root, &world->root, NULL, -60, PKI_DAY),
                        pki_crl_pem(&world->middle, &world->other_root, NULL, -60, PKI_DAY));
    start_with_crl(&server, world, crls, true);
    expect_refused(&server, (struct client_spec){.leaf = &leaf, .more = {&world->middle}},
                   (struct expected){REASON_CRL_MISSING, 46, "has not signed"});
    pki_free(&leaf);
    server_stop(&server);
}

/* Another CA may have the name of the one that signed the list. */
static void a_crl_proves_nothing_for_a_namesake_of_its_issuer(void **state)
{
    struct world *world = *state;
    struct server server;
    struct pki_cert namesake = pki_intermediate("Root", &world->middle),
                    leaf = pki_client("below", &namesake);
    char *crls = joined(pki_crl_pem(&world->root, &world->root, NULL, -60, PKI_DAY),
                        pki_crl_pem(&world->middle, &world->middle, NULL, -60, PKI_DAY));
    start_with_crl(&server, world, crls, true);
    expect_admitted(&server, (struct client_spec){.leaf = &world->client}, 2);
    expect_refused(&server, (struct client_spec){.leaf = &leaf, .more = {&namesake, &world->middle}},
                   (struct expected){REASON_CRL_MISSING, 46, "has not signed"});
    pki_free(&leaf);
    pki_free(&namesake);
    server_stop(&server);
}

static void a_crl_whose_begin_line_is_damaged_is_not_overlooked(void **state)
{
    struct world *world = *state;
    struct problems problems = {0};
    struct tls_settings settings = settings_for(world, &world->root);
    char *damaged = pki_crl_pem(&world->root, &world->root, &world->client, -60, PKI_DAY);
    damaged[0] = ' ';
    settings_add_crl(&settings,
                     pem_file("clients.crl",
                              joined(pki_crl_pem(&world->root, &world->root, NULL, -60, PKI_DAY), damaged)));
    assert_null(tls_context_new(&settings, (struct place){"lb.ini", 3}, &problems));
    assert_int_equal(problems.count, 1);
    assert_non_null(strstr(problems.list[0].text, "no BEGIN line"));
    problems_free(&problems);
    settings_free(&settings);
}

static void a_crl_under_another_name_is_not_overlooked(void **state)
{
    struct world *world = *state;
    struct problems problems = {0};
    struct tls_settings settings = settings_for(world, &world->root);
    char *named = pki_crl_pem(&world->root, &world->root, &world->client, -60, PKI_DAY);
    for (char *at = named; (at = strstr(at, "X509 CRL")) != NULL;)
        memcpy(at, "x509", 4);
    settings_add_crl(&settings,
                     pem_file("clients.crl",
                              joined(pki_crl_pem(&world->root, &world->root, NULL, -60, PKI_DAY), named)));
    assert_null(tls_context_new(&settings, (struct place){"lb.ini", 3}, &problems));
    assert_int_equal(problems.count, 1);
    assert_non_null(strstr(problems.list[0].text, "neither X509 CRL nor"));
    problems_free(&problems);
    settings_free(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_revoked_certificate_is_refused),
        cmocka_unit_test(an_expired_crl_keeps_its_revoked_out_and_no_others),
        cmocka_unit_test(where_a_crl_is_required_an_expired_one_refuses),
        cmocka_unit_test(where_a_crl_is_required_each_ca_of_the_chain_needs_one),
        cmocka_unit_test(every_crl_of_a_file_counts),
        cmocka_unit_test(a_revoked_intermediate_refuses_what_is_below),
        cmocka_unit_test(a_crl_that_its_intermediate_did_not_sign_proves_nothing),
        cmocka_unit_test(a_crl_proves_nothing_for_a_namesake_of_its_issuer),
        cmocka_unit_test(a_crl_whose_begin_line_is_damaged_is_not_overlooked),
        cmocka_unit_test(a_crl_under_another_name_is_not_overlooked),
    };
    return cmocka_run_group_tests(tests, setup_world, teardown_world);
}
