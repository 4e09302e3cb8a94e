/* HTTP/1.1 to a server: a connection serves one request at a time and is kept when it is clean. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lb/base/text.h"
#include "lb/proxy/counters.h"
#include "lb/proxy/upstream_parts.h"

/* What a server's head may be: lb trusts its servers with more than its clients. */
static const struct http_limits answer_limits = {.header_bytes = 256 * 1024,
                                                 .header_count = 1000,
                                                 .uri_bytes = 64 * 1024};

struct h1_conn {
    struct upstream upstream; /* first */
    struct h1_conn *next, *prev;
    struct pool *pool;
    struct pool_server *kept_by;
    const struct backend *backend; /* valid while it is in use or in a pool that is not retired */
    struct server *server;
    struct stream *stream;
    struct h1_decoder *decoder;
    struct http_head *head; /* being read */
    uint64_t idle_ms;
    bool used; /* has served before */
    bool idle;
    bool chunked;  /* the request that is being sent */
    bool sent;     /* the request is complete */
    bool begun;    /* a byte of the answer has come */
    bool answered; /* the answer is complete */
    bool reusable; /* as far as the answer says */
    bool upgrade, tunnel;
    bool gone; /* its stream is closing */
};

static struct h1_conn *conn_of(struct upstream *upstream)
{
    return (struct h1_conn *)upstream;
}

/* ---- the end ---- */

static void close_conn(struct h1_conn *conn)
{
    if (conn->gone)
        return;
    conn->gone = true;
    stream_close(conn->stream);
}

static void fail(struct h1_conn *conn, enum upstream_trouble trouble, int error, const char *text)
{
    struct upstream *upstream = &conn->upstream;
    struct upstream_failure failure = {trouble, error, text};
    if (upstream->events)
        upstream->events->failed(upstream->owner, &failure);
    close_conn(conn);
}

/* ---- idle ones ---- */

static void take_out(struct h1_conn *conn)
{
    struct pool_server *server = conn->kept_by;
    if (!conn->idle)
        return;
    conn->idle = false;
    server->idle_count--;
    atomic_fetch_sub_explicit(&conn->server->idle, 1, memory_order_relaxed);
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        server->idle = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    conn->next = conn->prev = NULL;
}

static void put_in(struct h1_conn *conn, struct pool_server *server)
{
    conn->kept_by = server;
    conn->idle = true;
    conn->prev = NULL;
    conn->next = server->idle;
    if (conn->next)
        conn->next->prev = conn;
    server->idle = conn;
    server->idle_count++;
    atomic_fetch_add_explicit(&conn->server->idle, 1, memory_order_relaxed);
}

void h1_close_idle(struct pool_server *server, uint64_t idle_since_ms)
{
    struct h1_conn *next;
    for (struct h1_conn *conn = server->idle; conn; conn = next) {
        next = conn->next;
        if (conn->idle_ms > idle_since_ms)
            continue;
        take_out(conn);
        close_conn(conn);
    }
}

void h1_move_idle(struct pool *from, struct pool_server *server, struct pool *to, struct pool_server *target,
                  const struct member *member)
{
    while (server->idle && target->idle_count < target->backend->pool_connections) {
        struct h1_conn *conn = server->idle;
        take_out(conn);
        conn->pool = to;
        conn->backend = target->backend;
        conn->server = member->server;
        pool_hold(to);
        pool_drop(from);
        put_in(conn, target);
    }
}

