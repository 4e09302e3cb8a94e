#include "lb/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lb/base/clock.h"
#include "lb/base/memory.h"
#include "lb/base/text.h"
#include "lb/base/thread.h"

#define RING_SIZE  (512u * 1024u) /* a power of two */
#define ENDS_MAX   1024
#define BATCH_MS   5    /* lines that come within this time share a write */
#define CLOSE_MS   1000 /* how long log_close waits for a stuck reader */
#define CHUNK_PIPE 4096 /* what POLLOUT promises on a pipe (PIPE_BUF) */

struct log {
    struct log_sink *sink;
    char *ring;
    _Alignas(64) atomic_size_t head; /* written up to here, by the thread that owns this end */
    _Alignas(64) atomic_size_t tail; /* put out up to here, by the writer */
};

struct log_sink {
    pthread_t writer;
    int wake; /* eventfd */
    atomic_bool asleep, stop;
    atomic_ullong stop_until_ms;
    atomic_int format, level;
    atomic_ullong dropped;
    unsigned long long dropped_told; /* writer only */
    pthread_mutex_t lock;            /* for what follows, and attaching */
    char *target;
    int fd, next_fd; /* next_fd: to be taken over by the writer, -1 if none */
    struct log *ends[ENDS_MAX];
    atomic_size_t count;
};

