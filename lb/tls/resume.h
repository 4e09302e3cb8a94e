/*
 * Resumption, which is an authentication: a session carries the proof of its first handshake, and comes back
 * only to the listener, policy, name and version that it was made for, under the same ciphers, groups and
 * signatures, within session-lifetime of that first handshake, and if the client's certificate would be let
 * in now. Whatever fails, the full handshake goes on.
 */
#ifndef LB_TLS_RESUME_H
#define LB_TLS_RESUME_H

#include "lb/base/problems.h"
#include "lb/tls/hello.h"
#include "lb/tls/library.h"
#include "lb/tls/session.h"
#include "lb/tls/ticket_keys.h"

struct captured;
struct proof;
struct tls_sessions;

/* What a context needs for it. Of one thread, as the context is. */
struct resume_rules {
    int64_t lifetime; /* seconds; 0: nothing is resumed */
    bool tickets;
    struct tls_sessions *sessions; /* NULL until the context is shared: nothing is resumed */
    unsigned char scope[32];       /* stands for listener, policy, mode, ciphers, groups and signatures */
    struct ticket_set *file;       /* of ticket-keys; NULL: the ring's are used */
    struct ticket_set *held;       /* of the ring */
    WC_RNG rng;
    bool has_rng;
};

/* A session's, for as long as its handshake lasts. */
struct resumption {
    char name[HELLO_NAME_MAX + 1];
    bool fresh_keys;           /* TLS 1.3: the client takes part in a key exchange when it resumes */
    bool foreign;              /* its ticket is longer than any of ours: wolfSSL must not see it */
    bool opened;               /* what follows is set */
    unsigned char token[32];   /* tells the accepted one from others that were offered */
    uint8_t times;             /* resumptions in a row before this one */
    int64_t first;             /* unix seconds of the first authentication */
    struct captured *captured; /* NULL: no certificate was proven */
};

/* Switches wolfSSL's part on or off. False after adding problems. */
bool resume_setup(struct tls_context *context, const struct tls_settings *settings, struct place place,
                  struct problems *problems);
void resume_release(struct tls_context *context);

/* With the hello in hand. */
void resume_begin(struct tls_session *session, const struct hello *hello);

/* Before wolfSSL goes on with the handshake. */
void resume_arm(struct tls_session *session);

/* At its end: takes over the identity of a session that wolfSSL did resume. False: it resumed one that was
 * not admitted here. */
bool resume_settle(struct tls_session *session);
void resume_end(struct tls_session *session);

/* ---- for the ways in which sessions come back ---- */

/* The proof of this handshake, to go into a session. Gives it room for at least PROOF_SMALLEST bytes; *chain
 * is to be freed. False: nothing was proven that may go there. */
bool resume_prove(struct tls_session *session, size_t room, struct proof *proof, char **chain);

/* Whether the client that this was proven to may come back now; then session->resumption has it all. `token`
 * has 32 bytes. */
bool resume_admit(struct tls_session *session, const struct proof *proof, const unsigned char *token);

/* Notes why a session was not taken; false. */
bool resume_refuse(struct tls_session *session, enum tls_refusal refusal);

/* ids.c: sessions of TLS 1.2 by their id. */
void resume_by_id(WOLFSSL_CTX *ctx);

#endif
