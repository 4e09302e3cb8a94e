/* Answers that lb gives by itself: refusals, redirects, fixed texts, what a script has made. */
#include <stdlib.h>
#include <string.h>

#include "lb/base/text.h"
#include "lb/proxy/exchange.h"
#include "lb/proxy/http.h"

#define ANSWER_MAX 2048

static const struct error_page *page_of(const struct http_settings *settings, unsigned status)
{
    for (size_t i = 0; i < settings->page_count; i++)
        if (settings->pages[i].status == status)
            return &settings->pages[i];
    return NULL;
}

static const char *shown_reason(const struct exchange *exchange)
{
    return exchange->service->listener->http.show_reason && exchange->text ? exchange->text : NULL;
}

static void write_json(const struct exchange *exchange, unsigned status, struct text *out)
{
    const char *reason = shown_reason(exchange);
    text_addf(out, "{\"status\":%u,\"error\":", status);
    text_json(out, slice_of(http_status_phrase(status)));
    if (reason) {
        text_adds(out, ",\"reason\":");
        text_json(out, slice_of(reason));
    }
    if (exchange->id[0]) {
        text_adds(out, ",\"request_id\":");
        text_json(out, slice_of(exchange->id));
    }
    text_adds(out, "}\n");
}

static void write_text(const struct exchange *exchange, unsigned status, struct text *out)
{
    const char *reason = shown_reason(exchange);
    text_addf(out, "%u %s\n", status, http_status_phrase(status));
    if (reason)
        text_addf(out, "%s\n", reason);
}

/* The body of a status that has none of its own; `buffer` holds it if it is no page. */
static struct slice default_body(const struct exchange *exchange, unsigned status, char *buffer,
                                 const char **type)
{
    const struct http_settings *settings = &exchange->service->listener->http;
    const struct error_page *page = page_of(settings, status);
    struct text text;
    if (page) {
        *type = page->type;
        return slice_make(page->body, page->len);
    }
    if (status < 400)
        return (struct slice){0};
    text_init(&text, buffer, ANSWER_MAX);
    *type = settings->json_errors ? "application/json" : "text/plain; charset=utf-8";
    if (settings->json_errors)
        write_json(exchange, status, &text);
    else
        write_text(exchange, status, &text);
    return slice_make(text.data, text.len);
}

/* NAME NUL VALUE NUL ...: as scripts hand fields over. */
static bool add_packed(struct http_head *head, struct slice packed, bool replace)
{
    const char *at = packed.data, *end = packed.data + packed.len;
    while (at < end) {
        struct slice name = slice_of(at), value = slice_of(at + name.len + 1);
        if (replace)
            http_head_remove_named(head, name);
        if (!http_head_add(head, name, value))
            return false;
        at = value.data + value.len + 1;
    }
    return true;
}

bool exchange_set_packed(struct http_head *head, struct slice packed)
{
    return packed.len == 0 || add_packed(head, packed, true);
}

static bool fill_head(struct http_head *head, unsigned status, struct slice headers, struct slice body,
                      const char *type)
{
    head->status = status;
    head->minor = 1;
    head->content_length = status == 204 || status == 304 ? -1 : (int64_t)body.len;
    if (headers.len > 0 && !add_packed(head, headers, false))
        return false;
    return !type || http_head_add(head, SLICE_LITERAL("content-type"), slice_of(type));
}

#define DROP_MAX (64 * 1024)

/* A small body that is on its way anyhow is read and dropped; for anything else the connection ends (RFC 9112
 * section 9.3), so that nothing of it is taken for a request. */
static bool body_is_dropped(const struct exchange *exchange)
{
    const struct http_head *head = exchange->request;
    bool broken = exchange->reason == REASON_REQUEST_INVALID || exchange->reason == REASON_TIMEOUT_BODY ||
                  exchange->reason == REASON_TIMEOUT_HEADER;
    return !broken && head->content_length >= 0 && head->content_length <= DROP_MAX &&
           !http_head_find(head, HEADER_EXPECT);
}

static void after_answer(struct exchange *exchange)
{
    if (exchange->state == EXCHANGE_DONE)
        return;
    if (exchange->reason == REASON_NONE)
        exchange->reason = REASON_ANSWERED;
    if (exchange->request_ended || exchange->close || exchange->http->h2) {
        exchange_finish(exchange, exchange->reason);
        return;
    }
    exchange_enter(exchange, EXCHANGE_DRAIN);
    exchange_resume_client(exchange);
}

static void put_out(struct exchange *exchange, struct http_head *head, struct slice body)
{
    const struct front_ops *ops = exchange->http->ops;
    bool ends = body.len == 0 || exchange->request->method == METHOD_HEAD || head->content_length < 0;
    exchange->answer_begun = true;
    ops->head(exchange, head, ends);
    if (!ends && exchange->state != EXCHANGE_DONE)
        ops->body(exchange, body);
    exchange->bytes_out += ends ? 0 : body.len;
    if (!ends && exchange->state != EXCHANGE_DONE)
        ops->end(exchange, NULL);
    exchange->answer_ended = true;
}

void exchange_reply(struct exchange *exchange, unsigned status, struct slice headers, struct slice body,
                    const char *type)
{
    struct http_thread *thread = exchange->conn->thread->http;
    struct http_head *head = head_pool_take(&thread->heads);
    char buffer[ANSWER_MAX];
    exchange->own = true;
    exchange->status = status;
    if (!exchange->request_ended && !body_is_dropped(exchange))
        exchange->close = true;
    if (!body.data)
        body = default_body(exchange, status, buffer, &type);
    if (head && fill_head(head, status, headers, body, body.len > 0 ? type : NULL)) {
        put_out(exchange, head, body);
        head_pool_give(&thread->heads, head);
        after_answer(exchange);
    } else {
        head_pool_give(&thread->heads, head);
        exchange_cut(exchange, REASON_NO_MEMORY);
    }
}

/* ---- redirects ---- */

/* {host}, {path} and {query} are put in; the configuration has refused all other braces. */
static void put_location(const struct exchange *exchange, const char *url, struct text *out)
{
    const struct http_target *target = &exchange->target;
    for (const char *at = url; *at; at++) {
        if (strncmp(at, "{host}", 6) == 0) {
            text_adds(out, target->host);
            at += 5;
        } else if (strncmp(at, "{path}", 6) == 0) {
            text_add(out, head_text(exchange->request, target->path));
            at += 5;
        } else if (strncmp(at, "{query}", 7) == 0) {
            text_adds(out, target->has_query ? "?" : "");
            text_add(out, head_text(exchange->request, target->query));
            at += 6;
        } else {
            text_addc(out, *at);
        }
    }
}

void exchange_redirect(struct exchange *exchange, const struct route *route)
{
    size_t cap = strlen(route->text) * 2 + exchange->request->target.len * 4 + HTTP_HOST_MAX * 4 + 64;
    char *buffer = malloc(cap);
    struct text text;
    if (!buffer) {
        exchange_refuse(exchange, 500, REASON_NO_MEMORY, NULL);
        return;
    }
    text_init(&text, buffer, cap);
    text_add(&text, slice_make("location", sizeof("location")));
    put_location(exchange, route->text, &text);
    text_addc(&text, '\0');
    if (text.truncated)
        exchange_refuse(exchange, 500, REASON_NO_MEMORY, NULL);
    else
        exchange_reply(exchange, route->status, slice_make(text.data, text.len), (struct slice){0}, NULL);
    free(buffer);
}
