/* What a configuration of the PROXY protocol is refused for. */
#include "tests/unit/test_config_refusals.h"

#define TCP "[listener a]\nbind = 127.0.0.1:8080\nbackend = app\n" /* the next line is 4 */
#define APP "[backend app]\nserver = s 127.0.0.1:9001\n"
#define OK  TCP APP /* the next line is 6 */
#define HTTP                                                                                                 \
    "[listener a]\nbind = 127.0.0.1:8080\nprotocol = http\nbackend = app\n" /* the next line is 5            \
                                                                             */

#define NEEDS "[listener a]: proxy-protocol = yes needs 'trusted-proxies = NETWORKS'"

static const struct refusal refusals[] = {
    {"a_header_from_anybody_is_refused", TCP "proxy-protocol = yes\n" APP, "4: " NEEDS},
    {"a_header_from_anybody_is_refused_over_http", HTTP "proxy-protocol = yes\n" APP, "5: " NEEDS},
    {"proxies_that_are_refused_are_told_once", TCP "proxy-protocol = yes\ntrusted-proxies = here\n" APP,
     "5: trusted-proxies: here: this is no address or network"},
    {"proxies_without_a_header_are_refused", TCP "proxy-protocol = no\ntrusted-proxies = ::1\n" APP,
     "5: 'trusted-proxies' has no effect with protocol = tcp: set protocol = http or proxy-protocol = yes"},
    {"proxies_beside_a_refused_header_are_not_told", TCP "proxy-protocol = v2\ntrusted-proxies = ::1\n" APP,
     "4: proxy-protocol = v2: write yes or no"},
    {"a_header_can_have_no_default", "[defaults]\nproxy-protocol = yes\n" OK,
     "2: 'proxy-protocol' can have no default"},

    {"an_unknown_version_is_refused", OK "send-proxy = v3\n",
     "6: send-proxy = v3: unknown; did you mean 'v1'? Write off, v1 or v2"},
    {"a_certificate_without_header_is_refused", OK "send-proxy-certificate = yes\n",
     "6: [backend app]: send-proxy-certificate = yes needs send-proxy = v2"},
    {"a_certificate_in_a_line_is_refused", OK "send-proxy = v1\nsend-proxy-certificate = yes\n",
     "7: [backend app]: send-proxy-certificate = yes needs send-proxy = v2"},
    {"a_header_over_http2_is_refused", HTTP APP "server-protocol = h2\nsend-proxy = v1\n",
     "8: [backend app]: send-proxy does not go with server-protocol = h2"},
    {"a_default_that_does_not_go_with_http2_is_told_at_its_line",
     HTTP APP "server-protocol = h2\n[defaults]\nsend-proxy = v2\n",
     "9: [backend app]: send-proxy does not go with server-protocol = h2"},
};

int main(void)
{
    return run_refusals(refusals, sizeof(refusals) / sizeof(refusals[0]));
}
