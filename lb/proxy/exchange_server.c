/* The server's side of an exchange: one server after the other until one answers, then its answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lb/proxy/exchange.h"
#include "lb/proxy/http.h"
#include "lb/proxy/steps.h"

static void try_next(struct exchange *exchange);

/* ---- sending ---- */

static bool has_body(const struct exchange *exchange)
{
    return !exchange->request_ended || exchange->body.len > 0 || exchange->request_trailers;
}

/* The body goes out as it comes from now on. */
static void sent(struct exchange *exchange, enum stream_written wrote)
{
    if (wrote == STREAM_BROKEN)
        exchange->upload_broken = true;
    else if (wrote == STREAM_WROTE)
        exchange_resume_client(exchange);
}

static void send_request(struct exchange *exchange)
{
    struct slice body = slice_make(exchange->body.bytes, exchange->body.len);
    struct slice path = head_text(exchange->request, exchange->path);
    bool ends = !has_body(exchange);
    exchange->connected_us = exchange->connected_us ? exchange->connected_us : exchange_clock(exchange);
    exchange_enter(exchange, EXCHANGE_WAIT);
    enum stream_written wrote = upstream_request(exchange->upstream, exchange->request, path, body, ends);
    exchange->request_sent = ends;
    if (exchange->state == EXCHANGE_DONE)
        return;
    if (!method_idempotent(exchange->request->method)) {
        exchange->body_lost = exchange->body_lost || exchange->body.len > 0;
        body_drop(&exchange->body);
    }
    if (!ends && exchange->request_ended)
        exchange_request_whole(exchange);
    sent(exchange, wrote);
}

void exchange_request_whole(struct exchange *exchange)
{
    if (exchange->request_sent || exchange->upload_broken || !exchange->upstream)
        return;
    exchange->request_sent = true;
    if (upstream_end(exchange->upstream, exchange->request_trailers) == STREAM_BROKEN)
        exchange->upload_broken = true;
}

/* ---- leaving a server ---- */

static void drop_upstream(struct exchange *exchange)
{
    struct upstream *upstream = exchange->upstream;
    exchange->upstream = NULL;
    if (upstream)
        upstream_close(upstream);
}

void exchange_server_leave(struct exchange *exchange)
{
    const struct member *member = exchange->member;
    drop_upstream(exchange);
    exchange->member = NULL;
    exchange->server_paused = false;
    if (member)
        balancer_release_member(member);
}

/* ---- another try, or none ---- */

static bool nothing_was_sent(const struct exchange *exchange)
{
    enum upstream_trouble trouble = exchange->failure.trouble;
    return trouble == UPSTREAM_CONNECT || trouble == UPSTREAM_UNTOUCHED || trouble == UPSTREAM_TLS ||
           trouble == UPSTREAM_IMPOSTOR;
}

/* RFC 9110 section 9.2.2: what may have been done once may be done again only if it is idempotent. */
static bool may_try_again(const struct exchange *exchange)
{
    enum upstream_trouble trouble = exchange->failure.trouble;
    if (exchange->body_lost || exchange->answer_begun)
        return false;
    return nothing_was_sent(exchange) ||
           (trouble == UPSTREAM_CLOSED && method_idempotent(exchange->request->method));
}

static void give_up(struct exchange *exchange)
{
    const struct upstream_failure *failure = &exchange->failure;
    if (exchange->tries == 0) {
        exchange_refuse(exchange, 503, REASON_NO_SERVER,
                        "no server of the backend is up with room for a request");
        return;
    }
    switch (failure->trouble) {
    case UPSTREAM_CONNECT:
        if (failure->error == UV_ETIMEDOUT)
            exchange_refuse(exchange, 504, REASON_TIMEOUT_CONNECT, uv_strerror(failure->error));
        else
            exchange_refuse(exchange, 503, REASON_CONNECT_FAILED, uv_strerror(failure->error));
        break;
    case UPSTREAM_TLS: exchange_refuse(exchange, 503, REASON_SERVER_TLS_FAILED, failure->text); break;
    case UPSTREAM_IMPOSTOR: exchange_refuse(exchange, 503, REASON_SERVER_CERTIFICATE, failure->text); break;
    case UPSTREAM_UNTOUCHED:
    case UPSTREAM_CLOSED: exchange_refuse(exchange, 502, REASON_SERVER_CLOSED, failure->text); break;
    case UPSTREAM_BAD_ANSWER: exchange_refuse(exchange, 502, REASON_ANSWER_INVALID, failure->text); break;
    case UPSTREAM_CUT: exchange_refuse(exchange, 502, REASON_ANSWER_CUT, failure->text); break;
    case UPSTREAM_NO_MEMORY: exchange_refuse(exchange, 500, REASON_NO_MEMORY, NULL); break;
    }
}

