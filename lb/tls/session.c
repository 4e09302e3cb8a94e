#include "lb/tls/session.h"

#include <stdlib.h>
#include <strings.h>

#include "lb/tls/alpn.h"
#include "lb/tls/client_parts.h"
#include "lb/tls/failure.h"
#include "lb/tls/precheck.h"
#include "lb/tls/retry.h"
#include "lb/tls/session_parts.h"

enum {
    RECORD_PLAIN_MAX = 16384,
    RECORD_OVERHEAD = 64,   /* header, nonce, tag, content type: at most 30 */
    FLIGHT_MAX = 96 * 1024, /* the largest flight of a handshake: wolfSSL's limit for a chain, and room */
};

/* ---- scratch ---- */

bool tls_scratch_init(struct tls_scratch *scratch, size_t input_max)
{
    size_t records = input_max / RECORD_PLAIN_MAX + 1;
    *scratch = (struct tls_scratch){
        /* What one read completes of a record that was begun before comes on top. */
        .plain_cap = input_max + 2 * RECORD_PLAIN_MAX,
        .out_cap = input_max + records * RECORD_OVERHEAD + FLIGHT_MAX,
    };
    scratch->plain = malloc(scratch->plain_cap);
    scratch->out = malloc(scratch->out_cap);
    if (scratch->plain && scratch->out)
        return true;
    tls_scratch_free(scratch);
    return false;
}

void tls_scratch_free(struct tls_scratch *scratch)
{
    free(scratch->plain);
    free(scratch->out);
    *scratch = (struct tls_scratch){0};
}

/* ---- life ---- */

static bool attach(struct tls_session *session)
{
    WOLFSSL *ssl = session->ssl;
    if (!ssl)
        return false;
    wolfSSL_SetIOReadCtx(ssl, session);
    wolfSSL_SetIOWriteCtx(ssl, session);
    wolfSSL_SetCertCbCtx(ssl, session);
    return true;
}

struct tls_session *tls_session_new(struct tls_context *context, struct tls_scratch *scratch)
{
    struct tls_session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    context_hold(context);
    session->context = context;
    session->scratch = scratch;
    session->ssl = wolfSSL_new(context->ctx);
    if (attach(session))
        return session;
    tls_session_free(session);
    return NULL;
}

void tls_session_free(struct tls_session *session)
{
    if (!session)
        return;
    session->muted = true;
    wolfSSL_free(session->ssl);
    retry_free(session->retry);
    resume_end(session);
    free(session->captured);
    free(session->failure);
    if (session->peer && !session->done)
        peer_forget(session->peer);
    peer_drop(session->peer);
    tls_context_free(session->context);
    free(session);
}

/* ---- failing ---- */

/* The reasons from certificate-missing to crl-missing stand in a row. */
static enum reason reason_with_server(enum reason reason)
{
    if (reason >= REASON_CERTIFICATE_MISSING && reason <= REASON_CRL_MISSING)
        return REASON_SERVER_CERTIFICATE;
    return reason == REASON_NO_MEMORY ? reason : REASON_SERVER_TLS_FAILED;
}

void session_refuse(struct tls_session *session, const struct tls_failure *failure)
{
    session->broken = true;
    if (session->failure)
        return;
    session->failure = malloc(sizeof *session->failure);
    if (session->failure)
        *session->failure = *failure;
    if (session->failure && session->peer)
        session->failure->reason = reason_with_server(failure->reason);
    if (session->peer)
        peer_forget(session->peer);
}

void session_refuse_now(struct tls_session *session, const struct tls_failure *failure)
{
    if (!session->broken && failure->alert_sent >= 0)
        library_alert(session->ssl, failure->alert_sent);
    session->muted = true;
    session_refuse(session, failure);
}

static enum tls_result fail(struct tls_session *session, int error)
{
    failure_from_library(session, error);
    session->broken = true;
    session->in = (struct slice){"", 0};
    return TLS_FAILED;
}

/* ---- handshake ---- */

/* wolfSSL keeps the intermediates that a client sent in the context, where they would complete the next
 * client's chain. */
static void forget_intermediates(struct tls_session *session)
{
    if (!session->chain_came)
        return;
    wolfSSL_CertManagerUnloadIntermediateCerts(wolfSSL_CTX_GetCertManager(session->context->ctx));
    session->chain_came = false;
}

/* The library can only have finished without a verified chain where none is demanded. */
static bool is_authenticated(const struct tls_session *session)
{
    return session->context->mode != TLS_MUTUAL || session->verified;
}

/* In TLS 1.3 the server sends later what there is to keep. */
static void keep_early(struct tls_session *session)
{
    if (session->peer && strcmp(tls_session_version(session), "TLSv1.2") == 0 &&
        !tls_session_resumed(session))
        peer_keep(session);
}

