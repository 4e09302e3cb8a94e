/*
 * One client's connection and the states it goes through:
 *
 *   PROXY -> HELLO -> HANDSHAKE -> AUTHORIZE -> CONNECT -> RELAY -> DRAIN          (tcp)
 *                                            -> HTTP: exchanges, see http.h        (http)
 *   any   -> REFUSE (the client is told why, where the protocol can) -> CLOSING
 *
 * conn_enter is the one setter of the state and arms the state's deadline; conn_close is the one way to the
 * end, with the reason that the log and the counters show. A connection never leaves its thread.
 */
#ifndef LB_PROXY_CONN_H
#define LB_PROXY_CONN_H

#include "lb/net/stream.h"
#include "lb/proxy/counters.h"
#include "lb/proxy/deadline.h"
#include "lb/proxy/generation.h"

enum conn_state {
    CONN_NEW,
    CONN_PROXY, /* collecting the PROXY header of a trusted proxy */
    CONN_HELLO, /* collecting the ClientHello */
    CONN_HANDSHAKE,
    CONN_AUTHORIZE, /* the script decides; it may be waiting */
    CONN_CONNECT,
    CONN_RELAY,
    CONN_DRAIN,  /* one direction has ended */
    CONN_HTTP,   /* requests and answers */
    CONN_REFUSE, /* told why; waiting for the client to go */
    CONN_CLOSING,
    CONN_STATE_COUNT
};

struct conn;
struct exchange;
struct http_thread;
struct ocsp_cache;
struct ocsp_desk;
struct ocsp_question;
struct reauthorizer;

/* What the connections of one thread share. */
struct proxy_thread {
    struct net_thread net;
    struct wheel wheel;
    struct log *log;
    atomic_uint *active;        /* connections of the process */
    struct generation *current; /* what new connections use */
    struct conn *first;         /* all of this thread */
    unsigned count;
    struct http_thread *http;
    struct reauthorizer *reauthorizer;
    void (*ended)(struct proxy_thread *thread,
                  const struct conn *conn); /* once for each, when its outcome is settled */
    void (*exchanged)(struct proxy_thread *thread,
                      const struct exchange *exchange); /* once for each request */
    void (*greeted)(struct proxy_thread *thread); /* a handshake that counted for max-handshakes is over */
    void (*gone)(struct proxy_thread *thread);    /* its memory and descriptors are free again */
    void *context;
    struct ocsp_cache *answers; /* of the process */
    struct ocsp_desk *ocsp;     /* lb/proxy/ocsp.c: NULL until somebody asks */
};

/* Bytes of the client that came before there was anyone to give them to. */
struct early {
    size_t len;
    char bytes[];
};

/* A client that a trusted proxy speaks for. */
struct via {
    struct addr peer;  /* the proxy */
    struct addr local; /* what the client connected to; not if it is unknown */
    bool unknown;      /* the proxy cannot tell who the client is: conn->peer is the proxy's address */
};

/* What the decision left behind for the log. */
struct decision {
    char *text; /* why denied, or what failed; NULL if there is nothing to say */
    char *log;  /* JSON members that the script attached; NULL */
};

struct connect_attempt; /* lb/proxy/connect.c */
struct http_conn;       /* lb/proxy/http.h */

