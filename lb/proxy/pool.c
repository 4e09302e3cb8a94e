/* The connections to servers that one thread keeps for one snapshot. */
#include <stdlib.h>

#include "lb/proxy/upstream_parts.h"

struct pool *pool_new(struct upstream_thread *thread)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    if (pool)
        pool->thread = thread;
    return pool;
}

static struct pool_server **bucket_of(struct pool *pool, const struct server *server)
{
    return &pool->servers[((uintptr_t)server >> 6) % POOL_BUCKETS];
}

struct pool_server *pool_server_get(struct pool *pool, const struct backend *backend,
                                    const struct member *member)
{
    struct pool_server **bucket = bucket_of(pool, member->server), *found = *bucket;
    while (found && (found->server != member->server || found->backend != backend))
        found = found->next;
    if (found)
        return found;
    found = calloc(1, sizeof(*found));
    if (!found)
        return NULL;
    *found = (struct pool_server){.next = *bucket, .server = member->server, .backend = backend};
    *bucket = found;
    return found;
}

static void pool_free(struct pool *pool)
{
    for (size_t i = 0; i < POOL_BUCKETS; i++)
        while (pool->servers[i]) {
            struct pool_server *server = pool->servers[i];
            pool->servers[i] = server->next;
            free(server);
        }
    free(pool);
}

void pool_hold(struct pool *pool)
{
    pool->connections++;
}

void pool_drop(struct pool *pool)
{
    if (--pool->connections == 0 && pool->retired)
        pool_free(pool);
}

void pool_retire(struct pool *pool)
{
    pool_hold(pool); /* closing may let the last one go */
    pool->retired = true;
    for (size_t i = 0; i < POOL_BUCKETS; i++)
        for (struct pool_server *server = pool->servers[i]; server; server = server->next) {
            h1_close_idle(server, UINT64_MAX);
            h2_retire(server);
        }
    pool_drop(pool);
}

static void move_server(struct pool *from, struct pool_server *server, struct pool *to, pool_keeps *keeps,
                        void *context)
{
    const struct backend *backend;
    const struct member *member;
    if ((!server->idle && !server->shared) || !keeps(context, server->server, &backend, &member))
        return;
    if (backend->h2 != server->backend->h2)
        return;
    struct pool_server *target = pool_server_get(to, backend, member);
    if (!target)
        return;
    h1_move_idle(from, server, to, target, member);
    h2_move_idle(from, server, to, target, member);
}

void pool_move(struct pool *from, struct pool *to, pool_keeps *keeps, void *context)
{
    for (size_t i = 0; i < POOL_BUCKETS; i++)
        for (struct pool_server *server = from->servers[i]; server; server = server->next)
            move_server(from, server, to, keeps, context);
}

void pool_tick(struct pool *pool, uint64_t now_ms)
{
    for (size_t i = 0; i < POOL_BUCKETS; i++)
        for (struct pool_server *server = pool->servers[i]; server; server = server->next) {
            uint64_t kept = server->backend->timeout_pool_ms;
            if (kept > now_ms)
                continue;
            h1_close_idle(server, now_ms - kept);
            h2_close_idle(server, now_ms - kept);
        }
}

/* ---- one request: whichever version ---- */

struct upstream *upstream_open(struct pool *pool, const struct backend *backend, const struct member *member,
                               bool fresh, bool idempotent, const struct upstream_events *events, void *owner,
                               int *error)
{
    struct upstream *upstream = backend->h2 ? h2_open(pool, backend, member, fresh, error)
                                            : h1_open(pool, backend, member, fresh, idempotent, error);
    if (upstream) {
        upstream->events = events;
        upstream->owner = owner;
    }
    return upstream;
}

bool upstream_ready(const struct upstream *upstream)
{
    return upstream->ready;
}

bool upstream_reused(const struct upstream *upstream)
{
    return upstream->reused;
}

enum stream_written upstream_request(struct upstream *upstream, const struct http_head *head,
                                     struct slice path, struct slice body, bool ends)
{
    return upstream->ops->request(upstream, head, path, body, ends);
}

enum stream_written upstream_body(struct upstream *upstream, struct slice bytes)
{
    return upstream->ops->body(upstream, bytes);
}

enum stream_written upstream_end(struct upstream *upstream, const struct http_head *trailers)
{
    return upstream->ops->end(upstream, trailers);
}

void upstream_pause(struct upstream *upstream)
{
    upstream->ops->pause(upstream);
}

void upstream_resume(struct upstream *upstream)
{
    upstream->ops->resume(upstream);
}

void upstream_close(struct upstream *upstream)
{
    upstream->events = NULL;
    upstream->owner = NULL;
    upstream->ops->close(upstream);
}
