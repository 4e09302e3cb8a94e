/* The inside of struct tls_session, for the files of this folder. */
#ifndef LB_TLS_SESSION_PARTS_H
#define LB_TLS_SESSION_PARTS_H

#include "lb/tls/captured.h"
#include "lb/tls/context_parts.h"
#include "lb/tls/flight.h"
#include "lb/tls/session.h"

struct tls_session {
    WOLFSSL *ssl;
    struct tls_context *context; /* held */
    struct tls_scratch *scratch;
    struct slice in; /* ciphertext that wolfSSL has not taken yet; the caller's */
    struct captured *captured;
    struct resumption *resumption; /* NULL: none is possible, or the handshake is over */
    struct tls_failure *failure;   /* only while memory lasts: see session_failure_of */
    struct retry *retry;           /* a HelloRetryRequest is out: the second hello comes; else NULL */
    struct flight flight;          /* what the client sent after its hello */
    struct tls_peer *peer;         /* the server that this is a session to; held; NULL: with a client */
    const struct tls_protocols *protocols; /* with `peer` only */
    int64_t good_until;                    /* unix seconds: how long what was verified may be relied on */
    enum tls_refusal refusal;              /* why a session that was offered did not count */
    bool ticket_came, heard;               /* with `peer`: one to keep; something of what it has to say */
    bool started;                          /* the ClientHello was looked at, or is lb's own */
    bool done;                             /* the handshake is complete */
    bool verified;                         /* captured is the verified chain; else what was offered */
    bool chain_came; /* more than the leaf came: the library has put some into the context */
    bool muted;      /* our own alert is out: nothing more is sent */
    bool broken;
    bool peer_closed, closed;
};

/* Notes why the session fails, once; the first reason stands. */
void session_refuse(struct tls_session *session, const struct tls_failure *failure);

/* As session_refuse, and sends failure->alert_sent, after which nothing more goes out. */
void session_refuse_now(struct tls_session *session, const struct tls_failure *failure);

#endif
