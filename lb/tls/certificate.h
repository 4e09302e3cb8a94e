/*
 * A certificate's DER, read on demand (RFC 5280). Nothing here verifies anything: what was verified is the
 * session's affair. Values are counted; names with NUL or other control characters are refused by
 * certificate_open.
 */
#ifndef LB_TLS_CERTIFICATE_H
#define LB_TLS_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

#include "lb/base/slice.h"
#include "scripting/facts.h"

struct certificate {
    struct slice der; /* the whole; the pieces below point into it */
    struct slice tbs, serial, issuer, subject, spki, extensions;
    struct slice signature_algorithm; /* OID content bytes */
    int64_t not_before, not_after;    /* unix seconds */
};

/* Walks the outer structure and every name of the certificate. False: malformed, *why says what (constant
 * text). The DER must outlive `out`. Never reads outside `der`, never allocates, bounded time. */
bool certificate_open(struct slice der, struct certificate *out, const char **why);

/* The facts of scripting/facts.h, read lazily; `const void *certificate` is a struct certificate. */
extern const struct script_certificate_ops certificate_ops;

/* For logs. Each writes at most `size` bytes including the NUL and returns out. */
char *certificate_subject(const struct certificate *certificate, char *out, size_t size); /* RFC 4514 */
char *certificate_serial(const struct certificate *certificate, char *out, size_t size); /* hex, upper case */
char *certificate_sha256(const struct certificate *certificate, char *out, size_t size); /* hex, lower case */

/* Properties that verification looks at. */
bool certificate_self_issued(const struct certificate *certificate);
bool certificate_serial_valid(const struct certificate *certificate); /* above 0, 20 bytes at most */
bool certificate_weak(const struct certificate *certificate,
                      const char **what); /* old signature, or key unfit or short */
bool certificate_issued_by(const struct certificate *certificate,
                           const struct certificate *issuer); /* names and key ids */

/* Next CERTIFICATE of a PEM text: decodes it into `out` (room for at least the PEM's length). Advances *pem.
 * False: no more (len 0) or broken (*why set). */
bool certificate_next_pem(struct slice *pem, char *out, size_t *len, const char **why);

#endif
