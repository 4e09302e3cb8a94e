#include "lb/proxy/conn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lb/base/clock.h"
#include "lb/proxy/flood.h"
#include "lb/proxy/http.h"
#include "lb/proxy/lifetime.h"
#include "lb/proxy/ocsp.h"
#include "lb/proxy/reauthorize.h"
#include "lb/proxy/steps.h"

/* How long a refused client may take to read the alert and go. */
#define REFUSE_MS 2000

static uint64_t refuse_limit(const struct conn *conn)
{
    (void)conn;
    return REFUSE_MS;
}

static void refuse_over(struct conn *conn)
{
    conn_close(conn, conn->reason);
}

static void discard(struct conn *conn, struct slice bytes)
{
    (void)conn;
    (void)bytes;
}

/* What a refused client may still send before it has read why: an upload is not read to its end. */
#define REFUSE_BYTES (8u << 20)

static void discard_some(struct conn *conn, struct slice bytes)
{
    conn->discarded += bytes.len;
    if (conn->discarded > REFUSE_BYTES)
        conn_close(conn, conn->reason);
}

static void ignore_end(struct conn *conn)
{
    (void)conn;
}

static const struct step steps[CONN_STATE_COUNT] = {
    [CONN_NEW] = {NULL, NULL, false, discard, ignore_end},
    [CONN_PROXY] = {greet_limit, header_expired, true, header_data, header_end},
    [CONN_HELLO] = {greet_limit, greet_expired, true, greet_data, greet_end},
    [CONN_HANDSHAKE] = {greet_limit, greet_expired, true, discard, greet_end},
    [CONN_AUTHORIZE] = {authorize_limit, authorize_resume, false, early_data, early_end},
    [CONN_CONNECT] = {connect_limit, connect_expired, false, early_data, early_end},
    [CONN_RELAY] = {relay_idle_limit, relay_idle_expired, false, relay_client_data, relay_client_end},
    [CONN_DRAIN] = {relay_drain_limit, relay_drain_expired, false, relay_client_data, relay_client_end},
    [CONN_HTTP] = {NULL, NULL, false, http_data, http_end},
    [CONN_REFUSE] = {refuse_limit, refuse_over, false, discard_some, refuse_over},
    [CONN_CLOSING] = {NULL, NULL, false, discard, ignore_end},
};

uint64_t conn_now_ms(const struct conn *conn)
{
    return uv_now(conn->thread->net.loop);
}

uint32_t conn_elapsed_us(const struct conn *conn)
{
    return (uint32_t)(clock_us() - conn->started_us);
}

void conn_touch(struct conn *conn)
{
    conn->since_ms = conn_now_ms(conn);
}

static uint64_t limit_of(const struct conn *conn)
{
    const struct step *step = &steps[conn->state];
    return step->limit_ms ? step->limit_ms(conn) : 0;
}

/* Something must be able to end every connection: an event of a stream, or a deadline. */
static void check_alive(const struct conn *conn)
{
#ifdef LB_ASSERT
    assert(conn->state == CONN_CLOSING || conn->client || conn->server || wheel_armed(&conn->timer.entry));
#else
    (void)conn;
#endif
}

void conn_enter(struct conn *conn, enum conn_state state)
{
    if (conn->state == CONN_CLOSING)
        return;
    conn->state = state;
    if (!steps[state].keeps_clock)
        conn_touch(conn);
    uint64_t limit = limit_of(conn);
    if (limit > 0)
        wheel_arm(&conn->thread->wheel, &conn->timer.entry, conn->since_ms + limit);
    else
        wheel_disarm(&conn->thread->wheel, &conn->timer.entry);
    check_alive(conn);
}

/* Activity only moved since_ms: the deadline may lie further off than when it was armed. */
static void on_deadline(struct deadline *deadline)
{
    struct conn *conn = (struct conn *)((char *)deadline - offsetof(struct conn, timer));
    uint64_t due = conn->since_ms + limit_of(conn);
    if (due > conn_now_ms(conn))
        wheel_arm(&conn->thread->wheel, &conn->timer.entry, due);
    else
        steps[conn->state].expired(conn);
}

static void fire(struct wheel_entry *entry, void *context)
{
    struct deadline *deadline = (struct deadline *)entry;
    (void)context;
    deadline->fired(deadline);
}

void conn_tick(struct proxy_thread *thread, uint64_t now_ms)
{
    wheel_turn(&thread->wheel, now_ms, fire, NULL);
}

/* ---- the client's stream ---- */

static void count_handshake(struct listener_state *state, const struct tls_session *session)
{
    count(&state->handshakes, 1);
    count(&state->handshakes_by[tls_session_is_tls13(session)][tls_session_group_index(session)], 1);
}

