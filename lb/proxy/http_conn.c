/* A connection of an http listener: which HTTP it speaks, its deadlines, and its end. */
#include <stdlib.h>

#include "lb/base/clock.h"
#include "lb/proxy/http.h"
#include "lb/proxy/steps.h"

static bool is_h2(const struct conn *conn)
{
    return conn->client->tls && slice_is(tls_session_alpn(conn->client->tls), "h2");
}

static struct http_conn *http_of(const struct deadline *deadline, size_t offset)
{
    return (struct http_conn *)((char *)deadline - offset);
}

/* ---- deadlines ---- */

static uint64_t limit_of(const struct http_conn *http)
{
    return http->h2 ? front_h2_limit(http) : front_h1_limit(http);
}

static void arm(struct http_conn *http, uint64_t due)
{
    wheel_arm(&http->conn->thread->wheel, &http->deadline.entry, due);
}

/* Armed ahead of need and looked at when it fires: a request costs no move in the wheel. */
static void on_deadline(struct deadline *deadline)
{
    struct http_conn *http = http_of(deadline, offsetof(struct http_conn, deadline));
    uint64_t limit = limit_of(http), now = conn_now_ms(http->conn);
    if (limit == 0)
        return;
    if (http->since_ms + limit > now)
        arm(http, http->since_ms + limit);
    else if (http->h2)
        front_h2_expired(http);
    else
        front_h1_expired(http);
}

/* A shorter limit than the one that was armed for must not be missed. */
void http_touch(struct http_conn *http)
{
    uint64_t limit = limit_of(http);
    http->since_ms = conn_now_ms(http->conn);
    if (limit > 0 &&
        (!wheel_armed(&http->deadline.entry) || http->deadline.entry.due_ms > http->since_ms + limit))
        arm(http, http->since_ms + limit);
}

static void on_leave(struct deadline *deadline)
{
    http_leave(http_of(deadline, offsetof(struct http_conn, leave)));
}

static void on_decide(struct deadline *deadline)
{
    authorize_resume(http_of(deadline, offsetof(struct http_conn, decide))->conn);
}

/* ---- beginning ---- */

static void take_early(struct conn *conn)
{
    struct early *early = conn->early;
    conn->early = NULL;
    stream_resume(conn->client);
    if (early)
        http_data(conn, slice_make(early->bytes, early->len));
    free(early);
    if (conn->state == CONN_HTTP && conn->client_ended)
        http_end(conn);
}

static bool start_front(struct http_conn *http, bool h2)
{
    bool good = h2 ? front_h2_start(http) : front_h1_start(http);
    if (!good)
        conn_close(http->conn, REASON_NO_MEMORY);
    return good;
}

static struct http_conn *http_new(struct conn *conn)
{
    struct http_conn *http = calloc(1, sizeof(*http));
    if (!http)
        return NULL;
    http->conn = conn;
    http->deadline.fired = on_deadline;
    http->leave.fired = on_leave;
    http->decide.fired = on_decide;
    http->refused_status = conn->refused_status;
    http->ending = conn->refused_status != 0;
    return http;
}

void http_start(struct conn *conn)
{
    if (!conn->http)
        conn->http = http_new(conn);
    if (!conn->http) {
        conn_close(conn, REASON_NO_MEMORY);
        return;
    }
    conn_enter(conn, CONN_HTTP);
    /* On a plain socket the first bytes decide; see http_data. */
    if ((conn->client->tls || !conn->service->listener->http.h2c) && !start_front(conn->http, is_h2(conn)))
        return;
    http_touch(conn->http);
    if (conn->thread->http->draining)
        conn->http->ending = true;
    take_early(conn);
}

/* ---- HTTP/2 with prior knowledge (RFC 9113 section 3.3) ---- */

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

/* True: the bytes are not to be used yet. */
static bool choose_front(struct conn *conn, struct slice *bytes)
{
    size_t compare = bytes->len < sizeof(PREFACE) - 1 ? bytes->len : sizeof(PREFACE) - 1;
    bool h2 = memcmp(bytes->data, PREFACE, compare) == 0;
    if (h2 && compare < sizeof(PREFACE) - 1)
        return true;
    return !start_front(conn->http, h2);
}

