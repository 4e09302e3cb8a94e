/*
 * What the files of HTTP/2 share. Private to them.
 *
 * nghttp2 must not be entered again from its own callbacks. `inside` says that it is on the stack: then
 * functions only submit (which is allowed), bodies are copied to the stream's queue, and nothing is packed.
 * Packing (h2_pack) happens outside of it only, into `out`; what it finds out about streams is kept and told
 * by h2_tell, which no function of nghttp2 is below of. `depth` counts the calls of the owner on the stack:
 * at 0 a session that was freed meanwhile goes.
 */
#ifndef LB_HTTP_H2_PARTS_H
#define LB_HTTP_H2_PARTS_H

#include <nghttp2/nghttp2.h>

#include "lb/http/h2.h"

/* ---- h2_limits.c ---- */

/* Levels rise with what a peer does and sink with what gets done. */
struct h2_floods {
    uint32_t frames;   /* that moved nothing */
    uint32_t troubles; /* streams that did not end in order */
    uint32_t trouble_max;
    uint32_t skip;     /* payload bytes of the running frame, or of the preface, still to come */
    uint8_t header[9]; /* of the next frame */
    uint8_t have;
};

void h2_floods_init(struct h2_floods *floods, const struct h2_settings *settings);
/* Looks at the frames in the bytes before anyone else does. NULL: bearable; else what to tell the log. */
const char *h2_floods_see(struct h2_floods *floods, struct slice bytes);
const char *h2_floods_trouble(struct h2_floods *floods);
void h2_floods_completed(struct h2_floods *floods);
void h2_floods_moved(struct h2_floods *floods, size_t bytes);
/* How many frames may wait to be packed while so many streams are open. */
size_t h2_floods_waiting_max(unsigned streams);

/* ---- sessions and streams ---- */

enum h2_fate { H2_RUNS, H2_RESET, H2_CLOSED };

struct h2_stream {
    struct h2_session *session;
    struct h2_stream *next, *previous;
    void *owner;
    int32_t id;
    struct http_head *head;     /* that is being received */
    struct http_head *trailers; /* to be sent when the queue is empty */
    uint64_t head_bytes;        /* of the section that is being received */
    uint64_t head_fields;
    unsigned refusal;  /* 414 or 431: the request is answered here */
    uint32_t code;     /* H2_RESET */
    size_t unconsumed; /* received and not granted again */
    char *queue;       /* bytes of ours from queue_at to queue_len */
    size_t queue_at, queue_len, queue_cap;
    struct slice offered;           /* by the running h2_write, after the queue */
    uint8_t fate;                   /* enum h2_fate: how it ended, to be told */
    bool announced;                 /* the owner knows it */
    bool headed;                    /* the final head has come in */
    bool answered;                  /* any head has come in */
    bool in_trailers;               /* what is being received */
    bool remote_ended, local_ended; /* END_STREAM has come in, gone out */
    bool ending;                    /* h2_end was called */
    bool responded;                 /* a final head was submitted */
    bool cut;                       /* RST_STREAM(NO_ERROR) after a complete answer */
    bool filled, drained;           /* the queue was over H2_LOW; is below it again */
    bool unprocessed;
};

struct h2_session {
    nghttp2_session *ng;
    struct h2_settings settings;
    struct h2_events events;
    void *owner;
    struct h2_stream *first; /* all */
    struct h2_stream *found; /* the last one, which is asked for again; NULL: none */
    unsigned open;           /* of them, those that run */
    struct h2_floods floods;
    struct http_out out;       /* packed and not yet given to `output` */
    struct h2_stream *telling; /* whose last event is running */
    const char *error;
    uint32_t doom_code; /* of `doom` */
    const char *doom;   /* why the session is to fail once nghttp2 is left */
    unsigned depth;
    bool inside;
    bool sending;
    bool freed;
    bool failed;
    bool terminated; /* nghttp2 has said goodbye itself */
    bool news;       /* a stream has a fate or is drained */
    bool goaway_submitted, notice_submitted;
    bool goaway_sent, goaway_received;
};

/* ---- h2_session.c ---- */

/* The session fails as soon as it may; the first reason stays. */
void h2_doom(struct h2_session *session, uint32_t code, const char *why);
/* Has nghttp2 write into `out`; nothing if it is on the stack. */
void h2_pack(struct h2_session *session);
/* Whether calls into nghttp2 have a sense. */
static inline bool h2_alive(const struct h2_session *session)
{
    return !session->failed && !session->freed;
}

/* ---- h2_callbacks.c ---- */

/* Makes session->ng and submits what opens a connection. Not 0: out of memory. */
int h2_session_make(struct h2_session *session);

/* ---- h2_stream.c ---- */

struct h2_stream *h2_stream_find(struct h2_session *session, int32_t id);
struct h2_stream *h2_stream_new(struct h2_session *session, int32_t id); /* NULL: out of memory */
/* Out of the session's list, its bytes granted again. No event. */
void h2_stream_drop(struct h2_stream *stream);
/* nghttp2 has closed it: its fate, to be told, if the owner knows it; else it is dropped. */
void h2_stream_over(struct h2_stream *stream, uint32_t code);
/* RST_STREAM; what nghttp2 then closes is told to the owner. */
void h2_stream_abort(struct h2_stream *stream, uint32_t code);
/* END_STREAM has gone out. */
void h2_stream_sent_end(struct h2_stream *stream);
/* Answers a request that the owner never sees. */
void h2_stream_refuse(struct h2_stream *stream);

/* Callbacks of nghttp2 for bodies on their way out. */
ssize_t h2_body_read(nghttp2_session *ng, int32_t id, uint8_t *unused, size_t room, uint32_t *flags,
                     nghttp2_data_source *source, void *user_data);
int h2_body_send(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *header, size_t len,
                 nghttp2_data_source *source, void *user_data);

/* ---- h2_heads.c ---- */

/* One field of a head or trailer section that is being received. False: it breaks the rules; the stream goes.
 * Over the limits nothing more is kept, and stream->refusal is set. */
bool h2_head_field(struct h2_stream *stream, struct slice name, struct slice value);
/* The section is complete. False: it breaks the rules. */
bool h2_head_finish(struct h2_stream *stream, bool ends);

/* Name-value pairs for nghttp2, which point into the head. */
struct h2_pairs {
    nghttp2_nv *all;
    size_t count;
    nghttp2_nv few[48];
};

bool h2_pairs_request(struct h2_pairs *pairs, const struct http_head *head, struct slice path);
/* `status`: room for its digits, as long as the pairs are used. */
bool h2_pairs_response(struct h2_pairs *pairs, const struct http_head *head, char status[3]);
bool h2_pairs_trailers(struct h2_pairs *pairs, const struct http_head *head);
void h2_pairs_free(struct h2_pairs *pairs);

#endif
