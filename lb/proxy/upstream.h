/*
 * The way of one request to one server: over an HTTP/1 connection of its own for as long as it lasts, or as a
 * stream of a shared HTTP/2 one. Connections are kept and used again by the pool of a thread's generation.
 * One thread.
 */
#ifndef LB_PROXY_UPSTREAM_H
#define LB_PROXY_UPSTREAM_H

#include "lb/balance/backend.h"
#include "lb/http/h2.h"
#include "lb/net/proxy_protocol.h"
#include "lb/net/stream.h"

struct upstream;
struct pool;
struct server_tls;

enum upstream_trouble {
    UPSTREAM_CONNECT,    /* no connection: `error` is a negative errno */
    UPSTREAM_TLS,        /* no TLS: nothing was sent; `text` says why */
    UPSTREAM_IMPOSTOR,   /* likewise: the server has not proven who it is */
    UPSTREAM_CLOSED,     /* the connection ended or broke before the first byte of an answer */
    UPSTREAM_UNTOUCHED,  /* the server says that it has not looked at the request: it may be sent again */
    UPSTREAM_BAD_ANSWER, /* what came is no answer: `text` says why */
    UPSTREAM_CUT,        /* the answer began and was not finished */
    UPSTREAM_NO_MEMORY,
};

struct upstream_failure {
    enum upstream_trouble trouble;
    int error;
    const char *text; /* valid during the call; may be NULL */
};

/* What the owner is told. In each call the owner may call any function below, upstream_close too. */
struct upstream_events {
    void (*ready)(void *owner); /* a new connection is there: send the request */
    /* The answer's head, 1xx first if there are some. The head is the owner's, from the thread's head_pool.
     * `ends`: nothing follows. After 101 the connection is a tunnel: `body` and `end` carry what the server
     * sends. */
    void (*head)(void *owner, struct http_head *head, bool ends);
    void (*body)(void *owner, struct slice bytes);
    void (*end)(void *owner, struct http_head *trailers); /* the owner's, or NULL */
    void (*drained)(void *owner);                         /* what upstream_body had queued is gone */
    void (*failed)(void *owner, const struct upstream_failure *failure); /* nothing follows; close it */
    /* Before `ready`, with a backend that has send_proxy: writes the PROXY header with which the connection
     * begins into out[PROXY_WRITE_MAX] and gives its length; 0: there can be none, and the connection fails.
     */
    size_t (*announce)(void *owner, char *out);
};

/* The thread's things that all upstreams need. */
struct upstream_thread {
    struct net_thread *net;
    struct head_pool *heads;
    struct h2_memory *memory; /* of HTTP/2 sessions */
    struct http_out out;      /* for putting messages together; empty between calls */
};

/* ---- pools ---- */

struct pool *pool_new(struct upstream_thread *thread); /* NULL: out of memory */
/* Whom to speak TLS to; without it, to nobody. It lives as long as the pool is used. */
void pool_secure(struct pool *pool, const struct server_tls *servers);
/* Connections close when their requests are over: none is idle. */
void pool_keep_nothing(struct pool *pool);
/* Closes what is idle; what is in use closes when its upstream does. The pool frees itself with the last. */
void pool_retire(struct pool *pool);
/* Idle connections to servers that `keeps` knows move over: to be called before pool_retire(from). `keeps`
 * gives the backend and member of the new snapshot for a server, or false. */
typedef bool pool_keeps(void *context, const struct server *server, const struct backend **backend,
                        const struct member **member);
void pool_move(struct pool *from, struct pool *to, pool_keeps *keeps, void *context);

/* Closes connections that have been idle for their backend's time. To be called now and then. */
void pool_tick(struct pool *pool, uint64_t now_ms);

/* ---- one request ---- */

/* `fresh`: not over a connection that was used before. `idempotent` false: a kept connection is only taken
 * after a look whether the server has closed it. NULL: *error is a negative errno. `member` stays counted by
 * the caller. */
struct upstream *upstream_open(struct pool *pool, const struct backend *backend, const struct member *member,
                               bool fresh, bool idempotent, const struct upstream_events *events, void *owner,
                               int *error);

bool upstream_ready(const struct upstream *upstream);      /* right after open: send; else wait for `ready` */
bool upstream_reused(const struct upstream *upstream);     /* over a connection that has served before */
const char *upstream_tls(const struct upstream *upstream); /* the version, constant; NULL: none */

/*
 * Sends the head with the first bytes of the body, in one write where that is possible. Framing fields are
 * put in here: Content-Length of head->content_length if that is not negative, else chunked, else nothing
 * when `ends` (Content-Length: 0 for methods that have a body as a rule). head->upgrade: Connection: upgrade
 * is sent (HTTP/1 to the server only; the caller has kept Upgrade). The head stays the caller's and may be
 * sent again elsewhere. STREAM_QUEUED: wait for `drained` before sending more. STREAM_BROKEN: as if `failed`
 * with UPSTREAM_CLOSED.
 */
enum stream_written upstream_request(struct upstream *upstream, const struct http_head *head,
                                     struct slice path, struct slice body, bool ends);
enum stream_written upstream_body(struct upstream *upstream, struct slice bytes);
/* The request is complete; trailers may be NULL. In a tunnel: FIN. */
enum stream_written upstream_end(struct upstream *upstream, const struct http_head *trailers);

void upstream_pause(struct upstream *upstream); /* no more `body` than what has been read already */
void upstream_resume(struct upstream *upstream);

/* The owner is done with it, in whatever state. A connection that is clean goes back to the pool; else it is
 * closed (HTTP/1) or its stream reset (HTTP/2). No event follows. */
void upstream_close(struct upstream *upstream);

#endif
