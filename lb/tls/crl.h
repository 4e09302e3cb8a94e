/*
 * Certificate revocation lists (RFC 5280 section 5). Nothing here checks a signature: what a list revokes
 * counts always, since it can only refuse more; whether it may prove that a certificate is good is said by
 * `signer`.
 */
#ifndef LB_TLS_CRL_H
#define LB_TLS_CRL_H

#include <stdbool.h>
#include <stdint.h>

#include "lb/base/slice.h"

#define CRL_NEVER INT64_MAX

struct crl {
    const char *file; /* where it was read from; the settings' */
    char *data;       /* owned copy of the DER */
    struct slice der, issuer;
    int64_t this_update, next_update; /* unix seconds; CRL_NEVER without nextUpdate */
    bool partial;                     /* covers only some certificates or reasons: proves nothing good */
    struct slice signer;              /* owned: the key (SPKI) whose signature was checked; empty: none yet */
    uint32_t *serials;                /* owned: where the serial numbers stand in `der`, sorted */
    size_t count;
};

/* Copies and indexes a CRL. False: malformed, or of a kind that cannot be used (delta, indirect); *why is
 * constant text. Never reads outside `der`. */
bool crl_open(struct slice der, struct crl *out, const char **why);
void crl_close(struct crl *crl);

/* Whether `spki` is the key whose signature was checked. */
bool crl_confirmed_by(const struct crl *crl, struct slice spki);
void crl_confirm(struct crl *crl, struct slice spki);

/* `serial` is the content of the certificate's INTEGER. */
bool crl_lists(const struct crl *crl, struct slice serial);

#endif
