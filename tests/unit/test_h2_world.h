/* Two ends of HTTP/2 in memory, and frames written by hand. */
#ifndef TEST_H2_WORLD_H
#define TEST_H2_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <nghttp2/nghttp2.h>

#include "lb/http/h2.h"

#define STREAMS_MAX 256

/* What one end was told, and how it behaves. */
struct end {
    struct h2_session *session;
    struct head_pool heads;
    struct http_out out; /* what it has sent and nobody has taken */
    struct h2_stream *last, *streams[STREAMS_MAX];
    struct http_head *head, *trailers; /* the last ones */
    char body[512 * 1024];
    size_t body_len;
    unsigned heads_seen, informed, ends, resets, closed, drained, goaways, outputs;
    uint32_t code;
    bool unprocessed, ended_with_head;
    bool keeps;                                /* grants nothing again by itself */
    bool resets_head, resets_data, frees_head; /* what it does in events */
    bool resets_output;                        /* all its streams, once */
    bool answers;                              /* 200, ends */
};

static struct http_head *make_head(struct end *end, unsigned status)
{
    struct http_head *head = head_pool_take(&end->heads);
    assert_non_null(head);
    head->status = status;
    return head;
}

static void respond(struct end *end, struct h2_stream *stream, unsigned status, bool ends)
{
    struct http_head *head = make_head(end, status);
    assert_true(http_head_add(head, SLICE_LITERAL("server"), SLICE_LITERAL("test")));
    assert_true(h2_respond(stream, head, ends));
    head_pool_give(&end->heads, head);
}

static void on_head(void *owner, struct h2_stream *stream, struct http_head *head, bool ends)
{
    struct end *end = owner;
    head_pool_give(&end->heads, end->head);
    end->head = head;
    end->last = stream;
    end->ended_with_head = ends;
    if (head->status && head->status < 200)
        end->informed++;
    else
        end->streams[end->heads_seen++ % STREAMS_MAX] = stream;
    if (end->frees_head)
        h2_free(end->session);
    else if (end->resets_head)
        h2_reset(stream, H2_REFUSED_STREAM);
    else if (end->answers)
        respond(end, stream, 200, true);
}

static void on_data(void *owner, struct h2_stream *stream, struct slice bytes)
{
    struct end *end = owner;
    assert_true(bytes.len > 0);
    size_t room = sizeof(end->body) - end->body_len, len = bytes.len < room ? bytes.len : room;
    memcpy(end->body + end->body_len, bytes.data, len);
    end->body_len += len;
    if (end->resets_data)
        h2_reset(stream, H2_CANCEL);
    else if (!end->keeps)
        h2_consumed(stream, bytes.len);
}

static void on_end(void *owner, struct h2_stream *stream, struct http_head *trailers)
{
    struct end *end = owner;
    (void)stream;
    end->ends++;
    head_pool_give(&end->heads, end->trailers);
    end->trailers = trailers;
}

static void on_reset(void *owner, struct h2_stream *stream, uint32_t code, bool unprocessed)
{
    struct end *end = owner;
    (void)stream;
    end->resets++;
    end->code = code;
    end->unprocessed = unprocessed;
}

static void on_closed(void *owner, struct h2_stream *stream)
{
    (void)stream;
    ((struct end *)owner)->closed++;
}

static void on_drained(void *owner, struct h2_stream *stream)
{
    (void)stream;
    ((struct end *)owner)->drained++;
}

static void on_output(void *owner, struct slice bytes)
{
    struct end *end = owner;
    end->outputs++;
    http_out_add(&end->out, bytes);
    assert_false(end->out.failed);
    for (unsigned i = 0; i < end->heads_seen && end->resets_output; i++)
        h2_reset(end->streams[i], H2_CANCEL);
    end->resets_output = false;
}

static void on_goaway(void *owner)
{
    ((struct end *)owner)->goaways++;
}

