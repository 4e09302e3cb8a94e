#include "lb/net/acceptor.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Connections taken in one turn of the loop: enough to keep up, few enough not to starve the running ones. */
#define BATCH 64

/* The kernel lowers it to net.core.somaxconn. */
#define BACKLOG 65535

struct acceptor {
    uv_poll_t poll;
    int fd;
    bool active, is_tcp;
    const struct acceptor_owner *owner;
    void *context;
};

static bool out_of_resources(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

enum took { TOOK, NOTHING };

static enum took take_failed(struct acceptor *acceptor, int error)
{
    acceptor->owner->spared(acceptor->context);
    if (error == EINTR || error == ECONNABORTED) /* that client has left; others may wait */
        return TOOK;
    if (out_of_resources(error)) {
        acceptor_pause(acceptor);
        acceptor->owner->starved(acceptor->context, error);
    }
    return NOTHING;
}

static enum took take_one(struct acceptor *acceptor)
{
    struct addr peer = {.len = sizeof(peer.un)};
    if (!acceptor->owner->may(acceptor->context)) {
        acceptor_pause(acceptor);
        return NOTHING;
    }
    int fd = accept4(acceptor->fd, &peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return take_failed(acceptor, errno);
    acceptor->owner->taken(acceptor->context, fd, &peer);
    return TOOK;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct acceptor *acceptor = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < BATCH && acceptor->active && take_one(acceptor) == TOOK; i++)
        ;
}

static bool is_tcp(int fd)
{
    struct addr addr = {.len = sizeof(addr.un)};
    return getsockname(fd, &addr.sa, &addr.len) == 0 && addr.sa.sa_family != AF_UNIX;
}

struct acceptor *acceptor_new(uv_loop_t *loop, int fd, const struct acceptor_owner *owner, void *context,
                              int *error)
{
    struct acceptor *acceptor = calloc(1, sizeof(*acceptor));
    if (!acceptor) {
        *error = UV_ENOMEM;
        return NULL;
    }
    *acceptor = (struct acceptor){.fd = fd, .owner = owner, .context = context};
    *error = uv_poll_init(loop, &acceptor->poll, fd);
    if (*error != 0) {
        free(acceptor);
        return NULL;
    }
    acceptor->poll.data = acceptor;
    acceptor->is_tcp = is_tcp(fd);
    acceptor_resume(acceptor);
    return acceptor;
}

void acceptor_pause(struct acceptor *acceptor)
{
    if (acceptor->active)
        uv_poll_stop(&acceptor->poll);
    acceptor->active = false;
}

void acceptor_resume(struct acceptor *acceptor)
{
    if (acceptor->active)
        return;
    acceptor->active = uv_poll_start(&acceptor->poll, UV_READABLE, on_readable) == 0;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Drops every SYN, so that the kernel begins no handshake that nobody would serve; their clients try again
 * and find the address closed. Without it a client could be connected between the last accept and the close,
 * and be reset. */
static void refuse_handshakes(int fd)
{
    enum { TCP_FLAGS = 13, SYN_AND_ACK = 0x12, SYN = 0x02 };
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS),  BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN_AND_ACK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYN, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
    setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

void acceptor_finish(struct acceptor *acceptor)
{
    acceptor_pause(acceptor);
    if (acceptor->is_tcp)
        refuse_handshakes(acceptor->fd);
    while (take_one(acceptor) != NOTHING)
        ;
    uv_close((uv_handle_t *)&acceptor->poll, on_closed);
    close(acceptor->fd);
}

static bool set_options(int fd, const struct addr *addr, bool probe)
{
    int on = 1;
    if (addr->sa.sa_family == AF_UNIX)
        return true;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
        return false;
    if (!probe && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
        return false;
    if (addr->sa.sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0)
        return false;
    /* Accepted sockets inherit it: one system call less for each connection. */
    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0;
}

/* A socket file that nobody answers on is left over from a process that was killed. */
static void remove_stale_socket(const struct addr *addr)
{
    struct stat info;
    if (stat(addr->un.sun_path, &info) != 0 || !S_ISSOCK(info.st_mode))
        return;
    /* Non-blocking: who does not accept is there all the same, and must not hold us up. */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (connect(fd, &addr->sa, addr->len) != 0 && errno == ECONNREFUSED)
        unlink(addr->un.sun_path);
    close(fd);
}

static const char *remedy(int error)
{
    switch (error) {
    case EADDRINUSE: return ": another process listens there (ss -ltnp shows which)";
    case EACCES: return ": ports below 1024 need CAP_NET_BIND_SERVICE or net.ipv4.ip_unprivileged_port_start";
    case EADDRNOTAVAIL: return ": no interface of this machine has that address";
    default: return "";
    }
}

int acceptor_listen(const struct addr *addr, bool probe, char *why, size_t size)
{
    char text[ADDR_TEXT_MAX];
    if (addr->sa.sa_family == AF_UNIX)
        remove_stale_socket(addr);
    int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && set_options(fd, addr, probe) && bind(fd, &addr->sa, addr->len) == 0 &&
        (probe || listen(fd, BACKLOG) == 0))
        return fd;
    int error = errno;
    addr_format(addr, text);
    snprintf(why, size, "cannot listen on %s: %s%s", text, strerror(error), remedy(error));
    if (fd >= 0)
        close(fd);
    errno = error;
    return -1;
}
