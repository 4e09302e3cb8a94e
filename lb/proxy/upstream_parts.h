/* What the files behind upstream.h share. One thread. */
#ifndef LB_PROXY_UPSTREAM_PARTS_H
#define LB_PROXY_UPSTREAM_PARTS_H

#include "lb/proxy/upstream.h"

/* What an answer's head or trailers may be. */
#define ANSWER_HEADER_BYTES (64 * 1024)
#define ANSWER_HEADER_COUNT 200

/* Up to here a piece of a body is copied behind what precedes it, to go out in one write. */
#define WRITE_TOGETHER (16 * 1024)

/*
 * One connection to a server. It belongs to its pool until it is closed; after that nothing of the pool, the
 * backend or the server is touched through it, for they may be gone before its stream is.
 */
struct link {
    struct stream *stream;
    struct pool_server *home;   /* NULL once it is closed */
    struct link *newer, *older; /* in the list of home that it is in */
    uint64_t idle_since_ms;
    unsigned served; /* requests sent over it */
    bool connected;  /* and, where it has to be, secured */
    bool kept;       /* in home->kept */
    bool idle;       /* kept for the next request, and counted so */
    bool broken;     /* a write has failed: what comes in may be the rest of what was sent before a reset */
};

/* Newest first. */
struct link_list {
    struct link *newest, *oldest;
    unsigned count;
};

void links_add(struct link_list *list, struct link *link);
void links_remove(struct link_list *list, struct link *link);

/* The connections of a pool to one server. */
struct pool_server {
    struct pool_server *next; /* in its bucket */
    struct pool *pool;
    struct server *server;
    const struct backend *backend;
    struct tls_peer *peer;   /* NULL: without TLS */
    struct link_list kept;   /* HTTP/1: the idle ones */
    struct link_list shared; /* HTTP/2: all */
};

#define POOL_BUCKETS 64

struct pool {
    struct upstream_thread *thread;
    const struct server_tls *tls; /* NULL: no server is spoken TLS to */
    struct pool_server *servers[POOL_BUCKETS];
    struct upstream *spare; /* to be used again */
    unsigned spare_count;
    unsigned holds; /* its owner until it retires, each connection and each upstream */
    bool retired;
};

/* NULL: out of memory. */
struct pool_server *pool_server_get(struct pool *pool, const struct backend *backend,
                                    const struct member *member);
void pool_hold(struct pool *pool);
void pool_drop(struct pool *pool); /* frees it with the last hold */

/* A new connection of `home`: starts connecting. False: *error is a negative errno, and is counted. */
bool link_connect(struct link *link, struct pool_server *home, const struct addr *addr,
                  const struct stream_events *events, int *error);
/* The outcome, from `connected`: counts it. */
void link_connected(struct link *link, int status);
/* Once it is: begins with TLS. True: the link needs none, and is ready. False: `secured` or `failed` follows,
 * or has followed. */
bool link_secure(struct link *link);
/* From `secured`. */
void link_secured(struct link *link);
/* From `failed` or `end`: whether TLS is the reason that nothing was done yet, *trouble and *text then say
 * how it failed. Counts it. */
bool link_unsecured(struct link *link, enum upstream_trouble *trouble, const char **text);
/* From `end`: nobody has said that it ends here. */
bool link_truncated(const struct link *link);
/* Nothing is left to be said: where TLS tells an end from a cut, it is an end. To be called before
 * link_close. */
void link_end(struct link *link);
/* Leaves its pool; one that was idle ends in order. The stream's `closed` frees it later. HTTP/2 leaves its
 * list first. */
void link_close(struct link *link);
void link_idle(struct link *link);  /* from now on; counted */
void link_taken(struct link *link); /* no longer */
void link_keep(struct link *link);  /* idle and in home->kept; link_taken takes it out */
/* Neither ended nor readable: what is written to it now goes to a server that is there. */
bool link_looks_alive(const struct link *link);
/* Counts, and remembers a failure. */
enum stream_written link_write(struct link *link, struct slice bytes);

static inline enum stream_written written_worse(enum stream_written a, enum stream_written b)
{
    return a > b ? a : b;
}

struct upstream_ops {
    enum stream_written (*request)(struct upstream *upstream, const struct http_head *head, struct slice path,
                                   struct slice body, bool ends);
    enum stream_written (*body)(struct upstream *upstream, struct slice bytes);
    enum stream_written (*end)(struct upstream *upstream, const struct http_head *trailers);
    void (*pause)(struct upstream *upstream);
    void (*resume)(struct upstream *upstream);
    void (*close)(struct upstream *upstream); /* leaves its link */
};

/* One request, as its owner sees it. */
struct upstream {
    const struct upstream_ops *ops;
    const struct upstream_events *events;
    void *owner;
    struct pool *pool;
    struct link *link; /* NULL: failed */
    bool ready, reused;

    /* HTTP/2 */
    struct upstream *next, *previous; /* on the same link; `next` also in the pool's spare ones */
    struct h2_stream *stream;         /* NULL: not begun, or over */
    size_t unconsumed;                /* bytes delivered and not granted again */
    int64_t left;                     /* of what content-length announces; negative: it does not */
    bool requested, sent;             /* the request: begun, complete */
    bool begun, answered;             /* the answer */
    bool paused, blocked;             /* blocked: `drained` is owed */
    bool lost;                        /* could not be sent: `failed` with `loss` is owed */
    enum upstream_trouble loss;
};

/* Tells the owner, who closes it. It must have left its link. */
void upstream_failed(struct upstream *upstream, enum upstream_trouble trouble, int error, const char *text);

/* upstream_h1.c; `open` gives false with *error, a negative errno. */
bool h1_link_open(struct upstream *upstream, struct pool_server *home, const struct member *member,
                  bool fresh, bool idempotent, int *error);

/* upstream_h2.c */
bool h2_link_open(struct upstream *upstream, struct pool_server *home, const struct member *member,
                  bool fresh, bool idempotent, int *error);
void h2_link_close(struct link *link); /* one without upstreams */
void h2_link_tick(struct link *link);  /* tells what is owed */

/* upstream_h2_head.c: what is sent of a request's head over HTTP/2, from the pool of heads. NULL: out of
 * memory. */
struct http_head *h2_request_head(struct head_pool *heads, const struct http_head *head);

#endif
