#include "lb/base/url.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static const char NOT_HTTP[] = "it begins with no http://";

static bool is_plain(struct slice url)
{
    for (size_t i = 0; i < url.len; i++)
        if (url.data[i] <= 0x20 || url.data[i] > 0x7e)
            return false;
    return true;
}

static size_t until_any(struct slice text, const char *stops)
{
    size_t at = 0;
    while (at < text.len && !strchr(stops, text.data[at]))
        at++;
    return at;
}

static bool take_port(struct slice port, struct http_url *out)
{
    unsigned long number = 0;
    for (size_t i = 0; i < port.len; i++) {
        if (!isdigit((unsigned char)port.data[i]) || i == 5)
            return false;
        number = number * 10 + (unsigned long)(port.data[i] - '0');
    }
    if (port.len > 0 && (number < 1 || number > 65535))
        return false;
    snprintf(out->port, sizeof out->port, "%lu", port.len > 0 ? number : 80ul);
    return true;
}

static bool is_host(struct slice host, bool literal)
{
    for (size_t i = 0; i < host.len; i++)
        if (!isalnum((unsigned char)host.data[i]) && !strchr(literal ? ":." : "-._", host.data[i]))
            return false;
    return host.len > 0 && host.len <= URL_HOST_MAX - 2;
}

static bool take_authority(struct slice authority, struct http_url *out)
{
    struct slice host = authority;
    bool literal = authority.len > 0 && authority.data[0] == '[';
    if (literal)
        host = slice_make(authority.data + 1, authority.len - 1);
    host.len = until_any(host, literal ? "]" : ":");
    const char *end = host.data + host.len + literal, *last = authority.data + authority.len;
    if (!is_host(host, literal) || end > last || (end < last && *end != ':'))
        return false;
    struct slice port = end < last ? slice_make(end + 1, (size_t)(last - end - 1)) : (struct slice){"", 0};
    snprintf(out->host, sizeof out->host, "%.*s", (int)host.len, host.data);
    snprintf(out->authority, sizeof out->authority, "%.*s", (int)authority.len, authority.data);
    return take_port(port, out);
}

bool http_url_parse(struct slice url, struct http_url *out, const char **why)
{
    static const char scheme[] = "http://";
    size_t begin = sizeof scheme - 1;
    *why = url.len > URL_MAX                                               ? "it has more than 2048 bytes"
           : url.len <= begin || strncasecmp(url.data, scheme, begin) != 0 ? NOT_HTTP
           : !is_plain(url) ? "it holds a blank, a control or a character that is not ASCII"
                            : NULL;
    if (*why)
        return false;
    struct slice rest = slice_make(url.data + begin, url.len - begin), authority = rest;
    authority.len = until_any(rest, "/?#");
    struct slice target = slice_make(rest.data + authority.len, rest.len - authority.len);
    target.len = until_any(target, "#");
    *why = take_authority(authority, out) ? NULL : "its host or port is malformed";
    snprintf(out->target, sizeof out->target, "%s%.*s", target.len > 0 && target.data[0] == '/' ? "" : "/",
             (int)target.len, target.data);
    return *why == NULL;
}
