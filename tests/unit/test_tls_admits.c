/* A chain that was proven once is judged again by other or later rules. */
#include "tests/unit/test_tls_world.h"

struct judged {
    bool admitted;
    struct tls_failure failure;
};

/* Proven to `first`, as in a handshake; then judged by `then`, which takes over. */
static struct judged judge(const struct world *world, struct client_spec spec, struct tls_settings then,
                           int64_t at)
{
    struct server first, second;
    struct meeting meeting;
    struct judged out = {.admitted = false};
    size_t count;
    struct tls_settings settings = settings_for(world, &world->root);
    settings.mode = TLS_MUTUAL_OPTIONAL;
    server_start(&first, settings);
    server_start(&second, then);
    tls_context_set_time(second.context, at);
    spec.version = TLS1_3_VERSION;
    meet(&first, &spec, &meeting);
    assert_int_equal(meeting.result, TLS_OK);
    const struct certificate *chain = tls_session_chain(meeting.session, &count);
    out.admitted = tls_context_admits(second.context, chain, count, &out.failure);
    part(&meeting);
    server_stop(&second);
    server_stop(&first);
    return out;
}

static void expect_no(struct judged judged, enum reason reason, int alert, const char *text)
{
    assert_false(judged.admitted);
    if (judged.failure.reason != reason || !strstr(judged.failure.text, text))
        print_message("    %s: %s\n", reason_name(judged.failure.reason), judged.failure.text);
    assert_int_equal(judged.failure.reason, reason);
    assert_int_equal(judged.failure.alert_sent, alert);
    assert_non_null(strstr(judged.failure.text, text));
}

static struct tls_settings with_crl(struct tls_settings settings, char *crl, bool required)
{
    settings_add_crl(&settings, pem_file("clients.crl", crl));
    settings.crl_required = required;
    return settings;
}

static const struct client_spec NOBODY = {.leaf = NULL};

static void a_certificate_that_was_revoked_since_is_not_admitted(void **state)
{
    struct world *world = *state;
    struct client_spec client = {.leaf = &world->client};
    expect_no(judge(world, client,
                    with_crl(settings_for(world, &world->root),
                             pki_crl_pem(&world->root, &world->root, &world->client, -60, PKI_DAY), false),
                    0),
              REASON_CERTIFICATE_REVOKED, 44, "is revoked by the CRL");
}

static void a_revoked_intermediate_is_not_admitted(void **state)
{
    struct world *world = *state;
    struct pki_cert below = pki_client("below", &world->middle);
    expect_no(judge(world, (struct client_spec){.leaf = &below, .more = {&world->middle}},
                    with_crl(settings_for(world, &world->root),
                             pki_crl_pem(&world->root, &world->root, &world->middle, -60, PKI_DAY), false),
                    0),
              REASON_CERTIFICATE_REVOKED, 44, "CN=Middle");
    pki_free(&below);
}

static void a_missing_or_stale_crl_refuses_where_it_is_required(void **state)
{
    struct world *world = *state;
    struct client_spec client = {.leaf = &world->client};
    expect_no(judge(world, client,
                    with_crl(settings_for(world, &world->root),
                             pki_crl_pem(&world->root, &world->root, NULL, -9 * PKI_DAY, -PKI_DAY), true),
                    0),
              REASON_CRL_EXPIRED, 46, "was to be renewed");
    expect_no(judge(world, client,
                    with_crl(settings_for(world, &world->root),
                             pki_crl_pem(&world->middle, &world->middle, NULL, -60, PKI_DAY), true),
                    0),
              REASON_CRL_MISSING, 46, "no CRL of CN=Root");
}

static void a_certificate_that_has_expired_since_is_not_admitted(void **state)
{
    struct world *world = *state;
    int64_t later = time(NULL) + 400L * PKI_DAY, before = time(NULL) - 2L * PKI_DAY;
    struct client_spec client = {.leaf = &world->client};
    expect_no(judge(world, client, settings_for(world, &world->root), later), REASON_CERTIFICATE_EXPIRED, 45,
              "has expired");
    expect_no(judge(world, client, settings_for(world, &world->root), before),
              REASON_CERTIFICATE_NOT_YET_VALID, 45, "is not valid before");
}

