/*
 * What responders have said, for all threads of the process, in memory that is set once: an answer is used
 * until it ends, and that there was none is remembered for a short while, so that a responder that is down is
 * not asked for each connection. An entry that is pushed out is asked for again.
 */
#ifndef LB_TLS_OCSP_CACHE_H
#define LB_TLS_OCSP_CACHE_H

#include "lb/tls/ocsp.h"

/* Who was asked about what. */
struct ocsp_key {
    unsigned char bytes[32];
};

/* Of the certificate and its issuer's key; and of who may answer (ocsp-signer, ocsp-url), for what one
 * listener believes another may not. False: it cannot be made. */
bool ocsp_key_of(const struct ocsp_subject *subject, struct slice url, struct ocsp_key *out);

enum ocsp_known {
    OCSP_NOT_KNOWN,     /* ask */
    OCSP_KNOWN_GOOD,    /* the three answers there are … */
    OCSP_KNOWN_REVOKED, /* … */
    OCSP_KNOWN_UNKNOWN,
    OCSP_NO_ANSWER, /* asked a moment ago, in vain */
};

/* An answer counts for no more than this, whatever its nextUpdate says: a revocation shall be noticed. */
#define OCSP_KEPT_MAX  3600 /* seconds */
#define OCSP_KEPT_NONE 5    /* that there was no answer */

struct ocsp_cache;

struct ocsp_cache *ocsp_cache_new(size_t entries); /* room for at least so many; 48 bytes each */
void ocsp_cache_free(struct ocsp_cache *cache);    /* NULL is fine */

/* Any thread; holds a lock of one of many shards for some 100 ns. `now` and `until`: unix seconds. That there
 * was no answer takes no answer's place that lasts longer. */
enum ocsp_known ocsp_cache_get(struct ocsp_cache *cache, const struct ocsp_key *key, int64_t now);
void ocsp_cache_put(struct ocsp_cache *cache, const struct ocsp_key *key, enum ocsp_known known,
                    int64_t until);

#endif
