#include "lb/http/h2_parts.h"

/* How a session of nghttp2 is made, and what it tells. */

/* Acknowledgements of PING and SETTINGS that wait; nghttp2 ends the session at more. */
#define ACKS_MAX     256
#define SETTINGS_MAX 16

/* Of a header block that is sent, in bytes before compression. */
#define BLOCK_MIN (64u * 1024)
#define BLOCK_MAX ((size_t)16 << 20)

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

static void got_too_much(struct h2_stream *stream)
{
    struct h2_session *session = stream->session;
    struct http_head *head = stream->head;
    stream->headed = true;
    if (!session->events.refused) {
        h2_stream_refuse(stream);
        return;
    }
    stream->head = NULL;
    stream->announced = stream->answered = true;
    session->events.refused(session->owner, stream, head, stream->refusal);
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
        got_too_much(stream);
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

static void *take(size_t size, void *memory)
{
    return h2_memory_take(memory, size);
}

static void *take_zeroed(size_t count, size_t size, void *memory)
{
    size_t all;
    return __builtin_mul_overflow(count, size, &all) ? NULL : h2_memory_take_zeroed(memory, all);
}

static void *resize(void *block, size_t size, void *memory)
{
    return h2_memory_resize(memory, block, size);
}

static void give(void *block, void *memory)
{
    h2_memory_give(memory, block);
}

/* nghttp2 copies the table. */
static int make_session(struct h2_session *session)
{
    nghttp2_mem memory = {session->settings.memory, take, give, take_zeroed, resize};
    nghttp2_session_callbacks *callbacks = make_callbacks();
    nghttp2_option *options = make_options(&session->settings.limits);
    int failed = -1;
    if (callbacks && options)
        failed = session->settings.server
                     ? nghttp2_session_server_new3(&session->ng, callbacks, session, options, &memory)
                     : nghttp2_session_client_new3(&session->ng, callbacks, session, options, &memory);
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

int h2_session_make(struct h2_session *session)
{
    int failed = make_session(session);
    return failed ? failed : submit_settings(session);
}
