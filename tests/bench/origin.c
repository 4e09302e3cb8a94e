/*
 * The origin behind the proxies: plain TCP, one thread. `origin PORT...` listens on each port of 127.0.0.1,
 * prints "ready" and serves until its standard input ends. "GET /count" answers what it has done so far as
 * JSON, itself not counted.
 */
#include "answer.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX 4096
#define EVENTS_MAX  256

enum kind { KIND_INPUT, KIND_LISTENER, KIND_PEER };

struct peer {
    enum kind kind;
    int fd;
    bool counted;
    bool answering;
    char request[REQUEST_MAX + 1];
    size_t request_len;
    struct answer answer;
    uint64_t sent;
};

struct origin {
    int epoll;
    struct pattern pattern;
    uint64_t connections, open, requests, bytes;
};

static void fail(const char *what)
{
    fprintf(stderr, "origin: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct peer *watch(struct origin *origin, enum kind kind, int fd, uint32_t events)
{
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL) {
        fail("memory");
    }
    peer->kind = kind;
    peer->fd = fd;
    struct epoll_event event = {.events = events, .data.ptr = peer};
    if (epoll_ctl(origin->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        fail("epoll_ctl");
    }
    return peer;
}

static void listen_on(struct origin *origin, const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(port)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 4096) != 0) {
        fail(port);
    }
    watch(origin, KIND_LISTENER, fd, EPOLLIN);
}

static void accept_all(struct origin *origin, int listener)
{
    int one = 1;
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(origin, KIND_PEER, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    }
}

static void drop(struct origin *origin, struct peer *peer)
{
    origin->open -= peer->counted;
    close(peer->fd);
    free(peer);
}

static bool answer_count(struct origin *origin, struct peer *peer)
{
    char body[256], text[384];
    int len = snprintf(body, sizeof body,
                       "{\"connections\": %" PRIu64 ", \"open\": %" PRIu64 ", \"requests\": %" PRIu64
                       ", \"bytes\": %" PRIu64 "}\n",
                       origin->connections, origin->open, origin->requests, origin->bytes);
    int all = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len, body);
    peer->request_len = 0;
    return send(peer->fd, text, (size_t)all, MSG_NOSIGNAL) == all;
}

/* The last segment of the path: routes put prefixes in front of it. */
static bool size_asked_for(const char *request, uint64_t *size)
{
    const char *end = strstr(request, " HTTP/1.1\r\n");
    const char *slash = end == NULL ? NULL : memrchr(request, '/', (size_t)(end - request));
    int used = 0;
    return strncmp(request, "GET /", 5) == 0 && slash != NULL &&
           sscanf(slash, "/%" SCNu64 "%n", size, &used) == 1 && slash + used == end;
}

/* A request is there as a whole: what it asks for. */
static bool begin_answer(struct origin *origin, struct peer *peer)
{
    uint64_t size;
    if (strncmp(peer->request, "GET /count ", 11) == 0) {
        return answer_count(origin, peer);
    }
    if (!size_asked_for(peer->request, &size)) {
        return false;
    }
    if (!peer->counted) {
        peer->counted = true;
        origin->connections++;
        origin->open++;
    }
    peer->request_len = 0;
    peer->answering = true;
    peer->sent = 0;
    answer_make(&peer->answer, &origin->pattern, size);
    return true;
}

/* Both directions return false when the connection is over, and leave errno at EAGAIN when the socket wants
 * to be waited for. */
static bool receive(struct origin *origin, struct peer *peer)
{
    size_t room = REQUEST_MAX - peer->request_len;
    ssize_t got = recv(peer->fd, peer->request + peer->request_len, room, 0);
    if (got <= 0) {
        return got < 0 && errno == EAGAIN;
    }
    errno = 0;
    peer->request_len += (size_t)got;
    peer->request[peer->request_len] = '\0';
    char *end = strstr(peer->request, "\r\n\r\n");
    if (end == NULL) {
        return peer->request_len < REQUEST_MAX;
    }
    return end[4] == '\0' && begin_answer(origin, peer);
}

static bool answer(struct origin *origin, struct peer *peer)
{
    const unsigned char *bytes;
    size_t len = answer_at(&peer->answer, &origin->pattern, peer->sent, &bytes);
    /* Header and body go out in common segments, as from a server that knows its answer. */
    bool last = peer->sent + len == peer->answer.len;
    ssize_t sent = send(peer->fd, bytes, len, MSG_NOSIGNAL | (last ? 0 : MSG_MORE));
    if (sent < 0) {
        return errno == EAGAIN;
    }
    errno = 0;
    peer->sent += (uint64_t)sent;
    if (peer->sent == peer->answer.len) {
        peer->answering = false;
        origin->requests++;
        origin->bytes += peer->answer.len - peer->answer.header_len;
    }
    return true;
}

static void serve(struct origin *origin, struct peer *peer)
{
    bool alive;
    do {
        errno = 0;
        alive = peer->answering ? answer(origin, peer) : receive(origin, peer);
    } while (alive && errno != EAGAIN);
    if (!alive) {
        drop(origin, peer);
    }
}

static bool input_ended(void)
{
    char byte;
    return read(STDIN_FILENO, &byte, 1) <= 0;
}

static void loop(struct origin *origin)
{
    struct epoll_event events[EVENTS_MAX];
    for (;;) {
        int count = epoll_wait(origin->epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            struct peer *peer = events[i].data.ptr;
            if (peer->kind == KIND_PEER) {
                serve(origin, peer);
            } else if (peer->kind == KIND_LISTENER) {
                accept_all(origin, peer->fd);
            } else if (input_ended()) {
                return;
            }
        }
    }
}

int main(int argc, char **argv)
{
    struct origin *origin = calloc(1, sizeof *origin);
    if (origin == NULL || argc < 2) {
        fprintf(stderr, "usage: origin PORT...\n");
        return 2;
    }
    pattern_fill(&origin->pattern);
    origin->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 1; i < argc; i++) {
        listen_on(origin, argv[i]);
    }
    watch(origin, KIND_INPUT, STDIN_FILENO, EPOLLIN);
    puts("ready");
    fflush(stdout);
    loop(origin);
    return 0;
}
