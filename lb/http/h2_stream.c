#include <stdlib.h>

#include "lb/http/h2_parts.h"

#define QUEUE_FIRST 4096u

/* Smaller pieces are worth waiting for others, with which they share a frame. */
#define DIRECT_MIN 1024u

/* What a session packs without being asked to send. More stays in queues, where its source sees it. */
#define AHEAD (64u * 1024)

/* `output` gets pieces of about this size, which the caches hold on their way through TLS. */
#define PIECE (64u * 1024)

/* ---- life ---- */

struct h2_stream *h2_stream_find(struct h2_session *session, int32_t id)
{
    if (session->found && session->found->id == id)
        return session->found;
    struct h2_stream *stream = nghttp2_session_get_stream_user_data(session->ng, id);
    if (stream)
        session->found = stream;
    return stream;
}

/* nghttp2 finds it no more. */
static void forget(struct h2_stream *stream)
{
    struct h2_session *session = stream->session;
    if (session->found == stream)
        session->found = NULL;
    nghttp2_session_set_stream_user_data(session->ng, stream->id, NULL);
}

struct h2_stream *h2_stream_new(struct h2_session *session, int32_t id)
{
    struct h2_stream *stream = h2_memory_take_zeroed(session->settings.memory, sizeof(*stream));
    if (!stream)
        return NULL;
    stream->session = session;
    stream->id = id;
    stream->next = session->first;
    if (session->first)
        session->first->previous = stream;
    session->first = stream;
    session->open++;
    return stream;
}

static void unlink_stream(struct h2_stream *stream)
{
    if (stream->previous)
        stream->previous->next = stream->next;
    else
        stream->session->first = stream->next;
    if (stream->next)
        stream->next->previous = stream->previous;
}

/* A body that nobody takes must not stop those of other streams. */
static void grant_rest(struct h2_stream *stream)
{
    struct h2_session *session = stream->session;
    if (h2_alive(session) && stream->unconsumed > 0 &&
        nghttp2_session_consume_connection(session->ng, stream->unconsumed) != 0)
        h2_doom(session, H2_INTERNAL_ERROR, "out of memory");
}

static void count_held(struct h2_stream *stream, size_t more, size_t less)
{
    size_t *held = stream->session->settings.held;
    if (held)
        *held += more - less;
}

void h2_stream_drop(struct h2_stream *stream)
{
    struct h2_session *session = stream->session;
    if (stream->fate == H2_RUNS) {
        session->open--;
        if (h2_alive(session))
            forget(stream);
    }
    grant_rest(stream);
    unlink_stream(stream);
    count_held(stream, 0, h2_queued(stream));
    head_pool_give(session->settings.heads, stream->head);
    head_pool_give(session->settings.heads, stream->trailers);
    free(stream->queue);
    h2_memory_give(session->settings.memory, stream);
}

static void trouble(struct h2_session *session)
{
    const char *why = h2_floods_trouble(&session->floods);
    if (why)
        h2_doom(session, H2_ENHANCE_CALM, why);
}

void h2_stream_over(struct h2_stream *stream, uint32_t code)
{
    struct h2_session *session = stream->session;
    bool in_order = stream->cut || (stream->remote_ended && stream->local_ended);
    bool answered_early = !session->settings.server && stream->remote_ended && code == NGHTTP2_NO_ERROR;
    if (in_order && stream->announced)
        h2_floods_completed(&session->floods);
    else if (!answered_early || !stream->announced)
        trouble(session);
    if (!stream->announced) {
        h2_stream_drop(stream);
        return;
    }
    stream->fate = in_order ? H2_CLOSED : H2_RESET;
    stream->code = code;
    stream->unprocessed = !session->settings.server && code == NGHTTP2_REFUSED_STREAM && !stream->answered;
    session->open--;
    session->news = true;
    forget(stream);
}

void h2_stream_abort(struct h2_stream *stream, uint32_t code)
{
    struct h2_session *session = stream->session;
    if (nghttp2_submit_rst_stream(session->ng, NGHTTP2_FLAG_NONE, stream->id, code) != 0)
        h2_doom(session, H2_INTERNAL_ERROR, "out of memory");
}

/* RFC 9113 section 8.1: a server that has answered asks for no more of the request. */
void h2_stream_sent_end(struct h2_stream *stream)
{
    stream->local_ended = true;
    if (!stream->session->settings.server || stream->remote_ended)
        return;
    stream->cut = true;
    h2_stream_abort(stream, NGHTTP2_NO_ERROR);
}

static bool runs(const struct h2_stream *stream)
{
    return stream->fate == H2_RUNS && h2_alive(stream->session);
}

void h2_stream_own(struct h2_stream *stream, void *owner)
{
    stream->owner = owner;
}

void *h2_stream_owner(const struct h2_stream *stream)
{
    return stream->owner;
}

int32_t h2_stream_id(const struct h2_stream *stream)
{
    return stream->id;
}

void h2_reset(struct h2_stream *stream, uint32_t code)
{
    if (stream == stream->session->telling)
        return;
    if (runs(stream))
        h2_stream_abort(stream, code);
    h2_stream_drop(stream);
}

