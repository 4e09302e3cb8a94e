/* lb as the client of an OpenSSL server, through memory: who is believed, what is refused, what is resumed.
 */
#include "tests/unit/test_tls_client.h"

#include "lb/tls/client.h"

struct world {
    struct pki_cert root, other_root, middle, good;
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_true(tls_library_start());
    world->root = pki_root("Root");
    world->other_root = pki_root("Other Root");
    world->middle = pki_intermediate("Middle", &world->root);
    world->good = pki_make((struct pki_spec){.cn = "server",
                                             .issuer = &world->root,
                                             .usage = "critical,digitalSignature",
                                             .purpose = "serverAuth",
                                             .san = "DNS:app.test,IP:127.0.0.1"});
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    pki_free(&world->root);
    pki_free(&world->other_root);
    pki_free(&world->middle);
    pki_free(&world->good);
    free(world);
    tls_library_stop();
    return 0;
}

/* ---- the server ---- */

struct origin_spec {
    int version;
    const struct pki_cert *leaf;
    const struct pki_cert *more[3];
    const struct pki_cert *clients; /* demands certificates of this CA */
    const char *alpn;               /* the one protocol it takes; NULL: it does without */
};

struct origin {
    SSL_CTX *ctx;
    const char *alpn;
    char name[64]; /* SNI of the last handshake */
};

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *len, const unsigned char *in,
                       unsigned in_len, void *context)
{
    const struct origin *origin = context;
    size_t want = strlen(origin->alpn);
    (void)ssl;
    for (unsigned at = 0; at < in_len; at += 1u + in[at])
        if (in[at] == want && memcmp(in + at + 1, origin->alpn, want) == 0) {
            *out = in + at + 1;
            *len = in[at];
            return SSL_TLSEXT_ERR_OK;
        }
    return SSL_TLSEXT_ERR_NOACK;
}

static int note_name(SSL *ssl, int *alert, void *context)
{
    struct origin *origin = context;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert;
    snprintf(origin->name, sizeof origin->name, "%s", name ? name : "");
    return SSL_TLSEXT_ERR_OK;
}

static void origin_start(struct origin *origin, const struct origin_spec *spec)
{
    *origin = (struct origin){.ctx = SSL_CTX_new(TLS_server_method()), .alpn = spec->alpn};
    SSL_CTX_set_security_level(origin->ctx, 0);
    SSL_CTX_set_min_proto_version(origin->ctx, spec->version);
    SSL_CTX_set_max_proto_version(origin->ctx, spec->version);
    SSL_CTX_set_session_id_context(origin->ctx, (const unsigned char *)"test", 4);
    assert_int_equal(SSL_CTX_use_certificate(origin->ctx, spec->leaf->x509), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(origin->ctx, spec->leaf->key), 1);
    SSL_CTX_set_mode(origin->ctx, SSL_MODE_NO_AUTO_CHAIN);
    for (size_t i = 0; i < 3 && spec->more[i]; i++)
        assert_int_equal(SSL_CTX_add1_chain_cert(origin->ctx, spec->more[i]->x509), 1);
    if (spec->clients) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(origin->ctx), spec->clients->x509);
        SSL_CTX_set_verify(origin->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    if (spec->alpn)
        SSL_CTX_set_alpn_select_cb(origin->ctx, choose_alpn, origin);
    SSL_CTX_set_tlsext_servername_callback(origin->ctx, note_name);
    SSL_CTX_set_tlsext_servername_arg(origin->ctx, origin);
}

/* ---- lb ---- */

struct lb {
    struct tls_client_settings settings;
    struct tls_context *context;
    struct tls_peer *peer;
    struct tls_scratch scratch;
    struct problems problems;
};

static const struct tls_protocols no_protocols = {NULL, false}, only_h2 = {"h2", true},
                                  http_1 = {"http/1.1", false};

/* `ca` NULL: verifies nothing. */
static void lb_start(struct lb *lb, const struct pki_cert *ca, const char *name)
{
    *lb = (struct lb){.settings = {.verify = ca != NULL, .min = TLS_1_2, .max = TLS_1_3}};
    if (ca)
        lb->settings.ca = pem_file("servers.pem", pki_pem(ca, NULL));
    lb->context = tls_client_context_new(&lb->settings, (struct place){"lb.ini", 3}, &lb->problems);
    if (!lb->context)
        problems_print(&lb->problems);
    assert_non_null(lb->context);
    assert_true(tls_scratch_init(&lb->scratch, INPUT_MAX));
    lb->peer = tls_peer_new(lb->context, name);
}

