/* What settings of OCSP are refused for, and warned of. */
#include "tests/unit/test_config_refusals.h"

#define LISTENER "[listener a]\nbind = 127.0.0.1:8080\nbackend = app\n" /* the next line is 4 */
#define APP      "[backend app]\nserver = s 127.0.0.1:9001\n"
#define ONE_WAY  LISTENER "tls = one-way\ncertificate = server.pem server.key\n" /* the next line is 6 */
#define MUTUAL                                                                                               \
    LISTENER                                                                                                 \
    "tls = mutual\ncertificate = server.pem server.key\nclient-ca = ca.pem\n" /* the next line is 7 */
#define NAME "[certificate localhost]\n"

static const struct refusal refusals[] = {
    {"a_mode_of_ocsp_that_there_is_not_is_refused", MUTUAL "ocsp = must\n" APP,
     "7: ocsp = must: unknown; write off, soft or hard"},
    {"ocsp_without_tls_is_refused", LISTENER "ocsp = hard\n" APP, "4: 'ocsp' has no effect with tls = off"},
    {"ocsp_without_client_certificates_is_refused", ONE_WAY "ocsp = hard\n" APP,
     "6: 'ocsp' has no effect with tls = one-way: set tls = mutual, or remove it"},
    {"what_says_how_to_ask_is_refused_where_nobody_is_asked",
     MUTUAL "ocsp-timeout = 1s\nocsp-url = http://a.test\nocsp-signer = server.pem\n" APP,
     "7: 'ocsp-timeout' has no effect with ocsp = off: set ocsp = soft or hard, or remove it\n"
     "8: 'ocsp-url' has no effect with ocsp = off\n9: 'ocsp-signer' has no effect with ocsp = off"},
    {"so_it_is_for_one_name", MUTUAL APP NAME "ocsp-url = http://a.test\n",
     "10: 'ocsp-url' has no effect with ocsp = off"},
    {"ocsp_for_a_name_that_asks_for_no_certificate_is_refused",
     ONE_WAY APP NAME "tls = one-way\nocsp = hard\n",
     "8: [certificate localhost]: client-ca, client-crl and ocsp have no effect with tls = one-way"},
    {"no_time_for_ocsp_is_refused", MUTUAL "ocsp = hard\nocsp-timeout = 0\n" APP,
     "8: ocsp-timeout = 0: out of range: write 1ms to 1m"},
    {"a_responder_over_https_is_refused", MUTUAL "ocsp = hard\nocsp-url = https://a.test/\n" APP,
     "8: ocsp-url = https://a.test/: it begins with no http://"},
    {"a_responder_without_a_host_is_refused", MUTUAL "ocsp = hard\nocsp-url = http://:80/\n" APP,
     "8: ocsp-url = http://:80/: its host or port is malformed"},
    {"an_ocsp_signer_that_is_not_there_is_refused", MUTUAL "ocsp = hard\nocsp-signer = none.pem\n" APP,
     "8: cannot read the OCSP signer /"},
    {"an_ocsp_signer_that_is_no_certificate_is_refused", MUTUAL "ocsp = hard\nocsp-signer = page.html\n" APP,
     "8: page.html: it holds no certificate"},
    {"a_key_for_an_ocsp_signer_is_refused", MUTUAL "ocsp = hard\nocsp-signer = server.key\n" APP,
     "8: server.key: it holds no certificate"},
    {"two_ocsp_signers_are_refused", MUTUAL "ocsp = hard\nocsp-signer = two.pem\n" APP,
     "8: two.pem: it holds more than one certificate"},
    {"broken_der_for_an_ocsp_signer_is_refused", MUTUAL "ocsp = hard\nocsp-signer = broken.der\n" APP,
     "8: broken.der: it is no X.509 certificate"},
    {"an_ocsp_signer_as_der_is_taken", MUTUAL "ocsp = hard\nocsp-signer = server.der\n" APP, ""},
    {"a_staple_without_tls_is_refused", LISTENER "ocsp-staple = fetch\n" APP,
     "4: 'ocsp-staple' has no effect with tls = off"},
    {"a_staple_that_is_not_there_is_refused", ONE_WAY "ocsp-staple = none.der\n" APP,
     "6: cannot read the OCSP response /"},
    {"a_staple_of_two_paths_is_refused", ONE_WAY "ocsp-staple = a.der b.der\n" APP,
     "6: ocsp-staple = a.der b.der: write one path"},
    {"a_staple_that_is_no_response_is_warned_of", ONE_WAY "ocsp-staple = page.html\n" APP,
     "6: warning: page.html is not stapled: it is no valid OCSP response"},
    {"a_certificate_that_names_no_responder_is_warned_of_with_fetch", ONE_WAY "ocsp-staple = fetch\n" APP,
     "5: warning: server.pem: no OCSP response is stapled: the certificate names no responder"},
};

static int more_files(void **state)
{
    if (make_files(state) != 0)
        return -1;
    write_file("broken.der", "0123456789");
    return system(
        "cat server.pem server.pem >two.pem && openssl x509 -in server.pem -outform DER -out server.der");
}

int main(void)
{
    return run_refusals_after(more_files, refusals, sizeof(refusals) / sizeof(refusals[0]));
}
