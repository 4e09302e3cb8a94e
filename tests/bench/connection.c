#include "connection.h"

#include "http1.h"
#include "http2.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ROUTE_STRIDE 7919 /* a prime: every request has its turn */

/* The raw protocol keeps to what a request needs; HTTP sends what a simple client would. */
static void write_text(struct request *request, enum speech speech)
{
    static const char more[] = "User-Agent: load/1\r\nAccept: */*\r\nX-Tenant: payments\r\n";
    request->text_len =
        (size_t)snprintf(request->text, sizeof request->text, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n",
                         request->path, request->authority, speech == SPEECH_RAW ? "" : more);
}

static void name_of(const struct target *target, size_t index, char *name, size_t room)
{
    if (target->names > 0) {
        snprintf(name, room, "n%zu.%s", index, target->server_name);
    } else {
        snprintf(name, room, "%s", target->server_name);
    }
}

bool target_ask_for(struct target *target, uint64_t size, size_t hosts, size_t paths)
{
    size_t count = hosts > 0 && paths > 0 ? hosts * paths : target->names > 0 ? target->names : 1;
    struct request *requests = calloc(count, sizeof *requests);
    if (requests == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct request *request = &requests[i];
        if (hosts > 0 && paths > 0) {
            snprintf(request->authority, sizeof request->authority, "h%zu.%s", i % hosts,
                     target->server_name);
            snprintf(request->path, sizeof request->path, "/p%zu/%" PRIu64, i / hosts, size);
        } else {
            name_of(target, i, request->authority, sizeof request->authority);
            snprintf(request->path, sizeof request->path, "/%" PRIu64, size);
        }
        write_text(request, target->speech);
    }
    free(target->requests);
    target->requests = requests;
    target->request_count = count;
    target->request_next = 0;
    target->size = size;
    answer_make(&target->answer, &target->pattern, size);
    return true;
}

/* In no order that an index could profit from. */
static const struct request *next_request(struct target *target, const struct connection *c)
{
    if (target->names > 0) {
        return &target->requests[c->name];
    }
    target->request_next = (target->request_next + ROUTE_STRIDE) % target->request_count;
    return &target->requests[target->request_next];
}

static void release(struct connection *c)
{
    http2_free(c);
    SSL_free(c->ssl);
    if (c->fd >= 0) {
        close(c->fd);
    }
    c->ssl = NULL;
    c->fd = -1;
}

void connection_fail(struct connection *c, enum failure failure)
{
    release(c);
    ERR_clear_error();
    c->failure = failure;
    c->step = STEP_FAILED;
}

static size_t any_name(struct target *target)
{
    target->random ^= target->random << 13; /* xorshift64 */
    target->random ^= target->random >> 7;
    target->random ^= target->random << 17;
    return target->names == 0 ? 0 : target->random % target->names;
}

static bool secure(struct connection *c)
{
    const struct target *target = c->target;
    char name[64];
    name_of(target, c->name, name, sizeof name);
    c->ssl = SSL_new(target->tls);
    return c->ssl != NULL && SSL_set_app_data(c->ssl, c) == 1 && SSL_set_fd(c->ssl, c->fd) == 1 &&
           SSL_set_tlsext_host_name(c->ssl, name) == 1 &&
           (!target->resumes || c->session == NULL || SSL_set_session(c->ssl, c->session) == 1);
}

void connection_open(struct connection *c, struct target *target)
{
    int one = 1;
    *c = (struct connection){.target = target,
                             .step = STEP_CONNECT,
                             .session = c->session,
                             .name = any_name(target)};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    if (c->fd < 0 || setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
        (connect(c->fd, (struct sockaddr *)&target->address, sizeof target->address) != 0 &&
         errno != EINPROGRESS) ||
        epoll_ctl(target->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        connection_fail(c, FAILURE_CONNECT);
        return;
    }
    if (target->tls != NULL && !secure(c)) {
        connection_fail(c, FAILURE_TLS);
    }
}

/* The steps return true when there may be more to do at once, false when the next event has to be waited for.
 */
static bool step_connect(struct connection *c)
{
    struct sockaddr_in peer;
    socklen_t len = sizeof peer;
    if (getpeername(c->fd, (struct sockaddr *)&peer, &len) == 0) {
        c->step = c->ssl == NULL ? STEP_OPEN : STEP_HANDSHAKE;
        return true;
    }
    int error = 0;
    len = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0) {
        connection_fail(c, FAILURE_CONNECT);
    }
    return false;
}

static bool speaks_as_agreed(const SSL *ssl, enum speech speech)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(ssl, &name, &len);
    bool http2 = len == 2 && memcmp(name, "h2", 2) == 0;
    return http2 == (speech == SPEECH_HTTP2);
}

/* With an RSA certificate TLS 1.2 has another suite than this: it is for the other kind here. */
static bool as_agreed(SSL *ssl, const struct target *target)
{
    uint32_t suite = target->version == TLS1_3_VERSION ? TLS1_3_CK_AES_128_GCM_SHA256
                                                       : TLS1_CK_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    return SSL_version(ssl) == target->version && SSL_CIPHER_get_id(SSL_get_current_cipher(ssl)) == suite &&
           SSL_get_negotiated_group(ssl) == NID_X25519 && (target->resumes || !SSL_session_reused(ssl));
}

