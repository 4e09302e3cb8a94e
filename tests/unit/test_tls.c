#include "tests/unit/test_tls_client.h"

#include "lb/tls/hello.h"

struct world {
    struct pki_cert root, server_ec, server_rsa, client;
};

static int setup_world(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_true(tls_library_start());
    world->root = pki_root("Root");
    world->server_ec = pki_make((struct pki_spec){
        .cn = "localhost", .issuer = &world->root, .purpose = "serverAuth", .san = "DNS:localhost"});
    world->server_rsa = pki_make((struct pki_spec){.cn = "localhost",
                                                   .issuer = &world->root,
                                                   .key = PKI_RSA,
                                                   .purpose = "serverAuth",
                                                   .san = "DNS:localhost"});
    world->client = pki_client("client", &world->root);
    *state = world;
    return 0;
}

static int teardown_world(void **state)
{
    struct world *world = *state;
    pki_free(&world->root);
    pki_free(&world->server_ec);
    pki_free(&world->server_rsa);
    pki_free(&world->client);
    free(world);
    tls_library_stop();
    return 0;
}

static struct tls_settings settings_of(const struct world *world, enum tls_mode mode,
                                       const struct pki_cert *own)
{
    return server_settings(mode, pki_pem(own, NULL), pki_key_pem(own, NULL), pki_pem(&world->root, NULL));
}

static void start(struct server *server, const struct world *world, enum tls_mode mode)
{
    server_start(server, settings_of(world, mode, &world->server_ec));
}

static void expect_met(const struct meeting *meeting)
{
    if (meeting->result != TLS_OK)
        print_message("refused: %s\n", tls_session_failure(meeting->session)->text);
    assert_int_equal(meeting->result, TLS_OK);
    assert_true(meeting->client.done);
    assert_int_equal(meeting->client.alert, -1);
}

/* ---- refused handshakes ---- */

static void bytes_that_are_no_tls_fail_with_an_alert(void **state)
{
    struct server server;
    start(&server, *state, TLS_ONE_WAY);
    struct tls_session *session = tls_session_new(server.context, &server.scratch);
    static const char junk[] = "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00";
    assert_int_equal(tls_session_handshake(session, slice_make(junk, sizeof junk - 1)), TLS_FAILED);
    assert_true(server.scratch.out_len > 0);
    assert_true(tls_session_failure(session)->alert_sent > 0);
    assert_true(strlen(tls_session_failure(session)->text) > 0);
    assert_int_equal(tls_session_handshake(session, slice_of("x")), TLS_FAILED);
    tls_session_free(session);
    server_stop(&server);
}

static void a_version_that_is_not_allowed_is_refused(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct server server;
        struct meeting meeting;
        struct tls_settings settings = settings_of(*state, TLS_ONE_WAY, &((struct world *)*state)->server_ec);
        settings.min = settings.max = i ? TLS_1_2 : TLS_1_3;
        server_start(&server, settings);
        meet(&server, &(struct client_spec){.version = VERSIONS[i]}, &meeting);
        assert_int_equal(meeting.result, TLS_FAILED);
        assert_int_equal(tls_session_failure(meeting.session)->reason, REASON_TLS_VERSION);
        assert_int_equal(meeting.client.alert, 70);
        assert_int_equal(tls_session_failure(meeting.session)->alert_sent, 70);
        part(&meeting);
        server_stop(&server);
    }
}

static void a_client_without_common_cipher_is_refused(void **state)
{
    struct server server;
    struct meeting meeting;
    start(&server, *state, TLS_ONE_WAY);
    struct client_spec spec = {.version = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES128-SHA"};
    meet(&server, &spec, &meeting);
    assert_int_equal(meeting.result, TLS_FAILED);
    assert_int_equal(tls_session_failure(meeting.session)->reason, REASON_TLS_CIPHER);
    assert_int_equal(meeting.client.alert, 40);
    part(&meeting);
    server_stop(&server);
}

static void a_client_without_common_group_is_refused(void **state)
{
    struct server server;
    start(&server, *state, TLS_ONE_WAY);
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;
        meet(&server, &(struct client_spec){.version = VERSIONS[i], .groups = "P-521"}, &meeting);
        assert_int_equal(meeting.result, TLS_FAILED);
        assert_int_equal(tls_session_failure(meeting.session)->reason, REASON_TLS_CIPHER);
        assert_int_equal(meeting.client.alert, 40);
        part(&meeting);
    }
    server_stop(&server);
}

