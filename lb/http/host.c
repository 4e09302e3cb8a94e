#include <arpa/inet.h>
#include <stdio.h>

#include "lb/http/target.h"
#include "lb/tls/hello.h"

/* "1" to "65535": no sign, no leading zero; an empty one is none. */
static bool read_port(struct slice text, unsigned *port)
{
    unsigned number = 0;
    if (text.len == 0 || text.len > 5 || text.data[0] == '0')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (unsigned)(text.data[i] - '0');
    }
    *port = number;
    return number <= 65535;
}

/* The part before a port as a string; false: too long, or a NUL stands in it. */
static bool copy_text(struct slice text, char *out, size_t size)
{
    if (text.len >= size || memchr(text.data, '\0', text.len))
        return false;
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
    return true;
}

/* RFC 3986 section 3.2.2, in the one form of RFC 5952. inet_pton takes no zone. */
static bool read_ipv6(struct slice inside, char *host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (!copy_text(inside, text, sizeof(text)) || inet_pton(AF_INET6, text, &address) != 1)
        return false;
    inet_ntop(AF_INET6, &address, text, sizeof(text));
    snprintf(host, HTTP_HOST_MAX, "[%s]", text);
    return true;
}

static bool read_name(struct slice name, char *host)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr address;
    _Static_assert(HTTP_HOST_MAX >= HELLO_NAME_MAX + 1, "a name fits");
    if (hello_normalize_name(name, host))
        return true;
    if (!copy_text(name, text, sizeof(text)) || inet_pton(AF_INET, text, &address) != 1)
        return false;
    memcpy(host, text, sizeof(text));
    return true;
}

static bool split(struct slice text, struct slice *host, struct slice *rest)
{
    bool literal = text.len > 0 && text.data[0] == '[';
    const char *end = text.len ? memchr(text.data, literal ? ']' : ':', text.len) : NULL;
    if (literal && !end)
        return false;
    size_t len = end ? (size_t)(end - text.data) + literal : text.len;
    *host = slice_make(text.data, len);
    *rest = slice_make(text.data + len, text.len - len);
    return len > 0;
}

bool http_host_normalize(struct slice text, char *host, unsigned *port)
{
    struct slice name, rest;
    *port = 0;
    host[0] = '\0';
    bool good = split(text, &name, &rest);
    if (good && rest.len > 0)
        good = rest.data[0] == ':' && read_port(slice_make(rest.data + 1, rest.len - 1), port);
    if (good)
        good = name.data[0] == '[' ? read_ipv6(slice_make(name.data + 1, name.len - 2), host)
                                   : read_name(name, host);
    if (!good)
        host[0] = '\0';
    return good;
}
