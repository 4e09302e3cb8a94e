/* HTTP/2 to a server, with prior knowledge (RFC 9113 section 3.3) or by ALPN: many requests share a
 * connection. */
#include "lb/proxy/upstream_h2.h"

#include <stdlib.h>

#include "lb/proxy/counters.h"

/* ---- who uses it ---- */

void h2_link_detach(struct h2_link *link, struct upstream *upstream)
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
    h2_link_detach(link, upstream);
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
void h2_link_left_alone(struct h2_link *link)
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
void h2_link_send(struct h2_link *link)
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
    if (link->link.home && link_write(&link->link, bytes) == STREAM_BROKEN)
        stream_end(link->link.stream); /* what was lost spoils the rest: the server shall end it */
}

/* What a slow server does not take stays with its stream, where its source sees it. */
static bool on_asked_if_blocked(void *owner)
{
    const struct h2_link *link = owner;
    return stream_blocked(link->link.stream);
}

void h2_link_close(struct link *base)
{
    struct h2_link *link = (struct h2_link *)base;
    if (link->link.connected && !link->link.broken && !link->receiving) {
        h2_goaway(link->session, true);
        h2_link_send(link);
    }
    leave_pool(link);
}

enum stream_written h2_link_state(const struct h2_link *link, struct upstream *upstream)
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

/* After events: whether the connection goes on. Of a retired pool nothing may be left but the connection. */
void h2_link_settle(struct h2_link *link)
{
    if (link->link.home && link->count == 0 && link->link.home->pool->retired)
        leave_pool(link);
    h2_link_send(link);
    if (link->link.home)
        tell_owed(link);
    if (!link->link.home)
        return;
    if (link->count == 0)
        h2_link_left_alone(link);
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

void h2_upstream_grant(struct upstream *upstream)
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
        h2_upstream_grant(upstream);
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

const struct h2_events h2_session_events = {
    .head = on_head,
    .data = on_body,
    .end = on_message_end,
    .reset = on_reset,
    .closed = on_stream_closed,
    .drained = on_stream_drained,
    .output = on_output,
    .blocked = on_asked_if_blocked,
    .goaway = on_goaway,
};

/* ---- what the socket tells ---- */

/* GOAWAY says why, if there is anybody left to count the bytes for. */
static void broke_rules(struct h2_link *link)
{
    if (!link->link.home->pool->retired)
        h2_link_send(link);
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
        h2_link_settle(link);
    else
        broke_rules(link);
}

static void lost(struct h2_link *link, const char *text)
{
    enum upstream_trouble trouble = UPSTREAM_CLOSED;
    link_unsecured(&link->link, &trouble, &text);
    fail_all(link, trouble, 0, text);
}

static void on_end(struct stream *stream)
{
    lost(stream->owner, "the server ended the connection");
}

static void on_failed(struct stream *stream, enum stream_error error)
{
    (void)error;
    lost(stream->owner, "the server reset the connection");
}

static void on_drained(struct stream *stream)
{
    struct h2_link *link = stream->owner;
    h2_link_send(link);
    tell_drained(link);
    h2_link_settle(link);
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

static void begin(struct h2_link *link)
{
    link->receiving = true; /* the requests of all that wait go out together */
    tell_ready(link);
    link->receiving = false;
    h2_link_settle(link);
}

static void on_connected(struct stream *stream, int status)
{
    struct h2_link *link = stream->owner;
    link_connected(&link->link, status);
    if (status < 0)
        fail_all(link, UPSTREAM_CONNECT, status, NULL);
    else if (link_secure(&link->link))
        begin(link);
}

static void on_secured(struct stream *stream)
{
    struct h2_link *link = stream->owner;
    link_secured(&link->link);
    begin(link);
}

static void on_closed(struct stream *stream)
{
    free(stream->owner);
}

const struct stream_events h2_link_events = {
    .connected = on_connected,
    .secured = on_secured,
    .data = on_data,
    .end = on_end,
    .drained = on_drained,
    .failed = on_failed,
    .closed = on_closed,
};
