#include "tests/unit/test_forward_world.h"

/* ---- forged identity ---- */

static const char *const FORGED[] = {
    "X-SSL-Client-Verify",   "x-ssl-client-verify",   "X_SSL_CLIENT_VERIFY",   "x.ssl.client.verify",
    "X-SSL_Client-Verify",   "x-ssl-client.verify",   "X-Ssl.Client_Verify",   "X-SSL-Client-DN",
    "x-ssl-client-dn",       "X_SSL_CLIENT_DN",       "x.ssl.client.dn",       "X_SSL-Client.DN",
    "x-ssl-client_dn",       "X-SSL-CLIENT.dN",       "X-SSL-Client-Issuer",   "x_ssl_client_issuer",
    "X.SSL.Client.Issuer",   "x-Ssl_client-Issuer",   "X-SSL-Client-Serial",   "X_SSL_Client_Serial",
    "x.ssl-client_serial",   "X-SSL-Client.Serial",   "X-SSL-Client-SHA256",   "x_ssl_client_sha256",
    "X.SSL.CLIENT.SHA256",   "x-ssl-client_Sha256",   "X-SSL-Client-NotAfter", "X_SSL_CLIENT_NOTAFTER",
    "x.ssl.client.notafter", "x-ssl_client-notAfter", "X-SSL-Client-Cert",     "x_ssl_client_cert",
    "X.SSL.CLIENT.CERT",     "X-SSL-Client_Cert",     "x.ssl_client-cert",     "Client-Cert",
    "client-cert",           "CLIENT_CERT",           "client.cert",           "Client_Cert",
    "cLIENT.cERT",           "Client-Cert-Chain",     "client_cert_chain",     "client.cert.chain",
    "CLIENT-CERT_CHAIN",     "Client.Cert-Chain",     "client_cert-chain",     "client-cert.chain",
};

static void no_forged_identity_field_survives_in_a_head(void **state)
{
    struct world *world = *state;
    assert_true(sizeof(FORGED) / sizeof(FORGED[0]) >= 40);
    for (int trusted = 0; trusted < 2; trusted++)
        for (size_t i = 0; i < sizeof(FORGED) / sizeof(FORGED[0]); i++) {
            http_head_reset(&world->head);
            add(world, FORGED[i], "CN=admin");
            forward_clean(&world->head, trusted, false);
            if (http_head_field_count(&world->head) != 0)
                fail_msg("%s survives", FORGED[i]);
        }
}

static void no_forged_identity_field_survives_in_trailers(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < sizeof(FORGED) / sizeof(FORGED[0]); i++)
        add(world, FORGED[i], "CN=admin");
    add(world, "Grpc-Status", "0");
    forward_trailers(&world->head);
    assert_string_equal(lines(world), "grpc-status: 0|");
}

static void an_identity_field_added_after_cleaning_is_replaced_when_asked_for(void **state)
{
    struct world *world = *state;
    world->facts.identity = ~0ull;
    add(world, "X_SSL_Client_DN", "CN=admin");
    add(world, "X-SSL-Client-DN", "CN=admin");
    add(world, "X-SSL-Client-Verify", "SUCCESS");
    assert_true(forward_request(&world->head, &world->facts));
    expect_field(world, "x-ssl-client-verify", "NONE");
    assert_null(value_of(world, "x-ssl-client-dn"));
    assert_null(value_of(world, "x_ssl_client_dn"));
}

/* ---- other spellings ---- */

static void no_field_passes_in_a_spelling_that_only_folds_to_it(void **state)
{
    struct world *world = *state;
    char name[64];
    for (unsigned id = HEADER_OTHER + 1; id < HEADER_COUNT; id++)
        for (const char *way = "_."; *way; way++) {
            snprintf(name, sizeof(name), "%s", field_name((enum field_id)id));
            char *dash = strchr(name, '-');
            if (!dash)
                continue;
            *dash = *way;
            http_head_reset(&world->head);
            add(world, name, "trailers");
            forward_clean(&world->head, true, true);
            assert_string_equal(lines(world), "");
            http_head_reset(&world->head);
            add(world, name, "x");
            forward_trailers(&world->head);
            assert_string_equal(lines(world), "");
        }
}

