/* What a configuration of an http listener is refused for or warned of. */
#include "tests/unit/test_config_refusals.h"

#define LISTENER                                                                                             \
    "[listener a]\nbind = 127.0.0.1:8080\nprotocol = http\nbackend = app\n" /* the next line is 5 */
#define ROUTED  "[listener a]\nbind = 127.0.0.1:8080\nprotocol = http\n"    /* the next line is 4 */
#define TCP     "[listener a]\nbind = 127.0.0.1:8080\nbackend = app\n"      /* the next line is 4 */
#define APP     "[backend app]\nserver = s 127.0.0.1:9001\n"
#define OK      LISTENER APP                                                    /* the next line is 7 */
#define ONE_WAY LISTENER "tls = one-way\ncertificate = server.pem server.key\n" /* the next line is 7 */
#define MUTUAL                                                                                               \
    LISTENER                                                                                                 \
    "tls = mutual\ncertificate = server.pem server.key\nclient-ca = ca.pem\n" /* the next line is 8 */

#define NO_EFFECT " has no effect with protocol = tcp: set protocol = http, or remove it"

static const struct refusal refusals[] = {
    /* routes */
    {"a_route_without_arrow_is_refused", LISTENER "route = app\n" APP, "5: route = app: "},
    {"a_route_without_action_is_refused", LISTENER "route = path=/ ->\n" APP, "5: route = path=/ ->: "},
    {"each_route_that_is_wrong_is_told", LISTENER "route = app\nroute = colour=red -> app\n" APP,
     "5: route = app: \n6: route = colour=red -> app: "},
    {"a_route_to_an_unknown_backend_is_refused", ROUTED "route = path=/a -> ap\nroute = -> app\n" APP,
     "4: there is no [backend ap]; did you mean 'app'?: add it, or name another"},
    {"a_route_to_a_backend_far_from_any_is_refused", LISTENER "route = path=/a -> elsewhere\n" APP,
     "5: there is no [backend elsewhere]: add it, or name another"},
    {"a_route_that_requires_a_certificate_without_tls_is_refused",
     LISTENER "route = path=/a certificate=required -> app\n" APP,
     "5: route: certificate=required needs tls = mutual or mutual-optional: no client of [listener a] can"},
    {"a_route_that_asks_for_a_certificate_with_one_way_tls_is_refused",
     ONE_WAY "route = path=/a certificate=present -> app\n" APP,
     "7: route: certificate=present needs tls = mutual or mutual-optional"},
    {"a_route_for_clients_without_certificate_is_in_vain_with_mutual_tls",
     MUTUAL "route = path=/a certificate=none -> app\n" APP,
     "8: warning: route: certificate=none can never match: with tls = mutual"},
    {"a_route_behind_one_that_takes_all_is_told", ROUTED "route = -> app\nroute = path=/a -> app\n" APP,
     "5: warning: this route can never match: the one in line 4 takes all that it could; put the more "
     "special"},
    {"a_route_behind_one_that_requires_a_certificate_of_all_is_told",
     MUTUAL "route = certificate=required -> app\nroute = path=/a -> app\n" APP,
     "9: warning: this route can never match: the one in line 8"},
    {"the_same_conditions_again_are_told",
     ROUTED "route = host=a.test path=/a method=GET header=x-a:1 -> app\n"
            "route = host=a.test path=/a method=GET header=x-a:1 -> respond=200:x\n" APP,
     "5: warning: this route can never match: the one in line 4"},
    {"a_path_below_an_earlier_one_is_told", ROUTED "route = path=/a -> app\nroute = path==/a/b -> app\n" APP,
     "5: warning: this route can never match: the one in line 4"},
    {"fewer_methods_than_an_earlier_route_are_told",
     ROUTED "route = method=GET,POST -> app\nroute = path=/a method=POST -> app\n" APP,
     "5: warning: this route can never match: the one in line 4"},
    {"a_header_value_behind_its_bare_name_is_told",
     ROUTED "route = header=x-a -> app\nroute = header=x-a:1 -> app\n" APP,
     "5: warning: this route can never match: the one in line 4"},
    {"each_route_without_a_chance_is_told",
     ROUTED
     "route = path=/a -> app\nroute = -> app\nroute = path=/a/b -> app\nroute = host=b.test -> app\n" APP,
     "6: warning: this route can never match: the one in line 4\n7: warning: this route can never match: the "
     "one in line 5"},

    /* backends */
    {"an_http_listener_without_backend_and_routes_is_refused", ROUTED,
     "1: [listener a] needs 'backend = NAME', or routes: 'route = path=/ -> NAME'"},
    {"an_unknown_backend_of_an_http_listener_is_refused", ROUTED "backend = ap\nroute = -> app\n" APP,
     "4: there is no [backend ap]; did you mean 'app'?"},
    {"a_tcp_listener_without_backend_is_told_of_no_routes", "[listener a]\nbind = *:80\n" OK,
     "1: [listener a] needs 'backend = NAME'\n3: [listener a] is already at t.ini:1"},
    {"a_refused_protocol_hides_what_hangs_on_it", "[listener a]\nbind = *:80\nprotocol = x\nh2c = yes\n",
     "3: protocol = x: unknown"},
    {"a_backend_of_no_route_is_told", ROUTED "route = -> respond=200:x\n" APP,
     "5: warning: [backend app] is used by no listener"},

    /* only with http */
    {"http_settings_of_a_tcp_listener_are_refused",
     TCP "route = -> app\nh2c = no\ncertificate-headers = all\nforwarded = set\ntrusted-proxies = unix\n"
         "encoded-slash = keep\nmax-header-bytes = 1k\nmax-headers = 1\nmax-uri = 1k\nmax-body = 1\n"
         "max-requests = 1\nmax-streams = 1\n" APP,
     "4: 'route'" NO_EFFECT "\n5: 'h2c'" NO_EFFECT "\n6: 'certificate-headers'" NO_EFFECT
     "\n7: 'forwarded'" NO_EFFECT "\n8: 'trusted-proxies' has no effect with protocol = tcp: set "
     "protocol = http or proxy-protocol = yes, or remove it"
     "\n9: 'encoded-slash'" NO_EFFECT "\n10: 'max-header-bytes'" NO_EFFECT "\n11: 'max-headers'" NO_EFFECT
     "\n12: 'max-uri'" NO_EFFECT "\n13: 'max-body'" NO_EFFECT "\n14: 'max-requests'" NO_EFFECT
     "\n15: 'max-streams'" NO_EFFECT},
    {"http_times_and_answers_of_a_tcp_listener_are_refused",
     TCP "timeout-first-byte = 1s\ntimeout-header = 1s\ntimeout-body = 1s\ntimeout-keep-alive = 1s\n"
         "error-page = 404 page.html\nerror-format = json\nshow-reason = yes\n" APP,
     "4: 'timeout-first-byte'" NO_EFFECT "\n5: 'timeout-header'" NO_EFFECT "\n6: 'timeout-body'" NO_EFFECT
     "\n7: 'timeout-keep-alive'" NO_EFFECT "\n8: 'error-page'" NO_EFFECT "\n9: 'error-format'" NO_EFFECT
     "\n10: 'show-reason'" NO_EFFECT},
    {"routes_error_pages_and_h2c_can_have_no_default",
     OK "[defaults]\nroute = -> app\nerror-page = 404 page.html\nh2c = yes\n",
     "8: 'route' can have no default\n9: 'error-page' can have no default\n10: 'h2c' can have no default"},
    {"h2c_with_tls_is_refused", ONE_WAY "h2c = yes\n" APP,
     "7: [listener a]: h2c = yes goes with tls = off only: with TLS, 'alpn' offers h2"},
    {"an_application_protocol_other_than_http_is_refused", ONE_WAY "alpn = h2, imap\nalpn = h3\n" APP,
     "7: [listener a]: alpn = imap does not go with protocol = http: write h2, http/1.1 or http/1.0\n7: "
     "[listener a]: alpn = h3 does"},
    {"an_application_protocol_of_defaults_is_told_at_its_line", ONE_WAY APP "[defaults]\nalpn = imap\n",
     "10: [listener a]: alpn = imap does not go with protocol = http"},

    /* values of [listener NAME] */
    {"a_bool_that_is_none_is_refused", LISTENER "h2c = maybe\n" APP, "5: h2c = maybe: write yes or no"},
    {"an_unknown_certificate_header_is_refused", LISTENER "certificate-headers = X-SSL-Client-CN\n" APP,
     "5: certificate-headers: there is no 'X-SSL-Client-CN': did you mean X-SSL-Client-DN"},
    {"a_certificate_header_far_from_any_is_refused", LISTENER "certificate-headers = Cookie\n" APP,
     "5: certificate-headers: there is no 'Cookie': write off, all, or names such as X-SSL-Client-Verify"},
    {"certificate_headers_of_commas_are_refused", LISTENER "certificate-headers = ,\n" APP,
     "5: certificate-headers = ,: there is no name in the list"},
    {"all_certificate_headers_stand_alone", LISTENER "certificate-headers = all, Client-Cert\n" APP,
     "5: certificate-headers = all, Client-Cert: off and all stand alone"},
    {"no_certificate_headers_stand_alone", LISTENER "certificate-headers = Client-Cert, off\n" APP,
     "5: certificate-headers = Client-Cert, off: off and all stand alone"},
    {"a_certificate_header_twice_is_refused", LISTENER "certificate-headers = Client-Cert, client-cert\n" APP,
     "5: certificate-headers = Client-Cert, client-cert: a name stands there twice"},
    {"certificate_headers_twice_are_refused",
     LISTENER "certificate-headers = all\ncertificate-headers = off\n" APP,
     "6: 'certificate-headers' is already set in line 5"},
    {"an_unknown_forwarded_mode_is_refused", LISTENER "forwarded = apend\n" APP,
     "5: forwarded = apend: unknown; did you mean 'append'? Write set, append or off"},
    {"a_proxy_that_is_no_network_is_refused", LISTENER "trusted-proxies = 10.0.0.0/8, proxy.test\n" APP,
     "5: trusted-proxies: proxy.test: "},
    {"proxies_of_commas_are_refused", LISTENER "trusted-proxies = ,,\n" APP,
     "5: trusted-proxies = ,,: there is no network in the list"},
    {"an_unknown_way_with_slashes_is_refused", LISTENER "encoded-slash = allow\n" APP,
     "5: encoded-slash = allow: unknown; write refuse, keep or decode"},
    {"too_few_header_bytes_are_refused", LISTENER "max-header-bytes = 1023\n" APP,
     "5: max-header-bytes = 1023: out of range: write 1k to 1m"},
    {"too_many_header_bytes_are_refused", LISTENER "max-header-bytes = 2m\n" APP,
     "5: max-header-bytes = 2m: out of range: write 1k to 1m"},
    {"no_headers_are_refused", LISTENER "max-headers = 0\n" APP,
     "5: max-headers = 0: out of range: write 1 to 1000"},
    {"too_many_headers_are_refused", LISTENER "max-headers = 1001\n" APP,
     "5: max-headers = 1001: out of range"},
    {"a_target_too_short_is_refused", LISTENER "max-uri = 255\n" APP,
     "5: max-uri = 255: out of range: write 256 to 64k"},
    {"a_target_too_long_is_refused", LISTENER "max-uri = 65k\n" APP, "5: max-uri = 65k: out of range"},
    {"a_body_over_the_largest_is_refused", LISTENER "max-body = 1025g\n" APP,
     "5: max-body = 1025g: out of range: write 0 to 1024g"},
    {"too_many_requests_are_refused", LISTENER "max-requests = 1000001\n" APP,
     "5: max-requests = 1000001: out of range: write 0 to 1000000"},
    {"no_streams_are_refused", LISTENER "max-streams = 0\n" APP,
     "5: max-streams = 0: out of range: write 1 to 1000"},
    {"no_time_for_the_first_byte_is_refused", LISTENER "timeout-first-byte = 0\n" APP,
     "5: timeout-first-byte = 0: out of range: write 1ms to 1h"},
    {"no_time_for_the_header_is_refused", LISTENER "timeout-header = 0\n" APP,
     "5: timeout-header = 0: out of range: write 1ms to 1h"},
    {"no_time_for_the_body_is_refused", LISTENER "timeout-body = 0\n" APP,
     "5: timeout-body = 0: out of range: write 1ms to 1h"},
    {"no_time_to_keep_a_connection_is_refused", LISTENER "timeout-keep-alive = 0\n" APP,
     "5: timeout-keep-alive = 0: out of range: write 1ms to 1d"},
    {"an_unknown_error_format_is_refused", LISTENER "error-format = xml\n" APP,
     "5: error-format = xml: unknown; write text or json"},
    {"a_reason_shown_perhaps_is_refused", LISTENER "show-reason = perhaps\n" APP,
     "5: show-reason = perhaps: write yes or no"},

    /* error pages */
    {"an_error_page_for_a_success_is_refused", LISTENER "error-page = 200 page.html\n" APP,
     "5: error-page = 200 page.html: write STATUS PATH: a status of 400 to 599"},
    {"an_error_page_over_599_is_refused", LISTENER "error-page = 600 page.html\n" APP,
     "5: error-page = 600 page.html: write STATUS PATH"},
    {"an_error_page_without_status_is_refused", LISTENER "error-page = page.html\n" APP,
     "5: error-page = page.html: write STATUS PATH"},
    {"an_error_page_without_path_is_refused", LISTENER "error-page = 404\n" APP,
     "5: error-page = 404: write STATUS PATH"},
    {"an_error_page_with_a_blank_in_its_path_is_refused", LISTENER "error-page = 404 not found.html\n" APP,
     "5: error-page = 404 not found.html: write STATUS PATH"},
    {"two_error_pages_for_a_status_are_refused",
     LISTENER "error-page = 404 page.html\nerror-page = 404 page.html\n" APP,
     "6: error-page = 404 page.html: the status has a page already: keep one"},
    {"an_error_page_that_is_not_there_is_refused", LISTENER "error-page = 404 none.html\n" APP,
     "5: cannot read the error page /"},
    {"an_error_page_over_1_mb_is_refused", LISTENER "error-page = 404 huge.pem\n" APP,
     "5: the error page huge.pem has more than 1 MB: is it the right file?"},
    {"error_pages_are_told_at_their_own_lines",
     LISTENER
     "error-page = 20 x\nerror-page = 404 none.html\nerror-page = 404 x\nerror-page = 500 none.html\n" APP,
     "5: error-page = 20 x: \n6: cannot read the error page /\n7: error-page = 404 x: the status\n8: cannot "
     "read "
     "the error page /"},

    /* values of [backend NAME] */
    {"an_unknown_server_protocol_is_refused", OK "server-protocol = h3\n",
     "7: server-protocol = h3: unknown; did you mean 'h2'? Write http/1.1 or h2"},
    {"a_host_of_two_words_is_refused", OK "host = a b\n", "7: host = a b: write keep, or a host name"},
    {"a_host_with_a_path_is_refused", OK "host = a.test/x\n",
     "7: host = a.test/x: write keep, or a host name"},
    {"a_host_with_a_port_too_high_is_refused", OK "host = a.test:65536\n",
     "7: host = a.test:65536: write keep"},
    {"no_time_for_the_server_is_refused", OK "timeout-server = 0\n",
     "7: timeout-server = 0: out of range: write 1ms to 1d"},
    {"too_many_pooled_connections_are_refused", OK "pool-connections = 10001\n",
     "7: pool-connections = 10001: out of range: write 0 to 10000"},
    {"no_time_for_the_pool_is_refused", OK "timeout-pool = 0\n",
     "7: timeout-pool = 0: out of range: write 1ms to 1h"},
};

int main(void)
{
    return run_refusals(refusals, sizeof(refusals) / sizeof(refusals[0]));
}