static void handshake_done(struct connection *c)
{
    struct target *target = c->target;
    bool resumed = SSL_session_reused(c->ssl) == 1;
    if (!as_agreed(c->ssl, target) || !speaks_as_agreed(c->ssl, target->speech)) {
        connection_fail(c, FAILURE_TERMS);
    } else if (target->resumes && !resumed) {
        connection_fail(c, FAILURE_FULL);
    } else {
        target->resumed += resumed;
        c->step = STEP_OPEN;
        if (target->speech == SPEECH_HTTP2 && !http2_start(c)) {
            connection_fail(c, FAILURE_CONNECT);
        }
    }
}

static bool wants_more(const struct connection *c, int result)
{
    int error = SSL_get_error(c->ssl, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

static bool step_handshake(struct connection *c)
{
    int result = SSL_connect(c->ssl);
    if (result == 1) {
        handshake_done(c);
    } else if (!wants_more(c, result)) {
        connection_fail(c, FAILURE_TLS);
    }
    return false;
}

void connection_write(struct connection *c, const void *bytes, size_t len)
{
    ssize_t sent =
        c->ssl == NULL ? send(c->fd, bytes, len, MSG_NOSIGNAL) : SSL_write(c->ssl, bytes, (int)len);
    if (sent < 0 || (size_t)sent != len) {
        connection_fail(c, FAILURE_SHORT);
    }
}

size_t connection_read(struct connection *c)
{
    struct target *target = c->target;
    ssize_t got = c->ssl == NULL ? recv(c->fd, target->scratch, sizeof target->scratch, 0)
                                 : SSL_read(c->ssl, target->scratch, sizeof target->scratch);
    if (got > 0) {
        return (size_t)got;
    }
    if (c->ssl == NULL ? got == 0 || errno != EAGAIN : !wants_more(c, (int)got)) {
        connection_fail(c, FAILURE_SHORT);
    }
    return 0;
}

void connection_answered(struct connection *c)
{
    c->answers++;
    c->complete++;
    c->running--;
}

void connection_ask(struct connection *c)
{
    const struct request *request = next_request(c->target, c);
    c->running++;
    if (c->target->speech != SPEECH_HTTP2) {
        c->received = 0;
        connection_write(c, request->text, request->text_len);
    } else if (!http2_ask(c, request)) {
        connection_fail(c, FAILURE_SHORT);
    }
}

void connection_send(struct connection *c)
{
    if (c->step != STEP_FAILED && c->http2 != NULL) {
        http2_flush(c);
    }
    if (c->step != STEP_FAILED && c->running > 0) {
        c->step = STEP_RECEIVE;
    }
}

static bool matches(const struct connection *c, const unsigned char *data, size_t len)
{
    const struct target *target = c->target;
    for (size_t done = 0, run; done < len; done += run) {
        const unsigned char *expected;
        uint64_t offset = c->received + done;
        run =
            offset < target->answer.len ? answer_at(&target->answer, &target->pattern, offset, &expected) : 0;
        run = run < len - done ? run : len - done;
        if (run == 0 || memcmp(data + done, expected, run) != 0) {
            return false;
        }
    }
    return true;
}

static void raw_take(struct connection *c, const unsigned char *data, size_t len)
{
    if (!matches(c, data, len)) {
        connection_fail(c, FAILURE_WRONG);
        return;
    }
    c->received += len;
    if (c->received == c->target->answer.len) {
        connection_answered(c);
        c->step = STEP_OPEN;
    }
}

/* Answers of several streams may have come: the caller is told of all of them at once. */
static void end_of_input(struct connection *c)
{
    if (c->step != STEP_FAILED && c->http2 != NULL) {
        http2_flush(c);
    }
    if (c->step != STEP_FAILED && c->complete > 0) {
        c->step = STEP_OPEN;
    }
}

static bool step_receive(struct connection *c)
{
    static void (*const take[])(struct connection *, const unsigned char *, size_t) = {
        [SPEECH_RAW] = raw_take, [SPEECH_HTTP1] = http1_take, [SPEECH_HTTP2] = http2_take};
    size_t got = connection_read(c);
    if (got == 0) {
        end_of_input(c);
        return false;
    }
    take[c->target->speech](c, c->target->scratch, got);
    return true;
}

/* A ticket has come by now, if one does: servers send it before the answer. */
static void keep_session(struct connection *c)
{
    SSL_SESSION *session = SSL_get1_session(c->ssl);
    if (session != NULL && SSL_SESSION_has_ticket(session) && SSL_SESSION_is_resumable(session)) {
        SSL_SESSION_free(c->session);
        c->session = session;
    } else {
        SSL_SESSION_free(session);
    }
}

void connection_close(struct connection *c)
{
    keep_session(c);
    SSL_shutdown(c->ssl);
    shutdown(c->fd, SHUT_WR);
    c->step = STEP_CLOSING;
}

static bool step_closing(struct connection *c)
{
    struct target *target = c->target;
    ssize_t got = recv(c->fd, target->scratch, sizeof target->scratch, 0);
    if (got > 0) {
        return true; /* its close_notify */
    }
    if (got < 0 && errno == EAGAIN) {
        return false;
    }
    target->resets += got < 0;
    release(c);
    c->step = STEP_CLOSED;
    return false;
}

void connection_advance(struct connection *c)
{
    static bool (*const steps[])(struct connection *) = {
        [STEP_CONNECT] = step_connect, [STEP_HANDSHAKE] = step_handshake,
        [STEP_RECEIVE] = step_receive, [STEP_CLOSING] = step_closing,
        [STEP_FAILED] = NULL,
    };
    while (steps[c->step] != NULL && steps[c->step](c)) {
    }
}
