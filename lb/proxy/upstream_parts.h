/* What the files behind upstream.h share. */
#ifndef LB_PROXY_UPSTREAM_PARTS_H
#define LB_PROXY_UPSTREAM_PARTS_H

#include "lb/proxy/upstream.h"

struct upstream_ops {
    enum stream_written (*request)(struct upstream *upstream, const struct http_head *head, struct slice path,
                                   struct slice body, bool ends);
    enum stream_written (*body)(struct upstream *upstream, struct slice bytes);
    enum stream_written (*end)(struct upstream *upstream, const struct http_head *trailers);
    void (*pause)(struct upstream *upstream);
    void (*resume)(struct upstream *upstream);
    void (*close)(struct upstream *upstream);
};

/* The part that is the same for both versions of HTTP. */
struct upstream {
    const struct upstream_ops *ops;
    const struct upstream_events *events; /* NULL: nobody is told any more */
    void *owner;
    bool ready, reused;
};

struct h1_conn;
struct h2_conn;

/* The connections of a pool to one server. */
struct pool_server {
    struct pool_server *next; /* in its bucket */
    const struct server *server;
    const struct backend *backend;
    struct h1_conn *idle; /* the one used last comes first */
    unsigned idle_count;
    struct h2_conn *shared;
};

#define POOL_BUCKETS 64

struct pool {
    struct upstream_thread *thread;
    struct pool_server *servers[POOL_BUCKETS];
    unsigned connections; /* that are not closed yet */
    bool retired;
};

/* NULL: out of memory. */
struct pool_server *pool_server_get(struct pool *pool, const struct backend *backend,
                                    const struct member *member);
/* A connection is there, or has closed: a retired pool goes with its last one. */
void pool_hold(struct pool *pool);
void pool_drop(struct pool *pool);

/* upstream_h1.c */
struct upstream *h1_open(struct pool *pool, const struct backend *backend, const struct member *member,
                         bool fresh, bool idempotent, int *error);
void h1_close_idle(struct pool_server *server, uint64_t idle_since_ms); /* those idle since then or longer */
void h1_move_idle(struct pool *from, struct pool_server *server, struct pool *to, struct pool_server *target,
                  const struct member *member);

/* upstream_h2.c */
struct upstream *h2_open(struct pool *pool, const struct backend *backend, const struct member *member,
                         bool fresh, int *error);
void h2_close_idle(struct pool_server *server, uint64_t idle_since_ms);
/* No more requests: what runs finishes. */
void h2_retire(struct pool_server *server);
void h2_move_idle(struct pool *from, struct pool_server *server, struct pool *to, struct pool_server *target,
                  const struct member *member);

#endif