static void client_secured(struct stream *stream)
{
    struct conn *conn = stream->owner;
    greet_done(conn);
    flood_handshake_over(conn);
    count_handshake(conn->service->listener->state, stream->tls);
    authorize_start(conn);
}

void conn_take(struct conn *conn, struct slice bytes)
{
    steps[conn->state].client_data(conn, bytes);
}

static void client_data(struct stream *stream, struct slice bytes)
{
    conn_take(stream->owner, bytes);
}

static void client_end(struct stream *stream)
{
    struct conn *conn = stream->owner;
    conn->client_ended = true;
    if (conn->state == CONN_HANDSHAKE)
        greet_end(conn);
    else if (stream->tls && tls_session_truncated(stream->tls) && conn->state != CONN_REFUSE)
        conn_close(conn, REASON_CLIENT_TRUNCATED);
    else
        steps[conn->state].client_end(conn);
}

static void client_drained(struct stream *stream)
{
    struct conn *conn = stream->owner;
    if (conn->state == CONN_HTTP)
        http_drained(conn);
    else if (conn->state == CONN_RELAY || conn->state == CONN_DRAIN)
        relay_drained(conn);
}

static void client_failed(struct stream *stream, enum stream_error error)
{
    struct conn *conn = stream->owner;
    if (error == STREAM_TLS && conn->state != CONN_REFUSE)
        greet_failed(conn);
    else if (conn->state == CONN_HELLO || conn->state == CONN_HANDSHAKE)
        greet_end(conn);
    else
        conn_close(conn, REASON_CLIENT_RESET);
}

static void count_down(struct proxy_thread *thread, const struct service *service)
{
    atomic_fetch_sub_explicit(thread->active, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&service->listener->state->active, 1, memory_order_relaxed);
}

void conn_count_down(struct proxy_thread *thread, const struct service *service)
{
    count_down(thread, service);
    if (service->contexts)
        atomic_fetch_sub_explicit(&service->listener->state->handshaking, 1, memory_order_relaxed);
}

static void release(struct conn *conn)
{
    struct proxy_thread *thread = conn->thread;
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        thread->first = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    thread->count--;
    count_down(thread, conn->service);
    generation_drop(conn->service->generation);
    free(conn);
    thread->gone(thread);
}

static void stream_gone(struct stream *stream)
{
    struct conn *conn = stream->owner;
    if (--conn->handles == 0 && conn->state == CONN_CLOSING)
        release(conn);
}

static const struct stream_events client_events = {
    .secured = client_secured,
    .data = client_data,
    .end = client_end,
    .drained = client_drained,
    .failed = client_failed,
    .closed = stream_gone,
};

/* ---- the server's stream ---- */

static void server_connected(struct stream *stream, int status)
{
    connect_done(stream->owner, status);
}

static void server_data(struct stream *stream, struct slice bytes)
{
    relay_server_data(stream->owner, bytes);
}

static void server_secured(struct stream *stream)
{
    connect_secured(stream->owner);
}

static void server_end(struct stream *stream)
{
    struct conn *conn = stream->owner;
    if (conn->state == CONN_CONNECT)
        connect_unsecured(conn);
    else if (stream->tls && tls_session_truncated(stream->tls))
        conn_close(conn, REASON_SERVER_TRUNCATED);
    else
        relay_server_end(conn);
}

static void server_drained(struct stream *stream)
{
    struct conn *conn = stream->owner;
    if (conn->state == CONN_RELAY || conn->state == CONN_DRAIN)
        relay_drained(conn);
}

static void server_failed(struct stream *stream, enum stream_error error)
{
    struct conn *conn = stream->owner;
    if (conn->state == CONN_CONNECT)
        connect_unsecured(conn);
    else if (error == STREAM_TLS)
        connect_lost(conn);
    else
        conn_close(conn, REASON_SERVER_RESET);
}

const struct stream_events conn_server_events = {
    .connected = server_connected,
    .secured = server_secured,
    .data = server_data,
    .end = server_end,
    .drained = server_drained,
    .failed = server_failed,
    .closed = stream_gone,
};

/* ---- life ---- */

static void enlist(struct conn *conn)
{
    struct proxy_thread *thread = conn->thread;
    conn->next = thread->first;
    if (conn->next)
        conn->next->prev = conn;
    thread->first = conn;
    thread->count++;
    count(&conn->service->listener->state->connections, 1);
    generation_hold(conn->service->generation);
}

void conn_begin(struct conn *conn)
{
    if (conn->service->contexts)
        conn_enter(conn, CONN_HELLO);
    else
        authorize_start(conn);
}

