/* HTTP/2 towards the client: many exchanges at a time, each a stream. */
#include <stdlib.h>

#include "lb/proxy/http.h"
#include "lb/proxy/steps.h"

/* What a client may send ahead: enough for a fast upload, little enough that a hundred streams stay small. */
#define STREAM_WINDOW  (256u * 1024)
#define SESSION_WINDOW (1024u * 1024)

static bool is_open(const struct conn *conn)
{
    return conn->state == CONN_HTTP;
}

static struct h2_stream *stream_of(const struct exchange *exchange)
{
    return exchange->stream;
}

/* ---- what the client sends ---- */

static void on_head(void *owner, struct h2_stream *stream, struct http_head *head, bool ends)
{
    struct http_conn *http = owner;
    struct conn *conn = http->conn;
    struct exchange *exchange = http_exchange(http, head, stream);
    if (!exchange) {
        h2_reset(stream, H2_REFUSED_STREAM);
        return;
    }
    exchange->request_ended = ends;
    h2_stream_own(stream, exchange);
    http_begin(http, exchange);
    if (is_open(conn) && http->ending)
        http_leave(http);
}

static void on_refused(void *owner, struct h2_stream *stream, struct http_head *head, unsigned status)
{
    struct exchange *exchange = http_exchange(owner, head, stream);
    if (!exchange) {
        h2_reset(stream, H2_REFUSED_STREAM);
        return;
    }
    h2_stream_own(stream, exchange);
    exchange_refuse(exchange, status, status == 414 ? REASON_URI_TOO_LONG : REASON_HEADERS_TOO_LARGE, NULL);
}

static void on_data(void *owner, struct h2_stream *stream, struct slice bytes)
{
    struct exchange *exchange = h2_stream_owner(stream);
    (void)owner;
    if (!exchange) {
        h2_consumed(stream, bytes.len);
        return;
    }
    exchange_body(exchange, bytes);
    if (!exchange->stream) /* it is over, and the stream with it */
        return;
    if (exchange->client_paused)
        exchange->unconsumed += bytes.len;
    else
        h2_consumed(stream, bytes.len);
}

static void on_end(void *owner, struct h2_stream *stream, struct http_head *trailers)
{
    struct http_conn *http = owner;
    struct exchange *exchange = h2_stream_owner(stream);
    if (exchange)
        exchange_end(exchange, trailers);
    else
        head_pool_give(&http->conn->thread->http->heads, trailers);
}

/* Of a stream whose exchange was over before. */
static void answer_gone(struct http_conn *http)
{
    http->sending--;
    http_touch(http);
}

static void on_reset(void *owner, struct h2_stream *stream, uint32_t code, bool unprocessed)
{
    struct exchange *exchange = h2_stream_owner(stream);
    (void)code;
    (void)unprocessed;
    if (!exchange) {
        answer_gone(owner);
        return;
    }
    exchange->stream = NULL;
    exchange_client_gone(exchange, REASON_CLIENT_RESET);
}

static void on_closed(void *owner, struct h2_stream *stream)
{
    struct exchange *exchange = h2_stream_owner(stream);
    if (exchange)
        exchange->stream = NULL;
    else
        answer_gone(owner);
}

static void on_drained(void *owner, struct h2_stream *stream)
{
    struct exchange *exchange = h2_stream_owner(stream);
    (void)owner;
    if (exchange)
        exchange_drained(exchange);
}

static void on_output(void *owner, struct slice bytes)
{
    struct http_conn *http = owner;
    struct conn *conn = http->conn;
    if (!is_open(conn)) /* TLS is over with it: what came now would go out in the clear */
        return;
    conn->bytes_out += bytes.len;
    if (stream_write(conn->client, bytes) == STREAM_BROKEN)
        conn_close(conn, REASON_CLIENT_RESET);
}

static bool on_blocked(void *owner)
{
    const struct http_conn *http = owner;
    return !is_open(http->conn) || stream_blocked(http->conn->client);
}

