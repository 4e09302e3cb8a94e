/* The life of an exchange: beginning, deadlines, the body on its way, and the one end. */
#include "lb/proxy/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "lb/base/clock.h"
#include "lb/base/network.h"
#include "lb/proxy/http.h"

/* From here on the client has to wait for a server that takes what it sends. */
#define BODY_PAUSE (64 * 1024)
/* What is kept of a body for sending it to another server. */
#define BODY_AGAIN (64 * 1024)

/* ---- states and deadlines ---- */

/* Of a tunnel: what was the request and the answer are its two directions. */
static bool is_half_closed(const struct exchange *exchange)
{
    return exchange->request_ended || exchange->server_ended;
}

static uint64_t limit_of(const struct exchange *exchange)
{
    const struct listener *listener = exchange->service->listener;
    bool awaits_body = !exchange->request_ended && !exchange->client_paused;
    switch (exchange->state) {
    case EXCHANGE_SCRIPT:
    case EXCHANGE_JUDGE: return exchange->wait_ms;
    case EXCHANGE_CONNECT: return exchange->backend->timeout_connect_ms;
    case EXCHANGE_DRAIN: return listener->http.timeout_body_ms;
    case EXCHANGE_WAIT:
        return awaits_body ? listener->http.timeout_body_ms : exchange->backend->timeout_server_ms;
    case EXCHANGE_ANSWER:
        return exchange->http->ops->blocked(exchange) ? listener->timeout_idle_ms
                                                      : exchange->backend->timeout_server_ms;
    case EXCHANGE_TUNNEL:
        return is_half_closed(exchange) ? listener->timeout_half_closed_ms : listener->timeout_idle_ms;
    default: return 0;
    }
}

/* A script's time goes on however bytes dribble meanwhile. */
void exchange_touch(struct exchange *exchange)
{
    if (!exchange->call)
        exchange->since_ms = conn_now_ms(exchange->conn);
}

static void arm(struct exchange *exchange, uint64_t due)
{
    wheel_arm(&exchange->conn->thread->wheel, &exchange->deadline.entry, due);
}

/* A slow reader is told apart from one that has gone: what waits for it gets less. */
static bool still_taken(struct exchange *exchange)
{
    size_t before = exchange->unsent;
    if (exchange->state != EXCHANGE_TUNNEL && !exchange->http->ops->blocked(exchange))
        return false;
    exchange->unsent = exchange->http->ops->unsent(exchange);
    return exchange->unsent > 0 && exchange->unsent != before;
}

/* The body's own pace is looked at while the server waits for it; a script that reads it has its own limit.
 */
static void expired(struct exchange *exchange)
{
    switch (exchange->state) {
    case EXCHANGE_SCRIPT:
    case EXCHANGE_JUDGE: exchange_script_resume(exchange); break;
    case EXCHANGE_CONNECT: exchange_server_expired(exchange); break;
    case EXCHANGE_WAIT:
        if (!exchange->request_ended && !exchange->client_paused)
            exchange_refuse(exchange, 408, REASON_TIMEOUT_BODY, NULL);
        else
            exchange_refuse(exchange, 504, REASON_TIMEOUT_SERVER, NULL);
        break;
    case EXCHANGE_ANSWER:
        exchange_cut(exchange,
                     exchange->http->ops->blocked(exchange) ? REASON_TIMEOUT_IDLE : REASON_TIMEOUT_SERVER);
        break;
    case EXCHANGE_DRAIN: exchange_finish(exchange, exchange->reason); break;
    default:
        exchange_cut(exchange, is_half_closed(exchange) ? REASON_TIMEOUT_HALF_CLOSED : REASON_TIMEOUT_IDLE);
        break;
    }
}

static void on_deadline(struct deadline *deadline)
{
    struct exchange *exchange = (struct exchange *)deadline; /* its first member */
    uint64_t limit = limit_of(exchange), now = conn_now_ms(exchange->conn);
    if (limit == 0)
        return;
    if (exchange->since_ms + limit > now)
        arm(exchange, exchange->since_ms + limit);
    else if (exchange->state >= EXCHANGE_ANSWER && still_taken(exchange))
        exchange_enter(exchange, exchange->state); /* the deadline starts anew */
    else
        expired(exchange);
}

