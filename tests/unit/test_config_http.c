/* Configurations of http listeners that are accepted, and what reaches the snapshot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "lb/config/config.h"
#include "lb/tls/context.h"

#define APP     "[backend app]\nserver = s 127.0.0.1:9001\n"
#define HTTP    "[listener a]\nbind = 127.0.0.1:8080\nprotocol = http\n"
#define TLS     "tls = one-way\ncertificate = server.pem server.key\n"
#define BIT(id) (UINT64_C(1) << HEADER_##id)

static char folder[] = "/tmp/lb-test-XXXXXX";

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* Nothing may be told, not even a warning. */
static struct config *accepted(const char *ini)
{
    struct problems problems = {0};
    const char *path = "t.ini";
    write_file(path, ini);
    struct config *config = config_load(&path, 1, &problems);
    for (size_t i = 0; i < problems.count; i++)
        print_error("%s:%u: %s\n", problems.list[i].file, problems.list[i].line, problems.list[i].text);
    assert_int_equal(problems.count, 0);
    problems_free(&problems);
    assert_non_null(config);
    return config;
}

static const struct http_settings *http_of(const struct config *config, const char *name)
{
    return &config_listener(config, name)->http;
}

static void what_is_not_set_has_the_defaults_of_the_table(void **state)
{
    (void)state;
    struct config *config = accepted(HTTP "backend = app\n" APP);
    const struct listener *a = &config->listeners[0];
    const struct http_settings *http = &a->http;
    assert_int_equal(a->protocol, PROTOCOL_HTTP);
    assert_null(a->tls.alpn);
    assert_false(http->h2c || http->json_errors || http->show_reason);
    assert_int_equal(http->limits.header_bytes, 32 << 10);
    assert_int_equal(http->limits.header_count, 100);
    assert_int_equal(http->limits.uri_bytes, 8 << 10);
    assert_int_equal(http->max_body, 0);
    assert_int_equal(http->max_requests, 0);
    assert_int_equal(http->max_streams, 100);
    assert_int_equal(http->timeout_first_ms, 10000);
    assert_int_equal(http->timeout_header_ms, 10000);
    assert_int_equal(http->timeout_body_ms, 30000);
    assert_int_equal(http->timeout_keep_alive_ms, 60000);
    assert_int_equal(http->slash, SLASH_REFUSE);
    assert_int_equal(http->forwarded, FORWARDED_SET);
    assert_int_equal(http->identity, 0);
    assert_int_equal(a->trusted_count + http->route_count + http->page_count, 0);
    assert_null(http->table);
    config_drop(config);
}

static void what_is_not_set_of_a_backend_has_the_defaults_of_the_table(void **state)
{
    (void)state;
    struct config *config = accepted(HTTP "backend = app\n" APP);
    const struct backend *app = &config->backends[0];
    assert_false(app->h2);
    assert_null(app->host);
    assert_int_equal(app->timeout_server_ms, 60000);
    assert_int_equal(app->pool_connections, 100);
    assert_int_equal(app->timeout_pool_ms, 30000);
    config_drop(config);
}

static void limits_reach_their_fields(void **state)
{
    (void)state;
    struct config *config = accepted(
        HTTP "backend = app\nmax-header-bytes = 1m\nmax-headers = 7\nmax-uri = 256\nmax-body = 1024g\n"
             "max-requests = 1000000\nmax-streams = 1000\n" APP);
    const struct http_settings *http = http_of(config, "a");
    assert_int_equal(http->limits.header_bytes, 1 << 20);
    assert_int_equal(http->limits.header_count, 7);
    assert_int_equal(http->limits.uri_bytes, 256);
    assert_true(http->max_body == UINT64_C(1) << 40);
    assert_int_equal(http->max_requests, 1000000);
    assert_int_equal(http->max_streams, 1000);
    config_drop(config);
}

