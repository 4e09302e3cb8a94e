#include "lb/run/master.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "lb/base/clock.h"
#include "lb/base/memory.h"
#include "lb/base/rate.h"
#include "lb/base/version.h"
#include "lb/run/descriptors.h"
#include "lb/run/sockets.h"
#include "lb/tls/ocsp_cache.h"
#include "lb/tls/sessions.h"

#define RATE_ENTRIES 65536 /* keys that scripts may count at the same time */
#define OCSP_ENTRIES 65536 /* certificates of clients that OCSP has answered about */

static void print_problems(const struct problems *problems)
{
    char line[1024];
    for (size_t i = 0; i < problems->count; i++) {
        problems_format(problems, i, line, sizeof(line));
        fprintf(stderr, "%s\n", line);
    }
}

/* ---- the end ---- */

static void close_handles(struct master *master)
{
    master->ended = true;
    uv_close((uv_handle_t *)&master->hup, NULL);
    uv_close((uv_handle_t *)&master->term, NULL);
    uv_close((uv_handle_t *)&master->interrupt, NULL);
    uv_close((uv_handle_t *)&master->usr1, NULL);
    uv_close((uv_handle_t *)&master->deadline, NULL);
    uv_close((uv_handle_t *)&master->sweep, NULL);
    mailbox_close(&master->mailbox);
    checker_close(master->checker);
    rotation_close(master->rotation);
    stapler_close(master->stapler);
    master->hooks->ending(master, master->hooks->context);
}

static void stop_workers(struct master *master)
{
    if (master->ended)
        return;
    for (size_t i = 0; i < master->worker_count; i++)
        worker_stop(master->workers[i]);
    close_handles(master);
}

static void read_idle(struct letter *letter, void *owner)
{
    struct master *master = owner;
    free(letter);
    if (++master->idle_workers == master->worker_count)
        stop_workers(master);
}

static void on_deadline(uv_timer_t *timer)
{
    struct master *master = timer->data;
    log_event(master->log, LOG_WARNING, "shutdown-timeout has passed: %u connections are cut",
              atomic_load(&master->shared.connections));
    stop_workers(master);
}

/* The files of unix sockets go first: a successor may bind the paths while connections still drain here. */
static void drain_workers(struct master *master)
{
    const struct config *config = snapshots_current(&master->snapshots);
    sockets_unlink(config, NULL);
    for (size_t i = 0; i < master->worker_count; i++) {
        struct letter *idle = mem_new(sizeof(*idle));
        idle->read = read_idle;
        worker_drain(master->workers[i], idle);
    }
    uv_timer_start(&master->deadline, on_deadline, config->shutdown_timeout_ms, 0);
}

void master_shutdown(struct master *master)
{
    unsigned open = atomic_load(&master->shared.connections);
    if (master->ended)
        return;
    if (master->stopping) {
        log_event(master->log, LOG_WARNING, "stopping at once: %u connections are cut", open);
        stop_workers(master);
        return;
    }
    master->stopping = true;
    log_event(master->log, LOG_INFO, "draining: accepting nothing more, %u connections may finish", open);
    drain_workers(master);
}

/* ---- signals ---- */

static void reopen_log(struct master *master)
{
    const char *why;
    if (!log_reopen(master->sink, &why))
        log_event(master->log, LOG_ERROR,
                  "the log cannot be opened again: %s; lines go where they went before", why);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct master *master = handle->data;
    switch (number) {
    case SIGHUP: master_reload(master, NULL); break;
    case SIGUSR1: reopen_log(master); break;
    default: master_shutdown(master); break;
    }
}

static void watch_signal(struct master *master, uv_signal_t *handle, int number)
{
    uv_signal_init(&master->loop, handle);
    handle->data = master;
    uv_signal_start(handle, on_signal, number);
}

/* ---- the start ---- */

