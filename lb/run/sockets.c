#include "lb/run/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lb/base/memory.h"
#include "lb/net/acceptor.h"

static bool listens_on(const struct config *config, const struct addr *addr)
{
    for (size_t i = 0; config && i < config->listener_count; i++)
        for (size_t j = 0; j < config->listeners[i].bind_count; j++)
            if (addr_equal(&config->listeners[i].binds[j].addr, addr))
                return true;
    return false;
}

/* True if both are one port, and one of them is that port of every address. */
static bool overlap(const struct addr *a, const struct addr *b)
{
    struct addr any = *a;
    if (a->sa.sa_family != b->sa.sa_family || a->sa.sa_family == AF_UNIX || addr_equal(a, b))
        return false;
    if (any.sa.sa_family == AF_INET)
        any.in.sin_addr.s_addr = INADDR_ANY;
    else
        any.in6.sin6_addr = in6addr_any;
    return addr_port(a) == addr_port(b) && (addr_equal(a, &any) || addr_equal(b, &any));
}

/* Whether lb itself has a socket that stands in the way of binding this address alone. */
static bool overlaps(const struct config *config, const struct addr *addr)
{
    for (size_t i = 0; config && i < config->listener_count; i++)
        for (size_t j = 0; j < config->listeners[i].bind_count; j++)
            if (overlap(&config->listeners[i].binds[j].addr, addr))
                return true;
    return false;
}

static size_t count_binds(const struct config *config)
{
    size_t sum = 0;
    for (size_t i = 0; i < config->listener_count; i++)
        sum += config->listeners[i].bind_count;
    return sum;
}

static void cannot_listen(const struct listener *listener, const struct bind *bind, const char *why,
                          struct problems *problems)
{
    problems_add(problems, (struct place){listener->place.file, bind->line}, "listener %s: %s",
                 listener->name, why);
}

/* A worker may not have closed yet what the reload just before this one removed. */
static int probe_again(const struct addr *addr, char *why, size_t size)
{
    enum { TRIES = 10, PAUSE_US = 20000 };
    int fd = -1;
    for (int i = 0; fd < 0 && i < TRIES; i++) {
        usleep(PAUSE_US);
        fd = acceptor_listen(addr, true, why, size);
    }
    return fd;
}

/* Does another process have the address? Before any socket of the snapshot is opened: they may overlap. */
static void probe_address(const struct listener *listener, const struct bind *bind, bool reloading,
                          struct problems *problems)
{
    char why[256];
    if (bind->addr.sa.sa_family == AF_UNIX)
        return;
    int fd = acceptor_listen(&bind->addr, true, why, sizeof(why));
    if (fd < 0 && errno == EADDRINUSE && reloading)
        fd = probe_again(&bind->addr, why, sizeof(why));
    if (fd < 0)
        cannot_listen(listener, bind, why, problems);
    else
        close(fd);
}

/* A unix socket has one queue, which the workers share; an IP address has one for each (SO_REUSEPORT). */
static int open_further(const struct addr *addr, int first, char *why, size_t size)
{
    if (addr->sa.sa_family != AF_UNIX)
        return acceptor_listen(addr, false, why, size);
    int fd = fcntl(first, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        snprintf(why, size, "cannot duplicate the socket: %s", strerror(errno));
    return fd;
}

static void open_address(struct socket_set *set, size_t column, const struct listener *listener,
                         const struct bind *bind, struct problems *problems)
{
    char why[256];
    int fd = acceptor_listen(&bind->addr, false, why, sizeof(why));
    for (size_t row = 0; fd >= 0 && row < set->workers; row++) {
        set->plans[row * set->count + column].fd = fd;
        if (row + 1 < set->workers)
            fd = open_further(&bind->addr, fd, why, sizeof(why));
    }
    if (fd < 0)
        cannot_listen(listener, bind, why, problems);
}

static void plan_address(struct socket_set *set, size_t column, const struct bind *bind, size_t service)
{
    for (size_t row = 0; row < set->workers; row++)
        set->plans[row * set->count + column] = (struct socket_plan){bind->addr, service, -1};
}

static void plan_all(struct socket_set *set, const struct config *config, const struct config *before,
                     struct problems *problems)
{
    size_t column = 0;
    for (size_t i = 0; i < config->listener_count; i++)
        for (size_t j = 0; j < config->listeners[i].bind_count; j++) {
            const struct bind *bind = &config->listeners[i].binds[j];
            plan_address(set, column++, bind, i);
            if (!listens_on(before, &bind->addr) && !overlaps(before, &bind->addr))
                probe_address(&config->listeners[i], bind, before != NULL, problems);
        }
}

static void open_all(struct socket_set *set, const struct config *config, const struct config *before,
                     struct problems *problems)
{
    size_t column = 0;
    for (size_t i = 0; i < config->listener_count; i++)
        for (size_t j = 0; j < config->listeners[i].bind_count; j++, column++) {
            const struct bind *bind = &config->listeners[i].binds[j];
            if (!listens_on(before, &bind->addr))
                open_address(set, column, &config->listeners[i], bind, problems);
        }
}

bool sockets_open(struct socket_set *set, const struct config *config, const struct config *before,
                  size_t workers, struct problems *problems)
{
    size_t errors = problems->errors;
    *set = (struct socket_set){.count = count_binds(config), .workers = workers};
    set->plans = mem_new(set->count * workers * sizeof(*set->plans));
    plan_all(set, config, before, problems);
    if (problems->errors == errors)
        open_all(set, config, before, problems);
    if (problems->errors == errors)
        return true;
    sockets_close(set);
    return false;
}

struct socket_plan *sockets_take(struct socket_set *set, size_t worker)
{
    struct socket_plan *row = mem_new(set->count * sizeof(*row));
    memcpy(row, &set->plans[worker * set->count], set->count * sizeof(*row));
    return row;
}

void sockets_close(struct socket_set *set)
{
    for (size_t i = 0; i < set->count * set->workers; i++) {
        const struct socket_plan *plan = &set->plans[i];
        if (plan->fd < 0)
            continue;
        if (plan->addr.sa.sa_family == AF_UNIX && i < set->count)
            unlink(plan->addr.un.sun_path);
        close(plan->fd);
    }
    sockets_release(set);
}

void sockets_release(struct socket_set *set)
{
    free(set->plans);
    set->plans = NULL;
}

void sockets_unlink(const struct config *config, const struct config *next)
{
    for (size_t i = 0; i < config->listener_count; i++)
        for (size_t j = 0; j < config->listeners[i].bind_count; j++) {
            const struct addr *addr = &config->listeners[i].binds[j].addr;
            if (addr->sa.sa_family == AF_UNIX && !listens_on(next, addr))
                unlink(addr->un.sun_path);
        }
}
