/* Signatures over any bytes (RFC 4055, RFC 5758, RFC 8410), by what a SubjectPublicKeyInfo holds. Slow. */
#ifndef LB_TLS_SIGNED_H
#define LB_TLS_SIGNED_H

#include <stdbool.h>

#include "lb/base/slice.h"

/* `algorithm` is the content of the AlgorithmIdentifier, `signature` the content of the BIT STRING, `spki`
 * the whole SubjectPublicKeyInfo. SHA-256, SHA-384 and SHA-512 with RSA (PKCS#1 v1.5, or PSS with a salt as
 * long as the hash), ECDSA over the curves of TLS, and Ed25519; false for anything weaker, unknown or wrong.
 * RSA keys have at least 2048 bits. */
bool signed_by(struct slice data, struct slice algorithm, struct slice signature, struct slice spki);

#endif
