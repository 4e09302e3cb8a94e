/* Routes that can never match. One covers another if each of its conditions follows from the other's; where
 * that is not plain to see (regular expressions, a wildcard and a name below it) it is not claimed. */
#include "lb/config/check_parts.h"

/* So many routes are looked at before each; the time to load goes with the square of them. */
#define LOOK_BACK 2000

static bool same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool covers_host(const struct route *first, const struct route *later)
{
    if (first->host_regex)
        return false;
    return !first->host || (later->host && same(first->host, later->host));
}

static bool is_below(const char *prefix, const char *path)
{
    size_t len = strlen(prefix);
    if (len == 0 || strncmp(prefix, path, len) != 0)
        return false;
    return path[len] == '\0' || path[len] == '/' || prefix[len - 1] == '/';
}

static bool covers_path(const struct route *first, const struct route *later)
{
    if (first->path_regex)
        return false;
    if (!first->path)
        return true;
    if (!later->path)
        return false;
    return first->exact ? later->exact && same(first->path, later->path) : is_below(first->path, later->path);
}

static bool has_method(const struct route *route, const char *method)
{
    for (size_t i = 0; i < route->method_count; i++)
        if (same(route->methods[i], method))
            return true;
    return false;
}

static bool covers_methods(const struct route *first, const struct route *later)
{
    if (first->method_count == 0)
        return true;
    for (size_t i = 0; i < later->method_count; i++)
        if (!has_method(first, later->methods[i]))
            return false;
    return later->method_count > 0;
}

static bool demands_header(const struct route *route, const struct route_match *wanted)
{
    for (size_t i = 0; i < route->header_count; i++) {
        const struct route_match *header = &route->headers[i];
        if (same(header->name, wanted->name) &&
            (!wanted->value || (header->value && same(header->value, wanted->value))))
            return true;
    }
    return false;
}

static bool covers_headers(const struct route *first, const struct route *later)
{
    for (size_t i = 0; i < first->header_count; i++)
        if (!demands_header(later, &first->headers[i]))
            return false;
    return true;
}

static bool covers_certificate(const struct route *first, const struct route *later)
{
    return first->certificate == ROUTE_CERTIFICATE_ANY || first->certificate == ROUTE_CERTIFICATE_REQUIRED ||
           first->certificate == later->certificate;
}

static bool covers(const struct route *first, const struct route *later)
{
    return covers_host(first, later) && covers_path(first, later) && covers_methods(first, later) &&
           covers_headers(first, later) && covers_certificate(first, later);
}

static const struct route *shadow(const struct http_settings *http, size_t index)
{
    for (size_t i = 0; i < index && i < LOOK_BACK; i++)
        if (covers(&http->routes[i], &http->routes[index]))
            return &http->routes[i];
    return NULL;
}

void check_shadows(const struct http_settings *http, struct problems *problems)
{
    for (size_t i = 1; i < http->route_count; i++) {
        const struct route *first = shadow(http, i);
        if (first)
            problems_warn(problems, http->routes[i].place,
                          "this route can never match: the one in line %u takes all that it could; put the "
                          "more special one first",
                          first->place.line);
    }
}
