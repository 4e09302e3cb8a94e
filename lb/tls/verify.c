#include "lb/tls/verify.h"

#include <stdlib.h>

#include "lb/tls/client_parts.h"
#include "lb/tls/failure.h"
#include "lb/tls/session_parts.h"

/* The certificates of one Certificate message. */
struct sent {
    struct certificate list[PATH_SENT_MAX];
    size_t count;    /* opened */
    size_t all;      /* sent */
    const char *why; /* the one after `count` cannot be opened */
};

static void open_sent(const WOLFSSL_X509_STORE_CTX *store, struct sent *out)
{
    out->all = (size_t)store->totalCerts;
    out->count = 0;
    out->why = NULL;
    while (out->count < out->all && out->count < PATH_SENT_MAX) {
        const WOLFSSL_BUFFER_INFO *der = &store->certs[out->count];
        if (!certificate_open(slice_make(der->buffer, der->length), &out->list[out->count], &out->why))
            return;
        out->count++;
    }
}

/* ---- keeping ---- */

static bool capture(struct tls_session *session, const struct path *path)
{
    struct captured *captured = captured_new(path);
    if (!captured)
        return false;
    free(session->captured);
    session->captured = captured;
    return true;
}

static void capture_offered(struct tls_session *session, const struct sent *sent)
{
    const struct path leaf = {.list = {&sent->list[0]}, .count = 1};
    if (sent->count > 0)
        capture(session, &leaf);
}

/* ---- deciding ---- */

static bool is_signature_error(int error)
{
    return error == ASN_SIG_CONFIRM_E || error == ASN_SIG_HASH_E || error == ASN_SIG_KEY_E;
}

static bool is_date_error(int error)
{
    return error == ASN_AFTER_DATE_E || error == ASN_BEFORE_DATE_E;
}

static bool refuse_malformed(const struct sent *sent, struct tls_failure *failure)
{
    failure_set(failure, REASON_CERTIFICATE_MALFORMED, ALERT_BAD_CERTIFICATE,
                "certificate %zu of the %zu sent cannot be used: %s", sent->count + 1, sent->all, sent->why);
    return false;
}

/* lb's rules first, for they have the better words; then the library's verdict, which holds in any case. A
 * dry run for another time leaves the dates to lb's rules. */
static bool decide(struct tls_session *session, int error, size_t depth, const struct sent *sent,
                   struct path *path, struct tls_failure *failure)
{
    struct trust *trust = session->context->trust;
    int64_t now = context_now(session->context);
    if (sent->why)
        return refuse_malformed(sent, failure);
    path_build(trust, sent->list, sent->count, error == 0, now, path);
    if (!is_signature_error(error) && !path_judge(trust, path, sent->all, now, failure))
        return false;
    if (session->peer && error == 0 && !peer_judge_name(session->peer, &sent->list[0], failure))
        return false;
    if (error == 0 || (session->context->at && is_date_error(error)))
        return true;
    failure_from_certificate(error, &sent->list[depth < sent->count ? depth : 0], path, failure);
    return false;
}

/* wolfSSL also wants the issuer of an intermediate that client-ca has as an anchor. That very certificate
 * needs none. */
static bool is_sent_anchor(const struct trust *trust, int error, const struct certificate *certificate)
{
    bool alone = error == ASN_NO_SIGNER_E || error == ASN_SELF_SIGNED_E;
    return alone && trust_has_anchor(trust, certificate);
}

/* Of a server nobody asks who it is once that is proven; how long it holds is another matter. */
static bool admit_server(struct tls_session *session, const struct path *path)
{
    session->good_until = context_now(session->context) + PEER_VERIFIED_SECONDS;
    for (size_t i = 0; i < path->count; i++)
        if (path->list[i]->not_after < session->good_until)
            session->good_until = path->list[i]->not_after;
    session->verified = path->anchored;
    return session->verified;
}

static bool admit(struct tls_session *session, const struct path *path, struct tls_failure *failure)
{
    if (session->peer && admit_server(session, path))
        return true;
    session->verified = path->anchored && capture(session, path);
    if (!session->verified)
        failure_set(failure, REASON_NO_MEMORY, internal_error,
                    "out of memory while keeping the client's certificate");
    return session->verified;
}

int verify_callback(int preverify, WOLFSSL_X509_STORE_CTX *store)
{
    struct tls_session *session = store->userCtx;
    if (store->totalCerts <= 0)
        return preverify && session->context->mode == TLS_MUTUAL_OPTIONAL;
    session->chain_came = session->chain_came || store->totalCerts > 1;
    if (session->broken)
        return 0;
    size_t depth = store->error_depth > 0 ? (size_t)store->error_depth : 0;
    if (preverify && depth > 0)
        return 1;
    struct sent sent;
    struct path path;
    struct tls_failure failure;
    open_sent(store, &sent);
    int error = preverify ? 0 : store->error ? store->error : VERIFY_CERT_ERROR;
    if (depth > 0 && depth < sent.count && is_sent_anchor(session->context->trust, error, &sent.list[depth]))
        return 1;
    if (decide(session, error, depth, &sent, &path, &failure) &&
        (depth > 0 || admit(session, &path, &failure)))
        return 1;
    session->verified = false;
    capture_offered(session, &sent);
    session_refuse_now(session, &failure);
    return 0;
}
