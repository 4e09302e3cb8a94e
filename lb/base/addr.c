#include "lb/base/addr.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "lb/base/text.h"

static bool parse_unix(const char *path, struct addr *out, const char **why)
{
    if (path[0] == '\0' || strlen(path) >= sizeof(out->un.sun_path)) {
        *why = "a unix socket's path has 1 to 107 bytes";
        return false;
    }
    out->un.sun_family = AF_UNIX;
    memcpy(out->un.sun_path, path, strlen(path) + 1);
    out->len = sizeof(out->un);
    return true;
}

static bool parse_port(const char *text, uint16_t *port, const char **why)
{
    unsigned number = 0;
    *why = "the port must be 1 to 65535, in digits without leading zero";
    if (text[0] < '1' || text[0] > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++) {
        number = number * 10 + (unsigned)(*text - '0');
        if (number > 65535)
            return false;
    }
    *port = htons((uint16_t)number);
    return *text == '\0';
}

/* Splits "host:port" and "[v6]:port"; the host without brackets goes to host[256]. */
static bool split(const char *text, char *host, bool *bracketed, uint16_t *port, const char **why)
{
    const char *colon = strrchr(text, ':');
    *why = "write ADDRESS:PORT, [IPv6]:PORT or unix:/path";
    if (!colon)
        return false;
    size_t len = (size_t)(colon - text);
    *bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    if (*bracketed) {
        text++;
        len -= 2;
    }
    if (len == 0 || len > 255)
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    if (!*bracketed && strchr(host, ':')) {
        *why = "write an IPv6 address in brackets: [::1]:80";
        return false;
    }
    return parse_port(colon + 1, port, why);
}

static bool set_v4(const char *host, uint16_t port, struct addr *out)
{
    if (inet_pton(AF_INET, strcmp(host, "*") == 0 ? "0.0.0.0" : host, &out->in.sin_addr) != 1)
        return false;
    out->in.sin_family = AF_INET;
    out->in.sin_port = port;
    out->len = sizeof(out->in);
    return true;
}

static bool set_v6(const char *host, uint16_t port, struct addr *out)
{
    if (inet_pton(AF_INET6, host, &out->in6.sin6_addr) != 1)
        return false;
    out->in6.sin6_family = AF_INET6;
    out->in6.sin6_port = port;
    out->len = sizeof(out->in6);
    return true;
}

static bool set_numeric(const char *host, bool bracketed, uint16_t port, struct addr *out)
{
    return bracketed ? set_v6(host, port, out) : set_v4(host, port, out);
}

static bool resolve(const char *host, uint16_t port, struct addr *out, const char **why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *list = NULL;
    int error = getaddrinfo(host, NULL, &hints, &list);
    if (error != 0) {
        *why = gai_strerror(error);
        return false;
    }
    memcpy(&out->sa, list->ai_addr, list->ai_addrlen);
    out->len = list->ai_addrlen;
    freeaddrinfo(list);
    if (out->sa.sa_family == AF_INET6)
        out->in6.sin6_port = port;
    else
        out->in.sin_port = port;
    return true;
}

static bool read_addr(const char *text, bool resolves, struct addr *out, const char **why)
{
    char host[256];
    bool bracketed;
    uint16_t port;
    memset(out, 0, sizeof(*out));
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(text + 5, out, why);
    if (!split(text, host, &bracketed, &port, why))
        return false;
    if (set_numeric(host, bracketed, port, out))
        return true;
    *why = "this is no IP address; write ADDRESS:PORT, [IPv6]:PORT, *:PORT or unix:/path";
    return resolves && resolve(host, port, out, why);
}

bool addr_parse(const char *text, struct addr *out, const char **why)
{
    return read_addr(text, false, out, why);
}

bool addr_resolve(const char *text, struct addr *out, const char **why)
{
    return read_addr(text, true, out, why);
}

static char *put_octet(char *at, unsigned octet)
{
    if (octet >= 100)
        *at++ = (char)('0' + octet / 100);
    if (octet >= 10)
        *at++ = (char)('0' + octet / 10 % 10);
    *at++ = (char)('0' + octet % 10);
    return at;
}

/* Each request may need it: inet_ntop goes through printf and takes many times as long. */
static void format_v4(const void *bytes, char *out)
{
    const unsigned char *octets = bytes;
    for (int i = 0; i < 4; i++) {
        out = put_octet(out, octets[i]);
        *out++ = i < 3 ? '.' : '\0';
    }
}

void addr_host(const struct addr *addr, char *out)
{
    if (addr->sa.sa_family == AF_INET)
        format_v4(&addr->in.sin_addr, out);
    else if (addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&addr->in6.sin6_addr))
        format_v4(&addr->in6.sin6_addr.s6_addr[12], out);
    else if (addr->sa.sa_family == AF_INET6)
        inet_ntop(AF_INET6, &addr->in6.sin6_addr, out, ADDR_TEXT_MAX);
    else
        memcpy(out, "unix", 5);
}

static void format_port(const char *host, unsigned port, char *out)
{
    struct text text;
    bool brackets = strchr(host, ':');
    text_init(&text, out, ADDR_TEXT_MAX);
    text_adds(&text, brackets ? "[" : "");
    text_adds(&text, host);
    text_adds(&text, brackets ? "]:" : ":");
    text_addu(&text, port);
}

void addr_format(const struct addr *addr, char *out)
{
    char host[ADDR_TEXT_MAX];
    addr_host(addr, host);
    if (addr->sa.sa_family == AF_UNIX)
        /* The kernel does not terminate the path of a peer that fills the field. */
        snprintf(out, ADDR_TEXT_MAX, "unix:%.*s", (int)sizeof(addr->un.sun_path), addr->un.sun_path);
    else
        format_port(host, addr_port(addr), out);
}

unsigned addr_port(const struct addr *addr)
{
    switch (addr->sa.sa_family) {
    case AF_INET: return ntohs(addr->in.sin_port);
    case AF_INET6: return ntohs(addr->in6.sin6_port);
    default: return 0;
    }
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    if (a->sa.sa_family != b->sa.sa_family)
        return false;
    switch (a->sa.sa_family) {
    case AF_INET: return a->in.sin_port == b->in.sin_port && a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
    case AF_INET6:
        return a->in6.sin6_port == b->in6.sin6_port &&
               IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr);
    default: return strcmp(a->un.sun_path, b->un.sun_path) == 0;
    }
}