static void unknown_names_stay_however_they_are_spelled(void **state)
{
    struct world *world = *state;
    add(world, "My_Field", "1");
    add(world, "my.field", "2");
    forward_clean(&world->head, false, false);
    assert_string_equal(lines(world), "my_field: 1|my.field: 2|");
}

static void hop_by_hop_fields_and_framing_go(void **state)
{
    static const char *const names[] = {"Connection",          "Keep-Alive",     "Proxy-Connection",
                                        "Proxy-Authorization", "Upgrade",        "HTTP2-Settings",
                                        "Transfer-Encoding",   "Content-Length", "TE",
                                        "Proxy-Authenticate"};
    struct world *world = *state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        add(world, names[i], "close");
    add(world, "Trailer", "x");
    add(world, "Expect", "100-continue");
    forward_clean(&world->head, true, false);
    assert_string_equal(lines(world), "trailer: x|expect: 100-continue|");
}

/* ---- Connection ---- */

static void what_connection_names_goes(void **state)
{
    struct world *world = *state;
    add(world, "X-Hop", "1");
    add(world, "CONNECTION", "keep-alive, X-hop ,,");
    add(world, "Authorization", "secret");
    add(world, "X-Stays", "2");
    add(world, "connection", "My_Other, authorization");
    add(world, "my_other", "3");
    forward_clean(&world->head, false, false);
    assert_string_equal(lines(world), "x-stays: 2|");
}

static void connection_cannot_take_away_host_or_what_a_trusted_proxy_says(void **state)
{
    struct world *world = *state;
    add(world, "Host", "a.example");
    add(world, "X-Forwarded-For", "198.51.100.1");
    add(world, "X-Forwarded-Proto", "https");
    add(world, "X-Real-IP", "198.51.100.1");
    add(world, "Forwarded", "for=198.51.100.1");
    add(world, "X-Request-ID", "abc");
    add(world, "Via", "1.1 edge");
    add(world, "Connection",
        "Host, X-Forwarded-For, x-forwarded-proto, X_Forwarded_For, x-real-ip, forwarded, x-request-id, via");
    forward_clean(&world->head, true, false);
    assert_int_equal(http_head_field_count(&world->head), 7);
}

static void connection_cannot_take_away_what_lb_sets(void **state)
{
    struct world *world = *state;
    set_authority(world, "a.example");
    world->facts.identity = 1ull << HEADER_X_SSL_CLIENT_VERIFY;
    add(world, "Connection", "Host, X-SSL-Client-Verify, X-Forwarded-For, Via, X-Request-ID");
    request(world);
    expect_field(world, "host", "a.example");
    expect_field(world, "x-ssl-client-verify", "NONE");
    expect_field(world, "x-forwarded-for", "192.0.2.7");
    expect_field(world, "via", "1.1 lb");
    assert_non_null(value_of(world, "x-request-id"));
    assert_null(value_of(world, "connection"));
}

static void an_endless_connection_list_takes_every_unknown_field(void **state)
{
    struct world *world = *state;
    char list[1000];
    for (size_t i = 0; i < sizeof(list); i++)
        list[i] = i % 2 ? ',' : 'a';
    list[sizeof(list) - 1] = '\0';
    add(world, "Connection", list);
    add(world, "X-Hop", "1");
    add(world, "User-Agent", "x");
    forward_clean(&world->head, false, false);
    assert_string_equal(lines(world), "user-agent: x|");
}

static void upgrade_stays_alone_when_it_is_kept(void **state)
{
    struct world *world = *state;
    add(world, "Connection", "Upgrade, HTTP2-Settings");
    add(world, "Upgrade", "websocket");
    add(world, "HTTP2-Settings", "AAA");
    add(world, "Sec-WebSocket-Version", "13");
    forward_clean(&world->head, false, true);
    assert_string_equal(lines(world), "upgrade: websocket|sec-websocket-version: 13|");
}

