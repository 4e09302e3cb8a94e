#include "lb/net/fetch.h"

#include <stdio.h>
#include <stdlib.h>

#include "lb/base/addr.h"
#include "lb/http/h1.h"

enum { INPUT_MAX = 8192, TEXT_MAX = 128 };

struct fetch {
    uv_loop_t *loop;
    fetch_done *done; /* NULL once it was called, or cancelled */
    void *context;
    unsigned pending; /* callbacks that libuv still owes: the memory goes with the last one */
    uv_timer_t timer;
    uv_getaddrinfo_t resolve;
    bool resolving;
    struct addrinfo *addresses; /* of a name */
    struct addrinfo numeric;    /* where the URL has an address itself */
    struct addr address;
    const struct addrinfo *next; /* to try */
    struct attempt *attempt;     /* that runs */
    struct h1_decoder *decoder;
    struct http_head head;
    bool has_head;
    char *answer;
    size_t answer_len;
    char why[TEXT_MAX]; /* what failed last */
    char input[INPUT_MAX];
    size_t request_len;
    char request[];
};

/* One connection to one address. */
struct attempt {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    struct fetch *fetch;
    bool over;
};

/* ---- the end ---- */

static void release(struct fetch *fetch)
{
    if (--fetch->pending > 0)
        return;
    if (fetch->addresses)
        uv_freeaddrinfo(fetch->addresses);
    h1_decoder_free(fetch->decoder);
    http_head_free(&fetch->head);
    free(fetch->answer);
    free(fetch);
}

static void on_timer_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void on_attempt_closed(uv_handle_t *handle)
{
    struct attempt *attempt = handle->data;
    struct fetch *fetch = attempt->fetch;
    free(attempt);
    release(fetch);
}

static void abandon(struct fetch *fetch)
{
    struct attempt *attempt = fetch->attempt;
    fetch->attempt = NULL;
    if (!attempt)
        return;
    attempt->over = true;
    uv_close((uv_handle_t *)&attempt->tcp, on_attempt_closed);
}

/* `done` may look at the answer, which stands until the last handle is closed. */
static void finish(struct fetch *fetch, const char *why)
{
    fetch_done *done = fetch->done;
    if (!done)
        return;
    fetch->done = NULL;
    if (fetch->resolving)
        uv_cancel((uv_req_t *)&fetch->resolve); /* one that runs goes on; its end is waited for */
    abandon(fetch);
    uv_close((uv_handle_t *)&fetch->timer, on_timer_closed);
    done(fetch->context, slice_make(fetch->answer ? fetch->answer : "", why ? 0 : fetch->answer_len), why);
}

static void ignore(void *context, struct slice body, const char *why)
{
    (void)context;
    (void)body;
    (void)why;
}

void fetch_cancel(struct fetch *fetch)
{
    fetch->done = ignore;
    finish(fetch, "cancelled");
}

static void on_timeout(uv_timer_t *timer)
{
    struct fetch *fetch = timer->data;
    finish(fetch, fetch->why[0] ? fetch->why : "no answer in time");
}

/* Within fetch_post nobody may be called back. */
static void fail_later(struct fetch *fetch)
{
    uv_timer_start(&fetch->timer, on_timeout, 0, 0);
}

/* ---- the answer ---- */

static const char *keep_body(struct fetch *fetch, struct slice piece)
{
    if (fetch->answer_len + piece.len > FETCH_ANSWER_MAX)
        return "the answer has more than 64 KB";
    char *longer = realloc(fetch->answer, fetch->answer_len + piece.len + 1);
    if (!longer)
        return "out of memory";
    fetch->answer = longer;
    memcpy(longer + fetch->answer_len, piece.data, piece.len);
    fetch->answer_len += piece.len;
    return NULL;
}

static const char *judge_head(struct fetch *fetch)
{
    unsigned status = fetch->head.status;
    if (status == 200)
        return NULL;
    snprintf(fetch->why, sizeof fetch->why, "it answered with HTTP status %u", status);
    return fetch->why;
}

/* Reads what came; the fetch is gone after it has finished. */
static void read_answer(struct fetch *fetch, struct slice in)
{
    const char *why = NULL;
    for (;;) {
        struct h1_result result = h1_decode(fetch->decoder, &in, fetch->has_head ? NULL : &fetch->head);
        if (result.event == H1_MORE)
            return;
        if (result.event == H1_HEAD && fetch->head.status >= 100 && fetch->head.status < 200) {
            http_head_reset(&fetch->head);
            continue;
        }
        fetch->has_head = true;
        if (result.event == H1_HEAD)
            why = judge_head(fetch);
        else if (result.event == H1_BODY)
            why = keep_body(fetch, result.body);
        else if (result.event == H1_INVALID)
            why = "what it answered is no HTTP";
        if (why || result.event == H1_END || (result.event == H1_HEAD && result.ends)) {
            finish(fetch, why);
            return;
        }
    }
}

static void on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
    struct attempt *attempt = handle->data;
    (void)wanted;
    *buffer = uv_buf_init(attempt->fetch->input, INPUT_MAX);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    struct attempt *attempt = stream->data;
    struct fetch *fetch = attempt->fetch;
    if (attempt->over)
        return;
    if (got >= 0)
        read_answer(fetch, slice_make(buffer->base, (size_t)got));
    else if (got == UV_EOF && h1_decoder_eof(fetch->decoder) == H1_END)
        finish(fetch, NULL);
    else
        finish(fetch, got == UV_EOF ? "the connection ended before the answer was complete"
                                    : "the connection broke before the answer was complete");
}

