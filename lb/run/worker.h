/*
 * A worker: a thread with its own loop, listening sockets, generation and connections. The master tells it
 * what to do by letters; all functions here but worker_new and worker_join only post one.
 */
#ifndef LB_RUN_WORKER_H
#define LB_RUN_WORKER_H

#include "lb/proxy/conn.h"
#include "lb/run/mailbox.h"

struct worker;

/* What all workers share with the master. */
struct shared {
    atomic_uint connections;     /* of the process */
    atomic_uint max_connections; /* where accepting pauses */
    atomic_uint generations;     /* alive, over all threads */
    atomic_ullong starved;       /* accept failed for want of descriptors or memory */
    struct mailbox *master;
    struct rate_table *rates;      /* what scripts count */
    struct ocsp_cache *answers;    /* about clients' certificates */
    struct tls_sessions *sessions; /* what clients resume with */
    void (*exchanged)(struct proxy_thread *thread, const struct exchange *exchange);
    void (*conn_ended)(struct proxy_thread *thread, const struct conn *conn);
};

/* One address that a generation listens on. */
struct socket_plan {
    struct addr addr;
    size_t service; /* index in generation->services */
    int fd;         /* a new listening socket, now the worker's; -1: it has that address already */
};

/* Starts the thread. NULL on failure, *why says so. `log` becomes the worker's. */
struct worker *worker_new(struct shared *shared, struct log *log, const char **why);

/* New connections use this generation from now on. Takes the generation and `plans` (malloced). Addresses
 * that are not in the plans are given up after what waits on them has been accepted. */
void worker_publish(struct worker *worker, struct generation *generation, struct socket_plan *plans,
                    size_t count);

/* Accepts nothing more; posts `idle` to the master once the last connection has ended. */
void worker_drain(struct worker *worker, struct letter *idle);

/* Ends everything that is left, and the thread. */
void worker_stop(struct worker *worker);

void worker_join(struct worker *worker); /* waits for the thread and frees the worker */

#endif