/* Neither ended nor readable: what is asked of it will reach the server. */
static bool looks_alive(struct h1_conn *conn)
{
    uv_os_fd_t fd;
    char byte;
    if (uv_fileno(&conn->stream->uv.handle, &fd) != 0)
        return false;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* ---- the answer ---- */

static void deliver_head(struct h1_conn *conn, bool ends)
{
    struct upstream *upstream = &conn->upstream;
    struct http_head *head = conn->head;
    conn->head = NULL;
    conn->tunnel = head->status == 101;
    conn->answered = ends;
    conn->reusable = head->keep_alive && (conn->reusable || !ends);
    upstream->events->head(upstream->owner, head, ends);
}

static void deliver_end(struct h1_conn *conn)
{
    struct upstream *upstream = &conn->upstream;
    struct http_head *trailers = conn->head;
    conn->head = NULL;
    conn->answered = true;
    if (trailers && http_head_field_count(trailers) == 0) {
        head_pool_give(conn->pool->thread->heads, trailers);
        trailers = NULL;
    }
    upstream->events->end(upstream->owner, trailers);
}

static void invalid(struct h1_conn *conn)
{
    struct h1_error error = h1_decoder_error(conn->decoder);
    fail(conn, error.text ? UPSTREAM_BAD_ANSWER : UPSTREAM_NO_MEMORY, 0, error.text);
}

/* One event; false when there is no more to do with these bytes. */
static bool read_some(struct h1_conn *conn, struct slice *in)
{
    struct upstream *upstream = &conn->upstream;
    if (!conn->head)
        conn->head = head_pool_take(conn->pool->thread->heads);
    if (!conn->head) {
        fail(conn, UPSTREAM_NO_MEMORY, 0, NULL);
        return false;
    }
    struct h1_result result = h1_decode(conn->decoder, in, conn->head);
    bool ends = result.ends && conn->head->status >= 200; /* after 1xx the answer is yet to come */
    if ((result.event == H1_END || ends) && in->len > 0)
        conn->reusable = false; /* what follows a whole answer belongs to nobody */
    switch (result.event) {
    case H1_MORE: return false;
    case H1_HEAD: deliver_head(conn, ends); return !ends;
    case H1_BODY: upstream->events->body(upstream->owner, result.body); return true;
    case H1_END: deliver_end(conn); return false;
    case H1_INVALID: invalid(conn); return false;
    }
    return false;
}

static void on_data(struct stream *stream, struct slice in)
{
    struct h1_conn *conn = stream->owner;
    struct upstream *upstream = &conn->upstream;
    count(&conn->server->bytes_in, in.len);
    if (!upstream->events || conn->answered) { /* nobody has asked for anything */
        if (upstream->events)
            conn->reusable = false;
        else
            take_out(conn);
        if (!upstream->events)
            close_conn(conn);
        return;
    }
    conn->begun = true;
    while (!conn->gone && upstream->events) { /* the end may be told without a further byte */
        if (conn->tunnel && in.len > 0)
            upstream->events->body(upstream->owner, in);
        if (conn->tunnel || !read_some(conn, &in))
            return;
    }
}

static void ended(struct h1_conn *conn)
{
    struct upstream *upstream = &conn->upstream;
    conn->reusable = false;
    if (conn->tunnel) {
        conn->answered = true;
        upstream->events->end(upstream->owner, NULL);
        return;
    }
    switch (conn->begun ? h1_decoder_eof(conn->decoder) : H1_MORE) {
    case H1_END:
        deliver_end(conn);
        conn->reusable = false;
        break;
    case H1_MORE: fail(conn, UPSTREAM_CLOSED, 0, "the server ended the connection without an answer"); break;
    default: fail(conn, UPSTREAM_CUT, 0, "the server ended the connection within its answer"); break;
    }
}

static void on_end(struct stream *stream)
{
    struct h1_conn *conn = stream->owner;
    if (!conn->upstream.events) {
        take_out(conn);
        close_conn(conn);
    } else if (!conn->answered) {
        ended(conn);
    } else {
        conn->reusable = false;
    }
}

static void on_failed(struct stream *stream, enum stream_error error)
{
    struct h1_conn *conn = stream->owner;
    (void)error;
    conn->reusable = false;
    if (!conn->upstream.events) {
        take_out(conn);
        close_conn(conn);
    } else if (!conn->answered) {
        fail(conn, conn->begun ? UPSTREAM_CUT : UPSTREAM_CLOSED, 0, "the server reset the connection");
    }
}

static void on_drained(struct stream *stream)
{
    struct h1_conn *conn = stream->owner;
    if (conn->upstream.events)
        conn->upstream.events->drained(conn->upstream.owner);
}

static void on_connected(struct stream *stream, int status)
{
    struct h1_conn *conn = stream->owner;
    struct upstream *upstream = &conn->upstream;
    if (status < 0) {
        count(&conn->server->connect_errors, 1);
        fail(conn, UPSTREAM_CONNECT, status, NULL);
        return;
    }
    count(&conn->server->connections, 1);
    upstream->ready = true;
    if (upstream->events)
        upstream->events->ready(upstream->owner);
}

static void on_closed(struct stream *stream)
{
    struct h1_conn *conn = stream->owner;
    struct pool *pool = conn->pool;
    head_pool_give(pool->thread->heads, conn->head);
    h1_decoder_free(conn->decoder);
    free(conn);
    pool_drop(pool);
}

static const struct stream_events stream_events = {
    .connected = on_connected,
    .data = on_data,
    .end = on_end,
    .drained = on_drained,
    .failed = on_failed,
    .closed = on_closed,
};

/* ---- the request ---- */

/* Methods that have content as a rule say so when they have none (RFC 9110 section 8.6). */
static bool means_content(enum method method)
{
    return method == METHOD_POST || method == METHOD_PUT || method == METHOD_PATCH;
}

static void write_framing(struct http_out *out, const struct http_head *head, bool chunked, bool ends)
{
    char line[64];
    struct text text;
    text_init(&text, line, sizeof(line));
    if (chunked)
        text_adds(&text, "transfer-encoding: chunked\r\n");
    else if (!ends || head->content_length > 0 || means_content(head->method))
        text_addf(&text, "content-length: %lld\r\n",
                  (long long)(head->content_length > 0 ? head->content_length : 0));
    http_out_add(out, slice_make(line, text.len));
}

/* TE and Upgrade are of this connection: RFC 9110 sections 7.8 and 10.1.4. */
static void write_connection(struct http_out *out, const struct http_head *head)
{
    bool te = http_head_find(head, HEADER_TE) != NULL;
    if (head->upgrade && te)
        http_out_add(out, SLICE_LITERAL("connection: te, upgrade\r\n"));
    else if (head->upgrade)
        http_out_add(out, SLICE_LITERAL("connection: upgrade\r\n"));
    else if (te)
        http_out_add(out, SLICE_LITERAL("connection: te\r\n"));
}

#define TOGETHER_MAX (16 * 1024)

static enum stream_written flush(struct h1_conn *conn)
{
    struct http_out *out = &conn->pool->thread->out;
    struct slice bytes = slice_make(out->bytes, out->len);
    bool failed = out->failed;
    out->len = 0;
    out->failed = false;
    count(&conn->server->bytes_out, bytes.len);
    return failed || conn->gone ? STREAM_BROKEN : stream_write(conn->stream, bytes);
}

/* A piece of the body after what is in `out`; a large one is not copied. */
static enum stream_written write_piece(struct h1_conn *conn, struct slice bytes)
{
    struct http_out *out = &conn->pool->thread->out;
    if (bytes.len <= TOGETHER_MAX) {
        if (conn->chunked)
            h1_write_chunk(out, bytes);
        else
            http_out_add(out, bytes);
        return flush(conn);
    }
    if (conn->chunked) {
        char line[24];
        struct text text;
        text_init(&text, line, sizeof(line));
        text_addf(&text, "%zx\r\n", bytes.len);
        http_out_add(out, slice_make(line, text.len));
    }
    if ((out->len > 0 && flush(conn) == STREAM_BROKEN) || conn->gone)
        return STREAM_BROKEN;
    count(&conn->server->bytes_out, bytes.len);
    enum stream_written wrote = stream_write(conn->stream, bytes);
    if (!conn->chunked || wrote == STREAM_BROKEN)
        return wrote;
    http_out_add(out, SLICE_LITERAL("\r\n"));
    enum stream_written ended_so = flush(conn);
    return ended_so == STREAM_WROTE ? wrote : ended_so;
}

static enum stream_written h1_request(struct upstream *upstream, const struct http_head *head,
                                      struct slice path, struct slice body, bool ends)
{
    struct h1_conn *conn = conn_of(upstream);
    struct http_out *out = &conn->pool->thread->out;
    conn->chunked = !ends && head->content_length < 0;
    conn->upgrade = head->upgrade;
    conn->sent = ends;
    h1_decoder_expect(conn->decoder, head->method == METHOD_HEAD, head->upgrade);
    h1_write_request(out, head, path);
    if (!out->failed)
        out->len -= 2; /* the framing stands before the line that ends the head */
    write_framing(out, head, conn->chunked, ends);
    write_connection(out, head);
    http_out_add(out, SLICE_LITERAL("\r\n"));
    count(&conn->server->requests, 1);
    return body.len > 0 ? write_piece(conn, body) : flush(conn);
}

static enum stream_written h1_body(struct upstream *upstream, struct slice bytes)
{
    struct h1_conn *conn = conn_of(upstream);
    if (!conn->tunnel)
        return write_piece(conn, bytes);
    count(&conn->server->bytes_out, bytes.len);
    return conn->gone ? STREAM_BROKEN : stream_write(conn->stream, bytes);
}

static enum stream_written h1_end(struct upstream *upstream, const struct http_head *trailers)
{
    struct h1_conn *conn = conn_of(upstream);
    conn->sent = true;
    if (conn->gone)
        return STREAM_BROKEN;
    if (conn->tunnel) {
        stream_end(conn->stream);
        return STREAM_WROTE;
    }
    if (!conn->chunked)
        return STREAM_WROTE;
    h1_write_last_chunk(&conn->pool->thread->out, trailers);
    return flush(conn);
}

static void h1_pause(struct upstream *upstream)
{
    struct h1_conn *conn = conn_of(upstream);
    if (!conn->gone)
        stream_pause(conn->stream);
}

static void h1_resume(struct upstream *upstream)
{
    struct h1_conn *conn = conn_of(upstream);
    if (!conn->gone)
        stream_resume(conn->stream);
}

static bool worth_keeping(const struct h1_conn *conn)
{
    return !conn->gone && conn->answered && conn->sent && conn->reusable && !conn->upgrade && !conn->tunnel &&
           !conn->pool->retired && !stream_blocked(conn->stream) &&
           conn->kept_by->idle_count < conn->backend->pool_connections;
}

static void h1_close(struct upstream *upstream)
{
    struct h1_conn *conn = conn_of(upstream);
    if (conn->gone)
        return;
    if (!worth_keeping(conn)) {
        close_conn(conn);
        return;
    }
    conn->used = true;
    conn->answered = conn->begun = conn->sent = false;
    conn->idle_ms = uv_now(conn->pool->thread->net->loop);
    stream_resume(conn->stream);
    put_in(conn, conn->kept_by);
}

static const struct upstream_ops h1_upstream_ops = {
    .request = h1_request,
    .body = h1_body,
    .end = h1_end,
    .pause = h1_pause,
    .resume = h1_resume,
    .close = h1_close,
};

/* ---- opening ---- */

static struct h1_conn *take_idle(struct pool_server *server, bool idempotent)
{
    while (server->idle) {
        struct h1_conn *conn = server->idle;
        take_out(conn);
        if (idempotent || looks_alive(conn))
            return conn;
        close_conn(conn);
    }
    return NULL;
}

static struct h1_conn *connect_new(struct pool *pool, const struct member *member, int *error)
{
    struct h1_conn *conn = calloc(1, sizeof(*conn));
    *error = UV_ENOMEM;
    if (!conn)
        return NULL;
    conn->decoder = h1_decoder_new(H1_RESPONSES, &answer_limits);
    if (conn->decoder)
        conn->stream = stream_connect(pool->thread->net, &member->addr, &stream_events, conn, error);
    if (!conn->stream) {
        h1_decoder_free(conn->decoder);
        free(conn);
        return NULL;
    }
    conn->upstream.ops = &h1_upstream_ops;
    conn->pool = pool;
    conn->server = member->server;
    pool_hold(pool);
    return conn;
}

struct upstream *h1_open(struct pool *pool, const struct backend *backend, const struct member *member,
                         bool fresh, bool idempotent, int *error)
{
    struct pool_server *server = pool_server_get(pool, backend, member);
    struct h1_conn *conn = server && !fresh ? take_idle(server, idempotent) : NULL;
    *error = UV_ENOMEM;
    if (conn) {
        conn->upstream.reused = true;
        count(&member->server->reused, 1);
    } else if (server) {
        conn = connect_new(pool, member, error);
        if (!conn)
            count(&member->server->connect_errors, 1);
    }
    if (!conn)
        return NULL;
    conn->kept_by = server;
    conn->backend = backend;
    conn->reusable = true;
    return &conn->upstream;
}
