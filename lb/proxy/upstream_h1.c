/* HTTP/1.1 to a server: a connection serves one request at a time and is kept only when it is clean. */
#include "lb/proxy/upstream_h1.h"

#include <stdlib.h>

#include "lb/proxy/counters.h"

static struct h1_link *link_of(const struct upstream *upstream)
{
    return (struct h1_link *)upstream->link;
}

static struct head_pool *heads(const struct h1_link *link)
{
    return link->link.home->pool->thread->heads;
}

/* ---- who uses it ---- */

static void detach(struct h1_link *link)
{
    head_pool_give(heads(link), link->head);
    link->head = NULL;
    link->upstream->link = NULL;
    link->upstream = NULL;
    link->use++;
}

static void attach(struct h1_link *link, struct upstream *upstream)
{
    link->upstream = upstream;
    link->use++;
    link->answer = ANSWER_AWAITED;
    link->left = 0;
    link->requested = link->request_whole = link->chunked = false;
    link->interim = link->lasting = link->tunnel = false;
    upstream->link = &link->link;
    upstream->ready = link->link.connected;
    upstream->reused = link->link.served > 0;
}

static void fail(struct h1_link *link, enum upstream_trouble trouble, int error, const char *text)
{
    struct upstream *upstream = link->upstream;
    if (upstream)
        detach(link);
    link_close(&link->link);
    if (upstream)
        upstream_failed(upstream, trouble, error, text);
}

/* ---- the answer ---- */

/* What follows a whole answer belongs to nobody: a connection on which it has come is not used again. */
static void answer_whole(struct h1_link *link, struct slice rest)
{
    link->answer = ANSWER_WHOLE;
    if (rest.len > 0)
        link->dirty = true;
}

/* After 101 the bytes are of another protocol; those of a request that is not complete would be mixed up
 * with them. */
static void switch_protocols(struct h1_link *link, struct http_head *head)
{
    struct upstream *upstream = link->upstream;
    if (!link->request_whole) {
        head_pool_give(heads(link), head);
        fail(link, UPSTREAM_BAD_ANSWER, 0, "101 before the request was complete");
        return;
    }
    link->answer = ANSWER_TUNNEL;
    link->tunnel = true;
    upstream->events->head(upstream->owner, head, false);
}

static void final_head(struct h1_link *link, struct http_head *head, bool ends, struct slice rest)
{
    struct upstream *upstream = link->upstream;
    link->lasting = head->keep_alive;
    link->answer = ANSWER_BODY;
    if (ends)
        answer_whole(link, rest);
    else if (head->chunked)
        link->head = head_pool_take(heads(link));
    if (!ends && head->chunked && !link->head) {
        head_pool_give(heads(link), head);
        fail(link, UPSTREAM_NO_MEMORY, 0, NULL);
        return;
    }
    upstream->events->head(upstream->owner, head, ends);
}

static void take_head(struct h1_link *link, bool ends, struct slice rest)
{
    struct upstream *upstream = link->upstream;
    struct http_head *head = link->head;
    link->head = NULL;
    if (head->status == 101) {
        switch_protocols(link, head);
    } else if (head->status < 200) {
        link->interim = true;
        upstream->events->head(upstream->owner, head, false);
    } else {
        final_head(link, head, ends, rest);
    }
}

static void take_end(struct h1_link *link, struct slice rest)
{
    struct upstream *upstream = link->upstream;
    struct http_head *trailers = link->head;
    link->head = NULL;
    answer_whole(link, rest);
    if (trailers && http_head_field_count(trailers) == 0) {
        head_pool_give(heads(link), trailers);
        trailers = NULL;
    }
    upstream->events->end(upstream->owner, trailers);
}

static void invalid(struct h1_link *link)
{
    struct h1_error error = h1_decoder_error(link->decoder);
    fail(link, error.status == 0 ? UPSTREAM_NO_MEMORY : UPSTREAM_BAD_ANSWER, 0, error.text);
}

static bool head_at_hand(struct h1_link *link)
{
    if (link->answer != ANSWER_AWAITED || link->head)
        return true;
    link->head = head_pool_take(heads(link));
    if (!link->head)
        fail(link, UPSTREAM_NO_MEMORY, 0, NULL);
    return link->head != NULL;
}

