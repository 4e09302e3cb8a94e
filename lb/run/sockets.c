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

static size_t count_binds(const struct config *config)
{
    size_t sum = 0;
    for (size_t i = 0; i < config->listener_count; i++)
        sum += config->listeners[i].bind_count;
    return sum;
}

static int open_first(const struct addr *addr, char *why, size_t size)
{
    if (addr->sa.sa_family == AF_UNIX)
        return acceptor_listen(addr, false, why, size);
    int probe = acceptor_listen(addr, true, why, size);
    if (probe < 0)
        return -1;
    close(probe);
    return acceptor_listen(addr, false, why, size);
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
    int fd = open_first(&bind->addr, why, sizeof(why));
    for (size_t row = 0; fd >= 0 && row < set->workers; row++) {
        set->plans[row * set->count + column].fd = fd;
        if (row + 1 < set->workers)
            fd = open_further(&bind->addr, fd, why, sizeof(why));
    }
    if (fd < 0)
        problems_add(problems, (struct place){listener->place.file, bind->line}, "listener %s: %s",
                     listener->name, why);
}

static void plan_address(struct socket_set *set, size_t column, const struct bind *bind, size_t service)
{
    for (size_t row = 0; row < set->workers; row++)
        set->plans[row * set->count + column] = (struct socket_plan){bind->addr, service, -1};
}

bool sockets_open(struct socket_set *set, const struct config *config, const struct config *before,
                  size_t workers, struct problems *problems)
{
    size_t errors = problems->errors, column = 0;
    *set = (struct socket_set){.count = count_binds(config), .workers = workers};
    set->plans = mem_new(set->count * workers * sizeof(*set->plans));
    for (size_t i = 0; i < config->listener_count; i++)
        for (size_t j = 0; j < config->listeners[i].bind_count; j++, column++) {
            const struct bind *bind = &config->listeners[i].binds[j];
            plan_address(set, column, bind, i);
            if (!listens_on(before, &bind->addr))
                open_address(set, column, &config->listeners[i], bind, problems);
        }
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