static void a_client_that_distrusts_the_listener_is_named_as_the_cause(void **state)
{
    struct server server;
    struct pki_cert other = pki_root("Other");
    start(&server, *state, TLS_ONE_WAY);
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;
        meet(&server, &(struct client_spec){.version = VERSIONS[i], .trust = &other}, &meeting);
        assert_int_equal(meeting.result, TLS_FAILED);
        const struct tls_failure *failure = tls_session_failure(meeting.session);
        assert_int_equal(failure->reason, REASON_TLS_CLIENT_ALERT);
        assert_int_equal(failure->alert_received, 48);
        assert_non_null(strstr(failure->text, "unknown_ca"));
        part(&meeting);
    }
    pki_free(&other);
    server_stop(&server);
}

static void a_client_that_closes_in_the_handshake_is_named_as_the_cause(void **state)
{
    struct server server;
    struct meeting meeting = {.result = TLS_WANT};
    struct client_spec spec = {.version = TLS1_2_VERSION};
    char *data;
    start(&server, *state, TLS_ONE_WAY);
    client_start(&meeting.client, &spec);
    meeting.session = tls_session_new(server.context, &server.scratch);
    SSL_do_handshake(meeting.client.ssl);
    size_t len = (size_t)BIO_get_mem_data(meeting.client.out, &data);
    assert_int_equal(tls_session_handshake(meeting.session, slice_make(data, len)), TLS_WANT);
    static const char close_notify[] = "\x15\x03\x03\x00\x02\x01\x00";
    assert_int_equal(tls_session_handshake(meeting.session, slice_make(close_notify, 7)), TLS_FAILED);
    assert_int_equal(tls_session_failure(meeting.session)->reason, REASON_TLS_ABORTED);
    part(&meeting);
    server_stop(&server);
}

static void an_alert_can_be_the_answer_to_a_hello(void **state)
{
    struct server server;
    start(&server, *state, TLS_ONE_WAY);
    struct tls_session *session = tls_session_new(server.context, &server.scratch);
    tls_session_alert(session, 112);
    assert_int_equal(server.scratch.out_len, 7);
    assert_memory_equal(server.scratch.out, "\x15\x03", 2);
    assert_memory_equal(server.scratch.out + 5, "\x02\x70", 2);
    tls_session_free(session);
    server_stop(&server);
}

/* ---- each kind of key in both versions ---- */

static void every_version_works_with_every_kind_of_key(void **state)
{
    struct world *world = *state;
    for (int own = 0; own < 2; own++) {
        struct server server;
        const struct pki_cert *certificate = own ? &world->server_rsa : &world->server_ec;
        server_start(&server, settings_of(world, TLS_MUTUAL, certificate));
        for (int kind = PKI_EC; kind <= PKI_ED25519; kind++) {
            if (kind == PKI_RSA1024)
                continue;
            struct pki_cert client = pki_make(
                (struct pki_spec){.cn = "client", .issuer = &world->root, .key = (enum pki_key)kind});
            for (int i = 0; i < 2; i++) {
                struct meeting meeting;
                meet(&server,
                     &(struct client_spec){.version = VERSIONS[i], .leaf = &client, .trust = &world->root},
                     &meeting);
                expect_met(&meeting);
                part(&meeting);
            }
            pki_free(&client);
        }
        server_stop(&server);
    }
}

static void all_default_suites_of_tls_1_2_can_be_negotiated(void **state)
{
    static const char *const suites[] = {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                                         "ECDHE-ECDSA-CHACHA20-POLY1305"};
    struct server server;
    start(&server, *state, TLS_ONE_WAY);
    for (int i = 0; i < 3; i++) {
        struct meeting meeting;
        meet(&server, &(struct client_spec){.version = TLS1_2_VERSION, .ciphers = suites[i]}, &meeting);
        expect_met(&meeting);
        part(&meeting);
    }
    server_stop(&server);
}