/* Tells one event; true: the same request goes on with what is left. */
static bool read_on(struct h1_link *link, struct slice *in)
{
    unsigned use = link->use;
    if ((link->answer == ANSWER_AWAITED && in->len == 0) || !head_at_hand(link))
        return false;
    struct h1_result result = h1_decode(link->decoder, in, link->head);
    switch (result.event) {
    case H1_MORE: return false;
    case H1_HEAD: take_head(link, result.ends, *in); break;
    case H1_BODY: link->upstream->events->body(link->upstream->owner, result.body); break;
    case H1_END: take_end(link, *in); break;
    case H1_INVALID: invalid(link); break;
    }
    return link->use == use && link->answer < ANSWER_TUNNEL;
}

/* The answer's bytes, as long as it is the same request's. */
static void read_answer(struct h1_link *link, struct slice in)
{
    unsigned use = link->use;
    while (link->answer < ANSWER_TUNNEL && read_on(link, &in))
        continue;
    if (link->use == use && link->answer == ANSWER_TUNNEL && in.len > 0)
        link->upstream->events->body(link->upstream->owner, in);
}

/* ---- what the stream tells ---- */

static void on_data(struct stream *stream, struct slice bytes)
{
    struct h1_link *link = stream->owner;
    count(&link->link.home->server->bytes_in, bytes.len);
    if (!link->upstream) {
        link_close(&link->link);
    } else if (!link->requested) {
        fail(link, UPSTREAM_CLOSED, 0, "the server spoke before it was asked");
    } else if (link->answer == ANSWER_WHOLE) {
        link->dirty = true;
        stream_pause(stream);
    } else {
        read_answer(link, bytes);
    }
}

/* Before the first byte of an answer the server may have given up the connection before it saw the request.
 */
static void ended_early(struct h1_link *link, const char *text)
{
    bool begun = link->answer != ANSWER_AWAITED || link->interim || !h1_decoder_idle(link->decoder);
    fail(link, begun ? UPSTREAM_CUT : UPSTREAM_CLOSED, 0, text);
}

static void end_of_answer(struct h1_link *link)
{
    bool open_end = link->answer == ANSWER_BODY && !link->link.broken && !link_truncated(&link->link);
    if (open_end && h1_decoder_eof(link->decoder) == H1_END)
        take_end(link, slice_make(NULL, 0));
    else
        ended_early(link, "the server ended the connection too early");
}

/* False: TLS is there, or is not wanted. */
static bool unsecured(struct h1_link *link)
{
    enum upstream_trouble trouble;
    const char *text;
    if (!link_unsecured(&link->link, &trouble, &text))
        return false;
    fail(link, trouble, 0, text);
    return true;
}

static void on_end(struct stream *stream)
{
    struct h1_link *link = stream->owner;
    struct upstream *upstream = link->upstream;
    link->dirty = true;
    if (!upstream) {
        link_close(&link->link);
    } else if (unsecured(link)) {
        return;
    } else if (link->answer == ANSWER_TUNNEL && !link_truncated(&link->link)) {
        link->answer = ANSWER_WHOLE;
        upstream->events->end(upstream->owner, NULL);
    } else if (link->answer != ANSWER_WHOLE) {
        end_of_answer(link);
    }
}

static void on_failed(struct stream *stream, enum stream_error error)
{
    struct h1_link *link = stream->owner;
    (void)error;
    link->dirty = true;
    link->link.broken = true;
    if (!link->upstream)
        link_close(&link->link);
    else if (!unsecured(link) && link->answer != ANSWER_WHOLE)
        ended_early(link, "the server reset the connection");
}

static void on_drained(struct stream *stream)
{
    const struct h1_link *link = stream->owner;
    if (link->upstream)
        link->upstream->events->drained(link->upstream->owner);
}

static void tell_ready(struct h1_link *link)
{
    struct upstream *upstream = link->upstream;
    upstream->ready = true;
    upstream->events->ready(upstream->owner);
}

/* Right behind the connect, before anything else is said: without it the server would take the connection for
 * lb's own. 0 or a negative errno. */
static int announce(struct h1_link *link)
{
    const struct upstream *upstream = link->upstream;
    char *header = link->link.home->pool->thread->net->scratch.plain; /* nothing is being decrypted now */
    if (link->link.home->backend->send_proxy == SEND_PROXY_OFF)
        return 0;
    size_t len = upstream->events->announce(upstream->owner, header);
    if (len == 0)
        return UV_EMSGSIZE;
    return link_write(&link->link, slice_make(header, len)) == STREAM_BROKEN ? UV_ECONNRESET : 0;
}

