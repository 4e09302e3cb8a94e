/* HTTP/1 towards the client: one exchange at a time; what comes meanwhile is kept. */
#include <stdlib.h>

#include "lb/proxy/front_h1.h"

static void feed(struct http_conn *http, struct slice bytes);

static const struct http_settings *settings_of(const struct http_conn *http)
{
    return &http->conn->service->listener->http;
}

/* ---- the end of an exchange, and of the connection ---- */

/* What is left of it stays where it lies: a client that sends a thousand requests ahead costs no thousand
 * copies. */
static void feed_kept(struct http_conn *http)
{
    struct front_h1 *h1 = http->h1;
    struct conn *conn = http->conn;
    struct early *kept = h1->kept;
    struct slice bytes = front_h1_kept(h1), rest = {NULL, 0};
    h1->kept = NULL;
    h1->rest = &rest;
    feed(http, bytes);
    if (conn->http)
        h1->rest = NULL;
    if (!conn->http || rest.len == 0) {
        free(kept);
        return;
    }
    h1->kept = kept;
    h1->kept_used = (size_t)(rest.data - kept->bytes);
}

static bool may_read(const struct front_h1 *h1)
{
    return front_h1_kept(h1).len < KEPT_PAUSE && !(h1->exchange && h1->exchange->client_paused);
}

void front_h1_next(struct http_conn *http)
{
    struct front_h1 *h1 = http->h1;
    struct conn *conn = http->conn;
    http_touch(http);
    if (stream_blocked(conn->client)) /* who does not read his answers has to wait with further requests */
        return;
    h1->reading = READ_HEAD;
    if (h1->kept)
        feed_kept(http);
    if (!front_h1_open(conn))
        return;
    if (!h1->rest && may_read(h1))
        stream_resume(conn->client);
    if (!h1->feeding && conn->client_ended && !h1->exchange && h1->reading == READ_HEAD)
        front_h1_finish(http, REASON_FINISHED);
}

void front_h1_finish(struct http_conn *http, enum reason reason)
{
    struct conn *conn = http->conn;
    http->h1->reading = READ_NOTHING;
    http->h1->leaving = true;
    http->ending = true;
    stream_end(conn->client);
    if (stream_blocked(conn->client)) {
        conn->reason_later = reason;
        http_touch(http);
        stream_resume(conn->client);
    } else {
        conn_refuse(conn, reason, 0, NULL);
    }
}

void front_h1_drained(struct http_conn *http)
{
    struct front_h1 *h1 = http->h1;
    if (h1->leaving)
        conn_refuse(http->conn, http->conn->reason_later, 0, NULL);
    else if (h1->exchange)
        exchange_drained(h1->exchange);
    else if (h1->reading == READ_HOLD)
        front_h1_next(http);
    else
        http_touch(http);
}

void front_h1_leave(struct http_conn *http)
{
    struct front_h1 *h1 = http->h1;
    bool idle = !h1->exchange && !h1->partial && !h1->leaving;
    if (idle && http->conn->thread->http->draining)
        front_h1_finish(http, REASON_FINISHED);
}

void front_h1_end(struct http_conn *http)
{
    struct front_h1 *h1 = http->h1;
    struct conn *conn = http->conn;
    if (h1->leaving || (!h1->exchange && h1->reading == READ_HOLD))
        return; /* the answer is still on its way out */
    if (!h1->exchange)
        front_h1_finish(http, h1->partial ? REASON_CLIENT_CLOSED : REASON_FINISHED);
    else if (h1->reading == READ_RAW)
        exchange_end(h1->exchange, NULL);
    else if (h1->reading == READ_BODY && h1->exchange->state == EXCHANGE_DRAIN)
        exchange_finish(h1->exchange, REASON_CLIENT_CLOSED);
    else if (h1->reading == READ_BODY)
        conn_close(conn, REASON_CLIENT_CLOSED);
}

/* ---- deadlines ---- */

/* Its last answer is still on the way to the client. */
static bool still_takes(const struct http_conn *http)
{
    return http->h1->leaving || stream_blocked(http->conn->client);
}

uint64_t front_h1_limit(const struct http_conn *http)
{
    const struct front_h1 *h1 = http->h1;
    const struct http_settings *settings = settings_of(http);
    if (!front_h1_open(http->conn) || (h1 && h1->exchange))
        return 0;
    if (h1 && still_takes(http))
        return http->conn->service->listener->timeout_idle_ms;
    if (h1 && h1->partial)
        return settings->timeout_header_ms;
    return http->served == 0 ? settings->timeout_first_ms : settings->timeout_keep_alive_ms;
}

static void refuse_partial(struct http_conn *http, unsigned status, enum reason reason, const char *text)
{
    struct front_h1 *h1 = http->h1;
    struct conn *conn = http->conn;
    struct http_head *head = h1->head ? h1->head : head_pool_take(&conn->thread->http->heads);
    h1->head = NULL;
    h1->partial = false;
    h1->reading = READ_NOTHING;
    h1->exchange = head ? http_exchange(http, head, NULL) : NULL;
    if (!h1->exchange) {
        conn_close(conn, REASON_NO_MEMORY);
        return;
    }
    h1->exchange->request_ended = true;
    h1->exchange->close = true;
    if (head->minor == 0 && head->method == METHOD_OTHER)
        head->minor = 1; /* nothing is known of it */
    exchange_refuse(h1->exchange, status, reason, text);
}

void front_h1_expired(struct http_conn *http)
{
    struct front_h1 *h1 = http->h1;
    if (h1 && still_takes(http))
        conn_close(http->conn, REASON_TIMEOUT_IDLE);
    else if (h1 && h1->partial)
        refuse_partial(http, 408, REASON_TIMEOUT_HEADER, NULL);
    else
        conn_close(http->conn, http->served == 0 ? REASON_TIMEOUT_FIRST_BYTE : REASON_TIMEOUT_KEEP_ALIVE);
}

