#include <stdlib.h>

#include "lb/http/h2_parts.h"

/* As with body bytes: more is packed only when the owner sends. */
#define AHEAD (64u * 1024)

/* An idle session keeps no buffer, a running one what a piece needs. */
#define KEEP (128u * 1024)

/* Owners that write in `drained` are served in turns. */
#define TURNS 64

#define GOAWAY_LEN 17

/* ---- failing ---- */

void h2_doom(struct h2_session *session, uint32_t code, const char *why)
{
    if (session->doom)
        return;
    session->doom = why;
    session->doom_code = code;
}

/* Written here and not by nghttp2, which may be in no state to: it is not called any more. */
static void write_goaway(struct h2_session *session)
{
    uint32_t last = (uint32_t)nghttp2_session_get_last_proc_stream_id(session->ng);
    uint32_t code = session->doom_code;
    const uint8_t frame[GOAWAY_LEN] = {[2] = 8,
                                       [3] = NGHTTP2_GOAWAY,
                                       [9] = (uint8_t)(last >> 24),
                                       [10] = (uint8_t)(last >> 16),
                                       [11] = (uint8_t)(last >> 8),
                                       [12] = (uint8_t)last,
                                       [13] = (uint8_t)(code >> 24),
                                       [14] = (uint8_t)(code >> 16),
                                       [15] = (uint8_t)(code >> 8),
                                       [16] = (uint8_t)code};
    http_out_add(&session->out, slice_make(frame, sizeof(frame)));
}

static void fail(struct h2_session *session)
{
    if (!session->terminated)
        write_goaway(session);
    session->failed = true;
    session->error = session->doom;
    for (struct h2_stream *stream = session->first, *next; stream; stream = next) {
        next = stream->next;
        if (stream->fate != H2_RUNS)
            continue;
        if (!stream->announced) {
            h2_stream_drop(stream);
            continue;
        }
        stream->fate = H2_RESET;
        stream->code = session->doom_code;
        session->open--;
    }
    session->news = true;
}

/* ---- telling ---- */

static struct h2_stream *with_news(const struct h2_session *session)
{
    struct h2_stream *stream = session->first;
    while (stream && stream->fate == H2_RUNS && !stream->drained)
        stream = stream->next;
    return stream;
}

static void tell_fate(struct h2_stream *stream)
{
    struct h2_session *session = stream->session;
    session->telling = stream;
    if (stream->fate == H2_CLOSED)
        session->events.closed(session->owner, stream);
    else
        session->events.reset(session->owner, stream, stream->code, stream->unprocessed);
    session->telling = NULL;
    h2_stream_drop(stream);
}

static void tell(struct h2_session *session)
{
    struct h2_stream *stream;
    session->news = false;
    while (!session->freed && (stream = with_news(session)) != NULL) {
        if (stream->fate != H2_RUNS) {
            tell_fate(stream);
            continue;
        }
        stream->drained = false;
        session->events.drained(session->owner, stream);
    }
}

static void settle(struct h2_session *session)
{
    do {
        if (session->doom && !session->failed && !session->freed)
            fail(session);
        if (session->news)
            tell(session);
    } while (!session->freed && (session->news || (session->doom && !session->failed)));
}

static void destroy(struct h2_session *session)
{
    session->failed = true;
    while (session->first)
        h2_stream_drop(session->first);
    nghttp2_session_del(session->ng); /* NULL is harmless */
    http_out_free(&session->out);
    free(session);
}

static void leave(struct h2_session *session)
{
    if (--session->depth == 0 && session->freed)
        destroy(session);
}

/* ---- beginning ---- */

struct h2_session *h2_new(const struct h2_settings *settings, const struct h2_events *events, void *owner)
{
    struct h2_session *session = calloc(1, sizeof(*session));
    if (!session)
        return NULL;
    session->settings = *settings;
    session->events = *events;
    session->owner = owner;
    h2_floods_init(&session->floods, settings);
    if (h2_session_make(session) == 0)
        return session;
    destroy(session);
    return NULL;
}

void h2_free(struct h2_session *session)
{
    if (!session)
        return;
    session->freed = true;
    if (session->depth == 0)
        destroy(session);
}

/* ---- bytes ---- */

void h2_pack(struct h2_session *session)
{
    if (session->inside || !h2_alive(session) || session->doom)
        return;
    session->inside = true;
    int failed = nghttp2_session_send(session->ng);
    session->inside = false;
    if (failed || session->out.failed)
        h2_doom(session, H2_INTERNAL_ERROR, failed ? nghttp2_strerror(failed) : "out of memory");
}

