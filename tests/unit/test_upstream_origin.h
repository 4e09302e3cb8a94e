/* A loop with a pool, an origin on loopback that the test plays by hand, and an owner that keeps what it was
 * told. All in one thread: the origin's calls do not wait for the loop. */
#ifndef TEST_UPSTREAM_ORIGIN_H
#define TEST_UPSTREAM_ORIGIN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lb/proxy/counters.h"
#include "lb/proxy/upstream.h"

enum told { TOLD_READY = 1, TOLD_HEAD = 2, TOLD_BODY = 4, TOLD_END = 8, TOLD_DRAINED = 16, TOLD_FAILED = 32 };

struct world {
    uv_loop_t loop;
    struct net_thread net;
    struct head_pool heads;
    struct upstream_thread thread;
    struct pool *pool;
    struct backend backend;
    struct member member;
    struct server server;
    int listener;
};

struct asker {
    struct world *world;
    struct upstream *upstream;
    enum told closes_in; /* events in which it closes its upstream */
    bool pauses, asks_when_ready;
    char story[1024]; /* "ready, 200, body, end" and so on */
    char body[64];    /* the first bytes of it */
    size_t body_len;
    struct http_head *head; /* the last one */
    struct upstream_failure failure;
    enum told told;
    bool closed;
    struct asker *next; /* for tests with two */
};

/* ---- the owner ---- */

static void tell(struct asker *asker, enum told told, const char *what)
{
    assert_false(asker->closed);
    asker->told |= told;
    size_t len = strlen(asker->story);
    bool again = len >= strlen(what) && strcmp(asker->story + len - strlen(what), what) == 0;
    if (told != TOLD_BODY || !again)
        snprintf(asker->story + len, sizeof(asker->story) - len, "%s%s", len ? ", " : "", what);
    if (asker->closes_in & told) {
        asker->closed = true;
        upstream_close(asker->upstream);
    }
}

static inline void ask(struct asker *asker, const char *method, const char *fields, int64_t length,
                       const char *body, bool ends);

static void on_ready(void *owner)
{
    struct asker *asker = owner;
    tell(asker, TOLD_READY, "ready");
    if (asker->asks_when_ready && !asker->closed)
        ask(asker, "GET", "", -1, "", true);
}

static void on_head(void *owner, struct http_head *head, bool ends)
{
    struct asker *asker = owner;
    char what[32];
    head_pool_give(&asker->world->heads, asker->head);
    asker->head = head;
    snprintf(what, sizeof(what), "%u%s", head->status, ends ? " whole" : "");
    tell(asker, TOLD_HEAD, what);
}

static void on_body(void *owner, struct slice bytes)
{
    struct asker *asker = owner;
    assert_true(bytes.len > 0);
    for (size_t i = 0; i < bytes.len && asker->body_len + i + 1 < sizeof(asker->body); i++)
        asker->body[asker->body_len + i] = bytes.data[i];
    asker->body_len += bytes.len;
    if (asker->pauses)
        upstream_pause(asker->upstream);
    tell(asker, TOLD_BODY, "body");
}

static void on_end(void *owner, struct http_head *trailers)
{
    struct asker *asker = owner;
    char what[64] = "end";
    if (trailers)
        snprintf(what, sizeof(what), "end with %u trailers", http_head_field_count(trailers));
    head_pool_give(&asker->world->heads, trailers);
    tell(asker, TOLD_END, what);
}

static void on_drained(void *owner)
{
    tell(owner, TOLD_DRAINED, "drained");
}

static void on_failed(void *owner, const struct upstream_failure *failure)
{
    static const char *const names[] = {[UPSTREAM_CONNECT] = "no connection",
                                        [UPSTREAM_CLOSED] = "closed",
                                        [UPSTREAM_UNTOUCHED] = "untouched",
                                        [UPSTREAM_BAD_ANSWER] = "bad answer",
                                        [UPSTREAM_CUT] = "cut",
                                        [UPSTREAM_NO_MEMORY] = "no memory"};
    struct asker *asker = owner;
    asker->failure = *failure;
    tell(asker, TOLD_FAILED, names[failure->trouble]);
}

static const struct upstream_events asker_events = {on_ready, on_head,    on_body,
                                                    on_end,   on_drained, on_failed};

/* ---- the world ---- */

