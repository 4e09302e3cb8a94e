#include "lb/run/worker.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lb/base/memory.h"
#include "lb/base/thread.h"
#include "lb/net/acceptor.h"
#include "lb/proxy/http.h"
#include "lb/proxy/ocsp.h"
#include "lb/proxy/reauthorize.h"

/* One listening address of this worker. */
struct door {
    struct door *next;
    struct worker *worker;
    struct acceptor *acceptor;
    struct addr addr;
    struct service *service;
    bool waiting; /* paused until there is room again */
    bool closing; /* what waits is taken beyond every limit: it would be lost */
    bool keep;    /* the generation being published has it too */
};

struct worker {
    pthread_t thread;
    uv_loop_t loop;
    struct mailbox mailbox;
    uv_timer_t tick;
    struct proxy_thread proxy;
    struct shared *shared;
    struct door *doors;
    struct letter *idle; /* owed to the master */
    uint64_t starved_ms; /* when accept failed last */
};

/* ---- accepting ---- */

static atomic_uint *open_here(const struct door *door)
{
    return &door->service->listener->state->active;
}

static unsigned most_here(const struct door *door)
{
    uint64_t most = door->service->listener->max_connections;
    return most > 0 && most < UINT_MAX ? (unsigned)most : UINT_MAX;
}

static unsigned most_in_all(const struct door *door)
{
    return atomic_load_explicit(&door->worker->shared->max_connections, memory_order_relaxed);
}

static atomic_uint *handshaking_here(const struct door *door)
{
    return &door->service->listener->state->handshaking;
}

static unsigned most_handshaking(const struct door *door)
{
    uint64_t most = door->service->listener->max_handshakes;
    return most > 0 && most < UINT_MAX ? (unsigned)most : UINT_MAX;
}

static bool full(const struct door *door)
{
    if (door->service->contexts &&
        atomic_load_explicit(handshaking_here(door), memory_order_relaxed) >= most_handshaking(door))
        return true;
    return atomic_load_explicit(&door->worker->shared->connections, memory_order_relaxed) >=
               most_in_all(door) ||
           atomic_load_explicit(open_here(door), memory_order_relaxed) >= most_here(door);
}

/* Counts one more if that exceeds nothing; at once, so that threads which accept together stay within the
 * limit together. */
static bool reserve(atomic_uint *open, unsigned most)
{
    if (atomic_fetch_add_explicit(open, 1, memory_order_relaxed) < most)
        return true;
    atomic_fetch_sub_explicit(open, 1, memory_order_relaxed);
    return false;
}

static bool may_begin(const struct door *door)
{
    return !door->service->contexts ||
           reserve(handshaking_here(door), door->closing ? UINT_MAX : most_handshaking(door));
}

static bool may_open(const struct door *door)
{
    if (!reserve(open_here(door), door->closing ? UINT_MAX : most_here(door)))
        return false;
    if (may_begin(door))
        return true;
    atomic_fetch_sub_explicit(open_here(door), 1, memory_order_relaxed);
    return false;
}

static bool may_take(void *context)
{
    struct door *door = context;
    atomic_uint *all = &door->worker->shared->connections;
    door->waiting = !reserve(all, door->closing ? UINT_MAX : most_in_all(door));
    if (door->waiting)
        return false;
    door->waiting = !may_open(door);
    if (door->waiting)
        atomic_fetch_sub_explicit(all, 1, memory_order_relaxed);
    return !door->waiting;
}

static void on_spared(void *context)
{
    struct door *door = context;
    conn_count_down(&door->worker->proxy, door->service);
}

static void on_taken(void *context, int fd, const struct addr *peer)
{
    struct door *door = context;
    conn_accept(&door->worker->proxy, door->service, fd, peer);
}

#define STARVED_REST_MS 100

