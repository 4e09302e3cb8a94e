/* HTTP/2 to a server, with prior knowledge (RFC 9113 section 3.3): many requests share a connection. */
#include <stdlib.h>

#include "lb/proxy/counters.h"
#include "lb/proxy/upstream_parts.h"

#define STREAM_WINDOW  (256u * 1024)
#define SESSION_WINDOW (1024u * 1024)

/* Connections to one server in one thread; servers that allow few requests on each get several. */
#define LINKS_MAX 64

/* Requests that wait for one connection that is being made: what a server usually allows at once. */
#define WAITING_MAX 100

struct h2_link {
    struct link link; /* first */
    struct h2_session *session;
    struct upstream *first; /* all of its upstreams */
    unsigned count, unsent; /* all; those that have not sent their request */
    bool receiving, sending;
    bool owing; /* some upstream is to be told something: drained, or failed */
    bool going; /* no further requests */
};

static struct h2_link *link_of(const struct upstream *upstream)
{
    return (struct h2_link *)upstream->link;
}

/* ---- who uses it ---- */

static void attach(struct h2_link *link, struct upstream *upstream)
{
    upstream->link = &link->link;
    upstream->previous = NULL;
    upstream->next = link->first;
    if (link->first)
        link->first->previous = upstream;
    link->first = upstream;
    link->count++;
    link->unsent++;
    link_taken(&link->link);
}

static void detach(struct h2_link *link, struct upstream *upstream)
{
    if (upstream->next)
        upstream->next->previous = upstream->previous;
    if (upstream->previous)
        upstream->previous->next = upstream->next;
    else
        link->first = upstream->next;
    upstream->next = upstream->previous = NULL;
    upstream->link = NULL;
    upstream->stream = NULL;
    link->count--;
    link->unsent -= !upstream->requested;
}

static void leave_pool(struct h2_link *link)
{
    if (!link->link.home)
        return;
    links_remove(&link->link.home->shared, &link->link);
    h2_free(link->session);
    link->session = NULL;
    link_close(&link->link);
}

static void fail_one(struct h2_link *link, struct upstream *upstream, enum upstream_trouble trouble,
                     int error, const char *text)
{
    bool whole = upstream->answered;
    detach(link, upstream);
    if (!whole)
        upstream_failed(upstream, trouble, error, text);
}

/* The connection is gone; `early` is said to those whose answer has not begun. */
static void fail_all(struct h2_link *link, enum upstream_trouble early, int error, const char *text)
{
    leave_pool(link);
    while (link->first)
        fail_one(link, link->first, link->first->begun ? UPSTREAM_CUT : early, error, text);
}

/* Nobody is left: it waits for the next request, or goes. */
static void left_alone(struct h2_link *link)
{
    const struct pool_server *home = link->link.home;
    bool useless = !link->link.connected || link->going || link->link.broken;
    if (useless || home->pool->retired || home->backend->pool_connections == 0)
        leave_pool(link);
    else
        link_idle(&link->link);
}

/* ---- sending ---- */

/* Once for all that was added. No owner is told anything from within: what comes of it is owed until settle.
 */
static void send_all(struct h2_link *link)
{
    if (link->receiving || link->sending || !link->link.home || !link->link.connected)
        return;
    link->sending = true;
    h2_send(link->session);
    link->sending = false;
}

static void on_output(void *owner, struct slice bytes)
{
    struct h2_link *link = owner;
    if (link->link.home)
        link_write(&link->link, bytes);
}

void h2_link_close(struct link *base)
{
    struct h2_link *link = (struct h2_link *)base;
    if (link->link.connected && !link->link.broken && !link->receiving) {
        h2_goaway(link->session, true);
        send_all(link);
    }
    leave_pool(link);
}

static enum stream_written state_of(const struct h2_link *link, struct upstream *upstream)
{
    if (!link->link.home || link->link.broken || !upstream->stream)
        return STREAM_BROKEN;
    upstream->blocked = stream_blocked(link->link.stream) || h2_queued(upstream->stream) >= H2_HIGH;
    return upstream->blocked ? STREAM_QUEUED : STREAM_WROTE;
}

static bool drained(const struct h2_link *link, const struct upstream *upstream)
{
    return upstream->blocked && !stream_blocked(link->link.stream) &&
           (!upstream->stream || h2_queued(upstream->stream) < H2_HIGH);
}