/* A kept connection that the server had given up says nothing about the server: once more, over a new one. */
static bool stale(const struct exchange *exchange)
{
    return exchange->upstream && upstream_reused(exchange->upstream) && !exchange->fresh &&
           exchange->failure.trouble == UPSTREAM_CLOSED;
}

static void forget_try(struct exchange *exchange)
{
    struct balancer *balancer = generation_balancer(exchange->service->generation, exchange->backend);
    size_t index = (size_t)(exchange->member - balancer->backend->members);
    exchange->tried.bits[index / 64] &= ~((uint64_t)1 << (index % 64));
}

static void failed_once(struct exchange *exchange)
{
    bool again = may_try_again(exchange);
    if (again && stale(exchange)) {
        exchange->fresh = true;
        forget_try(exchange);
        exchange->tries--;
    }
    if (exchange->answer_begun) {
        exchange_note(exchange, exchange->failure.text);
        exchange_cut(exchange, exchange->failure.trouble == UPSTREAM_BAD_ANSWER ? REASON_ANSWER_INVALID
                                                                                : REASON_ANSWER_CUT);
        return;
    }
    exchange_server_leave(exchange);
    exchange->upload_broken = exchange->request_sent = false;
    if (again)
        try_next(exchange);
    else
        give_up(exchange);
}

/* ---- events ---- */

static void on_ready(void *owner)
{
    struct exchange *exchange = owner;
    exchange->server_tls = upstream_tls(exchange->upstream);
    send_request(exchange);
}

static size_t on_announce(void *owner, char *out)
{
    const struct exchange *exchange = owner;
    return proxy_announce(exchange->conn, exchange->backend, exchange->id, out);
}

/* The text outlives the connection: another server may be tried first. That of TLS says whose it is. */
static void keep_failure(struct exchange *exchange, const struct upstream_failure *failure)
{
    bool tls = failure->trouble == UPSTREAM_TLS || failure->trouble == UPSTREAM_IMPOSTOR;
    char line[512];
    exchange->failure = *failure;
    free(exchange->failure_text);
    if (tls)
        snprintf(line, sizeof(line), "server %s: %s", exchange->member->name, failure->text);
    const char *text = tls ? line : failure->text;
    exchange->failure_text = text ? strdup(text) : NULL;
    exchange->failure.text = exchange->failure_text;
}

static void on_failed(void *owner, const struct upstream_failure *failure)
{
    struct exchange *exchange = owner;
    keep_failure(exchange, failure);
    failed_once(exchange);
}

static void on_upstream_drained(void *owner)
{
    struct exchange *exchange = owner;
    exchange_touch(exchange);
    exchange_resume_client(exchange);
}

/* Nothing holds them back when the client does not read: a few are an answer, many are none. */
#define INTERIMS_MAX 64

static void interim(struct exchange *exchange, struct http_head *head)
{
    bool few = ++exchange->interims <= INTERIMS_MAX;
    forward_response(head, false);
    if (few)
        exchange->http->ops->head(exchange, head, false);
    head_pool_give(&exchange->conn->thread->http->heads, head);
    if (!few)
        exchange_refuse(exchange, 502, REASON_ANSWER_INVALID, "the server sends interim answers without end");
}

/* Only a chunked answer has trailers in HTTP/1 (RFC 9112 section 7.1.2). */
static uint64_t whole_of(const struct exchange *exchange, const struct http_head *head)
{
    return head->content_length > 0 && !exchange->backend->h2 ? (uint64_t)head->content_length : 0;
}

/* The answer's bytes are the client's from here on. */
void exchange_pass_answer(struct exchange *exchange)
{
    struct http_head *head = exchange->answer;
    const struct front_ops *ops = exchange->http->ops;
    bool tunnel = head->status == 101;
    bool ends = exchange->server_ended && exchange->answer_body.len == 0 && !exchange->answer_trailers;
    exchange->answer = NULL;
    exchange->answer_begun = true;
    exchange->status = head->status;
    exchange->whole = whole_of(exchange, head);
    exchange_enter(exchange, tunnel ? EXCHANGE_TUNNEL : EXCHANGE_ANSWER);
    ops->head(exchange, head, ends);
    head_pool_give(&exchange->conn->thread->http->heads, head);
    if (tunnel && exchange->state != EXCHANGE_DONE) {
        exchange->request_ended = exchange->request_sent = false; /* of the bytes that follow now */
        ops->tunnel(exchange);
        if (exchange->state != EXCHANGE_DONE && exchange->conn->client_ended)
            exchange_end(exchange, NULL);
    } else if (ends && exchange->state != EXCHANGE_DONE)
        exchange_answer_whole(exchange);
}

