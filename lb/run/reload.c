/* From files to a serving snapshot. Everything that can fail comes before the first letter to a worker. */
#include <stdlib.h>

#include "lb/base/memory.h"
#include "lb/proxy/ocsp.h"
#include "lb/run/descriptors.h"
#include "lb/run/master.h"
#include "lb/run/sockets.h"

static void free_generations(struct generation **generations, size_t count)
{
    for (size_t i = 0; i < count; i++)
        generation_free(generations[i]);
    free(generations);
}

/* One for each worker, or NULL. */
static struct generation **make_generations(struct master *master, struct config *config, unsigned number,
                                            struct problems *problems)
{
    struct generation **list = mem_new(master->worker_count * sizeof(*list));
    for (size_t i = 0; i < master->worker_count; i++) {
        list[i] = generation_new(config, number, master->log, &master->shared.generations, problems);
        if (list[i])
            continue;
        free_generations(list, i);
        return NULL;
    }
    return list;
}

static void hand_over(struct master *master, struct generation **generations, struct socket_set *sockets)
{
    for (size_t i = 0; i < master->worker_count; i++)
        worker_publish(master->workers[i], generations[i], sockets_take(sockets, i), sockets->count);
    free(generations);
    sockets_release(sockets);
}

/* A client's and a server's socket; no server where lb answers itself. */
static unsigned descriptors_each(const struct config *config)
{
    return config->backend_count > 0 ? 2 : 1;
}

static bool asks_ocsp(const struct listener *listener)
{
    bool asks = listener->tls.ocsp != OCSP_OFF;
    for (size_t i = 0; i < listener->policy_count; i++)
        asks = asks || listener->policies[i].tls.ocsp != OCSP_OFF;
    return asks;
}

/* Who uses up all connections must not so keep revocations from being asked for. */
static size_t descriptors_ocsp(const struct config *config)
{
    for (size_t i = 0; i < config->listener_count; i++)
        if (asks_ocsp(&config->listeners[i]))
            return OCSP_QUESTIONS_MAX;
    return 0;
}

/* Logs, health checks, the admin socket and its clients; event loops and listening sockets for each worker.
 */
static uint64_t descriptors_own(const struct master *master, const struct config *config)
{
    enum { PROCESS = 48, LOOP = 8 };
    size_t binds = 0;
    for (size_t i = 0; i < config->listener_count; i++)
        binds += config->listeners[i].bind_count;
    return PROCESS + master->worker_count * (LOOP + binds + descriptors_ocsp(config));
}

static void set_limits(struct master *master, const struct config *config)
{
    uint64_t fit = descriptors_connections(descriptors_each(config), descriptors_own(master, config)),
             wanted = config->max_connections;
    if (wanted > fit)
        log_event(master->log, LOG_WARNING,
                  "max-connections = %llu needs more file descriptors than allowed: %llu connections fit "
                  "(ulimit -n)",
                  (unsigned long long)wanted, (unsigned long long)fit);
    atomic_store(&master->shared.max_connections, (unsigned)(wanted > 0 && wanted < fit ? wanted : fit));
}

static void on_swept(uv_timer_t *timer)
{
    struct master *master = timer->data;
    snapshots_sweep(&master->snapshots);
    if (master->snapshots.count <= 1)
        uv_timer_stop(timer);
}

bool master_publish(struct master *master, struct config *config, struct problems *problems)
{
    struct config *before = snapshots_current(&master->snapshots);
    unsigned number = master->snapshots.last_number + 1;
    struct socket_set sockets;
    snapshots_attach(&master->snapshots, config);
    stapler_attach(master->stapler, config);
    struct generation **generations = make_generations(master, config, number, problems);
    if (!generations || !sockets_open(&sockets, config, before, master->worker_count, problems)) {
        if (generations)
            free_generations(generations, master->worker_count);
        snapshots_detach(&master->snapshots, config);
        config_drop(config);
        return false;
    }
    set_limits(master, config);
    hand_over(master, generations, &sockets);
    if (before)
        sockets_unlink(before, config);
    checker_follow(master->checker, config);
    stapler_follow(master->stapler, config);
    snapshots_add(&master->snapshots, config, number);
    master->snapshots.last_number = number;
    if (before)
        uv_timer_start(&master->sweep, on_swept, 100, 500);
    return true;
}

static void log_problems(struct master *master, const struct problems *problems)
{
    char line[1024];
    for (size_t i = 0; i < problems->count; i++) {
        problems_format(problems, i, line, sizeof(line));
        log_event(master->log, problems->list[i].warning ? LOG_WARNING : LOG_ERROR, "%s", line);
    }
}

/* What needs a new process is said, and the rest of the file still serves. */
static void tell_unchangeable(struct master *master, const struct config *before, const struct config *now)
{
    const char *was = before->admin ? before->admin : "off", *is = now->admin ? now->admin : "off";
    if (before->workers != now->workers)
        log_event(master->log, LOG_WARNING, "workers = %llu takes effect at the next start; %zu run now",
                  (unsigned long long)now->workers, master->worker_count);
    if (strcmp(was, is) != 0)
        log_event(master->log, LOG_WARNING, "admin = %s takes effect at the next start", is);
}

static bool reconfigure_log(struct master *master, const struct config *config, struct problems *problems)
{
    const char *why = NULL;
    if (log_configure(master->sink, config->log_target, config->log_format, config->log_level, &why))
        return true;
    problems_add(problems, (struct place){0}, "log = %s: %s", config->log_target, why);
    return false;
}

static bool load_and_publish(struct master *master, struct problems *problems)
{
    const struct config *before = snapshots_current(&master->snapshots);
    if (master->stopping) {
        problems_add(problems, (struct place){0}, "lb is shutting down");
        return false;
    }
    struct config *config = config_load(master->paths, master->path_count, problems);
    if (!config)
        return false;
    config_hold(config);
    bool done = master_publish(master, config, problems);
    if (done) {
        reconfigure_log(master, config, problems);
        tell_unchangeable(master, before, config);
    }
    config_drop(config);
    return done;
}

static void tell_done(struct master *master, const struct problems *problems)
{
    log_problems(master, problems);
    master->reloads_done++;
    log_event(master->log, LOG_INFO, "reload done: generation %u serves new connections",
              master->snapshots.last_number);
}

void master_tell_reload_refused(struct master *master, const struct problems *problems)
{
    log_problems(master, problems);
    master->reloads_refused++;
    log_event(master->log, LOG_ERROR, "reload refused: %zu problems; generation %u goes on as it was",
              problems->errors, master->snapshots.last_number);
}

bool master_try_reload(struct master *master, struct problems *problems)
{
    bool done = load_and_publish(master, problems);
    if (done) {
        tell_done(master, problems);
        rotation_follow(master->rotation);
    }
    return done;
}

bool master_reload(struct master *master, struct problems *copy)
{
    struct problems own = {0}, *problems = copy ? copy : &own;
    bool done = master_try_reload(master, problems);
    if (!done)
        master_tell_reload_refused(master, problems);
    problems_free(&own);
    return done;
}
