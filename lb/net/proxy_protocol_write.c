#include <arpa/inet.h>
#include <string.h>

#include "lb/base/text.h"
#include "lb/net/proxy_protocol.h"

/* Both ends by the same family of IP, or 0. */
static int family_of(const struct proxy_facts *facts)
{
    const struct addr *source = facts->source, *destination = facts->destination;
    if (!source || !destination || source->sa.sa_family != destination->sa.sa_family)
        return 0;
    int family = source->sa.sa_family;
    return family == AF_INET || family == AF_INET6 ? family : 0;
}

/* ---- version 1 ---- */

struct slice proxy_own_v1(void)
{
    return SLICE_LITERAL("PROXY UNKNOWN\r\n");
}

/* The family that the line names decides how an address is written: an IPv4-mapped one stays IPv6. */
static void add_host(struct text *line, const struct addr *addr)
{
    char host[INET6_ADDRSTRLEN];
    const void *bytes =
        addr->sa.sa_family == AF_INET ? (const void *)&addr->in.sin_addr : (const void *)&addr->in6.sin6_addr;
    text_adds(line, inet_ntop(addr->sa.sa_family, bytes, host, sizeof(host)));
    text_addc(line, ' ');
}

size_t proxy_write_v1(const struct proxy_facts *facts, char out[PROXY_V1_MAX])
{
    char buffer[PROXY_V1_MAX + 1];
    struct text line;
    int family = family_of(facts);
    text_init(&line, buffer, sizeof(buffer));
    if (family == 0) {
        text_add(&line, proxy_own_v1());
    } else {
        text_adds(&line, family == AF_INET ? "PROXY TCP4 " : "PROXY TCP6 ");
        add_host(&line, facts->source);
        add_host(&line, facts->destination);
        text_addu(&line, addr_port(facts->source));
        text_addc(&line, ' ');
        text_addu(&line, addr_port(facts->destination));
        text_adds(&line, "\r\n");
    }
    memcpy(out, buffer, line.len);
    return line.len;
}

/* ---- version 2 ---- */

enum { VERSION_PROXY = 0x21, TCP_INET = 0x11, TCP_INET6 = 0x21 };
enum { LENGTH_MAX = 0xffff };

/* Section 2.2.6. */
enum { CLIENT_TLS = 0x01, CLIENT_CERTIFICATE_NOW = 0x02, CLIENT_CERTIFICATE_IN_SESSION = 0x04 };

struct slice proxy_own_v2(void)
{
    return SLICE_LITERAL("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0");
}

struct writer {
    char *out;
    size_t len, size;
    bool failed;
};

static void add(struct writer *writer, const void *bytes, size_t len)
{
    if (writer->failed || writer->size - writer->len < len) {
        writer->failed = true;
        return;
    }
    if (len > 0)
        memcpy(writer->out + writer->len, bytes, len);
    writer->len += len;
}

static void add_byte(struct writer *writer, unsigned byte)
{
    char one = (char)byte;
    add(writer, &one, 1);
}

/* Room for a length that is known later. */
static size_t open_length(struct writer *writer)
{
    size_t at = writer->len;
    add(writer, "\0\0", 2);
    return at;
}

static void close_length(struct writer *writer, size_t at)
{
    size_t len = writer->failed ? 0 : writer->len - at - 2;
    writer->failed = writer->failed || len > LENGTH_MAX;
    if (writer->failed)
        return;
    writer->out[at] = (char)(len >> 8);
    writer->out[at + 1] = (char)len;
}

static void add_tlv(struct writer *writer, enum proxy_tlv type, struct slice value)
{
    if (value.len == 0)
        return;
    add_byte(writer, type);
    size_t at = open_length(writer);
    add(writer, value.data, value.len);
    close_length(writer, at);
}

static void add_addresses(struct writer *writer, const struct proxy_facts *facts, int family)
{
    const struct addr *source = facts->source, *destination = facts->destination;
    if (family == AF_INET) {
        add(writer, &source->in.sin_addr, 4);
        add(writer, &destination->in.sin_addr, 4);
        add(writer, &source->in.sin_port, 2);
        add(writer, &destination->in.sin_port, 2);
    } else if (family == AF_INET6) {
        add(writer, &source->in6.sin6_addr, 16);
        add(writer, &destination->in6.sin6_addr, 16);
        add(writer, &source->in6.sin6_port, 2);
        add(writer, &destination->in6.sin6_port, 2);
    }
}

/* `verify` is zero only for a certificate that was presented and verified. */
static void add_tls(struct writer *writer, const struct proxy_facts *facts)
{
    bool certificate = facts->certificate_now || facts->certificate_in_session;
    add_byte(writer, PROXY_TLV_TLS);
    size_t at = open_length(writer);
    add_byte(writer, CLIENT_TLS | (facts->certificate_now ? CLIENT_CERTIFICATE_NOW : 0u) |
                         (certificate ? CLIENT_CERTIFICATE_IN_SESSION : 0u));
    add(writer, certificate ? "\0\0\0\0" : "\0\0\0\1", 4);
    add_tlv(writer, PROXY_TLV_TLS_VERSION, facts->version);
    add_tlv(writer, PROXY_TLV_TLS_COMMON_NAME, facts->common_name);
    add_tlv(writer, PROXY_TLV_TLS_CIPHER, facts->cipher);
    add_tlv(writer, PROXY_TLV_TLS_SIGNATURE, facts->signature);
    add_tlv(writer, PROXY_TLV_TLS_KEY, facts->key);
    add_tlv(writer, PROXY_TLV_TLS_GROUP, facts->group);
    add_tlv(writer, PROXY_TLV_TLS_SCHEME, facts->scheme);
    add_tlv(writer, PROXY_TLV_TLS_CERTIFICATE, facts->certificate);
    close_length(writer, at);
}

size_t proxy_write_v2(const struct proxy_facts *facts, char *out, size_t size)
{
    struct writer writer = {.out = out, .size = size};
    int family = family_of(facts);
    add(&writer, PROXY_V2_SIGNATURE.data, PROXY_V2_SIGNATURE.len);
    add_byte(&writer, VERSION_PROXY);
    add_byte(&writer, family == AF_INET ? TCP_INET : family == AF_INET6 ? TCP_INET6 : 0);
    size_t at = open_length(&writer);
    add_addresses(&writer, facts, family);
    add_tlv(&writer, PROXY_TLV_ALPN, facts->alpn);
    add_tlv(&writer, PROXY_TLV_AUTHORITY, facts->authority);
    add_tlv(&writer, PROXY_TLV_UNIQUE_ID, facts->unique_id);
    if (facts->tls)
        add_tls(&writer, facts);
    close_length(&writer, at);
    return writer.failed ? 0 : writer.len;
}
