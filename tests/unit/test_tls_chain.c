/* From the client's certificate to a CA of client-ca. */
#include "tests/unit/test_tls_world.h"

#include "lb/tls/path.h"
#include "lb/tls/signatures.h"

static void a_missing_intermediate_is_named(void **state)
{
    struct world *world = *state;
    expect_leaf_refused(
        world, (struct pki_spec){.issuer = &world->middle},
        (struct expected){
            REASON_CERTIFICATE_UNKNOWN_CA, 48,
            "issuer CN=Middle,O=Test is neither in client-ca nor among the 1 certificate sent"});
}

static void what_one_client_sent_does_not_help_the_next(void **state)
{
    struct world *world = *state;
    struct server server;
    struct pki_cert leaf = pki_client("below", &world->middle);
    start(&server, world);
    for (int round = 0; round < 3; round++) {
        expect_admitted(&server, (struct client_spec){.leaf = &leaf, .more = {&world->middle}}, 3);
        expect_refused(&server, (struct client_spec){.leaf = &leaf},
                       (struct expected){REASON_CERTIFICATE_UNKNOWN_CA, 48, "is an intermediate missing?"});
    }
    pki_free(&leaf);
    server_stop(&server);
}

static void what_a_refused_client_sent_does_not_help_the_next(void **state)
{
    struct world *world = *state;
    struct server server;
    struct pki_cert leaf = pki_client("below", &world->middle);
    struct pki_cert expired = pki_make(
        (struct pki_spec){.cn = "old", .issuer = &world->middle, .from = -9 * PKI_DAY, .until = -PKI_DAY});
    start(&server, world);
    expect_refused(&server, (struct client_spec){.leaf = &expired, .more = {&world->middle}},
                   (struct expected){REASON_CERTIFICATE_EXPIRED, 45, "CN=old"});
    expect_refused(&server, (struct client_spec){.leaf = &leaf},
                   (struct expected){REASON_CERTIFICATE_UNKNOWN_CA, 48, "is an intermediate missing?"});
    pki_free(&leaf);
    pki_free(&expired);
    server_stop(&server);
}

static void a_client_certificate_cannot_issue_others(void **state)
{
    struct world *world = *state;
    struct server server;
    struct pki_cert leaf = pki_client("below", &world->client);
    start(&server, world);
    expect_refused(&server, (struct client_spec){.leaf = &leaf, .more = {&world->client}},
                   (struct expected){REASON_CERTIFICATE_CHAIN_BROKEN, 42, "is no CA"});
    pki_free(&leaf);
    server_stop(&server);
}

static void an_intermediate_that_may_not_sign_certificates_is_refused(void **state)
{
    struct world *world = *state;
    struct server server;
    struct pki_cert middle = pki_make((struct pki_spec){
        .cn = "No Signer", .issuer = &world->root, .basic = "critical,CA:TRUE", .usage = "critical,cRLSign"});
    struct pki_cert leaf = pki_client("below", &middle);
    start(&server, world);
    expect_refused(&server, (struct client_spec){.leaf = &leaf, .more = {&middle}},
                   (struct expected){REASON_CERTIFICATE_CHAIN_BROKEN, 42, "is no CA"});
    pki_free(&leaf);
    pki_free(&middle);
    server_stop(&server);
}

static void a_ca_below_one_that_allows_none_is_refused(void **state)
{
    struct world *world = *state;
    struct server server;
    struct pki_cert first = pki_make((struct pki_spec){.cn = "Last CA",
                                                       .issuer = &world->root,
                                                       .basic = "critical,CA:TRUE,pathlen:0",
                                                       .usage = PKI_CA_USAGE});
    struct pki_cert second = pki_intermediate("One Too Many", &first), leaf = pki_client("below", &second);
    start(&server, world);
    expect_refused(&server, (struct client_spec){.leaf = &leaf, .more = {&second, &first}},
                   (struct expected){REASON_CERTIFICATE_CHAIN_BROKEN, 42, "pathlen"});
    pki_free(&leaf);
    pki_free(&second);
    pki_free(&first);
    server_stop(&server);
}

