/*
 * The path from a peer's certificate to a CA that is trusted, and the rules that are lb's own (RFC 5280
 * section 6). Signatures are not checked here: the caller has had them checked, or only wants to know why the
 * library refused.
 */
#ifndef LB_TLS_PATH_H
#define LB_TLS_PATH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lb/tls/certificate.h"
#include "lb/tls/crl.h"
#include "lb/tls/session.h"
#include "lb/tls/settings.h"

#define PATH_SENT_MAX 9 /* as many as the library takes from a client */
#define PATH_MAX_LEN  (PATH_SENT_MAX + 1)

/* Who is judged, for what, and in which words. */
struct path_role {
    struct slice purpose; /* OID of the extendedKeyUsage */
    const char *purpose_name;
    const char *store; /* the setting with the CAs */
    const char *lists; /* the one with their CRLs */
    const char *peers; /* "clients" */
};

extern const struct path_role path_of_client, path_of_server;

/* What a listener, or a backend, trusts. Belongs to the contexts of one thread. */
struct trust {
    atomic_uint users;
    const struct path_role *role;
    struct certificate *anchors;
    size_t anchor_count;
    char *anchor_data; /* their DER */
    struct crl *crls;
    size_t crl_count;
    bool crl_required;
    enum crl_depth crl_depth;
    unsigned verify_depth;

    /* Whether `issuer` signed it. May be slow; asked only where names leave a doubt. */
    bool (*signed_by)(const struct certificate *certificate, const struct certificate *issuer);
    bool (*crl_signed_by)(const struct crl *crl, const struct certificate *issuer);
};

/* By name; NULL: client-ca has none. */
const struct certificate *trust_anchor_named(const struct trust *trust, struct slice name);
bool trust_has_anchor(const struct trust *trust, const struct certificate *certificate); /* this very one */
bool trust_has_crl(const struct trust *trust, struct slice issuer);

struct path {
    const struct certificate *list[PATH_MAX_LEN]; /* leaf first */
    size_t count;
    bool anchored; /* the last one is an anchor */
};

/* Follows names and key identifiers from sent[0]. `confirm`: where several keys would fit, the signature
 * decides; only for certificates that the library has verified, for it takes time. */
void path_build(const struct trust *trust, const struct certificate *sent, size_t count, bool confirm,
                int64_t now, struct path *out);

/* True if every rule holds at `now`. Else *failure has reason, text and the alert to send (in alert_sent).
 * `sent` is how many certificates the client sent. */
bool path_judge(struct trust *trust, const struct path *path, size_t sent, int64_t now,
                struct tls_failure *failure);

/* Fills in a refusal. */
void failure_set(struct tls_failure *failure, enum reason reason, int alert, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

enum tls_alert {
    ALERT_HANDSHAKE_FAILURE = 40,
    ALERT_BAD_CERTIFICATE = 42,
    ALERT_UNSUPPORTED_CERTIFICATE = 43,
    ALERT_CERTIFICATE_REVOKED = 44,
    ALERT_CERTIFICATE_EXPIRED = 45,
    ALERT_CERTIFICATE_UNKNOWN = 46,
    ALERT_UNKNOWN_CA = 48,
    ALERT_CERTIFICATE_REQUIRED = 116,
};

/* Names and times as they stand in the texts of refusals. */
#define BRIEF_MAX 112
const char *brief_name(struct slice name, char out[BRIEF_MAX]);
const char *brief_time(int64_t unix_seconds, char out[BRIEF_MAX]);

#endif
