/*
 * What a request is for: host and path, each in the one form that routes are matched against, scripts see and
 * servers get, so that no route is walked around by another spelling.
 */
#ifndef LB_HTTP_TARGET_H
#define LB_HTTP_TARGET_H

#include "lb/http/head.h"

enum encoded_slash {
    SLASH_REFUSE, /* "%2f" and "%5c" in a path are a bad request */
    SLASH_KEEP,   /* they stay as they are and are no separator */
    SLASH_DECODE, /* they become '/' before dots are resolved */
};

#define HTTP_HOST_MAX 260

struct http_target {
    char host[HTTP_HOST_MAX]; /* normalized, without port; IPv6 in brackets; "" if the request names none */
    unsigned port;            /* 0: not given */
    struct span path;         /* in the head's buffer; begins with '/', or is "*" (OPTIONS only) */
    struct span query;        /* after '?', as sent; empty: none */
    bool has_query;           /* "/a?" has an empty one */
};

/*
 * Reads head->target and head->authority (RFC 9112 section 3.2, RFC 9110 section 4.2, RFC 3986). The path is
 * normalized: percent-encoded unreserved characters are decoded, other escapes get upper-case digits, "//"
 * becomes
 * "/", "." and ".." segments are resolved (more ".." than segments is refused), '\' is refused. Controls,
 * blanks,
 * '#', bytes over 0x7E, broken escapes and "%00" are refused; so are dots beside ';' or an encoded
 * slash ("..;x", "..%2Fx") and a segment of nothing but parameters before another one ("/;x/a"),
 * which some servers resolve. A path that is normal lies in the target, any other is put into the
 * buffer anew; a query is checked and stays.
 *
 * The host is normalized by hello_normalize_name, IP literals are checked; IPv6 has its RFC 5952 form.
 * HTTP/1: exactly one Host is demanded of 1.1, and an absolute-form must name the same host and port as Host
 * does; its scheme is http or https, and an empty path becomes "/", or "*" for OPTIONS without a query.
 * HTTP/2: the scheme is http or https, there is an authority or one Host, and both name the same if both are
 * there. An empty head->authority is set to where the host was found. CONNECT and authority-form are refused,
 * "*" is for OPTIONS. False: *status (400 or 501) and *why (constant) say what is wrong; out of memory gives
 * status 0.
 */
bool http_target_read(struct http_head *head, enum encoded_slash slash, struct http_target *out,
                      unsigned *status, const char **why);

/* A path as a route, a script or a rewrite names it, into `out` (room for len + 1, and may be where `path`
 * lies): the same normalization. *why as above. */
bool http_path_normalize(struct slice path, enum encoded_slash slash, char *out, size_t *len,
                         const char **why);

/* "name", "name:port", "1.2.3.4", "[::1]:80" into host (HTTP_HOST_MAX) and port (0: none). False: no host,
 * and host is "". */
bool http_host_normalize(struct slice text, char *host, unsigned *port);

#endif
