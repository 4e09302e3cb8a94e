/* Public keys and signature algorithms of certificates (RFC 3279, RFC 4055, RFC 5480, RFC 8410). */
#ifndef LB_TLS_KEYS_H
#define LB_TLS_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "lb/base/slice.h"

enum key_kind { KEY_RSA, KEY_RSA_PSS, KEY_EC, KEY_ED25519, KEY_ED448, KEY_OTHER };

struct key_facts {
    enum key_kind kind;
    uint32_t bits;    /* 0: not known */
    struct slice oid; /* of the algorithm, content bytes */
};

/* `spki` is the whole SubjectPublicKeyInfo. False: malformed. */
bool key_read(struct slice spki, struct key_facts *out);

/* NULL, or what is wrong with the numbers of an RSA key (RFC 8017, section 3.1); constant text. */
const char *rsa_key_problem(struct slice spki);

/* "RSA", "RSA-PSS", "EC", "ED25519", "ED448"; NULL for others. */
const char *key_name(enum key_kind kind);

/* NULL, or why a signature by this algorithm is not to be trusted; constant text. `tbs` is the whole
 * TBSCertificate, where the hash of RSASSA-PSS stands among the parameters. */
const char *signature_weakness(struct slice algorithm, struct slice tbs);

#endif
