/* Requests over HTTP/2: which connection takes one, and what its owner does with it. */
#include <stdlib.h>

#include "lb/proxy/counters.h"
#include "lb/proxy/upstream_h2.h"

#define STREAM_WINDOW  (256u * 1024)
#define SESSION_WINDOW (1024u * 1024)

/* Connections to one server in one thread; servers that allow few requests on each get several. */
#define LINKS_MAX 64

/* Requests that wait for one connection that is being made: what a server usually allows at once. */
#define WAITING_MAX 100

static struct h2_link *link_of(const struct upstream *upstream)
{
    return (struct h2_link *)upstream->link;
}

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
    if (body.len > 0)
        (ends ? h2_write_last : h2_write)(upstream->stream, body);
    h2_link_send(link);
    return h2_link_state(link, upstream);
}

static enum stream_written h2_link_body(struct upstream *upstream, struct slice bytes)
{
    struct h2_link *link = link_of(upstream);
    if (!upstream->stream)
        return STREAM_BROKEN;
    h2_write(upstream->stream, bytes);
    h2_link_send(link);
    return h2_link_state(link, upstream);
}

/* Its end may be that of the stream. */
static enum stream_written h2_link_end(struct upstream *upstream, const struct http_head *trailers)
{
    struct h2_link *link = link_of(upstream);
    if (!upstream->stream)
        return STREAM_BROKEN;
    upstream->sent = true;
    h2_end(upstream->stream, trailers);
    h2_link_send(link);
    return upstream->stream ? h2_link_state(link, upstream) : STREAM_WROTE;
}

static void h2_link_pause(struct upstream *upstream)
{
    upstream->paused = true;
}

static void h2_link_resume(struct upstream *upstream)
{
    upstream->paused = false;
    h2_upstream_grant(upstream);
    h2_link_send(link_of(upstream));
}

/* A stream that is complete but for its last event is not reset: servers count resets. */
static void h2_link_leave(struct upstream *upstream)
{
    struct h2_link *link = link_of(upstream);
    struct h2_stream *stream = upstream->stream;
    bool whole = stream && upstream->answered && upstream->sent && h2_queued(stream) == 0;
    h2_link_detach(link, upstream);
    if (stream && whole)
        h2_stream_own(stream, NULL);
    else if (stream)
        h2_reset(stream, H2_CANCEL);
    h2_link_send(link);
    if (link->count == 0)
        h2_link_left_alone(link);
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
        h2_link_settle(link);
}

/* ---- opening ---- */

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
        .memory = home->pool->thread->memory,
        .held = &home->pool->thread->net->held,
    };
    link->session = h2_new(&settings, &h2_session_events, link);
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
