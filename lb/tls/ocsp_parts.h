/* How OCSP names an issuer (CertID, RFC 6960 section 4.1.1), for the files of this folder. */
#ifndef LB_TLS_OCSP_PARTS_H
#define LB_TLS_OCSP_PARTS_H

#include "lb/tls/certificate.h"

enum ocsp_hash { OCSP_SHA1, OCSP_SHA256 };
enum { OCSP_HASH_MAX = 32 };

/* False: an algorithm that names no issuer here. `oid`: content bytes. */
bool ocsp_hash_of(struct slice oid, enum ocsp_hash *out);

/* Of a Name, given by its content. The results point into `out`; empty if the hash fails. */
struct slice ocsp_name_hash(enum ocsp_hash kind, struct slice name, unsigned char out[OCSP_HASH_MAX]);

/* Of the bits of the certificate's own public key. */
struct slice ocsp_key_hash(enum ocsp_hash kind, const struct certificate *certificate,
                           unsigned char out[OCSP_HASH_MAX]);

#endif