/* Armed ahead and looked at when it fires: only an earlier end than the armed one moves the entry. */
void exchange_enter(struct exchange *exchange, enum exchange_state state)
{
    if (exchange->state == EXCHANGE_DONE)
        return;
    exchange->state = state;
    exchange->since_ms = conn_now_ms(exchange->conn);
    uint64_t limit = limit_of(exchange);
    if (limit > 0 && (!wheel_armed(&exchange->deadline.entry) ||
                      exchange->deadline.entry.due_ms > exchange->since_ms + limit))
        arm(exchange, exchange->since_ms + limit);
}

/* ---- beginning ---- */

static struct exchange *take_memory(struct http_thread *thread)
{
    struct exchange *exchange = thread->spare;
    if (!exchange)
        return malloc(sizeof(*exchange));
    thread->spare = exchange->next_waiting;
    thread->spare_count--;
    return exchange;
}

/* Only the log asks for times: where there is none, the clock is not looked at. */
uint64_t exchange_clock(const struct exchange *exchange)
{
    return exchange->service->listener->log_connections ? clock_us() : 0;
}

static void enlist(struct exchange *exchange)
{
    struct http_conn *http = exchange->http;
    exchange->next = http->running;
    if (exchange->next)
        exchange->next->prev = exchange;
    http->running = exchange;
}

struct exchange *exchange_new(struct http_conn *http, struct http_head *head, void *stream)
{
    struct conn *conn = http->conn;
    struct exchange *exchange = take_memory(conn->thread->http);
    if (!exchange) {
        head_pool_give(&conn->thread->http->heads, head);
        return NULL;
    }
    memset(exchange, 0, sizeof(*exchange));
    exchange->deadline.fired = on_deadline;
    exchange->conn = conn;
    exchange->http = http;
    exchange->request = head;
    exchange->stream = stream;
    exchange->service = conn->service;
    exchange->started_us = exchange_clock(exchange);
    generation_hold(conn->service->generation);
    enlist(exchange);
    count(&conn->service->listener->state->requests, 1);
    return exchange;
}

/* The connection may have moved to a newer snapshot since. */
static void use_newest(struct exchange *exchange)
{
    struct service *service = exchange->conn->service;
    if (exchange->service == service)
        return;
    generation_hold(service->generation);
    generation_drop(exchange->service->generation);
    exchange->service = service;
    if (exchange->started_us == 0)
        exchange->started_us = exchange_clock(exchange);
}

static bool known_too_large(const struct exchange *exchange)
{
    uint64_t most = exchange->service->listener->http.max_body;
    int64_t length = exchange->request->content_length;
    return most > 0 && length > 0 && (uint64_t)length > most;
}

/* False: refused already. Whoever names no clear host or path on an HTTP/1 connection is not listened to any
 * further there, as after any other malformed head. */
static bool read_target(struct exchange *exchange)
{
    unsigned status;
    const char *why;
    if (http_target_read(exchange->request, exchange->service->listener->http.slash, &exchange->target,
                         &status, &why))
        return true;
    exchange->close = !exchange->http->h2;
    if (status == 0)
        exchange_refuse(exchange, 500, REASON_NO_MEMORY, NULL);
    else
        exchange_refuse(exchange, status, REASON_REQUEST_INVALID, why);
    return false;
}

/* Before anything is decided: scripts and refusals name it, too. */
static void name_request(struct exchange *exchange)
{
    struct forward_facts facts = {.ids = &exchange->conn->thread->http->ids};
    forward_request_id(exchange->request, &facts);
    memcpy(exchange->id, facts.request_id, sizeof(exchange->id));
}

void exchange_begin(struct exchange *exchange)
{
    const struct http_conn *http = exchange->http;
    use_newest(exchange);
    if (http->refused_status) {
        exchange->close = true;
        exchange_refuse(exchange, http->refused_status, exchange->conn->refused, NULL);
        return;
    }
    if (!read_target(exchange))
        return;
    if (known_too_large(exchange)) {
        exchange_refuse(exchange, 413, REASON_BODY_TOO_LARGE, NULL);
        return;
    }
    exchange->trusted = conn_trusted(exchange->conn, exchange->service->listener);
    forward_clean(exchange->request, exchange->trusted, exchange->request->upgrade);
    name_request(exchange);
    exchange_route(exchange);
}

/* ---- the request's body ---- */