static void on_starved(void *context, int error)
{
    struct door *door = context;
    struct worker *worker = door->worker;
    uint64_t now = uv_now(&worker->loop);
    door->waiting = true;
    count(&worker->shared->starved, 1);
    if (now - worker->starved_ms > 1000)
        log_event(
            worker->proxy.log, LOG_ERROR,
            "listener %s: cannot accept: %s; clients wait until connections end (raise the limit: ulimit -n)",
            door->service->listener->name, strerror(error));
    worker->starved_ms = now;
}

static void resume_doors(struct worker *worker)
{
    bool starved = uv_now(&worker->loop) - worker->starved_ms < STARVED_REST_MS;
    for (struct door *door = worker->doors; door; door = door->next) {
        if (!door->waiting || starved || full(door))
            continue;
        door->waiting = false;
        acceptor_resume(door->acceptor);
    }
}

/* ---- what the proxy tells ---- */

static void tell_if_idle(struct worker *worker)
{
    if (!worker->idle || worker->proxy.count > 0)
        return;
    mailbox_post(worker->shared->master, worker->idle);
    worker->idle = NULL;
}

static void on_greeted(struct proxy_thread *proxy)
{
    resume_doors(proxy->context);
}

static void on_gone(struct proxy_thread *proxy)
{
    struct worker *worker = proxy->context;
    resume_doors(worker);
    tell_if_idle(worker);
}

static void on_tick(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    conn_tick(&worker->proxy, uv_now(&worker->loop));
    if (worker->proxy.current && worker->proxy.current->pool)
        pool_tick(worker->proxy.current->pool, uv_now(&worker->loop));
    resume_doors(worker);
}

/* ---- publishing ---- */

struct publish {
    struct letter letter;
    struct generation *generation;
    struct socket_plan *plans;
    size_t count;
};

static struct door *find_door(struct worker *worker, const struct addr *addr)
{
    struct door *door = worker->doors;
    while (door && !addr_equal(&door->addr, addr))
        door = door->next;
    return door;
}

static void open_door(struct worker *worker, const struct socket_plan *plan, struct service *service)
{
    static const struct acceptor_owner owner = {may_take, on_spared, on_taken, on_starved};
    struct door *door = mem_new(sizeof(*door));
    int error = 0;
    *door = (struct door){.worker = worker, .addr = plan->addr, .service = service, .keep = true};
    door->acceptor = acceptor_new(&worker->loop, plan->fd, &owner, door, &error);
    if (!door->acceptor) {
        log_event(worker->proxy.log, LOG_ERROR, "listener %s: cannot watch its socket: %s",
                  service->listener->name, uv_strerror(error));
        if (plan->fd >= 0) /* or the kernel would go on queuing clients there */
            close(plan->fd);
        free(door);
        return;
    }
    door->next = worker->doors;
    worker->doors = door;
}

/* Runs while the doors still serve the old generation: what waits there was meant for it. */
static void close_doors(struct worker *worker, bool all)
{
    struct door **link = &worker->doors;
    while (*link) {
        struct door *door = *link;
        if (door->keep && !all) {
            link = &door->next;
            continue;
        }
        *link = door->next;
        door->closing = true;
        acceptor_finish(door->acceptor);
        free(door);
    }
}

static void mark_kept(struct worker *worker, const struct publish *publish)
{
    for (struct door *door = worker->doors; door; door = door->next)
        door->keep = false;
    for (size_t i = 0; i < publish->count; i++) {
        struct door *door = find_door(worker, &publish->plans[i].addr);
        if (door)
            door->keep = true;
    }
}

static void read_publish(struct letter *letter, void *owner)
{
    struct publish *publish = (struct publish *)letter;
    struct worker *worker = owner;
    struct generation *old = worker->proxy.current;
    generation_adopt(publish->generation, worker->proxy.log, worker->shared->rates, worker->shared->sessions);
    mark_kept(worker, publish);
    close_doors(worker, false);
    worker->proxy.current = publish->generation;
    for (size_t i = 0; i < publish->count; i++) {
        const struct socket_plan *plan = &publish->plans[i];
        struct service *service = &publish->generation->services[plan->service];
        struct door *door = find_door(worker, &plan->addr);
        if (door)
            door->service = service;
        else
            open_door(worker, plan, service);
    }
    if (old) {
        generation_move_pool(old, publish->generation, &worker->proxy.http->upstream);
        generation_retire(old);
        http_reloaded(&worker->proxy);
        reauthorize_begin(&worker->proxy);
    }
    resume_doors(worker);
    free(publish->plans);
    free(publish);
}

