/* The connections to servers that one thread keeps for one snapshot. */
#include <stdlib.h>

#include "lb/proxy/server_tls.h"
#include "lb/proxy/upstream_parts.h"

/* ---- lists ---- */

void links_add(struct link_list *list, struct link *link)
{
    link->newer = NULL;
    link->older = list->newest;
    if (list->newest)
        list->newest->newer = link;
    else
        list->oldest = link;
    list->newest = link;
    list->count++;
}

void links_remove(struct link_list *list, struct link *link)
{
    if (link->newer)
        link->newer->older = link->older;
    else
        list->newest = link->older;
    if (link->older)
        link->older->newer = link->newer;
    else
        list->oldest = link->newer;
    link->newer = link->older = NULL;
    list->count--;
}

/* ---- a pool's life ---- */

struct pool *pool_new(struct upstream_thread *thread)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    if (!pool)
        return NULL;
    pool->thread = thread;
    pool->holds = 1;
    return pool;
}

static void pool_free(struct pool *pool)
{
    for (size_t i = 0; i < POOL_BUCKETS; i++)
        while (pool->servers[i]) {
            struct pool_server *home = pool->servers[i];
            pool->servers[i] = home->next;
            free(home);
        }
    while (pool->spare) {
        struct upstream *upstream = pool->spare;
        pool->spare = upstream->next;
        free(upstream);
    }
    free(pool);
}

void pool_hold(struct pool *pool)
{
    pool->holds++;
}

void pool_drop(struct pool *pool)
{
    if (--pool->holds == 0)
        pool_free(pool);
}

struct pool_server *pool_server_get(struct pool *pool, const struct backend *backend,
                                    const struct member *member)
{
    struct pool_server **bucket = &pool->servers[((uintptr_t)member->server >> 6) % POOL_BUCKETS];
    struct pool_server *home = *bucket;
    while (home && (home->server != member->server || home->backend != backend))
        home = home->next;
    if (home)
        return home;
    home = calloc(1, sizeof(*home));
    if (!home)
        return NULL;
    *home = (struct pool_server){.next = *bucket, .pool = pool, .server = member->server, .backend = backend};
    home->peer = pool->tls ? server_tls_peer(pool->tls, backend, member) : NULL;
    *bucket = home;
    return home;
}

/* ---- idle ones go ---- */

/* Those that have been idle since then or longer. */
static void close_idle(struct pool_server *home, uint64_t since_ms)
{
    while (home->kept.oldest && home->kept.oldest->idle_since_ms <= since_ms)
        link_close(home->kept.oldest);
    struct link *older;
    for (struct link *link = home->shared.newest; link; link = older) {
        older = link->older;
        if (link->idle && link->idle_since_ms <= since_ms)
            h2_link_close(link);
    }
}

void pool_secure(struct pool *pool, const struct server_tls *servers)
{
    pool->tls = servers;
}

void pool_keep_nothing(struct pool *pool)
{
    pool->retired = true;
}

void pool_retire(struct pool *pool)
{
    pool->retired = true;
    for (size_t i = 0; i < POOL_BUCKETS; i++)
        for (struct pool_server *home = pool->servers[i]; home; home = home->next)
            close_idle(home, UINT64_MAX);
    pool_drop(pool);
}

/* Owners are told here, and may do anything but retire the pool. */
static void tell_what_is_owed(struct pool_server *home)
{
    for (unsigned left = home->shared.count; left > 0 && home->shared.oldest; left--) {
        struct link *link = home->shared.oldest;
        links_remove(&home->shared, link);
        links_add(&home->shared, link);
        h2_link_tick(link);
    }
}

void pool_tick(struct pool *pool, uint64_t now_ms)
{
    pool_hold(pool);
    for (size_t i = 0; i < POOL_BUCKETS; i++)
        for (struct pool_server *home = pool->servers[i]; home; home = home->next) {
            uint64_t kept = home->backend->timeout_pool_ms;
            if (now_ms >= kept)
                close_idle(home, now_ms - kept);
            tell_what_is_owed(home);
        }
    pool_drop(pool);
}

/* ---- a reload ---- */

static void move_link(struct link *link, struct link_list *from, struct link_list *to,
                      struct pool_server *target)
{
    struct pool *left = link->home->pool;
    links_remove(from, link);
    link->home = target;
    links_add(to, link);
    pool_hold(target->pool);
    pool_drop(left);
}

/* Those used last are worth most: they go on as far as there is room, and stay in their order. */
static void move_kept(struct pool_server *home, struct pool_server *target)
{
    struct link *link = home->kept.newest;
    uint64_t room = target->backend->pool_connections - target->kept.count;
    if (target->kept.count >= target->backend->pool_connections)
        return;
    while (link && link->older && --room > 0)
        link = link->older;
    while (link) {
        struct link *newer = link->newer;
        move_link(link, &home->kept, &target->kept, target);
        link = newer;
    }
}

static void move_shared(struct pool_server *home, struct pool_server *target)
{
    struct link *newer;
    for (struct link *link = home->shared.oldest; link; link = newer) {
        newer = link->newer;
        if (link->idle)
            move_link(link, &home->shared, &target->shared, target);
    }
}

static void move_server(struct pool_server *home, struct pool *to, pool_keeps *keeps, void *context)
{
    const struct backend *backend;
    const struct member *member;
    if ((!home->kept.newest && !home->shared.newest) || !keeps(context, home->server, &backend, &member))
        return;
    /* With a PROXY header each connection is one client's from its first byte on. */
    bool alike = backend->h2 == home->backend->h2 && backend->send_proxy == SEND_PROXY_OFF;
    struct pool_server *target = alike ? pool_server_get(to, backend, member) : NULL;
    if (!target)
        return;
    move_kept(home, target);
    move_shared(home, target);
}

void pool_move(struct pool *from, struct pool *to, pool_keeps *keeps, void *context)
{
    for (size_t i = 0; i < POOL_BUCKETS; i++)
        for (struct pool_server *home = from->servers[i]; home; home = home->next)
            move_server(home, to, keeps, context);
}