/* Each event may add and take away upstreams. */
static void tell_drained(struct h2_link *link)
{
    struct upstream *upstream = link->first;
    while (upstream && link->link.home) {
        if (!drained(link, upstream)) {
            upstream = upstream->next;
            continue;
        }
        upstream->blocked = false;
        upstream->events->drained(upstream->owner);
        upstream = link->first;
    }
}

static void tell_lost(struct h2_link *link)
{
    struct upstream *upstream = link->first;
    while (upstream && link->link.home) {
        if (!upstream->lost) {
            upstream = upstream->next;
            continue;
        }
        fail_one(link, upstream, upstream->loss, 0, "the connection took no more of the request");
        upstream = link->first;
    }
}

static void tell_owed(struct h2_link *link)
{
    if (!link->owing)
        return;
    link->owing = false;
    tell_drained(link);
    tell_lost(link);
}

/* After events: whether the connection goes on. */
static void settle(struct h2_link *link)
{
    if (link->link.home && link->count > 0) {
        send_all(link);
        tell_owed(link);
    }
    if (!link->link.home)
        return;
    if (link->count == 0)
        left_alone(link);
    else if (h2_over(link->session))
        fail_all(link, UPSTREAM_CLOSED, 0, "the server ended the connection");
}

/* ---- what the session tells ---- */

static struct upstream *upstream_of(const struct h2_stream *stream)
{
    return h2_stream_owner(stream);
}

/* RFC 9113 section 8.6: HTTP/2 has no 101. */
static void refuse_switch(struct h2_link *link, struct h2_stream *stream, struct http_head *head)
{
    struct upstream *upstream = upstream_of(stream);
    head_pool_give(link->link.home->pool->thread->heads, head);
    h2_reset(stream, H2_PROTOCOL_ERROR);
    fail_one(link, upstream, UPSTREAM_BAD_ANSWER, 0, "101 in HTTP/2");
}

static void on_head(void *owner, struct h2_stream *stream, struct http_head *head, bool ends)
{
    struct upstream *upstream = upstream_of(stream);
    if (head->status == 101) {
        refuse_switch(owner, stream, head);
        return;
    }
    upstream->begun = true;
    upstream->answered = ends && head->status >= 200;
    upstream->left = head->status >= 200 ? head->content_length : -1;
    upstream->events->head(upstream->owner, head, upstream->answered);
}

static void grant(struct upstream *upstream)
{
    size_t bytes = upstream->unconsumed;
    upstream->unconsumed = 0;
    if (bytes > 0 && upstream->stream)
        h2_consumed(upstream->stream, bytes);
}

static void on_body(void *owner, struct h2_stream *stream, struct slice bytes)
{
    struct upstream *upstream = upstream_of(stream);
    (void)owner;
    upstream->left -= (int64_t)bytes.len;
    upstream->unconsumed += bytes.len;
    if (!upstream->paused)
        grant(upstream);
    upstream->events->body(upstream->owner, bytes);
}

static void on_message_end(void *owner, struct h2_stream *stream, struct http_head *trailers)
{
    struct upstream *upstream = upstream_of(stream);
    (void)owner;
    upstream->answered = true;
    upstream->events->end(upstream->owner, trailers);
}

static enum upstream_trouble trouble_of(const struct upstream *upstream, uint32_t code, bool unprocessed)
{
    if (upstream->begun)
        return UPSTREAM_CUT;
    if (unprocessed)
        return UPSTREAM_UNTOUCHED;
    return code == H2_PROTOCOL_ERROR ? UPSTREAM_BAD_ANSWER : UPSTREAM_CLOSED;
}

/* Node.js closes a stream so, without END_STREAM, when its last bytes had to wait for the window: all that
 * content-length announces is there. */
static bool is_complete(const struct upstream *upstream, uint32_t code)
{
    return code == H2_NO_ERROR && upstream->begun && !upstream->answered && upstream->left == 0;
}

