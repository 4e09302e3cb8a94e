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
struct tls_sessions;
struct upstream_thread;

/* A listener within a generation, or what one of its host names gets instead. */
struct service {
    const struct listener *listener; /* or the policy of it */
    struct generation *generation;
    struct service *base;          /* the listener's own; itself, unless this is a policy's */
    struct service *policies;      /* as listener->policies */
    struct tls_context **contexts; /* as listener->tls.pairs, made when first used; NULL: plain */
    struct trust *trust;           /* of the contexts; NULL: clients show no certificates */
    struct script *script;         /* NULL: everyone that verified is allowed */
    unsigned rules; /* what clients must prove: the same number where one rule stands for the other */
    bool strangers; /* some listener of another TLS policy names hosts: see service_misdirected */
};

struct generation {
    struct config *config;         /* a reference */
    unsigned number;               /* counts snapshots since start, from 1 */
    uint64_t made_us;              /* clock_us: when it began to be made */
    struct log *log;               /* of the thread that owns it at the moment */
    struct service *services;      /* as config->listeners */
    struct balancer *balancers;    /* as config->backends */
    struct server_tls *servers;    /* TLS to the servers */
    unsigned long connections;     /* that run on it */
    struct rate_table *rates;      /* of the process, for scripts */
    struct tls_sessions *sessions; /* of the process: what clients resume with */
    struct pool *pool;             /* connections to servers; made when first used */
    bool retired;                  /* a newer one serves new connections */
    atomic_uint *alive;            /* counts the process's generations; decremented when this one is freed */
};

/* NULL after adding problems. `log` is the calling thread's. */
struct generation *generation_new(struct config *config, unsigned number, struct log *log, atomic_uint *alive,
                                  struct problems *problems);
void generation_free(struct generation *generation);

/* In the worker, before anything else touches it. */
void generation_adopt(struct generation *generation, struct log *log, struct rate_table *rates,
                      struct tls_sessions *sessions);

void generation_hold(struct generation *generation);
void generation_drop(struct generation *generation);   /* frees it if it is retired and was the last */
void generation_retire(struct generation *generation); /* likewise */

/* Where requests find connections to servers. NULL: out of memory. */
struct pool *generation_pool(struct generation *generation, struct upstream_thread *thread);
/* Idle connections to servers that both snapshots have go over to the newer one. */
void generation_move_pool(struct generation *from, struct generation *to, struct upstream_thread *thread);
/* Closes the idle ones. */
void generation_drop_pool(struct generation *generation);

/* What the listener of that name does for a client that asked for the host name (normalized; NULL or empty:
 * for none). NULL if there is no such listener. */
struct service *generation_service(struct generation *generation, const char *name, const char *host);

/* What the listener does for a host: the service of its policy, or `base` itself. */
struct service *service_for(struct service *base, struct slice host);

/* The context for the pair of that index, made now if nobody has used it yet; owned by the service. NULL
 * after logging why: only for want of memory, for all were tried at load. */
struct tls_context *service_context(struct service *service, size_t pair);

/* The balancer of a backend of this generation's snapshot. */
struct balancer *generation_balancer(struct generation *generation, const struct backend *backend);

#endif