static void on_goaway(void *owner)
{
    struct http_conn *http = owner;
    http->ending = true;
}

static const struct h2_events h2_front_events = {
    .head = on_head,
    .refused = on_refused,
    .data = on_data,
    .end = on_end,
    .reset = on_reset,
    .closed = on_closed,
    .drained = on_drained,
    .output = on_output,
    .blocked = on_blocked,
    .goaway = on_goaway,
};

/* ---- what the exchanges answer ---- */

static void h2_answer_head(struct exchange *exchange, struct http_head *head, bool ends)
{
    if (!exchange->stream)
        return;
    if (head->status >= 200 && head->content_length >= 0 && head->status != 204)
        http_head_add_length(head, head->content_length);
    h2_respond(stream_of(exchange), head, ends);
    http_mark_dirty(exchange->http);
}

/* A long body goes out piece by piece from where it lies: what the client and its windows take is queued
 * nowhere. */
#define PIECE (64u * 1024)

static void write_piece(struct exchange *exchange, struct slice bytes, bool last)
{
    (last ? h2_write_last : h2_write)(stream_of(exchange), bytes);
    if (bytes.len == PIECE && !stream_blocked(exchange->conn->client))
        h2_send(exchange->http->h2);
}

static bool h2_answer_body(struct exchange *exchange, struct slice bytes)
{
    bool whole = exchange->whole > 0 && exchange->bytes_out == exchange->whole;
    while (bytes.len > 0 && exchange->stream) {
        size_t len = bytes.len < PIECE ? bytes.len : PIECE;
        write_piece(exchange, slice_make(bytes.data, len), whole && len == bytes.len);
        bytes = slice_make(bytes.data + len, bytes.len - len);
    }
    if (!exchange->stream)
        return true;
    http_mark_dirty(exchange->http);
    return h2_queued(stream_of(exchange)) <
           H2_HIGH; /* as it is now: whoever waits is told when it has sunk */
}

static void h2_answer_end(struct exchange *exchange, const struct http_head *trailers)
{
    if (!exchange->stream)
        return;
    h2_end(stream_of(exchange), trailers);
    http_mark_dirty(exchange->http);
}

static void let_go(struct exchange *exchange, bool reset, uint32_t code)
{
    struct h2_stream *stream = exchange->stream;
    exchange->stream = NULL;
    if (!stream)
        return;
    if (exchange->unconsumed > 0)
        h2_consumed(stream, exchange->unconsumed);
    exchange->unconsumed = 0;
    h2_stream_own(stream, NULL);
    if (reset)
        h2_reset(stream, code);
    else
        exchange->http->sending++;
    http_mark_dirty(exchange->http);
}

static void h2_abort(struct exchange *exchange)
{
    let_go(exchange, true, H2_INTERNAL_ERROR);
}

static void h2_pause(struct exchange *exchange)
{
    (void)exchange; /* what comes now is not granted again: on_data */
}

static void h2_unpause(struct exchange *exchange)
{
    size_t granted = exchange->unconsumed;
    exchange->unconsumed = 0;
    if (!exchange->stream || granted == 0)
        return;
    h2_consumed(stream_of(exchange), granted);
    http_mark_dirty(exchange->http);
}

static void h2_tunnel(struct exchange *exchange)
{
    (void)exchange; /* no 101 in HTTP/2: RFC 9113 section 8.6 */
}

static void h2_done(struct exchange *exchange)
{
    struct http_conn *http = exchange->http;
    let_go(exchange, !exchange->answer_ended, H2_CANCEL);
    if (is_open(http->conn))
        http_touch(http);
}

static size_t h2_unsent(const struct exchange *exchange)
{
    size_t queued = exchange->stream ? h2_queued(stream_of(exchange)) : 0;
    return queued + stream_unsent(exchange->conn->client);
}

static bool h2_blocked(const struct exchange *exchange)
{
    return exchange->stream && h2_queued(stream_of(exchange)) > 0;
}

