#include <stdlib.h>

#include "lb/base/regex.h"
#include "lb/http/route_parts.h"

static bool path_holds(const struct route *route, struct slice path)
{
    if (route->path_regex)
        return regex_matches(route->path_regex, path);
    if (!route->path)
        return true;
    size_t len = strlen(route->path);
    if (route->exact)
        return slice_is(path, route->path);
    if (path.len < len || memcmp(path.data, route->path, len) != 0)
        return false;
    return path.len == len || route->path[len - 1] == '/' || path.data[len] == '/';
}

static bool host_holds(const struct route *route, struct slice host)
{
    if (route->host_regex)
        return regex_matches(route->host_regex, host);
    if (!route->host)
        return true;
    if (route->host[0] != '*')
        return slice_is(host, route->host);
    struct slice suffix = slice_of(route->host + 1);
    return host.len > suffix.len && memcmp(host.data + host.len - suffix.len, suffix.data, suffix.len) == 0;
}

static bool method_holds(const struct route *route, struct slice method)
{
    for (size_t i = 0; i < route->method_count; i++)
        if (slice_is(method, route->methods[i]))
            return true;
    return route->method_count == 0;
}

static bool header_holds(const struct route_match *match, const struct http_head *head)
{
    const struct http_field *field = NULL;
    while ((field = http_head_next_named(head, slice_of(match->name), field)) != NULL)
        if (!match->value || slice_is(head_value(head, field), match->value))
            return true;
    return false;
}

static bool headers_hold(const struct route *route, const struct http_head *head)
{
    for (size_t i = 0; i < route->header_count; i++)
        if (!head || !header_holds(&route->headers[i], head))
            return false;
    return true;
}

static bool certificate_holds(const struct route *route, bool proven)
{
    switch (route->certificate) {
    case ROUTE_CERTIFICATE_PRESENT: return proven;
    case ROUTE_CERTIFICATE_NONE: return !proven;
    default: return true;
    }
}

/* Regular expressions come last within a kind of condition, and hosts and paths that an index found hold
 * already: they cost a comparison. */
bool route_holds(const struct route *route, const struct route_facts *facts)
{
    return certificate_holds(route, facts->certificate) && method_holds(route, facts->method) &&
           headers_hold(route, facts->head) && host_holds(route, facts->host) &&
           path_holds(route, facts->path);
}

bool route_rewrite(const struct route *route, struct http_head *head, struct slice path, struct span *out)
{
    size_t matched = route_prefix_len(route->path);
    struct slice rest = slice_make(path.data + matched, path.len - matched);
    size_t kept = rest.len > 0 ? route_prefix_len(route->rewrite) : strlen(route->rewrite);
    bool own = rest.len > 0 && path.data >= head->bytes && path.data < head->bytes + head->len;
    size_t offset = own ? (size_t)(rest.data - head->bytes) : 0;
    struct span tail;
    if (!http_head_put(head, slice_make(route->rewrite, kept), out))
        return false;
    if (own)
        rest.data = head->bytes + offset;
    if (!http_head_put(head, rest, &tail))
        return false;
    out->len += tail.len;
    return true;
}
