/* PROXY headers: what is refused, byte by byte, and what is written is read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lb/net/proxy_protocol.h"

#define SIGNATURE  "\r\n\r\n\0\r\nQUIT\n"
#define V4         "\x0a\x00\x00\x01\xc0\x00\x02\x02\x10\x01\x01\xbb" /* 10.0.0.1:4097 to 192.0.2.2:443 */
#define WIRE(text) SLICE_LITERAL(text)

static enum proxy_result read_wire(struct slice wire, struct proxy_header *out)
{
    /* Exactly as large as it is, so that a sanitizer sees each byte read too many. */
    char *copy = malloc(wire.len ? wire.len : 1);
    assert_non_null(copy);
    memcpy(copy, wire.data, wire.len);
    enum proxy_result result = proxy_read(slice_make(copy, wire.len), out);
    free(copy);
    return result;
}

/* Every beginning of it is partial, whatever comes behind it is left alone. */
static void expect_complete(struct slice wire, struct proxy_header *out)
{
    for (size_t len = 0; len < wire.len; len++)
        assert_int_equal(read_wire(slice_make(wire.data, len), out), PROXY_PARTIAL);
    assert_int_equal(read_wire(wire, out), PROXY_COMPLETE);
    assert_int_equal(out->len, wire.len);
    char *longer = calloc(1, wire.len + 300);
    assert_non_null(longer);
    memcpy(longer, wire.data, wire.len);
    memcpy(longer + wire.len, "PROXY\r\n", 7);
    assert_int_equal(read_wire(slice_make(longer, wire.len + 300), out), PROXY_COMPLETE);
    assert_int_equal(out->len, wire.len);
    free(longer);
}

static void expect_ends(struct slice wire, const char *source, const char *destination)
{
    struct proxy_header header;
    char text[ADDR_TEXT_MAX];
    expect_complete(wire, &header);
    assert_int_equal(header.origin, PROXY_ORIGIN_GIVEN);
    addr_format(&header.source, text);
    assert_string_equal(text, source);
    addr_format(&header.destination, text);
    assert_string_equal(text, destination);
}

static void expect_origin(struct slice wire, enum proxy_origin origin)
{
    struct proxy_header header;
    expect_complete(wire, &header);
    assert_int_equal(header.origin, origin);
}

/* ---- refused ---- */

