#include <stdio.h>
#include <stdlib.h>

#include "lb/base/memory.h"
#include "lb/base/regex.h"
#include "lb/base/units.h"
#include "lb/http/route_parts.h"
#include "lb/tls/hello.h"

/* A word for a text: what of it is printed. */
#define SHOWN(slice) (int)((slice).len < 80 ? (slice).len : 80), (slice).data

static bool holds(struct slice text, char byte)
{
    return text.len > 0 && memchr(text.data, byte, text.len) != NULL;
}

/* ---- host ---- */

static bool explain_host(struct slice value, const char **why)
{
    if (slice_is(value, "*"))
        return route_refuse(why, "host=*: leave host= out for any host");
    if (holds(value, '*'))
        return route_refuse(why, "host=%.*s: '*' stands for whole labels at the front: write *.NAME",
                            SHOWN(value));
    if (holds(value, ','))
        return route_refuse(why, "host=%.*s: write one route for each host", SHOWN(value));
    if (holds(value, '/'))
        return route_refuse(why, "host=%.*s: write the host alone; a path is written path=/PATH",
                            SHOWN(value));
    return route_refuse(why,
                        "host=%.*s is no host name: write letters, digits, '-' and dots (xn-- for others)",
                        SHOWN(value));
}

static bool read_wildcard(struct slice name, struct slice value, struct route *out, const char **why)
{
    char text[HELLO_NAME_MAX + 1];
    if (!hello_normalize_name(name, text))
        return explain_host(holds(name, '*') ? value : name, why);
    out->host = mem_printf("*.%s", text);
    return true;
}

bool route_read_host(struct slice value, struct route *out, const char **why)
{
    char host[HTTP_HOST_MAX];
    unsigned port;
    struct slice name;
    if (route_after(value, "=", &name))
        return route_refuse(why, "host== has one '=' too many: write host=NAME");
    if (route_after(value, "*.", &name))
        return read_wildcard(name, value, out, why);
    if (!http_host_normalize(value, host, &port))
        return explain_host(value, why);
    if (port != 0)
        return route_refuse(why, "host=%.*s: write it without the port: host=%s", SHOWN(value), host);
    out->host = mem_copy(host);
    return true;
}

/* ---- path ---- */

static size_t count_slashes(struct slice text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += text.data[i] == '/';
    return count;
}

/* Whether more than the spelling of escapes was changed: segments went. */
static bool lost_segments(struct slice before, struct slice after)
{
    return count_slashes(before) != count_slashes(after) ||
           (before.data[before.len - 1] == '/') != (after.data[after.len - 1] == '/');
}

bool route_normal_path(struct slice value, char **out, const char **why)
{
    char *path = mem_new(value.len + 1);
    size_t len;
    const char *wrong;
    bool good = false;
    if (!http_path_normalize(value, SLASH_KEEP, path, &len, &wrong))
        route_refuse(why, "'%.*s' is no path: %s", SHOWN(value), wrong);
    else if (lost_segments(value, slice_make(path, len)))
        route_refuse(why, "'%.*s': requests come without \"//\", '.' and '..': write '%.80s'", SHOWN(value),
                     path);
    else
        good = true;
    if (good)
        *out = path;
    else
        free(path);
    return good;
}

bool route_read_path(struct slice value, bool exact, struct route *out, const char **why)
{
    size_t len = value.len;
    out->exact = exact;
    if (value.data[0] == '~')
        return route_refuse(why, "path=~: write path~REGEX");
    if (!exact && value.data[len - 1] == '*')
        return route_refuse(why, "path=%.*s: a path is a prefix without '*': write path=%.*s", SHOWN(value),
                            SHOWN(slice_make(value.data, len - 1)));
    return route_normal_path(value, &out->path, why);
}

bool route_read_regex(struct slice pattern, struct regex **out, const char **why)
{
    char *text = mem_copy_n(pattern.data, pattern.len);
    const char *wrong;
    *out = regex_new(text, &wrong);
    if (!*out)
        route_refuse(why,
                     "'%.*s' is no regular expression: %s; it may not contain blanks: write \\s or \\x20",
                     SHOWN(pattern), wrong);
    free(text);
    return *out != NULL;
}

