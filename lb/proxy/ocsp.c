#include "lb/proxy/ocsp.h"

#include <stdio.h>
#include <stdlib.h>

#include "lb/base/clock.h"
#include "lb/net/fetch.h"
#include "lb/proxy/http.h"
#include "lb/proxy/steps.h"
#include "lb/tls/ocsp_cache.h"
#include "lb/tls/path.h"

enum { OVERDUE_MS = 1000, TELL_MS = 1000, TEXT_MAX = 512 };

/* The questions that one thread has open. */
struct ocsp_desk {
    struct ocsp_question *first;
    unsigned count;
    uint64_t told_ms; /* when a failure was logged last */
};

/* Everything is a copy: who asked may be gone, and his snapshot, when the answer comes. */
struct ocsp_question {
    struct ocsp_question *next, **link;
    struct proxy_thread *thread;
    struct ocsp_key key;
    struct fetch *fetch;
    struct conn *asking; /* those that wait */
    struct certificate certificate, issuer, signer;
    struct ocsp_subject subject;
    const char *url;
    char bytes[]; /* what the above point into */
};

/* What a connection wants to know. */
struct inquiry {
    const struct tls_settings *settings;
    struct ocsp_subject subject;
    struct certificate signer;
    struct slice url;
    struct ocsp_key key;
};

static const struct tls_settings *settings_of(const struct conn *conn)
{
    return &conn->service->listener->tls;
}

bool ocsp_must_ask(const struct conn *conn)
{
    size_t count;
    return settings_of(conn)->ocsp != OCSP_OFF && conn_chain(conn, &count) && count > 0;
}

/* ---- what an answer means ---- */

static enum ocsp_result result_of(enum ocsp_known known)
{
    switch (known) {
    case OCSP_KNOWN_GOOD: return OCSP_RESULT_GOOD;
    case OCSP_KNOWN_REVOKED: return OCSP_RESULT_REVOKED;
    case OCSP_KNOWN_UNKNOWN: return OCSP_RESULT_UNKNOWN;
    default: return OCSP_RESULT_NONE;
    }
}

static void refuse_revoked(struct conn *conn)
{
    char text[TEXT_MAX], name[BRIEF_MAX], serial[64];
    size_t count;
    const struct certificate *leaf = conn_chain(conn, &count);
    snprintf(text, sizeof text, "certificate %s, serial %s, is revoked, says its OCSP responder",
             brief_name(leaf->subject, name), certificate_serial(leaf, serial, sizeof serial));
    authorize_uncertified(conn, REASON_CERTIFICATE_REVOKED, ALERT_CERTIFICATE_REVOKED, text);
}

static void refuse_unproven(struct conn *conn, struct slice url, const char *why)
{
    char text[TEXT_MAX];
    if (url.len > 0)
        snprintf(text, sizeof text,
                 "OCSP %.*s: %s: see that it answers, or name another responder with ocsp-url",
                 (int)(url.len < 200 ? url.len : 200), url.data, why);
    else
        snprintf(text, sizeof text, "OCSP: %s", why);
    authorize_uncertified(conn, REASON_OCSP_UNAVAILABLE, ALERT_CERTIFICATE_UNKNOWN, text);
}

/* `why` is for a client that is refused for want of an answer. */
static void conclude(struct conn *conn, enum ocsp_known known, struct slice url, const char *why)
{
    count(&conn->service->listener->state->ocsp[result_of(known)], 1);
    if (known == OCSP_KNOWN_REVOKED)
        refuse_revoked(conn);
    else if (known == OCSP_KNOWN_GOOD || settings_of(conn)->ocsp == OCSP_SOFT)
        authorize_certified(conn);
    else if (known == OCSP_KNOWN_UNKNOWN)
        refuse_unproven(conn, url, "the responder does not know the certificate");
    else
        refuse_unproven(conn, url, why);
}

/* ---- a question ---- */

static void join(struct conn *conn, struct ocsp_question *question)
{
    conn->question = question;
    conn->next_asking = question->asking;
    if (conn->next_asking)
        conn->next_asking->asking = &conn->next_asking;
    conn->asking = &question->asking;
    question->asking = conn;
}

void ocsp_leave(struct conn *conn)
{
    if (!conn->question)
        return;
    *conn->asking = conn->next_asking;
    if (conn->next_asking)
        conn->next_asking->asking = conn->asking;
    conn->question = NULL;
    conn->next_asking = NULL;
    conn->asking = NULL;
}

static void unlink_question(struct ocsp_question *question)
{
    *question->link = question->next;
    if (question->next)
        question->next->link = question->link;
    question->thread->ocsp->count--;
}