/* Our own copy of stdout or stderr: the original may be closed or replaced without our knowing. */
static int open_target(const char *target)
{
    if (strcmp(target, "stdout") == 0)
        return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (strcmp(target, "stderr") == 0)
        return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    return open(target, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

static bool is_file(int fd)
{
    struct stat info;
    return fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

static void take_next_fd(struct log_sink *sink)
{
    pthread_mutex_lock(&sink->lock);
    if (sink->next_fd >= 0) {
        close(sink->fd);
        sink->fd = sink->next_fd;
        sink->next_fd = -1;
    }
    pthread_mutex_unlock(&sink->lock);
}

/* How long the writer may still wait; -1 for as long as it takes. The end as a whole has one deadline. */
static int patience_ms(const struct log_sink *sink)
{
    if (!atomic_load(&sink->stop))
        return -1;
    uint64_t now = clock_us() / 1000, until = atomic_load(&sink->stop_until_ms);
    return now < until ? (int)(until - now) : 0;
}

/* False when lb is closing and the reader has not moved for too long. */
static bool wait_writable(struct log_sink *sink)
{
    struct pollfd ready = {.fd = sink->fd, .events = POLLOUT};
    while (poll(&ready, 1, patience_ms(sink) < 0 ? 100 : patience_ms(sink)) <= 0) {
        if (patience_ms(sink) == 0)
            return false;
        take_next_fd(sink);
        ready.fd = sink->fd;
    }
    return true;
}

static void count_lost(struct log_sink *sink, const char *bytes, size_t len)
{
    for (const char *at = bytes; (at = memchr(at, '\n', len - (size_t)(at - bytes))); at++)
        atomic_fetch_add(&sink->dropped, 1);
}

/* Puts out all of it, or loses and counts it where the target fails. */
static void put(struct log_sink *sink, const char *bytes, size_t len)
{
    size_t most = is_file(sink->fd) ? len : CHUNK_PIPE;
    while (len > 0) {
        if (!wait_writable(sink))
            break;
        ssize_t wrote = write(sink->fd, bytes, len < most ? len : most);
        if (wrote < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (wrote < 0)
            break;
        bytes += wrote;
        len -= (size_t)wrote;
    }
    if (len > 0)
        count_lost(sink, bytes, len);
}

static bool drain(struct log_sink *sink, struct log *end)
{
    size_t tail = atomic_load_explicit(&end->tail, memory_order_relaxed);
    size_t head = atomic_load(&end->head); /* pairs with `asleep`: both must be in one order */
    if (tail == head)
        return false;
    while (tail != head) {
        size_t at = tail & (RING_SIZE - 1), run = RING_SIZE - at;
        if (run > head - tail)
            run = head - tail;
        put(sink, end->ring + at, run);
        tail += run;
        atomic_store_explicit(&end->tail, tail, memory_order_release);
    }
    return true;
}

static void tell_dropped(struct log_sink *sink)
{
    unsigned long long dropped = atomic_load(&sink->dropped), lost = dropped - sink->dropped_told;
    char line[256], event[128];
    struct text text;
    if (lost == 0)
        return;
    sink->dropped_told = dropped;
    text_init(&text, line, sizeof(line));
    snprintf(event, sizeof(event), "%llu log lines were dropped: the log's reader was too slow", lost);
    bool json = atomic_load(&sink->format) == LOG_JSON;
    text_adds(&text, json ? "{\"time\":\"" : "");
    text_time(&text, clock_unix_ms());
    text_addf(&text, json ? "\",\"level\":\"warning\",\"event\":\"%s\"}\n" : " WARNING %s\n", event);
    put(sink, text.data, text.len);
}

static bool drain_all(struct log_sink *sink)
{
    bool any = false;
    take_next_fd(sink);
    size_t count = atomic_load(&sink->count);
    for (size_t i = 0; i < count; i++)
        any |= drain(sink, sink->ends[i]);
    if (any)
        tell_dropped(sink);
    return any;
}

/* `asleep` is set before the last look, so that a line queued in between always finds it set and wakes us. */
static void sleep_until_woken(struct log_sink *sink)
{
    uint64_t count;
    atomic_store(&sink->asleep, true);
    if (!drain_all(sink) && !atomic_load(&sink->stop) && read(sink->wake, &count, sizeof(count)) < 0)
        poll(NULL, 0, BATCH_MS);
    atomic_store(&sink->asleep, false);
}

static void *writer_main(void *argument)
{
    struct log_sink *sink = argument;
    while (!atomic_load(&sink->stop)) {
        if (drain_all(sink))
            poll(NULL, 0, BATCH_MS);
        else
            sleep_until_woken(sink);
    }
    drain_all(sink);
    return NULL;
}

static void wake(struct log_sink *sink)
{
    uint64_t one = 1;
    if (atomic_load(&sink->asleep) && atomic_exchange(&sink->asleep, false))
        while (write(sink->wake, &one, sizeof(one)) < 0 && errno == EINTR)
            ;
}

struct log_sink *log_open(const char *target, enum log_format format, enum log_level level, const char **why)
{
    int fd = open_target(target);
    if (fd < 0) {
        *why = strerror(errno);
        return NULL;
    }
    struct log_sink *sink = mem_new(sizeof(*sink));
    sink->fd = fd;
    sink->next_fd = -1;
    sink->target = mem_copy(target);
    sink->wake = eventfd(0, EFD_CLOEXEC);
    atomic_init(&sink->format, format);
    atomic_init(&sink->level, level);
    pthread_mutex_init(&sink->lock, NULL);
    if (sink->wake < 0 || thread_start(&sink->writer, writer_main, sink) != 0) {
        *why = strerror(errno);
        close(fd);
        free(sink->target);
        free(sink);
        return NULL;
    }
    return sink;
}

void log_close(struct log_sink *sink)
{
    atomic_store(&sink->stop_until_ms, clock_us() / 1000 + CLOSE_MS);
    atomic_store(&sink->stop, true);
    uint64_t one = 1;
    while (write(sink->wake, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
    pthread_join(sink->writer, NULL);
    for (size_t i = 0; i < atomic_load(&sink->count); i++) {
        free(sink->ends[i]->ring);
        free(sink->ends[i]);
    }
    close(sink->fd);
    if (sink->next_fd >= 0)
        close(sink->next_fd);
    close(sink->wake);
    pthread_mutex_destroy(&sink->lock);
    free(sink->target);
    free(sink);
}

static void replace_fd(struct log_sink *sink, int fd)
{
    if (sink->next_fd >= 0)
        close(sink->next_fd);
    sink->next_fd = fd;
}

bool log_configure(struct log_sink *sink, const char *target, enum log_format format, enum log_level level,
                   const char **why)
{
    if (strcmp(target, sink->target) != 0) {
        int fd = open_target(target);
        if (fd < 0) {
            *why = strerror(errno);
            return false;
        }
        pthread_mutex_lock(&sink->lock);
        replace_fd(sink, fd);
        free(sink->target);
        sink->target = mem_copy(target);
        pthread_mutex_unlock(&sink->lock);
    }
    atomic_store(&sink->format, format);
    atomic_store(&sink->level, level);
    return true;
}

bool log_reopen(struct log_sink *sink, const char **why)
{
    int fd = open_target(sink->target);
    if (fd < 0) {
        *why = strerror(errno);
        return false;
    }
    pthread_mutex_lock(&sink->lock);
    replace_fd(sink, fd);
    pthread_mutex_unlock(&sink->lock);
    return true;
}

struct log *log_attach(struct log_sink *sink)
{
    struct log *end = NULL;
    pthread_mutex_lock(&sink->lock);
    size_t count = atomic_load(&sink->count);
    if (count < ENDS_MAX) {
        if (posix_memalign((void **)&end, 64, sizeof(*end)) != 0)
            abort();
        memset(end, 0, sizeof(*end));
        end->sink = sink;
        end->ring = mem_new(RING_SIZE);
        sink->ends[count] = end;
        atomic_store(&sink->count, count + 1);
    }
    pthread_mutex_unlock(&sink->lock);
    return end;
}

enum log_format log_format(const struct log *log)
{
    return (enum log_format)atomic_load_explicit(&log->sink->format, memory_order_relaxed);
}

bool log_wants(const struct log *log, enum log_level level)
{
    return (int)level >= atomic_load_explicit(&log->sink->level, memory_order_relaxed);
}

uint64_t log_dropped(const struct log_sink *sink)
{
    return atomic_load(&sink->dropped);
}

static void ring_copy(struct log *log, size_t at, struct slice bytes)
{
    size_t from = at & (RING_SIZE - 1), run = RING_SIZE - from;
    if (run > bytes.len)
        run = bytes.len;
    memcpy(log->ring + from, bytes.data, run);
    if (run < bytes.len)
        memcpy(log->ring, bytes.data + run, bytes.len - run);
}

void log_line(struct log *log, struct slice line)
{
    size_t head = atomic_load_explicit(&log->head, memory_order_relaxed);
    size_t used = head - atomic_load_explicit(&log->tail, memory_order_acquire);
    if (line.len > LOG_LINE_MAX)
        line.len = LOG_LINE_MAX;
    if (used + line.len + 1 > RING_SIZE) {
        atomic_fetch_add(&log->sink->dropped, 1);
        return;
    }
    ring_copy(log, head, line);
    ring_copy(log, head + line.len, SLICE_LITERAL("\n"));
    atomic_store(&log->head, head + line.len + 1);
    wake(log->sink);
}

void log_event(struct log *log, enum log_level level, const char *format, ...)
{
    static const char *const upper[] = {"DEBUG", "INFO", "WARNING", "ERROR"};
    static const char *const lower[] = {"debug", "info", "warning", "error"};
    char message[2048], line[4096];
    struct text text;
    va_list args;
    if (!log_wants(log, level))
        return;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    text_init(&text, line, sizeof(line));
    bool json = log_format(log) == LOG_JSON;
    text_adds(&text, json ? "{\"time\":\"" : "");
    text_time(&text, clock_unix_ms());
    if (json) {
        text_addf(&text, "\",\"level\":\"%s\",\"event\":", lower[level]);
        text_json(&text, slice_of(message));
        text_addc(&text, '}');
    } else {
        text_addf(&text, " %s %s", upper[level], message);
    }
    log_line(log, slice_make(text.data, text.len));
}