/* ---- method ---- */

static bool has_lower(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] >= 'a' && text.data[i] <= 'z')
            return true;
    return false;
}

static bool add_method(struct slice name, struct route *out, const char **why)
{
    if (!http_is_token(name))
        return route_refuse(why, "method=: '%.*s' is no method: write GET or GET,POST", SHOWN(name));
    if (has_lower(name)) /* RFC 9110 section 9.1: methods are case-sensitive */
        return route_refuse(why, "method=: write '%.*s' in capitals, as it stands in requests", SHOWN(name));
    if (slice_is(name, "CONNECT"))
        return route_refuse(why, "method=: CONNECT is not served, a route for it would never be taken");
    out->methods = mem_grow(out->methods, (out->method_count + 1) * sizeof(*out->methods));
    out->methods[out->method_count++] = mem_copy_n(name.data, name.len);
    return true;
}

bool route_read_methods(struct slice list, struct route *out, const char **why)
{
    while (true) {
        const char *comma = memchr(list.data, ',', list.len);
        struct slice name = slice_make(list.data, comma ? (size_t)(comma - list.data) : list.len);
        if (!add_method(name, out, why))
            return false;
        if (!comma)
            return true;
        list = slice_make(comma + 1, list.len - name.len - 1);
    }
}

/* ---- header ---- */

static char *lower_copy(struct slice text)
{
    char *copy = mem_copy_n(text.data, text.len);
    for (char *at = copy; *at; at++)
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at | 0x20);
    return copy;
}

/* What requests never show to routes would make a condition that never holds. */
static bool header_is_seen(struct slice name, const char **why)
{
    bool exact;
    enum field_id id = field_find(name, &exact);
    if (id == HEADER_HOST)
        return route_refuse(why, "header=Host: write host=NAME");
    if (field_traits(id) & FIELD_IDENTITY)
        return route_refuse(why,
                            "header=%.*s: a client's field of this name is never believed: write "
                            "certificate=required or certificate=present",
                            SHOWN(name));
    if (field_traits(id) & FIELD_FRAMING)
        return route_refuse(why, "header=%.*s: it says where a message ends, and no route sees it",
                            SHOWN(name));
    return true;
}

bool route_read_header(struct slice value, struct route *out, const char **why)
{
    const char *colon = memchr(value.data, ':', value.len);
    struct slice name = slice_make(value.data, colon ? (size_t)(colon - value.data) : value.len);
    if (!http_is_token(name))
        return route_refuse(why, "header=%.*s: write header=NAME or header=NAME:VALUE", SHOWN(value));
    if (colon && name.len + 1 == value.len)
        return route_refuse(why, "header=%.*s: nothing stands after ':'; for any value write header=%.*s",
                            SHOWN(value), SHOWN(name));
    if (!header_is_seen(name, why))
        return false;
    out->headers = mem_grow(out->headers, (out->header_count + 1) * sizeof(*out->headers));
    out->headers[out->header_count++] =
        (struct route_match){lower_copy(name),
                             colon ? mem_copy_n(colon + 1, value.len - name.len - 1) : NULL};
    return true;
}

/* ---- certificate ---- */

bool route_read_certificate(struct slice value, struct route *out, const char **why)
{
    static const char *const words[] = {"required", "present", "none", NULL};
    static const enum route_certificate meant[] = {ROUTE_CERTIFICATE_REQUIRED, ROUTE_CERTIFICATE_PRESENT,
                                                   ROUTE_CERTIFICATE_NONE};
    for (size_t i = 0; words[i]; i++)
        if (slice_is(value, words[i])) {
            out->certificate = meant[i];
            return true;
        }
    char *word = mem_copy_n(value.data, value.len);
    const char *near = units_nearest(word, words);
    free(word);
    if (near)
        return route_refuse(why, "unknown word 'certificate=%.*s': did you mean 'certificate=%s'?",
                            SHOWN(value), near);
    return route_refuse(why, "certificate=%.*s: write required, present or none", SHOWN(value));
}
