/* What handshake-rate and max-handshakes are refused for. */
#include "tests/unit/test_config_refusals.h"

#define APP "[backend app]\nserver = s 127.0.0.1:9001\n"
#define ONE_WAY                                                                                              \
    "[listener a]\nbind = 127.0.0.1:8080\nbackend = app\ntls = one-way\ncertificate = server.pem "           \
    "server.key\n" /* the next line is 6 */
#define WRITE_RATE ": write off, or how many in a second, minute or hour: 50/s, 600/m, 3600/h (1 to 1000000)"
#define WRITE_BITS ": what follows the rate is ipv4= with 1 to 32 or ipv6= with 1 to 128"

static const struct refusal refusals[] = {
    {"a_rate_without_a_time_is_refused", ONE_WAY "handshake-rate = 50\n" APP,
     "6: handshake-rate = 50" WRITE_RATE},
    {"a_rate_of_nothing_is_refused", ONE_WAY "handshake-rate = 0/s\n" APP,
     "6: handshake-rate = 0/s" WRITE_RATE},
    {"a_negative_rate_is_refused", ONE_WAY "handshake-rate = -1/s\n" APP,
     "6: handshake-rate = -1/s" WRITE_RATE},
    {"a_rate_beyond_a_million_is_refused", ONE_WAY "handshake-rate = 1000001/s\n" APP,
     "6: handshake-rate = 1000001/s" WRITE_RATE},
    {"a_rate_with_too_many_digits_is_refused", ONE_WAY "handshake-rate = 18446744073709551617000/s\n" APP,
     "6: handshake-rate = 18446744073709551617000/s" WRITE_RATE},
    {"a_rate_in_another_unit_is_refused", ONE_WAY "handshake-rate = 5/d\n" APP,
     "6: handshake-rate = 5/d" WRITE_RATE},
    {"a_rate_with_a_longer_unit_is_refused", ONE_WAY "handshake-rate = 5/sec\n" APP,
     "6: handshake-rate = 5/sec" WRITE_RATE},
    {"a_rate_without_a_number_is_refused", ONE_WAY "handshake-rate = /s\n" APP,
     "6: handshake-rate = /s" WRITE_RATE},
    {"more_behind_off_is_refused", ONE_WAY "handshake-rate = off ipv4=24\n" APP,
     "6: handshake-rate = off ipv4=24: nothing follows 'off'"},
    {"bits_that_no_address_has_are_refused", ONE_WAY "handshake-rate = 5/s ipv4=33\n" APP,
     "6: handshake-rate = 5/s ipv4=33" WRITE_BITS},
    {"no_bits_are_refused", ONE_WAY "handshake-rate = 5/s ipv6=0\n" APP,
     "6: handshake-rate = 5/s ipv6=0" WRITE_BITS},
    {"bits_of_neither_family_are_refused", ONE_WAY "handshake-rate = 5/s ipv5=24\n" APP,
     "6: handshake-rate = 5/s ipv5=24" WRITE_BITS},
    {"limits_of_handshakes_without_tls_have_no_effect",
     "[listener a]\nbind = 127.0.0.1:8080\nbackend = app\nhandshake-rate = 5/s\nmax-handshakes = 5\n" APP,
     "4: 'handshake-rate' has no effect with tls = off: set 'tls'\n5: 'max-handshakes' has no effect with "
     "tls = off"},
    {"bits_without_a_number_are_refused", ONE_WAY "handshake-rate = 5/s ipv4=\n" APP,
     "6: handshake-rate = 5/s ipv4=" WRITE_BITS},
};

int main(void)
{
    return run_refusals(refusals, sizeof(refusals) / sizeof(refusals[0]));
}
