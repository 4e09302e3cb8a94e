/* HTTP/2 sessions: the first byte says whether server or client, and how its owner behaves; what follows
 * comes from the peer, in pieces. What the events promise must hold. */
#include <stdint.h>
#include <stdlib.h>

#include "lb/http/h2.h"

#define STREAMS 128

struct owner {
    struct h2_session *session;
    struct head_pool heads;
    struct h2_stream *live[STREAMS];
    unsigned calls;
    uint8_t manner;
    bool freed;
};

static void check(int condition)
{
    if (!condition)
        abort();
}

static int place(const struct owner *owner, const struct h2_stream *stream)
{
    for (int i = 0; i < STREAMS; i++)
        if (owner->live[i] == stream)
            return i;
    return -1;
}

static void forget(struct owner *owner, const struct h2_stream *stream)
{
    int at = place(owner, stream);
    check(at >= 0);
    owner->live[at] = NULL;
}

/* Every so many calls something else than usual happens. */
static bool turn(struct owner *owner, unsigned bit)
{
    check(!owner->freed);
    owner->calls++;
    return owner->manner >> bit & 1 && owner->calls % 5 == bit % 5;
}

static void answer(struct owner *owner, struct h2_stream *stream)
{
    static const char body[20000];
    struct http_head head;
    http_head_init(&head);
    head.status = owner->calls % 7 == 0 ? 103 : 200;
    check(http_head_add(&head, SLICE_LITERAL("x"), SLICE_LITERAL("y")));
    h2_respond(stream, &head, owner->calls % 3 == 0);
    h2_write(stream, slice_make(body, owner->calls % 2 ? 5 : sizeof(body)));
    h2_end(stream, owner->calls % 4 == 0 ? &head : NULL);
    http_head_free(&head);
}

static void on_head(void *data, struct h2_stream *stream, struct http_head *head, bool ends)
{
    struct owner *owner = data;
    (void)ends;
    for (unsigned i = 0; i < head->count; i++) {
        check(http_is_token(head_name(head, &head->fields[i])));
        check(http_is_value(head_value(head, &head->fields[i])));
    }
    if (!head->status)
        check(head->target.len > 0 && head->authority.len > 0 && head->method != METHOD_CONNECT);
    head_pool_give(&owner->heads, head);
    if (place(owner, stream) < 0) {
        int at = place(owner, NULL);
        check(at >= 0);
        owner->live[at] = stream;
    }
    if (turn(owner, 1)) {
        forget(owner, stream);
        h2_reset(stream, H2_REFUSED_STREAM);
    } else if (owner->manner & 1) {
        answer(owner, stream);
    }
}

static void on_data(void *data, struct h2_stream *stream, struct slice bytes)
{
    struct owner *owner = data;
    check(bytes.len > 0 && place(owner, stream) >= 0);
    if (turn(owner, 2)) {
        forget(owner, stream);
        h2_reset(stream, H2_CANCEL);
    } else if (!turn(owner, 3)) {
        h2_consumed(stream, bytes.len);
    }
}

static void on_end(void *data, struct h2_stream *stream, struct http_head *trailers)
{
    struct owner *owner = data;
    check(place(owner, stream) >= 0);
    head_pool_give(&owner->heads, trailers);
    if (!turn(owner, 4))
        answer(owner, stream);
}

static void on_reset(void *data, struct h2_stream *stream, uint32_t code, bool unprocessed)
{
    struct owner *owner = data;
    (void)code;
    check(!owner->freed && (!unprocessed || !(owner->manner & 0x80)));
    forget(owner, stream);
}

static void on_closed(void *data, struct h2_stream *stream)
{
    struct owner *owner = data;
    check(!owner->freed);
    forget(owner, stream);
}

static void on_drained(void *data, struct h2_stream *stream)
{
    struct owner *owner = data;
    check(place(owner, stream) >= 0 && h2_queued(stream) < H2_LOW);
}

static void on_output(void *data, struct slice bytes)
{
    struct owner *owner = data;
    check(bytes.len > 0 && !owner->freed);
}

static void on_goaway(void *data)
{
    struct owner *owner = data;
    if (turn(owner, 5)) {
        owner->freed = true;
        h2_free(owner->session);
    }
}

static const struct h2_events events = {.head = on_head,
                                        .data = on_data,
                                        .end = on_end,
                                        .reset = on_reset,
                                        .closed = on_closed,
                                        .drained = on_drained,
                                        .output = on_output,
                                        .goaway = on_goaway};

static void ask(struct owner *owner)
{
    struct http_head head;
    http_head_init(&head);
    check(http_head_put(&head, SLICE_LITERAL("POST"), &head.method_text));
    check(http_head_put(&head, SLICE_LITERAL("a.example"), &head.authority));
    for (unsigned i = 0; i < 3; i++) {
        struct h2_stream *stream = h2_request(owner->session, &head, SLICE_LITERAL("/"), i == 0, NULL);
        check(stream != NULL);
        owner->live[i] = stream;
        h2_write(stream, SLICE_LITERAL("some bytes"));
    }
    http_head_free(&head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct owner owner = {.manner = data[0]};
    struct h2_settings settings = {.server = data[0] & 0x80,
                                   .max_streams = 20,
                                   .stream_window = 4096,
                                   .session_window = 65536,
                                   .limits = {.header_bytes = 2048, .header_count = 20, .uri_bytes = 200},
                                   .heads = &owner.heads};
    owner.session = h2_new(&settings, &events, &owner);
    check(owner.session != NULL);
    if (!settings.server)
        ask(&owner);
    size_t piece = (size_t)data[1] + 1;
    for (size_t at = 2; at < size && !owner.freed; at += piece) {
        size_t len = size - at < piece ? size - at : piece;
        bool good = h2_receive(owner.session, slice_make(data + at, len));
        if (!owner.freed && !turn(&owner, 6))
            h2_send(owner.session);
        if (!good)
            break;
    }
    if (!owner.freed)
        h2_free(owner.session);
    head_pool_free(&owner.heads);
    return 0;
}
