/* What is told to servers about the certificate that lb itself shows, in OpenSSL's names. */
#ifndef LB_TLS_OWN_H
#define LB_TLS_OWN_H

#include "lb/tls/settings.h"

struct tls_own {
    const char *signature; /* by which it is signed: "RSA-SHA256", "ecdsa-with-SHA256"; "" if not known */
    char key[24];          /* "RSA2048", "EC256", "ED25519"; "" if not known */
    const char *scheme; /* how it signs in TLS 1.3: "ecdsa_secp256r1_sha256"; "" where the client has a say */
};

/* Of the first certificate in the PEM file, which may be NULL. Cannot fail: what cannot be read is not known.
 */
void own_read(const struct tls_file *file, struct tls_own *out);

#endif