static uint32_t code_of(int failed)
{
    switch (failed) {
    case NGHTTP2_ERR_NOMEM:
    case NGHTTP2_ERR_CALLBACK_FAILURE: return H2_INTERNAL_ERROR;
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC: return H2_PROTOCOL_ERROR;
    default: return H2_ENHANCE_CALM; /* the others are floods that nghttp2 has seen */
    }
}

static void read_bytes(struct h2_session *session, struct slice bytes)
{
    const char *why = h2_floods_see(&session->floods, bytes);
    if (why) {
        h2_doom(session, H2_ENHANCE_CALM, why);
        return;
    }
    session->inside = true;
    ssize_t used = nghttp2_session_mem_recv(session->ng, (const uint8_t *)bytes.data, bytes.len);
    session->inside = false;
    if (used < 0)
        h2_doom(session, code_of((int)used), nghttp2_strerror((int)used));
}

static void check_waiting(struct h2_session *session)
{
    if (h2_alive(session) && !session->doom &&
        nghttp2_session_get_outbound_queue_size(session->ng) > h2_floods_waiting_max(session->open))
        h2_doom(session, H2_ENHANCE_CALM, "the peer causes frames and does not read them");
}

/* Packing shows at once whether nghttp2 has ended the session: it says so by a GOAWAY only. */
bool h2_receive(struct h2_session *session, struct slice bytes)
{
    if (!h2_alive(session) || session->inside)
        return false;
    session->depth++;
    read_bytes(session, bytes);
    if (session->out.len < AHEAD)
        h2_pack(session);
    check_waiting(session);
    settle(session);
    bool good = h2_alive(session);
    leave(session);
    return good;
}

/* The buffer is the event's during the call: what is packed meanwhile goes into another one. */
static void flush(struct h2_session *session)
{
    struct http_out out = session->out;
    session->out = (struct http_out){0};
    if (out.len > 0 && !out.failed)
        session->events.output(session->owner, slice_make(out.bytes, out.len));
    if (session->out.cap > 0 || session->freed || session->open == 0 || out.cap > KEEP || out.failed) {
        http_out_free(&out);
        return;
    }
    out.len = 0;
    session->out = out;
}

void h2_send(struct h2_session *session)
{
    if (session->inside || session->sending || session->freed)
        return;
    session->depth++;
    session->sending = true;
    for (unsigned turns = 0; turns < TURNS && !session->freed;) {
        h2_pack(session);
        settle(session);
        if (session->out.len == 0 || session->freed)
            break;
        turns += session->out.len < AHEAD; /* long bodies are sent to their end */
        flush(session);
        if (!session->freed && session->events.blocked && session->events.blocked(session->owner))
            break;
    }
    session->sending = false;
    leave(session);
}

/* ---- the session's state ---- */

const char *h2_error(const struct h2_session *session)
{
    return session->error ? session->error : "";
}

unsigned h2_open_streams(const struct h2_session *session)
{
    return session->open;
}

bool h2_over(const struct h2_session *session)
{
    bool leaving = session->goaway_sent || session->goaway_received;
    return session->failed || (leaving && !session->first);
}

void h2_goaway(struct h2_session *session, bool now)
{
    bool notice = !now && session->settings.server;
    int failed = 0;
    if (!h2_alive(session) || session->goaway_submitted || (notice && session->notice_submitted))
        return;
    if (notice) {
        session->notice_submitted = true;
        failed = nghttp2_submit_shutdown_notice(session->ng);
    } else {
        session->goaway_submitted = true;
        failed = nghttp2_submit_goaway(session->ng, NGHTTP2_FLAG_NONE,
                                       nghttp2_session_get_last_proc_stream_id(session->ng), NGHTTP2_NO_ERROR,
                                       NULL, 0);
    }
    if (failed)
        h2_doom(session, H2_INTERNAL_ERROR, "out of memory");
}

void h2_ping(struct h2_session *session)
{
    if (h2_alive(session) && nghttp2_submit_ping(session->ng, NGHTTP2_FLAG_NONE, NULL) != 0)
        h2_doom(session, H2_INTERNAL_ERROR, "out of memory");
}

const char *http2_library(void)
{
    return "nghttp2 " NGHTTP2_VERSION;
}
