/* HTTP/1 towards the client: one exchange at a time; what comes meanwhile is kept. */
#include <stdlib.h>

#include "lb/base/text.h"
#include "lb/proxy/http.h"
#include "lb/proxy/steps.h"

enum reading {
    READ_HEAD,
    READ_BODY,
    READ_HOLD,    /* the request is complete; what follows waits for the answer */
    READ_RAW,     /* a tunnel */
    READ_NOTHING, /* no further request: what comes is dropped */
};

struct front_h1 {
    struct h1_decoder *decoder;
    struct http_head *head; /* being read, or for trailers */
    struct exchange *exchange;
    struct early *kept;
    enum reading reading;
    bool feeding;
    bool partial; /* some of a head has come */
    bool chunked; /* the answer that is being written */
    bool last;    /* the client was told that the connection ends, or its end is that of the answer */
    bool leaving; /* only what is queued has yet to go */
};

#define KEPT_PAUSE (64 * 1024)

static void end_connection(struct http_conn *http, enum reason reason);
static void feed(struct http_conn *http, struct slice bytes);

static const struct http_settings *settings_of(const struct http_conn *http)
{
    return &http->conn->service->listener->http;
}

static bool is_open(const struct conn *conn)
{
    return conn->state == CONN_HTTP;
}

/* ---- writing ---- */

static struct http_out *own_out(struct http_conn *http)
{
    struct http_thread *thread = http->conn->thread->http;
    if (thread->out_owner && thread->out_owner != http)
        front_h1_flush(thread->out_owner);
    thread->out_owner = http;
    return &thread->out;
}

static void write_out(struct http_conn *http, struct slice bytes)
{
    struct conn *conn = http->conn;
    conn->bytes_out += bytes.len;
    if (stream_write(conn->client, bytes) == STREAM_BROKEN)
        conn_close(conn, REASON_CLIENT_RESET);
}

void front_h1_flush(struct http_conn *http)
{
    struct http_thread *thread = http->conn->thread->http;
    struct http_out *out = &thread->out;
    if (thread->out_owner != http)
        return;
    struct slice bytes = slice_make(out->bytes, out->len);
    bool failed = out->failed;
    thread->out_owner = NULL;
    out->len = 0;
    out->failed = false;
    if (failed)
        conn_close(http->conn, REASON_NO_MEMORY);
    else if (bytes.len > 0 && is_open(http->conn))
        write_out(http, bytes);
}

static bool has_no_body(const struct exchange *exchange, unsigned status)
{
    return exchange->request->method == METHOD_HEAD || status == 204 || status == 304;
}

static bool add_length(struct http_head *head, int64_t length)
{
    char digits[24];
    struct text text;
    text_init(&text, digits, sizeof(digits));
    text_addu(&text, (uint64_t)length);
    return http_head_add_known(head, HEADER_CONTENT_LENGTH, slice_make(digits, text.len));
}

/* RFC 9112 section 6: a length if there is one, else chunks, else the end of the connection. */
static bool add_framing(struct front_h1 *h1, struct exchange *exchange, struct http_head *head, bool ends)
{
    bool bodiless = has_no_body(exchange, head->status);
    h1->chunked = false;
    if (head->status == 204)
        return true;
    if (head->content_length >= 0)
        return add_length(head, head->content_length);
    if (bodiless)
        return true;
    if (ends)
        return add_length(head, 0);
    h1->chunked = exchange->request->minor == 1;
    if (h1->chunked)
        return http_head_add_known(head, HEADER_TRANSFER_ENCODING, SLICE_LITERAL("chunked"));
    h1->last = true;
    return true;
}

static bool add_connection(struct front_h1 *h1, struct exchange *exchange, struct http_head *head)
{
    if (!exchange->request->keep_alive || exchange->close || !http_keeps(exchange->http))
        h1->last = true;
    if (h1->last)
        return http_head_add_known(head, HEADER_CONNECTION, SLICE_LITERAL("close"));
    if (exchange->request->minor == 0)
        return http_head_add_known(head, HEADER_CONNECTION, SLICE_LITERAL("keep-alive"));
    return true;
}

static void write_head(struct exchange *exchange, struct http_head *head, bool ends)
{
    struct http_conn *http = exchange->http;
    bool good = true;
    if (head->status == 101)
        good = http_head_add_known(head, HEADER_CONNECTION, SLICE_LITERAL("upgrade"));
    else if (head->status >= 200)
        good = add_framing(http->h1, exchange, head, ends) && add_connection(http->h1, exchange, head);
    struct http_out *out = own_out(http);
    out->failed = out->failed || !good;
    h1_write_response(out, head);
    if (ends)
        front_h1_flush(http);
}

static void h1_head(struct exchange *exchange, struct http_head *head, bool ends)
{
    bool interim = head->status < 200 && head->status != 101;
    if (!interim || exchange->request->minor == 1) /* RFC 9110 section 15.2: none to HTTP/1.0 */
        write_head(exchange, head, ends);
}

/* Small pieces go together with what stands before them; a large one is not copied for that. */
#define TOGETHER_MAX (16 * 1024)
#define OUT_HIGH     (64 * 1024)

static void write_large(struct http_conn *http, struct slice bytes, bool chunked)
{
    struct conn *conn = http->conn;
    char line[24];
    struct text text;
    text_init(&text, line, sizeof(line));
    text_addf(&text, "%zx\r\n", bytes.len);
    if (chunked)
        http_out_add(own_out(http), slice_make(line, text.len));
    front_h1_flush(http);
    if (is_open(conn))
        write_out(http, bytes);
    if (chunked && is_open(conn))
        http_out_add(own_out(http), SLICE_LITERAL("\r\n"));
}