static void the_listeners_order_decides_on_the_suite(void **state)
{
    struct server server;
    struct meeting meeting;
    start(&server, *state, TLS_ONE_WAY);
    struct client_spec spec = {.version = TLS1_2_VERSION,
                               .ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"};
    meet(&server, &spec, &meeting);
    assert_string_equal(tls_session_cipher(meeting.session), "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
    part(&meeting);
    server_stop(&server);
}

static void the_facts_of_a_connection_are_told(void **state)
{
    static const char *const versions[] = {"TLSv1.2", "TLSv1.3"};
    static const char *const ciphers[] = {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
                                          "TLS_AES_128_GCM_SHA256"};
    static const char *const groups[] = {"P-256", "X25519:P-256"};
    static const char *const names[] = {"SECP256R1", "X25519"};
    struct server server;
    start(&server, *state, TLS_ONE_WAY);
    for (int i = 0; i < 4; i++) {
        struct meeting meeting;
        meet(&server, &(struct client_spec){.version = VERSIONS[i % 2], .groups = groups[i / 2]}, &meeting);
        expect_met(&meeting);
        assert_string_equal(tls_session_version(meeting.session), versions[i % 2]);
        assert_string_equal(tls_session_cipher(meeting.session), ciphers[i % 2]);
        assert_string_equal(tls_session_group(meeting.session), names[i / 2]);
        assert_int_equal(tls_session_alpn(meeting.session).len, 0);
        assert_false(tls_session_resumed(meeting.session));
        part(&meeting);
    }
    server_stop(&server);
}

static void a_client_that_guessed_the_group_wrong_is_asked_again(void **state)
{
    struct server server;
    struct meeting meeting;
    start(&server, *state, TLS_ONE_WAY);
    meet(&server, &(struct client_spec){.version = TLS1_3_VERSION, .groups = "P-521:P-384"}, &meeting);
    expect_met(&meeting);
    assert_string_equal(tls_session_group(meeting.session), "SECP384R1");
    part(&meeting);
    server_stop(&server);
}

static void alpn_follows_the_listeners_order_and_a_mismatch_goes_on(void **state)
{
    static const char *const offers[] = {"\x08http/1.1\x02h2", "\x02h2",
                                         "\x03"
                                         "foo"};
    static const char *const agreed[] = {"http/1.1", "h2", ""};
    struct tls_settings settings = settings_of(*state, TLS_ONE_WAY, &((struct world *)*state)->server_ec);
    struct server server;
    settings.alpn = (char *)"http/1.1,h2";
    server_start(&server, settings);
    for (int i = 0; i < 6; i++) {
        struct meeting meeting;
        meet(&server, &(struct client_spec){.version = VERSIONS[i % 2], .alpn = offers[i / 2]}, &meeting);
        expect_met(&meeting);
        assert_true(slice_is(tls_session_alpn(meeting.session), agreed[i / 2]));
        part(&meeting);
    }
    server_stop(&server);
}

static void nothing_can_be_resumed(void **state)
{
    struct server server;
    start(&server, *state, TLS_MUTUAL);
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;
        struct world *world = *state;
        meet(&server, &(struct client_spec){.version = VERSIONS[i], .leaf = &world->client}, &meeting);
        expect_met(&meeting);
        SSL_SESSION *kept = SSL_get1_session(meeting.client.ssl);
        assert_false(SSL_SESSION_has_ticket(kept));
        part(&meeting);
        SSL_SESSION_free(kept);
    }
    server_stop(&server);
}

/* ---- the hello and pieces ---- */

static void a_handshake_survives_any_cutting(void **state)
{
    static const size_t chunks[] = {1, 2, 3, 7, 64, 500};
    struct world *world = *state;
    struct server server;
    start(&server, world, TLS_MUTUAL);
    for (size_t i = 0; i < 2 * sizeof chunks / sizeof chunks[0]; i++) {
        struct meeting meeting;
        struct client_spec spec = {.version = VERSIONS[i % 2],
                                   .leaf = &world->client,
                                   .chunk = chunks[i / 2]};
        meet(&server, &spec, &meeting);
        expect_met(&meeting);
        part(&meeting);
    }
    server_stop(&server);
}

/* The hello of a client, cut into records of `size` bytes and joined again by hello_read. */
static void meet_with_cut_hello(struct server *server, const struct client_spec *spec, size_t size)
{
    struct meeting meeting = {.result = TLS_WANT};
    static char wire[HELLO_WIRE_MAX], flat[HELLO_MAX + 5];
    char *data;
    size_t len = 0;
    client_start(&meeting.client, spec);
    meeting.session = tls_session_new(server->context, &server->scratch);
    SSL_do_handshake(meeting.client.ssl);
    size_t all = (size_t)BIO_get_mem_data(meeting.client.out, &data);
    for (size_t at = 5; at < all; at += size) {
        size_t part_len = all - at < size ? all - at : size;
        memcpy(wire + len, "\x16\x03\x01\x00", 4);
        wire[len + 4] = (char)part_len;
        memcpy(wire + len + 5, data + at, part_len);
        len += 5 + part_len;
    }
    BIO_reset(meeting.client.out);
    struct hello hello;
    struct slice record;
    assert_int_equal(hello_read(slice_make(wire, len), flat, &hello, &record), HELLO_COMPLETE);
    assert_string_equal(hello.name, "localhost");
    meeting.result = tls_session_handshake(meeting.session, record);
    flush_server(server, &meeting.client);
    do {
        meeting.client.done = SSL_do_handshake(meeting.client.ssl) == 1;
    } while (feed_server(server, &meeting, 0));
    expect_met(&meeting);
    part(&meeting);
}

static void a_hello_in_tiny_records_is_joined_and_works(void **state)
{
    struct server server;
    start(&server, *state, TLS_ONE_WAY);
    for (int i = 0; i < 2; i++)
        for (size_t size = 1; size <= 100; size += 33)
            meet_with_cut_hello(&server, &(struct client_spec){.version = VERSIONS[i], .name = "localhost"},
                                size);
    server_stop(&server);
}

/* ---- data ---- */

static void expect_from_client(struct server *server, struct meeting *meeting, const char *bytes, size_t len)
{
    char *data, *got = malloc(len + 1);
    size_t have = 0;
    assert_int_equal(SSL_write(meeting->client.ssl, bytes, (int)len), (int)len);
    size_t cipher = (size_t)BIO_get_mem_data(meeting->client.out, &data);
    for (size_t at = 0; at < cipher; at += INPUT_MAX) {
        struct slice plain;
        size_t now = cipher - at < INPUT_MAX ? cipher - at : INPUT_MAX;
        char *copy = malloc(now);
        memcpy(copy, data + at, now);
        assert_int_equal(tls_session_read(meeting->session, slice_make(copy, now), &plain), TLS_OK);
        free(copy);
        assert_true(have + plain.len <= len);
        memcpy(got + have, plain.data, plain.len);
        have += plain.len;
    }
    BIO_reset(meeting->client.out);
    assert_int_equal(have, len);
    assert_memory_equal(got, bytes, len);
    flush_server(server, &meeting->client); /* the answer to a key update */
    free(got);
}

static void expect_from_server(struct server *server, struct meeting *meeting, const char *bytes, size_t len)
{
    char *got = malloc(len + 1);
    size_t have = 0;
    assert_true(tls_session_write(meeting->session, slice_make(bytes, len)));
    flush_server(server, &meeting->client);
    while (have < len) {
        int now = SSL_read(meeting->client.ssl, got + have, (int)(len - have));
        assert_true(now > 0);
        have += (size_t)now;
    }
    assert_memory_equal(got, bytes, len);
    free(got);
}

static void bytes_of_any_amount_pass_both_ways(void **state)
{
    static const size_t sizes[] = {1, 100, 16383, 16384, 16385, 40000, INPUT_MAX};
    struct server server;
    char *bytes = malloc(INPUT_MAX);
    for (size_t i = 0; i < INPUT_MAX; i++)
        bytes[i] = (char)(i * 31 + (i >> 8));
    start(&server, *state, TLS_ONE_WAY);
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;
        meet(&server, &(struct client_spec){.version = VERSIONS[i]}, &meeting);
        for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
            expect_from_client(&server, &meeting, bytes, sizes[k]);
            expect_from_server(&server, &meeting, bytes, sizes[k]);
        }
        part(&meeting);
    }
    free(bytes);
    server_stop(&server);
}