void h2_consumed(struct h2_stream *stream, size_t bytes)
{
    struct h2_session *session = stream->session;
    bytes = bytes < stream->unconsumed ? bytes : stream->unconsumed;
    stream->unconsumed -= bytes;
    if (bytes > 0 && h2_alive(session) && nghttp2_session_consume(session->ng, stream->id, bytes) != 0)
        h2_doom(session, H2_INTERNAL_ERROR, "out of memory");
}

/* ---- heads out ---- */

static const nghttp2_data_provider provider = {.read_callback = h2_body_read};

bool h2_can_request(const struct h2_session *session)
{
    if (session->settings.server || !h2_alive(session) || session->doom || session->goaway_received ||
        session->goaway_submitted || !nghttp2_session_check_request_allowed(session->ng))
        return false;
    return session->open <
           nghttp2_session_get_remote_settings(session->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

static int32_t submit_request(struct h2_stream *stream, const struct http_head *head, struct slice path)
{
    struct h2_pairs pairs;
    if (!h2_pairs_request(&pairs, head, path))
        return -1;
    int32_t id = nghttp2_submit_request(stream->session->ng, NULL, pairs.all, pairs.count,
                                        stream->ending ? NULL : &provider, stream);
    h2_pairs_free(&pairs);
    return id;
}

struct h2_stream *h2_request(struct h2_session *session, const struct http_head *head, struct slice path,
                             bool ends, void *owner)
{
    struct h2_stream *stream = h2_can_request(session) ? h2_stream_new(session, 0) : NULL;
    if (!stream)
        return NULL;
    stream->owner = owner;
    stream->announced = stream->responded = true;
    stream->ending = ends;
    int32_t id = submit_request(stream, head, path);
    stream->id = id < 0 ? 0 : id;
    if (id > 0)
        return stream;
    h2_stream_drop(stream);
    return NULL;
}

static bool submit_response(struct h2_stream *stream, const struct http_head *head, bool ends)
{
    nghttp2_session *ng = stream->session->ng;
    struct h2_pairs pairs;
    char status[3];
    if (!h2_pairs_response(&pairs, head, status))
        return false;
    int failed =
        head->status < 200
            ? nghttp2_submit_headers(ng, NGHTTP2_FLAG_NONE, stream->id, NULL, pairs.all, pairs.count, NULL)
            : nghttp2_submit_response(ng, stream->id, pairs.all, pairs.count, ends ? NULL : &provider);
    h2_pairs_free(&pairs);
    return failed >= 0;
}

bool h2_respond(struct h2_stream *stream, const struct http_head *head, bool ends)
{
    if (!runs(stream) || stream->responded)
        return true;
    if (!submit_response(stream, head, ends)) {
        stream->responded = stream->ending = true;
        h2_stream_abort(stream, H2_INTERNAL_ERROR);
        return false;
    }
    if (head->status >= 200) {
        stream->responded = true;
        stream->ending = ends;
    }
    return true;
}

void h2_stream_refuse(struct h2_stream *stream)
{
    struct http_head answer;
    http_head_init(&answer);
    answer.status = stream->refusal;
    if (http_head_add(&answer, SLICE_LITERAL("content-length"), SLICE_LITERAL("0")))
        h2_respond(stream, &answer, true);
    else
        h2_stream_abort(stream, H2_REFUSED_STREAM);
    http_head_free(&answer);
    head_pool_give(stream->session->settings.heads, stream->head);
    stream->head = NULL;
}

/* ---- bodies out ---- */

size_t h2_queued(const struct h2_stream *stream)
{
    return stream->queue_len - stream->queue_at;
}

static bool grow_queue(struct h2_stream *stream, size_t more)
{
    size_t queued = h2_queued(stream), cap = stream->queue_cap ? stream->queue_cap : QUEUE_FIRST;
    if (stream->queue_at > 0)
        memmove(stream->queue, stream->queue + stream->queue_at, queued);
    stream->queue_at = 0;
    stream->queue_len = queued;
    while (cap - queued < more)
        cap *= 2;
    char *grown = cap == stream->queue_cap ? stream->queue : realloc(stream->queue, cap);
    if (!grown)
        return false;
    stream->queue = grown;
    stream->queue_cap = cap;
    return true;
}

static bool enqueue(struct h2_stream *stream, struct slice bytes)
{
    if (bytes.len == 0)
        return true;
    if (stream->queue_cap - stream->queue_len < bytes.len && !grow_queue(stream, bytes.len))
        return false;
    memcpy(stream->queue + stream->queue_len, bytes.data, bytes.len);
    stream->queue_len += bytes.len;
    count_held(stream, bytes.len, 0);
    stream->filled |= h2_queued(stream) >= H2_LOW;
    return true;
}

/* That nothing was deferred is no error. */
static void resume(struct h2_stream *stream)
{
    if (nghttp2_session_resume_data(stream->session->ng, stream->id) == NGHTTP2_ERR_NOMEM)
        h2_doom(stream->session, H2_INTERNAL_ERROR, "out of memory");
}

/* Packed from where it lies, as far as windows allow; gives what is left. */
static struct slice write_direct(struct h2_stream *stream, struct slice bytes)
{
    struct h2_session *session = stream->session;
    if (session->inside || h2_queued(stream) > 0 || bytes.len < DIRECT_MIN || session->out.len >= AHEAD)
        return bytes;
    stream->offered = bytes;
    resume(stream);
    h2_pack(session);
    bytes = stream->offered;
    stream->offered = (struct slice){NULL, 0};
    return bytes;
}

static size_t write_bytes(struct h2_stream *stream, struct slice bytes, bool last)
{
    if (!runs(stream) || !stream->responded || stream->ending)
        return h2_queued(stream);
    stream->ending = last;
    struct slice rest = write_direct(stream, bytes);
    if (!runs(stream) || rest.len == 0)
        return h2_queued(stream);
    if (!enqueue(stream, rest)) {
        stream->ending = true;
        h2_stream_abort(stream, H2_INTERNAL_ERROR);
    } else {
        resume(stream);
    }
    return h2_queued(stream);
}

size_t h2_write(struct h2_stream *stream, struct slice bytes)
{
    return bytes.len > 0 ? write_bytes(stream, bytes, false) : h2_queued(stream);
}

size_t h2_write_last(struct h2_stream *stream, struct slice bytes)
{
    if (bytes.len > 0)
        return write_bytes(stream, bytes, true);
    h2_end(stream, NULL);
    return h2_queued(stream);
}

static bool copy_trailers(struct h2_stream *stream, const struct http_head *trailers)
{
    stream->trailers = head_pool_take(stream->session->settings.heads);
    bool good = stream->trailers != NULL;
    for (unsigned i = 0; i < trailers->count && good; i++)
        if (!trailers->fields[i].gone)
            good = http_head_add(stream->trailers, head_name(trailers, &trailers->fields[i]),
                                 head_value(trailers, &trailers->fields[i]));
    return good;
}

void h2_end(struct h2_stream *stream, const struct http_head *trailers)
{
    if (!runs(stream) || !stream->responded || stream->ending)
        return;
    stream->ending = true;
    if (trailers && http_head_field_count(trailers) > 0 && !copy_trailers(stream, trailers))
        h2_stream_abort(stream, H2_INTERNAL_ERROR);
    else
        resume(stream);
}

/* After the last byte: END_STREAM, there or on the trailers. */
static int finish_body(struct h2_stream *stream, uint32_t *flags)
{
    struct h2_pairs pairs;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!stream->trailers)
        return 0;
    if (!h2_pairs_trailers(&pairs, stream->trailers))
        return -1;
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    int failed = nghttp2_submit_trailer(stream->session->ng, stream->id, pairs.all, pairs.count);
    h2_pairs_free(&pairs);
    head_pool_give(stream->session->settings.heads, stream->trailers);
    stream->trailers = NULL;
    return failed;
}

ssize_t h2_body_read(nghttp2_session *ng, int32_t id, uint8_t *unused, size_t room, uint32_t *flags,
                     nghttp2_data_source *source, void *user_data)
{
    struct h2_stream *stream = h2_stream_find(user_data, id);
    (void)ng;
    (void)unused;
    (void)source;
    if (!stream)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    size_t there = h2_queued(stream) + stream->offered.len;
    size_t len = there < room ? there : room;
    if (there == 0 && !stream->ending)
        return NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (len == there && stream->ending && finish_body(stream, flags) != 0)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return (ssize_t)len;
}

static void take_queued(struct h2_stream *stream, size_t len)
{
    stream->queue_at += len;
    count_held(stream, 0, len);
    if (h2_queued(stream) == 0) {
        free(stream->queue);
        stream->queue = NULL;
        stream->queue_at = stream->queue_len = stream->queue_cap = 0;
    }
    if (stream->filled && h2_queued(stream) < H2_LOW) {
        stream->filled = false;
        stream->drained = stream->session->news = true;
    }
}

int h2_body_send(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *header, size_t len,
                 nghttp2_data_source *source, void *user_data)
{
    struct h2_session *session = user_data;
    struct h2_stream *stream = h2_stream_find(session, frame->hd.stream_id);
    (void)ng;
    (void)source;
    if (session->out.len >= PIECE)
        return NGHTTP2_ERR_WOULDBLOCK;
    if (!stream || h2_queued(stream) + stream->offered.len < len) /* reset since it was read */
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    size_t queued = h2_queued(stream) < len ? h2_queued(stream) : len;
    http_out_add(&session->out, slice_make(header, 9));
    if (queued > 0) {
        http_out_add(&session->out, slice_make(stream->queue + stream->queue_at, queued));
        take_queued(stream, queued);
    }
    if (len > queued) {
        http_out_add(&session->out, slice_make(stream->offered.data, len - queued));
        stream->offered =
            slice_make(stream->offered.data + (len - queued), stream->offered.len - (len - queued));
    }
    return 0;
}