static void prepare_loop(struct master *master)
{
    uv_loop_init(&master->loop);
    mailbox_init(&master->mailbox, &master->loop, master);
    master->shared.master = &master->mailbox;
    signal(SIGPIPE, SIG_IGN);
    watch_signal(master, &master->hup, SIGHUP);
    watch_signal(master, &master->term, SIGTERM);
    watch_signal(master, &master->interrupt, SIGINT);
    watch_signal(master, &master->usr1, SIGUSR1);
    uv_timer_init(&master->loop, &master->deadline);
    uv_timer_init(&master->loop, &master->sweep);
    master->deadline.data = master->sweep.data = master;
    master->checker = checker_new(&master->loop, master->log);
    master->rotation = rotation_new(master);
    master->stapler = stapler_new(&master->loop, master->log);
}

static bool start_workers(struct master *master, size_t count, const char **why)
{
    master->workers = mem_new(count * sizeof(*master->workers));
    for (size_t i = 0; i < count; i++) {
        struct log *log = log_attach(master->sink);
        master->workers[i] = log ? worker_new(&master->shared, log, why) : NULL;
        if (!master->workers[i])
            return false;
        master->worker_count++;
    }
    return true;
}

static bool open_log(struct master *master, const struct config *config)
{
    const char *why = NULL;
    master->sink = log_open(config->log_target, config->log_format, config->log_level, &why);
    if (master->sink)
        master->log = log_attach(master->sink);
    else
        fprintf(stderr, "lb: log = %s: %s\n", config->log_target, why);
    return master->sink != NULL;
}

static void tell_serving(struct master *master)
{
    const struct config *config = snapshots_current(&master->snapshots);
    log_event(master->log, LOG_INFO,
              "lb " LB_VERSION " serving: %zu listeners, %zu backends, %zu workers, up to %u connections",
              config->listener_count, config->backend_count, master->worker_count,
              atomic_load(&master->shared.max_connections));
}

/* False: the process ends with EXIT_CANNOT_RUN; the reason is on stderr. */
static bool start(struct master *master, struct config *config, struct problems *problems)
{
    const char *why = "";
    bool good = start_workers(master, config->workers, &why);
    if (!good)
        fprintf(stderr, "lb: cannot start: %s\n", why);
    good = good && master_publish(master, config_hold(config), problems);
    print_problems(problems);
    if (!good)
        return false;
    rotation_follow(master->rotation);
    if (master->hooks->started(master, master->hooks->context, &why))
        return true;
    fprintf(stderr, "lb: %s\n", why);
    return false;
}

static void clean_up(struct master *master)
{
    const struct config *config;
    for (size_t i = 0; i < master->worker_count; i++)
        worker_join(master->workers[i]);
    free(master->workers);
    config = snapshots_current(&master->snapshots);
    if (config && !master->stopping)
        sockets_unlink(config, NULL);
    snapshots_free(&master->snapshots);
    rate_table_free(master->shared.rates);
    tls_sessions_free(master->shared.sessions);
    ocsp_cache_free(master->shared.answers);
    mailbox_free(&master->mailbox);
    uv_loop_close(&master->loop);
    if (master->sink)
        log_close(master->sink);
}

int master_run(const char *const *paths, size_t count, const struct master_hooks *hooks)
{
    struct problems problems = {0};
    struct config *config = config_load(paths, count, &problems);
    struct master master = {.paths = paths,
                            .path_count = count,
                            .hooks = hooks,
                            .started_unix_ms = clock_unix_ms()};
    if (!config) {
        print_problems(&problems);
        problems_free(&problems);
        return EXIT_CONFIG;
    }
    descriptors_raise();
    master.shared.conn_ended = hooks->conn_ended;
    master.shared.exchanged = hooks->exchanged;
    if (!open_log(&master, config)) {
        problems_free(&problems);
        config_drop(config);
        return EXIT_CANNOT_RUN;
    }
    master.shared.rates = rate_table_new(RATE_ENTRIES);
    master.shared.sessions = tls_sessions_new();
    master.shared.answers = ocsp_cache_new(OCSP_ENTRIES);
    prepare_loop(&master);
    bool good = start(&master, config, &problems);
    problems_free(&problems);
    config_drop(config);
    if (good)
        tell_serving(&master);
    else
        stop_workers(&master);
    uv_run(&master.loop, UV_RUN_DEFAULT);
    if (good)
        log_event(master.log, LOG_INFO, "stopped");
    clean_up(&master);
    return good ? EXIT_OK : EXIT_CANNOT_RUN;
}