static void a_record_in_two_halves_is_read_when_it_is_whole(void **state)
{
    struct server server;
    struct meeting meeting;
    struct slice plain;
    char *data;
    start(&server, *state, TLS_ONE_WAY);
    meet(&server, &(struct client_spec){.version = TLS1_3_VERSION}, &meeting);
    SSL_write(meeting.client.ssl, "hello", 5);
    size_t len = (size_t)BIO_get_mem_data(meeting.client.out, &data);
    assert_int_equal(tls_session_read(meeting.session, slice_make(data, 9), &plain), TLS_OK);
    assert_int_equal(plain.len, 0);
    assert_int_equal(tls_session_read(meeting.session, slice_make(data + 9, len - 9), &plain), TLS_OK);
    assert_true(slice_is(plain, "hello"));
    part(&meeting);
    server_stop(&server);
}

static void data_right_behind_the_handshake_is_not_lost(void **state)
{
    struct server server;
    for (int i = 0; i < 2; i++) {
        struct meeting meeting = {.result = TLS_WANT};
        start(&server, *state, TLS_ONE_WAY);
        struct client_spec spec = {.version = VERSIONS[i]};
        client_start(&meeting.client, &spec);
        meeting.session = tls_session_new(server.context, &server.scratch);
        do {
            meeting.client.done = SSL_do_handshake(meeting.client.ssl) == 1;
            if (meeting.client.done)
                SSL_write(meeting.client.ssl, "early bird", 10);
        } while (feed_server(&server, &meeting, 0));
        assert_int_equal(meeting.result, TLS_OK);
        if (i == 1)
            assert_memory_equal(meeting.early, "early bird", 10);
        part(&meeting);
        server_stop(&server);
    }
}

