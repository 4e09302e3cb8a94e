/* on_request and on_response: what a script sees of an exchange, and what becomes of its answer. */
#include <stdlib.h>
#include <string.h>

#include "lb/base/clock.h"
#include "lb/proxy/exchange.h"
#include "lb/proxy/http.h"
#include "lb/proxy/steps.h"

/* What the hooks look at; lives as long as the exchange. The request's texts lie behind it, in room for at
 * least TEXTS_USUAL bytes. */
struct exchange_facts {
    struct exchange_facts *next; /* among the thread's spare ones */
    struct script_request request;
    struct script_response response;
    struct head_mark mark; /* the request's fields before the script has changed them */
    bool marked;
};

#define TEXTS_USUAL 256
#define SPARE_MAX   64

/* Reloads that come faster than a script decides must not keep a request undecided for ever. */
#define OVERTAKEN_MAX 8

/* ---- the message as the script sees it ---- */

static struct http_head *request_of(void *message)
{
    return ((struct exchange *)message)->request;
}

static struct http_head *answer_of(void *message)
{
    return ((struct exchange *)message)->answer;
}

static bool nth_field(const struct http_head *head, size_t index, struct slice *name, struct slice *value)
{
    for (unsigned i = 0; i < head->count; i++) {
        const struct http_field *field = &head->fields[i];
        if (field->gone || index-- > 0)
            continue;
        *name = head_name(head, field);
        *value = head_value(head, field);
        return true;
    }
    return false;
}

static const char *refused_field(struct slice name, struct slice value)
{
    bool exact;
    enum field_id id = field_find(name, &exact);
    if (!http_is_token(name))
        return "the name of a header is a token of RFC 9110 section 5.6.2";
    if (!http_is_value(value))
        return "the value of a header has a control character";
    if (id == HEADER_HOST || field_traits(id) & (FIELD_FRAMING | FIELD_HOP))
        return "this header belongs to the connection or decides where the message ends: lb sets it";
    return NULL;
}

static const char *add_field(struct http_head *head, struct slice name, struct slice value)
{
    const char *why = refused_field(name, value);
    if (why)
        return why;
    return http_head_add(head, name, value) ? NULL : "out of memory";
}

static const char *set_field(struct http_head *head, struct slice name, struct slice value)
{
    const char *why = refused_field(name, value);
    bool exact;
    enum field_id id = field_find(name, &exact);
    if (why)
        return why;
    if (id != HEADER_OTHER && exact)
        http_head_remove(head, id);
    else
        http_head_remove_named(head, name);
    return http_head_add(head, name, value) ? NULL : "out of memory";
}

static bool request_field(void *message, size_t index, struct slice *name, struct slice *value)
{
    return nth_field(request_of(message), index, name, value);
}

/* Should a reload overtake the script, its successor begins with what the client has sent. */
static bool mark_once(struct exchange *exchange)
{
    struct exchange_facts *facts = exchange->facts;
    facts->marked = facts->marked || http_head_mark(exchange->request, &facts->mark);
    return facts->marked;
}

static const char too_many[] = "the request has too many fields to be changed";

static const char *request_set(void *message, struct slice name, struct slice value)
{
    return mark_once(message) ? set_field(request_of(message), name, value) : too_many;
}

static const char *request_add(void *message, struct slice name, struct slice value)
{
    return mark_once(message) ? add_field(request_of(message), name, value) : too_many;
}

static void request_remove(void *message, struct slice name)
{
    mark_once(message);
    http_head_remove_named(request_of(message), name);
}

static bool request_body(void *message, struct slice *body)
{
    const struct exchange *exchange = message;
    *body = slice_make(exchange->body.bytes ? exchange->body.bytes : "", exchange->body.len);
    return exchange->request_ended;
}

static bool answer_field(void *message, size_t index, struct slice *name, struct slice *value)
{
    return nth_field(answer_of(message), index, name, value);
}

static const char *answer_set(void *message, struct slice name, struct slice value)
{
    return set_field(answer_of(message), name, value);
}

static const char *answer_add(void *message, struct slice name, struct slice value)
{
    return add_field(answer_of(message), name, value);
}

static void answer_remove(void *message, struct slice name)
{
    http_head_remove_named(answer_of(message), name);
}

static bool no_body(void *message, struct slice *body)
{
    (void)message;
    *body = SLICE_LITERAL("");
    return true;
}

static const struct script_message_ops request_ops = {
    .field = request_field,
    .set = request_set,
    .add = request_add,
    .remove = request_remove,
    .body = request_body,
};

static const struct script_message_ops answer_ops = {
    .field = answer_field,
    .set = answer_set,
    .add = answer_add,
    .remove = answer_remove,
    .body = no_body,
};

