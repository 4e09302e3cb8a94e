#include <stdlib.h>

#include "lb/http/h2_parts.h"

/* As with body bytes: more is packed only when the owner sends. */
#define AHEAD (64u * 1024)

/* An idle session keeps no buffer, a running one what a piece needs. */
#define KEEP (128u * 1024)

/* Acknowledgements of PING and SETTINGS that wait; nghttp2 ends the session at more. */
#define ACKS_MAX     256
#define SETTINGS_MAX 16

/* Owners that write in `drained` are served in turns. */
#define TURNS 64

/* Of a header block that is sent, in bytes before compression. */
#define BLOCK_MIN (64u * 1024)
#define BLOCK_MAX ((size_t)16 << 20)

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
    nghttp2_session_del(session->ng);
    http_out_free(&session->out);
    free(session);
}

static void leave(struct h2_session *session)
{
    if (--session->depth == 0 && session->freed)
        destroy(session);
}

/* ---- what nghttp2 finds ---- */

static int go_on(const struct h2_session *session)
{
    return session->doom || session->freed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static bool mute(const struct h2_session *session)
{
    return session->doom || session->freed;
}

/* Gives back a stream that is being received, or a new one; NULL: out of memory or nobody's. */
static struct h2_stream *receiving(struct h2_session *session, const nghttp2_frame *frame)
{
    struct h2_stream *stream = h2_stream_find(session, frame->hd.stream_id);
    if (stream || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return stream;
    stream = h2_stream_new(session, frame->hd.stream_id);
    if (stream)
        nghttp2_session_set_stream_user_data(session->ng, stream->id, stream);
    return stream;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *user_data)
{
    struct h2_session *session = user_data;
    (void)ng;
    if (frame->hd.type != NGHTTP2_HEADERS)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (mute(session))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    struct h2_stream *stream = receiving(session, frame);
    if (!stream)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (!stream->head)
        stream->head = head_pool_take(session->settings.heads);
    stream->in_trailers = stream->headed;
    stream->head_bytes = stream->head_fields = 0;
    return stream->head ? go_on(session) : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *user_data)
{
    struct h2_session *session = user_data;
    struct h2_stream *stream = h2_stream_find(session, frame->hd.stream_id);
    (void)ng;
    (void)flags;
    if (!stream || !stream->head || mute(session))
        return go_on(session);
    if (h2_head_field(stream, slice_make(name, name_len), slice_make(value, value_len)))
        return 0;
    h2_stream_abort(stream, NGHTTP2_PROTOCOL_ERROR);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* nghttp2 would pass over it, and a server might not. */
static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                             nghttp2_rcbuf *value, uint8_t flags, void *user_data)
{
    (void)ng;
    (void)frame;
    (void)name;
    (void)value;
    (void)flags;
    (void)user_data;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* The owner may reset the stream in the event: it is not looked at afterwards. */
static void got_head(struct h2_stream *stream, bool ends)
{
    struct h2_session *session = stream->session;
    struct http_head *head = stream->head;
    stream->head = NULL;
    stream->announced = stream->answered = true;
    stream->headed = session->settings.server || head->status >= 200;
    session->events.head(session->owner, stream, head, ends);
}

static void got_section(struct h2_stream *stream, bool ends)
{
    struct h2_session *session = stream->session;
    stream->remote_ended = ends;
    if (!h2_head_finish(stream, ends)) {
        stream->remote_ended = false;
        h2_stream_abort(stream, NGHTTP2_PROTOCOL_ERROR);
    } else if (stream->in_trailers) {
        struct http_head *trailers = stream->head;
        stream->head = NULL;
        session->events.end(session->owner, stream, trailers);
    } else if (stream->refusal) {
        stream->headed = true;
        h2_stream_refuse(stream);
    } else {
        got_head(stream, ends);
    }
}

static void got_goaway(struct h2_session *session)
{
    bool first = !session->goaway_received;
    session->goaway_received = true;
    if (first)
        session->events.goaway(session->owner);
}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *user_data)
{
    struct h2_session *session = user_data;
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    (void)ng;
    if (mute(session))
        return go_on(session);
    if (frame->hd.type == NGHTTP2_GOAWAY)
        got_goaway(session);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return go_on(session);
    struct h2_stream *stream = h2_stream_find(session, frame->hd.stream_id);
    if (stream && stream->head && frame->hd.type == NGHTTP2_HEADERS) {
        got_section(stream, ends);
    } else if (stream && ends && frame->hd.type == NGHTTP2_DATA) {
        stream->remote_ended = true;
        if (stream->announced)
            session->events.end(session->owner, stream, NULL);
    }
    return go_on(session);
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *bytes, size_t len,
                   void *user_data)
{
    struct h2_session *session = user_data;
    struct h2_stream *stream = h2_stream_find(session, id);
    (void)flags;
    if (mute(session))
        return go_on(session);
    h2_floods_moved(&session->floods, len);
    if (!stream || !stream->announced)
        return nghttp2_session_consume(ng, id, len) == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
    stream->unconsumed += len;
    session->events.data(session->owner, stream, slice_make(bytes, len));
    return go_on(session);
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *user_data)
{
    struct h2_session *session = user_data;
    struct h2_stream *stream = h2_stream_find(session, id);
    (void)ng;
    if (stream)
        h2_stream_over(stream, code);
    return 0;
}

/* A stream that was never opened because there are too many. */
static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *user_data)
{
    struct h2_session *session = user_data;
    (void)ng;
    if (error != NGHTTP2_ERR_REFUSED_STREAM || h2_stream_find(session, frame->hd.stream_id))
        return go_on(session);
    const char *why = h2_floods_trouble(&session->floods);
    if (why)
        h2_doom(session, H2_ENHANCE_CALM, why);
    return go_on(session);
}

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *user_data)
{
    struct h2_session *session = user_data;
    (void)ng;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        session->goaway_sent |= session->goaway_submitted;
        session->terminated = frame->goaway.error_code != NGHTTP2_NO_ERROR;
        if (session->terminated)
            h2_doom(session, frame->goaway.error_code, nghttp2_http2_strerror(frame->goaway.error_code));
        return 0;
    }
    if (frame->hd.type == NGHTTP2_DATA)
        h2_floods_moved(&session->floods, frame->hd.length);
    if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    struct h2_stream *stream = h2_stream_find(session, frame->hd.stream_id);
    if (stream && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        h2_stream_sent_end(stream);
    return 0;
}