static enum tls_result finish_handshake(struct tls_session *session)
{
    struct tls_failure failure;
    bool settled = session->peer || resume_settle(session);
    resume_end(session);
    if (session->peer)
        peer_take_up(session);
    if (!settled)
        failure_set(&failure, REASON_TLS_FAILED, ALERT_HANDSHAKE_FAILURE,
                    "the handshake resumed a session that was not admitted");
    else if (!is_authenticated(session))
        failure_set(&failure, REASON_CERTIFICATE_MISSING, ALERT_HANDSHAKE_FAILURE,
                    "the handshake ended without a verified certificate of the %s",
                    session->peer ? "server" : "client");
    else if (!session->peer || peer_agreed(session, &failure)) {
        session->done = true;
        keep_early(session);
        return TLS_OK;
    }
    session->verified = session->verified && settled;
    session_refuse_now(session, &failure);
    return TLS_FAILED;
}

/* Only a hello that is there in one piece, as hello_read gives it, is looked at: any other is left to
 * wolfSSL. */
static bool hello_is_acceptable(struct tls_session *session, struct slice in)
{
    char flat[HELLO_MAX + 5];
    struct hello hello;
    struct slice record;
    struct tls_failure failure;
    session->started = true;
    if (hello_read(in, flat, &hello, &record) != HELLO_COMPLETE)
        return true;
    resume_begin(session, &hello);
    if (precheck_hello(session->context, &hello, &failure))
        return alpn_choose(session->ssl, session->context->alpn, hello.alpn);
    session_refuse_now(session, &failure);
    return false;
}

static enum tls_result refuse_with(struct tls_session *session, const struct tls_failure *failure)
{
    session_refuse_now(session, failure);
    session->in = (struct slice){"", 0};
    return TLS_FAILED;
}

/* wolfSSL waits for more. After a HelloRetryRequest that is a hello, of which it must not see a byte before
 * it has been compared with the first one: `hello`, in one piece. */
static enum tls_result wait_for_more(struct tls_session *session, struct slice hello, size_t flight_at)
{
    struct tls_failure failure;
    const struct tls_scratch *scratch = session->scratch;
    if (session->peer || !retry_is_asked(slice_make(scratch->out + flight_at, scratch->out_len - flight_at)))
        return TLS_WANT;
    session->retry = retry_new(hello);
    if (session->retry)
        return TLS_WANT;
    failure = failure_no_memory;
    return refuse_with(session, &failure);
}

/* Drives wolfSSL with what is in session->in. `hello`: what it has been given since the connection began. */
static enum tls_result go_on(struct tls_session *session, struct slice hello)
{
    size_t flight_at = session->scratch->out_len;
    if (!session->peer)
        resume_arm(session);
    int result = session->peer ? wolfSSL_connect(session->ssl) : wolfSSL_accept(session->ssl);
    int error = result == WOLFSSL_SUCCESS ? 0 : wolfSSL_get_error(session->ssl, result);
    forget_intermediates(session);
    if (session->broken)
        return fail(session, error);
    if (result == WOLFSSL_SUCCESS)
        return finish_handshake(session);
    return error == WOLFSSL_ERROR_WANT_READ ? wait_for_more(session, hello, flight_at) : fail(session, error);
}

static enum tls_result go_on_with_second_hello(struct tls_session *session, struct slice in)
{
    struct tls_failure failure;
    enum retry_result came = retry_add(session->retry, in, &session->in, &failure);
    if (came == RETRY_PARTIAL)
        return TLS_WANT;
    if (came == RETRY_REFUSED)
        return refuse_with(session, &failure);
    struct retry *retry = session->retry;
    session->retry = NULL;
    enum tls_result result = go_on(session, (struct slice){"", 0});
    session->in = (struct slice){"", 0};
    retry_free(retry);
    if (result == TLS_WANT && came == RETRY_ALERT) {
        failure_set(&failure, REASON_TLS_FAILED, unexpected_message,
                    "the client sent a warning in place of its second hello");
        result = refuse_with(session, &failure);
    }
    return result;
}

static enum tls_result begin(struct tls_session *session, struct slice in)
{
    if (!hello_is_acceptable(session, in))
        return TLS_FAILED;
    flight_begin(&session->flight, in);
    session->in = in;
    return go_on(session, in);
}

static enum tls_result refuse_flight(struct tls_session *session)
{
    struct tls_failure failure;
    failure_set(
        &failure, REASON_TLS_FAILED, record_overflow, "%s",
        session->context->mode == TLS_ONE_WAY
            ? "the client sends more than 4 KB within a handshake without certificates: is it a TLS client?"
            : "the client sends more than 32 KB within its handshake: have it send fewer certificates");
    return refuse_with(session, &failure);
}

enum tls_result tls_session_handshake(struct tls_session *session, struct slice in)
{
    if (session->broken)
        return TLS_FAILED;
    if (session->done)
        return TLS_OK;
    if (!session->started)
        return begin(session, in);
    if (session->retry)
        return go_on_with_second_hello(session, in);
    session->in = in;
    enum tls_result result = go_on(session, (struct slice){"", 0});
    if (result == TLS_WANT && !session->peer && !flight_fits(&session->flight, in, session->context->mode))
        return refuse_flight(session);
    return result;
}

