/* What the HTTP connections of one thread share, and the end of each turn of the loop: what was written in it
 * is sent at once, so that many answers go out in few system calls. */
#include <stdlib.h>

#include "lb/proxy/http.h"

#define SPARE_MAX 256

static void flush_front(struct http_conn *http)
{
    if (http->h2)
        front_h2_flush(http);
    else
        front_h1_flush(http);
}

static void flush_dirty(struct http_thread *thread)
{
    while (thread->dirty) {
        struct http_conn *http = thread->dirty;
        thread->dirty = http->next_dirty;
        http->dirty = false;
        flush_front(http);
    }
}

static void recycle(struct http_thread *thread)
{
    while (thread->finished) {
        struct exchange *exchange = thread->finished;
        thread->finished = exchange->next_waiting;
        if (thread->spare_count == SPARE_MAX) {
            free(exchange);
            continue;
        }
        exchange->next_waiting = thread->spare;
        thread->spare = exchange;
        thread->spare_count++;
    }
}

void http_flush(struct proxy_thread *proxy)
{
    struct http_thread *thread = proxy->http;
    if (thread->out_owner)
        front_h1_flush(thread->out_owner);
    flush_dirty(thread);
    recycle(thread);
}

static void on_prepare(uv_prepare_t *prepare)
{
    http_flush(prepare->data);
}

static void on_check(uv_check_t *check)
{
    http_flush(check->data);
}

/* Before the loop waits and after it has heard: whatever was written by a timer, a letter or a socket goes
 * out without a wait in between. */
static void watch_turns(struct proxy_thread *proxy)
{
    struct http_thread *thread = proxy->http;
    uv_prepare_init(proxy->net.loop, &thread->prepare);
    uv_check_init(proxy->net.loop, &thread->check);
    thread->prepare.data = thread->check.data = proxy;
    uv_prepare_start(&thread->prepare, on_prepare);
    uv_check_start(&thread->check, on_check);
}

bool http_thread_init(struct proxy_thread *proxy)
{
    struct http_thread *thread = calloc(1, sizeof(*thread));
    if (!thread)
        return false;
    thread->upstream =
        (struct upstream_thread){.net = &proxy->net, .heads = &thread->heads, .memory = &thread->memory};
    proxy->http = thread;
    watch_turns(proxy);
    return true;
}

void http_thread_close(struct proxy_thread *proxy)
{
    http_flush(proxy);
    uv_close((uv_handle_t *)&proxy->http->prepare, NULL);
    uv_close((uv_handle_t *)&proxy->http->check, NULL);
}

void http_thread_free(struct proxy_thread *proxy)
{
    struct http_thread *thread = proxy->http;
    recycle(thread);
    while (thread->spare) {
        struct exchange *exchange = thread->spare;
        thread->spare = exchange->next_waiting;
        free(exchange);
    }
    exchange_facts_free(thread);
    head_pool_free(&thread->heads);
    h2_memory_free(&thread->memory);
    http_out_free(&thread->out);
    http_out_free(&thread->upstream.out);
    free(thread);
}

void http_mark_dirty(struct http_conn *http)
{
    struct http_thread *thread = http->conn->thread->http;
    if (http->dirty)
        return;
    http->dirty = true;
    http->next_dirty = thread->dirty;
    thread->dirty = http;
}

void http_drain(struct proxy_thread *proxy)
{
    struct conn *next;
    proxy->http->draining = true;
    for (struct conn *conn = proxy->first; conn; conn = next) {
        next = conn->next;
        if (conn->state == CONN_HTTP)
            http_leave(conn->http);
    }
}