/* A head that cannot be sent leaves the peer waiting for it. */
static int on_frame_not_send(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *user_data)
{
    struct h2_session *session = user_data;
    struct h2_stream *stream = h2_stream_find(session, frame->hd.stream_id);
    (void)ng;
    (void)error;
    if (stream && frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        h2_stream_abort(stream, H2_INTERNAL_ERROR);
    return 0;
}

static ssize_t on_send(nghttp2_session *ng, const uint8_t *bytes, size_t len, int flags, void *user_data)
{
    struct h2_session *session = user_data;
    (void)ng;
    (void)flags;
    http_out_add(&session->out, slice_make(bytes, len));
    return (ssize_t)len;
}

/* ---- beginning ---- */

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return NULL;
    nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, h2_body_send);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
    return callbacks;
}

/* What came in within these limits must be able to go out. */
static size_t block_max(const struct http_limits *limits)
{
    return limits->header_bytes < BLOCK_MAX ? BLOCK_MIN + 2 * (size_t)limits->header_bytes : 2 * BLOCK_MAX;
}

static nghttp2_option *make_options(const struct http_limits *limits)
{
    nghttp2_option *options;
    if (nghttp2_option_new(&options) != 0)
        return NULL;
    nghttp2_option_set_no_auto_window_update(options, 1);
    nghttp2_option_set_no_closed_streams(options, 1);
    nghttp2_option_set_max_reserved_remote_streams(options, 0);
    nghttp2_option_set_peer_max_concurrent_streams(options, 100);
    nghttp2_option_set_max_settings(options, SETTINGS_MAX);
    nghttp2_option_set_max_outbound_ack(options, ACKS_MAX);
    nghttp2_option_set_max_send_header_block_length(options, block_max(limits));
    return options;
}

static int make_session(struct h2_session *session)
{
    nghttp2_session_callbacks *callbacks = make_callbacks();
    nghttp2_option *options = make_options(&session->settings.limits);
    int failed = -1;
    if (callbacks && options)
        failed = session->settings.server
                     ? nghttp2_session_server_new2(&session->ng, callbacks, session, options)
                     : nghttp2_session_client_new2(&session->ng, callbacks, session, options);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(options);
    return failed;
}

static uint32_t bounded(uint64_t number)
{
    return number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
}

static int submit_settings(struct h2_session *session)
{
    const struct h2_settings *wanted = &session->settings;
    nghttp2_settings_entry all[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, wanted->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, bounded(wanted->limits.header_bytes)},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, wanted->max_streams},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    if (!wanted->server) {
        all[2] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0};
        all[3] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
    }
    int failed = nghttp2_submit_settings(session->ng, NGHTTP2_FLAG_NONE, all, sizeof(all) / sizeof(all[0]));
    if (failed)
        return failed;
    return nghttp2_session_set_local_window_size(session->ng, NGHTTP2_FLAG_NONE, 0,
                                                 (int32_t)wanted->session_window);
}

struct h2_session *h2_new(const struct h2_settings *settings, const struct h2_events *events, void *owner)
{
    struct h2_session *session = calloc(1, sizeof(*session));
    if (!session)
        return NULL;
    session->settings = *settings;
    session->events = *events;
    session->owner = owner;
    h2_floods_init(&session->floods, settings);
    if (make_session(session) != 0) {
        free(session);
        return NULL;
    }
    if (submit_settings(session) == 0)
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
    for (unsigned turn = 0; turn < TURNS && !session->freed; turn++) {
        h2_pack(session);
        settle(session);
        if (session->out.len == 0 || session->freed)
            break;
        turn -= session->out.len >= AHEAD; /* long bodies are sent to their end */
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