static const struct h2_events test_events = {.head = on_head,
                                             .data = on_data,
                                             .end = on_end,
                                             .reset = on_reset,
                                             .closed = on_closed,
                                             .drained = on_drained,
                                             .output = on_output,
                                             .goaway = on_goaway};

static struct h2_settings test_settings(struct end *end, bool server)
{
    return (struct h2_settings){.server = server,
                                .max_streams = 100,
                                .stream_window = 65536,
                                .session_window = 262144,
                                .limits = {.header_bytes = 8192, .header_count = 50, .uri_bytes = 1024},
                                .heads = &end->heads};
}

static void end_start(struct end *end, const struct h2_settings *settings)
{
    end->session = h2_new(settings, &test_events, end);
    assert_non_null(end->session);
}

static inline struct end *end_new(bool server)
{
    struct end *end = calloc(1, sizeof(*end));
    assert_non_null(end);
    struct h2_settings settings = test_settings(end, server);
    end_start(end, &settings);
    return end;
}

static void end_free(struct end *end)
{
    if (!end->frees_head)
        h2_free(end->session);
    head_pool_give(&end->heads, end->head);
    head_pool_give(&end->heads, end->trailers);
    head_pool_free(&end->heads);
    http_out_free(&end->out);
    free(end);
}

/* ---- two ends ---- */

struct world {
    struct end *client, *server;
};

/* From one end to the other; whether there was something and the other end took it. */
static inline bool pass(struct end *from, struct end *to)
{
    h2_send(from->session);
    struct http_out out = from->out;
    from->out = (struct http_out){0};
    bool good = out.len > 0;
    if (good)
        h2_receive(to->session, slice_make(out.bytes, out.len));
    http_out_free(&out);
    return good;
}

static inline void run(struct world *world)
{
    for (int i = 0; i < 1000; i++) {
        bool there = pass(world->client, world->server), back = pass(world->server, world->client);
        if (!there && !back)
            return;
    }
    fail_msg("the two ends do not come to rest");
}

static inline struct world world_new(void)
{
    struct world world = {end_new(false), end_new(true)};
    run(&world);
    return world;
}

static inline void world_free(struct world *world)
{
    end_free(world->client);
    end_free(world->server);
}

static inline void put_span(struct http_head *head, const char *text, struct span *out)
{
    assert_true(http_head_put(head, slice_of(text), out));
}

static inline struct http_head *request_head(struct end *end, const char *method)
{
    struct http_head *head = make_head(end, 0);
    put_span(head, method, &head->method_text);
    put_span(head, "https", &head->scheme);
    put_span(head, "example.com", &head->authority);
    return head;
}

static inline struct h2_stream *request(struct world *world, const char *method, bool ends)
{
    struct http_head *head = request_head(world->client, method);
    struct h2_stream *stream = h2_request(world->client->session, head, SLICE_LITERAL("/a"), ends, NULL);
    head_pool_give(&world->client->heads, head);
    return stream;
}

/* ---- a server, and a client made of bytes ---- */

struct wire {
    struct end *server;
    nghttp2_hd_deflater *deflater;
    uint8_t bytes[256 * 1024];
    size_t len;
    bool good; /* what h2_receive said last */
};

static void add_bytes(struct wire *wire, const void *bytes, size_t len)
{
    assert_true(wire->len + len <= sizeof(wire->bytes));
    if (len > 0)
        memcpy(wire->bytes + wire->len, bytes, len);
    wire->len += len;
}

static inline void add_frame(struct wire *wire, unsigned type, unsigned flags, uint32_t id,
                             const void *payload, size_t len)
{
    const uint8_t header[9] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len,
                               (uint8_t)type,        (uint8_t)flags,      (uint8_t)(id >> 24),
                               (uint8_t)(id >> 16),  (uint8_t)(id >> 8),  (uint8_t)id};
    add_bytes(wire, header, sizeof(header));
    add_bytes(wire, payload, len);
}