static void times_reach_their_fields(void **state)
{
    (void)state;
    struct config *config =
        accepted(HTTP "backend = app\ntimeout-first-byte = 1ms\ntimeout-header = 2s\ntimeout-body = 3m\n"
                      "timeout-keep-alive = 1d\n" APP);
    const struct http_settings *http = http_of(config, "a");
    assert_int_equal(http->timeout_first_ms, 1);
    assert_int_equal(http->timeout_header_ms, 2000);
    assert_int_equal(http->timeout_body_ms, 180000);
    assert_int_equal(http->timeout_keep_alive_ms, 86400000);
    config_drop(config);
}

static void ways_to_speak_reach_their_fields(void **state)
{
    (void)state;
    struct config *config =
        accepted(HTTP "backend = app\nh2c = yes\nforwarded = off\nencoded-slash = decode\n"
                      "error-format = json\nshow-reason = on\n"
                      "[listener b]\nbind = *:81\nprotocol = http\nbackend = app\n"
                      "forwarded = append\nencoded-slash = keep\nerror-format = text\n" APP);
    const struct http_settings *a = http_of(config, "a"), *b = http_of(config, "b");
    assert_true(a->h2c && a->json_errors && a->show_reason);
    assert_int_equal(a->forwarded, FORWARDED_OFF);
    assert_int_equal(a->slash, SLASH_DECODE);
    assert_false(b->h2c || b->json_errors || b->show_reason);
    assert_int_equal(b->forwarded, FORWARDED_APPEND);
    assert_int_equal(b->slash, SLASH_KEEP);
    config_drop(config);
}

static void settings_of_a_backend_reach_their_fields(void **state)
{
    (void)state;
    struct config *config = accepted(
        HTTP "backend = app\n" APP
             "server-protocol = h2\nhost = App.Test:8443\ntimeout-server = 5s\npool-connections = 0\n"
             "timeout-pool = 1h\n");
    const struct backend *app = &config->backends[0];
    assert_true(app->h2);
    assert_string_equal(app->host, "app.test:8443");
    assert_int_equal(app->timeout_server_ms, 5000);
    assert_int_equal(app->pool_connections, 0);
    assert_int_equal(app->timeout_pool_ms, 3600000);
    config_drop(config);
}

static void a_host_may_be_a_name_or_an_address(void **state)
{
    (void)state;
    struct config *config = accepted(
        "[defaults]\nhost = default.test\n" HTTP
        "route = path=/a -> app\nroute = path=/b -> b\nroute = path=/c -> c\nroute = path=/d -> d\n" APP
        "[backend b]\nserver = s 127.0.0.1:1\nhost = keep\n"
        "[backend c]\nserver = s 127.0.0.1:1\nhost = [::1]:80\n"
        "[backend d]\nserver = s 127.0.0.1:1\nhost = 192.0.2.1\n");
    assert_string_equal(config->backends[0].host, "default.test");
    assert_null(config->backends[1].host);
    assert_string_equal(config->backends[2].host, "[::1]:80");
    assert_string_equal(config->backends[3].host, "192.0.2.1");
    config_drop(config);
}

