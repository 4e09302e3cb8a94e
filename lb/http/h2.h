/*
 * HTTP/2 (RFC 9113) by nghttp2: bytes in, events out, no socket. One session is one connection, as server or
 * as client. Flow control follows the owner: what it has not called consumed is not granted again.
 *
 * Events are called from within h2_receive and h2_send. In them any function of this header may be called,
 * h2_free too: it takes effect once the outermost call returns, and no event comes after it.
 */
#ifndef LB_HTTP_H2_H
#define LB_HTTP_H2_H

#include "lb/http/h1.h"
#include "lb/http/h2_memory.h"

struct h2_settings {
    bool server;
    uint32_t max_streams;      /* that the peer may open at the same time; a client session allows none */
    uint32_t stream_window;    /* bytes that the peer may send ahead on a stream */
    uint32_t session_window;   /* and on all together */
    struct http_limits limits; /* of each head and each trailer section */
    struct head_pool *heads;   /* where heads are taken from; outlives the session */
    struct h2_memory *memory;  /* NULL, or where small blocks are taken from; outlives the session */
    size_t *held;              /* NULL, or counts the bytes that all sessions of a thread have queued */
};

struct h2_session;
struct h2_stream;

struct h2_events {
    /* Server: a request, valid by RFC 9113 section 8: `head` is the callee's to keep and then to
     * head_pool_give; the callee may set the stream's owner. Client: the answer; 1xx come here first. `ends`:
     * no body and no trailers follow. */
    void (*head)(void *owner, struct h2_stream *stream, struct http_head *head, bool ends);
    /* Server: a request over the limits; `head` has what was kept of it, and is the callee's as above. To be
     * answered with `status`, 414 or 431. NULL: the session does so by itself. */
    void (*refused)(void *owner, struct h2_stream *stream, struct http_head *head, unsigned status);
    /* A piece of the body. h2_consumed grants the bytes again. */
    void (*data)(void *owner, struct h2_stream *stream, struct slice bytes);
    /* The peer's side is complete. `trailers` is NULL or the callee's, as head is. */
    void (*end)(void *owner, struct h2_stream *stream, struct http_head *trailers);
    /* The stream is over before both sides had ended: the peer reset it (`code` of RFC 9113 section 7), it
     * broke the rules, or the session ended. `unprocessed`: the peer says that it has not looked at it. The
     * stream is gone after the call. Not called after h2_reset. */
    void (*reset)(void *owner, struct h2_stream *stream, uint32_t code, bool unprocessed);
    /* Both sides have ended in order; the stream is gone after the call. */
    void (*closed)(void *owner, struct h2_stream *stream);
    /* What h2_write had queued has gone out to below H2_LOW bytes. */
    void (*drained)(void *owner, struct h2_stream *stream);
    /* Bytes to send, valid during the call, at most 96 KB. The owner takes all of them. */
    void (*output)(void *owner, struct slice bytes);
    /* Whether what was given to output has yet to go: then h2_send stops, and is to be called again later.
     * NULL: it never has. */
    bool (*blocked)(void *owner);
    /* The peer will open (server) or accept (client) no further streams. */
    void (*goaway)(void *owner);
};

#define H2_HIGH (64u * 1024) /* from this many queued bytes on a stream's source should wait */
#define H2_LOW  (16u * 1024)

/* NULL: out of memory. */
struct h2_session *h2_new(const struct h2_settings *settings, const struct h2_events *events, void *owner);
/* Ends every stream without an event. */
void h2_free(struct h2_session *session);

/* False: the connection is of no further use; a GOAWAY that says so is waiting to be sent, h2_error has the
 * reason for the log. Floods (resets, settings, pings, empty frames, continuations, window updates, priority)
 * end so, too. */
bool h2_receive(struct h2_session *session, struct slice bytes);
const char *h2_error(const struct h2_session *session);
unsigned h2_open_streams(const struct h2_session *session);

/* Gives everything that may be sent now to `output`. To be called after h2_receive and after any function
 * below; calling it once for several is fine. */
void h2_send(struct h2_session *session);

/* Whether the session has nothing more to do: GOAWAY sent or received and no stream open, or failed. */
bool h2_over(const struct h2_session *session);

/* ---- streams ---- */

void h2_stream_own(struct h2_stream *stream, void *owner);
void *h2_stream_owner(const struct h2_stream *stream);
int32_t h2_stream_id(const struct h2_stream *stream);

/* Client: NULL when the peer takes no more streams now or the session is ending. The head is copied at once:
 * method_text, scheme, authority, `path`, and the fields that are not gone (connection-specific ones must
 * be). */
struct h2_stream *h2_request(struct h2_session *session, const struct http_head *head, struct slice path,
                             bool ends, void *owner);
bool h2_can_request(const struct h2_session *session);

/* Server: the answer, also 1xx. Copied at once. False: out of memory, and the stream is reset. */
bool h2_respond(struct h2_stream *stream, const struct http_head *head, bool ends);

/* Queues body bytes (copied as far as flow control holds them back) and gives how many are queued now. */
size_t h2_write(struct h2_stream *stream, struct slice bytes);
/* The same with h2_end, without trailers, in one: the last bytes need no frame after them that says so. */
size_t h2_write_last(struct h2_stream *stream, struct slice bytes);
size_t h2_queued(const struct h2_stream *stream);

/* Our side is complete after what is queued; `trailers` may be NULL, and is copied. */
void h2_end(struct h2_stream *stream, const struct http_head *trailers);

void h2_consumed(struct h2_stream *stream, size_t bytes);

/* RST_STREAM; no further event of this stream, which is gone for the owner now. Bytes of it that were not
 * called consumed are. */
void h2_reset(struct h2_stream *stream, uint32_t code);

#define H2_NO_ERROR       0u
#define H2_PROTOCOL_ERROR 1u
#define H2_INTERNAL_ERROR 2u
#define H2_REFUSED_STREAM 7u
#define H2_CANCEL         8u
#define H2_ENHANCE_CALM   11u

/* Graceful: the peer is told to open no more; those that run finish. `now`: without the first, advisory
 * GOAWAY. */
void h2_goaway(struct h2_session *session, bool now);
void h2_ping(struct h2_session *session);

const char *http2_library(void); /* "nghttp2 x.y.z" */

#endif
