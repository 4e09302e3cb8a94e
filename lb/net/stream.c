#include "lb/net/stream.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* After this many bytes in full reads a stream lets the others of its thread go first. */
#define SHARE_BYTES (1024 * 1024)

/* And after so many in one turn, however small they are. */
#define READS_MAX 32

/* With this much waiting for slow peers in one thread, reads get small, so that a pass adds little to it.
 * What flow control holds back is one client's doing more often than not: there the bound is low. */
#define QUEUED_HIGH (64 * 1024 * 1024)
#define HELD_HIGH   (2 * 1024 * 1024)
#define INPUT_SMALL (16 * 1024)

struct queued_write {
    uv_write_t request;
    size_t len;
    char bytes[];
};

static void on_closed(uv_handle_t *handle)
{
    struct stream *stream = handle->data;
    tls_session_free(stream->tls); /* before the owner may drop the context that made it */
    stream->events->closed(stream);
    free(stream);
}

/* ---- turns: who reads much lets the others go first ---- */

static void resume_resting(uv_idle_t *idle)
{
    struct net_thread *thread = idle->data;
    struct stream *stream = thread->resting;
    thread->resting = NULL;
    uv_idle_stop(idle);
    while (stream) {
        struct stream *next = stream->next_resting;
        stream->resting = false;
        stream->greedy = 0;
        if (!stream->paused)
            stream_resume(stream);
        stream = next;
    }
}

static void stop_reading(struct stream *stream)
{
    if (stream->reading)
        uv_read_stop(&stream->uv.stream);
    stream->reading = false;
}

/* Reads that fill the buffer are repeated: one fast peer must not hold up the thread. */
static void rest_if_greedy(struct stream *stream, size_t got, size_t asked)
{
    struct net_thread *thread = stream->thread;
    stream->greedy = got < asked ? 0 : stream->greedy + (uint32_t)got;
    if (stream->greedy < SHARE_BYTES || stream->resting || !stream->reading)
        return;
    stop_reading(stream);
    stream->resting = true;
    stream->next_resting = thread->resting;
    thread->resting = stream;
    uv_idle_start(&thread->wake, resume_resting);
}

static void forget_resting(struct stream *stream)
{
    struct stream **link = &stream->thread->resting;
    while (*link && *link != stream)
        link = &(*link)->next_resting;
    if (*link)
        *link = stream->next_resting;
}

/* ---- writing ---- */

/* shutdown(2) itself: there is nothing left to wait for, so libuv's request would only cost memory. */
static void send_fin(struct stream *stream)
{
    uv_os_fd_t fd;
    if (stream->ended_out || uv_fileno(&stream->uv.handle, &fd) != 0)
        return;
    stream->ended_out = true;
    shutdown(fd, SHUT_WR);
}

static void on_written(uv_write_t *request, int status)
{
    struct queued_write *write = (struct queued_write *)request;
    struct stream *stream = request->handle->data;
    stream->queued -= write->len;
    stream->thread->queued -= write->len;
    free(write);
    if (stream->closing)
        return;
    if (status < 0) {
        stream->events->failed(stream, STREAM_RESET);
        return;
    }
    if (stream->queued > 0)
        return;
    if (stream->end_wanted)
        send_fin(stream);
    stream->events->drained(stream);
}

static enum stream_written queue(struct stream *stream, struct slice bytes)
{
    struct queued_write *write = malloc(sizeof(*write) + bytes.len);
    if (!write)
        return STREAM_BROKEN;
    write->len = bytes.len;
    memcpy(write->bytes, bytes.data, bytes.len);
    uv_buf_t buf = uv_buf_init(write->bytes, (unsigned)bytes.len);
    if (uv_write(&write->request, &stream->uv.stream, &buf, 1, on_written) != 0) {
        free(write);
        return STREAM_BROKEN;
    }
    stream->queued += bytes.len;
    stream->thread->queued += bytes.len;
    /* cppcheck-suppress memleak ; on_written frees it */
    return STREAM_QUEUED;
}

/* send(2) itself: uv_try_write goes through write(2), which costs more. Gives how much the kernel took, or a
 * negative errno. */
static ssize_t send_now(struct stream *stream, struct slice bytes)
{
    uv_os_fd_t fd;
    ssize_t took;
    if (uv_fileno(&stream->uv.handle, &fd) != 0)
        return UV_EBADF;
    do
        took = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (took < 0 && errno == EINTR);
    if (took < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS))
        return 0;
    return took < 0 ? -errno : took;
}

static enum stream_written send_bytes(struct stream *stream, struct slice bytes)
{
    if (bytes.len == 0)
        return STREAM_WROTE;
    if (stream->ended_out || stream->closing)
        return STREAM_BROKEN;
    if (stream->queued == 0 && !stream->connecting) {
        ssize_t took = send_now(stream, bytes);
        if (took < 0)
            return STREAM_BROKEN;
        bytes = slice_make(bytes.data + took, bytes.len - (size_t)took);
    }
    return bytes.len == 0 ? STREAM_WROTE : queue(stream, bytes);
}

