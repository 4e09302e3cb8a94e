/*
 * Seals and opens what stands in a session ticket: AES-256-GCM, with everything that the ticket is bound to
 * as additional data. No state; any thread.
 */
#ifndef LB_TLS_TICKET_H
#define LB_TLS_TICKET_H

#include "lb/tls/library.h"
#include "lb/tls/proof.h"
#include "lb/tls/ticket_keys.h"

#define TICKET_BOND_MAX 384

/* Bytes of a whole ticket, which wolfSSL takes in any case: its own part has more than 128. */
#define TICKET_FRAME_LEN (WOLFSSL_TICKET_NAME_SZ + WOLFSSL_TICKET_IV_SZ + WOLFSSL_TICKET_MAC_SZ + 2)
#define TICKET_MAX       (TICKET_FRAME_LEN + 128 + WOLFSSL_TICKET_EXTRA_PADDING_SZ)

/* What a ticket is bound to: the listener and its policy, the name that the client asked for, the version. */
struct ticket_bond {
    char data[TICKET_BOND_MAX];
    size_t len;
};

void ticket_bond(struct ticket_bond *bond, const unsigned char scope[32], int version, const char *name);

/* Where wolfSSL wants the pieces of a ticket. */
struct ticket_parts {
    unsigned char *name, *iv, *mac; /* 16, 16 and 32 bytes */
    unsigned char *bytes;           /* the library's own part, and the proof behind it */
};

/* How many bytes of a proof fit behind `inner` bytes of the library's. */
size_t ticket_room(size_t inner, size_t room);

/* Seals bytes[0..inner) and the proof, which takes at most ticket_room(). The length of what is sealed, or 0:
 * no random bytes, or it does not fit. */
size_t ticket_seal(const struct ticket_key *key, WC_RNG *rng, const struct ticket_bond *bond,
                   const struct ticket_parts *parts, size_t inner, size_t room, const struct proof *proof);

/* Opens bytes[0..len) in place: bytes[0..*inner) is the library's part. False: damaged, or bound to something
 * else. What *proof points to are the bytes. */
bool ticket_open(const struct ticket_key *key, const struct ticket_bond *bond,
                 const struct ticket_parts *parts, size_t len, size_t *inner, struct proof *proof);

#endif
