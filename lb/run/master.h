/*
 * The master thread: loads snapshots, publishes them to the workers, handles signals, checks health, and ends
 * the process in order. All fields belong to its thread, but what is atomic.
 */
#ifndef LB_RUN_MASTER_H
#define LB_RUN_MASTER_H

#include "lb/balance/server.h"
#include "lb/base/log.h"
#include "lb/health/checker.h"
#include "lb/run/rotate.h"
#include "lb/run/snapshots.h"
#include "lb/run/stapler.h"
#include "lb/run/worker.h"

enum exit_code { EXIT_OK = 0, EXIT_CONFIG = 1, EXIT_USAGE = 2, EXIT_CANNOT_RUN = 3 };

struct master;

/* What stands below this layer and takes part in a run. */
struct master_hooks {
    void (*conn_ended)(struct proxy_thread *thread, const struct conn *conn); /* in the worker's thread */
    void (*exchanged)(struct proxy_thread *thread, const struct exchange *exchange);
    bool (*started)(struct master *master, void *context, const char **why); /* false ends the process */
    void (*ending)(struct master *master, void *context);                    /* must close its handles */
    void *context;
};

struct master {
    uv_loop_t loop;
    struct mailbox mailbox;
    uv_signal_t hup, term, interrupt, usr1;
    uv_timer_t deadline; /* of the shutdown */
    uv_timer_t sweep;    /* runs while old snapshots are alive */
    const char *const *paths;
    size_t path_count;
    const struct master_hooks *hooks;
    struct log_sink *sink;
    struct log *log;
    struct shared shared;
    struct snapshots snapshots;
    struct worker **workers;
    size_t worker_count, idle_workers;
    struct checker *checker;
    struct rotation *rotation;
    unsigned long long reloads_done, reloads_refused, rotations_done, rotations_refused;
    struct stapler *stapler;
    int64_t started_unix_ms;
    bool stopping, ended;
};

/* Runs until a signal ends it; the exit code. Configuration problems go to stderr. */
int master_run(const char *const *paths, size_t count, const struct master_hooks *hooks);

/* All or nothing: true when the new configuration serves. Problems are logged, and copied to `problems` if it
 * is not NULL. */
bool master_reload(struct master *master, struct problems *problems);

/* Likewise, but one that is refused is not logged and counted until it is told of: it may be tried again. */
bool master_try_reload(struct master *master, struct problems *problems);
void master_tell_reload_refused(struct master *master, const struct problems *problems);

/* As SIGTERM: the first call drains, a second one stops at once. */
void master_shutdown(struct master *master);

/* reload.c: prepares and publishes the first snapshot or a further one; takes the caller's reference. What it
 * was made of is not watched yet: rotation_follow. */
bool master_publish(struct master *master, struct config *config, struct problems *problems);

#endif