/* What the TLS session wants sent, also after it has failed: an alert may be in it. */
static enum stream_written flush(struct stream *stream)
{
    struct tls_scratch *scratch = &stream->thread->scratch;
    struct slice out = slice_make(scratch->out, scratch->out_len);
    scratch->out_len = 0;
    return send_bytes(stream, out);
}

enum stream_written stream_write(struct stream *stream, struct slice bytes)
{
    if (stream->mode == STREAM_PLAIN)
        return send_bytes(stream, bytes);
    if (!tls_session_write(stream->tls, bytes)) {
        flush(stream);
        return STREAM_BROKEN;
    }
    return flush(stream);
}

size_t stream_unsent(const struct stream *stream)
{
    uv_os_fd_t fd;
    int in_kernel = 0;
    if (uv_fileno(&stream->uv.handle, &fd) != 0 || ioctl(fd, SIOCOUTQ, &in_kernel) != 0)
        in_kernel = 0;
    return uv_stream_get_write_queue_size(&stream->uv.stream) + (size_t)in_kernel;
}

void stream_end(struct stream *stream)
{
    if (stream->end_wanted || stream->closing)
        return;
    if (stream->mode == STREAM_SECURE) {
        tls_session_close(stream->tls);
        flush(stream);
    }
    stream->end_wanted = true;
    if (stream->queued == 0)
        send_fin(stream);
}

void stream_finish(struct stream *stream)
{
    stream->mode = STREAM_PLAIN;
    stream_end(stream);
}

void stream_alert(struct stream *stream, int code)
{
    if (stream->mode != STREAM_SECURE || stream->closing)
        return;
    tls_session_alert(stream->tls, code);
    flush(stream);
}

/* ---- reading ---- */

static void peer_ended(struct stream *stream)
{
    if (stream->ended_in)
        return;
    stream->ended_in = true;
    stream->events->end(stream);
}

static void decrypt(struct stream *stream, struct slice in)
{
    struct slice plain = {0};
    enum tls_result result = tls_session_read(stream->tls, in, &plain);
    if (stream->thread->scratch.out_len > 0)
        flush(stream);
    if (plain.len > 0)
        stream->events->data(stream, plain);
    if (stream->closing)
        return;
    if (result == TLS_CLOSED)
        peer_ended(stream);
    else if (result == TLS_FAILED)
        stream->events->failed(stream, STREAM_TLS);
}

static void handshake(struct stream *stream, struct slice in)
{
    enum tls_result result = tls_session_handshake(stream->tls, in);
    flush(stream);
    if (result == TLS_WANT)
        return;
    if (result != TLS_OK) {
        stream->events->failed(stream, STREAM_TLS);
        return;
    }
    stream->mode = STREAM_SECURE;
    stream->events->secured(stream);
    if (!stream->closing)
        decrypt(stream, slice_make(NULL, 0));
}

static void take(struct stream *stream, struct slice bytes)
{
    switch (stream->mode) {
    case STREAM_PLAIN: stream->events->data(stream, bytes); break;
    case STREAM_HANDSHAKE: handshake(stream, bytes); break;
    case STREAM_SECURE: decrypt(stream, bytes); break;
    }
}

