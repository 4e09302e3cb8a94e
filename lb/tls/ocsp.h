/*
 * The Online Certificate Status Protocol (RFC 6960, in the profile of RFC 5019): what is asked about one
 * certificate, and whether what came back is an answer to be believed. No network and no clock; allocates
 * nothing, and never reads outside what it is given.
 */
#ifndef LB_TLS_OCSP_H
#define LB_TLS_OCSP_H

#include "lb/tls/certificate.h"

enum ocsp_status { OCSP_GOOD, OCSP_REVOKED, OCSP_UNKNOWN };

/* What an answer must be about, and who may give it. */
struct ocsp_subject {
    const struct certificate *certificate;
    const struct certificate *issuer; /* the very one that signed it */
    const struct certificate *signer; /* trusted by the operator to answer too; NULL: none */
};

struct ocsp_answer {
    enum ocsp_status status;
    int64_t this_update, until; /* unix seconds; `until`: nextUpdate, or shortly after `now` without one */
    int64_t revoked_at;
};

/* The DER of a question with one CertID (SHA-1, which every responder knows) and no nonce, so that responders
 * may answer from a store. 0: it does not fit, or the issuer's key cannot be read. */
#define OCSP_REQUEST_MAX 256
size_t ocsp_request(const struct ocsp_subject *subject, char out[OCSP_REQUEST_MAX]);

/* True: `der` is an answer about the certificate that holds at `now` and that its issuer, a responder that
 * the issuer has appointed (RFC 6960 section 4.2.2.2), or `signer` has signed. False: *why says what is
 * wrong; constant text. */
bool ocsp_read(struct slice der, const struct ocsp_subject *subject, int64_t now, struct ocsp_answer *out,
               const char **why);

/* Where the issuer says that it answers (authorityInfoAccess, RFC 5280 section 4.2.2.1): the first http://
 * URL among them; empty: none. */
struct slice ocsp_url(const struct certificate *certificate);

const char *ocsp_status_name(enum ocsp_status status); /* "good", "revoked", "unknown" */

#endif