static void all_that_may_be_a_default_holds_for_http_listeners(void **state)
{
    (void)state;
    struct config *config = accepted(
        "[defaults]\ncertificate-headers = all\nforwarded = append\ntrusted-proxies = unix\nencoded-slash = "
        "keep\nmax-header-bytes = 2k\nmax-headers = 3\nmax-uri = 1k\nmax-body = 4\nmax-requests = 5\n"
        "max-streams = 6\ntimeout-first-byte = 7s\ntimeout-header = 8s\ntimeout-body = 9s\n"
        "timeout-keep-alive = 10s\nerror-format = json\nshow-reason = yes\nserver-protocol = h2\n"
        "timeout-server = 11s\npool-connections = 12\ntimeout-pool = 13s\n" HTTP "backend = app\n"
        "[listener t]\nbind = *:81\nbackend = app\n" APP);
    const struct http_settings *http = http_of(config, "a");
    assert_true(http->identity != 0 && http->json_errors && http->show_reason && config->backends[0].h2);
    assert_int_equal(http->forwarded, FORWARDED_APPEND);
    assert_int_equal(config_listener(config, "a")->trusted_count, 1);
    assert_int_equal(http->slash, SLASH_KEEP);
    assert_int_equal(http->limits.header_bytes, 2048);
    assert_int_equal(http->limits.header_count, 3);
    assert_int_equal(http->limits.uri_bytes, 1024);
    assert_int_equal(http->max_body, 4);
    assert_int_equal(http->max_requests, 5);
    assert_int_equal(http->max_streams, 6);
    assert_int_equal(http->timeout_first_ms, 7000);
    assert_int_equal(http->timeout_header_ms, 8000);
    assert_int_equal(http->timeout_body_ms, 9000);
    assert_int_equal(http->timeout_keep_alive_ms, 10000);
    assert_int_equal(config->backends[0].timeout_server_ms, 11000);
    assert_int_equal(config->backends[0].pool_connections, 12);
    assert_int_equal(config->backends[0].timeout_pool_ms, 13000);
    config_drop(config);
}

static void proxies_of_the_section_replace_those_of_defaults(void **state)
{
    (void)state;
    struct config *config =
        accepted("[defaults]\ntrusted-proxies = unix, 10.0.0.0/8\ntrusted-proxies = ::1\ncertificate-headers "
                 "= all\n" HTTP "backend = app\n[listener b]\nbind = *:81\nprotocol = http\nbackend = app\n"
                 "trusted-proxies = fd00::/8\ntrusted-proxies = 192.0.2.1\ncertificate-headers = off\n" APP);
    const struct listener *a = config_listener(config, "a"), *b = config_listener(config, "b");
    assert_int_equal(a->trusted_count, 3);
    assert_int_equal(a->trusted[0].family, AF_UNIX);
    assert_int_equal(a->trusted[1].bits, 8);
    assert_int_equal(a->trusted[2].family, AF_INET6);
    assert_int_equal(b->trusted_count, 2);
    assert_int_equal(b->trusted[0].bits, 8);
    assert_int_equal(b->trusted[0].bytes[0], 0xfd);
    assert_int_equal(b->trusted[1].bits, 32);
    assert_int_equal(b->http.identity, 0);
    config_drop(config);
}

static void a_tcp_listener_may_trust_proxies_that_send_a_header(void **state)
{
    (void)state;
    struct config *config =
        accepted("[defaults]\ntrusted-proxies = unix\n[listener a]\nbind = *:80\nbackend = "
                 "app\nproxy-protocol = yes\n[listener b]\nbind = *:81\nbackend = app\n"
                 "proxy-protocol = yes\ntrusted-proxies = ::1\n" APP
                 "send-proxy = v2\nsend-proxy-certificate = yes\n");
    const struct listener *a = config_listener(config, "a"), *b = config_listener(config, "b");
    assert_true(a->proxy_protocol && b->proxy_protocol);
    assert_int_equal(a->trusted[0].family, AF_UNIX);
    assert_int_equal(b->trusted[0].family, AF_INET6);
    assert_int_equal(config->backends[0].send_proxy, SEND_PROXY_V2);
    assert_true(config->backends[0].send_proxy_certificate);
    config_drop(config);
}

static void certificate_headers_are_bits_of_their_fields(void **state)
{
    (void)state;
    struct config *config = accepted(
        HTTP "backend = app\ncertificate-headers = X-SSL-Client-Verify,x-ssl-client-dn , Client-Cert\n"
             "[listener b]\nbind = *:81\nprotocol = http\nbackend = app\ncertificate-headers = all\n" APP);
    assert_true(http_of(config, "a")->identity ==
                (BIT(X_SSL_CLIENT_VERIFY) | BIT(X_SSL_CLIENT_DN) | BIT(CLIENT_CERT)));
    assert_true(http_of(config, "b")->identity ==
                (BIT(X_SSL_CLIENT_VERIFY) | BIT(X_SSL_CLIENT_DN) | BIT(X_SSL_CLIENT_ISSUER) |
                 BIT(X_SSL_CLIENT_SERIAL) | BIT(X_SSL_CLIENT_SHA256) | BIT(X_SSL_CLIENT_NOTAFTER) |
                 BIT(X_SSL_CLIENT_CERT) | BIT(CLIENT_CERT) | BIT(CLIENT_CERT_CHAIN)));
    config_drop(config);
}