static void on_reset(void *owner, struct h2_stream *stream, uint32_t code, bool unprocessed)
{
    struct h2_link *link = owner;
    struct upstream *upstream = upstream_of(stream);
    if (!upstream)
        return;
    if (is_complete(upstream, code) && !link->sending) {
        upstream->stream = NULL;
        on_message_end(owner, stream, NULL);
        return;
    }
    enum upstream_trouble trouble = trouble_of(upstream, code, unprocessed);
    upstream->stream = NULL;
    if (upstream->answered) /* RFC 9113 section 8.1: the server needs no more of the request */
        return;
    if (!link->sending) {
        fail_one(link, upstream, trouble, 0, "the stream was reset");
        return;
    }
    upstream->lost = link->owing = true;
    upstream->loss = trouble;
}

static void on_stream_closed(void *owner, struct h2_stream *stream)
{
    struct upstream *upstream = upstream_of(stream);
    (void)owner;
    if (upstream)
        upstream->stream = NULL;
}

static void on_stream_drained(void *owner, struct h2_stream *stream)
{
    struct h2_link *link = owner;
    (void)stream;
    link->owing = true;
}

static void on_goaway(void *owner)
{
    struct h2_link *link = owner;
    link->going = true;
}

static const struct h2_events session_events = {
    .head = on_head,
    .data = on_body,
    .end = on_message_end,
    .reset = on_reset,
    .closed = on_stream_closed,
    .drained = on_stream_drained,
    .output = on_output,
    .goaway = on_goaway,
};

/* ---- what the socket tells ---- */

/* GOAWAY says why, if there is anybody left to count the bytes for. */
static void broke_rules(struct h2_link *link)
{
    if (!link->link.home->pool->retired)
        send_all(link);
    fail_all(link, UPSTREAM_BAD_ANSWER, 0, "the connection broke the rules of HTTP/2");
}

static void on_data(struct stream *stream, struct slice bytes)
{
    struct h2_link *link = stream->owner;
    count(&link->link.home->server->bytes_in, bytes.len);
    link->receiving = true;
    bool good = h2_receive(link->session, bytes);
    link->receiving = false;
    if (!link->link.home)
        return;
    if (good)
        settle(link);
    else
        broke_rules(link);
}

static void on_end(struct stream *stream)
{
    fail_all(stream->owner, UPSTREAM_CLOSED, 0, "the server ended the connection");
}

static void on_failed(struct stream *stream, enum stream_error error)
{
    (void)error;
    fail_all(stream->owner, UPSTREAM_CLOSED, 0, "the server reset the connection");
}

static void on_drained(struct stream *stream)
{
    struct h2_link *link = stream->owner;
    tell_drained(link);
    settle(link);
}

static void tell_ready(struct h2_link *link)
{
    struct upstream *upstream = link->first;
    while (upstream && link->link.home) {
        if (upstream->ready) {
            upstream = upstream->next;
            continue;
        }
        upstream->ready = true;
        upstream->events->ready(upstream->owner);
        upstream = link->first;
    }
}

static void on_connected(struct stream *stream, int status)
{
    struct h2_link *link = stream->owner;
    link_connected(&link->link, status);
    if (status < 0) {
        fail_all(link, UPSTREAM_CONNECT, status, NULL);
        return;
    }
    link->receiving = true; /* the requests of all that wait go out together */
    tell_ready(link);
    link->receiving = false;
    settle(link);
}

static void on_closed(struct stream *stream)
{
    free(stream->owner);
}

static const struct stream_events h2_link_events = {
    .connected = on_connected,
    .data = on_data,
    .end = on_end,
    .drained = on_drained,
    .failed = on_failed,
    .closed = on_closed,
};

/* ---- the owner ---- */

static enum stream_written h2_link_request(struct upstream *upstream, const struct http_head *head,
                                           struct slice path, struct slice body, bool ends)
{
    struct h2_link *link = link_of(upstream);
    struct head_pool *heads = upstream->pool->thread->heads;
    if (upstream->requested)
        return STREAM_BROKEN;
    upstream->requested = true;
    upstream->sent = ends;
    link->unsent--;
    link->link.served++;
    count(&link->link.home->server->requests, 1);
    struct http_head *sent = h2_request_head(heads, head);
    if (sent)
        upstream->stream = h2_request(link->session, sent, path, ends && body.len == 0, upstream);
    head_pool_give(heads, sent);
    if (!upstream->stream) {
        upstream->lost = link->owing = true;
        upstream->loss = UPSTREAM_UNTOUCHED;
        return STREAM_BROKEN;
    }
    if (body.len > 0) {
        h2_write(upstream->stream, body);
        if (ends)
            h2_end(upstream->stream, NULL);
    }
    send_all(link);
    return state_of(link, upstream);
}

