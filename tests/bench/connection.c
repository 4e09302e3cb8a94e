#include "connection.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

void target_ask_for(struct target *target, uint64_t size)
{
    answer_make(&target->answer, &target->pattern, size);
    target->request_len =
        (size_t)snprintf(target->request, sizeof target->request,
                         "GET /%" PRIu64 " HTTP/1.1\r\nHost: %s\r\n\r\n", size, target->server_name);
}

static void release(struct connection *c)
{
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

void connection_open(struct connection *c, struct target *target)
{
    int one = 1;
    *c = (struct connection){.target = target, .step = STEP_CONNECT};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    if (c->fd < 0 || setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
        (connect(c->fd, (struct sockaddr *)&target->address, sizeof target->address) != 0 &&
         errno != EINPROGRESS) ||
        epoll_ctl(target->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        connection_fail(c, FAILURE_CONNECT);
        return;
    }
    c->ssl = SSL_new(target->tls);
    if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1 ||
        SSL_set_tlsext_host_name(c->ssl, target->server_name) != 1) {
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
        c->step = STEP_HANDSHAKE;
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

static bool as_agreed(SSL *ssl)
{
    return SSL_version(ssl) == TLS1_3_VERSION &&
           SSL_CIPHER_get_id(SSL_get_current_cipher(ssl)) == TLS1_3_CK_AES_128_GCM_SHA256 &&
           SSL_get_negotiated_group(ssl) == NID_X25519 && !SSL_session_reused(ssl);
}

static bool wants_more(const struct connection *c, int result)
{
    int error = SSL_get_error(c->ssl, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

static bool step_handshake(struct connection *c)
{
    int result = SSL_connect(c->ssl);
    if (result == 1 && as_agreed(c->ssl)) {
        c->step = STEP_OPEN;
    } else if (result == 1) {
        connection_fail(c, FAILURE_TERMS);
    } else if (!wants_more(c, result)) {
        connection_fail(c, FAILURE_TLS);
    }
    return false;
}

void connection_ask(struct connection *c)
{
    const struct target *target = c->target;
    c->received = 0;
    c->step = STEP_RECEIVE;
    /* A request is far smaller than an empty send buffer: anything but all of it is a failure. */
    if (SSL_write(c->ssl, target->request, (int)target->request_len) != (int)target->request_len) {
        connection_fail(c, FAILURE_SHORT);
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

static bool step_receive(struct connection *c)
{
    struct target *target = c->target;
    int got = SSL_read(c->ssl, target->scratch, sizeof target->scratch);
    if (got <= 0) {
        if (!wants_more(c, got)) {
            connection_fail(c, FAILURE_SHORT);
        }
        return false;
    }
    if (!matches(c, target->scratch, (size_t)got)) {
        connection_fail(c, FAILURE_WRONG);
        return false;
    }
    c->received += (uint64_t)got;
    if (c->received == target->answer.len) {
        c->answers++;
        c->step = STEP_OPEN;
    }
    return true;
}

void connection_close(struct connection *c)
{
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
