#include "lb/net/proxy_protocol.h"

#include <arpa/inet.h>
#include <string.h>

/* Only what differs within the bytes at hand can tell that it is another. */
static bool may_begin(struct slice wire, struct slice with)
{
    size_t len = wire.len < with.len ? wire.len : with.len;
    return memcmp(wire.data, with.data, len) == 0;
}

static enum proxy_result invalid(struct proxy_header *out, const char *why)
{
    out->why = why;
    return PROXY_INVALID;
}

/* ---- version 1 (section 2.1) ---- */

#define V1_BEGIN SLICE_LITERAL("PROXY ")

/* Up to the next single blank. False: there is none, or nothing before it. */
static bool next_field(struct slice *line, struct slice *field)
{
    const char *blank = memchr(line->data, ' ', line->len);
    if (!blank || blank == line->data)
        return false;
    *field = slice_make(line->data, (size_t)(blank - line->data));
    *line = slice_make(blank + 1, line->len - field->len - 1);
    return true;
}

static bool read_host(struct slice field, int family, struct addr *out)
{
    char text[INET6_ADDRSTRLEN];
    if (field.len >= sizeof(text) || memchr(field.data, '\0', field.len))
        return false;
    memcpy(text, field.data, field.len);
    text[field.len] = '\0';
    memset(out, 0, sizeof(*out));
    out->sa.sa_family = (sa_family_t)family;
    out->len = family == AF_INET ? sizeof(out->in) : sizeof(out->in6);
    return inet_pton(family, text,
                     family == AF_INET ? (void *)&out->in.sin_addr : (void *)&out->in6.sin6_addr) == 1;
}

static void set_port(struct addr *addr, unsigned port)
{
    if (addr->sa.sa_family == AF_INET)
        addr->in.sin_port = htons((uint16_t)port);
    else
        addr->in6.sin6_port = htons((uint16_t)port);
}

static bool read_port(struct slice field, struct addr *out)
{
    unsigned port = 0;
    if (field.len == 0 || field.len > 5 || (field.len > 1 && field.data[0] == '0'))
        return false;
    for (size_t i = 0; i < field.len; i++) {
        if (field.data[i] < '0' || field.data[i] > '9')
            return false;
        port = port * 10 + (unsigned)(field.data[i] - '0');
    }
    set_port(out, port);
    return port <= 65535;
}

static enum proxy_result read_v1_addresses(struct slice line, int family, struct proxy_header *out)
{
    struct slice source, destination, port;
    if (!next_field(&line, &source) || !next_field(&line, &destination) || !next_field(&line, &port))
        return invalid(out, "version 1: two addresses and two ports are expected, one blank before each");
    if (!read_host(source, family, &out->source) || !read_host(destination, family, &out->destination))
        return invalid(out, "version 1: this is no address of the family that the line names");
    if (!read_port(port, &out->source) || !read_port(line, &out->destination))
        return invalid(out,
                       "version 1: a port is 0 to 65535, in digits without leading zero, and ends the line");
    out->origin = PROXY_ORIGIN_GIVEN;
    return PROXY_COMPLETE;
}

/* `line` is without "PROXY " and CRLF. */
static enum proxy_result read_v1_line(struct slice line, struct proxy_header *out)
{
    static const struct slice tcp4 = SLICE_LITERAL("TCP4 "), tcp6 = SLICE_LITERAL("TCP6 ");
    if (line.len >= tcp4.len && may_begin(line, tcp4))
        return read_v1_addresses(slice_make(line.data + tcp4.len, line.len - tcp4.len), AF_INET, out);
    if (line.len >= tcp6.len && may_begin(line, tcp6))
        return read_v1_addresses(slice_make(line.data + tcp6.len, line.len - tcp6.len), AF_INET6, out);
    return invalid(out, "version 1: TCP4, TCP6 or UNKNOWN is expected behind PROXY");
}

