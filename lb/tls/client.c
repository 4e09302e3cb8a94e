/* Sessions to servers: what they begin with, and what is kept of them. */
#include "lb/tls/client.h"

#include <stdlib.h>

#include "lb/base/clock.h"
#include "lb/base/memory.h"
#include "lb/tls/client_parts.h"
#include "lb/tls/host_match.h"

enum { ALERT_NO_APPLICATION_PROTOCOL = 120 };

/* ---- a server ---- */

struct tls_peer *tls_peer_new(struct tls_context *context, const char *name)
{
    struct tls_peer *peer = mem_new(sizeof *peer);
    atomic_init(&peer->users, 1);
    context_hold(context);
    peer->context = context;
    peer->name = mem_copy(name);
    return peer;
}

void peer_forget(struct tls_peer *peer)
{
    wolfSSL_SESSION_free(peer->kept);
    peer->kept = NULL;
}

void peer_drop(struct tls_peer *peer)
{
    if (!peer || atomic_fetch_sub_explicit(&peer->users, 1, memory_order_acq_rel) > 1)
        return;
    peer_forget(peer);
    tls_context_free(peer->context);
    free(peer->name);
    free(peer);
}

void tls_peer_free(struct tls_peer *peer)
{
    peer_drop(peer);
}

bool peer_judge_name(const struct tls_peer *peer, const struct certificate *leaf, struct tls_failure *failure)
{
    char subject[BRIEF_MAX];
    if (peer->name && host_matches_certificate(leaf->extensions, slice_of(peer->name)))
        return true;
    brief_name(leaf->subject, subject);
    if (peer->name)
        failure_set(failure, REASON_CERTIFICATE_PURPOSE, ALERT_BAD_CERTIFICATE,
                    "certificate %s is not for %.100s: no subjectAltName is that (a common name does not "
                    "count); set verify-host if another is meant",
                    subject, peer->name);
    else
        failure_set(failure, REASON_CERTIFICATE_PURPOSE, ALERT_BAD_CERTIFICATE,
                    "certificate %s: it is not known which name to look for; set verify-host", subject);
    return false;
}

/* ---- beginning ---- */

static int note_ticket(WOLFSSL *ssl, const unsigned char *ticket, int len, void *context)
{
    struct tls_session *session = context;
    (void)ssl;
    (void)ticket;
    session->ticket_came = len > 0;
    return 0;
}

/* A copy: the library writes into the session that it is given, and other handshakes use it meanwhile. */
static void offer_kept(struct tls_session *session)
{
    struct tls_peer *peer = session->peer;
    if (!peer->kept || !slice_is(slice_of(peer->kept_names), session->protocols->names))
        return;
    if (clock_unix_s() >= peer->kept_until) {
        peer_forget(peer);
        return;
    }
    WOLFSSL_SESSION *copy = wolfSSL_SESSION_dup(peer->kept);
    if (copy && wolfSSL_set_session(session->ssl, copy) == WOLFSSL_SUCCESS)
        session->good_until = peer->kept_until;
    else
        peer_forget(peer); /* past the time that the server gave it */
    wolfSSL_SESSION_free(copy);
}

/* RFC 6066 section 3: no addresses, and no dot at the end. */
static bool send_name(WOLFSSL *ssl, const char *name)
{
    struct slice host = slice_of(name);
    if (!name || !host_is_name(host))
        return true;
    size_t len = host.len - (host.data[host.len - 1] == '.');
    return wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, name, (unsigned short)len) == WOLFSSL_SUCCESS;
}

static bool offer_protocols(WOLFSSL *ssl, const char *names)
{
    char list[256]; /* the library cuts it into pieces */
    struct slice text = slice_of(names);
    if (text.len == 0)
        return true;
    if (text.len >= sizeof list)
        return false;
    memcpy(list, text.data, text.len + 1);
    return wolfSSL_UseALPN(ssl, list, (unsigned)text.len, WOLFSSL_ALPN_FAILED_ON_MISMATCH) == WOLFSSL_SUCCESS;
}

static bool prepare(struct tls_session *session)
{
    WOLFSSL *ssl = session->ssl;
    if (!send_name(ssl, session->peer->name) || !offer_protocols(ssl, session->protocols->names))
        return false;
    wolfSSL_set_SessionTicket_cb(ssl, note_ticket, session);
    offer_kept(session);
    return true;
}

struct tls_session *tls_session_connect(struct tls_peer *peer, const struct tls_protocols *protocols,
                                        struct tls_scratch *scratch)
{
    struct tls_session *session = tls_session_new(peer->context, scratch);
    if (!session)
        return NULL;
    atomic_fetch_add_explicit(&peer->users, 1, memory_order_relaxed);
    session->peer = peer;
    session->protocols = protocols;
    session->started = true;
    if (prepare(session))
        return session;
    tls_session_free(session);
    return NULL;
}

/* ---- what comes of it ---- */

void peer_take_up(struct tls_session *session)
{
    bool verifies = session->context->mode == TLS_MUTUAL;
    if (tls_session_resumed(session))
        session->verified = verifies && session->good_until > 0;
    else if (!verifies)
        session->good_until = clock_unix_s() + PEER_VERIFIED_SECONDS;
}

void peer_keep(struct tls_session *session)
{
    struct tls_peer *peer = session->peer;
    bool verified = session->verified || session->context->mode != TLS_MUTUAL;
    session->ticket_came = false;
    if (!session->done || session->broken || !verified || session->good_until <= clock_unix_s())
        return;
    WOLFSSL_SESSION *own = wolfSSL_get1_session(session->ssl);
    WOLFSSL_SESSION *copy = own && wolfSSL_SessionIsSetup(own) ? wolfSSL_SESSION_dup(own) : NULL;
    wolfSSL_SESSION_free(own);
    if (!copy)
        return;
    peer_forget(peer);
    peer->kept = copy;
    peer->kept_names = session->protocols->names;
    peer->kept_until = session->good_until;
}

bool peer_agreed(struct tls_session *session, struct tls_failure *failure)
{
    const struct tls_protocols *protocols = session->protocols;
    if (!protocols->required || tls_session_alpn(session).len > 0)
        return true;
    failure_set(failure, REASON_TLS_FAILED, ALERT_NO_APPLICATION_PROTOCOL,
                "the server does not agree on %.100s by ALPN", protocols->names);
    return false;
}

const struct tls_failure *tls_session_why(const struct tls_session *session)
{
    static const struct tls_failure left = {
        .reason = REASON_SERVER_TLS_FAILED,
        .alert_sent = -1,
        .alert_received = -1,
        .text = "the server ended the connection during the TLS handshake",
    };
    return session->broken ? tls_session_failure(session) : &left;
}

bool tls_session_spurned(const struct tls_session *session)
{
    int alert = session->failure ? session->failure->alert_received : -1;
    bool of_certificates = (alert >= ALERT_BAD_CERTIFICATE && alert <= ALERT_CERTIFICATE_UNKNOWN) ||
                           alert == ALERT_UNKNOWN_CA || alert == ALERT_CERTIFICATE_REQUIRED;
    return session->peer && of_certificates && !session->heard;
}