/* False: the client has to take more first. */
static bool pass_body(struct exchange *exchange, struct slice bytes)
{
    exchange->bytes_out += bytes.len;
    if (exchange->http->ops->body(exchange, bytes) || exchange->state == EXCHANGE_DONE)
        return true;
    if (exchange->upstream && !exchange->server_paused) {
        exchange->server_paused = true;
        upstream_pause(exchange->upstream);
    }
    return false;
}

static void final_head(struct exchange *exchange, struct http_head *head, bool ends)
{
    exchange->first_us = exchange_clock(exchange);
    exchange->answer = head;
    exchange->status = head->status;
    exchange->server_ended = ends;
    body_drop(&exchange->body);
    if (!forward_response(head, head->status == 101))
        exchange_refuse(exchange, 500, REASON_NO_MEMORY, NULL);
    else if (head->status == 101 || !exchange_judge(exchange))
        exchange_pass_answer(exchange);
}

static void on_server_head(void *owner, struct http_head *head, bool ends)
{
    struct exchange *exchange = owner;
    exchange_touch(exchange);
    if (head->status < 200 && head->status != 101)
        interim(exchange, head);
    else
        final_head(exchange, head, ends);
}

#define JUDGE_PAUSE (64 * 1024)

/* While on_response waits, what has been read already is kept. */
static void hold_answer(struct exchange *exchange, struct slice bytes)
{
    if (!body_keep(&exchange->answer_body, bytes)) {
        exchange_refuse(exchange, 500, REASON_NO_MEMORY, NULL);
    } else if (exchange->answer_body.len > JUDGE_PAUSE && !exchange->server_paused) {
        exchange->server_paused = true;
        upstream_pause(exchange->upstream);
    }
}

static void on_server_body(void *owner, struct slice bytes)
{
    struct exchange *exchange = owner;
    if (exchange->state == EXCHANGE_JUDGE) {
        hold_answer(exchange, bytes);
        return;
    }
    exchange_touch(exchange);
    pass_body(exchange, bytes);
}

static void on_server_end(void *owner, struct http_head *trailers)
{
    struct exchange *exchange = owner;
    exchange->server_ended = true;
    if (trailers)
        forward_trailers(trailers);
    exchange->answer_trailers = trailers;
    if (exchange->state == EXCHANGE_TUNNEL) {
        exchange_touch(exchange);
        exchange->http->ops->end(exchange, NULL);
        if (exchange->request_ended)
            exchange_finish(exchange, REASON_FINISHED);
        else
            exchange_enter(exchange, EXCHANGE_TUNNEL); /* with another deadline */
    } else if (exchange->state != EXCHANGE_JUDGE) {
        exchange->http->ops->end(exchange, trailers);
        if (exchange->state != EXCHANGE_DONE)
            exchange_answer_whole(exchange);
    }
}

void exchange_answer_whole(struct exchange *exchange)
{
    exchange->answer_ended = true;
    /* The rest of the request is read and dropped, so that the connection can go on. */
    if (!exchange->request_ended && !exchange->http->h2) {
        exchange->reason = REASON_FINISHED;
        exchange_server_leave(exchange);
        exchange_enter(exchange, EXCHANGE_DRAIN);
        exchange_resume_client(exchange);
        return;
    }
    exchange_finish(exchange, REASON_FINISHED);
}

static void pass_held(struct exchange *exchange)
{
    struct kept_body held = exchange->answer_body;
    exchange->answer_body = (struct kept_body){0};
    bool more = held.len == 0 || pass_body(exchange, slice_make(held.bytes, held.len));
    body_drop(&held);
    if (exchange->state == EXCHANGE_DONE)
        return;
    if (exchange->server_ended) {
        exchange->http->ops->end(exchange, exchange->answer_trailers);
        if (exchange->state != EXCHANGE_DONE)
            exchange_answer_whole(exchange);
    } else if (exchange->server_paused && more) {
        exchange->server_paused = false;
        upstream_resume(exchange->upstream);
    }
}

/* RFC 9110 sections 15.3.5 and 15.4.5: the script has made it an answer without a body, so the body goes. */
static void drop_answer_body(struct exchange *exchange)
{
    drop_upstream(exchange);
    body_drop(&exchange->answer_body);
    head_pool_give(&exchange->conn->thread->http->heads, exchange->answer_trailers);
    exchange->answer_trailers = NULL;
    exchange->answer->content_length = -1;
    exchange->server_ended = true;
}

