/*
 * What a client has proven in its first handshake, and when, as the bytes that a session carries. They come
 * back only from where nobody else can write (sealed into a ticket, or from our own memory), and are read as
 * carefully as if they came from anywhere.
 */
#ifndef LB_TLS_PROOF_H
#define LB_TLS_PROOF_H

#include "lb/tls/path.h"

#define PROOF_HASH_LEN  32
#define PROOF_SMALLEST  (3 + 8 + 2 * PROOF_HASH_LEN) /* the room that any proof finds enough */
#define PROOF_CHAIN_MAX (32 * 1024)                  /* larger chains are not carried: full handshakes */

enum proof_kind {
    PROOF_NOBODY,  /* no certificate was proven */
    PROOF_CHAIN,   /* the chain follows */
    PROOF_CHAIN_AT /* its SHA-256 follows: it is kept elsewhere */
};

struct proof {
    enum proof_kind kind;
    uint8_t times;                        /* resumptions in a row that led to this one */
    int64_t first;                        /* unix seconds of the first authentication */
    unsigned char anchor[PROOF_HASH_LEN]; /* SHA-256 of the anchor's public key */
    struct slice chain;                   /* as proof_chain_write gives it; into the bytes that were read */
    unsigned char at[PROOF_HASH_LEN];     /* SHA-256 of the chain */
};

/* A chain without its anchor, DER one behind the other. */
struct proof_chain {
    struct certificate list[PATH_SENT_MAX];
    size_t count;
    bool leaf_is_anchor;
};

/* The bytes of a verified chain (leaf first, anchor last) without the anchor; malloced. False: no memory, or
 * more than PROOF_CHAIN_MAX. */
bool proof_chain_write(const struct certificate *chain, size_t count, char **out, size_t *len);

/* The pieces of `out` point into `bytes`. False: malformed. */
bool proof_chain_read(struct slice bytes, struct proof_chain *out);

/* Appends nothing beyond `room`; 0: it does not fit. */
size_t proof_write(const struct proof *proof, char *out, size_t room);

/* False: malformed. */
bool proof_read(struct slice bytes, struct proof *out);

#endif