static void an_expired_intermediate_is_refused(void **state)
{
    struct world *world = *state;
    struct server server;
    struct pki_cert middle = pki_make((struct pki_spec){.cn = "Old Middle",
                                                        .issuer = &world->root,
                                                        .basic = "critical,CA:TRUE",
                                                        .usage = PKI_CA_USAGE,
                                                        .from = -9 * PKI_DAY,
                                                        .until = -PKI_DAY});
    struct pki_cert leaf = pki_client("below", &middle);
    start(&server, world);
    expect_refused(&server, (struct client_spec){.leaf = &leaf, .more = {&middle}},
                   (struct expected){REASON_CERTIFICATE_EXPIRED, 45, "CN=Old Middle"});
    pki_free(&leaf);
    pki_free(&middle);
    server_stop(&server);
}

static void an_intermediate_for_servers_only_is_refused(void **state)
{
    struct world *world = *state;
    struct server server;
    struct pki_cert middle = pki_make((struct pki_spec){.cn = "Server CA",
                                                        .issuer = &world->root,
                                                        .basic = "critical,CA:TRUE",
                                                        .usage = PKI_CA_USAGE,
                                                        .purpose = "serverAuth"});
    struct pki_cert leaf = pki_client("below", &middle);
    start(&server, world);
    expect_refused(&server, (struct client_spec){.leaf = &leaf, .more = {&middle}},
                   (struct expected){REASON_CERTIFICATE_PURPOSE, 43, "CN=Server CA"});
    pki_free(&leaf);
    pki_free(&middle);
    server_stop(&server);
}

static void more_intermediates_than_verify_depth_are_refused(void **state)
{
    struct world *world = *state;
    struct pki_cert list[4] = {world->root};
    for (int i = 1; i < 4; i++)
        list[i] = pki_intermediate(i == 1 ? "One" : i == 2 ? "Two" : "Three", &list[i - 1]);
    struct pki_cert leaf = pki_client("deep", &list[3]);
    for (unsigned depth = 2; depth <= 3; depth++) {
        struct server server;
        struct tls_settings settings = settings_for(world, &world->root);
        struct client_spec spec = {.leaf = &leaf, .more = {&list[3], &list[2], &list[1]}};
        settings.verify_depth = depth;
        server_start(&server, settings);
        if (depth == 2)
            expect_refused(&server, spec,
                           (struct expected){REASON_CERTIFICATE_TOO_DEEP, 48, "verify-depth allows 2"});
        else
            expect_admitted(&server, spec, 5);
        server_stop(&server);
    }
    for (int i = 1; i < 4; i++)
        pki_free(&list[i]);
    pki_free(&leaf);
}

static void more_certificates_than_the_library_takes_are_refused(void **state)
{
    struct world *world = *state;
    struct server server;
    start(&server, world);
    struct client_spec spec = {.leaf = &world->client};
    for (int i = 0; i < 10; i++)
        spec.more[i] = &world->middle;
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;
        spec.version = VERSIONS[i];
        meet(&server, &spec, &meeting);
        assert_int_equal(tls_session_failure(meeting.session)->reason, REASON_CERTIFICATE_TOO_DEEP);
        assert_int_equal(meeting.client.alert, i ? 48 : 40); /* wolfSSL is faster in TLS 1.2 */
        part(&meeting);
    }
    server_stop(&server);
}

static void certificates_in_the_wrong_order_are_named_as_such(void **state)
{
    struct world *world = *state;
    struct server server;
    struct pki_cert second = pki_intermediate("Second", &world->middle), leaf = pki_client("below", &second);
    start(&server, world);
    expect_refused(&server, (struct client_spec){.leaf = &leaf, .more = {&world->middle, &second}},
                   (struct expected){REASON_CERTIFICATE_CHAIN_BROKEN, 42, "out of order"});
    expect_admitted(&server, (struct client_spec){.leaf = &leaf, .more = {&second, &world->middle}}, 4);
    pki_free(&second);
    pki_free(&leaf);
    server_stop(&server);
}

