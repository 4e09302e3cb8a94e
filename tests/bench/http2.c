#include "http2.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_WINDOW     (1 << 20) /* about what browsers grant: the proxy is not held up by us */
#define CONNECTION_WINDOW (1 << 24)
#define OUT_MAX           16384

struct http2 {
    nghttp2_session *session;
    enum failure failure; /* why a callback gave up */
};

/* One request and its answer. */
struct exchange {
    uint64_t received;
    bool answered;
};

static int give_up(struct connection *c, enum failure failure)
{
    c->http2->failure = failure;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static bool is(nghttp2_rcbuf *buffer, const char *text)
{
    nghttp2_vec bytes = nghttp2_rcbuf_get_buf(buffer);
    return bytes.len == strlen(text) && memcmp(bytes.base, text, bytes.len) == 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *context)
{
    struct exchange *exchange = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)flags;
    if (!is(name, ":status")) {
        return 0;
    }
    if (exchange == NULL || !is(value, "200")) {
        return give_up(context, FAILURE_STATUS);
    }
    exchange->answered = true;
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t len,
                   void *context)
{
    struct connection *c = context;
    struct exchange *exchange = nghttp2_session_get_stream_user_data(session, stream);
    (void)flags;
    if (exchange == NULL || !exchange->answered || len > c->target->size - exchange->received ||
        !pattern_matches(&c->target->pattern, exchange->received, data, len)) {
        return give_up(c, FAILURE_WRONG);
    }
    exchange->received += len;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    (void)session;
    return frame->hd.type == NGHTTP2_GOAWAY ? give_up(context, FAILURE_RESET) : 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error, void *context)
{
    struct connection *c = context;
    struct exchange *exchange = nghttp2_session_get_stream_user_data(session, stream);
    bool whole = exchange != NULL && exchange->answered && exchange->received == c->target->size;
    free(exchange);
    if (error != NGHTTP2_NO_ERROR) {
        return give_up(c, FAILURE_RESET);
    }
    if (!whole) {
        return give_up(c, FAILURE_SHORT);
    }
    connection_answered(c);
    return 0;
}

static nghttp2_session *make_session(struct connection *c)
{
    nghttp2_session *session = NULL;
    nghttp2_session_callbacks *callbacks = NULL;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) {
        return NULL;
    }
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_client_new(&session, callbacks, c);
    nghttp2_session_callbacks_del(callbacks);
    return session;
}

bool http2_start(struct connection *c)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
    };
    c->http2 = calloc(1, sizeof *c->http2);
    if (c->http2 == NULL) {
        return false;
    }
    c->http2->session = make_session(c);
    return c->http2->session != NULL &&
           nghttp2_submit_settings(c->http2->session, NGHTTP2_FLAG_NONE, settings,
                                   sizeof settings / sizeof *settings) == 0 &&
           nghttp2_session_set_local_window_size(c->http2->session, NGHTTP2_FLAG_NONE, 0,
                                                 CONNECTION_WINDOW) == 0;
}

/* Exchanges that run are lost with the process: a failed connection has few, and there are few of those. */
void http2_free(struct connection *c)
{
    if (c->http2 != NULL) {
        nghttp2_session_del(c->http2->session);
        free(c->http2);
    }
    c->http2 = NULL;
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value),
                        NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

bool http2_ask(struct connection *c, const struct request *request)
{
    const nghttp2_nv fields[] = {
        field(":method", "GET"),       field(":scheme", "https"),
        field(":path", request->path), field(":authority", request->authority),
        field("user-agent", "load/1"), field("accept", "*/*"),
        field("x-tenant", "payments"),
    };
    struct exchange *exchange = calloc(1, sizeof *exchange);
    return exchange != NULL && nghttp2_submit_request(c->http2->session, NULL, fields,
                                                      sizeof fields / sizeof *fields, NULL, exchange) > 0;
}

/* One write for all frames: ten requests that are asked for together travel together. */
void http2_flush(struct connection *c)
{
    unsigned char out[OUT_MAX];
    const uint8_t *bytes;
    size_t len = 0;
    ssize_t more;
    while ((more = nghttp2_session_mem_send(c->http2->session, &bytes)) > 0) {
        if ((size_t)more > sizeof out - len) {
            connection_fail(c, FAILURE_SHORT);
            return;
        }
        memcpy(out + len, bytes, (size_t)more);
        len += (size_t)more;
    }
    if (more < 0) {
        connection_fail(c, FAILURE_WRONG);
    } else if (len > 0) {
        connection_write(c, out, len);
    }
}

void http2_take(struct connection *c, const unsigned char *data, size_t len)
{
    c->http2->failure = FAILURE_WRONG;
    if (nghttp2_session_mem_recv(c->http2->session, data, len) != (ssize_t)len) {
        connection_fail(c, c->http2->failure);
    }
}
