#include "lb/control/request_log.h"

#include "lb/base/clock.h"
#include "lb/control/log_fields.h"
#include "lb/proxy/http.h"

static const char *protocol_of(const struct http_head *head)
{
    if (head->http2)
        return "HTTP/2";
    return head->minor == 0 ? "HTTP/1.0" : "HTTP/1.1";
}

static struct slice field(const struct http_head *head, enum field_id id)
{
    const struct http_field *found = http_head_find(head, id);
    return found ? head_value(head, found) : (struct slice){0};
}

/* What a client sends must not push the verdict out of the line: each byte may take six there. */
enum { HOST_SHOWN = 256, TARGET_SHOWN = 2048, TEXT_SHOWN = 512 };

static struct slice shown(struct slice text, size_t most)
{
    return slice_make(text.data, text.len < most ? text.len : most);
}

static void add_request(struct log_fields *line, const struct exchange *exchange)
{
    const struct http_head *head = exchange->request;
    log_adds(line, "id", exchange->id);
    log_add(line, "method", shown(head_text(head, head->method_text), HOST_SHOWN));
    log_add(line, "host", shown(head_text(head, head->authority), HOST_SHOWN));
    log_add(line, "target", shown(head_text(head, head->target), TARGET_SHOWN));
    log_addw(line, "protocol", protocol_of(head));
    log_add(line, "user_agent", shown(field(head, HEADER_USER_AGENT), TEXT_SHOWN));
    log_add(line, "referer", shown(field(head, HEADER_REFERER), TEXT_SHOWN));
}

static void add_decision(struct log_fields *line, const struct exchange *exchange)
{
    bool refused = reason_refused(exchange->reason);
    log_addu(line, "status", exchange->status);
    log_addw(line, "decision", refused && exchange->own ? "deny" : "allow");
    log_addw(line, "reason", refused ? reason_name(exchange->reason) : "-");
    log_adds(line, "text", exchange->text ? exchange->text : exchange->conn->decision.text);
    log_add_members(line, "log", exchange->log_fields ? exchange->log_fields : exchange->conn->decision.log);
}

static uint64_t between(uint64_t from, uint64_t to)
{
    return from > 0 && to > from ? to - from : 0;
}

/* wait: until a server was asked; connect: until there was a connection; first: from then to the answer's
 * head. */
static void add_times(struct log_fields *line, const struct exchange *exchange)
{
    log_addu(line, "wait_us", between(exchange->started_us, exchange->opened_us));
    log_addu(line, "script_us", exchange->script_us);
    log_addu(line, "connect_us", between(exchange->opened_us, exchange->connected_us));
    log_addu(line, "first_us", between(exchange->connected_us, exchange->first_us));
    log_addu(line, "total_us", between(exchange->started_us, clock_us()));
}

static void add_server(struct log_fields *line, const struct exchange *exchange)
{
    log_adds(line, "backend", exchange->backend ? exchange->backend->name : NULL);
    log_adds(line, "server", exchange->member_name);
    log_adds(line, "server_tls", exchange->server_tls);
    log_addu(line, "retries", exchange->tries > 1 ? exchange->tries - 1 : 0);
    log_addb(line, "reused", exchange->reused);
    log_addu(line, "bytes_in", exchange->bytes_in);
    log_addu(line, "bytes_out", exchange->bytes_out);
}

void request_log_write(struct proxy_thread *thread, const struct exchange *exchange)
{
    char buffer[LOG_FIELDS_MAX];
    struct log_fields line;
    const struct conn *conn = exchange->conn;
    if (!exchange->service->listener->log_connections)
        return;
    log_fields_begin(&line, thread->log, buffer);
    log_add_who(&line, conn);
    add_request(&line, exchange);
    add_decision(&line, exchange);
    add_server(&line, exchange);
    add_times(&line, exchange);
    log_add_session(&line, exchange->http);
    log_addw(&line, "end", reason_name(exchange->reason));
    log_addu(&line, "connection_requests", exchange->http->served);
    log_addu(&line, "generation", exchange->service->generation->number);
    log_fields_end(&line, thread->log);
}
