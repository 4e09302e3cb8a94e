/* Where a request goes: the route, what the script says of it, and what lb answers by itself. */
#include <stdlib.h>

#include "lb/base/text.h"
#include "lb/proxy/exchange.h"
#include "lb/proxy/http.h"

bool exchange_has_certificate(const struct exchange *exchange)
{
    size_t count;
    conn_chain(exchange->conn, &count);
    return count > 0;
}

static const struct route *find_route(struct exchange *exchange)
{
    const struct http_settings *settings = &exchange->service->listener->http;
    struct route_facts facts = {
        .host = slice_of(exchange->target.host),
        .path = head_text(exchange->request, exchange->target.path),
        .method = head_text(exchange->request, exchange->request->method_text),
        .certificate = exchange_has_certificate(exchange),
        .head = exchange->request,
    };
    return settings->table ? route_find(settings->table, &facts) : NULL;
}

/* The backend that the routes or the listener name; what on_authorize has chosen stands for the listener's.
 */
static const struct backend *default_backend(const struct exchange *exchange)
{
    const struct config *config = exchange->service->generation->config;
    const struct backend *chosen = exchange->conn->backend;
    if (exchange->route)
        return exchange->route->action == ROUTE_BACKEND ? exchange->route->backend : NULL;
    /* Of the connection's snapshot: the same one as this exchange's, or its backend is looked up by name. */
    if (chosen && exchange->conn->service == exchange->service)
        return chosen;
    return chosen ? config_backend(config, slice_of(chosen->name)) : exchange->service->listener->backend;
}

/* Path and query as one text, if a rewrite or normalizing has parted them. */
static bool put_path(struct exchange *exchange, struct span path)
{
    const struct http_target *target = &exchange->target;
    struct http_head *head = exchange->request;
    struct span mark;
    if (!target->has_query) {
        exchange->path = path;
        return true;
    }
    if (path.at + path.len + 1 == target->query.at) {
        exchange->path = (struct span){path.at, path.len + 1 + target->query.len};
        return true;
    }
    uint32_t need = path.len + 1 + target->query.len;
    char *whole = malloc(need);
    if (!whole)
        return false;
    memcpy(whole, head->bytes + path.at, path.len);
    whole[path.len] = '?';
    memcpy(whole + path.len + 1, head->bytes + target->query.at, target->query.len);
    bool good = http_head_put(head, slice_make(whole, need), &mark);
    free(whole);
    exchange->path = mark;
    return good;
}

static bool choose_path(struct exchange *exchange)
{
    struct span path = exchange->target.path;
    if (exchange->path.len > 0) /* the script has set it */
        return true;
    if (exchange->route && exchange->route->rewrite &&
        !route_rewrite(exchange->route, exchange->request, head_text(exchange->request, path), &path))
        return false;
    return put_path(exchange, path);
}

/* Servers compare hosts in their own ways: they get the form in which routes have been matched. */
static bool choose_host(struct exchange *exchange)
{
    const struct http_target *target = &exchange->target;
    struct http_head *head = exchange->request;
    char whole[HTTP_HOST_MAX + 8];
    struct text text;
    if (!target->host[0])
        return true;
    text_init(&text, whole, sizeof(whole));
    text_adds(&text, target->host);
    if (target->port > 0)
        text_addf(&text, ":%u", target->port);
    struct slice host = slice_make(text.data, text.len);
    return slice_equal(host, head_text(head, head->authority)) || http_head_put(head, host, &head->authority);
}

static void ask_server(struct exchange *exchange)
{
    if (!choose_path(exchange) || !choose_host(exchange))
        exchange_refuse(exchange, 500, REASON_NO_MEMORY, NULL);
    else
        exchange_server_start(exchange);
}

void exchange_proceed(struct exchange *exchange)
{
    const struct route *route = exchange->route;
    if (exchange->backend)
        ask_server(exchange);
    else if (!route)
        exchange_refuse(exchange, 404, REASON_NO_ROUTE, NULL);
    else if (route->action == ROUTE_REDIRECT)
        exchange_redirect(exchange, route);
    else
        exchange_reply(exchange, route->status, (struct slice){0}, slice_of(route->text),
                       "text/plain; charset=utf-8");
}

static bool take_server_of_connection(struct exchange *exchange)
{
    const char *chosen = exchange->conn->chosen_server;
    free(exchange->server);
    exchange->server = NULL;
    if (!chosen || exchange->route)
        return true;
    exchange->server = strdup(chosen);
    return exchange->server != NULL;
}

static bool is_misdirected(const struct exchange *exchange)
{
    return exchange->conn->client->tls &&
           service_misdirected(exchange->service, slice_of(exchange->target.host));
}

/* The connection was let in by the rules of one name: no route of another's is looked at on it. */
void exchange_route(struct exchange *exchange)
{
    if (is_misdirected(exchange)) {
        exchange_refuse(exchange, 421, REASON_MISDIRECTED, "the host belongs to another TLS policy");
        return;
    }
    exchange->route = find_route(exchange);
    exchange->backend = default_backend(exchange);
    if (exchange->route && exchange->route->certificate == ROUTE_CERTIFICATE_REQUIRED &&
        !exchange_has_certificate(exchange))
        exchange_refuse(exchange, 403, REASON_CERTIFICATE_MISSING, "the route demands a client certificate");
    else if (!take_server_of_connection(exchange))
        exchange_refuse(exchange, 500, REASON_NO_MEMORY, NULL);
    else if (!exchange_script(exchange))
        exchange_proceed(exchange);
}
