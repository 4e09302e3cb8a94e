/*
 * The OCSP response that is sent along with one certificate of our own (stapling, RFC 6066 section 8). Shared
 * by the contexts of all threads, and filled from a file or by whoever fetches; one that has ended is never
 * sent.
 */
#ifndef LB_TLS_STAPLE_H
#define LB_TLS_STAPLE_H

#include "lb/tls/ocsp.h"

struct staple;

/* For the first certificate of a PEM file and its issuer, which must come next in it (or be the certificate
 * itself). NULL: *why says what is missing; constant text. */
struct staple *staple_new(struct slice pem, const char **why);
struct staple *staple_hold(struct staple *staple);
void staple_drop(struct staple *staple); /* NULL is fine for both */

/* What answers must be about; lives as long as the staple. */
const struct ocsp_subject *staple_subject(const struct staple *staple);

/* Sends `der` from now on, if it says at `now` that the certificate is good. False: *why says why not, what
 * was sent until now goes on unless the certificate is revoked. *answer is what it says, of status
 * OCSP_UNKNOWN if it cannot be believed. Any thread. */
bool staple_load(struct staple *staple, struct slice der, int64_t now, struct ocsp_answer *answer,
                 const char **why);

/* A malloced copy of what is to be sent at `now`; NULL: nothing. Any thread; one lock for the time of a copy.
 */
char *staple_copy(struct staple *staple, int64_t now, size_t *len);

#endif