static void a_forged_record_fails_with_an_alert(void **state)
{
    struct server server;
    start(&server, *state, TLS_ONE_WAY);
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;
        struct slice plain;
        char *data;
        meet(&server, &(struct client_spec){.version = VERSIONS[i]}, &meeting);
        SSL_write(meeting.client.ssl, "hello", 5);
        size_t len = (size_t)BIO_get_mem_data(meeting.client.out, &data);
        data[len - 1] ^= 1;
        assert_int_equal(tls_session_read(meeting.session, slice_make(data, len), &plain), TLS_FAILED);
        assert_int_equal(tls_session_failure(meeting.session)->reason, REASON_TLS_FAILED);
        assert_int_equal(tls_session_failure(meeting.session)->alert_sent, 20);
        flush_server(&server, &meeting.client);
        char rest[8];
        SSL_read(meeting.client.ssl, rest, sizeof rest);
        assert_int_equal(meeting.client.alert, 20);
        assert_false(tls_session_write(meeting.session, slice_of("x")));
        part(&meeting);
    }
    server_stop(&server);
}

/* ---- ends ---- */

static void an_alert_after_the_handshake_reaches_the_client(void **state)
{
    struct server server;
    start(&server, *state, TLS_ONE_WAY);
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;
        char rest[8];
        meet(&server, &(struct client_spec){.version = VERSIONS[i]}, &meeting);
        tls_session_alert(meeting.session, TLS_ALERT_ACCESS_DENIED);
        assert_false(tls_session_write(meeting.session, slice_of("too late")));
        tls_session_close(meeting.session);
        flush_server(&server, &meeting.client);
        SSL_read(meeting.client.ssl, rest, sizeof rest);
        assert_int_equal(meeting.client.alert, TLS_ALERT_ACCESS_DENIED);
        part(&meeting);
    }
    server_stop(&server);
}

static void each_side_can_close_while_the_other_goes_on(void **state)
{
    struct server server;
    start(&server, *state, TLS_ONE_WAY);
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;
        struct slice plain;
        char *data, got[8];
        meet(&server, &(struct client_spec){.version = VERSIONS[i]}, &meeting);
        assert_true(tls_session_truncated(meeting.session));
        SSL_write(meeting.client.ssl, "bye", 3);
        SSL_shutdown(meeting.client.ssl);
        size_t len = (size_t)BIO_get_mem_data(meeting.client.out, &data);
        assert_int_equal(tls_session_read(meeting.session, slice_make(data, len), &plain), TLS_CLOSED);
        assert_true(slice_is(plain, "bye"));
        assert_false(tls_session_truncated(meeting.session));
        assert_true(tls_session_write(meeting.session, slice_of("answer")));
        tls_session_close(meeting.session);
        tls_session_close(meeting.session);
        flush_server(&server, &meeting.client);
        assert_int_equal(SSL_read(meeting.client.ssl, got, sizeof got), 6);
        assert_int_equal(SSL_read(meeting.client.ssl, got, sizeof got), 0);
        assert_int_equal(SSL_get_error(meeting.client.ssl, 0), SSL_ERROR_ZERO_RETURN);
        part(&meeting);
    }
    server_stop(&server);
}

static void reading_works_after_our_own_close(void **state)
{
    struct server server;
    start(&server, *state, TLS_ONE_WAY);
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;
        meet(&server, &(struct client_spec){.version = VERSIONS[i]}, &meeting);
        tls_session_close(meeting.session);
        server.scratch.out_len = 0;
        expect_from_client(&server, &meeting, "still here", 10);
        part(&meeting);
    }
    server_stop(&server);
}