static void routes_keep_their_order_and_know_their_place(void **state)
{
    (void)state;
    struct config *config = accepted(
        HTTP "route = path=/a -> two\nbackend = app\nroute = host=b.test path==/b -> respond=503:no\n" APP
             "[backend two]\nserver = s 127.0.0.1:9002\n");
    const struct http_settings *http = http_of(config, "a");
    assert_int_equal(http->route_count, 2);
    assert_int_equal(http->routes[0].action, ROUTE_BACKEND);
    assert_ptr_equal(http->routes[0].backend, &config->backends[1]);
    assert_string_equal(http->routes[0].path, "/a");
    assert_int_equal(http->routes[0].place.line, 4);
    assert_string_equal(http->routes[0].place.file, "t.ini");
    assert_int_equal(http->routes[0].index, 0);
    assert_int_equal(http->routes[1].action, ROUTE_RESPOND);
    assert_int_equal(http->routes[1].status, 503);
    assert_string_equal(http->routes[1].text, "no");
    assert_int_equal(http->routes[1].index, 1);
    assert_non_null(http->table);
    assert_ptr_equal(config->listeners[0].backend, &config->backends[0]);
    config_drop(config);
}

static void an_http_listener_with_routes_needs_no_backend(void **state)
{
    (void)state;
    struct config *config = accepted(HTTP "route = -> respond=200:hello\n");
    assert_null(config->listeners[0].backend);
    assert_int_equal(config->backend_count, 0);
    config_drop(config);
}

static void routes_that_only_overlap_are_no_matter(void **state)
{
    (void)state;
    config_drop(accepted(HTTP
                         "route = path==/a -> app\nroute = path=/a method=GET -> app\n"
                         "route = path=/a method=GET,POST -> app\nroute = path=/a header=x-a:1 -> app\n"
                         "route = path=/a header=x-a -> app\nroute = path=/a/b host=b.test -> app\n"
                         "route = path=/a host=c.test -> app\nroute = path~^/a -> app\n"
                         "route = path=/a -> app\nroute = path=/ab -> app\nroute = method=OPTIONS -> app\n"
                         "route = host~^a -> app\nroute = -> app\n" APP));
}

static void a_route_for_those_who_show_a_certificate_leaves_the_others(void **state)
{
    (void)state;
    config_drop(
        accepted(HTTP "tls = mutual-optional\ncertificate = server.pem server.key\nclient-ca = server.pem\n"
                      "route = certificate=present -> app\nroute = certificate=none path=/a -> app\n"
                      "route = certificate=required -> app\n" APP));
}

static void certificate_headers_need_no_client_certificates(void **state)
{
    (void)state;
    config_drop(accepted("[defaults]\ncertificate-headers = all\n" HTTP TLS "backend = app\n" APP));
    config_drop(accepted(HTTP "certificate-headers = X-SSL-Client-Verify\nbackend = app\n" APP));
}

static void with_tls_http_is_offered_unless_alpn_says_otherwise(void **state)
{
    (void)state;
    struct config *config =
        accepted(HTTP TLS "backend = app\n[listener b]\nbind = *:81\nprotocol = http\n" TLS
                          "backend = app\nalpn = http/1.1\nalpn = http/1.0\n"
                          "[listener t]\nbind = *:82\nbackend = app\n" TLS APP);
    assert_string_equal(config_listener(config, "a")->tls.alpn, "h2,http/1.1");
    assert_string_equal(config_listener(config, "b")->tls.alpn, "http/1.1,http/1.0");
    assert_null(config_listener(config, "t")->tls.alpn);
    config_drop(config);
}