static const struct lie {
    const char *name;
    struct slice wire;
    const char *why; /* a part of it */
} LIES[] = {
    {"another protocol", WIRE("GET / HTTP/1.1\r\n\r\n"), "no PROXY header"},
    {"a ClientHello", WIRE("\x16\x03\x01"), "no PROXY header"},
    {"small letters", WIRE("proxy TCP4"), "no PROXY header"},
    {"no blank", WIRE("PROXYTCP4"), "no PROXY header"},
    {"a line end at once", WIRE("PROXY\r\n"), "no PROXY header"},
    {"nothing behind PROXY", WIRE("PROXY \r\n"), "TCP4, TCP6 or UNKNOWN"},
    {"UDP4", WIRE("PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n"), "TCP4, TCP6 or UNKNOWN"},
    {"unknown in small letters", WIRE("PROXY unknown\r\n"), "TCP4, TCP6 or UNKNOWN"},
    {"more than UNKNOWN", WIRE("PROXY UNKNOWNS\r\n"), "TCP4, TCP6 or UNKNOWN"},
    {"a stray CR behind UNKNOWN", WIRE("PROXY UNKNOWN\r \r\n"), "must end with CR and LF"},
    {"two blanks", WIRE("PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n"), "TCP4, TCP6 or UNKNOWN"},
    {"two blanks between addresses", WIRE("PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n"), "two addresses"},
    {"a tab", WIRE("PROXY TCP4 1.2.3.4\t5.6.7.8 1 2\r\n"), "two addresses"},
    {"a blank at the end", WIRE("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n"), "port"},
    {"no port of the destination", WIRE("PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n"), "two addresses"},
    {"an empty port", WIRE("PROXY TCP4 1.2.3.4 5.6.7.8 1 \r\n"), "port"},
    {"no addresses", WIRE("PROXY TCP4 \r\n"), "two addresses"},
    {"no family's blank", WIRE("PROXY TCP4\r\n"), "TCP4, TCP6 or UNKNOWN"},
    {"a missing address", WIRE("PROXY TCP4 1.2.3.4 1 2\r\n"), "two addresses"},
    {"a surplus field", WIRE("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n"), "port"},
    {"three octets", WIRE("PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n"), "no address"},
    {"five octets", WIRE("PROXY TCP4 1.2.3.4.5 5.6.7.8 1 2\r\n"), "no address"},
    {"an octet over 255", WIRE("PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n"), "no address"},
    {"an octet with a leading zero", WIRE("PROXY TCP4 1.2.3.04 5.6.7.8 1 2\r\n"), "no address"},
    {"a hexadecimal octet", WIRE("PROXY TCP4 1.2.3.0x4 5.6.7.8 1 2\r\n"), "no address"},
    {"a NUL in an address", WIRE("PROXY TCP4 1.2.3.4\0 5.6.7.8 1 2\r\n"), "no address"},
    {"IPv6 in TCP4", WIRE("PROXY TCP4 ::1 ::1 1 2\r\n"), "no address"},
    {"IPv4 in TCP6", WIRE("PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n"), "no address"},
    {"one of each family", WIRE("PROXY TCP6 ::1 5.6.7.8 1 2\r\n"), "no address"},
    {"two double colons", WIRE("PROXY TCP6 1::2::3 ::1 1 2\r\n"), "no address"},
    {"nine groups", WIRE("PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2\r\n"), "no address"},
    {"five digits in a group", WIRE("PROXY TCP6 ::12345 ::1 1 2\r\n"), "no address"},
    {"a zone", WIRE("PROXY TCP6 fe80::1%lo ::1 1 2\r\n"), "no address"},
    {"a name", WIRE("PROXY TCP4 localhost 5.6.7.8 1 2\r\n"), "no address"},
    {"a port with a leading zero", WIRE("PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n"), "port"},
    {"two zeros", WIRE("PROXY TCP4 1.2.3.4 5.6.7.8 1 00\r\n"), "port"},
    {"a port over 65535", WIRE("PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n"), "port"},
    {"a port of six digits", WIRE("PROXY TCP4 1.2.3.4 5.6.7.8 100000 1\r\n"), "port"},
    {"a port that wraps round", WIRE("PROXY TCP4 1.2.3.4 5.6.7.8 4294967297 1\r\n"), "port"},
    {"a signed port", WIRE("PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n"), "port"},
    {"a negative port", WIRE("PROXY TCP4 1.2.3.4 5.6.7.8 1 -2\r\n"), "port"},
    {"a NUL behind a port", WIRE("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\0\r\n"), "port"},
    {"LF alone", WIRE("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n"), "must end with CR and LF"},
    {"CR alone", WIRE("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rGET"), "must end with CR and LF"},
    {"two CRs", WIRE("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r\n"), "port"},

    {"another signature", WIRE("\r\n\r\n\0\r\nQUIX\n"), "no PROXY header"},
    {"version 1 in binary", WIRE(SIGNATURE "\x11\x11\0\x0c" V4), "version or command"},
    {"version 3", WIRE(SIGNATURE "\x31\x11\0\x0c" V4), "version or command"},
    {"a command that is none", WIRE(SIGNATURE "\x22"), "version or command"},
    {"a family that is none", WIRE(SIGNATURE "\x21\x41\0\x0c" V4), "family or transport"},
    {"a transport that is none", WIRE(SIGNATURE "\x21\x13\0\x0c" V4), "family or transport"},
    {"IPv4 addresses cut by the length", WIRE(SIGNATURE "\x21\x11\0\x0b" V4), "no room"},
    {"no addresses at all", WIRE(SIGNATURE "\x21\x11\0\0"), "no room"},
    {"IPv6 in the room of IPv4", WIRE(SIGNATURE "\x21\x21\0\x0c" V4), "no room"},
    {"a unix address in the room of IPv4", WIRE(SIGNATURE "\x21\x31\0\x0c" V4), "no room"},
    {"UDP cut by the length", WIRE(SIGNATURE "\x21\x12\0\x04\1\2\3\4"), "no room"},
    {"one byte of a TLV", WIRE(SIGNATURE "\x21\x11\0\x0d" V4 "\x04"), "TLV is longer"},
    {"two bytes of a TLV", WIRE(SIGNATURE "\x21\x11\0\x0e" V4 "\x04\0"), "TLV is longer"},
    {"a TLV one byte too long", WIRE(SIGNATURE "\x21\x11\0\x10" V4 "\x04\0\x02x"), "TLV is longer"},
    {"a TLV of 64 KB", WIRE(SIGNATURE "\x21\x11\0\x10" V4 "\x04\xff\xffx"), "TLV is longer"},
    {"a second TLV that is cut", WIRE(SIGNATURE "\x21\x11\0\x13" V4 "\x04\0\x01x\x04\0\x01"),
     "TLV is longer"},
    {"a CRC32c of three bytes", WIRE(SIGNATURE "\x21\x11\0\x12" V4 "\x03\0\x03xxx"), "CRC32c"},
    {"a CRC32c without bytes", WIRE(SIGNATURE "\x21\x11\0\x0f" V4 "\x03\0\0"), "CRC32c"},
    {"a wrong CRC32c", WIRE(SIGNATURE "\x21\x11\0\x13" V4 "\x03\0\x04\1\2\3\4"), "CRC32c is wrong"},
    {"a CRC32c of zeros", WIRE(SIGNATURE "\x21\x11\0\x13" V4 "\x03\0\x04\0\0\0\0"), "CRC32c is wrong"},
    {"a wrong CRC32c of a LOCAL", WIRE(SIGNATURE "\x20\0\0\x07\x03\0\x04\1\2\3\4"), "CRC32c is wrong"},
};

