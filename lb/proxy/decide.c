/* A kept connection follows reloads: before its next request it is authorized under the newest snapshot. */
#include <stdlib.h>
#include <string.h>

#include "lb/base/clock.h"
#include "lb/proxy/http.h"
#include "lb/proxy/reauthorize.h"
#include "lb/proxy/steps.h"

static bool names_host(const struct service *service, struct slice host)
{
    const struct http_settings *http = &service->listener->http;
    return (http->table && route_names_host(http->table, host)) ||
           listener_policy(service->listener, host) != NAME_MAP_NONE;
}

/* Of the same listener: the host's policy must be as the connection's. */
static bool is_own(const struct service *service, struct slice host)
{
    return service_for(service->base, host)->rules == service->rules;
}

bool service_misdirected(const struct service *service, struct slice host)
{
    const struct generation *generation = service->generation;
    bool foreign = false;
    if (!is_own(service, host))
        return true;
    if (host.len == 0 || !service->strangers || names_host(service->base, host))
        return false;
    for (size_t i = 0; i < generation->config->listener_count; i++) {
        struct service *other = &generation->services[i];
        if (other == service->base || other->listener->tls.mode == TLS_OFF || !names_host(other, host))
            continue;
        if (service_for(other, host)->rules == service->rules)
            return false;
        foreign = true;
    }
    return foreign;
}

/* ---- after a reload ---- */

/* A time of its own for each, so that not all clients come back at once. */
static uint64_t spread(const struct conn *conn, uint64_t within_ms)
{
    uint64_t mixed = ((uint64_t)(uintptr_t)conn >> 4) * UINT64_C(0x9E3779B97F4A7C15) ^ conn->started_us;
    return within_ms > 0 ? (mixed >> 20) % within_ms : 0;
}

static void leave_later(struct http_conn *http)
{
    struct conn *conn = http->conn;
    uint64_t within = conn->thread->current->config->drain_spread_ms;
    if (http->ending || wheel_armed(&http->leave.entry))
        return;
    wheel_arm(&conn->thread->wheel, &http->leave.entry, conn_now_ms(conn) + spread(conn, within));
}

static bool same_policy(struct proxy_thread *thread, const struct service *was, const struct service *is)
{
    return was->listener->protocol == is->listener->protocol &&
           same_string(was->listener->script.path, is->listener->script.path) &&
           service_verifies_alike(thread, was, is);
}

static bool goes_on(const struct conn *conn)
{
    const struct service *newest =
        generation_service(conn->thread->current, conn->service->listener->name, conn->server_name);
    return newest && same_policy(conn->thread, conn->service, newest);
}

void http_reloaded(struct proxy_thread *thread)
{
    service_forget_alike(thread);
    for (struct conn *conn = thread->first; conn; conn = conn->next)
        if (conn->state == CONN_HTTP && !goes_on(conn))
            leave_later(conn->http);
}

/* ---- deciding again ---- */

bool http_must_decide(const struct http_conn *http)
{
    const struct conn *conn = http->conn;
    if (!conn->service->generation->retired || http->refused_status)
        return false;
    /* A listener that is no more, or speaks another protocol: what has come is served as it was meant. */
    const struct service *newest =
        generation_service(conn->thread->current, conn->service->listener->name, conn->server_name);
    return newest && newest->listener->protocol == PROTOCOL_HTTP;
}

void http_decide(struct http_conn *http)
{
    struct conn *conn = http->conn;
    if (!goes_on(conn))
        http->ending = true;
    http->deciding = true;
    authorize_start(conn);
}

/* In the order in which they came: the list has the last one first. */
static struct exchange *take_waiting(struct http_conn *http)
{
    struct exchange **link = &http->waiting;
    while (*link && (*link)->next_waiting)
        link = &(*link)->next_waiting;
    struct exchange *oldest = *link;
    *link = NULL;
    return oldest;
}

static void begin_waiting(struct conn *conn)
{
    conn->http->deciding = false;
    while (conn->http && conn->http->waiting && !conn->http->deciding)
        exchange_begin(take_waiting(conn->http));
}

void http_decided(struct conn *conn)
{
    wheel_disarm(&conn->thread->wheel, &conn->http->decide.entry);
    begin_waiting(conn);
}

void http_denied(struct conn *conn, unsigned status, enum reason reason, const char *text)
{
    if (text && text[0])
        conn_note(conn, text);
    conn->refused = reason;
    count(&conn->service->listener->state->denied, 1);
    if (!conn->http) {
        conn->refused_status = status;
        http_start(conn);
        return;
    }
    wheel_disarm(&conn->thread->wheel, &conn->http->decide.entry);
    conn->http->refused_status = status;
    conn->http->ending = true;
    begin_waiting(conn);
}

void http_decide_wait(struct conn *conn, uint64_t wait_ms)
{
    wheel_arm(&conn->thread->wheel, &conn->http->decide.entry, conn_now_ms(conn) + wait_ms);
}
