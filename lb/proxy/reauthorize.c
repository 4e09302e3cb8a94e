#include "lb/proxy/reauthorize.h"

#include <stdlib.h>
#include <string.h>

#include "lb/base/clock.h"
#include "lb/proxy/http.h"
#include "lb/proxy/ocsp.h"
#include "lb/proxy/steps.h"

/* CPU time that one slice may take before the loop looks at everything else. */
#define SLICE_US 1000

/* A connection that waits to be judged, or whose script waits. */
struct recheck {
    struct deadline deadline; /* of the script */
    struct recheck *next, *prev;
    struct conn *conn;
    bool queued;
    struct service *service; /* whose generation is held while the script waits */
    struct script_call *call;
    struct authorize_facts *facts;
};

/* ---- the queue ---- */

static void unqueue(struct reauthorizer *all, struct recheck *recheck)
{
    if (!recheck->queued)
        return;
    *(recheck->prev ? &recheck->prev->next : &all->first) = recheck->next;
    *(recheck->next ? &recheck->next->prev : &all->last) = recheck->prev;
    recheck->next = recheck->prev = NULL;
    recheck->queued = false;
}

static void enqueue(struct reauthorizer *all, struct recheck *recheck)
{
    if (recheck->queued)
        return;
    recheck->prev = all->last;
    *(all->last ? &all->last->next : &all->first) = recheck;
    all->last = recheck;
    recheck->queued = true;
}

static void cancel_script(struct recheck *recheck)
{
    wheel_disarm(&recheck->conn->thread->wheel, &recheck->deadline.entry);
    if (recheck->call)
        script_cancel(&recheck->call);
    free(recheck->facts);
    recheck->facts = NULL;
    if (recheck->service)
        generation_drop(recheck->service->generation);
    recheck->service = NULL;
}

void reauthorize_forget(struct conn *conn)
{
    struct recheck *recheck = conn->recheck;
    if (!recheck)
        return;
    conn->recheck = NULL;
    unqueue(conn->thread->reauthorizer, recheck);
    cancel_script(recheck);
    free(recheck);
}

/* ---- the end of one ---- */

static struct listener_state *state_of(const struct conn *conn)
{
    return conn->service->listener->state;
}

static void note_lag(struct conn *conn)
{
    uint64_t lag = clock_us() - conn->thread->reauthorizer->changed_us;
    atomic_store_explicit(&state_of(conn)->reauthorize_lag_us, lag, memory_order_relaxed);
}

static void keep(struct conn *conn)
{
    count(&state_of(conn)->reauthorized, 1);
    reauthorize_forget(conn);
}

static void end(struct conn *conn, const char *text)
{
    note_lag(conn);
    conn->authorized = false; /* the decision that the log tells is the last one */
    if (text && text[0]) {
        free(conn->decision.text);
        conn->decision.text = strdup(text);
    }
    stream_alert(conn->client, TLS_ALERT_ACCESS_DENIED);
    conn_close(conn, REASON_REAUTHORIZATION);
}

/* ---- the script ---- */

static void conclude(struct conn *conn, const struct script_outcome *outcome)
{
    struct recheck *recheck = conn->recheck;
    if (outcome->verdict == SCRIPT_WAIT)
        wheel_arm(&conn->thread->wheel, &recheck->deadline.entry,
                  conn_now_ms(conn) + (outcome->wait_ms ? outcome->wait_ms : 1));
    else if (outcome->verdict == SCRIPT_ALLOW)
        keep(conn);
    else
        end(conn, outcome->text);
}

static void resume(struct deadline *deadline)
{
    struct recheck *recheck = (struct recheck *)deadline;
    struct script_outcome outcome;
    script_resume(&recheck->call, &outcome);
    conclude(recheck->conn, &outcome);
    free(outcome.extra);
}

static void ask(struct conn *conn, struct service *service)
{
    struct recheck *recheck = conn->recheck;
    struct script_outcome outcome;
    recheck->facts = authorize_collect(conn);
    if (!recheck->facts) {
        end(conn, "out of memory");
        return;
    }
    recheck->service = service;
    generation_hold(service->generation);
    script_authorize(service->script, authorize_conn_of(recheck->facts), &outcome, &recheck->call);
    conclude(conn, &outcome);
    free(outcome.extra);
}

/* ---- judging ---- */

/* NULL after refusing. */
static struct service *newest_for(struct conn *conn)
{
    struct service *service =
        generation_service(conn->thread->current, conn->service->listener->name, conn->server_name);
    if (!service)
        end(conn, "the listener is no more");
    else if (service->listener->tls.mode == TLS_OFF)
        end(conn, "the listener has no TLS any more");
    else
        return service;
    return NULL;
}