static void renegotiation_is_refused(void **state)
{
    struct server server;
    struct meeting meeting;
    struct slice plain;
    char *data;
    start(&server, *state, TLS_ONE_WAY);
    meet(&server, &(struct client_spec){.version = TLS1_2_VERSION}, &meeting);
    SSL_renegotiate(meeting.client.ssl);
    SSL_do_handshake(meeting.client.ssl);
    size_t len = (size_t)BIO_get_mem_data(meeting.client.out, &data);
    if (len > 0)
        assert_int_equal(tls_session_read(meeting.session, slice_make(data, len), &plain), TLS_FAILED);
    part(&meeting);
    server_stop(&server);
}

static void key_updates_are_answered(void **state)
{
    struct server server;
    struct meeting meeting;
    start(&server, *state, TLS_ONE_WAY);
    meet(&server, &(struct client_spec){.version = TLS1_3_VERSION}, &meeting);
    assert_int_equal(SSL_key_update(meeting.client.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    expect_from_client(&server, &meeting, "new keys", 8);
    expect_from_server(&server, &meeting, "mine too", 8);
    expect_from_client(&server, &meeting, "again", 5);
    part(&meeting);
    server_stop(&server);
}

static void a_context_lives_until_its_last_session_ends(void **state)
{
    struct server server;
    struct meeting meeting;
    start(&server, *state, TLS_MUTUAL);
    meet(&server, &(struct client_spec){.version = TLS1_3_VERSION, .leaf = &((struct world *)*state)->client},
         &meeting);
    tls_context_free(server.context);
    server.context = NULL;
    size_t count;
    assert_non_null(tls_session_chain(meeting.session, &count));
    assert_int_equal(count, 2);
    expect_from_client(&server, &meeting, "alive", 5);
    part(&meeting);
    server_stop(&server);
}

static void the_library_tells_its_version_and_cpu_features(void **state)
{
    (void)state;
    char cpu[128];
    assert_true(strlen(tls_library_version()) > 0);
    tls_library_cpu(cpu, sizeof cpu);
    assert_true(strlen(cpu) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_that_are_no_tls_fail_with_an_alert),
        cmocka_unit_test(a_version_that_is_not_allowed_is_refused),
        cmocka_unit_test(a_client_without_common_cipher_is_refused),
        cmocka_unit_test(a_client_without_common_group_is_refused),
        cmocka_unit_test(a_client_that_distrusts_the_listener_is_named_as_the_cause),
        cmocka_unit_test(a_client_that_closes_in_the_handshake_is_named_as_the_cause),
        cmocka_unit_test(an_alert_can_be_the_answer_to_a_hello),
        cmocka_unit_test(every_version_works_with_every_kind_of_key),
        cmocka_unit_test(all_default_suites_of_tls_1_2_can_be_negotiated),
        cmocka_unit_test(the_listeners_order_decides_on_the_suite),
        cmocka_unit_test(the_facts_of_a_connection_are_told),
        cmocka_unit_test(a_client_that_guessed_the_group_wrong_is_asked_again),
        cmocka_unit_test(alpn_follows_the_listeners_order_and_a_mismatch_goes_on),
        cmocka_unit_test(nothing_can_be_resumed),
        cmocka_unit_test(a_handshake_survives_any_cutting),
        cmocka_unit_test(a_hello_in_tiny_records_is_joined_and_works),
        cmocka_unit_test(bytes_of_any_amount_pass_both_ways),
        cmocka_unit_test(a_record_in_two_halves_is_read_when_it_is_whole),
        cmocka_unit_test(data_right_behind_the_handshake_is_not_lost),
        cmocka_unit_test(a_forged_record_fails_with_an_alert),
        cmocka_unit_test(an_alert_after_the_handshake_reaches_the_client),
        cmocka_unit_test(each_side_can_close_while_the_other_goes_on),
        cmocka_unit_test(reading_works_after_our_own_close),
        cmocka_unit_test(renegotiation_is_refused),
        cmocka_unit_test(key_updates_are_answered),
        cmocka_unit_test(a_context_lives_until_its_last_session_ends),
        cmocka_unit_test(the_library_tells_its_version_and_cpu_features),
    };
    return cmocka_run_group_tests(tests, setup_world, teardown_world);
}
