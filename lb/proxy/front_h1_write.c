/* HTTP/1 towards the client: what exchanges answer. */
#include <stdlib.h>

#include "lb/base/text.h"
#include "lb/proxy/front_h1.h"

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
    else if (bytes.len > 0 && front_h1_open(http->conn))
        write_out(http, bytes);
}

static bool has_no_body(const struct exchange *exchange, unsigned status)
{
    return exchange->request->method == METHOD_HEAD || status == 204 || status == 304;
}

/* RFC 9112 section 6: a length if there is one, else chunks, else the end of the connection. */
static bool add_framing(struct front_h1 *h1, struct exchange *exchange, struct http_head *head, bool ends)
{
    bool bodiless = has_no_body(exchange, head->status);
    h1->chunked = false;
    if (head->status == 204)
        return true;
    if (head->content_length >= 0)
        return http_head_add_length(head, head->content_length);
    if (bodiless)
        return true;
    if (ends)
        return http_head_add_length(head, 0);
    h1->chunked = exchange->request->minor == 1;
    if (h1->chunked)
        return http_head_add_known(head, HEADER_TRANSFER_ENCODING, SLICE_LITERAL("chunked"));
    h1->last = h1->open_ended = true;
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
    if (front_h1_open(conn))
        write_out(http, bytes);
    if (chunked && front_h1_open(conn))
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
    return front_h1_open(conn) && !stream_blocked(conn->client);
}

static void h1_end(struct exchange *exchange, const struct http_head *trailers)
{
    struct http_conn *http = exchange->http;
    if (http->h1->reading == READ_RAW) {
        front_h1_flush(http);
        if (front_h1_open(exchange->conn))
            stream_end(exchange->conn->client);
        return;
    }
    if (http->h1->chunked)
        h1_write_last_chunk(own_out(http), trailers);
    front_h1_flush(http);
    if (front_h1_open(exchange->conn) && http->h1->open_ended)
        stream_end(exchange->conn->client); /* the client may await it before it sends on */
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

/* What is kept behind the request may be enough already. */
static void h1_resume(struct exchange *exchange)
{
    if (front_h1_kept(exchange->http->h1).len < KEPT_PAUSE)
        stream_resume(exchange->conn->client);
}

static void h1_tunnel(struct exchange *exchange)
{
    struct http_conn *http = exchange->http;
    struct early *kept = http->h1->kept;
    struct slice bytes = front_h1_kept(http->h1);
    http->h1->reading = READ_RAW;
    http->h1->chunked = false;
    http->h1->kept = NULL;
    http->h1->kept_used = 0;
    stream_resume(exchange->conn->client);
    if (kept)
        exchange_body(exchange, bytes);
    free(kept);
}

static size_t h1_unsent(const struct exchange *exchange)
{
    return stream_unsent(exchange->conn->client);
}

static bool h1_blocked(const struct exchange *exchange)
{
    return stream_blocked(exchange->conn->client);
}

static void h1_done(struct exchange *exchange)
{
    struct http_conn *http = exchange->http;
    struct front_h1 *h1 = http->h1;
    bool complete = h1->reading == READ_HOLD;
    h1->exchange = NULL;
    if (!front_h1_open(exchange->conn))
        return;
    front_h1_flush(http);
    if (!front_h1_open(exchange->conn))
        return;
    if (complete && !h1->last && !(http->ending && http->conn->thread->http->draining))
        front_h1_next(http);
    else
        front_h1_finish(http, exchange->close ? exchange->reason : REASON_FINISHED);
}

const struct front_ops front_h1_ops = {
    .head = h1_head,
    .body = h1_body,
    .end = h1_end,
    .abort = h1_abort,
    .pause = h1_pause,
    .resume = h1_resume,
    .tunnel = h1_tunnel,
    .done = h1_done,
    .blocked = h1_blocked,
    .unsent = h1_unsent,
};
