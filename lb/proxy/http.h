/*
 * HTTP on a connection: an http_conn stands between a connection and its exchanges. Which version of HTTP is
 * spoken is the front's matter (front_h1.c, front_h2.c); the exchanges know only the front's operations.
 *
 * A finished exchange keeps its memory until the loop's turn ends, so that whoever is still on the stack may
 * look at its state.
 */
#ifndef LB_PROXY_HTTP_H
#define LB_PROXY_HTTP_H

#include "lb/proxy/conn.h"
#include "lb/proxy/exchange.h"

struct front_h1;
struct h2_session;

/* What an exchange asks of the client's side. Any of them may close the connection: look at exchange->state.
 */
struct front_ops {
    /* 1xx any number of times, then one other; `ends`: nothing follows. */
    void (*head)(struct exchange *exchange, struct http_head *head, bool ends);
    /* False: the client has to take more first; exchange_drained says when. */
    bool (*body)(struct exchange *exchange, struct slice bytes);
    void (*end)(struct exchange *exchange, const struct http_head *trailers); /* trailers may be NULL */
    void (*abort)(struct exchange *exchange); /* the answer cannot be finished: nothing may look complete */
    void (*pause)(struct exchange *exchange); /* no more of the request's body for now */
    void (*resume)(struct exchange *exchange);
    void (*tunnel)(
        struct exchange *exchange); /* after 101: bytes both ways; end() is the end of one direction */
    void (*done)(struct exchange *exchange);          /* it is over; the front must forget it */
    bool (*blocked)(const struct exchange *exchange); /* bytes for the client wait to be taken */
    size_t (*unsent)(
        const struct exchange *exchange); /* and how many, the kernel's included; a system call */
};

/* What a connection of an http listener is, beside being a connection. */
struct http_conn {
    struct deadline deadline; /* first byte, head, kept idle */
    struct deadline decide;   /* a script that decides about the connection again */
    struct deadline leave;    /* when to say that no further request is welcome */
    struct conn *conn;
    const struct front_ops *ops;
    struct front_h1 *h1;
    struct h2_session *h2;
    struct exchange *running; /* all that have begun and not finished */
    struct exchange *waiting; /* of those, the last in `next_waiting` order: see decide.c */
    struct http_conn *next_dirty;
    uint64_t since_ms; /* what the deadline counts from */
    uint64_t served;   /* requests begun */
    unsigned sending;  /* HTTP/2: streams without an exchange whose answer is still on its way */
    struct authorize_facts
        *facts;              /* for on_request and on_response, which may wait; made when first needed */
    char *log_session;       /* TLS and certificate in the lines of the log; NULL: none yet */
    bool log_json;           /* log_session is JSON */
    unsigned port;           /* that the client connected to; 0: not asked yet */
    unsigned refused_status; /* on_authorize has denied: each request is answered so */
    bool ending;             /* no further request after those that run */
    bool deciding;           /* a reload has passed: on_authorize runs again */
    bool dirty;              /* in the thread's list of those with something to send */
};

/* Of each thread, for http listeners. */
struct http_thread {
    struct head_pool heads;
    struct h2_memory memory;
    struct upstream_thread upstream;
    struct http_out out; /* what the front that owns it has written and not yet sent */
    struct http_conn *out_owner;
    struct http_conn *dirty;
    struct exchange *finished; /* until the turn ends */
    struct exchange *spare;
    unsigned spare_count;
    struct exchange_facts *facts; /* spare ones */
    unsigned facts_count;
    uv_prepare_t prepare;
    uv_check_t check;
    struct request_ids ids;
    bool draining; /* the process is ending */
};

bool http_thread_init(struct proxy_thread *thread);  /* false: out of memory */
void http_thread_close(struct proxy_thread *thread); /* its handles; run the loop once more, then call free */
void http_thread_free(struct proxy_thread *thread);

/* Sends what the fronts have written in this turn. */
void http_flush(struct proxy_thread *thread);

/* The process ends: idle connections close, the others after what runs. */
void http_drain(struct proxy_thread *thread);
/* A reload has passed: connections whose listener or TLS policy is no more are told to go, spread over time.
 */
void http_reloaded(struct proxy_thread *thread);

/* ---- http_conn.c; for the table in conn.c ---- */

void http_start(struct conn *conn); /* authorized, or denied with a status to answer with */
void http_data(struct conn *conn, struct slice bytes);
void http_end(struct conn *conn);
void http_drained(struct conn *conn);
void http_free(struct conn *conn); /* with the connection: exchanges are cut */

/* ---- for the fronts ---- */

/* Makes an exchange for a request whose head has come; takes the head. NULL: out of memory, the head is given
 * back. */
struct exchange *http_exchange(struct http_conn *http, struct http_head *head, void *stream);
/* Lets it begin: at once, or when the connection has been decided again. */
void http_begin(struct http_conn *http, struct exchange *exchange);
/* The next request may be its last: what the answer should say. */
bool http_keeps(const struct http_conn *http);
void http_touch(struct http_conn *http); /* the deadline counts from now */
void http_mark_dirty(struct http_conn *http);
/* No further request; running ones finish. */
void http_leave(struct http_conn *http);

/* ---- decide.c: a reload has passed since the connection was authorized ---- */

bool http_must_decide(const struct http_conn *http);
void http_decide(struct http_conn *http);
void http_decided(struct conn *conn); /* authorize.c: allowed again */
void http_denied(struct conn *conn, unsigned status, enum reason reason, const char *text);
void http_decide_wait(struct conn *conn, uint64_t wait_ms);

/* The host (empty: none was named, as where there is no SNI) has other rules in the same listener; or another
 * listener with other rules names it, and none with these. */
bool service_misdirected(const struct service *service, struct slice host);

/* ---- the fronts ---- */

bool front_h1_start(struct http_conn *http);
void front_h1_data(struct http_conn *http, struct slice bytes);
void front_h1_end(struct http_conn *http);
void front_h1_drained(struct http_conn *http);
void front_h1_flush(struct http_conn *http);
void front_h1_leave(struct http_conn *http);
/* NULL: no deadline now; else its length, and what its passing means. */
uint64_t front_h1_limit(const struct http_conn *http);
void front_h1_expired(struct http_conn *http);
void front_h1_free(struct http_conn *http);

bool front_h2_start(struct http_conn *http);
void front_h2_data(struct http_conn *http, struct slice bytes);
void front_h2_end(struct http_conn *http);
void front_h2_drained(struct http_conn *http);
void front_h2_flush(struct http_conn *http);
void front_h2_leave(struct http_conn *http);
uint64_t front_h2_limit(const struct http_conn *http);
void front_h2_expired(struct http_conn *http);
void front_h2_free(struct http_conn *http);

#endif