static void lies_are_refused_with_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(LIES) / sizeof(LIES[0]); i++) {
        struct proxy_header header;
        enum proxy_result result = read_wire(LIES[i].wire, &header);
        if (result != PROXY_INVALID || !strstr(header.why, LIES[i].why))
            fail_msg("%s: result %d, \"%s\"", LIES[i].name, (int)result, header.why ? header.why : "");
    }
}

static void no_beginning_of_a_lie_is_taken_for_a_header(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(LIES) / sizeof(LIES[0]); i++)
        for (size_t len = 0; len < LIES[i].wire.len; len++) {
            struct proxy_header header;
            enum proxy_result result = read_wire(slice_make(LIES[i].wire.data, len), &header);
            if (result != PROXY_PARTIAL && result != PROXY_INVALID)
                fail_msg("%s: result %d of %zu bytes", LIES[i].name, (int)result, len);
        }
}

static void a_line_of_108_bytes_is_too_long(void **state)
{
    (void)state;
    struct proxy_header header;
    char line[PROXY_V1_MAX + 1];
    memset(line, 'x', sizeof(line));
    memcpy(line, "PROXY UNKNOWN ", 14);
    memcpy(line + sizeof(line) - 2, "\r\n", 2);
    assert_int_equal(read_wire(slice_make(line, PROXY_V1_MAX - 1), &header), PROXY_PARTIAL);
    assert_int_equal(read_wire(slice_make(line, PROXY_V1_MAX), &header), PROXY_TOO_LONG);
    assert_int_equal(read_wire(slice_make(line, PROXY_V1_MAX + 1), &header), PROXY_TOO_LONG);
}

static void a_header_of_more_than_the_limit_is_refused_by_its_length_alone(void **state)
{
    (void)state;
    struct proxy_header header;
    assert_int_equal(read_wire(WIRE(SIGNATURE "\x21\x11\x20\x00"), &header), PROXY_PARTIAL);
    assert_int_equal(read_wire(WIRE(SIGNATURE "\x21\x11\x20\x01"), &header), PROXY_TOO_LONG);
    assert_int_equal(read_wire(WIRE(SIGNATURE "\x20\x00\xff\xff"), &header), PROXY_TOO_LONG);
}