static void lb_stop(struct lb *lb)
{
    tls_peer_free(lb->peer);
    tls_context_free(lb->context);
    tls_scratch_free(&lb->scratch);
    problems_free(&lb->problems);
    free(lb->settings.ca.data);
    free(lb->settings.pair.certificate.data);
    free(lb->settings.pair.key.data);
}

/* ---- both ---- */

struct meeting_at {
    struct tls_session *session;
    SSL *ssl;
    enum tls_result result; /* lb's last */
    bool accepted;          /* the server has finished its handshake */
    char got[64];           /* what the server read */
    int got_len;
};

static void flush(struct lb *lb, struct meeting_at *at)
{
    if (lb->scratch.out_len > 0)
        BIO_write(SSL_get_rbio(at->ssl), lb->scratch.out, (int)lb->scratch.out_len);
    lb->scratch.out_len = 0;
}

static struct slice from_server(const struct meeting_at *at, char *copy, size_t cap)
{
    int len = BIO_read(SSL_get_wbio(at->ssl), copy, (int)cap);
    return slice_make(copy, len > 0 ? (size_t)len : 0);
}

static void meet_at(struct lb *lb, struct origin *origin, const struct tls_protocols *protocols,
                    struct meeting_at *at)
{
    char copy[INPUT_MAX];
    struct slice in = {"", 0};
    *at = (struct meeting_at){.ssl = SSL_new(origin->ctx), .result = TLS_WANT};
    SSL_set_bio(at->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(at->ssl);
    at->session = tls_session_connect(lb->peer, protocols, &lb->scratch);
    assert_non_null(at->session);
    for (int turns = 0; turns < 10 && at->result == TLS_WANT; turns++) {
        at->result = tls_session_handshake(at->session, in);
        flush(lb, at);
        at->accepted = SSL_do_handshake(at->ssl) == 1;
        in = at->result == TLS_WANT ? from_server(at, copy, sizeof copy) : in;
    }
    at->accepted = at->accepted || SSL_do_handshake(at->ssl) == 1;
}

/* lb says something, and reads what the server has sent meanwhile: tickets, alerts. */
static void talk(struct lb *lb, struct meeting_at *at)
{
    char copy[INPUT_MAX];
    struct slice plain;
    if (at->result == TLS_OK)
        tls_session_write(at->session, SLICE_LITERAL("request"));
    flush(lb, at);
    at->got_len = SSL_read(at->ssl, at->got, sizeof at->got);
    struct slice in = from_server(at, copy, sizeof copy);
    if (at->result == TLS_OK)
        at->result = tls_session_read(at->session, in, &plain);
}

static void part_from(struct meeting_at *at)
{
    tls_session_free(at->session);
    if (at->accepted)
        SSL_set_shutdown(at->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* or it forgets the session */
    SSL_free(at->ssl);
    ERR_clear_error();
}

static void expect_refused(const struct pki_cert *ca, const char *name, struct origin_spec spec,
                           const char *text)
{
    for (int i = 0; i < 2; i++) {
        struct lb lb;
        struct origin origin;
        struct meeting_at at;
        spec.version = VERSIONS[i];
        lb_start(&lb, ca, name);
        origin_start(&origin, &spec);
        meet_at(&lb, &origin, &no_protocols, &at);
        talk(&lb, &at);
        assert_int_equal(at.result, TLS_FAILED);
        const struct tls_failure *failure = tls_session_failure(at.session);
        if (failure->reason != REASON_SERVER_CERTIFICATE || !strstr(failure->text, text))
            print_message("    %s: %s\n", reason_name(failure->reason), failure->text);
        assert_int_equal(failure->reason, REASON_SERVER_CERTIFICATE);
        assert_non_null(strstr(failure->text, text));
        assert_false(at.accepted);
        assert_true(at.got_len <= 0);
        assert_false(tls_session_write(at.session, SLICE_LITERAL("request")));
        part_from(&at);
        SSL_CTX_free(origin.ctx);
        lb_stop(&lb);
    }
}

static void expect_believed(const struct pki_cert *ca, const char *name, struct origin_spec spec)
{
    for (int i = 0; i < 2; i++) {
        struct lb lb;
        struct origin origin;
        struct meeting_at at;
        spec.version = VERSIONS[i];
        lb_start(&lb, ca, name);
        origin_start(&origin, &spec);
        meet_at(&lb, &origin, &no_protocols, &at);
        if (at.result != TLS_OK)
            print_message("    %s\n", tls_session_failure(at.session)->text);
        assert_int_equal(at.result, TLS_OK);
        talk(&lb, &at);
        assert_int_equal(at.got_len, 7);
        assert_memory_equal(at.got, "request", 7);
        part_from(&at);
        SSL_CTX_free(origin.ctx);
        lb_stop(&lb);
    }
}

/* A server's certificate that differs from a good one in one thing. */
static void expect_leaf_refused(const struct world *world, struct pki_spec spec, const char *text)
{
    spec.cn = spec.cn ? spec.cn : "server";
    spec.issuer = spec.issuer ? spec.issuer : &world->root;
    spec.san = spec.san ? spec.san : "DNS:app.test";
    struct pki_cert leaf = pki_make(spec);
    expect_refused(&world->root, "app.test", (struct origin_spec){.leaf = &leaf}, text);
    pki_free(&leaf);
}

/* ---- who is not believed ---- */

static void a_server_of_another_ca_is_refused(void **state)
{
    const struct world *world = *state;
    expect_refused(&world->other_root, "app.test", (struct origin_spec){.leaf = &world->good},
                   "is neither in ca nor among the 1 certificate sent");
}

static void a_self_signed_server_is_refused(void **state)
{
    const struct world *world = *state;
    struct pki_cert leaf = pki_make((struct pki_spec){.cn = "app.test", .san = "DNS:app.test"});
    expect_refused(&world->root, "app.test", (struct origin_spec){.leaf = &leaf},
                   "is self-signed: it needs the signature of a CA of ca");
    pki_free(&leaf);
}

static void a_server_with_another_name_is_refused(void **state)
{
    const struct world *world = *state;
    expect_refused(&world->root, "other.test", (struct origin_spec){.leaf = &world->good},
                   "is not for other.test");
    expect_refused(&world->root, "127.0.0.2", (struct origin_spec){.leaf = &world->good},
                   "is not for 127.0.0.2");
}

static void a_server_is_refused_if_nobody_said_who_it_shall_be(void **state)
{
    const struct world *world = *state;
    expect_refused(&world->root, NULL, (struct origin_spec){.leaf = &world->good}, "set verify-host");
}

static void a_common_name_alone_is_refused(void **state)
{
    expect_leaf_refused(*state, (struct pki_spec){.cn = "app.test", .san = "DNS:other.test"},
                        "a common name does not count");
}

static void an_expired_certificate_of_a_server_is_refused(void **state)
{
    expect_leaf_refused(*state, (struct pki_spec){.from = -20L * PKI_DAY, .until = -PKI_DAY}, "has expired");
}

static void a_certificate_of_a_server_before_its_time_is_refused(void **state)
{
    expect_leaf_refused(*state, (struct pki_spec){.from = PKI_DAY}, "is not valid before");
}

static void a_client_s_certificate_is_refused_from_a_server(void **state)
{
    expect_leaf_refused(*state, (struct pki_spec){.purpose = "clientAuth"}, "lacks serverAuth");
}

static void a_weak_key_of_a_server_is_refused(void **state)
{
    expect_leaf_refused(*state, (struct pki_spec){.key = PKI_RSA1024}, "");
}

static void a_forged_signature_is_refused(void **state)
{
    const struct world *world = *state;
    expect_leaf_refused(world, (struct pki_spec){.signer = &world->other_root}, "");
}

static void an_intermediate_of_one_server_does_not_help_another(void **state)
{
    const struct world *world = *state;
    struct pki_cert leaf =
        pki_make((struct pki_spec){.cn = "server", .issuer = &world->middle, .san = "DNS:app.test"});
    struct origin whole, lacking;
    struct lb lb;
    struct meeting_at at;
    lb_start(&lb, &world->root, "app.test");
    origin_start(&whole, &(struct origin_spec){TLS1_3_VERSION, &leaf, {&world->middle}, NULL, NULL});
    origin_start(&lacking, &(struct origin_spec){TLS1_3_VERSION, &leaf, {NULL}, NULL, NULL});
    meet_at(&lb, &whole, &no_protocols, &at);
    assert_int_equal(at.result, TLS_OK);
    part_from(&at);
    meet_at(&lb, &lacking, &no_protocols, &at);
    assert_int_equal(at.result, TLS_FAILED);
    part_from(&at);
    SSL_CTX_free(whole.ctx);
    SSL_CTX_free(lacking.ctx);
    lb_stop(&lb);
    pki_free(&leaf);
}

static void a_handshake_may_come_byte_by_byte(void **state)
{
    const struct world *world = *state;
    for (int i = 0; i < 2; i++) {
        struct lb lb;
        struct origin origin;
        struct meeting_at at = {.result = TLS_WANT};
        char copy[INPUT_MAX];
        lb_start(&lb, &world->root, "app.test");
        origin_start(&origin, &(struct origin_spec){.version = VERSIONS[i], .leaf = &world->good});
        at.ssl = SSL_new(origin.ctx);
        SSL_set_bio(at.ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_accept_state(at.ssl);
        at.session = tls_session_connect(lb.peer, &no_protocols, &lb.scratch);
        tls_session_handshake(at.session, (struct slice){"", 0});
        for (int turns = 0; turns < 10 && at.result == TLS_WANT; turns++) {
            flush(&lb, &at);
            SSL_do_handshake(at.ssl);
            struct slice in = from_server(&at, copy, sizeof copy);
            for (size_t j = 0; j < in.len && at.result == TLS_WANT; j++)
                at.result = tls_session_handshake(at.session, slice_make(in.data + j, 1));
        }
        assert_int_equal(at.result, TLS_OK);
        flush(&lb, &at);
        assert_int_equal(SSL_do_handshake(at.ssl), 1);
        part_from(&at);
        SSL_CTX_free(origin.ctx);
        lb_stop(&lb);
    }
}

/* Nothing vouches for the version in a record's header, and nothing depends on it (RFC 8446 section 5.1). */
static bool is_version_of_record(struct slice records, size_t at)
{
    size_t start = 0;
    while (start + 5 <= records.len && start <= at) {
        if (at == start + 1 || at == start + 2)
            return true;
        start += 5 + ((size_t)(uint8_t)records.data[start + 3] << 8 | (uint8_t)records.data[start + 4]);
    }
    return false;
}

/* Whether lb finishes a handshake in which bit `at` of what the server first says was changed. */
static bool believes_changed(struct lb *lb, struct origin *origin, size_t at)
{
    char copy[INPUT_MAX];
    SSL *ssl = SSL_new(origin->ctx);
    struct meeting_at meeting = {.ssl = ssl};
    bool changed = false;
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(ssl);
    meeting.session = tls_session_connect(lb->peer, &no_protocols, &lb->scratch);
    meeting.result = tls_session_handshake(meeting.session, (struct slice){"", 0});
    for (int turns = 0; turns < 4 && meeting.result == TLS_WANT; turns++) {
        flush(lb, &meeting);
        SSL_do_handshake(ssl);
        struct slice in = from_server(&meeting, copy, sizeof copy);
        if (turns == 0)
            changed = !is_version_of_record(in, at / 8 % in.len);
        if (turns == 0 && changed)
            copy[at / 8 % in.len] ^= (char)(1 << at % 8);
        meeting.result = tls_session_handshake(meeting.session, in);
    }
    bool believed = meeting.result == TLS_OK && changed;
    lb->scratch.out_len = 0;
    part_from(&meeting);
    return believed;
}

static void one_changed_bit_of_what_a_server_says_is_enough_to_refuse_it(void **state)
{
    const struct world *world = *state;
    for (int i = 0; i < 2; i++) {
        struct lb lb;
        struct origin origin;
        lb_start(&lb, &world->root, "app.test");
        origin_start(&origin, &(struct origin_spec){.version = VERSIONS[i], .leaf = &world->good});
        for (size_t at = 0; at < 8 * 1200; at += 37)
            if (believes_changed(&lb, &origin, at))
                fail_msg("bit %zu was changed and not missed", at);
        SSL_CTX_free(origin.ctx);
        lb_stop(&lb);
    }
}

static void plain_text_in_place_of_a_handshake_is_refused(void **state)
{
    const struct world *world = *state;
    struct lb lb;
    struct slice plain;
    static const char answer[] = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nowned";
    lb_start(&lb, &world->root, "app.test");
    struct tls_session *session = tls_session_connect(lb.peer, &no_protocols, &lb.scratch);
    assert_int_equal(tls_session_handshake(session, (struct slice){"", 0}), TLS_WANT);
    assert_int_equal(tls_session_handshake(session, slice_of(answer)), TLS_FAILED);
    assert_int_equal(tls_session_failure(session)->reason, REASON_SERVER_TLS_FAILED);
    assert_int_equal(tls_session_read(session, slice_of(answer), &plain), TLS_FAILED);
    assert_int_equal(plain.len, 0);
    tls_session_free(session);
    lb_stop(&lb);
}

/* ---- who is believed ---- */

static void a_server_with_the_right_name_is_believed(void **state)
{
    const struct world *world = *state;
    expect_believed(&world->root, "app.test", (struct origin_spec){.leaf = &world->good});
    expect_believed(&world->root, "APP.test.", (struct origin_spec){.leaf = &world->good});
}

static void an_address_is_found_among_the_alternative_names(void **state)
{
    const struct world *world = *state;
    expect_believed(&world->root, "127.0.0.1", (struct origin_spec){.leaf = &world->good});
}

static void a_chain_is_followed(void **state)
{
    const struct world *world = *state;
    struct pki_cert leaf =
        pki_make((struct pki_spec){.cn = "server", .issuer = &world->middle, .san = "DNS:app.test"});
    expect_believed(&world->root, "app.test", (struct origin_spec){.leaf = &leaf, .more = {&world->middle}});
    pki_free(&leaf);
}

static void a_root_may_be_sent_too_and_an_intermediate_may_be_trusted(void **state)
{
    const struct world *world = *state;
    struct pki_cert leaf =
        pki_make((struct pki_spec){.cn = "server", .issuer = &world->middle, .san = "DNS:app.test"});
    expect_believed(&world->root, "app.test",
                    (struct origin_spec){.leaf = &leaf, .more = {&world->middle, &world->root}});
    expect_believed(&world->middle, "app.test",
                    (struct origin_spec){.leaf = &leaf, .more = {&world->middle}});
    expect_believed(&world->middle, "app.test", (struct origin_spec){.leaf = &leaf});
    pki_free(&leaf);
}

static void without_verification_anybody_is_believed(void **state)
{
    struct pki_cert leaf = pki_make((struct pki_spec){.cn = "anybody", .until = -3600, .from = -PKI_DAY});
    (void)state;
    expect_believed(NULL, NULL, (struct origin_spec){.leaf = &leaf});
    pki_free(&leaf);
}

/* ---- what is sent ---- */

static void the_name_is_sent_without_its_dot_and_an_address_is_not(void **state)
{
    const struct world *world = *state;
    static const char *const names[][2] = {{"app.test", "app.test"},
                                           {"app.test.", "app.test"},
                                           {"127.0.0.1", ""}};
    for (size_t i = 0; i < 3; i++) {
        struct lb lb;
        struct origin origin;
        struct meeting_at at;
        lb_start(&lb, &world->root, names[i][0]);
        origin_start(&origin, &(struct origin_spec){.version = TLS1_3_VERSION, .leaf = &world->good});
        meet_at(&lb, &origin, &no_protocols, &at);
        assert_int_equal(at.result, TLS_OK);
        assert_string_equal(origin.name, names[i][1]);
        part_from(&at);
        SSL_CTX_free(origin.ctx);
        lb_stop(&lb);
    }
}

static void expect_protocol(const struct world *world, const struct tls_protocols *protocols,
                            const char *theirs, enum tls_result result, const char *agreed)
{
    struct lb lb;
    struct origin origin;
    struct meeting_at at;
    lb_start(&lb, &world->root, "app.test");
    origin_start(&origin,
                 &(struct origin_spec){.version = TLS1_3_VERSION, .leaf = &world->good, .alpn = theirs});
    meet_at(&lb, &origin, protocols, &at);
    assert_int_equal(at.result, result);
    if (result == TLS_OK)
        assert_true(slice_is(tls_session_alpn(at.session), agreed));
    else
        assert_non_null(strstr(tls_session_failure(at.session)->text, "does not agree on h2 by ALPN"));
    part_from(&at);
    SSL_CTX_free(origin.ctx);
    lb_stop(&lb);
}

static void a_server_that_does_not_agree_on_what_is_required_is_refused(void **state)
{
    expect_protocol(*state, &only_h2, NULL, TLS_FAILED, NULL);
    expect_protocol(*state, &only_h2, "http/1.1", TLS_FAILED, NULL);
}

static void protocols_are_agreed_on(void **state)
{
    expect_protocol(*state, &only_h2, "h2", TLS_OK, "h2");
    expect_protocol(*state, &http_1, "http/1.1", TLS_OK, "http/1.1");
    expect_protocol(*state, &http_1, NULL, TLS_OK, "");
}

/* ---- lb's own certificate ---- */

static void expect_spurned(const struct world *world, int version, bool shown)
{
    struct lb lb;
    struct origin origin;
    struct meeting_at at;
    struct pki_cert own = pki_client("lb", &world->root);
    lb_start(&lb, &world->root, "app.test");
    tls_peer_free(lb.peer);
    tls_context_free(lb.context);
    if (shown) {
        lb.settings.pair.certificate = pem_file("lb.pem", pki_pem(&own, NULL));
        lb.settings.pair.key = pem_file("lb.key", pki_key_pem(&own, NULL));
    }
    lb.context = tls_client_context_new(&lb.settings, (struct place){"lb.ini", 3}, &lb.problems);
    lb.peer = tls_peer_new(lb.context, "app.test");
    origin_start(&origin, &(struct origin_spec){version, &world->good, {NULL}, &world->root, NULL});
    meet_at(&lb, &origin, &no_protocols, &at);
    talk(&lb, &at);
    assert_int_equal(at.result, shown ? TLS_OK : TLS_FAILED);
    assert_int_equal(at.got_len, shown ? 7 : -1);
    if (!shown) {
        assert_int_equal(tls_session_failure(at.session)->reason, REASON_SERVER_TLS_FAILED);
        assert_non_null(strstr(tls_session_failure(at.session)->text, "sent alert"));
        assert_int_equal(tls_session_spurned(at.session), version == TLS1_3_VERSION);
    }
    part_from(&at);
    SSL_CTX_free(origin.ctx);
    lb_stop(&lb);
    pki_free(&own);
}

static void a_server_that_demands_a_certificate_refuses_when_there_is_none(void **state)
{
    expect_spurned(*state, TLS1_2_VERSION, false);
    expect_spurned(*state, TLS1_3_VERSION, false);
}

static void a_certificate_is_shown_where_it_is_demanded(void **state)
{
    expect_spurned(*state, TLS1_2_VERSION, true);
    expect_spurned(*state, TLS1_3_VERSION, true);
}

/* ---- resumption ---- */

/* Whether a second handshake, with the second origin, resumed the first one's session. */
static bool resumes(struct lb *lb, struct origin *first, struct origin *second,
                    const struct tls_protocols *protocols)
{
    struct meeting_at at;
    meet_at(lb, first, &no_protocols, &at);
    assert_int_equal(at.result, TLS_OK);
    assert_false(tls_session_resumed(at.session));
    talk(lb, &at);
    part_from(&at);
    meet_at(lb, second, protocols, &at);
    if (at.result != TLS_OK)
        print_message("    %s\n", tls_session_failure(at.session)->text);
    assert_int_equal(at.result, TLS_OK);
    talk(lb, &at);
    assert_int_equal(at.got_len, 7);
    bool resumed = tls_session_resumed(at.session);
    assert_int_equal(resumed, SSL_session_reused(at.ssl));
    part_from(&at);
    return resumed;
}

static void a_session_is_resumed(void **state)
{
    const struct world *world = *state;
    for (int i = 0; i < 2; i++) {
        struct lb lb;
        struct origin origin;
        lb_start(&lb, &world->root, "app.test");
        origin_start(&origin, &(struct origin_spec){.version = VERSIONS[i], .leaf = &world->good});
        assert_true(resumes(&lb, &origin, &origin, &no_protocols));
        SSL_CTX_free(origin.ctx);
        lb_stop(&lb);
    }
}

static void a_session_is_resumed_by_its_id_too(void **state)
{
    const struct world *world = *state;
    struct lb lb;
    struct origin origin;
    lb_start(&lb, &world->root, "app.test");
    origin_start(&origin, &(struct origin_spec){.version = TLS1_2_VERSION, .leaf = &world->good});
    SSL_CTX_set_options(origin.ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(origin.ctx, SSL_SESS_CACHE_SERVER);
    assert_true(resumes(&lb, &origin, &origin, &no_protocols));
    SSL_CTX_free(origin.ctx);
    lb_stop(&lb);
}

static void a_server_that_has_forgotten_is_verified_again(void **state)
{
    const struct world *world = *state;
    for (int i = 0; i < 2; i++) {
        struct lb lb;
        struct origin first, second;
        lb_start(&lb, &world->root, "app.test");
        origin_start(&first, &(struct origin_spec){.version = VERSIONS[i], .leaf = &world->good});
        origin_start(&second, &(struct origin_spec){.version = VERSIONS[i], .leaf = &world->good});
        assert_false(resumes(&lb, &first, &second, &no_protocols));
        SSL_CTX_free(first.ctx);
        SSL_CTX_free(second.ctx);
        lb_stop(&lb);
    }
}

static void a_kept_session_does_not_help_an_impostor(void **state)
{
    const struct world *world = *state;
    struct pki_cert forged =
        pki_make((struct pki_spec){.cn = "server", .issuer = &world->other_root, .san = "DNS:app.test"});
    for (int i = 0; i < 2; i++) {
        struct lb lb;
        struct origin first, second;
        struct meeting_at at;
        lb_start(&lb, &world->root, "app.test");
        origin_start(&first, &(struct origin_spec){.version = VERSIONS[i], .leaf = &world->good});
        origin_start(&second, &(struct origin_spec){.version = VERSIONS[i], .leaf = &forged});
        meet_at(&lb, &first, &no_protocols, &at);
        talk(&lb, &at);
        part_from(&at);
        meet_at(&lb, &second, &no_protocols, &at);
        assert_int_equal(at.result, TLS_FAILED);
        assert_int_equal(tls_session_failure(at.session)->reason, REASON_SERVER_CERTIFICATE);
        part_from(&at);
        meet_at(&lb, &first, &no_protocols, &at);
        assert_int_equal(at.result, TLS_OK);
        assert_false(tls_session_resumed(at.session)); /* after a failure nothing old is used */
        part_from(&at);
        SSL_CTX_free(first.ctx);
        SSL_CTX_free(second.ctx);
        lb_stop(&lb);
    }
    pki_free(&forged);
}

static void a_session_for_another_protocol_is_not_resumed(void **state)
{
    const struct world *world = *state;
    struct lb lb;
    struct origin origin;
    lb_start(&lb, &world->root, "app.test");
    origin_start(&origin,
                 &(struct origin_spec){.version = TLS1_3_VERSION, .leaf = &world->good, .alpn = "h2"});
    assert_false(resumes(&lb, &origin, &origin, &only_h2));
    SSL_CTX_free(origin.ctx);
    lb_stop(&lb);
}

static void many_handshakes_at_once_resume_one_session(void **state)
{
    const struct world *world = *state;
    struct lb lb;
    struct origin origin;
    struct meeting_at first, others[4];
    lb_start(&lb, &world->root, "app.test");
    origin_start(&origin, &(struct origin_spec){.version = TLS1_3_VERSION, .leaf = &world->good});
    SSL_CTX_set_options(origin.ctx, SSL_OP_NO_ANTI_REPLAY);
    meet_at(&lb, &origin, &no_protocols, &first);
    talk(&lb, &first);
    for (size_t i = 0; i < 4; i++) {
        meet_at(&lb, &origin, &no_protocols, &others[i]);
        assert_true(tls_session_resumed(others[i].session));
    }
    for (size_t i = 0; i < 4; i++) {
        talk(&lb, &others[i]);
        assert_int_equal(others[i].got_len, 7);
        part_from(&others[i]);
    }
    part_from(&first);
    SSL_CTX_free(origin.ctx);
    lb_stop(&lb);
}

/* ---- what is wrong with the settings ---- */

static void expect_problem(struct tls_client_settings settings, const char *text)
{
    struct problems problems = {0};
    assert_null(tls_client_context_new(&settings, (struct place){"lb.ini", 3}, &problems));
    assert_true(problems.errors > 0);
    if (!strstr(problems.list[0].text, text))
        problems_print(&problems);
    assert_non_null(strstr(problems.list[0].text, text));
    problems_free(&problems);
}

static void wrong_settings_are_told(void **state)
{
    const struct world *world = *state;
    char *key = pki_key_pem(&world->good, NULL), *pem = pki_pem(&world->good, NULL),
         *root = pki_pem(&world->root, NULL);
    struct tls_client_settings settings = {.verify = true, .min = TLS_1_2, .max = TLS_1_3};
    expect_problem(settings, "TLS to servers needs ca");
    settings.ca = pem_file("key.pem", key);
    expect_problem(settings, "holds no certificate of a CA");
    settings.ca = pem_file("leaf.pem", pem);
    settings.verify = false;
    settings.pair.certificate = pem_file("root.pem", root);
    settings.pair.key = pem_file("good.key", key);
    expect_problem(settings, "does not belong to the first certificate");
    settings.pair.certificate = (struct tls_file){0};
    settings.ciphers = (char *)"TLS_NO_SUCH";
    expect_problem(settings, "there is no cipher");
    free(key);
    free(pem);
    free(root);
}

static void of_the_system_s_bundle_what_is_of_no_use_is_left_out(void **state)
{
    const struct world *world = *state;
    struct problems problems = {0};
    struct tls_client_settings settings = {.verify = true, .min = TLS_1_2, .max = TLS_1_3, .system_ca = true};
    char *pem = pki_pem(&world->good, &world->root, NULL);
    settings.ca = pem_file("bundle.pem", pem);
    struct tls_context *context = tls_client_context_new(&settings, (struct place){"lb.ini", 3}, &problems);
    assert_non_null(context);
    assert_int_equal(problems.count, 0);
    tls_context_free(context);
    problems_free(&problems);
    free(pem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_of_another_ca_is_refused),
        cmocka_unit_test(a_self_signed_server_is_refused),
        cmocka_unit_test(a_server_with_another_name_is_refused),
        cmocka_unit_test(a_server_is_refused_if_nobody_said_who_it_shall_be),
        cmocka_unit_test(a_common_name_alone_is_refused),
        cmocka_unit_test(an_expired_certificate_of_a_server_is_refused),
        cmocka_unit_test(a_certificate_of_a_server_before_its_time_is_refused),
        cmocka_unit_test(a_client_s_certificate_is_refused_from_a_server),
        cmocka_unit_test(a_weak_key_of_a_server_is_refused),
        cmocka_unit_test(a_forged_signature_is_refused),
        cmocka_unit_test(an_intermediate_of_one_server_does_not_help_another),
        cmocka_unit_test(a_handshake_may_come_byte_by_byte),
        cmocka_unit_test(one_changed_bit_of_what_a_server_says_is_enough_to_refuse_it),
        cmocka_unit_test(plain_text_in_place_of_a_handshake_is_refused),
        cmocka_unit_test(a_server_with_the_right_name_is_believed),
        cmocka_unit_test(an_address_is_found_among_the_alternative_names),
        cmocka_unit_test(a_chain_is_followed),
        cmocka_unit_test(a_root_may_be_sent_too_and_an_intermediate_may_be_trusted),
        cmocka_unit_test(without_verification_anybody_is_believed),
        cmocka_unit_test(the_name_is_sent_without_its_dot_and_an_address_is_not),
        cmocka_unit_test(a_server_that_does_not_agree_on_what_is_required_is_refused),
        cmocka_unit_test(protocols_are_agreed_on),
        cmocka_unit_test(a_server_that_demands_a_certificate_refuses_when_there_is_none),
        cmocka_unit_test(a_certificate_is_shown_where_it_is_demanded),
        cmocka_unit_test(a_session_is_resumed),
        cmocka_unit_test(a_session_is_resumed_by_its_id_too),
        cmocka_unit_test(a_server_that_has_forgotten_is_verified_again),
        cmocka_unit_test(a_kept_session_does_not_help_an_impostor),
        cmocka_unit_test(a_session_for_another_protocol_is_not_resumed),
        cmocka_unit_test(many_handshakes_at_once_resume_one_session),
        cmocka_unit_test(wrong_settings_are_told),
        cmocka_unit_test(of_the_system_s_bundle_what_is_of_no_use_is_left_out),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