static const struct front_ops h2_ops = {
    .head = h2_answer_head,
    .body = h2_answer_body,
    .end = h2_answer_end,
    .abort = h2_abort,
    .pause = h2_pause,
    .resume = h2_unpause,
    .tunnel = h2_tunnel,
    .done = h2_done,
    .blocked = h2_blocked,
    .unsent = h2_unsent,
};

/* ---- the connection ---- */

static void end_connection(struct http_conn *http, enum reason reason, const char *text)
{
    struct conn *conn = http->conn;
    stream_end(conn->client);
    conn_refuse(conn, reason, 0, text);
}

void front_h2_flush(struct http_conn *http)
{
    struct conn *conn = http->conn;
    if (!is_open(conn) || stream_blocked(conn->client))
        return;
    h2_send(http->h2);
    if (is_open(conn) && h2_over(http->h2) && !http->running && !stream_blocked(conn->client))
        end_connection(http, REASON_FINISHED, NULL);
}

/* What broke the rules ends all that runs; the client is told why by GOAWAY. */
static void broken(struct http_conn *http)
{
    struct conn *conn = http->conn;
    const char *why = h2_error(http->h2);
    while (http->running)
        exchange_client_gone(http->running, REASON_REQUEST_INVALID);
    h2_send(http->h2);
    if (is_open(conn))
        end_connection(http, REASON_REQUEST_INVALID, why);
}

void front_h2_data(struct http_conn *http, struct slice bytes)
{
    struct conn *conn = http->conn;
    bool good = h2_receive(http->h2, bytes);
    if (!is_open(conn))
        return;
    if (good)
        http_mark_dirty(http);
    else
        broken(http);
}

void front_h2_end(struct http_conn *http)
{
    conn_close(http->conn, http->running ? REASON_CLIENT_CLOSED : REASON_FINISHED);
}

void front_h2_drained(struct http_conn *http)
{
    http_touch(http);
    front_h2_flush(http);
}

void front_h2_leave(struct http_conn *http)
{
    h2_goaway(http->h2, true);
    http_mark_dirty(http);
}

/* Answers are still on their way to the client. */
static bool still_takes(const struct http_conn *http)
{
    return http->sending > 0 || stream_blocked(http->conn->client);
}

uint64_t front_h2_limit(const struct http_conn *http)
{
    const struct http_settings *settings = &http->conn->service->listener->http;
    if (!is_open(http->conn) || http->running)
        return 0;
    if (still_takes(http))
        return http->conn->service->listener->timeout_idle_ms;
    return http->served == 0 ? settings->timeout_first_ms : settings->timeout_keep_alive_ms;
}

void front_h2_expired(struct http_conn *http)
{
    struct conn *conn = http->conn;
    enum reason reason = http->served == 0 ? REASON_TIMEOUT_FIRST_BYTE : REASON_TIMEOUT_KEEP_ALIVE;
    if (still_takes(http)) {
        conn_close(conn, REASON_TIMEOUT_IDLE);
        return;
    }
    h2_goaway(http->h2, true);
    h2_send(http->h2);
    if (is_open(conn))
        end_connection(http, reason, NULL);
}

bool front_h2_start(struct http_conn *http)
{
    struct conn *conn = http->conn;
    const struct http_settings *listener = &conn->service->listener->http;
    struct h2_settings settings = {
        .server = true,
        .max_streams = (uint32_t)listener->max_streams,
        .stream_window = STREAM_WINDOW,
        .session_window = SESSION_WINDOW,
        .limits = listener->limits,
        .heads = &conn->thread->http->heads,
        .memory = &conn->thread->http->memory,
        .held = &conn->thread->net.held,
    };
    http->h2 = h2_new(&settings, &h2_front_events, http);
    http->ops = &h2_ops;
    if (http->h2)
        http_mark_dirty(http);
    return http->h2 != NULL;
}

void front_h2_free(struct http_conn *http)
{
    h2_free(http->h2);
    http->h2 = NULL;
}