static bool grow(struct kept_body *body, size_t more)
{
    size_t cap = body->cap ? body->cap : 4096;
    while (cap < body->len + more)
        cap *= 2;
    if (cap == body->cap)
        return true;
    char *grown = realloc(body->bytes, cap);
    if (!grown)
        return false;
    body->bytes = grown;
    body->cap = cap;
    return true;
}

bool body_keep(struct kept_body *body, struct slice bytes)
{
    if (!grow(body, bytes.len))
        return false;
    memcpy(body->bytes + body->len, bytes.data, bytes.len);
    body->len += bytes.len;
    return true;
}

void body_drop(struct kept_body *body)
{
    free(body->bytes);
    *body = (struct kept_body){0};
}

static void pause_client(struct exchange *exchange)
{
    if (exchange->client_paused)
        return;
    exchange->client_paused = true;
    exchange->http->ops->pause(exchange);
}

void exchange_resume_client(struct exchange *exchange)
{
    if (!exchange->client_paused || exchange->state == EXCHANGE_DONE)
        return;
    exchange->client_paused = false;
    exchange_touch(exchange);
    exchange->http->ops->resume(exchange);
}

/* Nobody takes it yet. */
static void hold_body(struct exchange *exchange, struct slice bytes)
{
    size_t most = exchange->want_body > 0 ? exchange->want_body : BODY_PAUSE;
    if (exchange->want_body > 0 && exchange->body.len + bytes.len > exchange->want_body) {
        exchange_refuse(exchange, 413, REASON_BODY_TOO_LARGE, "the script reads no more of the body");
        return;
    }
    if (!body_keep(&exchange->body, bytes)) {
        exchange_refuse(exchange, 500, REASON_NO_MEMORY, NULL);
        return;
    }
    if (exchange->body.len >= most && exchange->want_body == 0)
        pause_client(exchange);
}

/* What has gone out and might have to go out once more. */
static void remember(struct exchange *exchange, struct slice bytes)
{
    bool useful = method_idempotent(exchange->request->method) && !exchange->answer_begun &&
                  exchange->state == EXCHANGE_WAIT;
    if (exchange->body_lost)
        return;
    if (useful && exchange->body.len + bytes.len <= BODY_AGAIN && body_keep(&exchange->body, bytes))
        return;
    exchange->body_lost = true;
    body_drop(&exchange->body);
}

static void send_body(struct exchange *exchange, struct slice bytes)
{
    remember(exchange, bytes);
    if (exchange->upload_broken)
        return;
    switch (upstream_body(exchange->upstream, bytes)) {
    case STREAM_WROTE: exchange_resume_client(exchange); break; /* what was queued before has gone with it */
    case STREAM_QUEUED: pause_client(exchange); break;
    case STREAM_BROKEN: exchange->upload_broken = true; break;
    }
}

void exchange_body(struct exchange *exchange, struct slice bytes)
{
    uint64_t most = exchange->service->listener->http.max_body;
    exchange->bytes_in += bytes.len;
    exchange_touch(exchange);
    if (most > 0 && exchange->bytes_in > most && exchange->state < EXCHANGE_TUNNEL) {
        exchange_refuse(exchange, 413, REASON_BODY_TOO_LARGE, NULL);
        return;
    }
    switch (exchange->state) {
    case EXCHANGE_NEW:
    case EXCHANGE_SCRIPT:
    case EXCHANGE_CONNECT: hold_body(exchange, bytes); break;
    case EXCHANGE_WAIT:
    case EXCHANGE_JUDGE:
    case EXCHANGE_ANSWER:
    case EXCHANGE_TUNNEL: send_body(exchange, bytes); break;
    case EXCHANGE_DRAIN:
    case EXCHANGE_DONE: break;
    }
}

void exchange_end(struct exchange *exchange, struct http_head *trailers)
{
    exchange->request_ended = true;
    exchange_touch(exchange);
    if (trailers)
        forward_trailers(trailers);
    exchange->request_trailers = trailers;
    switch (exchange->state) {
    case EXCHANGE_WAIT:
    case EXCHANGE_JUDGE:
    case EXCHANGE_ANSWER: exchange_request_whole(exchange); break;
    case EXCHANGE_TUNNEL:
        exchange_request_whole(exchange);
        if (exchange->server_ended)
            exchange_finish(exchange, REASON_FINISHED);
        else
            exchange_enter(exchange, EXCHANGE_TUNNEL); /* with another deadline */
        break;
    case EXCHANGE_SCRIPT:
        if (exchange->want_body > 0)
            exchange_script_resume(exchange);
        break;
    case EXCHANGE_DRAIN: exchange_finish(exchange, exchange->reason); break;
    default: break;
    }
}