/* What an UNKNOWN line says beyond that is ignored, up to its CRLF. */
static bool is_unknown(struct slice line, bool whole)
{
    static const struct slice unknown = SLICE_LITERAL("UNKNOWN");
    if (line.len < unknown.len || !may_begin(line, unknown))
        return false;
    const char *next = line.data + unknown.len;
    return line.len == unknown.len || *next == ' ' ||
           (!whole && line.len == unknown.len + 1 && *next == '\r');
}

static const char *line_end(struct slice text)
{
    return memmem(text.data, text.len, "\r\n", 2);
}

/* A CR or LF alone ends no line. The last byte may be half of the CRLF. */
static bool has_stray_end(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        bool last = i + 1 == text.len;
        if (text.data[i] == '\n' || (text.data[i] == '\r' && !last))
            return true;
    }
    return false;
}

static enum proxy_result read_v1(struct slice wire, struct proxy_header *out)
{
    struct slice most = slice_make(wire.data, wire.len < PROXY_V1_MAX ? wire.len : PROXY_V1_MAX);
    const char *end = line_end(most);
    if (most.len < V1_BEGIN.len)
        return PROXY_PARTIAL;
    struct slice line =
        slice_make(most.data + V1_BEGIN.len, (end ? (size_t)(end - most.data) : most.len) - V1_BEGIN.len);
    bool unknown = is_unknown(line, end != NULL);
    if (!unknown && has_stray_end(line))
        return invalid(out, "version 1: the line must end with CR and LF");
    if (!end)
        return most.len < PROXY_V1_MAX ? PROXY_PARTIAL : PROXY_TOO_LONG;
    out->len = (size_t)(end - most.data) + 2;
    out->origin = PROXY_ORIGIN_UNKNOWN;
    return unknown ? PROXY_COMPLETE : read_v1_line(line, out);
}

/* ---- version 2 (section 2.2) ---- */

enum { V2_FIXED = 16, INET_BYTES = 12, INET6_BYTES = 36, UNIX_BYTES = 216 };
enum { LOCAL = 0x20, PROXY = 0x21 }; /* version and command */
enum { OF_INET = 1, OF_INET6 = 2, OF_UNIX = 3, OF_STREAM = 1, OF_DGRAM = 2 };

static unsigned byte_at(struct slice bytes, size_t at)
{
    return (unsigned char)bytes.data[at];
}

static size_t length_at(struct slice bytes, size_t at)
{
    return byte_at(bytes, at) << 8 | byte_at(bytes, at + 1);
}

static size_t address_bytes(unsigned family)
{
    switch (family) {
    case OF_INET: return INET_BYTES;
    case OF_INET6: return INET6_BYTES;
    case OF_UNIX: return UNIX_BYTES;
    default: return 0;
    }
}

static void copy_v4(const char *host, const char *port, struct addr *out)
{
    memset(out, 0, sizeof(*out));
    out->in.sin_family = AF_INET;
    out->len = sizeof(out->in);
    memcpy(&out->in.sin_addr, host, 4);
    memcpy(&out->in.sin_port, port, 2);
}

static void copy_v6(const char *host, const char *port, struct addr *out)
{
    memset(out, 0, sizeof(*out));
    out->in6.sin6_family = AF_INET6;
    out->len = sizeof(out->in6);
    memcpy(&out->in6.sin6_addr, host, 16);
    memcpy(&out->in6.sin6_port, port, 2);
}

static void copy_addresses(const char *block, unsigned family, struct proxy_header *out)
{
    out->origin = PROXY_ORIGIN_GIVEN;
    if (family == OF_INET) {
        copy_v4(block, block + 8, &out->source);
        copy_v4(block + 4, block + 10, &out->destination);
    } else {
        copy_v6(block, block + 32, &out->source);
        copy_v6(block + 16, block + 34, &out->destination);
    }
}

/* Four bits at a time: headers are short and rare. */
static uint32_t crc32c_add(uint32_t crc, struct slice bytes)
{
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= byte_at(bytes, i);
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return crc;
}

