/*
 * Routes: which request goes where. A table is made once for a snapshot's listener and then only read, by all
 * threads. The first route in order of the configuration that matches wins, whatever index finds it; a
 * thousand routes cost a request no more than ten: host names and paths are looked up by hash. What cannot be
 * looked up (regular expressions, routes that name no path) is tried one by one within its host, and so are
 * routes of the same host and path.
 *
 * path=/a takes "/a", "/a/" and "/a/b", not "/ab"; path=/a/ takes "/a/" and "/a/b", not "/a"; path==/a takes
 * "/a" only. host=*.name takes what lies below the name, not the name. Methods and values of fields are
 * compared in their case; of several fields of a name any may have the value. "*" (OPTIONS) is taken by
 * routes that name no path or by a regular expression.
 */
#ifndef LB_HTTP_ROUTE_H
#define LB_HTTP_ROUTE_H

#include "lb/base/problems.h"
#include "lb/http/target.h"

/* REQUIRED is no condition: the route is taken, and the caller refuses who has none. */
enum route_certificate {
    ROUTE_CERTIFICATE_ANY,
    ROUTE_CERTIFICATE_REQUIRED,
    ROUTE_CERTIFICATE_PRESENT,
    ROUTE_CERTIFICATE_NONE
};

enum route_action { ROUTE_BACKEND, ROUTE_REDIRECT, ROUTE_RESPOND };

struct route_match {
    char *name, *value; /* header: name in lower case; value NULL: it need only be there */
};

struct route {
    struct place place;
    /* Conditions; NULL or 0: any. */
    char *host; /* normalized; "*.name" for one label or more below it */
    char *path; /* normalized */
    bool exact; /* path==: the whole path; else a prefix that ends at a segment's border */
    struct regex *host_regex, *path_regex; /* host~ and path~ */
    char **methods;
    size_t method_count;
    struct route_match *headers;
    size_t header_count;
    enum route_certificate certificate;

    enum route_action action;
    char *backend_name;
    const void *backend; /* linked by the configuration */
    char *rewrite;       /* ROUTE_BACKEND: what stands for the matched prefix; NULL: the path stays */
    unsigned status;     /* redirect, respond */
    char *text;   /* redirect: URL, in which {host}, {path} and {query} ("?query", or nothing) are put in;
                     respond: the body, "" if there is none */
    size_t index; /* its number in the listener */
};

/*
 * Reads one line of the configuration: conditions, "->", an action, all separated by blanks.
 *
 *   host=NAME, host=*.NAME or host~REGEX
 *   path=/PREFIX, path==/EXACT or path~REGEX
 *   method=GET[,POST...]
 *   header=NAME or header=NAME:VALUE, several times too
 *   certificate=required|present|none
 *   -> BACKEND [rewrite=/PREFIX], redirect=STATUS:URL or respond=STATUS[:TEXT]
 *
 * TEXT is the rest of the line, with \n, \t, \; and \\. `out` is written over; `place` and `index` are the
 * caller's to set after. False: *why (a static buffer of the thread) says what to write instead; nothing is
 * left in `out`.
 */
bool route_parse(const char *text, struct route *out, const char **why);
void route_release(struct route *route);

struct route_facts {
    struct slice host, path, method;
    bool certificate;
    const struct http_head *head; /* for header= */
};

struct route_table;

/* The routes must outlive the table. */
struct route_table *route_table_new(const struct route *routes, size_t count);
void route_table_free(struct route_table *table);
const struct route *route_find(const struct route_table *table,
                               const struct route_facts *facts); /* NULL: none */

/* Whether some route names this host (exactly or by a wildcard), for telling which listener a host belongs
 * to. */
bool route_names_host(const struct route_table *table, struct slice host);

/* The path that the server gets, for a route with a rewrite: `path` with the matched prefix replaced, put
 * into the head's buffer. False: out of memory. */
bool route_rewrite(const struct route *route, struct http_head *head, struct slice path, struct span *out);

#endif