static inline struct world *world_new(void)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    assert_int_equal(uv_loop_init(&world->loop), 0);
    assert_true(net_thread_init(&world->net, &world->loop));
    world->thread = (struct upstream_thread){.net = &world->net, .heads = &world->heads};
    world->pool = pool_new(&world->thread);
    assert_non_null(world->pool);
    world->listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in *in = &world->member.addr.in;
    *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    world->member.addr.len = sizeof(*in);
    assert_int_equal(bind(world->listener, &world->member.addr.sa, sizeof(*in)), 0);
    assert_int_equal(listen(world->listener, 64), 0);
    assert_int_equal(getsockname(world->listener, &world->member.addr.sa, &world->member.addr.len), 0);
    world->member.server = &world->server;
    world->backend = (struct backend){.members = &world->member,
                                      .member_count = 1,
                                      .pool_connections = 4,
                                      .timeout_pool_ms = 1000};
    return world;
}

/* A socket that is over never says that what it sent has arrived. */
static bool is_under_way(int fd)
{
    struct pollfd over = {.fd = fd};
    int left = 0;
    return poll(&over, 1, 0) == 0 && ioctl(fd, SIOCOUTQ, &left) == 0 && left > 0;
}

/* Gives the kernel the time to hand over what was sent; usually it has when the call returns. That nobody
 * acknowledges it yet does not mean that it has not arrived: so this ends soon. */
static void delivered(int fd)
{
    for (int i = 0; i < 5 && is_under_way(fd); i++)
        usleep(i < 3 ? 20 : 1000);
}

static void handle_delivered(uv_handle_t *handle, void *unused)
{
    uv_os_fd_t fd;
    (void)unused;
    if (uv_handle_get_type(handle) == UV_TCP && !uv_is_closing(handle) && uv_fileno(handle, &fd) == 0 &&
        uv_stream_get_write_queue_size((uv_stream_t *)handle) == 0)
        delivered(fd);
}

/* A few turns of the loop: what is there is handled, and what was written has arrived. */
static inline void turn(struct world *world)
{
    for (int i = 0; i < 6; i++)
        uv_run(&world->loop, UV_RUN_NOWAIT);
    uv_walk(&world->loop, handle_delivered, NULL);
}

/* For what no acknowledgement tells of. */
static inline void turn_when_called(struct world *world)
{
    struct pollfd called = {.fd = uv_backend_fd(&world->loop), .events = POLLIN};
    poll(&called, 1, 1000);
    turn(world);
}

static inline void world_free(struct world *world)
{
    if (world->pool)
        pool_retire(world->pool);
    turn(world);
    assert_int_equal(world->server.idle, 0);
    assert_int_equal(world->thread.out.len, 0);
    net_thread_close(&world->net);
    turn(world);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    net_thread_free(&world->net);
    head_pool_free(&world->heads);
    http_out_free(&world->thread.out);
    close(world->listener);
    free(world);
}

/* Until it was told one of these. */
static inline void await(struct asker *asker, enum told told)
{
    for (int i = 0; i < 2000 && !(asker->told & told); i++) {
        turn(asker->world);
        if (!(asker->told & told))
            usleep(500);
    }
    assert_true(asker->told & told);
}

static inline int origin_accept(struct world *world)
{
    struct pollfd ready = {.fd = world->listener, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 1000), 1);
    int fd = accept(world->listener, NULL, NULL);
    assert_true(fd >= 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

static inline bool origin_is_called(struct world *world)
{
    struct pollfd ready = {.fd = world->listener, .events = POLLIN};
    turn(world);
    return poll(&ready, 1, 0) == 1;
}

static inline void origin_says(struct world *world, int fd, const char *bytes)
{
    assert_int_equal(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), (ssize_t)strlen(bytes));
    delivered(fd);
    turn(world);
}

static inline void origin_ends(struct world *world, int fd)
{
    shutdown(fd, SHUT_WR);
    delivered(fd);
    turn(world);
}

static inline void origin_resets(struct world *world, int fd)
{
    struct linger linger = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
    turn_when_called(world);
}

static inline void origin_leaves(struct world *world, int fd)
{
    close(fd);
    turn_when_called(world);
}