static void on_connected(struct stream *stream, int status)
{
    struct h1_link *link = stream->owner;
    link_connected(&link->link, status);
    if (status == 0)
        status = announce(link);
    if (status < 0)
        fail(link, UPSTREAM_CONNECT, status, NULL);
    else if (link_secure(&link->link))
        tell_ready(link);
}

static void on_secured(struct stream *stream)
{
    struct h1_link *link = stream->owner;
    link_secured(&link->link);
    tell_ready(link);
}

static void on_closed(struct stream *stream)
{
    struct h1_link *link = stream->owner;
    h1_decoder_free(link->decoder);
    free(link);
}

static const struct stream_events h1_link_events = {
    .connected = on_connected,
    .secured = on_secured,
    .data = on_data,
    .end = on_end,
    .drained = on_drained,
    .failed = on_failed,
    .closed = on_closed,
};

/* ---- the owner ---- */

static void h1_link_pause(struct upstream *upstream)
{
    stream_pause(upstream->link->stream);
}

static void h1_link_resume(struct upstream *upstream)
{
    const struct h1_link *link = link_of(upstream);
    if (link->answer != ANSWER_WHOLE || !link->dirty)
        stream_resume(link->link.stream);
}

/* RFC 9112 section 9.3: both messages are complete, and nobody has said that it ends here. */
static bool exchange_whole(const struct h1_link *link)
{
    return link->answer == ANSWER_WHOLE && link->request_whole && link->lasting;
}

static bool clean(const struct h1_link *link)
{
    const struct pool_server *home = link->link.home;
    bool untouched = link->link.connected && !link->requested;
    if (home->backend->send_proxy != SEND_PROXY_OFF) /* it is known to be one client's */
        return false;
    return (untouched || exchange_whole(link)) && !link->dirty && !link->link.broken &&
           !stream_blocked(link->link.stream) && !home->pool->retired &&
           home->kept.count < home->backend->pool_connections;
}

static void h1_link_leave(struct upstream *upstream)
{
    struct h1_link *link = link_of(upstream);
    bool keep = clean(link), whole = link->answer == ANSWER_WHOLE && link->request_whole && !link->tunnel;
    detach(link);
    if (!keep) {
        if (whole)
            link_end(&link->link);
        link_close(&link->link);
        return;
    }
    link_keep(&link->link);
    if (link->link.stream->paused)
        stream_resume(link->link.stream); /* its end shall be seen at once */
}

static const struct upstream_ops h1_link_ops = {
    .request = h1_link_request,
    .body = h1_link_body,
    .end = h1_link_end,
    .pause = h1_link_pause,
    .resume = h1_link_resume,
    .close = h1_link_leave,
};

/* ---- opening ---- */

static struct h1_link *take_kept(struct pool_server *home, bool idempotent)
{
    while (home->kept.newest) {
        struct link *link = home->kept.newest;
        if (idempotent || link_looks_alive(link)) {
            link_taken(link);
            return (struct h1_link *)link;
        }
        link_close(link);
    }
    return NULL;
}

static struct h1_link *link_new(struct pool_server *home, const struct member *member, int *error)
{
    static const struct http_limits limits = {.header_bytes = ANSWER_HEADER_BYTES,
                                              .header_count = ANSWER_HEADER_COUNT,
                                              .uri_bytes = ANSWER_HEADER_BYTES};
    struct h1_link *link = calloc(1, sizeof(*link));
    *error = UV_ENOMEM;
    if (link)
        link->decoder = h1_decoder_new(H1_RESPONSES, &limits);
    if (link && link->decoder && link_connect(&link->link, home, &member->addr, &h1_link_events, error))
        return link;
    if (link)
        h1_decoder_free(link->decoder);
    free(link);
    return NULL;
}

bool h1_link_open(struct upstream *upstream, struct pool_server *home, const struct member *member,
                  bool fresh, bool idempotent, int *error)
{
    struct h1_link *link = fresh ? NULL : take_kept(home, idempotent);
    if (!link)
        link = link_new(home, member, error);
    if (!link)
        return false;
    attach(link, upstream);
    upstream->ops = &h1_link_ops;
    return true;
}