static void undecided(struct conn *conn, struct slice bytes)
{
    early_data(conn, bytes);
    struct early *early = conn->early;
    if (conn->state != CONN_HTTP)
        return;
    struct slice all = slice_make(early->bytes, early->len);
    if (choose_front(conn, &all))
        return;
    conn->early = NULL;
    stream_resume(conn->client); /* much at once has paused it */
    http_data(conn, all);
    free(early);
}

void http_data(struct conn *conn, struct slice bytes)
{
    struct http_conn *http = conn->http;
    if (!http->h1 && !http->h2) {
        undecided(conn, bytes);
        return;
    }
    conn->bytes_in += bytes.len;
    if (http->h2)
        front_h2_data(http, bytes);
    else
        front_h1_data(http, bytes);
}

void http_end(struct conn *conn)
{
    struct http_conn *http = conn->http;
    conn->client_ended = true;
    if (http->h2)
        front_h2_end(http);
    else if (http->h1)
        front_h1_end(http);
    else
        conn_close(conn, REASON_CLIENT_CLOSED);
}

void http_drained(struct conn *conn)
{
    struct http_conn *http = conn->http;
    if (http->h2)
        front_h2_drained(http);
    else if (http->h1)
        front_h1_drained(http);
}

/* ---- exchanges ---- */

struct exchange *http_exchange(struct http_conn *http, struct http_head *head, void *stream)
{
    const struct http_settings *settings = &http->conn->service->listener->http;
    struct exchange *exchange = exchange_new(http, head, stream);
    if (!exchange)
        return NULL;
    http->served++;
    http->conn->requests++;
    if (settings->max_requests > 0 && http->served >= settings->max_requests)
        http->ending = true;
    return exchange;
}

void http_begin(struct http_conn *http, struct exchange *exchange)
{
    if (!http->deciding && !http_must_decide(http)) {
        http->ending = http->ending || http->conn->service->generation->retired;
        exchange_begin(exchange);
        return;
    }
    exchange->next_waiting = http->waiting;
    http->waiting = exchange;
    if (!http->deciding)
        http_decide(http);
}

bool http_keeps(const struct http_conn *http)
{
    return !http->ending && !http->conn->thread->http->draining;
}

void http_leave(struct http_conn *http)
{
    http->ending = true;
    if (http->h2)
        front_h2_leave(http);
    else if (http->h1)
        front_h1_leave(http);
    else
        conn_close(http->conn, REASON_FINISHED);
}

/* ---- the end ---- */

static void end_exchanges(struct http_conn *http)
{
    enum reason reason = http->conn->reason;
    while (http->running) {
        /* One that has no length must not look complete. */
        http->conn->cut |= http->running->answer_begun && !http->running->answer_ended;
        exchange_client_gone(http->running, reason == REASON_FINISHED ? REASON_CLIENT_CLOSED : reason);
    }
}

static void forget(struct http_conn *http)
{
    struct http_thread *thread = http->conn->thread->http;
    struct http_conn **link = &thread->dirty;
    if (thread->out_owner == http) {
        thread->out_owner = NULL;
        thread->out.len = 0;
    }
    while (http->dirty && *link != http)
        link = &(*link)->next_dirty;
    if (http->dirty)
        *link = http->next_dirty;
}

void http_free(struct conn *conn)
{
    struct http_conn *http = conn->http;
    struct wheel *wheel = &conn->thread->wheel;
    if (!http)
        return;
    end_exchanges(http);
    forget(http);
    wheel_disarm(wheel, &http->deadline.entry);
    wheel_disarm(wheel, &http->decide.entry);
    wheel_disarm(wheel, &http->leave.entry);
    if (http->h2)
        front_h2_free(http);
    else if (http->h1)
        front_h1_free(http);
    free(http->facts);
    free(http->log_session);
    free(http);
    conn->http = NULL;
}
