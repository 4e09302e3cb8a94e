/* A request's life on a connection, whichever version of HTTP that speaks; and what all connections share. */
#include "lb/proxy/upstream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lb/proxy/counters.h"
#include "lb/proxy/server_tls.h"
#include "lb/proxy/upstream_parts.h"

#define SPARE_MAX 256

/* ---- connections ---- */

bool link_connect(struct link *link, struct pool_server *home, const struct addr *addr,
                  const struct stream_events *events, int *error)
{
    link->stream = stream_connect(home->pool->thread->net, addr, events, link, error);
    if (!link->stream) {
        count(&home->server->connect_errors, 1);
        return false;
    }
    link->home = home;
    pool_hold(home->pool);
    return true;
}

/* It may fail within, and close the link. */
static void start_tls(struct link *link)
{
    const struct pool_server *home = link->home;
    struct tls_session *session =
        tls_session_connect(home->peer, server_tls_http(home->backend), &link->stream->thread->scratch);
    if (session)
        stream_secure(link->stream, session, slice_make("", 0));
    else
        link->stream->events->failed(link->stream, STREAM_RESET);
}

void link_connected(struct link *link, int status)
{
    struct server *server = link->home->server;
    link->connected = status == 0 && !link->home->peer;
    count(status == 0 ? &server->connections : &server->connect_errors, 1);
}

bool link_secure(struct link *link)
{
    bool ready = link->connected;
    if (!ready)
        start_tls(link);
    return ready;
}

void link_secured(struct link *link)
{
    struct server *server = link->home->server;
    link->connected = true;
    count(tls_session_resumed(link->stream->tls) ? &server->handshakes_resumed : &server->handshakes_full, 1);
}

bool link_unsecured(struct link *link, enum upstream_trouble *trouble, const char **text)
{
    const struct tls_session *session = link->stream->tls;
    if (link->connected && !(session && tls_session_spurned(session)))
        return false;
    const struct tls_failure *failure = session ? tls_session_why(session) : NULL;
    bool impostor = failure && failure->reason == REASON_SERVER_CERTIFICATE;
    *trouble = impostor ? UPSTREAM_IMPOSTOR : UPSTREAM_TLS;
    *text = failure ? failure->text : "out of memory";
    count(&link->home->server->handshakes_failed, 1);
    count(&link->home->server->connect_errors, 1);
    return true;
}

bool link_truncated(const struct link *link)
{
    return link->stream->tls && tls_session_truncated(link->stream->tls);
}

void link_idle(struct link *link)
{
    if (link->idle)
        return;
    link->idle = true;
    link->idle_since_ms = uv_now(link->home->pool->thread->net->loop);
    atomic_fetch_add_explicit(&link->home->server->idle, 1, memory_order_relaxed);
}

void link_taken(struct link *link)
{
    if (!link->idle)
        return;
    link->idle = false;
    if (link->kept)
        links_remove(&link->home->kept, link);
    link->kept = false;
    atomic_fetch_sub_explicit(&link->home->server->idle, 1, memory_order_relaxed);
}

void link_keep(struct link *link)
{
    links_add(&link->home->kept, link);
    link->kept = true;
    link_idle(link);
}

void link_end(struct link *link)
{
    if (link->home && link->connected && !link->broken && link->stream->tls)
        stream_end(link->stream);
}

void link_close(struct link *link)
{
    struct pool_server *home = link->home;
    if (!home)
        return;
    if (link->idle)
        link_end(link);
    link_taken(link);
    link->home = NULL;
    stream_close(link->stream);
    pool_drop(home->pool);
}

bool link_looks_alive(const struct link *link)
{
    uv_os_fd_t fd;
    char byte;
    if (uv_fileno(&link->stream->uv.handle, &fd) != 0)
        return false;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

enum stream_written link_write(struct link *link, struct slice bytes)
{
    enum stream_written wrote = link->broken ? STREAM_BROKEN : stream_write(link->stream, bytes);
    if (wrote == STREAM_BROKEN)
        link->broken = true;
    else
        count(&link->home->server->bytes_out, bytes.len);
    return wrote;
}

/* ---- upstreams ---- */

static struct upstream *upstream_new(struct pool *pool, const struct upstream_events *events, void *owner)
{
    struct upstream *upstream = pool->spare;
    if (upstream) {
        pool->spare = upstream->next;
        pool->spare_count--;
    } else {
        upstream = malloc(sizeof(*upstream));
    }
    if (!upstream)
        return NULL;
    *upstream = (struct upstream){.events = events, .owner = owner, .pool = pool};
    pool_hold(pool);
    return upstream;
}

static void upstream_free(struct upstream *upstream)
{
    struct pool *pool = upstream->pool;
    if (pool->spare_count < SPARE_MAX) {
        upstream->next = pool->spare;
        pool->spare = upstream;
        pool->spare_count++;
    } else {
        free(upstream);
    }
    pool_drop(pool);
}

void upstream_failed(struct upstream *upstream, enum upstream_trouble trouble, int error, const char *text)
{
    struct upstream_failure failure = {trouble, error, text};
    upstream->events->failed(upstream->owner, &failure);
}

struct upstream *upstream_open(struct pool *pool, const struct backend *backend, const struct member *member,
                               bool fresh, bool idempotent, const struct upstream_events *events, void *owner,
                               int *error)
{
    struct upstream *upstream = upstream_new(pool, events, owner);
    *error = UV_ENOMEM;
    if (!upstream)
        return NULL;
    struct pool_server *home = pool_server_get(pool, backend, member);
    if (home &&
        (backend->h2 ? h2_link_open : h1_link_open)(upstream, home, member, fresh, idempotent, error)) {
        if (upstream->reused)
            count(&member->server->reused, 1);
        return upstream;
    }
    upstream_free(upstream);
    return NULL;
}

bool upstream_ready(const struct upstream *upstream)
{
    return upstream->ready;
}

bool upstream_reused(const struct upstream *upstream)
{
    return upstream->reused;
}

const char *upstream_tls(const struct upstream *upstream)
{
    const struct stream *stream = upstream->link ? upstream->link->stream : NULL;
    return stream && stream->tls ? tls_session_version(stream->tls) : NULL;
}

enum stream_written upstream_request(struct upstream *upstream, const struct http_head *head,
                                     struct slice path, struct slice body, bool ends)
{
    if (!upstream->link || !upstream->ready)
        return STREAM_BROKEN;
    return upstream->ops->request(upstream, head, path, body, ends);
}

enum stream_written upstream_body(struct upstream *upstream, struct slice bytes)
{
    if (bytes.len == 0)
        return STREAM_WROTE;
    return upstream->link ? upstream->ops->body(upstream, bytes) : STREAM_BROKEN;
}

enum stream_written upstream_end(struct upstream *upstream, const struct http_head *trailers)
{
    return upstream->link ? upstream->ops->end(upstream, trailers) : STREAM_BROKEN;
}

void upstream_pause(struct upstream *upstream)
{
    if (upstream->link)
        upstream->ops->pause(upstream);
}

void upstream_resume(struct upstream *upstream)
{
    if (upstream->link)
        upstream->ops->resume(upstream);
}

void upstream_close(struct upstream *upstream)
{
    if (upstream->link)
        upstream->ops->close(upstream);
    upstream_free(upstream);
}