/* What comes, until it is as long as what is expected; "|" marks the end of the connection. */
static inline const char *origin_got(struct world *world, int fd, char *into, size_t room, size_t expected)
{
    size_t len = 0;
    turn(world);
    for (int i = 0; i < 1000 && len < expected && len + 1 < room; i++) {
        ssize_t got = recv(fd, into + len, room - len - 1, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN)) {
            into[len++] = '|';
            break;
        }
        len += got > 0 ? (size_t)got : 0;
        turn(world);
        if (got < 0)
            usleep(1000);
    }
    ssize_t more = len > 0 && into[len - 1] == '|' ? 0 : recv(fd, into + len, room - len - 1, 0);
    len += more > 0 ? (size_t)more : 0;
    into[len] = '\0';
    return into;
}

#define ORIGIN_GOT(world, fd, expected)                                                                      \
    do {                                                                                                     \
        char got_bytes[4096];                                                                                \
        assert_string_equal(origin_got(world, fd, got_bytes, sizeof(got_bytes), strlen(expected)),           \
                            expected);                                                                       \
    } while (0)

/* ---- asking ---- */

static inline struct asker *asker_new(struct world *world)
{
    struct asker *asker = calloc(1, sizeof(*asker));
    assert_non_null(asker);
    asker->world = world;
    return asker;
}

static inline void asker_opens(struct asker *asker, bool fresh, bool idempotent)
{
    struct world *world = asker->world;
    int error = 0;
    asker->upstream = upstream_open(world->pool, &world->backend, &world->member, fresh, idempotent,
                                    &asker_events, asker, &error);
    assert_non_null(asker->upstream);
}

/* Fields as "name: value\n" lines. */
static inline struct http_head *make_request(struct world *world, const char *method, const char *fields)
{
    struct http_head *head = head_pool_take(&world->heads);
    assert_non_null(head);
    assert_true(http_head_put(head, slice_of(method), &head->method_text));
    head->method = method_of(slice_of(method));
    assert_true(http_head_add(head, SLICE_LITERAL("host"), SLICE_LITERAL("a.test")));
    head->authority = head->fields[0].value;
    while (*fields) {
        const char *colon = strchr(fields, ':'), *end = strchr(fields, '\n');
        assert_true(http_head_add(head, slice_make(fields, (size_t)(colon - fields)),
                                  slice_make(colon + 2, (size_t)(end - colon - 2))));
        fields = end + 1;
    }
    head->upgrade = http_head_find(head, HEADER_UPGRADE) != NULL;
    return head;
}

static inline enum stream_written ask_with(struct asker *asker, const char *method, const char *fields,
                                           int64_t length, struct slice body, bool ends)
{
    struct http_head *head = make_request(asker->world, method, fields);
    head->content_length = length;
    enum stream_written wrote = upstream_request(asker->upstream, head, SLICE_LITERAL("/p"), body, ends);
    head_pool_give(&asker->world->heads, head);
    return wrote;
}

static inline void ask(struct asker *asker, const char *method, const char *fields, int64_t length,
                       const char *body, bool ends)
{
    ask_with(asker, method, fields, length, slice_of(body), ends);
}

/* A new connection with a request on it; gives the origin's end. */
static inline int asker_asks(struct asker *asker, const char *method)
{
    asker_opens(asker, false, true);
    assert_false(upstream_ready(asker->upstream));
    await(asker, TOLD_READY);
    ask(asker, method, "", -1, "", true);
    return origin_accept(asker->world);
}

static inline void asker_closes(struct asker *asker)
{
    if (!asker->closed)
        upstream_close(asker->upstream);
    asker->closed = true;
}

static inline void asker_free(struct asker *asker)
{
    asker_closes(asker);
    turn(asker->world);
    head_pool_give(&asker->world->heads, asker->head);
    free(asker);
}

/* What an owner is told of an answer that comes in one piece; `then` is '.', or what the origin does then. */
static inline void check_answer(const char *method, const char *answer, char then, const char *story,
                                unsigned idle)
{
    struct world *world = world_new();
    struct asker *asker = asker_new(world);
    int fd = asker_asks(asker, method);
    if (*answer)
        origin_says(world, fd, answer);
    if (then == 'e')
        origin_ends(world, fd);
    else if (then == 'r')
        origin_resets(world, fd);
    for (int i = 0; i < 200 && strcmp(asker->story, story) != 0; i++) {
        turn(world);
        usleep(500);
    }
    assert_string_equal(asker->story, story);
    asker_closes(asker);
    assert_int_equal(world->server.idle, idle);
    turn(world);
    if (then != 'r')
        close(fd);
    asker_free(asker);
    world_free(world);
}

#endif
