#include "lb/health/check_tcp.h"

#include <stdlib.h>

struct check_tcp {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    uv_timer_t timer;
    uv_connect_t connect;
    struct slice first;
    check_done *done; /* NULL once it was called, or cancelled */
    void *context;
    unsigned handles;
};

static void on_closed(uv_handle_t *handle)
{
    struct check_tcp *check = handle->data;
    if (--check->handles == 0)
        free(check);
}

static void finish(struct check_tcp *check, int error)
{
    check_done *done = check->done;
    if (!done)
        return;
    check->done = NULL;
    uv_close(&check->uv.handle, on_closed);
    uv_close((uv_handle_t *)&check->timer, on_closed);
    done(check->context, error);
}

static void ignore(void *context, int error)
{
    (void)context;
    (void)error;
}

/* So few bytes fit into a new connection's buffer. */
static int send_first(struct check_tcp *check)
{
    uv_buf_t buf = uv_buf_init((char *)check->first.data, (unsigned)check->first.len);
    int sent = check->first.len > 0 ? uv_try_write(&check->uv.stream, &buf, 1) : 0;
    return sent < 0 ? sent : 0;
}

static void on_connected(uv_connect_t *request, int status)
{
    struct check_tcp *check = request->data;
    bool wanted = status == 0 && check->done; /* else the socket may be closing */
    finish(check, wanted ? send_first(check) : status);
}

static void on_timeout(uv_timer_t *timer)
{
    finish(timer->data, UV_ETIMEDOUT);
}

static int start(struct check_tcp *check, const struct addr *addr)
{
    check->connect.data = check;
    if (addr->sa.sa_family != AF_UNIX)
        return uv_tcp_connect(&check->connect, &check->uv.tcp, &addr->sa, on_connected);
    uv_pipe_connect(&check->connect, &check->uv.pipe, addr->un.sun_path, on_connected);
    return 0;
}

struct check_tcp *check_tcp(uv_loop_t *loop, const struct addr *addr, struct slice first, uint64_t timeout_ms,
                            check_done *done, void *context, int *error)
{
    struct check_tcp *check = calloc(1, sizeof(*check));
    *error = UV_ENOMEM;
    if (!check)
        return NULL;
    *error = addr->sa.sa_family == AF_UNIX ? uv_pipe_init(loop, &check->uv.pipe, 0)
                                           : uv_tcp_init(loop, &check->uv.tcp);
    if (*error != 0) {
        free(check);
        return NULL;
    }
    uv_timer_init(loop, &check->timer);
    check->uv.handle.data = check->timer.data = check;
    check->first = first;
    check->done = done;
    check->context = context;
    check->handles = 2;
    *error = start(check, addr);
    if (*error == 0) {
        uv_timer_start(&check->timer, on_timeout, timeout_ms, 0);
        return check;
    }
    check_tcp_cancel(check);
    return NULL;
}

void check_tcp_cancel(struct check_tcp *check)
{
    check->done = ignore;
    finish(check, 0);
}