static void a_root_that_is_sent_along_does_no_harm(void **state)
{
    struct world *world = *state;
    struct server server;
    struct pki_cert leaf = pki_client("below", &world->middle);
    start(&server, world);
    expect_admitted(&server, (struct client_spec){.leaf = &leaf, .more = {&world->middle, &world->root}}, 3);
    pki_free(&leaf);
    server_stop(&server);
}

static void an_intermediate_can_be_the_anchor(void **state)
{
    struct world *world = *state;
    struct server server;
    struct pki_cert leaf = pki_client("below", &world->middle);
    server_start(&server, settings_for(world, &world->middle));
    expect_admitted(&server, (struct client_spec){.leaf = &leaf}, 2);
    expect_admitted(&server, (struct client_spec){.leaf = &leaf, .more = {&world->middle}}, 2);
    expect_refused(&server, (struct client_spec){.leaf = &world->client},
                   (struct expected){REASON_CERTIFICATE_UNKNOWN_CA, 48, "CN=Root"});
    pki_free(&leaf);
    server_stop(&server);
}

static void the_chain_goes_from_leaf_to_anchor(void **state)
{
    static const char *const subjects[] = {"CN=below,O=Test", "CN=Middle,O=Test", "CN=Root,O=Test"};
    struct world *world = *state;
    struct server server;
    struct pki_cert leaf = pki_client("below", &world->middle);
    start(&server, world);
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;
        size_t count;
        char text[128];
        struct client_spec spec = {.version = VERSIONS[i], .leaf = &leaf, .more = {&world->middle}};
        meet(&server, &spec, &meeting);
        const struct certificate *chain = tls_session_chain(meeting.session, &count);
        assert_int_equal(count, 3);
        for (size_t k = 0; k < 3; k++)
            assert_string_equal(certificate_subject(&chain[k], text, sizeof text), subjects[k]);
        part(&meeting);
    }
    pki_free(&leaf);
    server_stop(&server);
}

/* ---- CAs ---- */

static void an_expired_ca_refuses_with_its_name(void **state)
{
    struct world *world = *state;
    struct server server;
    struct pki_cert old = pki_make((struct pki_spec){.cn = "Old Root",
                                                     .basic = "critical,CA:TRUE",
                                                     .usage = PKI_CA_USAGE,
                                                     .from = -9 * PKI_DAY,
                                                     .until = -PKI_DAY});
    struct pki_cert leaf = pki_client("client", &old);
    server_start(&server, settings_for(world, &old));
    assert_int_equal(server.problems.count, 1);
    assert_non_null(strstr(server.problems.list[0].text, "has expired"));
    expect_refused(&server, (struct client_spec){.leaf = &leaf},
                   (struct expected){REASON_CERTIFICATE_EXPIRED, 45, "CN=Old Root"});
    pki_free(&leaf);
    pki_free(&old);
    server_stop(&server);
}

static void a_renewed_ca_with_the_same_key_takes_the_place_of_the_old(void **state)
{
    struct world *world = *state;
    struct pki_cert old = pki_make((struct pki_spec){.cn = "Renewed",
                                                     .basic = "critical,CA:TRUE",
                                                     .usage = PKI_CA_USAGE,
                                                     .from = -9 * PKI_DAY,
                                                     .until = -PKI_DAY});
    struct pki_cert new = pki_make((
        struct pki_spec){.cn = "Renewed", .share = &old, .basic = "critical,CA:TRUE", .usage = PKI_CA_USAGE});
    struct pki_cert leaf = pki_client("client", &old);
    struct server server;
    server_start(&server, server_settings(TLS_MUTUAL, pki_pem(&world->own, NULL),
                                          pki_key_pem(&world->own, NULL), pki_pem(&old, &new, NULL)));
    expect_admitted(&server, (struct client_spec){.leaf = &leaf}, 2);
    pki_free(&leaf);
    pki_free(&new);
    pki_free(&old);
    server_stop(&server);
}