static enum stream_written h2_link_body(struct upstream *upstream, struct slice bytes)
{
    struct h2_link *link = link_of(upstream);
    if (!upstream->stream)
        return STREAM_BROKEN;
    h2_write(upstream->stream, bytes);
    send_all(link);
    return state_of(link, upstream);
}

/* Its end may be that of the stream. */
static enum stream_written h2_link_end(struct upstream *upstream, const struct http_head *trailers)
{
    struct h2_link *link = link_of(upstream);
    if (!upstream->stream)
        return STREAM_BROKEN;
    upstream->sent = true;
    h2_end(upstream->stream, trailers);
    send_all(link);
    return upstream->stream ? state_of(link, upstream) : STREAM_WROTE;
}

static void h2_link_pause(struct upstream *upstream)
{
    upstream->paused = true;
}

static void h2_link_resume(struct upstream *upstream)
{
    upstream->paused = false;
    grant(upstream);
    send_all(link_of(upstream));
}

/* A stream that is complete but for its last event is not reset: servers count resets. */
static void h2_link_leave(struct upstream *upstream)
{
    struct h2_link *link = link_of(upstream);
    struct h2_stream *stream = upstream->stream;
    bool whole = stream && upstream->answered && upstream->sent && h2_queued(stream) == 0;
    detach(link, upstream);
    if (stream && whole)
        h2_stream_own(stream, NULL);
    else if (stream)
        h2_reset(stream, H2_CANCEL);
    send_all(link);
    if (link->count == 0)
        left_alone(link);
}

static const struct upstream_ops h2_link_ops = {
    .request = h2_link_request,
    .body = h2_link_body,
    .end = h2_link_end,
    .pause = h2_link_pause,
    .resume = h2_link_resume,
    .close = h2_link_leave,
};

void h2_link_tick(struct link *base)
{
    struct h2_link *link = (struct h2_link *)base;
    if (link->owing)
        settle(link);
}

/* ---- opening ---- */

static bool takes(const struct h2_link *link, bool fresh, bool idempotent)
{
    if (link->going || link->link.broken || (fresh && link->link.served > 0))
        return false;
    if (!link->link.connected)
        return link->count < WAITING_MAX;
    if (link->unsent > 0 || !h2_can_request(link->session))
        return false;
    return idempotent || !link->link.idle || link_looks_alive(&link->link);
}

static struct h2_link *find(const struct pool_server *home, bool fresh, bool idempotent)
{
    for (struct link *link = home->shared.newest; link; link = link->older)
        if (takes((struct h2_link *)link, fresh, idempotent))
            return (struct h2_link *)link;
    return NULL;
}

static bool begin(struct h2_link *link, struct pool_server *home, const struct member *member, int *error)
{
    struct h2_settings settings = {
        .stream_window = STREAM_WINDOW,
        .session_window = SESSION_WINDOW,
        .limits = {ANSWER_HEADER_BYTES, ANSWER_HEADER_COUNT, ANSWER_HEADER_BYTES},
        .heads = home->pool->thread->heads,
        .held = &home->pool->thread->net->held,
    };
    link->session = h2_new(&settings, &session_events, link);
    if (link->session && link_connect(&link->link, home, &member->addr, &h2_link_events, error))
        return true;
    if (link->session)
        h2_free(link->session);
    return false;
}

static struct h2_link *link_new(struct pool_server *home, const struct member *member, int *error)
{
    *error = home->shared.count < LINKS_MAX ? UV_ENOMEM : UV_EAGAIN;
    struct h2_link *link = home->shared.count < LINKS_MAX ? calloc(1, sizeof(*link)) : NULL;
    if (!link)
        return NULL;
    if (!begin(link, home, member, error)) {
        free(link);
        return NULL;
    }
    links_add(&home->shared, &link->link);
    return link;
}

bool h2_link_open(struct upstream *upstream, struct pool_server *home, const struct member *member,
                  bool fresh, bool idempotent, int *error)
{
    struct h2_link *link = find(home, fresh, idempotent);
    if (!link)
        link = link_new(home, member, error);
    if (!link)
        return false;
    upstream->ops = &h2_link_ops;
    upstream->ready = link->link.connected;
    upstream->reused = link->link.served > 0;
    attach(link, upstream);
    return true;
}
