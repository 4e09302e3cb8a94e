/* What TLS to servers is refused or warned for, with the place and the text that the user sees. */
#include "tests/unit/test_config_refusals.h"

#define OK "[listener a]\nbind = 127.0.0.1:8080\nbackend = app\n[backend app]\nserver = s 127.0.0.1:9001\n"
/* the next line is 6 */
#define TLS OK "tls = yes\nca = ca.pem\n" /* the next line is 8 */

static const struct refusal refusals[] = {
    /* what means nothing without it */
    {"a_ca_without_tls_is_refused", OK "ca = ca.pem\n",
     "6: 'ca' has no effect with tls = no: set tls = yes, or remove it"},
    {"verification_without_tls_is_refused", OK "verify = none\n", "6: 'verify' has no effect with tls = no"},
    {"a_name_without_tls_is_refused", OK "verify-host = a.test\n",
     "6: 'verify-host' has no effect with tls = no"},
    {"a_certificate_without_tls_is_refused", OK "certificate = server.pem server.key\n",
     "6: 'certificate' has no effect with tls = no"},
    {"versions_without_tls_are_refused", OK "tls-min = 1.3\ntls-max = 1.3\n",
     "6: 'tls-min' has no effect\n7: 'tls-max' has no effect"},
    {"lists_without_tls_are_refused", OK "ciphers = TLS_AES_128_GCM_SHA256\ngroups = X25519\nalpn = h2\n",
     "6: 'ciphers' has no effect\n7: 'groups' has no effect\n8: 'alpn' has no effect"},

    /* values */
    {"tls_is_yes_or_no", OK "tls = one-way\n", "6: tls = one-way: write yes or no"},
    {"verification_is_switched_off_by_one_word_only", TLS "verify = no\n", "8: verify = no: unknown"},
    {"a_name_with_a_port_is_refused", TLS "verify-host = a.test:443\n",
     "8: verify-host = a.test:443: write the host name, or the address"},
    {"a_wildcard_is_no_name", TLS "verify-host = *.a.test\n", "8: verify-host = *.a.test: write the host"},
    {"two_names_are_refused", TLS "verify-host = a.test b.test\n", "8: verify-host = a.test b.test: write"},
    {"two_cas_in_a_line_are_refused", OK "tls = yes\nca = ca.pem ca.pem\n",
     "7: ca = ca.pem ca.pem: write one path without blanks"},
    {"three_files_are_no_certificate", TLS "certificate = a b c\n",
     "8: certificate = a b c: write one or two paths"},
    {"an_unknown_version_is_refused", TLS "tls-min = 1.1\n", "8: tls-min = 1.1: unknown"},
    {"versions_that_leave_none_are_refused", TLS "tls-min = 1.3\ntls-max = 1.2\n",
     "8: [backend app]: tls-min = 1.3 is above tls-max = 1.2: no server could be spoken to"},
    {"an_unknown_cipher_to_servers_is_refused", TLS "ciphers = TLS_NOTHING\n",
     "8: ciphers: there is no 'TLS_NOTHING'"},
    {"a_server_s_word_for_tls_is_yes_or_no", OK "server = b 127.0.0.1:9002 tls=maybe\n",
     "6: tls = maybe: unknown"},
    {"a_server_s_name_is_a_name", OK "server = b 127.0.0.1:9002 tls=yes verify-host=a/b\n",
     "6: verify-host = a/b: write the host name"},
    {"a_word_that_is_almost_one_is_refused", OK "server = b 127.0.0.1:9002 verify-hots=a.test\n",
     "6: server = b 127.0.0.1:9002 verify-hots=a.test: unknown word 'verify-hots'; did you mean "
     "'verify-host='?"},
    {"a_unix_socket_has_no_name", TLS "server = b unix:/tmp/b\n",
     "8: server b: a unix socket has no host name that its certificate could be for: add verify-host=NAME"},

    /* files */
    {"a_ca_that_is_not_there_is_refused", OK "tls = yes\nca = none.pem\n",
     "7: cannot read the CA of servers /"},
    {"an_empty_ca_is_refused", OK "tls = yes\nca = empty.pem\n", "7: cannot read the CA of servers /"},
    {"a_key_is_no_ca", OK "tls = yes\nca = server.key\n", "7: server.key holds no certificate of a CA"},
    {"a_certificate_for_servers_that_is_not_there_is_refused", TLS "certificate = none.pem server.key\n",
     "8: cannot read the certificate /"},
    {"a_key_for_servers_that_does_not_fit_is_refused", TLS "certificate = server.pem other.key\n",
     "8: the key in other.key does not belong to the first certificate in server.pem"},

    /* warnings */
    {"no_verification_is_warned_of", OK "tls = yes\nverify = none\n",
     "7: warning: [backend app]: verify = none: whoever answers at a server's address is believed"},
    {"a_ca_that_is_not_looked_at_is_warned_of", TLS "verify = none\n",
     "7: warning: 'ca' has no effect with verify = none\n8: warning: [backend app]: verify = none"},

    /* nothing to say */
    {"tls_with_a_ca_is_fine", TLS, ""},
    {"tls_of_one_server_is_enough", OK "server = b 127.0.0.1:9002 tls=yes\nca = ca.pem\n", ""},
    {"a_unix_socket_may_be_given_a_name", TLS "server = b unix:/tmp/b verify-host=b.test\n", ""},
    {"a_unix_socket_may_be_plain", TLS "server = b unix:/tmp/b tls=no\n", ""},
    {"a_name_may_be_an_address", TLS "verify-host = [::1]\n", ""},
    {"all_of_it_is_fine",
     TLS "certificate = server.pem server.key\ntls-min = 1.3\nciphers = TLS_AES_128_GCM_SHA256\n"
         "groups = X25519\nalpn = h2, http/1.1\nverify-host = app.test\n",
     ""},
};

int main(void)
{
    return run_refusals(refusals, sizeof(refusals) / sizeof(refusals[0]));
}