/* Responders that fail may fail for many certificates: one line a second is enough. */
static void tell_failure(const struct ocsp_question *question, const char *why)
{
    struct ocsp_desk *desk = question->thread->ocsp;
    uint64_t now = uv_now(question->thread->net.loop);
    char name[BRIEF_MAX];
    if (desk->told_ms && now - desk->told_ms < TELL_MS)
        return;
    desk->told_ms = now;
    log_event(question->thread->log, LOG_WARNING, "OCSP %.200s about %s: %s", question->url,
              brief_name(question->certificate.subject, name), why);
}

static enum ocsp_known keep(const struct ocsp_question *question, const struct ocsp_answer *answer,
                            int64_t now)
{
    static const enum ocsp_known knows[] = {OCSP_KNOWN_GOOD, OCSP_KNOWN_REVOKED, OCSP_KNOWN_UNKNOWN};
    enum ocsp_known known = knows[answer->status];
    int64_t until = answer->until < now + OCSP_KEPT_MAX ? answer->until : now + OCSP_KEPT_MAX;
    if (known == OCSP_KNOWN_UNKNOWN && until > now + OCSP_KEPT_NONE) /* it may just be too new */
        until = now + OCSP_KEPT_NONE;
    ocsp_cache_put(question->thread->answers, &question->key, known, until);
    return known;
}

static enum ocsp_known keep_none(const struct ocsp_question *question, const char *why, int64_t now)
{
    ocsp_cache_put(question->thread->answers, &question->key, OCSP_NO_ANSWER, now + OCSP_KEPT_NONE);
    tell_failure(question, why);
    return OCSP_NO_ANSWER;
}

/* Whoever comes from now on asks the cache. */
static void on_answer(void *context, struct slice body, const char *why)
{
    struct ocsp_question *question = context;
    struct ocsp_answer answer;
    int64_t now = clock_unix_s();
    bool good = !why && ocsp_read(body, &question->subject, now, &answer, &why);
    enum ocsp_known known = good ? keep(question, &answer, now) : keep_none(question, why, now);
    unlink_question(question);
    while (question->asking) {
        struct conn *conn = question->asking;
        ocsp_leave(conn);
        conclude(conn, known, slice_of(question->url), why);
    }
    free(question);
}

static struct certificate copy_certificate(char **at, const struct certificate *from)
{
    struct certificate copy;
    const char *why;
    memcpy(*at, from->der.data, from->der.len);
    certificate_open(slice_make(*at, from->der.len), &copy, &why);
    *at += from->der.len;
    return copy;
}

static struct ocsp_question *allocate(struct proxy_thread *thread, const struct inquiry *inquiry)
{
    const struct ocsp_subject *subject = &inquiry->subject;
    size_t room = subject->certificate->der.len + subject->issuer->der.len + inquiry->url.len + 1 +
                  (subject->signer ? subject->signer->der.len : 0);
    struct ocsp_question *question = calloc(1, sizeof *question + room);
    if (!question)
        return NULL;
    char *at = question->bytes;
    question->thread = thread;
    question->key = inquiry->key;
    question->certificate = copy_certificate(&at, subject->certificate);
    question->issuer = copy_certificate(&at, subject->issuer);
    if (subject->signer)
        question->signer = copy_certificate(&at, subject->signer);
    question->subject = (struct ocsp_subject){&question->certificate, &question->issuer,
                                              subject->signer ? &question->signer : NULL};
    memcpy(at, inquiry->url.data, inquiry->url.len);
    question->url = at;
    return question;
}

/* False: it cannot be asked now; *why says so. */
static bool send_question(struct ocsp_question *question, uint64_t timeout_ms, const char **why)
{
    char request[OCSP_REQUEST_MAX];
    struct http_url url;
    size_t len = ocsp_request(&question->subject, request);
    if (!http_url_parse(slice_of(question->url), &url, why))
        return false;
    *why = len > 0 ? "out of memory or descriptors" : "the certificate cannot be named in a question";
    if (len > 0)
        question->fetch = fetch_post(question->thread->net.loop, &url, "application/ocsp-request",
                                     slice_make(request, len), timeout_ms, on_answer, question);
    return question->fetch != NULL;
}

