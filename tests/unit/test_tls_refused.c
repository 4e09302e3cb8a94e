/* Client certificates: who is let in, who is not, with which reason and which alert, in both versions. */
#include "tests/unit/test_tls_client.h"

struct world {
    struct pki_cert root, other_root, own, middle, client;
};

static int setup_world(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_true(tls_library_start());
    world->root = pki_root("Root");
    world->other_root = pki_root("Other Root");
    world->own = pki_make((struct pki_spec){.cn = "localhost", .san = "DNS:localhost"});
    world->middle = pki_intermediate("Middle", &world->root);
    world->client = pki_client("client", &world->root);
    *state = world;
    return 0;
}

static int teardown_world(void **state)
{
    struct world *world = *state;
    pki_free(&world->root);
    pki_free(&world->other_root);
    pki_free(&world->own);
    pki_free(&world->middle);
    pki_free(&world->client);
    free(world);
    tls_library_stop();
    return 0;
}

static struct tls_settings settings_for(const struct world *world, const struct pki_cert *ca)
{
    return server_settings(TLS_MUTUAL, pki_pem(&world->own, NULL), pki_key_pem(&world->own, NULL),
                           pki_pem(ca, NULL));
}

static void start(struct server *server, const struct world *world)
{
    server_start(server, settings_for(world, &world->root));
}

struct expected {
    enum reason reason;
    int alert;
    const char *text; /* part of it */
};

static void expect_refused(struct server *server, struct client_spec spec, struct expected expected)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;
        size_t count;
        spec.version = VERSIONS[i];
        meet(server, &spec, &meeting);
        assert_int_equal(meeting.result, TLS_FAILED);
        const struct tls_failure *failure = tls_session_failure(meeting.session);
        if (failure->reason != expected.reason || !strstr(failure->text, expected.text))
            print_message("    %s: %s\n", reason_name(failure->reason), failure->text);
        assert_int_equal(failure->reason, expected.reason);
        assert_non_null(strstr(failure->text, expected.text));
        assert_int_equal(failure->alert_sent, expected.alert);
        assert_int_equal(meeting.client.alert, expected.alert);
        assert_null(tls_session_chain(meeting.session, &count));
        assert_int_equal(count, 0);
        part(&meeting);
    }
}

static void expect_admitted(struct server *server, struct client_spec spec, size_t chain)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;
        size_t count;
        spec.version = VERSIONS[i];
        meet(server, &spec, &meeting);
        if (meeting.result != TLS_OK)
            print_message("    %s\n", tls_session_failure(meeting.session)->text);
        assert_int_equal(meeting.result, TLS_OK);
        tls_session_chain(meeting.session, &count);
        assert_int_equal(count, chain);
        part(&meeting);
    }
}

/* A client certificate that differs from a good one in one thing. */
static void expect_leaf_refused(const struct world *world, struct pki_spec spec, struct expected expected)
{
    struct server server;
    start(&server, world);
    spec.cn = spec.cn ? spec.cn : "client";
    spec.issuer = spec.issuer ? spec.issuer : &world->root;
    struct pki_cert leaf = pki_make(spec);
    expect_refused(&server, (struct client_spec){.leaf = &leaf}, expected);
    pki_free(&leaf);
    server_stop(&server);
}

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

/* ---- chains ---- */

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

/* ---- CRLs ---- */

static void start_with_crl(struct server *server, const struct world *world, char *crl, bool required)
{
    struct tls_settings settings = settings_for(world, &world->root);
    settings.client_crl = pem_file("clients.crl", crl);
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
        cmocka_unit_test(a_revoked_certificate_is_refused),
        cmocka_unit_test(an_expired_crl_keeps_its_revoked_out_and_no_others),
        cmocka_unit_test(where_a_crl_is_required_an_expired_one_refuses),
        cmocka_unit_test(where_a_crl_is_required_each_ca_of_the_chain_needs_one),
        cmocka_unit_test(every_crl_of_a_file_counts),
        cmocka_unit_test(a_revoked_intermediate_refuses_what_is_below),
        cmocka_unit_test(a_crl_that_its_intermediate_did_not_sign_proves_nothing),
        cmocka_unit_test(in_optional_mode_none_is_fine_but_a_bad_one_is_not),
        cmocka_unit_test(in_one_way_mode_no_certificate_is_asked_for),
    };
    return cmocka_run_group_tests(tests, setup_world, teardown_world);
}