static void h2c_that_is_off_goes_with_tls(void **state)
{
    (void)state;
    config_drop(accepted(HTTP TLS "backend = app\nh2c = no\n" APP));
}

static void scripts_know_that_they_decide_about_requests(void **state)
{
    (void)state;
    struct config *config = accepted(HTTP "script = allow.lua\nbackend = app\n[listener t]\nbind = *:81\n"
                                          "script = allow.lua\nbackend = app\n" APP);
    assert_true(config_listener(config, "a")->script.http);
    assert_false(config_listener(config, "t")->script.http);
    config_drop(config);
}

static void error_pages_are_read_at_load(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *path, *type;
    } wanted[] = {{400, "page.html", "text/html; charset=utf-8"},
                  {404, "page.json", "application/json"},
                  {503, "page.txt", "text/plain; charset=utf-8"},
                  {599, "./page", "application/octet-stream"}};
    struct config *config =
        accepted(HTTP "backend = app\nerror-page = 400 page.html\nerror-page = 404 page.json\n"
                      "log = no\nerror-page = 503 page.txt\nerror-page = 599 ./page\n" APP);
    const struct http_settings *http = http_of(config, "a");
    assert_int_equal(http->page_count, 4);
    for (size_t i = 0; i < 4; i++) {
        const struct error_page *page = &http->pages[i];
        char text[32];
        snprintf(text, sizeof(text), "I am %s", wanted[i].path + (i == 3 ? 2 : 0));
        assert_int_equal(page->status, wanted[i].status);
        assert_string_equal(page->path, wanted[i].path);
        assert_string_equal(page->type, wanted[i].type);
        assert_int_equal(page->len, strlen(text));
        assert_memory_equal(page->body, text, page->len);
    }
    config_drop(config);
}

static int make_files(void **state)
{
    (void)state;
    if (!tls_library_start() || !mkdtemp(folder) || chdir(folder) != 0)
        return -1;
    write_file("page.html", "I am page.html");
    write_file("page.json", "I am page.json");
    write_file("page.txt", "I am page.txt");
    write_file("page", "I am page");
    write_file("allow.lua", "function on_authorize(conn) return true end\n");
    return system(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 300 -subj /CN=localhost "
        "-keyout server.key -out server.pem 2>openssl.txt");
}

static int remove_files(void **state)
{
    char command[64];
    (void)state;
    tls_library_stop();
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return chdir("/") != 0 || system(command);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_set_has_the_defaults_of_the_table),
        cmocka_unit_test(what_is_not_set_of_a_backend_has_the_defaults_of_the_table),
        cmocka_unit_test(limits_reach_their_fields),
        cmocka_unit_test(times_reach_their_fields),
        cmocka_unit_test(ways_to_speak_reach_their_fields),
        cmocka_unit_test(settings_of_a_backend_reach_their_fields),
        cmocka_unit_test(a_host_may_be_a_name_or_an_address),
        cmocka_unit_test(all_that_may_be_a_default_holds_for_http_listeners),
        cmocka_unit_test(proxies_of_the_section_replace_those_of_defaults),
        cmocka_unit_test(a_tcp_listener_may_trust_proxies_that_send_a_header),
        cmocka_unit_test(certificate_headers_are_bits_of_their_fields),
        cmocka_unit_test(routes_keep_their_order_and_know_their_place),
        cmocka_unit_test(an_http_listener_with_routes_needs_no_backend),
        cmocka_unit_test(routes_that_only_overlap_are_no_matter),
        cmocka_unit_test(a_route_for_those_who_show_a_certificate_leaves_the_others),
        cmocka_unit_test(certificate_headers_need_no_client_certificates),
        cmocka_unit_test(with_tls_http_is_offered_unless_alpn_says_otherwise),
        cmocka_unit_test(h2c_that_is_off_goes_with_tls),
        cmocka_unit_test(scripts_know_that_they_decide_about_requests),
        cmocka_unit_test(error_pages_are_read_at_load),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