struct conn {
    struct deadline timer;
    struct conn *next, *prev; /* in its thread */
    struct proxy_thread *thread;
    struct service *service;
    struct stream *client, *server; /* NULL: none, or closed already */
    enum conn_state state;
    enum reason reason;  /* NONE until it is settled */
    uint64_t since_ms;   /* entered the state, or last byte, whichever the deadline counts from */
    uint64_t started_us; /* clock_us */
    uint32_t handshake_us, script_us, connect_us;
    unsigned handles;             /* streams that have yet to close */
    uint64_t bytes_in, bytes_out; /* plaintext from and to the client */
    uint64_t discarded;           /* bytes of a client that was refused */
    uint64_t requests;            /* http: begun on it */
    size_t unsent;                /* what the peers had still to take when the deadline was looked at last */
    struct addr peer;             /* the client's address */
    struct via *via;              /* NULL: the client has connected itself */
    char *unique_id;              /* that a server was told; NULL: none */
    char *server_name;            /* SNI, normalized; NULL: none */
    struct early *early;
    struct decision decision;
    bool authorized, client_ended, server_ended;
    bool handshaking;  /* counted as such for the listener */
    bool quiet;        /* refused like others that the log has told of: no line */
    bool cut;          /* the client must see that what it got is not the whole */
    uint8_t overtaken; /* how many reloads passed before it was decided */
    char *headers;     /* what on_authorize attaches to every request, packed; NULL */
    size_t headers_len;
    char *chosen_server;      /* by on_authorize; NULL: any */
    unsigned deny_status;     /* what the script would answer with */
    enum reason refused;      /* http: why on_authorize has denied */
    unsigned refused_status;  /* and what each request is answered with; 0: allowed */
    enum reason reason_later; /* http: once what is queued has gone */
    uint64_t asked_us;        /* clock_us: since when it is being decided */
    const struct backend *backend;
    const struct member *member; /* counted active while set */
    struct connect_attempt *attempt;
    struct http_conn *http;   /* in state HTTP */
    struct script_call *call; /* a hook that waits */
    uint64_t wait_ms;         /* until it wants to be resumed */
    struct authorize_facts *facts;
    struct ocsp_question *question; /* whose answer it waits for */
    struct conn *next_asking, **asking;
    struct recheck *recheck;   /* lb/proxy/reauthorize.h; NULL: nothing is to be judged again */
    struct lifetime *lifetime; /* lb/proxy/lifetime.h; NULL: no limit */
};

/* One row for each state. */
struct step {
    uint64_t (*limit_ms)(const struct conn *conn); /* NULL or 0: no deadline */
    void (*expired)(struct conn *conn);
    bool keeps_clock; /* the deadline goes on counting from the state before */
    void (*client_data)(struct conn *conn, struct slice bytes);
    void (*client_end)(struct conn *conn);
};

/* Takes the accepted socket, which the caller has counted already (thread->active, the listener's active, and
 * with TLS its handshaking); all are counted down when the connection is gone, or its handshake is over. It
 * lives until its streams are closed. */
void conn_accept(struct proxy_thread *thread, struct service *service, int fd, const struct addr *peer);

/* What the client itself has to say begins here: TLS or not. */
void conn_begin(struct conn *conn);

/* As if `bytes` had just come from the client. */
void conn_take(struct conn *conn, struct slice bytes);

/* The address that the client connected to; a system call where no PROXY header has told it. False: not
 * known, or a unix socket's. */
bool conn_local(const struct conn *conn, struct addr *out);

/* Whether the client is one of trusted-proxies, whose X-Forwarded-For and the like are believed. A client
 * that a proxy speaks for must be among them itself. */
bool conn_trusted(const struct conn *conn, const struct listener *listener);

/* Gives back what the caller of conn_accept has counted. */
void conn_count_down(struct proxy_thread *thread, const struct service *service);

void conn_enter(struct conn *conn, enum conn_state state);

/* Bytes have moved: the idle deadline starts anew. Costs a store. */
void conn_touch(struct conn *conn);

/* The end. The first reason counts. Streams are closed, or reset where the other side must see that it was
 * cut. */
void conn_close(struct conn *conn, enum reason reason);

/* Refuses: `alert` (RFC 8446 section 6.2, 0 for none) and FIN to the client, then waits shortly for it to go,
 * so that no reset destroys the alert on its way. `text` may be NULL. */
void conn_refuse(struct conn *conn, enum reason reason, int alert, const char *text);

/* Everything of the thread, at shutdown. */
void conn_close_all(struct proxy_thread *thread);

/* Fires the deadlines that are due. */
void conn_tick(struct proxy_thread *thread, uint64_t now_ms);

/* Notes for the log what happened, unless something was noted before; `text` may be NULL. */
void conn_note(struct conn *conn, const char *text);

/* The verified chain that the client has shown, as tls_session_chain gives it; *count == 0: none. */
const struct certificate *conn_chain(const struct conn *conn, size_t *count);

uint64_t conn_now_ms(const struct conn *conn);
uint32_t conn_elapsed_us(const struct conn *conn); /* since it was accepted */

#endif