/* ---- the connection ---- */

static void try_next(struct fetch *fetch);

static void note(struct fetch *fetch, const char *what, int error)
{
    snprintf(fetch->why, sizeof fetch->why, "%s: %s", what, uv_strerror(error));
}

static void on_written(uv_write_t *write, int status)
{
    (void)write;
    (void)status; /* reading tells what became of the connection */
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct attempt *attempt = connect->data;
    struct fetch *fetch = attempt->fetch;
    if (attempt->over)
        return;
    uv_buf_t buffer = uv_buf_init(fetch->request, (unsigned)fetch->request_len);
    int error = status;
    if (error == 0)
        error = uv_read_start((uv_stream_t *)&attempt->tcp, on_alloc, on_read);
    if (error == 0)
        error = uv_write(&attempt->write, (uv_stream_t *)&attempt->tcp, &buffer, 1, on_written);
    if (error == 0) {
        fetch->why[0] = '\0';
        return;
    }
    note(fetch, "cannot connect", error);
    abandon(fetch);
    try_next(fetch);
}

static int open_attempt(struct fetch *fetch, const struct sockaddr *address)
{
    struct attempt *attempt = calloc(1, sizeof *attempt);
    if (!attempt)
        return UV_ENOMEM;
    int error = uv_tcp_init(fetch->loop, &attempt->tcp);
    if (error != 0) {
        free(attempt);
        return error;
    }
    attempt->fetch = fetch;
    attempt->tcp.data = attempt->connect.data = attempt;
    fetch->attempt = attempt;
    fetch->pending++;
    error = uv_tcp_connect(&attempt->connect, &attempt->tcp, address, on_connected);
    if (error != 0)
        abandon(fetch);
    return error;
}

static void try_next(struct fetch *fetch)
{
    while (fetch->next) {
        const struct addrinfo *address = fetch->next;
        fetch->next = address->ai_next;
        int error = open_attempt(fetch, address->ai_addr);
        if (error == 0)
            return;
        note(fetch, "cannot connect", error);
    }
    fail_later(fetch);
}

static void on_resolved(uv_getaddrinfo_t *resolve, int status, struct addrinfo *addresses)
{
    struct fetch *fetch = resolve->data;
    fetch->resolving = false;
    fetch->addresses = addresses;
    if (fetch->done) {
        if (status != 0)
            note(fetch, "its name cannot be looked up", status);
        fetch->next = status == 0 ? addresses : NULL;
        try_next(fetch);
    }
    release(fetch);
}

static bool is_numeric(struct fetch *fetch, const struct http_url *url)
{
    int port = atoi(url->port);
    if (uv_ip4_addr(url->host, port, &fetch->address.in) != 0 &&
        uv_ip6_addr(url->host, port, &fetch->address.in6) != 0)
        return false;
    fetch->numeric.ai_addr = &fetch->address.sa;
    fetch->next = &fetch->numeric;
    return true;
}

static void look_up(struct fetch *fetch, const struct http_url *url)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    if (is_numeric(fetch, url)) {
        try_next(fetch);
        return;
    }
    fetch->resolve.data = fetch;
    int error = uv_getaddrinfo(fetch->loop, &fetch->resolve, on_resolved, url->host, url->port, &hints);
    if (error == 0) {
        fetch->resolving = true;
        fetch->pending++;
        return;
    }
    note(fetch, "its name cannot be looked up", error);
    fail_later(fetch);
}

/* ---- the beginning ---- */

static size_t head_size(const struct http_url *url)
{
    return 256 + strlen(url->target) + strlen(url->authority);
}

static struct fetch *allocate(const struct http_url *url, const char *type, struct slice body)
{
    static const struct http_limits limits = {.header_bytes = 16384, .header_count = 100, .uri_bytes = 16384};
    size_t room = head_size(url) + strlen(type);
    struct fetch *fetch = calloc(1, sizeof *fetch + room + body.len);
    if (!fetch)
        return NULL;
    int len = snprintf(fetch->request, room,
                       "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                       "Connection: close\r\n\r\n",
                       url->target, url->authority, type, body.len);
    memcpy(fetch->request + len, body.data, body.len);
    fetch->request_len = (size_t)len + body.len;
    http_head_init(&fetch->head);
    fetch->decoder = h1_decoder_new(H1_RESPONSES, &limits);
    if (fetch->decoder)
        return fetch;
    free(fetch);
    return NULL;
}

struct fetch *fetch_post(uv_loop_t *loop, const struct http_url *url, const char *type, struct slice body,
                         uint64_t timeout_ms, fetch_done *done, void *context)
{
    struct fetch *fetch = allocate(url, type, body);
    if (!fetch)
        return NULL;
    fetch->loop = loop;
    fetch->done = done;
    fetch->context = context;
    fetch->pending = 1;
    h1_decoder_expect(fetch->decoder, false, false);
    uv_timer_init(loop, &fetch->timer);
    fetch->timer.data = fetch;
    uv_timer_start(&fetch->timer, on_timeout, timeout_ms, 0);
    look_up(fetch, url);
    return fetch;
}
