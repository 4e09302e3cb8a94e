/*
 * What scripts may know, as plain data and functions that the rest of lb hands in. Nothing is computed before
 * a script asks. Everything pointed to stays valid until the call of the hook has ended.
 */
#ifndef SCRIPTING_FACTS_H
#define SCRIPTING_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lb/base/slice.h"

enum script_field {
    FIELD_SUBJECT_ATTRIBUTE, /* key: "CN", "O", "OU", … or a dotted OID; every value in order of the
                                certificate */
    FIELD_SUBJECT_TEXT,      /* RFC 4514 */
    FIELD_ISSUER_ATTRIBUTE,
    FIELD_ISSUER_TEXT,
    FIELD_SERIAL,  /* hex, upper case, no leading zero octet */
    FIELD_SAN_DNS, /* every value */
    FIELD_SAN_EMAIL,
    FIELD_SAN_URI,
    FIELD_SAN_IP,             /* in text */
    FIELD_KEY_TYPE,           /* "RSA", "EC", "ED25519", … */
    FIELD_KEY_USAGE,          /* names as in RFC 5280: "digitalSignature", … */
    FIELD_EXTENDED_KEY_USAGE, /* "clientAuth", "serverAuth", … or a dotted OID */
    FIELD_POLICIES,           /* dotted OIDs */
    FIELD_SHA256,             /* of the DER, hex, lower case */
    FIELD_SHA1,
    FIELD_SPKI_SHA256, /* of subjectPublicKeyInfo, hex, lower case */
    FIELD_SPIFFE_ID,   /* the one URI SAN with scheme spiffe; none if there are several URI SANs */
    FIELD_PEM,
    FIELD_DER,
    FIELD_EXTENSION,  /* key: dotted OID; the raw extnValue content */
    FIELD_NOT_BEFORE, /* numbers: unix seconds */
    FIELD_NOT_AFTER,
    FIELD_KEY_BITS,
};

/* Takes one value; the bytes are only valid during the call. */
typedef void script_emit(void *sink, struct slice value);

struct script_certificate_ops {
    /* Emits each value of a text field, none if absent. False: the certificate cannot be read (the hook then
     * denies). */
    bool (*values)(const void *certificate, enum script_field field, struct slice key, script_emit *emit,
                   void *sink);
    bool (*number)(const void *certificate, enum script_field field, int64_t *out);
};

struct script_certificate {
    const void *certificate; /* handed to the ops */
};

/* A connection as `conn` in Lua. Empty slices read as nil. */
struct script_conn {
    struct slice listener;
    struct slice address; /* the client's, without port */
    unsigned port;
    struct slice server_name;
    struct slice alpn;
    bool tls; /* false: conn.tls is nil */
    struct slice tls_version, tls_cipher, tls_group;
    bool tls_resumed;
    const struct script_certificate
        *chain;       /* verified, leaf first, anchor last; chain[0] is conn.certificate */
    size_t chain_len; /* 0: conn.certificate is nil */
    const struct script_certificate_ops *ops;
};

/* A request or a response as on_request and on_response see it. Texts stay valid during the hook; what the
 * functions give, until the next change. */
struct script_message_ops {
    /* The index-th field; names are in lower case. False: there is none such. */
    bool (*field)(void *message, size_t index, struct slice *name, struct slice *value);
    /* NULL, or why it cannot be done (constant text): a name that is no token or decides about framing or the
     * connection, a value with controls, out of memory. `set` replaces every field of that name. */
    const char *(*set)(void *message, struct slice name, struct slice value);
    const char *(*add)(void *message, struct slice name, struct slice value);
    void (*remove)(void *message, struct slice name);
    /* The whole request body once it was asked for and is there: see script_outcome.want_body. False: not
     * yet. */
    bool (*body)(void *message, struct slice *body);
};

struct script_message {
    void *message; /* handed to the ops */
    const struct script_message_ops *ops;
};

/* `req` in Lua. */
struct script_request {
    struct script_message message;
    const struct script_conn *conn;
    struct slice method, path, query, host, scheme, id;
    bool has_query;
};

/* `res` in Lua. */
struct script_response {
    struct script_message message;
    const struct script_request *request; /* its header fields can be read, not changed */
    unsigned status;
};

#endif
