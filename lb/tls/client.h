/*
 * TLS to servers: contexts that play the client, one for each thread, and the servers that sessions are made
 * to. The sessions are those of session.h; tls_session_handshake begins with empty input.
 */
#ifndef LB_TLS_CLIENT_H
#define LB_TLS_CLIENT_H

#include "lb/base/problems.h"
#include "lb/tls/client_settings.h"
#include "lb/tls/session.h"

/* As tls_context_new: NULL after adding every problem found. */
struct tls_context *tls_client_context_new(const struct tls_client_settings *settings, struct place place,
                                           struct problems *problems);

/* One more owner of the same context. */
struct tls_context *tls_context_share(struct tls_context *context);

/* A server as one thread knows it: who it must prove to be, and the session that it may resume. A session is
 * kept only if its server was verified as the context says, and never used for another peer. One thread. */
struct tls_peer;

/* Holds the context. `name` is what the certificate must be for, and what is sent as SNI if it is no IP
 * address; NULL: nothing is sent, and if the context verifies nobody can be it. Never NULL. */
struct tls_peer *tls_peer_new(struct tls_context *context, const char *name);
void tls_peer_free(struct tls_peer *peer); /* goes with its last session; NULL is fine */

/* What is agreed on by ALPN (RFC 7301). */
struct tls_protocols {
    const char *names; /* separated by ','; constant; NULL: none are offered */
    bool required;     /* a server that takes none of them is refused */
};

/* NULL: out of memory. */
struct tls_session *tls_session_connect(struct tls_peer *peer, const struct tls_protocols *protocols,
                                        struct tls_scratch *scratch);

/* Why nothing came of it, also when TCP has ended before TLS had come about. */
const struct tls_failure *tls_session_why(const struct tls_session *session);

/* After TLS_FAILED: the server has refused the certificate that lb showed, or that it showed none. In TLS 1.3
 * this comes after lb's end of the handshake; the server has looked at nothing else then. */
bool tls_session_spurned(const struct tls_session *session);

#endif