/* ---- the end ---- */

void exchange_note(struct exchange *exchange, const char *text)
{
    if (text && text[0] && !exchange->text)
        exchange->text = strdup(text);
}

static void count_outcome(struct exchange *exchange)
{
    struct listener_state *state = exchange->service->listener->state;
    unsigned class = exchange->status / 100;
    count(&state->responses[class < 6 ? class : 0], 1);
    count(&state->requests_ended[exchange->reason], 1);
    count(&state->retries, exchange->tries > 1 ? exchange->tries - 1 : 0);
}

static void unlist(struct exchange *exchange)
{
    struct http_conn *http = exchange->http;
    struct exchange **link = &http->waiting;
    if (exchange->prev)
        exchange->prev->next = exchange->next;
    else
        http->running = exchange->next;
    if (exchange->next)
        exchange->next->prev = exchange->prev;
    while (*link && *link != exchange)
        link = &(*link)->next_waiting;
    if (*link)
        *link = exchange->next_waiting;
}

static void release(struct exchange *exchange)
{
    struct http_thread *thread = exchange->conn->thread->http;
    head_pool_give(&thread->heads, exchange->request);
    head_pool_give(&thread->heads, exchange->answer);
    head_pool_give(&thread->heads, exchange->request_trailers);
    head_pool_give(&thread->heads, exchange->answer_trailers);
    body_drop(&exchange->body);
    body_drop(&exchange->answer_body);
    exchange_facts_give(exchange);
    free(exchange->server);
    free(exchange->text);
    free(exchange->failure_text);
    free(exchange->log_fields);
    exchange->request = exchange->answer = exchange->request_trailers = exchange->answer_trailers = NULL;
    exchange->next_waiting = thread->finished;
    thread->finished = exchange;
    generation_drop(exchange->service->generation);
}

void exchange_finish(struct exchange *exchange, enum reason reason)
{
    if (exchange->state == EXCHANGE_DONE)
        return;
    if (exchange->reason == REASON_NONE)
        exchange->reason = reason;
    exchange->state = EXCHANGE_DONE;
    wheel_disarm(&exchange->conn->thread->wheel, &exchange->deadline.entry);
    exchange_script_cancel(exchange);
    exchange_server_leave(exchange);
    count_outcome(exchange);
    exchange->conn->thread->exchanged(exchange->conn->thread, exchange);
    unlist(exchange);
    exchange->http->ops->done(exchange);
    release(exchange);
}

/* ---- ends before the end ---- */

void exchange_cut(struct exchange *exchange, enum reason reason)
{
    if (exchange->state == EXCHANGE_DONE)
        return;
    if (exchange->reason == REASON_NONE)
        exchange->reason = reason;
    exchange_server_leave(exchange);
    exchange->http->ops->abort(exchange); /* may close the connection, and this exchange with it */
    exchange_finish(exchange, reason);
}

void exchange_client_gone(struct exchange *exchange, enum reason reason)
{
    exchange_finish(exchange, reason);
}

void exchange_refuse(struct exchange *exchange, unsigned status, enum reason reason, const char *text)
{
    if (exchange->state == EXCHANGE_DONE)
        return;
    if (exchange->state == EXCHANGE_DRAIN) { /* answered already: what is wrong with the rest only ends it */
        exchange->close = true;
        exchange_finish(exchange, exchange->reason);
        return;
    }
    exchange_note(exchange, text);
    if (exchange->answer_begun) {
        exchange_cut(exchange, reason);
        return;
    }
    exchange->reason = reason;
    exchange_script_cancel(exchange);
    exchange_server_leave(exchange);
    exchange_reply(exchange, status, (struct slice){0}, (struct slice){0}, NULL);
}

void exchange_drained(struct exchange *exchange)
{
    if (!exchange->call)
        exchange_enter(exchange,
                       exchange->state); /* the client's time may have had no end, the server's has */
    if (!exchange->server_paused || !exchange->upstream)
        return;
    exchange->server_paused = false;
    upstream_resume(exchange->upstream);
}
