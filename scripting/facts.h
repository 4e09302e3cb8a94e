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

#endif