static bool is_bodiless(unsigned status)
{
    return status == 204 || status == 304;
}

void exchange_judged(struct exchange *exchange, unsigned status)
{
    struct http_head *answer = exchange->answer;
    /* Its length was that of another answer (RFC 9110 section 15.4.5). */
    if (is_bodiless(answer->status) && !is_bodiless(status) && exchange->request->method != METHOD_HEAD)
        answer->content_length = 0;
    if (status >= 200)
        answer->status = status;
    if (is_bodiless(status))
        drop_answer_body(exchange);
    bool whole = exchange->server_ended && exchange->answer_body.len == 0 && !exchange->answer_trailers;
    exchange_pass_answer(exchange);
    if (!whole && exchange->state != EXCHANGE_DONE)
        pass_held(exchange);
}

static const struct upstream_events server_events = {
    .ready = on_ready,
    .head = on_server_head,
    .body = on_server_body,
    .end = on_server_end,
    .drained = on_upstream_drained,
    .failed = on_failed,
    .announce = on_announce,
};

/* ---- trying ---- */

static const struct member *pick(struct exchange *exchange)
{
    struct balancer *balancer = generation_balancer(exchange->service->generation, exchange->backend);
    if (exchange->server)
        return balancer_pick_named(balancer, exchange->server, &exchange->tried);
    return balancer_pick(balancer, &exchange->tried);
}

/* True: a connection is there or on its way. */
static bool try_member(struct exchange *exchange)
{
    struct pool *pool =
        generation_pool(exchange->service->generation, &exchange->conn->thread->http->upstream);
    bool idempotent = method_idempotent(exchange->request->method);
    exchange->failure = (struct upstream_failure){.trouble = UPSTREAM_CONNECT, .error = UV_ENOMEM};
    exchange->member_name = exchange->member->name;
    exchange->tries++;
    if (pool)
        exchange->upstream = upstream_open(pool, exchange->backend, exchange->member, exchange->fresh,
                                           idempotent, &server_events, exchange, &exchange->failure.error);
    return exchange->upstream != NULL;
}

static void use_upstream(struct exchange *exchange)
{
    exchange->reused = upstream_reused(exchange->upstream);
    exchange->server_tls = upstream_tls(exchange->upstream);
    if (upstream_ready(exchange->upstream)) {
        if (exchange->tries == 1 && !exchange->fresh)
            exchange->connected_us = exchange->opened_us; /* nothing was waited for */
        send_request(exchange);
    } else
        exchange_enter(exchange, EXCHANGE_CONNECT);
}

static void try_next(struct exchange *exchange)
{
    while (exchange->tries <= exchange->backend->retries) {
        exchange->member = pick(exchange);
        if (!exchange->member)
            break;
        if (try_member(exchange)) {
            use_upstream(exchange);
            return;
        }
        exchange_server_leave(exchange);
    }
    give_up(exchange);
}

/* ---- beginning ---- */

/* Asked once for a connection: it does not change. */
static unsigned port_of(const struct exchange *exchange)
{
    struct http_conn *http = exchange->http;
    struct addr local;
    if (http->port == 0 && conn_local(exchange->conn, &local))
        http->port = addr_port(&local);
    return http->port;
}

static bool forward(struct exchange *exchange)
{
    const struct http_settings *settings = &exchange->service->listener->http;
    struct conn *conn = exchange->conn;
    struct forward_facts facts = {
        .client = &conn->peer,
        .tls = conn->client->tls != NULL,
        .trusted = exchange->trusted,
        .host = head_text(exchange->request, exchange->request->authority),
        .port = port_of(exchange),
        .mode = settings->forwarded,
        .identity = settings->identity,
        .host_out = slice_of(exchange->backend->host),
    };
    if (conn->client->tls)
        facts.chain = tls_session_chain(conn->client->tls, &facts.chain_len);
    memcpy(facts.request_id, exchange->id, sizeof(exchange->id));
    bool good = exchange_set_packed(exchange->request, slice_make(conn->headers, conn->headers_len)) &&
                forward_request(exchange->request, &facts);
    return good;
}

void exchange_server_start(struct exchange *exchange)
{
    exchange->opened_us = exchange_clock(exchange);
    if (forward(exchange))
        try_next(exchange);
    else
        exchange_refuse(exchange, 500, REASON_NO_MEMORY, NULL);
}

void exchange_server_expired(struct exchange *exchange)
{
    exchange->failure = (struct upstream_failure){.trouble = UPSTREAM_CONNECT, .error = UV_ETIMEDOUT};
    count(&exchange->member->server->connect_errors, 1);
    exchange_server_leave(exchange);
    try_next(exchange);
}