static void te_says_trailers_or_nothing(void **state)
{
    static const char *const tes[][2] = {{"trailers", "te: trailers|"},
                                         {"gzip, Trailers;q=1", ""},
                                         {"gzip;q=0.5, TRAILERS ,deflate", "te: trailers|"},
                                         {"gzip", ""},
                                         {"", ""},
                                         {"trailersx", ""},
                                         {"xtrailers", ""},
                                         {"trailers, chunked", "te: trailers|"}};
    struct world *world = *state;
    for (size_t i = 0; i < sizeof(tes) / sizeof(tes[0]); i++) {
        http_head_reset(&world->head);
        add(world, "TE", tes[i][0]);
        add(world, "Connection", "TE");
        forward_clean(&world->head, false, false);
        assert_string_equal(lines(world), tes[i][1]);
    }
}

static void of_several_te_one_stays(void **state)
{
    struct world *world = *state;
    add(world, "TE", "gzip");
    add(world, "TE", "trailers");
    add(world, "te", "trailers, gzip");
    forward_clean(&world->head, false, false);
    assert_string_equal(lines(world), "te: trailers|");
}

/* ---- responses and trailers ---- */

static void a_response_loses_what_is_of_one_connection(void **state)
{
    struct world *world = *state;
    add(world, "Connection", "close, X-Hop");
    add(world, "X-Hop", "1");
    add(world, "Content_Length", "1");
    add(world, "Content-Length", "1");
    add(world, "Transfer-Encoding", "chunked");
    add(world, "Keep-Alive", "1");
    add(world, "Proxy-Authenticate", "Basic");
    add(world, "Upgrade", "h2c");
    add(world, "TE", "trailers");
    add(world, "Set-Cookie", "a");
    add(world, "Set-Cookie", "b");
    add(world, "Trailer", "x");
    assert_true(forward_response(&world->head, false));
    assert_string_equal(lines(world), "set-cookie: a|set-cookie: b|trailer: x|via: 1.1 lb|");
}

static void a_response_that_changes_protocol_keeps_upgrade(void **state)
{
    struct world *world = *state;
    add(world, "Connection", "Upgrade");
    add(world, "Upgrade", "websocket");
    add(world, "Via", "1.1 origin");
    assert_true(forward_response(&world->head, true));
    assert_string_equal(lines(world), "upgrade: websocket|via: 1.1 origin, 1.1 lb|");
}

static void trailers_hold_nothing_that_belongs_in_a_head(void **state)
{
    struct world *world = *state;
    for (unsigned id = HEADER_OTHER + 1; id < HEADER_COUNT; id++)
        add(world, field_name((enum field_id)id), "x");
    add(world, "X-Checksum", "1");
    forward_trailers(&world->head);
    assert_string_equal(lines(world), "user-agent: x|referer: x|date: x|server: x|x-checksum: 1|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_forged_identity_field_survives_in_a_head),
        TEST(no_forged_identity_field_survives_in_trailers),
        TEST(an_identity_field_added_after_cleaning_is_replaced_when_asked_for),
        TEST(no_field_passes_in_a_spelling_that_only_folds_to_it),
        TEST(unknown_names_stay_however_they_are_spelled),
        TEST(hop_by_hop_fields_and_framing_go),
        TEST(what_connection_names_goes),
        TEST(connection_cannot_take_away_host_or_what_a_trusted_proxy_says),
        TEST(connection_cannot_take_away_what_lb_sets),
        TEST(an_endless_connection_list_takes_every_unknown_field),
        TEST(upgrade_stays_alone_when_it_is_kept),
        TEST(te_says_trailers_or_nothing),
        TEST(of_several_te_one_stays),
        TEST(a_response_loses_what_is_of_one_connection),
        TEST(a_response_that_changes_protocol_keeps_upgrade),
        TEST(trailers_hold_nothing_that_belongs_in_a_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
