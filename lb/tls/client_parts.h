/* The inside of struct tls_peer, for the files of this folder. */
#ifndef LB_TLS_CLIENT_PARTS_H
#define LB_TLS_CLIENT_PARTS_H

#include "lb/tls/client.h"
#include "lb/tls/session_parts.h"

/* However often it was resumed since: a server is verified anew at least this often. */
#define PEER_VERIFIED_SECONDS (8 * 3600)

struct tls_peer {
    atomic_uint users; /* the owner and each session */
    struct tls_context *context;
    char *name;
    WOLFSSL_SESSION *kept;  /* a copy of our own; NULL: none */
    const char *kept_names; /* the protocols that it offered */
    int64_t kept_until;     /* unix seconds; that of the verification, whatever was resumed since */
};

void peer_drop(struct tls_peer *peer); /* NULL is fine */

/* The library has finished the handshake: what an earlier one has verified holds if it was resumed. */
void peer_take_up(struct tls_session *session);

/* Whether ALPN led to what the session is for. */
bool peer_agreed(struct tls_session *session, struct tls_failure *failure);

/* What the library has of the session becomes the one to resume, if its server was verified. */
void peer_keep(struct tls_session *session);

/* A handshake with the server has failed: nothing of an earlier one is used again. */
void peer_forget(struct tls_peer *peer);

/* Whether the leaf is for the peer's name; else *failure says why not. */
bool peer_judge_name(const struct tls_peer *peer, const struct certificate *leaf,
                     struct tls_failure *failure);

#endif