/* ---- facts ---- */

static const struct script_conn *conn_facts(struct exchange *exchange)
{
    struct http_conn *http = exchange->http;
    if (!http->facts)
        http->facts = authorize_collect(exchange->conn);
    return http->facts ? authorize_conn_of(http->facts) : NULL;
}

static size_t texts_of(const struct script_request *request)
{
    return request->method.len + request->path.len + request->query.len;
}

static struct exchange_facts *take_facts(struct http_thread *thread, size_t texts)
{
    struct exchange_facts *facts = thread->facts;
    if (texts > TEXTS_USUAL || !facts)
        return malloc(sizeof(*facts) + (texts > TEXTS_USUAL ? texts : TEXTS_USUAL));
    thread->facts = facts->next;
    thread->facts_count--;
    return facts;
}

void exchange_facts_give(struct exchange *exchange)
{
    struct http_thread *thread = exchange->conn->thread->http;
    struct exchange_facts *facts = exchange->facts;
    exchange->facts = NULL;
    if (!facts)
        return;
    if (thread->facts_count == SPARE_MAX || texts_of(&facts->request) > TEXTS_USUAL) {
        free(facts);
        return;
    }
    facts->next = thread->facts;
    thread->facts = facts;
    thread->facts_count++;
}

void exchange_facts_free(struct http_thread *thread)
{
    while (thread->facts) {
        struct exchange_facts *facts = thread->facts;
        thread->facts = facts->next;
        free(facts);
    }
    thread->facts_count = 0;
}

/* A change of the head may move its bytes: texts are kept apart from it. */
static struct slice keep(char **at, struct slice text)
{
    struct slice kept = slice_make(*at, text.len);
    if (text.len > 0)
        memcpy(*at, text.data, text.len);
    *at += text.len;
    return kept;
}

static bool collect(struct exchange *exchange)
{
    const struct script_conn *conn = conn_facts(exchange);
    const struct http_head *head = exchange->request;
    const struct http_target *target = &exchange->target;
    size_t size = (size_t)head->method_text.len + target->path.len + target->query.len;
    exchange_facts_give(exchange);
    exchange->facts = conn ? take_facts(exchange->conn->thread->http, size) : NULL;
    if (!exchange->facts)
        return false;
    char *at = (char *)(exchange->facts + 1);
    exchange->facts->marked = false;
    exchange->facts->response = (struct script_response){0};
    exchange->facts->request = (struct script_request){
        .message = {exchange, &request_ops},
        .conn = conn,
        .method = keep(&at, head_text(head, head->method_text)),
        .path = keep(&at, head_text(head, target->path)),
        .query = keep(&at, head_text(head, target->query)),
        .has_query = target->has_query,
        .host = slice_of(target->host),
        .scheme = slice_of(exchange->conn->client->tls ? "https" : "http"),
        .id = slice_of(exchange->id),
    };
    return true;
}

/* ---- outcomes ---- */

static void keep_notes(struct exchange *exchange, const struct script_outcome *outcome)
{
    if (!outcome->log[0])
        return;
    free(exchange->log_fields);
    exchange->log_fields = strdup(outcome->log);
}

/* False: the script has named something that is not there, or memory is out. */
static bool take_choices(struct exchange *exchange, const struct script_outcome *outcome)
{
    const struct script_extra *extra = outcome->extra;
    if (outcome->backend[0]) {
        exchange->backend = config_backend(exchange->service->generation->config, slice_of(outcome->backend));
        free(exchange->server); /* on_authorize has named one of another backend */
        exchange->server = NULL;
        if (!exchange->backend)
            return false;
    }
    if (extra && extra->server.len > 0) {
        free(exchange->server);
        exchange->server = strndup(extra->server.data, extra->server.len);
        if (!exchange->server)
            return false;
    }
    if (extra && extra->path.len > 0)
        return http_head_put(exchange->request, extra->path, &exchange->path);
    return true;
}

/* Newer rules are there, for the connection or already with it. */
static bool is_overtaken(const struct exchange *exchange)
{
    const struct http_conn *http = exchange->http;
    return exchange->service->generation->retired &&
           (exchange->service != exchange->conn->service || http->refused_status || http->deciding ||
            http_must_decide(http));
}

static void decide_again(struct exchange *exchange)
{
    if (++exchange->overtaken == OVERTAKEN_MAX) {
        exchange_refuse(exchange, 500, REASON_SCRIPT_TIME,
                        "reloads have overtaken the script too many times");
        return;
    }
    if (exchange->facts->marked)
        http_head_restore(exchange->request, &exchange->facts->mark);
    exchange->facts->marked = false;
    exchange->state = EXCHANGE_NEW;
    http_begin(exchange->http, exchange);
}

