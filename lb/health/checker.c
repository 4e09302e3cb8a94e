#include "lb/health/checker.h"

#include <stdlib.h>

#include "lb/base/memory.h"
#include "lb/health/check_tcp.h"
#include "lb/net/proxy_protocol.h"

/* One server under watch. */
struct watch {
    struct watch *next;
    struct checker *checker;
    struct server *server;
    struct health_settings settings;
    enum send_proxy send_proxy;
    uv_timer_t timer;
    struct check_tcp *probe; /* running, or NULL */
    unsigned streak;         /* results in a row that contradict server->up */
    bool keep;
};

struct checker {
    uv_loop_t *loop;
    struct log *log;
    struct watch *first;
};

static void report(const struct watch *watch, bool up, int error)
{
    char addr[ADDR_TEXT_MAX];
    addr_format(&watch->server->addr, addr);
    if (up)
        log_event(watch->checker->log, LOG_INFO, "server %s/%s (%s) is up", watch->server->backend,
                  watch->server->name, addr);
    else
        log_event(watch->checker->log, LOG_WARNING, "server %s/%s (%s) is down: %s", watch->server->backend,
                  watch->server->name, addr, uv_strerror(error));
}

static void set_up(struct watch *watch, bool up, int error)
{
    watch->streak = 0;
    atomic_store(&watch->server->up, up);
    if (!up)
        atomic_fetch_add(&watch->server->went_down, 1);
    report(watch, up, error);
}

static void take_result(struct watch *watch, int error)
{
    bool up = atomic_load(&watch->server->up), good = error == 0;
    if (!good)
        atomic_fetch_add(&watch->server->checks_failed, 1);
    if (good == up)
        watch->streak = 0;
    else if (++watch->streak >= (up ? watch->settings.fall : watch->settings.rise))
        set_up(watch, good, error);
}

static void on_interval(uv_timer_t *timer);

/* Our own want of descriptors or memory says nothing about the server. */
static bool is_our_fault(int error)
{
    return error == UV_EMFILE || error == UV_ENFILE || error == UV_ENOMEM || error == UV_ENOBUFS;
}

static void on_probed(void *context, int error)
{
    struct watch *watch = context;
    watch->probe = NULL;
    if (!is_our_fault(error))
        take_result(watch, error);
    uv_timer_start(&watch->timer, on_interval, watch->settings.interval_ms, 0);
}

/* A server that expects a header is told that this connection is nobody's but lb's. */
static struct slice first_bytes(const struct watch *watch)
{
    switch (watch->send_proxy) {
    case SEND_PROXY_V1: return proxy_own_v1();
    case SEND_PROXY_V2: return proxy_own_v2();
    default: return (struct slice){0};
    }
}

static void on_interval(uv_timer_t *timer)
{
    struct watch *watch = timer->data;
    int error = 0;
    watch->probe = check_tcp(watch->checker->loop, &watch->server->addr, first_bytes(watch),
                             watch->settings.timeout_ms, on_probed, watch, &error);
    if (!watch->probe) /* without a route connect fails at once */
        on_probed(watch, error);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void drop(struct watch *watch)
{
    if (watch->probe)
        check_tcp_cancel(watch->probe);
    uv_close((uv_handle_t *)&watch->timer, on_closed);
}

static struct watch *find(struct checker *checker, const struct server *server)
{
    struct watch *watch = checker->first;
    while (watch && watch->server != server)
        watch = watch->next;
    return watch;
}

static void follow(struct watch *watch, const struct backend *backend)
{
    watch->settings = backend->health;
    watch->send_proxy = backend->send_proxy;
    watch->keep = true;
}

static void add(struct checker *checker, struct server *server, const struct backend *backend)
{
    struct watch *watch = mem_new(sizeof(*watch));
    *watch = (struct watch){.checker = checker, .server = server};
    follow(watch, backend);
    watch->next = checker->first;
    checker->first = watch;
    uv_timer_init(checker->loop, &watch->timer);
    watch->timer.data = watch;
    uv_timer_start(&watch->timer, on_interval, 0, 0);
}

static void follow_member(struct checker *checker, const struct backend *backend, const struct member *member)
{
    struct watch *watch = find(checker, member->server);
    if (backend->health.kind == HEALTH_OFF || !member->resolved)
        return;
    if (watch)
        follow(watch, backend);
    else
        add(checker, member->server, backend);
}

/* Nobody watches the server any longer: what was last known must not keep it out forever. */
static void forget_unkept(struct checker *checker)
{
    struct watch **link = &checker->first;
    while (*link) {
        struct watch *watch = *link;
        if (watch->keep) {
            link = &watch->next;
            continue;
        }
        *link = watch->next;
        atomic_store(&watch->server->up, true);
        drop(watch);
    }
}

struct checker *checker_new(uv_loop_t *loop, struct log *log)
{
    struct checker *checker = mem_new(sizeof(*checker));
    *checker = (struct checker){.loop = loop, .log = log};
    return checker;
}

void checker_follow(struct checker *checker, const struct config *config)
{
    for (struct watch *watch = checker->first; watch; watch = watch->next)
        watch->keep = false;
    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; j < config->backends[i].member_count; j++)
            follow_member(checker, &config->backends[i], &config->backends[i].members[j]);
    forget_unkept(checker);
}

void checker_close(struct checker *checker)
{
    while (checker->first) {
        struct watch *watch = checker->first;
        checker->first = watch->next;
        drop(watch);
    }
    free(checker);
}