void conn_accept(struct proxy_thread *thread, struct service *service, int fd, const struct addr *peer)
{
    struct conn *conn = calloc(1, sizeof(*conn));
    if (!conn) {
        count(&service->listener->state->ended[REASON_NO_MEMORY], 1);
        conn_count_down(thread, service);
        close(fd);
        return;
    }
    *conn = (struct conn){.thread = thread,
                          .service = service,
                          .peer = *peer,
                          .started_us = clock_us(),
                          .handshaking = service->contexts != NULL};
    conn->timer.fired = on_deadline;
    enlist(conn);
    conn->client = stream_accept(&thread->net, fd, peer->sa.sa_family, &client_events, conn);
    if (!conn->client) {
        conn_close(conn, REASON_NO_MEMORY);
        return;
    }
    conn->handles = 1;
    conn_touch(conn);
    if (header_wanted(conn))
        conn_enter(conn, CONN_PROXY);
    else
        conn_begin(conn);
}

bool conn_local(const struct conn *conn, struct addr *out)
{
    const struct stream *client = conn->client;
    int len = sizeof(out->un);
    if (conn->via && !conn->via->unknown) {
        *out = conn->via->local;
        return true;
    }
    if (client->uv.handle.type != UV_TCP || uv_tcp_getsockname(&client->uv.tcp, &out->sa, &len) != 0)
        return false;
    out->len = (socklen_t)len;
    return true;
}

/* The other side must be able to tell a cut from an end. */
static bool cuts(enum reason reason)
{
    switch (reason) {
    case REASON_CLIENT_RESET:
    case REASON_CLIENT_TRUNCATED:
    case REASON_SERVER_RESET:
    case REASON_SERVER_TLS_FAILED:
    case REASON_SERVER_TRUNCATED:
    case REASON_TLS_FAILED:
    case REASON_REAUTHORIZATION:
    case REASON_CLOSE_ON_EXPIRY:
    case REASON_MAX_AGE:
    case REASON_SHUTDOWN: return true;
    default: return false;
    }
}

/* What is still queued will never arrive: without a reset the part that did would pass for the whole. */
static void close_stream(struct conn *conn, struct stream *stream)
{
    if (stream && (conn->cut || cuts(conn->reason) || stream_blocked(stream)))
        stream_abort(stream);
    else if (stream)
        stream_close(stream);
}

static void settle(struct conn *conn, enum reason reason)
{
    if (conn->reason != REASON_NONE)
        return;
    conn->reason = reason;
    count(&conn->service->listener->state->ended[reason], 1);
}

void conn_close(struct conn *conn, enum reason reason)
{
    if (conn->state == CONN_CLOSING)
        return;
    settle(conn, reason);
    flood_handshake_over(conn);
    conn->state = CONN_CLOSING;
    wheel_disarm(&conn->thread->wheel, &conn->timer.entry);
    authorize_cancel(conn);
    reauthorize_forget(conn);
    lifetime_end(conn);
    http_free(conn);
    conn->thread->ended(conn->thread, conn);
    if (conn->member)
        balancer_release_member(conn->member);
    close_stream(conn, conn->server);
    close_stream(conn, conn->client);
    connect_free(conn);
    free(conn->early);
    free(conn->server_name);
    free(conn->via);
    free(conn->unique_id);
    free(conn->headers);
    free(conn->chosen_server);
    free(conn->decision.text);
    free(conn->decision.log);
    if (conn->handles == 0)
        release(conn);
}

void conn_note(struct conn *conn, const char *text)
{
    if (text && !conn->decision.text)
        conn->decision.text = strdup(text);
}

const struct certificate *conn_chain(const struct conn *conn, size_t *count)
{
    *count = 0;
    return conn->client->tls ? tls_session_chain(conn->client->tls, count) : NULL;
}

void conn_refuse(struct conn *conn, enum reason reason, int alert, const char *text)
{
    if (conn->state == CONN_CLOSING || conn->state == CONN_REFUSE)
        return;
    settle(conn, reason);
    flood_handshake_over(conn);
    ocsp_leave(conn);
    conn_note(conn, text);
    if (alert)
        stream_alert(conn->client, alert);
    stream_finish(conn->client);
    stream_resume(conn->client);
    if (conn->client_ended)
        conn_close(conn, reason);
    else
        conn_enter(conn, CONN_REFUSE);
}

void conn_close_all(struct proxy_thread *thread)
{
    struct conn *conn = thread->first;
    while (conn) {
        struct conn *next = conn->next;
        conn_close(conn, REASON_SHUTDOWN);
        conn = next;
    }
}