/* RFC 4960 appendix B over the header, with the four bytes of the sum itself taken as zero. */
static bool crc_is_right(struct slice header, size_t at)
{
    static const struct slice zeros = SLICE_LITERAL("\0\0\0\0");
    uint32_t crc = crc32c_add(0xffffffff, slice_make(header.data, at));
    crc = crc32c_add(crc, zeros);
    crc = ~crc32c_add(crc, slice_make(header.data + at + 4, header.len - at - 4));
    return crc == (byte_at(header, at) << 24 | byte_at(header, at + 1) << 16 | byte_at(header, at + 2) << 8 |
                   byte_at(header, at + 3));
}

enum tlvs { TLVS_GOOD, TLVS_CUT, TLVS_CRC_FORM, TLVS_CRC_WRONG };

static const char *const tlv_texts[] = {
    [TLVS_CUT] = "version 2: a TLV is longer than the header",
    [TLVS_CRC_FORM] = "version 2: there is more than one CRC32c, or it has not 4 bytes",
    [TLVS_CRC_WRONG] = "version 2: the CRC32c is wrong",
};

/* From `at` to the end of the header (section 2.2). */
static enum tlvs check_tlvs(struct slice header, size_t at)
{
    size_t len, crc = 0;
    for (; at < header.len; at += len) {
        if (header.len - at < 3)
            return TLVS_CUT;
        unsigned type = byte_at(header, at);
        len = length_at(header, at + 1);
        at += 3;
        if (len > header.len - at)
            return TLVS_CUT;
        if (type != PROXY_TLV_CRC32C)
            continue;
        if (len != 4 || crc)
            return TLVS_CRC_FORM;
        crc = at;
    }
    return crc && !crc_is_right(header, crc) ? TLVS_CRC_WRONG : TLVS_GOOD;
}

static enum proxy_result read_v2_block(struct slice header, struct proxy_header *out)
{
    unsigned command = byte_at(header, 12), family = byte_at(header, 13) >> 4,
             transport = byte_at(header, 13) & 15;
    size_t tlvs = V2_FIXED + address_bytes(family);
    if (command == PROXY && (family > OF_UNIX || transport > OF_DGRAM))
        return invalid(out, "version 2: the address family or transport is none that is defined");
    if (command == PROXY && tlvs > header.len)
        return invalid(out, "version 2: the length leaves no room for the addresses");
    enum tlvs found = tlvs <= header.len ? check_tlvs(header, tlvs) : TLVS_GOOD;
    bool counts = command == PROXY && family != 0 && transport != 0;
    /* Where the addresses do not count the sender may have put anything; a sum that is found must be right.
     */
    if (found == TLVS_CRC_WRONG || (counts && found != TLVS_GOOD))
        return invalid(out, tlv_texts[found]);
    out->len = header.len;
    out->origin = command == LOCAL ? PROXY_ORIGIN_LOCAL : PROXY_ORIGIN_UNKNOWN;
    if (counts && transport == OF_STREAM && family != OF_UNIX)
        copy_addresses(header.data + V2_FIXED, family, out);
    return PROXY_COMPLETE;
}

static enum proxy_result read_v2(struct slice wire, struct proxy_header *out)
{
    if (wire.len > 12 && byte_at(wire, 12) != LOCAL && byte_at(wire, 12) != PROXY)
        return invalid(out, "version 2: the version or command is none that is defined");
    if (wire.len < V2_FIXED)
        return PROXY_PARTIAL;
    size_t len = V2_FIXED + length_at(wire, 14);
    if (len > PROXY_V2_MAX)
        return PROXY_TOO_LONG;
    return wire.len < len ? PROXY_PARTIAL : read_v2_block(slice_make(wire.data, len), out);
}

enum proxy_result proxy_read(struct slice wire, struct proxy_header *out)
{
    out->why = NULL;
    if (wire.len == 0)
        return PROXY_PARTIAL;
    if (may_begin(wire, PROXY_V2_SIGNATURE))
        return read_v2(wire, out);
    if (may_begin(wire, V1_BEGIN))
        return read_v1(wire, out);
    return invalid(out, "what came first is no PROXY header");
}