static void judge(struct conn *conn)
{
    struct tls_failure failure = {0};
    size_t length;
    const struct certificate *chain = conn_chain(conn, &length);
    struct service *service = newest_for(conn);
    if (!service)
        return;
    if (!conn->client->tls) {
        end(conn, "the listener demands TLS now, and this connection has none");
        return;
    }
    struct tls_context *context = service_context(service, 0);
    if (!context || !tls_context_admits(context, chain, length, &failure))
        end(conn, context ? failure.text : "out of memory");
    else if (ocsp_known_revoked(conn, service))
        end(conn, "the certificate is revoked, says its OCSP responder");
    else if (service->script && script_decides_connections(service->script))
        ask(conn, service);
    else
        keep(conn);
}

/* One whose state does not hold it any more, or not yet, is decided elsewhere. */
static bool is_live(const struct conn *conn)
{
    return conn->state == CONN_CONNECT || conn->state == CONN_RELAY || conn->state == CONN_DRAIN ||
           conn->state == CONN_HTTP;
}

static void run_slice(uv_idle_t *idle)
{
    struct reauthorizer *all = idle->data;
    uint64_t until = clock_us() + SLICE_US;
    do {
        struct recheck *recheck = all->first;
        if (!recheck) {
            uv_idle_stop(idle);
            return;
        }
        unqueue(all, recheck);
        if (is_live(recheck->conn))
            judge(recheck->conn);
        else
            reauthorize_forget(recheck->conn);
    } while (clock_us() < until);
}

/* ---- which ones ---- */

static bool same_script(const struct service *a, const struct service *b)
{
    return (a->script ? script_fingerprint(a->script) : 0) == (b->script ? script_fingerprint(b->script) : 0);
}

/* What is watched while it lasts. */
static bool same_watch(const struct listener *a, const struct listener *b)
{
    return a->close_on_expiry == b->close_on_expiry && a->reauthorize == b->reauthorize;
}

bool service_shares_hosts(const struct service *a, const struct service *b)
{
    return a->listener->protocol == b->listener->protocol && same_watch(a->listener, b->listener) &&
           tls_settings_verify_alike(&a->listener->tls, &b->listener->tls) && same_script(a, b);
}

bool service_verifies_alike(struct proxy_thread *thread, const struct service *was, const struct service *is)
{
    struct comparison *known = &thread->reauthorizer->known[((uintptr_t)was >> 6) % COMPARISONS];
    if (known->was != was || known->is != is)
        *known =
            (struct comparison){was, is, tls_settings_verify_alike(&was->listener->tls, &is->listener->tls)};
    return known->alike;
}

void service_forget_alike(struct proxy_thread *thread)
{
    memset(thread->reauthorizer->known, 0, sizeof(thread->reauthorizer->known));
}

static bool concerns(const struct conn *conn)
{
    if (!is_live(conn)) /* one that is being closed has no name any more */
        return false;
    const struct service *was = conn->service;
    const struct service *is =
        generation_service(conn->thread->current, was->listener->name, conn->server_name);
    if (!is) /* a listener that is gone lets its connections finish */
        return false;
    bool asks = tls_mode_asks(was->listener->tls.mode) || tls_mode_asks(is->listener->tls.mode);
    if (!is->listener->reauthorize || !asks)
        return false;
    return !service_verifies_alike(conn->thread, was, is) || !same_script(was, is);
}

static void queue_conn(struct conn *conn)
{
    struct reauthorizer *all = conn->thread->reauthorizer;
    size_t length;
    conn_chain(conn, &length);
    if (length == 0)
        count(&state_of(conn)->reauthorize_unchecked, 1);
    if (conn->recheck)
        cancel_script(conn->recheck);
    else
        conn->recheck = calloc(1, sizeof(*conn->recheck));
    if (!conn->recheck) {
        end(conn, "out of memory");
        return;
    }
    conn->recheck->conn = conn;
    conn->recheck->deadline.fired = resume;
    enqueue(all, conn->recheck);
}

void reauthorize_begin(struct proxy_thread *thread)
{
    struct reauthorizer *all = thread->reauthorizer;
    struct conn *next;
    for (struct conn *conn = thread->first; conn; conn = next) {
        next = conn->next;
        if (conn->recheck || concerns(conn))
            queue_conn(conn);
    }
    if (!all->first)
        return;
    /* The lag of what waits counts from the first change that it waits for. */
    if (!uv_is_active((const uv_handle_t *)&all->idle))
        all->changed_us = thread->current->made_us;
    uv_idle_start(&all->idle, run_slice);
}

/* ---- of each thread ---- */

bool reauthorizer_init(struct proxy_thread *thread)
{
    struct reauthorizer *all = calloc(1, sizeof(*all));
    thread->reauthorizer = all;
    if (!all)
        return false;
    all->thread = thread;
    uv_idle_init(thread->net.loop, &all->idle);
    all->idle.data = all;
    return true;
}

void reauthorizer_close(struct proxy_thread *thread)
{
    uv_close((uv_handle_t *)&thread->reauthorizer->idle, NULL);
}

void reauthorizer_free(struct proxy_thread *thread)
{
    free(thread->reauthorizer);
}