/* libuv goes through read(2), which costs more than recv(2): told that there is no room, it leaves reading to
 * on_read. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(NULL, 0);
}

static size_t input_room(const struct net_thread *thread)
{
    bool small = thread->queued > QUEUED_HIGH || thread->held > HELD_HIGH;
    return small ? INPUT_SMALL : NET_INPUT_MAX;
}

/* Gives how much there was, UV_EOF at the end, another negative errno otherwise. */
static ssize_t receive(struct stream *stream, size_t room)
{
    uv_os_fd_t fd;
    ssize_t got;
    if (uv_fileno(&stream->uv.handle, &fd) != 0)
        return UV_EBADF;
    do
        got = recv(fd, stream->thread->input, room, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EWOULDBLOCK ? UV_EAGAIN : -errno;
    return got > 0 ? got : UV_EOF;
}

/* A reset behind the end is read as the end: a cut transfer would pass for a complete one. */
static bool was_reset(struct stream *stream)
{
    uv_os_fd_t fd;
    int error = 0;
    socklen_t len = sizeof(error);
    return uv_fileno(&stream->uv.handle, &fd) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error != 0;
}

static void no_more(struct stream *stream, ssize_t why)
{
    stop_reading(stream);
    if (why == UV_EOF && !was_reset(stream))
        peer_ended(stream);
    else
        stream->events->failed(stream, STREAM_RESET);
}

/* True: as much as there was room for has come, so that there may be more. */
static bool read_once(struct stream *stream)
{
    size_t room = input_room(stream->thread);
    ssize_t got = receive(stream, room);
    if (got == UV_EAGAIN)
        return false;
    if (got < 0) {
        no_more(stream, got);
        return false;
    }
    if (!stream->ended_in)
        take(stream, slice_make(stream->thread->input, (size_t)got));
    if (!stream->closing)
        rest_if_greedy(stream, (size_t)got, room);
    return (size_t)got == room;
}

/* UV_ENOBUFS, as on_alloc wants it, or what else libuv has found. */
static void on_read(uv_stream_t *uv, ssize_t found, const uv_buf_t *buf)
{
    struct stream *stream = uv->data;
    (void)buf;
    if (found < 0 && found != UV_ENOBUFS && !stream->closing)
        no_more(stream, found);
    for (unsigned i = 0; i < READS_MAX && stream->reading && !stream->closing && read_once(stream); i++)
        continue;
}

void stream_pause(struct stream *stream)
{
    stream->paused = true;
    stop_reading(stream);
}

void stream_resume(struct stream *stream)
{
    stream->paused = false;
    if (stream->reading || stream->resting || stream->closing)
        return;
    stream->reading = uv_read_start(&stream->uv.stream, on_alloc, on_read) == 0;
}

void stream_secure(struct stream *stream, struct tls_session *session, struct slice first)
{
    stream->tls = session;
    stream->mode = STREAM_HANDSHAKE;
    handshake(stream, first);
}

/* ---- life ---- */

static struct stream *stream_new(struct net_thread *thread, int family, const struct stream_events *events,
                                 void *owner)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    if (!stream)
        return NULL;
    int error = family == AF_UNIX ? uv_pipe_init(thread->loop, &stream->uv.pipe, 0)
                                  : uv_tcp_init(thread->loop, &stream->uv.tcp);
    if (error != 0) {
        free(stream);
        return NULL;
    }
    stream->uv.handle.data = stream;
    stream->thread = thread;
    stream->events = events;
    stream->owner = owner;
    return stream;
}

static void on_discarded(uv_handle_t *handle)
{
    free(handle->data);
}

/* Of a stream whose owner never got to know it. */
static void discard(struct stream *stream)
{
    uv_close(&stream->uv.handle, on_discarded);
}

struct stream *stream_accept(struct net_thread *thread, int fd, int family,
                             const struct stream_events *events, void *owner)
{
    struct stream *stream = stream_new(thread, family, events, owner);
    if (!stream) {
        close(fd);
        return NULL;
    }
    int error = family == AF_UNIX ? uv_pipe_open(&stream->uv.pipe, fd) : uv_tcp_open(&stream->uv.tcp, fd);
    if (error == 0) {
        stream_resume(stream);
        return stream;
    }
    close(fd);
    discard(stream);
    return NULL;
}

static void on_connected(uv_connect_t *request, int status)
{
    struct stream *stream = request->handle->data;
    free(request);
    stream->connecting = false;
    if (stream->closing)
        return;
    if (status == 0)
        stream_resume(stream);
    stream->events->connected(stream, status);
}

static int start_connect(struct stream *stream, const struct addr *addr)
{
    uv_connect_t *request = malloc(sizeof(*request));
    int error = 0;
    if (!request)
        return UV_ENOMEM;
    if (addr->sa.sa_family == AF_UNIX) {
        uv_pipe_connect(request, &stream->uv.pipe, addr->un.sun_path, on_connected);
        return 0;
    }
    error = uv_tcp_connect(request, &stream->uv.tcp, &addr->sa, on_connected);
    if (error != 0)
        free(request);
    else
        uv_tcp_nodelay(&stream->uv.tcp, 1);
    return error;
}

struct stream *stream_connect(struct net_thread *thread, const struct addr *addr,
                              const struct stream_events *events, void *owner, int *error)
{
    struct stream *stream = stream_new(thread, addr->sa.sa_family, events, owner);
    *error = stream ? start_connect(stream, addr) : UV_ENOMEM;
    if (*error == 0) {
        stream->connecting = true;
        return stream;
    }
    if (stream)
        discard(stream);
    return NULL;
}

void stream_close(struct stream *stream)
{
    if (stream->closing)
        return;
    stream->closing = true;
    if (stream->resting)
        forget_resting(stream);
    uv_close(&stream->uv.handle, on_closed);
}

void stream_abort(struct stream *stream)
{
    if (stream->closing)
        return;
    if (stream->uv.handle.type != UV_TCP) {
        stream_close(stream);
        return;
    }
    stream->closing = true;
    if (stream->resting)
        forget_resting(stream);
    if (uv_tcp_close_reset(&stream->uv.tcp, on_closed) != 0)
        uv_close(&stream->uv.handle, on_closed);
}