/* ---- data ---- */

/* Reads records until the input is used up. */
static enum tls_result drain(struct tls_session *session, size_t *len)
{
    struct tls_scratch *scratch = session->scratch;
    for (;;) {
        size_t room = scratch->plain_cap - *len;
        int got = room ? wolfSSL_read(session->ssl, scratch->plain + *len, (int)room) : 0;
        if (room == 0)
            return fail(session, BUFFER_E);
        if (got > 0) {
            *len += (size_t)got;
            continue;
        }
        int error = wolfSSL_get_error(session->ssl, got);
        if (error == WOLFSSL_ERROR_WANT_READ)
            return TLS_OK;
        if (error != WOLFSSL_ERROR_ZERO_RETURN)
            return fail(session, error);
        session->peer_closed = true;
        session->in = (struct slice){"", 0};
        return TLS_CLOSED;
    }
}

enum tls_result tls_session_read(struct tls_session *session, struct slice in, struct slice *plain)
{
    size_t len = 0;
    *plain = (struct slice){session->scratch->plain, 0};
    if (session->broken || !session->done)
        return TLS_FAILED;
    if (session->peer_closed)
        return TLS_CLOSED;
    enum tls_result result = TLS_OK;
    if (session->in.len > 0)
        result = drain(session, &len);
    if (result == TLS_OK) {
        session->in = in;
        result = drain(session, &len);
    }
    *plain = slice_make(session->scratch->plain, len);
    session->heard = session->heard || len > 0;
    if (session->ticket_came)
        peer_keep(session);
    return result;
}

bool tls_session_write(struct tls_session *session, struct slice plain)
{
    if (session->broken || session->closed || !session->done)
        return false;
    if (plain.len == 0)
        return true;
    int written = wolfSSL_write(session->ssl, plain.data, (int)plain.len);
    if (written > 0 && (size_t)written == plain.len)
        return true;
    fail(session, wolfSSL_get_error(session->ssl, written));
    return false;
}

void tls_session_close(struct tls_session *session)
{
    if (session->broken || session->closed || !session->done)
        return;
    session->closed = true;
    wolfSSL_shutdown(session->ssl);
}

void tls_session_alert(struct tls_session *session, int alert)
{
    if (session->broken || session->closed)
        return;
    session->closed = true;
    library_alert(session->ssl, alert);
    session->muted = true;
}

bool tls_session_truncated(const struct tls_session *session)
{
    return !session->peer_closed;
}

/* ---- facts ---- */

const struct tls_failure *tls_session_failure(const struct tls_session *session)
{
    return session->failure ? session->failure : &failure_no_memory;
}

const char *tls_session_version(const struct tls_session *session)
{
    return wolfSSL_get_version(session->ssl);
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

const char *tls_session_cipher(const struct tls_session *session)
{
    return or_empty(wolfSSL_get_cipher(session->ssl));
}

bool tls_session_is_tls13(const struct tls_session *session)
{
    return strcmp(tls_session_version(session), "TLSv1.3") == 0;
}

/* The two differ in TLS 1.2 only, where wolfSSL's own names are OpenSSL's. */
const char *tls_session_suite(const struct tls_session *session)
{
    return tls_session_is_tls13(session) ? tls_session_cipher(session)
                                         : or_empty(wolfSSL_get_cipher_name(session->ssl));
}

const struct tls_own *tls_session_own(const struct tls_session *session)
{
    return &session->context->own;
}

const char *tls_session_scheme(const struct tls_session *session)
{
    bool told = tls_session_is_tls13(session) && !tls_session_resumed(session);
    return told ? session->context->own.scheme : "";
}

const char *tls_session_group(const struct tls_session *session)
{
    return or_empty(wolfSSL_get_curve_name(session->ssl));
}

size_t tls_session_group_index(const struct tls_session *session)
{
    const char *name = tls_session_group(session), *const *names = tls_group_names();
    for (size_t i = 0; i < TLS_GROUP_COUNT; i++)
        if (strcasecmp(names[i], name) == 0)
            return i;
    return TLS_GROUP_COUNT;
}

struct slice tls_session_alpn(const struct tls_session *session)
{
    char *name = NULL;
    unsigned short len = 0;
    if (wolfSSL_ALPN_GetProtocol(session->ssl, &name, &len) != WOLFSSL_SUCCESS || !name)
        return (struct slice){"", 0};
    return slice_make(name, len);
}

bool tls_session_resumed(const struct tls_session *session)
{
    return (session->done || session->peer) && wolfSSL_session_reused(session->ssl) == 1;
}

enum tls_refusal tls_session_refusal(const struct tls_session *session)
{
    return session->refusal;
}

const struct certificate *tls_session_chain(const struct tls_session *session, size_t *count)
{
    bool proven = session->done && session->verified && session->captured;
    *count = proven ? session->captured->count : 0;
    return proven ? session->captured->list : NULL;
}

const struct certificate *tls_session_offered(const struct tls_session *session)
{
    return session->captured ? session->captured->list : NULL;
}
