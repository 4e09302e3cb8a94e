/* Who comes back with a session: only who would be let in anew, and only where and while it counts. */
#include "tests/unit/test_tls_world.h"

#include "lb/tls/sessions.h"

enum { LIFETIME = 3600 };

/* The three ways in which a client can come back. */
enum way { TICKET_1_3, TICKET_1_2, ID_1_2, WAYS };

static const char *const way_names[WAYS] = {"a ticket of 1.3", "a ticket of 1.2", "an id of 1.2"};

static struct client_spec by(enum way way, struct client_spec spec)
{
    spec.version = way == TICKET_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
    spec.options |= way == ID_1_2 ? SSL_OP_NO_TICKET : 0;
    return spec;
}

/* ---- listeners ---- */

static struct tls_settings resuming(struct tls_settings settings)
{
    settings.session_lifetime_ms = LIFETIME * 1000;
    settings.session_tickets = true;
    return settings;
}

static void share(struct server *server, struct tls_sessions *sessions, const char *scope)
{
    tls_context_resume(server->context, sessions, slice_of(scope));
}

static void open_listener(struct server *server, const struct world *world, enum tls_mode mode,
                          struct tls_sessions *sessions, const char *scope)
{
    struct tls_settings settings = resuming(settings_for(world, &world->root));
    settings.mode = mode;
    server_start(server, settings);
    share(server, sessions, scope);
}

/* ---- clients ---- */

struct seen {
    bool good, resumed;
    size_t chain;
    char subject[64], anchor[64];
    enum reason reason;
    int alert;
    enum tls_refusal refusal;
    long hint;
    SSL_SESSION *session; /* NULL: none was given */
};

static void note_chain(const struct tls_session *session, struct seen *seen)
{
    const struct certificate *chain = tls_session_chain(session, &seen->chain);
    if (seen->chain == 0)
        return;
    certificate_subject(&chain[0], seen->subject, sizeof seen->subject);
    certificate_subject(&chain[seen->chain - 1], seen->anchor, sizeof seen->anchor);
}