static void cas_of_one_name_are_told_apart_by_their_signatures(void **state)
{
    struct world *world = *state;
    struct pki_cert cas[2], leaves[2];
    for (int i = 0; i < 2; i++) {
        cas[i] = pki_make((struct pki_spec){
            .cn = "Twin", .basic = "critical,CA:TRUE", .usage = PKI_CA_USAGE, .until = (300L + i) * PKI_DAY});
        leaves[i] = pki_client("client", &cas[i]);
    }
    struct server server;
    server_start(&server, server_settings(TLS_MUTUAL, pki_pem(&world->own, NULL),
                                          pki_key_pem(&world->own, NULL), pki_pem(&cas[0], &cas[1], NULL)));
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;
        size_t count;
        unsigned char *der;
        meet(&server, &(struct client_spec){.version = TLS1_3_VERSION, .leaf = &leaves[i]}, &meeting);
        const struct certificate *chain = tls_session_chain(meeting.session, &count);
        assert_int_equal(count, 2);
        size_t len = pki_der(&cas[i], &der);
        assert_true(slice_equal(chain[1].der, slice_make(der, len)));
        OPENSSL_free(der);
        part(&meeting);
    }
    for (int i = 0; i < 2; i++) {
        pki_free(&cas[i]);
        pki_free(&leaves[i]);
    }
    server_stop(&server);
}

static void a_leaf_in_client_ca_lets_nobody_issue(void **state)
{
    struct world *world = *state;
    struct server server;
    struct pki_cert pinned = pki_make((struct pki_spec){.cn = "pinned"}),
                    leaf = pki_client("forged", &pinned);
    server_start(&server,
                 server_settings(TLS_MUTUAL, pki_pem(&world->own, NULL), pki_key_pem(&world->own, NULL),
                                 pki_pem(&world->root, &pinned, NULL)));
    assert_int_equal(server.problems.count, 1);
    assert_non_null(strstr(server.problems.list[0].text, "CN=pinned,O=Test is no CA"));
    expect_refused(&server, (struct client_spec){.leaf = &leaf},
                   (struct expected){REASON_CERTIFICATE_UNKNOWN_CA, 48, "CN=pinned"});
    expect_admitted(&server, (struct client_spec){.leaf = &world->client}, 2);
    pki_free(&pinned);
    pki_free(&leaf);
    server_stop(&server);
}

/* ---- name constraints ---- */

static void expect_constrained(const struct world *world, const char *constraints, const char *cn,
                               const char *san, bool admitted)
{
    struct server server;
    struct pki_cert middle = pki_make((struct pki_spec){.cn = "Constrained",
                                                        .issuer = &world->root,
                                                        .basic = "critical,CA:TRUE",
                                                        .usage = PKI_CA_USAGE,
                                                        .constraints = constraints});
    struct pki_cert leaf = pki_make((struct pki_spec){.cn = cn, .issuer = &middle, .san = san});
    struct client_spec spec = {.leaf = &leaf, .more = {&middle}};
    start(&server, world);
    if (admitted)
        expect_admitted(&server, spec, 3);
    else
        expect_refused(&server, spec,
                       (struct expected){REASON_CERTIFICATE_CHAIN_BROKEN, 42, "name constraints"});
    pki_free(&leaf);
    pki_free(&middle);
    server_stop(&server);
}

static void name_constraints_hold_for_alternative_names(void **state)
{
    expect_constrained(*state, "critical,permitted;DNS:good.example", "c", "DNS:a.bad.example", false);
    expect_constrained(*state, "critical,permitted;DNS:good.example", "c", "DNS:a.good.example", true);
    expect_constrained(*state, "critical,excluded;DNS:bad.example", "c", "DNS:bad.example", false);
}

static void name_constraints_hold_for_a_common_name_that_reads_as_a_host(void **state)
{
    expect_constrained(*state, "critical,permitted;DNS:good.example", "a.bad.example", NULL, false);
    expect_constrained(*state, "critical,permitted;DNS:good.example", "notgood.example", NULL, false);
    expect_constrained(*state, "critical,excluded;DNS:bad.example", "A.BAD.example", NULL, false);
}