static void a_ca_that_is_trusted_no_more_admits_nobody(void **state)
{
    struct world *world = *state;
    struct pki_cert below = pki_client("below", &world->middle);
    expect_no(judge(world, (struct client_spec){.leaf = &world->client},
                    settings_for(world, &world->other_root), 0),
              REASON_CERTIFICATE_UNKNOWN_CA, 48, "issuer CN=Root,O=Test is neither in client-ca");
    expect_no(judge(world, (struct client_spec){.leaf = &below, .more = {&world->middle}},
                    settings_for(world, &world->other_root), 0),
              REASON_CERTIFICATE_UNKNOWN_CA, 48, "issuer CN=Root,O=Test is neither in client-ca");
    pki_free(&below);
}

static void a_ca_of_the_same_name_with_another_key_admits_nobody(void **state)
{
    struct world *world = *state;
    struct pki_cert namesake = pki_root("Root");
    expect_no(judge(world, (struct client_spec){.leaf = &world->client}, settings_for(world, &namesake), 0),
              REASON_CERTIFICATE_UNKNOWN_CA, 48, "but with another key");
    pki_free(&namesake);
}

static void a_ca_of_another_name_with_the_same_key_admits_nobody(void **state)
{
    struct world *world = *state;
    struct pki_cert renamed = pki_make((struct pki_spec){
        .cn = "Renamed", .share = &world->root, .basic = "critical,CA:TRUE", .usage = PKI_CA_USAGE});
    expect_no(judge(world, (struct client_spec){.leaf = &world->client}, settings_for(world, &renamed), 0),
              REASON_CERTIFICATE_UNKNOWN_CA, 48, "is neither in client-ca");
    pki_free(&renamed);
}

static void a_depth_that_is_less_now_refuses(void **state)
{
    struct world *world = *state;
    struct pki_cert below = pki_client("below", &world->middle);
    struct tls_settings shallow = settings_for(world, &world->root);
    shallow.verify_depth = 0;
    expect_no(judge(world, (struct client_spec){.leaf = &below, .more = {&world->middle}}, shallow, 0),
              REASON_CERTIFICATE_TOO_DEEP, 48, "verify-depth allows 0");
    pki_free(&below);
}

static void a_name_that_the_renewed_ca_forbids_is_not_admitted(void **state)
{
    struct world *world = *state;
    struct pki_cert leaf = pki_make((struct pki_spec){
        .cn = "client", .issuer = &world->root, .san = "DNS:a.test", .purpose = "clientAuth"});
    struct pki_cert renewed = pki_make((struct pki_spec){.cn = "Root",
                                                         .share = &world->root,
                                                         .basic = "critical,CA:TRUE",
                                                         .usage = PKI_CA_USAGE,
                                                         .constraints = "critical,permitted;DNS:b.test"});
    expect_no(judge(world, (struct client_spec){.leaf = &leaf}, settings_for(world, &renewed), 0),
              REASON_CERTIFICATE_CHAIN_BROKEN, 42, "the name constraints of CN=Root");
    pki_free(&leaf);
    pki_free(&renewed);
}

static void nobody_is_admitted_only_where_no_certificate_is_demanded(void **state)
{
    struct world *world = *state;
    struct tls_settings settings = settings_for(world, &world->root);
    expect_no(judge(world, NOBODY, settings, 0), REASON_CERTIFICATE_MISSING, 116, "has proven none");
    settings = settings_for(world, &world->root);
    settings.mode = TLS_MUTUAL_OPTIONAL;
    assert_true(judge(world, NOBODY, settings, 0).admitted);
    settings = settings_for(world, &world->root);
    settings.mode = TLS_ONE_WAY;
    assert_true(judge(world, NOBODY, settings, 0).admitted);
}