/* ---- read ---- */

static void a_line_names_both_ends(void **state)
{
    (void)state;
    expect_ends(WIRE("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"), "192.168.0.1:56324",
                "192.168.0.11:443");
    expect_ends(WIRE("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), "255.255.255.255:65535",
                "255.255.255.255:65535");
    expect_ends(WIRE("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0:0", "0.0.0.0:0");
    expect_ends(WIRE("PROXY TCP6 2001:DB8::1 fd00::2 1 2\r\n"), "[2001:db8::1]:1", "[fd00::2]:2");
    expect_ends(WIRE("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
                "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
                "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

static void an_unknown_line_says_nothing_whatever_stands_in_it(void **state)
{
    (void)state;
    expect_origin(WIRE("PROXY UNKNOWN\r\n"), PROXY_ORIGIN_UNKNOWN);
    expect_origin(WIRE("PROXY UNKNOWN 1.2.3.4 5.6.7.8 1 2\r\n"), PROXY_ORIGIN_UNKNOWN);
    expect_origin(WIRE("PROXY UNKNOWN what\never\rcomes \0 here\r\n"), PROXY_ORIGIN_UNKNOWN);
}

static void the_longest_line_is_read(void **state)
{
    (void)state;
    char line[PROXY_V1_MAX];
    memset(line, 'f', sizeof(line));
    memcpy(line, "PROXY UNKNOWN ", 14);
    memcpy(line + sizeof(line) - 2, "\r\n", 2);
    expect_origin(slice_make(line, sizeof(line)), PROXY_ORIGIN_UNKNOWN);
}

static void a_binary_header_names_both_ends(void **state)
{
    (void)state;
    expect_ends(WIRE(SIGNATURE "\x21\x11\0\x0c" V4), "10.0.0.1:4097", "192.0.2.2:443");
    expect_ends(WIRE(SIGNATURE
                     "\x21\x21\0\x24"
                     "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\1\0\2"),
                "[2001:db8::1]:1", "[fd00::2]:2");
}

static void tlvs_are_stepped_over(void **state)
{
    (void)state;
    expect_ends(WIRE(SIGNATURE "\x21\x11\0\x17" V4 "\x04\0\0\xee\0\x02xy\x20\0\0"), "10.0.0.1:4097",
                "192.0.2.2:443");
}

static void a_header_of_8_kb_is_read(void **state)
{
    (void)state;
    char *wire = calloc(1, PROXY_V2_MAX);
    assert_non_null(wire);
    size_t tlv = PROXY_V2_MAX - 28 - 3;
    memcpy(wire, SIGNATURE "\x21\x11\x20\x00" V4, 28);
    wire[28] = 0x04;
    wire[29] = (char)(tlv >> 8);
    wire[30] = (char)tlv;
    expect_ends(slice_make(wire, PROXY_V2_MAX), "10.0.0.1:4097", "192.0.2.2:443");
    free(wire);
}

static void the_length_of_a_local_header_is_stepped_over(void **state)
{
    (void)state;
    expect_origin(WIRE(SIGNATURE "\x20\0\0\0"), PROXY_ORIGIN_LOCAL);
    expect_origin(WIRE(SIGNATURE "\x20\x11\0\x0c" V4), PROXY_ORIGIN_LOCAL);
    expect_origin(WIRE(SIGNATURE "\x20\xff\0\x05rubbi"), PROXY_ORIGIN_LOCAL);
}

static void what_is_no_tcp_over_ip_has_no_address(void **state)
{
    (void)state;
    char local[16 + 216] = SIGNATURE "\x21\x31\0\xd8/from";
    expect_origin(WIRE(SIGNATURE "\x21\0\0\0"), PROXY_ORIGIN_UNKNOWN);
    expect_origin(WIRE(SIGNATURE "\x21\0\0\x05rubbi"), PROXY_ORIGIN_UNKNOWN);
    expect_origin(WIRE(SIGNATURE "\x21\x12\0\x0c" V4), PROXY_ORIGIN_UNKNOWN);
    expect_origin(WIRE(SIGNATURE "\x21\x10\0\x0c" V4), PROXY_ORIGIN_UNKNOWN);
    expect_origin(slice_make(local, sizeof(local)), PROXY_ORIGIN_UNKNOWN);
}

/* RFC 3720 appendix B.4 has the sums that the implementation below agrees with. */
static uint32_t crc32c(const char *bytes, size_t len)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

static void a_right_crc32c_is_accepted_and_each_changed_bit_is_not(void **state)
{
    (void)state;
    struct proxy_header header;
    char wire[] = SIGNATURE "\x21\x11\0\x18" V4 "\x03\0\4\0\0\0\0\x04\0\2xy";
    size_t len = sizeof(wire) - 1;
    assert_int_equal(crc32c("123456789", 9), 0xe3069283);
    uint32_t sum = crc32c(wire, len);
    for (int i = 0; i < 4; i++)
        wire[31 + i] = (char)(sum >> 8 * (3 - i));
    expect_ends(slice_make(wire, len), "10.0.0.1:4097", "192.0.2.2:443");
    for (size_t bit = 8 * 16; bit < 8 * len; bit++) {
        wire[bit / 8] = (char)(wire[bit / 8] ^ 1 << bit % 8);
        bool kept = bit / 8 >= 28 && bit / 8 <= 30; /* then it is no CRC32c any more, or longer */
        if (!kept)
            assert_int_equal(read_wire(slice_make(wire, len), &header), PROXY_INVALID);
        wire[bit / 8] = (char)(wire[bit / 8] ^ 1 << bit % 8);
    }
}

/* ---- written ---- */

static struct addr address(const char *text)
{
    struct addr addr;
    const char *why;
    assert_true(addr_parse(text, &addr, &why));
    return addr;
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"192.0.2.1:1", "198.51.100.2:65535"},
        {"[2001:db8::1]:1", "[fd00::2]:2"},
        {"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        char out[256];
        struct addr source = address(pairs[i][0]), destination = address(pairs[i][1]);
        struct proxy_facts facts = {.source = &source,
                                    .destination = &destination,
                                    .unique_id = slice_of("id")};
        expect_ends(slice_make(out, proxy_write_v1(&facts, out)), pairs[i][0], pairs[i][1]);
        expect_ends(slice_make(out, proxy_write_v2(&facts, out, sizeof(out))), pairs[i][0], pairs[i][1]);
    }
}

static void an_ipv4_mapped_address_stays_one_of_ipv6(void **state)
{
    (void)state;
    char out[PROXY_V1_MAX];
    struct addr source = address("[::ffff:192.0.2.1]:1"), destination = address("[::1]:2");
    struct proxy_facts facts = {.source = &source, .destination = &destination};
    size_t len = proxy_write_v1(&facts, out);
    assert_true(slice_is(slice_make(out, len), "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"));
}

static void ends_that_do_not_go_together_are_unknown(void **state)
{
    (void)state;
    char out[PROXY_V1_MAX];
    struct addr ends[] = {address("192.0.2.1:1"), address("[::1]:2"), address("unix:/x")};
    const struct addr *pairs[][2] = {{&ends[0], &ends[1]}, {&ends[1], &ends[0]}, {&ends[0], NULL},
                                     {NULL, &ends[0]},     {&ends[2], &ends[2]}, {NULL, NULL}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct proxy_facts facts = {.source = pairs[i][0], .destination = pairs[i][1]};
        expect_origin(slice_make(out, proxy_write_v1(&facts, out)), PROXY_ORIGIN_UNKNOWN);
        expect_origin(slice_make(out, proxy_write_v2(&facts, out, sizeof(out))), PROXY_ORIGIN_UNKNOWN);
    }
}

static void the_senders_own_connections_say_so(void **state)
{
    (void)state;
    expect_origin(proxy_own_v1(), PROXY_ORIGIN_UNKNOWN);
    expect_origin(proxy_own_v2(), PROXY_ORIGIN_LOCAL);
}

static void tls_without_a_certificate_is_told_as_not_verified(void **state)
{
    (void)state;
    char out[256];
    struct proxy_facts facts = {.tls = true, .version = slice_of("TLSv1.3")};
    static const char expected[] = SIGNATURE "\x21\0\0\x12\x20\0\x0f\x01\0\0\0\1\x21\0\7TLSv1.3";
    size_t len = proxy_write_v2(&facts, out, sizeof(out));
    assert_int_equal(len, sizeof(expected) - 1);
    assert_memory_equal(out, expected, len);
}

static void the_flags_tell_this_connection_from_its_session(void **state)
{
    (void)state;
    char out[256];
    struct proxy_facts facts = {.tls = true, .certificate_now = true};
    proxy_write_v2(&facts, out, sizeof(out));
    assert_memory_equal(out + 16, "\x20\0\5\x07\0\0\0\0", 8);
    facts = (struct proxy_facts){.tls = true, .certificate_in_session = true};
    proxy_write_v2(&facts, out, sizeof(out));
    assert_memory_equal(out + 16, "\x20\0\5\x05\0\0\0\0", 8);
}

static void what_does_not_fit_is_not_written_in_part(void **state)
{
    (void)state;
    struct proxy_facts facts = {.tls = true, .certificate_now = true, .common_name = slice_of("name")};
    char *out = malloc(PROXY_WRITE_MAX), *large = calloc(1, 70000);
    assert_non_null(out);
    assert_non_null(large);
    size_t len = proxy_write_v2(&facts, out, PROXY_WRITE_MAX);
    for (size_t size = 0; size < len; size++) {
        char *small = malloc(size ? size : 1);
        assert_int_equal(proxy_write_v2(&facts, small, size), 0);
        free(small);
    }
    facts.certificate = slice_make(large, 60000);
    assert_int_equal(proxy_write_v2(&facts, out, PROXY_WRITE_MAX), len + 3 + 60000);
    facts.certificate = slice_make(large, 65535);
    assert_int_equal(proxy_write_v2(&facts, out, PROXY_WRITE_MAX), 0);
    facts.certificate = slice_make(large, 65536);
    assert_int_equal(proxy_write_v2(&facts, out, PROXY_WRITE_MAX), 0);
    free(out);
    free(large);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(lies_are_refused_with_what_is_wrong),
        cmocka_unit_test(no_beginning_of_a_lie_is_taken_for_a_header),
        cmocka_unit_test(a_line_of_108_bytes_is_too_long),
        cmocka_unit_test(a_header_of_more_than_the_limit_is_refused_by_its_length_alone),
        cmocka_unit_test(a_line_names_both_ends),
        cmocka_unit_test(an_unknown_line_says_nothing_whatever_stands_in_it),
        cmocka_unit_test(the_longest_line_is_read),
        cmocka_unit_test(a_binary_header_names_both_ends),
        cmocka_unit_test(tlvs_are_stepped_over),
        cmocka_unit_test(a_header_of_8_kb_is_read),
        cmocka_unit_test(the_length_of_a_local_header_is_stepped_over),
        cmocka_unit_test(what_is_no_tcp_over_ip_has_no_address),
        cmocka_unit_test(a_right_crc32c_is_accepted_and_each_changed_bit_is_not),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(an_ipv4_mapped_address_stays_one_of_ipv6),
        cmocka_unit_test(ends_that_do_not_go_together_are_unknown),
        cmocka_unit_test(the_senders_own_connections_say_so),
        cmocka_unit_test(tls_without_a_certificate_is_told_as_not_verified),
        cmocka_unit_test(the_flags_tell_this_connection_from_its_session),
        cmocka_unit_test(what_does_not_fit_is_not_written_in_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