static struct seen visit(struct server *server, struct client_spec spec)
{
    struct seen seen = {.reason = REASON_NONE};
    struct meeting meeting;
    meet(server, &spec, &meeting);
    seen.good = meeting.result == TLS_OK;
    seen.resumed = seen.good && tls_session_resumed(meeting.session);
    seen.refusal = tls_session_refusal(meeting.session);
    seen.alert = meeting.client.alert;
    if (seen.good) {
        assert_int_equal(seen.resumed, SSL_session_reused(meeting.client.ssl));
        note_chain(meeting.session, &seen);
        seen.session = SSL_get1_session(meeting.client.ssl);
        seen.hint = (long)SSL_SESSION_get_ticket_lifetime_hint(seen.session);
    } else
        seen.reason = tls_session_failure(meeting.session)->reason;
    SSL_set_shutdown(meeting.client.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    part(&meeting);
    return seen;
}

static SSL_SESSION *first_session(struct server *server, struct client_spec spec)
{
    struct seen seen = visit(server, spec);
    assert_true(seen.good);
    assert_false(seen.resumed);
    assert_non_null(seen.session);
    return seen.session;
}

/* A visit whose session is not wanted. */
static struct seen look(struct server *server, struct client_spec spec)
{
    struct seen seen = visit(server, spec);
    SSL_SESSION_free(seen.session);
    seen.session = NULL;
    return seen;
}

static void expect_full(struct seen seen, size_t chain)
{
    assert_true(seen.good);
    assert_false(seen.resumed);
    assert_int_equal(seen.chain, chain);
}

static void expect_failed(struct seen seen, enum reason reason, int alert)
{
    assert_false(seen.good);
    assert_int_equal(seen.reason, reason);
    assert_int_equal(seen.alert, alert);
}

/* ---- where a session does not count ---- */

static void a_session_of_one_listener_is_none_of_another(void **state)
{
    struct world *world = *state;
    struct tls_sessions *sessions = tls_sessions_new();
    struct server here, there;
    open_listener(&here, world, TLS_MUTUAL, sessions, "here");
    open_listener(&there, world, TLS_MUTUAL, sessions, "there");
    for (enum way way = 0; way < WAYS; way++) {
        struct client_spec spec = by(way, (struct client_spec){.leaf = &world->client});
        spec.session = first_session(&here, spec);
        struct seen seen = look(&there, spec);
        expect_full(seen, 2);
        assert_int_equal(seen.refusal, TLS_REFUSED_BOND);
        assert_true(look(&here, spec).resumed);
        SSL_SESSION_free(spec.session);
    }
    server_stop(&here);
    server_stop(&there);
    tls_sessions_free(sessions);
}

static void a_session_without_certificate_opens_no_listener_that_demands_one(void **state)
{
    struct world *world = *state;
    struct tls_sessions *sessions = tls_sessions_new();
    struct server optional, mutual;
    open_listener(&optional, world, TLS_MUTUAL_OPTIONAL, sessions, "same");
    open_listener(&mutual, world, TLS_MUTUAL, sessions, "same");
    for (enum way way = 0; way < WAYS; way++) {
        struct client_spec nobody = by(way, (struct client_spec){.leaf = NULL});
        nobody.session = first_session(&optional, nobody);
        expect_failed(look(&mutual, nobody), REASON_CERTIFICATE_MISSING, way == TICKET_1_3 ? 116 : 40);
        struct client_spec client = by(way, (struct client_spec){.leaf = &world->client});
        client.session = nobody.session;
        expect_full(look(&mutual, client), 2);
        SSL_SESSION_free(nobody.session);
        client.session = NULL;
        client.session = first_session(&optional, client);
        struct seen seen = look(&mutual, client);
        expect_full(seen, 2);
        assert_int_equal(seen.refusal, TLS_REFUSED_BOND);
        SSL_SESSION_free(client.session);
    }
    server_stop(&optional);
    server_stop(&mutual);
    tls_sessions_free(sessions);
}

static void a_session_of_one_name_is_none_of_another(void **state)
{
    struct world *world = *state;
    static const char *const names[] = {"a.test", "b.test", NULL};
    struct tls_sessions *sessions = tls_sessions_new();
    struct server server;
    open_listener(&server, world, TLS_MUTUAL, sessions, "one");
    for (enum way way = 0; way < WAYS; way++)
        for (size_t from = 0; from < 3; from++)
            for (size_t to = 0; to < 3; to++) {
                struct client_spec spec =
                    by(way, (struct client_spec){.leaf = &world->client, .name = names[from]});
                spec.session = first_session(&server, spec);
                spec.name = names[to];
                struct seen seen = look(&server, spec);
                assert_true(seen.good);
                assert_int_equal(seen.resumed, from == to);
                SSL_SESSION_free(spec.session);
            }
    server_stop(&server);
    tls_sessions_free(sessions);
}

/* The ticket of `donor` in a session of another version: tickets for the same certificate are of one length.
 */
static SSL_SESSION *with_ticket_of(SSL_SESSION *host, SSL_SESSION *donor)
{
    const unsigned char *old, *new;
    size_t old_len, new_len;
    unsigned char *der = NULL;
    SSL_SESSION_get0_ticket(host, &old, &old_len);
    SSL_SESSION_get0_ticket(donor, &new, &new_len);
    assert_int_equal(old_len, new_len);
    int len = i2d_SSL_SESSION(host, &der);
    unsigned char *at = memmem(der, (size_t)len, old, old_len);
    assert_non_null(at);
    memcpy(at, new, new_len);
    const unsigned char *from = der;
    SSL_SESSION *made = d2i_SSL_SESSION(NULL, &from, len);
    assert_non_null(made);
    OPENSSL_free(der);
    return made;
}

static void a_ticket_of_one_version_is_none_of_another(void **state)
{
    struct world *world = *state;
    struct tls_sessions *sessions = tls_sessions_new();
    struct server server;
    open_listener(&server, world, TLS_MUTUAL, sessions, "one");
    for (enum way way = TICKET_1_3; way <= TICKET_1_2; way++) {
        enum way other = way == TICKET_1_3 ? TICKET_1_2 : TICKET_1_3;
        struct client_spec spec = by(way, (struct client_spec){.leaf = &world->client}),
                           strange = by(other, (struct client_spec){.leaf = &world->client});
        SSL_SESSION *own = first_session(&server, spec), *foreign = first_session(&server, strange);
        spec.session = with_ticket_of(own, foreign);
        struct seen seen = look(&server, spec);
        expect_full(seen, 2);
        assert_int_equal(seen.refusal, TLS_REFUSED_BOND);
        SSL_SESSION_free(spec.session);
        SSL_SESSION_free(own);
        SSL_SESSION_free(foreign);
    }
    server_stop(&server);
    tls_sessions_free(sessions);
}

/* The session with 32 bytes in place of its ticket: lengths are in two bytes before, in one after. */
static SSL_SESSION *with_short_ticket(SSL_SESSION *host, const unsigned char bytes[32])
{
    const unsigned char *ticket;
    size_t ticket_len;
    unsigned char *der = NULL;
    SSL_SESSION_get0_ticket(host, &ticket, &ticket_len);
    size_t len = (size_t)i2d_SSL_SESSION(host, &der);
    unsigned char *at = memmem(der, len, ticket, ticket_len);
    assert_non_null(at);
    assert_true(der[1] == 0x82 && at[-8] == 0xaa && at[-7] == 0x82 && at[-4] == 0x04 && at[-3] == 0x82);
    unsigned char *rest = at + ticket_len;
    memcpy(at - 8, "\xaa\x22\x04\x20", 4);
    memcpy(at - 4, bytes, 32);
    memmove(at + 28, rest, (size_t)(der + len - rest));
    len -= ticket_len + 4 - 32;
    der[2] = (unsigned char)((len - 4) >> 8);
    der[3] = (unsigned char)(len - 4);
    const unsigned char *from = der;
    SSL_SESSION *made = d2i_SSL_SESSION(NULL, &from, (long)len);
    assert_non_null(made);
    OPENSSL_free(der);
    return made;
}

/* wolfSSL asks for sessions by id also for 1.3 keys whose name has the length of an id. */
static void an_id_of_1_2_is_no_key_of_1_3(void **state)
{
    struct world *world = *state;
    struct tls_sessions *sessions = tls_sessions_new();
    struct server server;
    open_listener(&server, world, TLS_MUTUAL, sessions, "one");
    struct client_spec id = by(ID_1_2, (struct client_spec){.leaf = &world->client}),
                       recent = by(TICKET_1_3, (struct client_spec){.leaf = &world->client});
    id.session = first_session(&server, id);
    SSL_SESSION *own = first_session(&server, recent);
    unsigned len;
    const unsigned char *bytes = SSL_SESSION_get_id(id.session, &len);
    assert_int_equal(len, 32);
    recent.session = with_short_ticket(own, bytes);
    struct seen seen = look(&server, recent);
    expect_full(seen, 2);
    assert_int_equal(seen.refusal, TLS_REFUSED_NONE);
    SSL_SESSION_free(recent.session);
    recent.session = with_short_ticket(own, (const unsigned char *)"an id that nobody has ever made.");
    seen = look(&server, recent);
    expect_full(seen, 2);
    assert_int_equal(seen.refusal, TLS_REFUSED_NONE); /* it was not even looked for */
    SSL_SESSION_free(own);
    SSL_SESSION_free(recent.session);
    SSL_SESSION_free(id.session);
    server_stop(&server);
    tls_sessions_free(sessions);
}

static void a_ticket_that_was_changed_anywhere_is_worth_nothing(void **state)
{
    struct world *world = *state;
    struct tls_sessions *sessions = tls_sessions_new();
    struct server server;
    open_listener(&server, world, TLS_MUTUAL, sessions, "one");
    for (enum way way = TICKET_1_3; way <= TICKET_1_2; way++) {
        struct client_spec spec = by(way, (struct client_spec){.leaf = &world->client});
        SSL_SESSION *own = first_session(&server, spec);
        const unsigned char *ticket;
        size_t len;
        SSL_SESSION_get0_ticket(own, &ticket, &len);
        for (size_t i = 0; i < len; i++) {
            unsigned char *der = NULL;
            int der_len = i2d_SSL_SESSION(own, &der);
            unsigned char *at = memmem(der, (size_t)der_len, ticket, len);
            at[i] ^= (unsigned char)(1u << i % 8);
            const unsigned char *from = der;
            spec.session = d2i_SSL_SESSION(NULL, &from, der_len);
            struct seen seen = look(&server, spec);
            if (!seen.good || seen.resumed)
                print_message("    byte %zu of %s\n", i, way_names[way]);
            expect_full(seen, 2);
            SSL_SESSION_free(spec.session);
            OPENSSL_free(der);
        }
        SSL_SESSION_free(own);
    }
    server_stop(&server);
    tls_sessions_free(sessions);
}

static void a_ticket_under_keys_that_are_not_ours_is_worth_nothing(void **state)
{
    struct world *world = *state;
    struct tls_sessions *ours = tls_sessions_new(), *theirs = tls_sessions_new();
    struct server here, there;
    open_listener(&here, world, TLS_MUTUAL, ours, "one");
    open_listener(&there, world, TLS_MUTUAL, theirs, "one");
    for (enum way way = 0; way < WAYS; way++) {
        struct client_spec spec = by(way, (struct client_spec){.leaf = &world->client});
        spec.session = first_session(&there, spec);
        struct seen seen = look(&here, spec);
        expect_full(seen, 2);
        assert_int_equal(seen.refusal, way == ID_1_2 ? TLS_REFUSED_LOST : TLS_REFUSED_KEY);
        SSL_SESSION_free(spec.session);
    }
    server_stop(&here);
    server_stop(&there);
    tls_sessions_free(ours);
    tls_sessions_free(theirs);
}

static void a_strange_ticket_of_any_length_leads_to_a_full_handshake(void **state)
{
    struct world *world = *state;
    struct tls_sessions *sessions = tls_sessions_new();
    struct server server;
    static char bytes[16000];
    memset(bytes, 0x5a, sizeof bytes);
    open_listener(&server, world, TLS_MUTUAL, sessions, "one");
    for (size_t len = 1; len < sizeof bytes - 2000; len += len < 900 ? 61 : len < 1100 ? 1 : 997)
        for (int old = 0; old < 2; old++) {
            struct client_spec spec = {.leaf = &world->client,
                                       .version = TLS1_2_VERSION,
                                       .options = old ? SSL_OP_NO_EXTENDED_MASTER_SECRET : 0,
                                       .old_ticket = slice_make(bytes, len)};
            struct seen seen = look(&server, spec);
            if (!seen.good)
                print_message("    %zu bytes: %s\n", len, reason_name(seen.reason));
            expect_full(seen, 2);
        }
    server_stop(&server);
    tls_sessions_free(sessions);
}

static void without_the_extended_master_secret_nothing_is_resumed(void **state)
{
    struct world *world = *state;
    struct tls_sessions *sessions = tls_sessions_new();
    struct server server;
    open_listener(&server, world, TLS_MUTUAL, sessions, "one");
    for (enum way way = TICKET_1_2; way <= ID_1_2; way++) {
        struct client_spec spec = by(way, (struct client_spec){.leaf = &world->client}), tied = spec;
        spec.options |= SSL_OP_NO_EXTENDED_MASTER_SECRET;
        spec.session = first_session(&server, spec);
        expect_full(look(&server, spec), 2);
        SSL_SESSION_free(spec.session);
        spec.session = first_session(&server, tied);
        expect_full(look(&server, spec), 2);
        SSL_SESSION_free(spec.session);
    }
    server_stop(&server);
    tls_sessions_free(sessions);
}

/* ---- time ---- */

static void a_session_that_is_too_old_is_worth_nothing(void **state)
{
    struct world *world = *state;
    struct tls_sessions *sessions = tls_sessions_new();
    struct server server;
    int64_t now = time(NULL);
    open_listener(&server, world, TLS_MUTUAL, sessions, "one");
    for (enum way way = 0; way < WAYS; way++) {
        struct client_spec spec = by(way, (struct client_spec){.leaf = &world->client});
        tls_context_set_time(server.context, now);
        spec.session = first_session(&server, spec);
        tls_context_set_time(server.context, now + LIFETIME - 1);
        assert_true(look(&server, spec).resumed);
        tls_context_set_time(server.context, now + LIFETIME);
        struct seen seen = look(&server, spec);
        expect_full(seen, 2);
        assert_int_equal(seen.refusal, TLS_REFUSED_AGE);
        tls_context_set_time(server.context, now - 61);
        expect_full(look(&server, spec), 2);
        SSL_SESSION_free(spec.session);
    }
    server_stop(&server);
    tls_sessions_free(sessions);
}

static void twenty_resumptions_in_a_row_do_not_outlive_the_lifetime(void **state)
{
    struct world *world = *state;
    struct tls_sessions *sessions = tls_sessions_new();
    struct server server;
    int64_t now = time(NULL), step = LIFETIME / 20;
    open_listener(&server, world, TLS_MUTUAL, sessions, "one");
    for (enum way way = 0; way < WAYS; way++) {
        struct client_spec spec = by(way, (struct client_spec){.leaf = &world->client});
        tls_context_set_time(server.context, now);
        spec.session = first_session(&server, spec);
        for (int i = 1; i <= 20; i++) {
            tls_context_set_time(server.context, now + i * step);
            struct seen seen = visit(&server, spec);
            assert_true(seen.good);
            assert_int_equal(seen.resumed, i < 20);
            if (seen.resumed && way == TICKET_1_3)
                assert_int_equal(seen.hint, LIFETIME - i * step);
            SSL_SESSION_free(spec.session);
            spec.session = seen.session;
        }
        SSL_SESSION_free(spec.session);
    }
    server_stop(&server);
    tls_sessions_free(sessions);
}

static void who_comes_back_for_the_thousandth_time_is_let_in(void **state)
{
    struct world *world = *state;
    struct tls_sessions *sessions = tls_sessions_new();
    struct server server;
    open_listener(&server, world, TLS_MUTUAL, sessions, "one");
    for (enum way way = 0; way < WAYS; way++) {
        struct client_spec spec = by(way, (struct client_spec){.leaf = &world->client});
        int resumed = 0;
        spec.session = first_session(&server, spec);
        for (int i = 0; i < 1000; i++) {
            struct seen seen = visit(&server, spec);
            assert_true(seen.good);
            resumed += seen.resumed;
            SSL_SESSION_free(spec.session);
            spec.session = seen.session;
        }
        assert_true(resumed > 990);
        SSL_SESSION_free(spec.session);
    }
    server_stop(&server);
    tls_sessions_free(sessions);
}

static void without_a_lifetime_nothing_is_resumed(void **state)
{
    struct world *world = *state;
    struct tls_sessions *sessions = tls_sessions_new();
    struct server server;
    start(&server, world);
    share(&server, sessions, "one");
    for (enum way way = 0; way < WAYS; way++) {
        struct client_spec spec = by(way, (struct client_spec){.leaf = &world->client});
        spec.session = first_session(&server, spec);
        assert_false(SSL_SESSION_has_ticket(spec.session));
        expect_full(look(&server, spec), 2);
        SSL_SESSION_free(spec.session);
    }
    server_stop(&server);
    tls_sessions_free(sessions);
}

static void without_tickets_only_ids_are_resumed(void **state)
{
    struct world *world = *state;
    struct tls_sessions *sessions = tls_sessions_new();
    struct server server;
    struct tls_settings settings = resuming(settings_for(world, &world->root));
    settings.session_tickets = false;
    server_start(&server, settings);
    share(&server, sessions, "one");
    for (enum way way = 0; way < WAYS; way++) {
        struct client_spec spec = by(way, (struct client_spec){.leaf = &world->client});
        spec.session = first_session(&server, spec);
        assert_false(SSL_SESSION_has_ticket(spec.session));
        assert_int_equal(look(&server, spec).resumed, way != TICKET_1_3);
        SSL_SESSION_free(spec.session);
    }
    server_stop(&server);
    tls_sessions_free(sessions);
}

/* ---- who would not be let in any more ---- */

/* The client was admitted by `before`, and comes back under `after`, which takes over both. */
static void expect_refused_later(struct client_spec client, struct tls_settings before,
                                 struct tls_settings after, int64_t later, enum reason reason, int alert)
{
    struct tls_sessions *sessions = tls_sessions_new();
    struct server first, second;
    server_start(&first, resuming(before));
    server_start(&second, resuming(after));
    share(&first, sessions, "one");
    share(&second, sessions, "one");
    for (enum way way = 0; way < WAYS; way++) {
        struct client_spec spec = by(way, client);
        spec.session = first_session(&first, spec);
        tls_context_set_time(second.context, later);
        struct seen seen = look(&second, spec);
        expect_failed(seen, reason, alert);
        assert_int_equal(seen.refusal, TLS_REFUSED_CERTIFICATE);
        SSL_SESSION_free(spec.session);
    }
    server_stop(&first);
    server_stop(&second);
    tls_sessions_free(sessions);
}

static void who_was_revoked_since_is_refused(void **state)
{
    struct world *world = *state;
    struct tls_settings after = settings_for(world, &world->root);
    settings_add_crl(&after, pem_file("clients.crl",
                                      pki_crl_pem(&world->root, &world->root, &world->client, -60, PKI_DAY)));
    expect_refused_later((struct client_spec){.leaf = &world->client}, settings_for(world, &world->root),
                         after, 0, REASON_CERTIFICATE_REVOKED, 44);
}

static void who_has_expired_since_is_refused(void **state)
{
    struct world *world = *state;
    struct pki_cert brief = pki_make((struct pki_spec){.cn = "brief", .issuer = &world->root, .until = 600});
    expect_refused_later((struct client_spec){.leaf = &brief}, settings_for(world, &world->root),
                         settings_for(world, &world->root), time(NULL) + 1200, REASON_CERTIFICATE_EXPIRED,
                         45);
    pki_free(&brief);
}

static void whose_ca_was_removed_since_is_refused(void **state)
{
    struct world *world = *state;
    expect_refused_later((struct client_spec){.leaf = &world->client}, settings_for(world, &world->root),
                         settings_for(world, &world->other_root), 0, REASON_CERTIFICATE_UNKNOWN_CA, 48);
}

/* Nothing but the signature tells the one CA from the other. */
static void whose_ca_has_another_key_since_is_refused(void **state)
{
    struct world *world = *state;
    struct pki_spec spec = {.cn = "CA",
                            .basic = "critical,CA:TRUE",
                            .usage = PKI_CA_USAGE,
                            .no_key_ids = true};
    struct pki_cert before = pki_make(spec), after = pki_make(spec);
    struct pki_cert leaf = pki_make(
        (struct pki_spec){.cn = "client", .issuer = &before, .purpose = "clientAuth", .no_key_ids = true});
    expect_refused_later((struct client_spec){.leaf = &leaf}, settings_for(world, &before),
                         settings_for(world, &after), 0, REASON_CERTIFICATE_CHAIN_BROKEN, 42);
    pki_free(&before);
    pki_free(&after);
    pki_free(&leaf);
}

static void whose_chain_is_too_deep_since_is_refused(void **state)
{
    struct world *world = *state;
    struct pki_cert below = pki_client("below", &world->middle);
    struct tls_settings after = settings_for(world, &world->root);
    after.verify_depth = 0;
    expect_refused_later((struct client_spec){.leaf = &below, .more = {&world->middle}},
                         settings_for(world, &world->root), after, 0, REASON_CERTIFICATE_TOO_DEEP, 48);
    pki_free(&below);
}

/* ---- what was opened and did not count ---- */

/* The library opens the ticket, and then does a full handshake for want of the same ALPN. */
static void an_identity_that_was_opened_in_vain_is_nobodys(void **state)
{
    struct world *world = *state;
    struct tls_sessions *sessions = tls_sessions_new();
    struct server server;
    struct tls_settings settings = resuming(settings_for(world, &world->root));
    settings.mode = TLS_MUTUAL_OPTIONAL;
    settings.alpn = (char *)"h2,http/1.1";
    server_start(&server, settings);
    share(&server, sessions, "one");
    for (enum way way = 0; way < WAYS; way++) {
        struct client_spec spec = by(way, (struct client_spec){.leaf = &world->client, .alpn = "\x02h2"});
        spec.session = first_session(&server, spec);
        spec.leaf = NULL;
        assert_int_equal(look(&server, spec).chain, 2);
        spec.alpn = "\x08http/1.1";
        expect_full(look(&server, spec), 0);
        SSL_SESSION_free(spec.session);
    }
    server_stop(&server);
    tls_sessions_free(sessions);
}

/* ---- who comes back ---- */

static void who_comes_back_has_his_certificate_back(void **state)
{
    struct world *world = *state;
    struct tls_sessions *sessions = tls_sessions_new();
    struct server server;
    struct pki_cert below = pki_make(
        (struct pki_spec){.cn = "below", .issuer = &world->middle, .key = PKI_RSA, .purpose = "clientAuth"});
    struct client_spec clients[] = {{.leaf = &world->client}, {.leaf = &below, .more = {&world->middle}}};
    open_listener(&server, world, TLS_MUTUAL, sessions, "one");
    for (size_t i = 0; i < 2; i++)
        for (enum way way = 0; way < WAYS; way++) {
            struct client_spec spec = by(way, clients[i]);
            struct seen first = visit(&server, spec), again;
            assert_true(first.good);
            spec.session = first.session;
            spec.leaf = NULL; /* he needs not show it again */
            again = look(&server, spec);
            if (!again.resumed)
                print_message("    %s, client %zu: %d\n", way_names[way], i, again.refusal);
            assert_true(again.resumed);
            assert_int_equal(again.chain, first.chain);
            assert_string_equal(again.subject, first.subject);
            assert_string_equal(again.anchor, first.anchor);
            SSL_SESSION_free(first.session);
        }
    pki_free(&below);
    server_stop(&server);
    tls_sessions_free(sessions);
}

static void who_had_none_comes_back_without(void **state)
{
    struct world *world = *state;
    struct tls_sessions *sessions = tls_sessions_new();
    struct server server;
    open_listener(&server, world, TLS_MUTUAL_OPTIONAL, sessions, "one");
    for (enum way way = 0; way < WAYS; way++) {
        struct client_spec spec = by(way, (struct client_spec){.leaf = NULL});
        spec.session = first_session(&server, spec);
        spec.leaf = &world->client;
        struct seen seen = look(&server, spec);
        assert_true(seen.resumed);
        assert_int_equal(seen.chain, 0);
        SSL_SESSION_free(spec.session);
    }
    server_stop(&server);
    tls_sessions_free(sessions);
}

static void one_comes_back_to_another_worker_and_after_a_reload(void **state)
{
    struct world *world = *state;
    struct tls_sessions *sessions = tls_sessions_new();
    struct server here, there;
    open_listener(&here, world, TLS_MUTUAL, sessions, "one");
    for (enum way way = 0; way < WAYS; way++) {
        struct client_spec spec = by(way, (struct client_spec){.leaf = &world->client});
        spec.session = first_session(&here, spec);
        open_listener(&there, world, TLS_MUTUAL, sessions, "one");
        assert_true(look(&there, spec).resumed);
        server_stop(&there);
        SSL_SESSION_free(spec.session);
    }
    server_stop(&here);
    tls_sessions_free(sessions);
}

/* A ring's key seals for an hour, and opens until what it sealed is too old. */
static void a_ticket_outlives_the_change_of_keys(void **state)
{
    struct world *world = *state;
    struct tls_sessions *sessions = tls_sessions_new();
    struct server server;
    struct tls_settings settings = resuming(settings_for(world, &world->root));
    int64_t now = time(NULL);
    settings.session_lifetime_ms = 4 * LIFETIME * 1000;
    server_start(&server, settings);
    share(&server, sessions, "one");
    for (enum way way = 0; way < WAYS; way++) {
        struct client_spec spec = by(way, (struct client_spec){.leaf = &world->client});
        tls_context_set_time(server.context, now);
        spec.session = first_session(&server, spec);
        for (int hours = 1; hours <= 4; hours++) {
            tls_context_set_time(server.context, now + hours * LIFETIME - 1);
            struct seen seen = visit(&server, spec);
            assert_true(seen.resumed);
            if (way == TICKET_1_2 && hours > 1) /* which is made anew under the newer key */
                assert_int_equal(seen.hint, (4 - hours) * LIFETIME + 1);
            SSL_SESSION_free(seen.session);
        }
        tls_context_set_time(server.context, now + 4 * LIFETIME);
        expect_full(look(&server, spec), 2);
        SSL_SESSION_free(spec.session);
        now += 24 * LIFETIME;
    }
    server_stop(&server);
    tls_sessions_free(sessions);
}

/* The server asks for another hello, in which the ticket comes again. */
static void one_comes_back_with_another_group(void **state)
{
    struct world *world = *state;
    static const char *const groups[] = {"X25519", "P-256", "P-384:P-256", "P-521:X25519"};
    struct tls_sessions *sessions = tls_sessions_new();
    struct server server;
    open_listener(&server, world, TLS_MUTUAL, sessions, "one");
    for (size_t from = 0; from < 4; from++)
        for (size_t to = 0; to < 4; to++) {
            struct client_spec spec = by(TICKET_1_3, (struct client_spec){.leaf = &world->client});
            spec.groups = groups[from];
            spec.session = first_session(&server, spec);
            spec.groups = groups[to];
            struct seen seen = look(&server, spec);
            assert_true(seen.resumed);
            assert_int_equal(seen.chain, 2);
            SSL_SESSION_free(spec.session);
        }
    server_stop(&server);
    tls_sessions_free(sessions);
}

/* ---- keys from a file ---- */

static struct tls_file key_file(const char *names)
{
    size_t count = strlen(names);
    char *data = malloc(count * 80 + 1);
    for (size_t i = 0; i < count; i++)
        memset(data + i * 80, names[i], 80);
    return (struct tls_file){.path = (char *)"/dev/null", .data = data, .len = count * 80, .line = 9};
}

static void open_with_keys(struct server *server, const struct world *world, struct tls_sessions *sessions,
                           const char *names)
{
    struct tls_settings settings = resuming(settings_for(world, &world->root));
    settings.ticket_keys = key_file(names);
    server_start(server, settings);
    share(server, sessions, "one");
}

static void machines_with_the_same_keys_share_tickets(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *here, *there;
        bool resumed;
    } cases[] = {
        {"a", "a", true}, {"a", "ba", true}, {"ab", "ba", true}, {"a", "b", false}, {"ba", "a", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_sessions *ours = tls_sessions_new(), *theirs = tls_sessions_new();
        struct server here, there;
        open_with_keys(&here, world, ours, cases[i].here);
        open_with_keys(&there, world, theirs, cases[i].there);
        for (enum way way = TICKET_1_3; way <= TICKET_1_2; way++) {
            struct client_spec spec = by(way, (struct client_spec){.leaf = &world->client});
            spec.session = first_session(&here, spec);
            struct seen seen = look(&there, spec);
            assert_true(seen.good);
            assert_int_equal(seen.resumed, cases[i].resumed);
            assert_int_equal(seen.chain, 2);
            SSL_SESSION_free(spec.session);
        }
        free(here.settings.ticket_keys.data);
        free(there.settings.ticket_keys.data);
        server_stop(&here);
        server_stop(&there);
        tls_sessions_free(ours);
        tls_sessions_free(theirs);
    }
}

/* What does not fit into a ticket is kept by the process that made it. */
static void a_long_chain_that_is_not_kept_here_leads_to_a_full_handshake(void **state)
{
    struct world *world = *state;
    struct server here, there;
    struct pki_cert below = pki_make(
        (struct pki_spec){.cn = "below", .issuer = &world->middle, .key = PKI_RSA, .purpose = "clientAuth"});
    for (enum way way = TICKET_1_3; way <= TICKET_1_2; way++) {
        struct tls_sessions *ours = tls_sessions_new(), *theirs = tls_sessions_new();
        open_with_keys(&here, world, ours, "a");
        open_with_keys(&there, world, theirs, "a");
        struct client_spec spec = by(way, (struct client_spec){.leaf = &below, .more = {&world->middle}});
        spec.session = first_session(&here, spec);
        struct seen seen = visit(&there, spec);
        expect_full(seen, 3);
        assert_int_equal(seen.refusal, TLS_REFUSED_LOST);
        SSL_SESSION_free(spec.session);
        spec.session = seen.session;
        assert_true(look(&there, spec).resumed);
        SSL_SESSION_free(spec.session);
        free(here.settings.ticket_keys.data);
        free(there.settings.ticket_keys.data);
        server_stop(&here);
        server_stop(&there);
        tls_sessions_free(ours);
        tls_sessions_free(theirs);
    }
    pki_free(&below);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_of_one_listener_is_none_of_another),
        cmocka_unit_test(a_session_without_certificate_opens_no_listener_that_demands_one),
        cmocka_unit_test(a_session_of_one_name_is_none_of_another),
        cmocka_unit_test(a_ticket_of_one_version_is_none_of_another),
        cmocka_unit_test(an_id_of_1_2_is_no_key_of_1_3),
        cmocka_unit_test(a_ticket_that_was_changed_anywhere_is_worth_nothing),
        cmocka_unit_test(a_ticket_under_keys_that_are_not_ours_is_worth_nothing),
        cmocka_unit_test(a_strange_ticket_of_any_length_leads_to_a_full_handshake),
        cmocka_unit_test(without_the_extended_master_secret_nothing_is_resumed),
        cmocka_unit_test(a_session_that_is_too_old_is_worth_nothing),
        cmocka_unit_test(twenty_resumptions_in_a_row_do_not_outlive_the_lifetime),
        cmocka_unit_test(who_comes_back_for_the_thousandth_time_is_let_in),
        cmocka_unit_test(without_a_lifetime_nothing_is_resumed),
        cmocka_unit_test(without_tickets_only_ids_are_resumed),
        cmocka_unit_test(who_was_revoked_since_is_refused),
        cmocka_unit_test(who_has_expired_since_is_refused),
        cmocka_unit_test(whose_ca_was_removed_since_is_refused),
        cmocka_unit_test(whose_ca_has_another_key_since_is_refused),
        cmocka_unit_test(whose_chain_is_too_deep_since_is_refused),
        cmocka_unit_test(an_identity_that_was_opened_in_vain_is_nobodys),
        cmocka_unit_test(who_comes_back_has_his_certificate_back),
        cmocka_unit_test(who_had_none_comes_back_without),
        cmocka_unit_test(one_comes_back_to_another_worker_and_after_a_reload),
        cmocka_unit_test(a_ticket_outlives_the_change_of_keys),
        cmocka_unit_test(one_comes_back_with_another_group),
        cmocka_unit_test(machines_with_the_same_keys_share_tickets),
        cmocka_unit_test(a_long_chain_that_is_not_kept_here_leads_to_a_full_handshake),
    };
    return cmocka_run_group_tests(tests, setup_world, teardown_world);
}
