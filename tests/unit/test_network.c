#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lb/base/network.h"

static void expect_refused(const char *text)
{
    struct network network;
    const char *why = NULL;
    if (network_parse(text, &network, &why))
        fail_msg("'%s' is taken", text);
    assert_non_null(why);
}

static bool matches(const char *network, const char *address)
{
    struct network parsed;
    struct addr addr;
    const char *why;
    if (!network_parse(network, &parsed, &why) || !addr_parse(address, &addr, &why))
        fail_msg("%s, %s: %s", network, address, why);
    return network_has(&parsed, 1, &addr);
}

static void expect_match(const char *network, const char *address)
{
    if (!matches(network, address))
        fail_msg("%s does not have %s", network, address);
}

static void expect_none(const char *network, const char *address)
{
    if (matches(network, address))
        fail_msg("%s has %s", network, address);
}

/* ---- what is no network ---- */

static void what_is_no_address_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        " ",
                                        "10",
                                        "10.0.0",
                                        "10.0.0.0.0",
                                        "10.0.0.256",
                                        "010.0.0.1",
                                        "10.0.0.1 ",
                                        " 10.0.0.1",
                                        "name.example",
                                        "[::1]",
                                        "::1%lo",
                                        ":::",
                                        "1.2.3.4:80",
                                        "/8",
                                        "UNIX",
                                        "unix/0",
                                        "unix:",
                                        "unix:/a",
                                        "*",
                                        "0x0a.0.0.1",
                                        "1::2::3",
                                        "10.0.0.0,10.0.0.1",
                                        "all"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        expect_refused(texts[i]);
}

static void a_very_long_text_is_refused(void **state)
{
    char text[400];
    (void)state;
    memset(text, '1', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    expect_refused(text);
    memset(text, ':', 200);
    expect_refused(text);
}

static void bits_out_of_range_or_oddly_written_are_refused(void **state)
{
    static const char *const texts[] = {"10.0.0.0/33",       "10.0.0.0/",    "10.0.0.0/-1",
                                        "10.0.0.0/08",       "10.0.0.0/+8",  "10.0.0.0/8 ",
                                        "10.0.0.0/ 8",       "10.0.0.0/8/8", "fd00::/129",
                                        "fd00::/00",         "fd00::/x",     "0.0.0.0/4294967296",
                                        "10.0.0.0/255.0.0.0"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        expect_refused(texts[i]);
}

static void bits_behind_the_prefix_are_refused(void **state)
{
    static const char *const texts[] = {"10.0.0.1/8", "10.0.0.128/24", "10.0.0.1/31",
                                        "1.0.0.0/0",  "fd00::1/8",     "fd01::/8",
                                        "::1/127",    "8000::/0",      "10.64.0.0/9"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        expect_refused(texts[i]);
}

static void an_ipv4_mapped_network_is_refused(void **state)
{
    (void)state;
    expect_refused("::ffff:10.0.0.0/104");
    expect_refused("::ffff:10.0.0.1");
    expect_refused("::ffff:0:0/96");
}

/* ---- what does not match ---- */

static void an_address_outside_does_not_match(void **state)
{
    (void)state;
    expect_none("10.0.0.0/8", "11.0.0.1:1");
    expect_none("10.0.0.0/8", "9.255.255.255:1");
    expect_none("192.168.128.0/17", "192.168.127.255:1");
    expect_none("10.0.0.1", "10.0.0.2:1");
    expect_none("fd00::/8", "[fc00::1]:1");
    expect_none("2001:db8::/33", "[2001:db8:8000::]:1");
    expect_none("::1", "[::2]:1");
}

static void another_family_does_not_match(void **state)
{
    (void)state;
    expect_none("0.0.0.0/0", "[::1]:1");
    expect_none("::/0", "127.0.0.1:1");
    expect_none("::/0", "[::ffff:127.0.0.1]:1");
    expect_none("::/0", "unix:/x");
    expect_none("0.0.0.0/0", "unix:/x");
    expect_none("unix", "127.0.0.1:1");
    expect_none("unix", "[::1]:1");
}

static void no_networks_have_nobody(void **state)
{
    struct addr addr;
    const char *why;
    (void)state;
    assert_true(addr_parse("127.0.0.1:1", &addr, &why));
    assert_false(network_has(NULL, 0, &addr));
}

/* ---- what matches ---- */

static void an_address_inside_matches(void **state)
{
    (void)state;
    expect_match("10.0.0.0/8", "10.255.255.255:1");
    expect_match("192.168.128.0/17", "192.168.128.0:1");
    expect_match("10.0.0.1", "10.0.0.1:9");
    expect_match("10.0.0.1/32", "10.0.0.1:9");
    expect_match("0.0.0.0/0", "255.255.255.255:9");
    expect_match("fd00::/8", "[fdff::1]:1");
    expect_match("2001:db8::/33", "[2001:db8:7fff::]:1");
    expect_match("::/0", "[ffff::1]:1");
    expect_match("::1", "[::1]:1");
}

static void an_ipv4_mapped_address_counts_as_ipv4(void **state)
{
    (void)state;
    expect_match("10.0.0.0/8", "[::ffff:10.1.2.3]:1");
    expect_none("10.0.0.0/8", "[::ffff:11.1.2.3]:1");
}

static void a_unix_peer_matches_unix(void **state)
{
    (void)state;
    expect_match("unix", "unix:/run/x");
}

static void any_of_several_networks_matches(void **state)
{
    static const char *const texts[] = {"10.0.0.0/8", "fd00::/8", "unix"};
    struct network networks[3];
    struct addr addr;
    const char *why;
    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_true(network_parse(texts[i], &networks[i], &why));
    assert_true(addr_parse("unix:/x", &addr, &why));
    assert_true(network_has(networks, 3, &addr));
    assert_false(network_has(networks, 2, &addr));
}

/* ---- what is written of an address ---- */

static void every_octet_of_an_address_is_written_in_decimal(void **state)
{
    static const char *const hosts[] = {"0.0.0.0", "9.10.99.100", "255.255.255.255", "127.0.0.1",
                                        "1.20.0.200"};
    char text[32], out[ADDR_TEXT_MAX];
    struct addr addr;
    const char *why;
    (void)state;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        strcpy(text, hosts[i]);
        strcat(text, ":1");
        assert_true(addr_parse(text, &addr, &why));
        addr_host(&addr, out);
        assert_string_equal(out, hosts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_very_long_text_is_refused),
        cmocka_unit_test(bits_out_of_range_or_oddly_written_are_refused),
        cmocka_unit_test(bits_behind_the_prefix_are_refused),
        cmocka_unit_test(an_ipv4_mapped_network_is_refused),
        cmocka_unit_test(an_address_outside_does_not_match),
        cmocka_unit_test(another_family_does_not_match),
        cmocka_unit_test(no_networks_have_nobody),
        cmocka_unit_test(an_address_inside_matches),
        cmocka_unit_test(an_ipv4_mapped_address_counts_as_ipv4),
        cmocka_unit_test(a_unix_peer_matches_unix),
        cmocka_unit_test(any_of_several_networks_matches),
        cmocka_unit_test(every_octet_of_an_address_is_written_in_decimal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