static inline bool deliver(struct wire *wire)
{
    wire->good = h2_receive(wire->server->session, slice_make(wire->bytes, wire->len));
    wire->len = 0;
    return wire->good;
}

/* Number n of frame type t in what the server has sent; NULL if there are fewer. */
static inline const uint8_t *sent_frame(const struct end *end, unsigned type, unsigned n)
{
    const uint8_t *bytes = (const uint8_t *)end->out.bytes;
    for (size_t at = 0; at + 9 <= end->out.len;) {
        size_t len = (size_t)bytes[at] << 16 | (size_t)bytes[at + 1] << 8 | bytes[at + 2];
        if (bytes[at + 3] == type && n-- == 0)
            return bytes + at;
        at += 9 + len;
    }
    return NULL;
}

static inline uint32_t number_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static inline struct wire *wire_new_with(uint32_t window, uint32_t max_streams)
{
    struct wire *wire = calloc(1, sizeof(*wire));
    assert_non_null(wire);
    wire->server = calloc(1, sizeof(*wire->server));
    assert_non_null(wire->server);
    struct h2_settings settings = test_settings(wire->server, true);
    settings.max_streams = max_streams;
    end_start(wire->server, &settings);
    assert_int_equal(nghttp2_hd_deflate_new(&wire->deflater, 4096), 0);
    const uint8_t entry[6] = {
        0, 4, (uint8_t)(window >> 24), (uint8_t)(window >> 16), (uint8_t)(window >> 8), (uint8_t)window};
    add_bytes(wire, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
    add_frame(wire, NGHTTP2_SETTINGS, 0, 0, entry, sizeof(entry));
    add_frame(wire, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
    assert_true(deliver(wire));
    h2_send(wire->server->session);
    wire->server->out.len = 0;
    return wire;
}

static inline struct wire *wire_new(void)
{
    return wire_new_with(65535, 100);
}

static inline void wire_free(struct wire *wire)
{
    nghttp2_hd_deflate_del(wire->deflater);
    end_free(wire->server);
    free(wire);
}

/* Fields by name and value in turn, up to NULL. */
static inline size_t deflate(struct wire *wire, const char *const *fields, uint8_t *out, size_t room)
{
    static nghttp2_nv all[512];
    size_t count = 0;
    for (; fields[2 * count]; count++) {
        assert_true(count < 512);
        all[count] =
            (nghttp2_nv){(uint8_t *)(uintptr_t)fields[2 * count], (uint8_t *)(uintptr_t)fields[2 * count + 1],
                         strlen(fields[2 * count]), strlen(fields[2 * count + 1]), NGHTTP2_NV_FLAG_NO_INDEX};
    }
    ssize_t len = nghttp2_hd_deflate_hd(wire->deflater, out, room, all, count);
    assert_true(len >= 0);
    return (size_t)len;
}

static inline void add_headers(struct wire *wire, uint32_t id, bool ends, const char *const *fields)
{
    static uint8_t block[65536];
    size_t len = deflate(wire, fields, block, sizeof(block)), first = len < 16384 ? len : 16384;
    add_frame(wire, NGHTTP2_HEADERS,
              (ends ? NGHTTP2_FLAG_END_STREAM : 0u) | (first == len ? NGHTTP2_FLAG_END_HEADERS : 0u), id,
              block, first);
    for (size_t at = first; at < len;) {
        size_t piece = len - at < 16384 ? len - at : 16384;
        add_frame(wire, NGHTTP2_CONTINUATION, at + piece == len ? NGHTTP2_FLAG_END_HEADERS : 0u, id,
                  block + at, piece);
        at += piece;
    }
}

#define BASE        ":method", "GET", ":scheme", "https", ":authority", "example.com", ":path", "/"
#define FIELDS(...) ((const char *const[]){__VA_ARGS__, NULL, NULL})

static inline void add_get(struct wire *wire, uint32_t id, bool ends)
{
    add_headers(wire, id, ends, FIELDS(BASE));
}

#endif