static bool h1_body(struct exchange *exchange, struct slice bytes)
{
    struct http_conn *http = exchange->http;
    struct conn *conn = exchange->conn;
    bool chunked = http->h1->chunked;
    if (bytes.len > TOGETHER_MAX) {
        write_large(http, bytes, chunked);
    } else {
        struct http_out *out = own_out(http);
        if (chunked)
            h1_write_chunk(out, bytes);
        else
            http_out_add(out, bytes);
        if (out->len > OUT_HIGH)
            front_h1_flush(http);
    }
    return is_open(conn) && !stream_blocked(conn->client);
}

static void h1_end(struct exchange *exchange, const struct http_head *trailers)
{
    struct http_conn *http = exchange->http;
    if (http->h1->reading == READ_RAW) {
        front_h1_flush(http);
        if (is_open(exchange->conn))
            stream_end(exchange->conn->client);
        return;
    }
    if (http->h1->chunked)
        h1_write_last_chunk(own_out(http), trailers);
    front_h1_flush(http);
}

static void h1_abort(struct exchange *exchange)
{
    exchange->conn->cut = true;
    conn_close(exchange->conn, exchange->reason);
}

static void h1_pause(struct exchange *exchange)
{
    stream_pause(exchange->conn->client);
}

static void h1_resume(struct exchange *exchange)
{
    stream_resume(exchange->conn->client);
}

static void h1_tunnel(struct exchange *exchange)
{
    struct http_conn *http = exchange->http;
    struct early *kept = http->h1->kept;
    http->h1->reading = READ_RAW;
    http->h1->chunked = false;
    http->h1->kept = NULL;
    stream_resume(exchange->conn->client);
    if (kept)
        exchange_body(exchange, slice_make(kept->bytes, kept->len));
    free(kept);
}

static bool h1_blocked(const struct exchange *exchange)
{
    return stream_blocked(exchange->conn->client);
}

static void next_request(struct http_conn *http)
{
    struct front_h1 *h1 = http->h1;
    struct conn *conn = http->conn;
    struct early *kept = h1->kept;
    h1->reading = READ_HEAD;
    http_touch(http);
    stream_resume(conn->client);
    if (h1->feeding)
        return;
    h1->kept = NULL;
    if (kept)
        feed(http, slice_make(kept->bytes, kept->len));
    free(kept);
    if (is_open(conn) && conn->client_ended && !http->h1->exchange)
        end_connection(http, REASON_FINISHED);
}

static void h1_done(struct exchange *exchange)
{
    struct http_conn *http = exchange->http;
    struct front_h1 *h1 = http->h1;
    bool complete = h1->reading == READ_HOLD;
    h1->exchange = NULL;
    if (!is_open(exchange->conn))
        return;
    front_h1_flush(http);
    if (!is_open(exchange->conn))
        return;
    if (complete && !h1->last && !(http->ending && http->conn->thread->http->draining))
        next_request(http);
    else
        end_connection(http, exchange->close ? exchange->reason : REASON_FINISHED);
}

static const struct front_ops h1_ops = {
    .head = h1_head,
    .body = h1_body,
    .end = h1_end,
    .abort = h1_abort,
    .pause = h1_pause,
    .resume = h1_resume,
    .tunnel = h1_tunnel,
    .done = h1_done,
    .blocked = h1_blocked,
};

/* ---- the end of the connection ---- */

/* What was answered must be read by the client before the socket closes: what is queued goes first. */
static void end_connection(struct http_conn *http, enum reason reason)
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
}

void front_h1_leave(struct http_conn *http)
{
    struct front_h1 *h1 = http->h1;
    bool idle = !h1->exchange && !h1->partial && !h1->leaving;
    if (idle && http->conn->thread->http->draining)
        end_connection(http, REASON_FINISHED);
}

void front_h1_end(struct http_conn *http)
{
    struct front_h1 *h1 = http->h1;
    struct conn *conn = http->conn;
    if (h1->leaving)
        return; /* the answer is still on its way out */
    if (!h1->exchange)
        conn_close(conn, h1->partial ? REASON_CLIENT_CLOSED : REASON_FINISHED);
    else if (h1->reading == READ_RAW)
        exchange_end(h1->exchange, NULL);
    else if (h1->reading == READ_BODY)
        conn_close(conn, REASON_CLIENT_CLOSED);
}

/* ---- deadlines ---- */

uint64_t front_h1_limit(const struct http_conn *http)
{
    const struct front_h1 *h1 = http->h1;
    const struct http_settings *settings = settings_of(http);
    if (!is_open(http->conn) || (h1 && h1->exchange))
        return 0;
    if (h1 && h1->leaving)
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
    if (head->minor == 0 && head->method == METHOD_OTHER)
        head->minor = 1; /* nothing is known of it */
    exchange_refuse(h1->exchange, status, reason, text);
}

void front_h1_expired(struct http_conn *http)
{
    struct front_h1 *h1 = http->h1;
    if (h1 && h1->partial)
        refuse_partial(http, 408, REASON_TIMEOUT_HEADER, NULL);
    else if (h1 && h1->leaving)
        conn_close(http->conn, REASON_TIMEOUT_IDLE);
    else
        conn_close(http->conn, http->served == 0 ? REASON_TIMEOUT_FIRST_BYTE : REASON_TIMEOUT_KEEP_ALIVE);
}

/* ---- reading ---- */

static void keep(struct http_conn *http, struct slice bytes)
{
    struct front_h1 *h1 = http->h1;
    size_t had = h1->kept ? h1->kept->len : 0;
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
    while (is_open(conn) && feed_some(http, &bytes))
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
    http->ops = &h1_ops;
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