static struct ocsp_question *open_question(struct proxy_thread *thread, const struct inquiry *inquiry,
                                           const char **why)
{
    struct ocsp_desk *desk = thread->ocsp;
    *why = "too many questions are open";
    struct ocsp_question *question = desk->count < OCSP_QUESTIONS_MAX ? allocate(thread, inquiry) : NULL;
    if (!question)
        return NULL;
    if (!send_question(question, inquiry->settings->ocsp_timeout_ms, why)) {
        keep_none(question, *why, clock_unix_s());
        free(question);
        return NULL;
    }
    question->next = desk->first;
    if (question->next)
        question->next->link = &question->next;
    question->link = &desk->first;
    desk->first = question;
    desk->count++;
    return question;
}

static struct ocsp_question *find_question(const struct ocsp_desk *desk, const struct ocsp_key *key)
{
    struct ocsp_question *question = desk->first;
    while (question && memcmp(&question->key, key, sizeof *key) != 0)
        question = question->next;
    return question;
}

/* ---- a connection asks ---- */

static void wait(struct conn *conn, const struct inquiry *inquiry, struct ocsp_question *question)
{
    join(conn, question);
    conn->wait_ms = inquiry->settings->ocsp_timeout_ms + OVERDUE_MS;
    if (conn->http)
        http_decide_wait(conn, conn->wait_ms);
    else
        conn_enter(conn, CONN_AUTHORIZE);
}

static bool has_desk(struct proxy_thread *thread)
{
    if (!thread->ocsp)
        thread->ocsp = calloc(1, sizeof *thread->ocsp);
    return thread->ocsp != NULL;
}

static void ask_responder(struct conn *conn, const struct inquiry *inquiry)
{
    const char *why = "out of memory";
    struct ocsp_question *question = NULL;
    if (has_desk(conn->thread))
        question = find_question(conn->thread->ocsp, &inquiry->key);
    if (!question && conn->thread->ocsp)
        question = open_question(conn->thread, inquiry, &why);
    if (question)
        wait(conn, inquiry, question);
    else
        conclude(conn, OCSP_NO_ANSWER, inquiry->url, why);
}

/* NULL, or why nobody can be asked about this certificate. */
static const char *read_inquiry(const struct conn *conn, const struct tls_settings *settings,
                                struct inquiry *out)
{
    const char *why;
    size_t count;
    const struct certificate *chain = conn_chain(conn, &count);
    *out = (struct inquiry){.settings = settings, .url = {"", 0}};
    if (count < 2)
        return "the certificate is itself one of client-ca: nobody answers for it";
    out->subject = (struct ocsp_subject){.certificate = &chain[0], .issuer = &chain[1]};
    if (settings->ocsp_signer.data &&
        certificate_open(slice_make(settings->ocsp_signer.data, settings->ocsp_signer.len), &out->signer,
                         &why))
        out->subject.signer = &out->signer;
    out->url = settings->ocsp_url ? slice_of(settings->ocsp_url) : ocsp_url(&chain[0]);
    if (out->url.len == 0)
        return "the certificate names no responder (http://): name one with ocsp-url";
    return ocsp_key_of(&out->subject, out->url, &out->key) ? NULL : "out of memory";
}

void ocsp_ask(struct conn *conn)
{
    struct inquiry inquiry;
    const char *why = read_inquiry(conn, settings_of(conn), &inquiry);
    if (why) {
        conclude(conn, OCSP_NO_ANSWER, inquiry.url, why);
        return;
    }
    enum ocsp_known known = ocsp_cache_get(conn->thread->answers, &inquiry.key, clock_unix_s());
    if (known == OCSP_NOT_KNOWN)
        ask_responder(conn, &inquiry);
    else
        conclude(conn, known, inquiry.url, "no answer when it was asked a moment ago");
}

bool ocsp_known_revoked(const struct conn *conn, const struct service *service)
{
    const struct tls_settings *settings = &service->listener->tls;
    struct inquiry inquiry;
    size_t count;
    return settings->ocsp != OCSP_OFF && conn_chain(conn, &count) && count > 0 &&
           !read_inquiry(conn, settings, &inquiry) &&
           ocsp_cache_get(conn->thread->answers, &inquiry.key, clock_unix_s()) == OCSP_KNOWN_REVOKED;
}

void ocsp_overdue(struct conn *conn)
{
    char url[URL_MAX + 1];
    snprintf(url, sizeof url, "%s", conn->question->url);
    ocsp_leave(conn);
    conclude(conn, OCSP_NO_ANSWER, slice_of(url), "no answer in time");
}

void ocsp_close(struct proxy_thread *thread)
{
    while (thread->ocsp && thread->ocsp->first) {
        struct ocsp_question *question = thread->ocsp->first;
        unlink_question(question);
        fetch_cancel(question->fetch);
        free(question);
    }
    free(thread->ocsp);
    thread->ocsp = NULL;
}
