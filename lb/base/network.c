#include "lb/base/network.h"

#include <arpa/inet.h>
#include <string.h>

static const unsigned char MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static unsigned bits_of(int family)
{
    return family == AF_INET ? 32 : 128;
}

/* ---- reading ---- */

static bool parse_bytes(const char *text, size_t len, struct network *out)
{
    char host[INET6_ADDRSTRLEN];
    if (len >= sizeof(host))
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    out->family = memchr(host, ':', len) ? AF_INET6 : AF_INET;
    return inet_pton(out->family, host, out->bytes) == 1;
}

static bool parse_bits(const char *text, unsigned max, unsigned *bits)
{
    unsigned number = 0;
    if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        number = number * 10 + (unsigned)(*text - '0');
        if (number > max)
            return false;
    }
    *bits = number;
    return true;
}

/* Bytes beyond the prefix, or the rest of the byte in which it ends. */
static bool has_host_bits(const struct network *network)
{
    for (unsigned bit = network->bits; bit < bits_of(network->family); bit++)
        if (network->bytes[bit / 8] & 0x80u >> bit % 8)
            return true;
    return false;
}

static bool parse_prefixed(const char *text, struct network *out, const char **why)
{
    const char *slash = strchr(text, '/');
    *why = "this is no address or network: write 10.0.0.0/8, ::1, fd00::/8 or unix";
    if (!parse_bytes(text, slash ? (size_t)(slash - text) : strlen(text), out))
        return false;
    *why = "the bits behind '/' are 0 to 32 for IPv4 and 0 to 128 for IPv6, without leading zero";
    out->bits = bits_of(out->family);
    return !slash || parse_bits(slash + 1, out->bits, &out->bits);
}

bool network_parse(const char *text, struct network *out, const char **why)
{
    memset(out, 0, sizeof(*out));
    if (strcmp(text, "unix") == 0) {
        out->family = AF_UNIX;
        return true;
    }
    if (!parse_prefixed(text, out, why))
        return false;
    *why = "bits are set behind the prefix";
    if (has_host_bits(out))
        return false;
    /* It would match nothing, as such clients count as IPv4. */
    *why = "write an IPv4-mapped network as IPv4";
    return out->family != AF_INET6 || memcmp(out->bytes, MAPPED, sizeof(MAPPED)) != 0;
}

/* ---- matching ---- */

static int bytes_of(const struct addr *addr, const unsigned char **bytes)
{
    static const unsigned char none[16];
    *bytes = none;
    switch (addr->sa.sa_family) {
    case AF_INET: *bytes = (const unsigned char *)&addr->in.sin_addr; return AF_INET;
    case AF_INET6: *bytes = addr->in6.sin6_addr.s6_addr; break;
    default: return addr->sa.sa_family;
    }
    if (memcmp(*bytes, MAPPED, sizeof(MAPPED)) != 0)
        return AF_INET6;
    *bytes += sizeof(MAPPED);
    return AF_INET;
}

static bool same_prefix(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    unsigned rest = bits % 8;
    if (memcmp(a, b, bits / 8) != 0)
        return false;
    return rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

bool network_has(const struct network *networks, size_t count, const struct addr *addr)
{
    const unsigned char *bytes;
    int family = bytes_of(addr, &bytes);
    for (size_t i = 0; i < count; i++)
        if (networks[i].family == family && same_prefix(networks[i].bytes, bytes, networks[i].bits))
            return true;
    return false;
}
