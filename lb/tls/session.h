/*
 * One TLS connection without any socket: ciphertext in, plaintext out, and the other way round. One thread.
 * The session holds no buffer between calls; what it wants sent is appended to the thread's scratch, which
 * the caller sends after EVERY call, failed ones too (they may have written an alert).
 */
#ifndef LB_TLS_SESSION_H
#define LB_TLS_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "lb/base/reason.h"
#include "lb/tls/certificate.h"
#include "lb/tls/context.h"
#include "lb/tls/hello.h"
#include "lb/tls/own.h"

/* One thread's buffers; their content is only valid until the next call on any session of the thread. */
struct tls_scratch {
    char *plain; /* receives decrypted bytes */
    size_t plain_cap;
    char *out; /* ciphertext to send; the caller sets out_len = 0 once it is taken care of */
    size_t out_len, out_cap;
};

/* input_max is the largest slice ever given to tls_session_read or _write. false: out of memory. */
bool tls_scratch_init(struct tls_scratch *scratch, size_t input_max);
void tls_scratch_free(struct tls_scratch *scratch);

enum tls_result {
    TLS_OK,     /* handshake: complete; read: bytes or nothing, more may come */
    TLS_WANT,   /* handshake only: needs more from the client */
    TLS_CLOSED, /* read only: the peer's close_notify came; nothing follows, writing still works */
    TLS_FAILED, /* see tls_session_failure; an alert is in the scratch where one is due */
};

struct tls_failure {
    enum reason reason;
    int alert_sent;     /* RFC 8446 section 6.2; -1: none */
    int alert_received; /* -1: none */
    char text[256];     /* for the operator: what failed and what to do; no controls */
};

struct tls_session;

struct tls_session *tls_session_new(struct tls_context *context,
                                    struct tls_scratch *scratch); /* NULL: out of memory */
void tls_session_free(struct tls_session *session);

/* Gives the next bytes from the client and drives the handshake. All of `in` is taken: what follows the
 * handshake in it is kept until tls_session_read, which must then be called within the same callback. */
enum tls_result tls_session_handshake(struct tls_session *session, struct slice in);

/* Decrypts. *plain points into the scratch. `in` may be empty (after the handshake: what it left over). */
enum tls_result tls_session_read(struct tls_session *session, struct slice in, struct slice *plain);

/* Encrypts all of `plain` into scratch->out. False: the session is broken. */
bool tls_session_write(struct tls_session *session, struct slice plain);

void tls_session_close(struct tls_session *session); /* close_notify, once */
void tls_session_alert(struct tls_session *session,
                       int alert); /* a fatal alert; nothing can be written after it */
#define TLS_ALERT_CERTIFICATE_EXPIRED 45
#define TLS_ALERT_ACCESS_DENIED       49
#define TLS_ALERT_INTERNAL_ERROR      80

/* TCP ended: mid-record or without close_notify is truncation. */
bool tls_session_truncated(const struct tls_session *session);

/* After TLS_FAILED. */
const struct tls_failure *tls_session_failure(const struct tls_session *session);

/* After the handshake completed; constant texts or owned by the session. */
const char *tls_session_version(const struct tls_session *session); /* "TLSv1.3" */
const char *tls_session_cipher(const struct tls_session *session);  /* IANA name, "TLS_AES_128_GCM_SHA256" */
const char *tls_session_suite(const struct tls_session *session);   /* OpenSSL's name for the cipher */
const char *tls_session_group(const struct tls_session *session);   /* "X25519MLKEM768" */
/* Of the group in tls_group_names; TLS_GROUP_COUNT: another, or none (some resumptions). */
size_t tls_session_group_index(const struct tls_session *session);
bool tls_session_is_tls13(const struct tls_session *session);
const struct tls_own *tls_session_own(const struct tls_session *session); /* what lb has shown */
/* How lb has signed this handshake: see struct tls_own; "" if that is not known, or nothing was signed. */
const char *tls_session_scheme(const struct tls_session *session);
struct slice tls_session_alpn(const struct tls_session *session); /* empty: none negotiated */
bool tls_session_resumed(const struct tls_session *session);

/* Why a session that the client offered was not resumed; the last reason, if it offered several. */
enum tls_refusal {
    TLS_REFUSED_NONE,
    TLS_REFUSED_KEY,         /* sealed with a key that is not known here, or not any more */
    TLS_REFUSED_BOND,        /* made for another listener, policy, name or version; or damaged */
    TLS_REFUSED_AGE,         /* session-lifetime has passed, or 255 in a row */
    TLS_REFUSED_LOST,        /* what it refers to is not kept (any more) */
    TLS_REFUSED_CERTIFICATE, /* would not be let in today */
    TLS_REFUSAL_COUNT
};
enum tls_refusal tls_session_refusal(const struct tls_session *session);

/* The verified chain, leaf first, the anchor of client-ca last. count == 0: the client proved no certificate.
 * During and after a failed handshake: what the client had sent, for the log only (tls_session_offered). */
const struct certificate *tls_session_chain(const struct tls_session *session, size_t *count);
const struct certificate *tls_session_offered(const struct tls_session *session); /* leaf or NULL */

#endif
