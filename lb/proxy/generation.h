/*
 * One snapshot as one thread sees it: TLS contexts, Lua states and policy cursors, made in the master thread,
 * then owned by the worker. It stands here, above lb/run, because every connection holds one. No atomics:
 * only its thread touches it after adoption.
 */
#ifndef LB_PROXY_GENERATION_H
#define LB_PROXY_GENERATION_H

#include "lb/config/config.h"

struct generation;
struct pool;
struct rate_table;
struct server_tls;
struct upstream_thread;

/* A listener within a generation. */
struct service {
    const struct listener *listener;
    struct generation *generation;
    struct tls_context *tls; /* NULL: plain */
    struct script *script;   /* NULL: everyone that verified is allowed */
    bool strangers;          /* some listener of another TLS policy names hosts: see service_misdirected */
};

struct generation {
    struct config *config;      /* a reference */
    unsigned number;            /* counts snapshots since start, from 1 */
    struct log *log;            /* of the thread that owns it at the moment */
    struct service *services;   /* as config->listeners */
    struct balancer *balancers; /* as config->backends */
    struct server_tls *servers; /* TLS to the servers */
    unsigned long connections;  /* that run on it */
    struct rate_table *rates;   /* of the process, for scripts */
    struct pool *pool;          /* connections to servers; made when first used */
    bool retired;               /* a newer one serves new connections */
    atomic_uint *alive;         /* counts the process's generations; decremented when this one is freed */
};

/* NULL after adding problems. `log` is the calling thread's. */
struct generation *generation_new(struct config *config, unsigned number, struct log *log, atomic_uint *alive,
                                  struct problems *problems);
void generation_free(struct generation *generation);

/* In the worker, before anything else touches it. */
void generation_adopt(struct generation *generation, struct log *log, struct rate_table *rates);

void generation_hold(struct generation *generation);
void generation_drop(struct generation *generation);   /* frees it if it is retired and was the last */
void generation_retire(struct generation *generation); /* likewise */

/* Where requests find connections to servers. NULL: out of memory. */
struct pool *generation_pool(struct generation *generation, struct upstream_thread *thread);
/* Idle connections to servers that both snapshots have go over to the newer one. */
void generation_move_pool(struct generation *from, struct generation *to, struct upstream_thread *thread);
/* Closes the idle ones. */
void generation_drop_pool(struct generation *generation);

/* The listener of that name; NULL if there is none. */
struct service *generation_service(struct generation *generation, const char *name);

/* The balancer of a backend of this generation's snapshot. */
struct balancer *generation_balancer(struct generation *generation, const struct backend *backend);

#endif