static void a_common_name_within_the_constraints_is_admitted(void **state)
{
    expect_constrained(*state, "critical,permitted;DNS:good.example", "a.good.example", NULL, true);
    expect_constrained(*state, "critical,permitted;DNS:good.example", "Alice Example",
                       "DNS:alice.good.example", true);
}

/* Certificates of one name without key identifiers; the last is the leaf, signed by the one before it. */
struct namesakes {
    struct pki_cert made[3];
    unsigned char *der[3];
    struct certificate opened[3];
};

static void make_namesakes(struct namesakes *out)
{
    const char *why;
    for (int i = 0; i < 3; i++) {
        struct pki_spec spec = {.cn = i < 2 ? "Namesake" : "leaf", .no_key_ids = true};
        spec.issuer = i < 2 ? NULL : &out->made[1];
        spec.basic = i < 2 ? "critical,CA:TRUE" : NULL;
        out->made[i] = pki_make(spec);
        size_t len = pki_der(&out->made[i], &out->der[i]);
        assert_true(certificate_open(slice_make(out->der[i], len), &out->opened[i], &why));
    }
}

static void free_namesakes(struct namesakes *namesakes)
{
    for (int i = 0; i < 3; i++) {
        OPENSSL_free(namesakes->der[i]);
        pki_free(&namesakes->made[i]);
    }
}

static void where_names_leave_a_doubt_the_signature_decides(void **state)
{
    (void)state;
    struct namesakes namesakes;
    struct path path;
    int64_t now = time(NULL);
    make_namesakes(&namesakes);
    struct trust trust = {.anchors = namesakes.opened, .anchor_count = 2, .signed_by = certificate_signed_by};
    path_build(&trust, &namesakes.opened[2], 1, true, now, &path);
    assert_int_equal(path.count, 2);
    assert_true(path.anchored);
    assert_ptr_equal(path.list[1], &namesakes.opened[1]);
    /* The same, but one of the two is sent along and the other trusted. */
    const struct certificate sent[] = {namesakes.opened[2], namesakes.opened[1]};
    trust.anchor_count = 1;
    path_build(&trust, sent, 2, true, now, &path);
    assert_ptr_equal(path.list[1], &sent[1]);
    free_namesakes(&namesakes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_intermediate_is_named),
        cmocka_unit_test(what_one_client_sent_does_not_help_the_next),
        cmocka_unit_test(what_a_refused_client_sent_does_not_help_the_next),
        cmocka_unit_test(a_client_certificate_cannot_issue_others),
        cmocka_unit_test(an_intermediate_that_may_not_sign_certificates_is_refused),
        cmocka_unit_test(a_ca_below_one_that_allows_none_is_refused),
        cmocka_unit_test(an_expired_intermediate_is_refused),
        cmocka_unit_test(an_intermediate_for_servers_only_is_refused),
        cmocka_unit_test(more_intermediates_than_verify_depth_are_refused),
        cmocka_unit_test(more_certificates_than_the_library_takes_are_refused),
        cmocka_unit_test(certificates_in_the_wrong_order_are_named_as_such),
        cmocka_unit_test(a_root_that_is_sent_along_does_no_harm),
        cmocka_unit_test(an_intermediate_can_be_the_anchor),
        cmocka_unit_test(the_chain_goes_from_leaf_to_anchor),
        cmocka_unit_test(an_expired_ca_refuses_with_its_name),
        cmocka_unit_test(a_renewed_ca_with_the_same_key_takes_the_place_of_the_old),
        cmocka_unit_test(cas_of_one_name_are_told_apart_by_their_signatures),
        cmocka_unit_test(a_leaf_in_client_ca_lets_nobody_issue),
        cmocka_unit_test(name_constraints_hold_for_alternative_names),
        cmocka_unit_test(name_constraints_hold_for_a_common_name_that_reads_as_a_host),
        cmocka_unit_test(a_common_name_within_the_constraints_is_admitted),
        cmocka_unit_test(where_names_leave_a_doubt_the_signature_decides),
    };
    return cmocka_run_group_tests(tests, setup_world, teardown_world);
}
