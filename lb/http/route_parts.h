/* What the files of routes share, and what their tests count. */
#ifndef LB_HTTP_ROUTE_PARTS_H
#define LB_HTTP_ROUTE_PARTS_H

#include "lb/http/route.h"

/* ---- reading a line ---- */

/* What was said of a line last; a buffer of the thread. Always false. */
bool route_refuse(const char **why, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The next word of *at, up to a blank; empty at the end. */
struct slice route_word(const char **at);

/* Whether `text` begins with `prefix`; then *rest is what follows. */
bool route_after(struct slice text, const char *prefix, struct slice *rest);

/* The values of conditions, into `out`. False: *why says what to write. */
bool route_read_host(struct slice value, struct route *out, const char **why);
bool route_read_path(struct slice value, bool exact, struct route *out, const char **why);
bool route_read_regex(struct slice pattern, struct regex **out, const char **why);
bool route_read_methods(struct slice list, struct route *out, const char **why);
bool route_read_header(struct slice value, struct route *out, const char **why);
bool route_read_certificate(struct slice value, struct route *out, const char **why);
bool route_normal_path(struct slice value, char **out, const char **why);

/* What stands after "->". */
bool route_read_action(const char *text, struct route *out, const char **why);

/* ---- finding ---- */

/* Whether a request meets every condition of a route. */
bool route_holds(const struct route *route, const struct route_facts *facts);

/* route_find; *tried grows by the routes whose conditions were looked at. */
const struct route *route_find_counted(const struct route_table *table, const struct route_facts *facts,
                                       size_t *tried);

/* The matched part of a path without a '/' at its end: "/a" for "/a" and "/a/", nothing for "/". */
static inline size_t route_prefix_len(const char *path)
{
    size_t len = strlen(path);
    return len > 0 && path[len - 1] == '/' ? len - 1 : len;
}

#endif