void worker_publish(struct worker *worker, struct generation *generation, struct socket_plan *plans,
                    size_t count)
{
    struct publish *publish = mem_new(sizeof(*publish));
    *publish = (struct publish){{.read = read_publish}, generation, plans, count};
    mailbox_post(&worker->mailbox, &publish->letter);
}

/* ---- ending ---- */

struct drain {
    struct letter letter;
    struct letter *idle;
};

static void read_drain(struct letter *letter, void *owner)
{
    struct worker *worker = owner;
    worker->idle = ((struct drain *)letter)->idle;
    free(letter);
    close_doors(worker, true);
    http_drain(&worker->proxy);
    tell_if_idle(worker);
}

void worker_drain(struct worker *worker, struct letter *idle)
{
    struct drain *drain = mem_new(sizeof(*drain));
    *drain = (struct drain){{.read = read_drain}, idle};
    mailbox_post(&worker->mailbox, &drain->letter);
}

static void read_stop(struct letter *letter, void *owner)
{
    struct worker *worker = owner;
    free(letter);
    free(worker->idle);
    worker->idle = NULL;
    close_doors(worker, true);
    conn_close_all(&worker->proxy);
    if (worker->proxy.current)
        generation_drop_pool(worker->proxy.current);
    http_thread_close(&worker->proxy);
    ocsp_close(&worker->proxy);
    reauthorizer_close(&worker->proxy);
    uv_close((uv_handle_t *)&worker->tick, NULL);
    mailbox_close(&worker->mailbox);
    net_thread_close(&worker->proxy.net);
}

void worker_stop(struct worker *worker)
{
    struct letter *letter = mem_new(sizeof(*letter));
    letter->read = read_stop;
    mailbox_post(&worker->mailbox, letter);
}

/* ---- life ---- */

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    if (worker->proxy.current)
        generation_retire(worker->proxy.current);
    return NULL;
}

static bool prepare(struct worker *worker)
{
    struct proxy_thread *proxy = &worker->proxy;
    if (uv_loop_init(&worker->loop) != 0 || mailbox_init(&worker->mailbox, &worker->loop, worker) != 0)
        return false;
    if (!net_thread_init(&proxy->net, &worker->loop) || !http_thread_init(proxy) || !reauthorizer_init(proxy))
        return false;
    wheel_init(&proxy->wheel, uv_now(&worker->loop));
    proxy->active = &worker->shared->connections;
    proxy->answers = worker->shared->answers;
    proxy->ended = worker->shared->conn_ended;
    proxy->exchanged = worker->shared->exchanged;
    proxy->greeted = on_greeted;
    proxy->gone = on_gone;
    proxy->context = worker;
    uv_timer_init(&worker->loop, &worker->tick);
    worker->tick.data = worker;
    return uv_timer_start(&worker->tick, on_tick, WHEEL_TICK_MS, WHEEL_TICK_MS) == 0;
}

struct worker *worker_new(struct shared *shared, struct log *log, const char **why)
{
    struct worker *worker = mem_new(sizeof(*worker));
    worker->shared = shared;
    worker->proxy.log = log;
    *why = "out of memory or descriptors for a worker's event loop";
    if (!prepare(worker))
        return NULL; /* the process ends now: nothing to clean up that exit would not */
    int error = thread_start(&worker->thread, worker_main, worker);
    *why = strerror(error);
    return error == 0 ? worker : NULL;
}

void worker_join(struct worker *worker)
{
    pthread_join(worker->thread, NULL);
    http_thread_free(&worker->proxy);
    reauthorizer_free(&worker->proxy);
    net_thread_free(&worker->proxy.net);
    mailbox_free(&worker->mailbox);
    uv_loop_close(&worker->loop);
    free(worker);
}
