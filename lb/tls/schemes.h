/* Signature schemes (RFC 8446 section 4.2.3) and lists of them as users write them. */
#ifndef LB_TLS_SCHEMES_H
#define LB_TLS_SCHEMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lb/base/problems.h"
#include "lb/tls/own.h"
#include "lb/tls/settings.h"

#define SIGNATURES_MAX 10

/* Which may be used; count 0: all that the library has. */
struct signatures {
    uint16_t list[SIGNATURES_MAX]; /* in order of preference */
    size_t count;
};

/* From settings->signatures. False after adding what is wrong to `problems`. */
bool signatures_read(const struct tls_settings *settings, struct place place, struct problems *problems,
                     struct signatures *out);

/* Whether a key of lb's own (struct tls_own) can sign by the scheme in that version. */
bool signature_fits(unsigned scheme, const struct tls_own *own, enum tls_version version);

/* False after adding to `problems` that none of them fits lb's own key, of the certificate in `path`, in a
 * version that the settings allow. */
bool signatures_serve(const struct signatures *signatures, const struct tls_own *own, const char *path,
                      const struct tls_settings *settings, struct place place, struct problems *problems);

bool signatures_allow(const struct signatures *signatures, unsigned scheme);

/* The IANA name; NULL: not known here. */
const char *signature_name(unsigned scheme);

#endif