static void allowed(struct exchange *exchange, const struct script_outcome *outcome)
{
    exchange->want_body = 0;
    if (is_overtaken(exchange))
        decide_again(exchange);
    else if (!take_choices(exchange, outcome))
        exchange_refuse(exchange, 500, REASON_SCRIPT_RESULT,
                        "the script chose a backend that does not exist");
    else
        exchange_proceed(exchange);
}

static void reply(struct exchange *exchange, const struct script_outcome *outcome)
{
    const struct script_extra *extra = outcome->extra;
    struct slice none = {0};
    exchange->reason = REASON_ANSWERED;
    exchange_server_leave(exchange);
    exchange_reply(exchange, outcome->status, extra ? extra->headers : none,
                   extra && extra->body.data ? extra->body : SLICE_LITERAL(""), NULL);
}

static void concluded(struct exchange *exchange, const struct script_outcome *outcome)
{
    keep_notes(exchange, outcome);
    switch (outcome->verdict) {
    case SCRIPT_WAIT: break;
    case SCRIPT_ALLOW:
        if (exchange->judging)
            exchange_judged(exchange, outcome->status);
        else
            allowed(exchange, outcome);
        break;
    case SCRIPT_REPLY: reply(exchange, outcome); break;
    case SCRIPT_DENY:
        exchange_refuse(exchange, outcome->status >= 400 ? outcome->status : 403, outcome->reason,
                        outcome->text);
        break;
    }
}

/* RFC 9110 section 10.1.1: a client that expects 100 sends nothing before it; the server is not asked any
 * more. */
static void invite_body(struct exchange *exchange)
{
    struct http_thread *thread = exchange->conn->thread->http;
    struct http_head *interim = NULL;
    if (!exchange->request_ended && http_head_find(exchange->request, HEADER_EXPECT))
        interim = head_pool_take(&thread->heads);
    if (interim) {
        interim->status = 100;
        http_head_remove(exchange->request, HEADER_EXPECT);
        exchange->http->ops->head(exchange, interim, false);
        head_pool_give(&thread->heads, interim);
    }
    exchange_resume_client(exchange);
}

static void wait(struct exchange *exchange, const struct script_outcome *outcome)
{
    exchange->wait_ms = outcome->wait_ms ? outcome->wait_ms : 1;
    exchange->want_body = outcome->want_body;
    exchange_enter(exchange, exchange->judging ? EXCHANGE_JUDGE : EXCHANGE_SCRIPT);
    if (exchange->want_body > 0 && exchange->body.len > exchange->want_body)
        exchange_refuse(exchange, 413, REASON_BODY_TOO_LARGE, "the script reads no more of the body");
    else if (exchange->want_body > 0)
        invite_body(exchange);
}

static void run(struct exchange *exchange)
{
    struct script *script = exchange->service->script;
    struct script_outcome outcome;
    uint64_t before = clock_us();
    if (exchange->call)
        script_resume(&exchange->call, &outcome);
    else if (exchange->judging)
        script_response(script, &exchange->facts->response, &outcome, &exchange->call);
    else
        script_request(script, &exchange->facts->request, &outcome, &exchange->call);
    exchange->script_us += (uint32_t)(clock_us() - before);
    if (outcome.verdict == SCRIPT_WAIT)
        wait(exchange, &outcome);
    else
        concluded(exchange, &outcome);
    free(outcome.extra);
}

/* ---- from the exchange ---- */

bool exchange_script(struct exchange *exchange)
{
    struct script *script = exchange->service->script;
    if (!script || !script_has(script, HOOK_REQUEST))
        return false;
    exchange->state = EXCHANGE_SCRIPT;
    exchange->judging = false;
    if (collect(exchange))
        run(exchange);
    else
        exchange_refuse(exchange, 500, REASON_NO_MEMORY, NULL);
    return true;
}

bool exchange_judge(struct exchange *exchange)
{
    struct script *script = exchange->service->script;
    if (!script || !script_has(script, HOOK_RESPONSE))
        return false;
    exchange->judging = true;
    exchange->state = EXCHANGE_JUDGE;
    if (!exchange->facts && !collect(exchange)) {
        exchange_refuse(exchange, 500, REASON_NO_MEMORY, NULL);
        return true;
    }
    exchange->facts->response = (struct script_response){
        .message = {exchange, &answer_ops},
        .request = &exchange->facts->request,
        .status = exchange->answer->status,
    };
    run(exchange);
    return true;
}

void exchange_script_resume(struct exchange *exchange)
{
    run(exchange);
}

void exchange_script_cancel(struct exchange *exchange)
{
    if (exchange->call)
        script_cancel(&exchange->call);
}
