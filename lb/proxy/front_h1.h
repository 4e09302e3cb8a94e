/* What the two files of the HTTP/1 front share: front_h1.c reads, front_h1_write.c writes. */
#ifndef LB_PROXY_FRONT_H1_H
#define LB_PROXY_FRONT_H1_H

#include "lb/proxy/http.h"
#include "lb/proxy/steps.h"

enum reading {
    READ_HEAD,
    READ_BODY,
    READ_HOLD,    /* the request is complete; what follows waits for the answer */
    READ_RAW,     /* a tunnel */
    READ_NOTHING, /* no further request: what comes is dropped */
};

/* Of what is kept behind a request: from here on the client has to wait. */
#define KEPT_PAUSE (64 * 1024)

struct front_h1 {
    struct h1_decoder *decoder;
    struct http_head *head; /* being read, or for trailers */
    struct exchange *exchange;
    struct early *kept;
    size_t kept_used;   /* of it, by requests before */
    struct slice *rest; /* while what was kept is being read: where to say how much of it is left */
    enum reading reading;
    bool feeding;
    bool partial;    /* some of a head has come */
    bool chunked;    /* the answer that is being written */
    bool last;       /* no further request after this answer: the client was told so */
    bool open_ended; /* the answer ends with the connection */
    bool leaving;    /* only what is queued has yet to go */
};

static inline struct slice front_h1_kept(const struct front_h1 *h1)
{
    return h1->kept ? slice_make(h1->kept->bytes + h1->kept_used, h1->kept->len - h1->kept_used)
                    : (struct slice){NULL, 0};
}

static inline bool front_h1_open(const struct conn *conn)
{
    return conn->state == CONN_HTTP;
}

extern const struct front_ops front_h1_ops;

/* The exchange is over: the next request is read, or the connection ends. */
void front_h1_next(struct http_conn *http);
/* What was answered must be read by the client before the socket closes: what is queued goes first. */
void front_h1_finish(struct http_conn *http, enum reason reason);

#endif
