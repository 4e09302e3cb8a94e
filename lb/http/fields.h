/*
 * The header fields that lb knows by name. A name is looked up folded: case does not count, and '_' and '.'
 * read as '-', for servers fold names so (CGI and its heirs) and a spelling that they take for a field must
 * not pass lb as another one.
 */
#ifndef LB_HTTP_FIELDS_H
#define LB_HTTP_FIELDS_H

#include <stdbool.h>

#include "lb/base/slice.h"

/* What a field is to lb. Several may hold. */
enum field_trait {
    FIELD_FRAMING = 1 << 0,   /* decides where a message ends (RFC 9112 section 6) */
    FIELD_HOP = 1 << 1,       /* of one connection only (RFC 9110 section 7.6.1) */
    FIELD_IDENTITY = 1 << 2,  /* lb sets it from a client certificate; never taken from a client */
    FIELD_FORWARDED = 1 << 3, /* says where a request came from; taken from trusted proxies only */
    FIELD_UNTRAILED = 1 << 4, /* has no business in a trailer section (RFC 9110 section 6.5.1) */
};

/* X(symbol, name in lower case, traits) */
#define HTTP_FIELDS(X)                                                                                       \
    X(HOST, "host", FIELD_UNTRAILED)                                                                         \
    X(CONTENT_LENGTH, "content-length", FIELD_FRAMING | FIELD_UNTRAILED)                                     \
    X(TRANSFER_ENCODING, "transfer-encoding", FIELD_FRAMING | FIELD_HOP | FIELD_UNTRAILED)                   \
    X(CONNECTION, "connection", FIELD_HOP | FIELD_UNTRAILED)                                                 \
    X(PROXY_CONNECTION, "proxy-connection", FIELD_HOP | FIELD_UNTRAILED)                                     \
    X(KEEP_ALIVE, "keep-alive", FIELD_HOP | FIELD_UNTRAILED)                                                 \
    X(UPGRADE, "upgrade", FIELD_HOP | FIELD_UNTRAILED)                                                       \
    X(HTTP2_SETTINGS, "http2-settings", FIELD_HOP | FIELD_UNTRAILED)                                         \
    X(TE, "te", FIELD_HOP | FIELD_UNTRAILED)                                                                 \
    X(TRAILER, "trailer", FIELD_UNTRAILED)                                                                   \
    X(PROXY_AUTHORIZATION, "proxy-authorization", FIELD_HOP | FIELD_UNTRAILED)                               \
    X(PROXY_AUTHENTICATE, "proxy-authenticate", FIELD_HOP | FIELD_UNTRAILED)                                 \
    X(EXPECT, "expect", FIELD_UNTRAILED)                                                                     \
    X(COOKIE, "cookie", FIELD_UNTRAILED)                                                                     \
    X(AUTHORIZATION, "authorization", FIELD_UNTRAILED)                                                       \
    X(CONTENT_TYPE, "content-type", FIELD_UNTRAILED)                                                         \
    X(CONTENT_ENCODING, "content-encoding", FIELD_UNTRAILED)                                                 \
    X(CONTENT_RANGE, "content-range", FIELD_UNTRAILED)                                                       \
    X(RANGE, "range", FIELD_UNTRAILED)                                                                       \
    X(SET_COOKIE, "set-cookie", FIELD_UNTRAILED)                                                             \
    X(LOCATION, "location", FIELD_UNTRAILED)                                                                 \
    X(USER_AGENT, "user-agent", 0)                                                                           \
    X(REFERER, "referer", 0)                                                                                 \
    X(DATE, "date", 0)                                                                                       \
    X(SERVER, "server", 0)                                                                                   \
    X(VIA, "via", FIELD_UNTRAILED)                                                                           \
    X(FORWARDED, "forwarded", FIELD_FORWARDED | FIELD_UNTRAILED)                                             \
    X(X_FORWARDED_FOR, "x-forwarded-for", FIELD_FORWARDED | FIELD_UNTRAILED)                                 \
    X(X_FORWARDED_PROTO, "x-forwarded-proto", FIELD_FORWARDED | FIELD_UNTRAILED)                             \
    X(X_FORWARDED_HOST, "x-forwarded-host", FIELD_FORWARDED | FIELD_UNTRAILED)                               \
    X(X_FORWARDED_PORT, "x-forwarded-port", FIELD_FORWARDED | FIELD_UNTRAILED)                               \
    X(X_REAL_IP, "x-real-ip", FIELD_FORWARDED | FIELD_UNTRAILED)                                             \
    X(X_REQUEST_ID, "x-request-id", FIELD_FORWARDED | FIELD_UNTRAILED)                                       \
    X(X_SSL_CLIENT_VERIFY, "x-ssl-client-verify", FIELD_IDENTITY | FIELD_UNTRAILED)                          \
    X(X_SSL_CLIENT_DN, "x-ssl-client-dn", FIELD_IDENTITY | FIELD_UNTRAILED)                                  \
    X(X_SSL_CLIENT_ISSUER, "x-ssl-client-issuer", FIELD_IDENTITY | FIELD_UNTRAILED)                          \
    X(X_SSL_CLIENT_SERIAL, "x-ssl-client-serial", FIELD_IDENTITY | FIELD_UNTRAILED)                          \
    X(X_SSL_CLIENT_SHA256, "x-ssl-client-sha256", FIELD_IDENTITY | FIELD_UNTRAILED)                          \
    X(X_SSL_CLIENT_NOTAFTER, "x-ssl-client-notafter", FIELD_IDENTITY | FIELD_UNTRAILED)                      \
    X(X_SSL_CLIENT_CERT, "x-ssl-client-cert", FIELD_IDENTITY | FIELD_UNTRAILED)                              \
    X(CLIENT_CERT, "client-cert", FIELD_IDENTITY | FIELD_UNTRAILED)                                          \
    X(CLIENT_CERT_CHAIN, "client-cert-chain", FIELD_IDENTITY | FIELD_UNTRAILED)

enum field_id {
    HEADER_OTHER, /* none of these */
#define X(symbol, name, traits) HEADER_##symbol,
    HTTP_FIELDS(X)
#undef X
        HEADER_COUNT
};

/* The field that a server may take this name for; HEADER_OTHER if lb knows none such. *exact: the name is
 * spelled as it should be but for case. */
enum field_id field_find(struct slice name, bool *exact);

const char *field_name(enum field_id id); /* lower case; "" for HEADER_OTHER */
struct slice field_name_slice(enum field_id id);
unsigned field_traits(enum field_id id); /* of enum field_trait */

#endif
