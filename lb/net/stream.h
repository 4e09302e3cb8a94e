/*
 * One side of a connection: a TCP or unix socket with what waits to be written, optionally under TLS.
 * Plaintext goes in and comes out; whether there is TLS is the stream's private matter once stream_secure was
 * called. One thread.
 *
 * A stream frees itself after stream_close, in a later turn of the loop: during any callback the pointer
 * stays good.
 */
#ifndef LB_NET_STREAM_H
#define LB_NET_STREAM_H

#include <uv.h>

#include "lb/base/addr.h"
#include "lb/net/thread.h"

enum stream_error {
    STREAM_RESET, /* the peer reset, or the socket failed */
    STREAM_TLS,   /* see tls_session_failure(stream->tls) */
};

/* What the owner is told. No callback comes after stream_close but `closed`. */
struct stream_events {
    void (*connected)(struct stream *stream, int status);    /* of stream_connect: 0 or a negative errno */
    void (*secured)(struct stream *stream);                  /* the TLS handshake is complete */
    void (*data)(struct stream *stream, struct slice bytes); /* plaintext, valid during the call only */
    void (*end)(struct stream *stream);                      /* the peer sends nothing more */
    void (*drained)(struct stream *stream);                  /* all that had queued up is written */
    void (*failed)(struct stream *stream, enum stream_error error);
    void (*closed)(struct stream *stream); /* last call */
};

enum stream_mode { STREAM_PLAIN, STREAM_HANDSHAKE, STREAM_SECURE };

struct stream {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct net_thread *thread;
    const struct stream_events *events;
    void *owner;
    struct tls_session *tls; /* owned */
    struct stream *next_resting;
    size_t queued;   /* bytes handed to libuv and not yet written */
    uint32_t greedy; /* bytes read in this turn of the loop by reads that filled the whole buffer */
    enum stream_mode mode;
    bool connecting, reading, resting, paused, ended_in, end_wanted, ended_out, closing;
};

enum stream_written { STREAM_WROTE, STREAM_QUEUED, STREAM_BROKEN };

/* Takes an accepted, non-blocking socket; NULL when out of memory (the socket is then closed). Reading starts
 * at once. */
struct stream *stream_accept(struct net_thread *thread, int fd, int family,
                             const struct stream_events *events, void *owner);

/* Connects; `connected` is called later, never from within. NULL on failure, *error is a negative errno. */
struct stream *stream_connect(struct net_thread *thread, const struct addr *addr,
                              const struct stream_events *events, void *owner, int *error);

/* From here on the bytes are TLS. Takes the session; `first` is what was read already. */
void stream_secure(struct stream *stream, struct tls_session *session, struct slice first);

/* Writes all of `bytes`, keeping a copy of what the kernel does not take. After STREAM_QUEUED the owner
 * should pause the source until `drained`. STREAM_BROKEN: nothing can be written any more; the owner decides
 * (no `failed` follows from it). */
enum stream_written stream_write(struct stream *stream, struct slice bytes);

void stream_end(struct stream *stream);             /* FIN (after close_notify) once everything is written */
void stream_alert(struct stream *stream, int code); /* a fatal TLS alert; nothing on a plain stream */

/* No more plaintext either way: what queued up is written, then FIN without close_notify, and what still
 * comes is given to `data` as it is, for discarding. So that a refusal arrives before the socket closes. */
void stream_finish(struct stream *stream);
void stream_pause(struct stream *stream);
void stream_resume(struct stream *stream);
void stream_close(struct stream *stream);
void stream_abort(struct stream *stream); /* close with RST, so that the peer sees the cut */

/* Bytes written to the stream that the peer has not yet acknowledged. Costs a system call. */
size_t stream_unsent(const struct stream *stream);

static inline bool stream_blocked(const struct stream *stream)
{
    return stream->queued > 0;
}

#endif