/* ---- reading ---- */

static void keep(struct http_conn *http, struct slice bytes)
{
    struct front_h1 *h1 = http->h1;
    size_t had = front_h1_kept(h1).len;
    if (h1->rest) {
        *h1->rest = bytes;
        return;
    }
    if (h1->kept && h1->kept_used > 0)
        memmove(h1->kept->bytes, h1->kept->bytes + h1->kept_used, had);
    h1->kept_used = 0;
    struct early *grown = realloc(h1->kept, sizeof(*grown) + had + bytes.len);
    if (!grown) {
        conn_close(http->conn, REASON_NO_MEMORY);
        return;
    }
    memcpy(grown->bytes + had, bytes.data, bytes.len);
    grown->len = had + bytes.len;
    h1->kept = grown;
    if (grown->len >= KEPT_PAUSE)
        stream_pause(http->conn->client);
}

static void request_head(struct http_conn *http, bool ends)
{
    struct front_h1 *h1 = http->h1;
    struct http_head *head = h1->head;
    h1->head = NULL;
    h1->partial = false;
    h1->last = false;
    h1->chunked = false;
    h1->reading = ends ? READ_HOLD : READ_BODY;
    if (!ends && head->chunked)
        h1->head = head_pool_take(&http->conn->thread->http->heads); /* for trailers; NULL drops them */
    h1->exchange = http_exchange(http, head, NULL);
    if (!h1->exchange) {
        conn_close(http->conn, REASON_NO_MEMORY);
        return;
    }
    h1->exchange->request_ended = ends;
    http_begin(http, h1->exchange);
}

static void request_end(struct http_conn *http)
{
    struct front_h1 *h1 = http->h1;
    struct http_head *trailers = h1->head;
    h1->head = NULL;
    h1->reading = READ_HOLD;
    if (trailers && http_head_field_count(trailers) == 0) {
        head_pool_give(&http->conn->thread->http->heads, trailers);
        trailers = NULL;
    }
    exchange_end(h1->exchange, trailers);
}

static enum reason reason_of(unsigned status)
{
    switch (status) {
    case 414: return REASON_URI_TOO_LONG;
    case 431: return REASON_HEADERS_TOO_LARGE;
    default: return REASON_REQUEST_INVALID;
    }
}

static void invalid(struct http_conn *http)
{
    struct h1_error error = h1_decoder_error(http->h1->decoder);
    if (error.status == 0) {
        conn_close(http->conn, REASON_NO_MEMORY);
    } else if (http->h1->reading == READ_HEAD) {
        refuse_partial(http, error.status, reason_of(error.status), error.text);
    } else {
        http->h1->reading = READ_NOTHING;
        exchange_refuse(http->h1->exchange, error.status, reason_of(error.status), error.text);
    }
}

static void wants_more(struct http_conn *http)
{
    struct front_h1 *h1 = http->h1;
    if (h1->reading != READ_HEAD || h1->partial || h1_decoder_idle(h1->decoder))
        return;
    h1->partial = true; /* the whole head must come within one limit, however it dribbles */
    http_touch(http);
}

/* One event; false when nothing more comes of these bytes. */
static bool decode(struct http_conn *http, struct slice *bytes)
{
    struct front_h1 *h1 = http->h1;
    if (h1->reading == READ_HEAD && !h1->head)
        h1->head = head_pool_take(&http->conn->thread->http->heads);
    if (h1->reading == READ_HEAD && !h1->head) {
        conn_close(http->conn, REASON_NO_MEMORY);
        return false;
    }
    struct h1_result result = h1_decode(h1->decoder, bytes, h1->head);
    switch (result.event) {
    case H1_MORE: wants_more(http); return false;
    case H1_HEAD: request_head(http, result.ends); break;
    case H1_BODY: exchange_body(h1->exchange, result.body); break;
    case H1_END: request_end(http); break;
    case H1_INVALID: invalid(http); break;
    }
    return true;
}

static bool feed_some(struct http_conn *http, struct slice *bytes)
{
    struct slice all = *bytes;
    switch (http->h1->reading) {
    case READ_HEAD: return all.len > 0 && decode(http, bytes);
    case READ_BODY: return decode(http, bytes); /* its end may need no further byte */
    case READ_HOLD:
        if (all.len > 0)
            keep(http, all);
        break;
    case READ_RAW:
        if (all.len > 0)
            exchange_body(http->h1->exchange, all);
        break;
    case READ_NOTHING: break;
    }
    return false;
}

static void feed(struct http_conn *http, struct slice bytes)
{
    struct conn *conn = http->conn;
    http->h1->feeding = true;
    while (front_h1_open(conn) && feed_some(http, &bytes))
        ;
    if (conn->http)
        http->h1->feeding = false;
}

void front_h1_data(struct http_conn *http, struct slice bytes)
{
    feed(http, bytes);
}

/* ---- life ---- */

bool front_h1_start(struct http_conn *http)
{
    struct front_h1 *h1 = calloc(1, sizeof(*h1));
    if (!h1)
        return false;
    h1->decoder = h1_decoder_new(H1_REQUESTS, &settings_of(http)->limits);
    if (!h1->decoder) {
        free(h1);
        return false;
    }
    http->h1 = h1;
    http->ops = &front_h1_ops;
    return true;
}

void front_h1_free(struct http_conn *http)
{
    h1_decoder_free(http->h1->decoder);
    head_pool_give(&http->conn->thread->http->heads, http->h1->head);
    free(http->h1->kept);
    free(http->h1);
    http->h1 = NULL;
}