static void the_same_rules_admit_what_they_admitted(void **state)
{
    struct world *world = *state;
    struct pki_cert below = pki_client("below", &world->middle);
    assert_true(
        judge(world, (struct client_spec){.leaf = &world->client}, settings_for(world, &world->root), 0)
            .admitted);
    assert_true(judge(world, (struct client_spec){.leaf = &below, .more = {&world->middle}},
                      settings_for(world, &world->root), 0)
                    .admitted);
    assert_true(judge(world, (struct client_spec){.leaf = &world->client},
                      with_crl(settings_for(world, &world->root),
                               pki_crl_pem(&world->root, &world->root, NULL, -60, PKI_DAY), true),
                      0)
                    .admitted);
    pki_free(&below);
}

static void a_renewed_ca_with_the_same_key_admits_and_the_valid_one_is_taken(void **state)
{
    struct world *world = *state;
    struct pki_cert renewed = pki_make((struct pki_spec){
        .cn = "Root", .share = &world->root, .basic = "critical,CA:TRUE", .usage = PKI_CA_USAGE});
    struct pki_cert stale = pki_make((struct pki_spec){.cn = "Root",
                                                       .share = &world->root,
                                                       .basic = "critical,CA:TRUE",
                                                       .usage = PKI_CA_USAGE,
                                                       .from = -9 * PKI_DAY,
                                                       .until = -PKI_DAY});
    struct client_spec client = {.leaf = &world->client};
    assert_true(judge(world, client, settings_for(world, &renewed), 0).admitted);
    struct tls_settings both = settings_for(world, &stale);
    free(both.client_ca.data);
    both.client_ca = pem_file("clients.pem", pki_pem(&stale, &renewed, NULL));
    assert_true(judge(world, client, both, 0).admitted);
    expect_no(judge(world, client, settings_for(world, &stale), 0), REASON_CERTIFICATE_EXPIRED, 45,
              "certificate CN=Root,O=Test has expired");
    pki_free(&renewed);
    pki_free(&stale);
}

static void an_intermediate_that_has_become_the_anchor_admits_its_own(void **state)
{
    struct world *world = *state;
    struct pki_cert below = pki_client("below", &world->middle);
    assert_true(judge(world, (struct client_spec){.leaf = &below, .more = {&world->middle}},
                      settings_for(world, &world->middle), 0)
                    .admitted);
    expect_no(judge(world, (struct client_spec){.leaf = &world->client}, settings_for(world, &world->middle),
                    0),
              REASON_CERTIFICATE_UNKNOWN_CA, 48, "issuer CN=Root");
    pki_free(&below);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_that_was_revoked_since_is_not_admitted),
        cmocka_unit_test(a_revoked_intermediate_is_not_admitted),
        cmocka_unit_test(a_missing_or_stale_crl_refuses_where_it_is_required),
        cmocka_unit_test(a_certificate_that_has_expired_since_is_not_admitted),
        cmocka_unit_test(a_ca_that_is_trusted_no_more_admits_nobody),
        cmocka_unit_test(a_ca_of_the_same_name_with_another_key_admits_nobody),
        cmocka_unit_test(a_ca_of_another_name_with_the_same_key_admits_nobody),
        cmocka_unit_test(a_depth_that_is_less_now_refuses),
        cmocka_unit_test(a_name_that_the_renewed_ca_forbids_is_not_admitted),
        cmocka_unit_test(nobody_is_admitted_only_where_no_certificate_is_demanded),
        cmocka_unit_test(the_same_rules_admit_what_they_admitted),
        cmocka_unit_test(a_renewed_ca_with_the_same_key_admits_and_the_valid_one_is_taken),
        cmocka_unit_test(an_intermediate_that_has_become_the_anchor_admits_its_own),
    };
    return cmocka_run_group_tests(tests, setup_world, teardown_world);
}
