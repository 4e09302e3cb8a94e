/* The decision. Nothing has been sent to a server yet, and nothing is before this has allowed. */
#include <stdlib.h>
#include <string.h>

#include "lb/base/clock.h"
#include "lb/proxy/http.h"
#include "lb/proxy/lifetime.h"
#include "lb/proxy/ocsp.h"
#include "lb/proxy/reauthorize.h"
#include "lb/proxy/steps.h"
#include "lb/tls/context.h"

/* wolfSSL reads at most nine certificates of a client; the anchor comes on top. */
#define CHAIN_MAX 16

/* What a hook may look at; lives as long as the hook does. */
struct authorize_facts {
    struct script_conn conn;
    char address[ADDR_TEXT_MAX];
    struct script_certificate chain[CHAIN_MAX];
    char listener[]; /* a copy: the snapshot may go while a hook waits */
};

uint64_t authorize_limit(const struct conn *conn)
{
    return conn->wait_ms;
}

void authorize_cancel(struct conn *conn)
{
    ocsp_leave(conn);
    if (conn->call)
        script_cancel(&conn->call);
    free(conn->facts);
    conn->facts = NULL;
}

static void add_tls(struct conn *conn, struct authorize_facts *facts)
{
    const struct tls_session *session = conn->client->tls;
    size_t count;
    const struct certificate *chain = tls_session_chain(session, &count);
    facts->conn.tls = true;
    facts->conn.tls_version = slice_of(tls_session_version(session));
    facts->conn.tls_cipher = slice_of(tls_session_cipher(session));
    facts->conn.tls_group = slice_of(tls_session_group(session));
    facts->conn.tls_resumed = tls_session_resumed(session);
    facts->conn.alpn = tls_session_alpn(session);
    facts->conn.chain_len = count < CHAIN_MAX ? count : CHAIN_MAX;
    for (size_t i = 0; i < facts->conn.chain_len; i++)
        facts->chain[i].certificate = &chain[i];
}

struct authorize_facts *authorize_collect(struct conn *conn)
{
    const char *name = conn->service->listener->name;
    struct authorize_facts *facts = calloc(1, sizeof(*facts) + strlen(name) + 1);
    if (!facts)
        return NULL;
    addr_host(&conn->peer, facts->address);
    memcpy(facts->listener, name, strlen(name));
    facts->conn = (struct script_conn){
        .listener = slice_of(facts->listener),
        .address = slice_of(facts->address),
        .port = addr_port(&conn->peer),
        .server_name = slice_of(conn->server_name),
        .chain = facts->chain,
        .ops = &certificate_ops,
    };
    if (conn->client->tls)
        add_tls(conn, facts);
    return facts;
}

const struct script_conn *authorize_conn_of(const struct authorize_facts *facts)
{
    return &facts->conn;
}

static void proceed(struct conn *conn)
{
    bool again = conn->authorized;
    conn->authorized = true;
    if (!lifetime_begin(conn)) {
        conn_close(conn, REASON_NO_MEMORY);
        return;
    }
    conn->overtaken = 0; /* a kept connection is decided once for each reload it lives through */
    if (!again)
        count(&conn->service->listener->state->allowed, 1);
    if (conn->service->listener->protocol == PROTOCOL_TCP)
        connect_start(conn);
    else if (conn->http)
        http_decided(conn);
    else
        http_start(conn);
}

/* Over HTTP the client is told by an answer; before anything can be answered, by an alert. */
static void deny(struct conn *conn, enum reason reason, const char *text)
{
    if (conn->service->listener->protocol == PROTOCOL_HTTP) {
        conn->authorized = false;
        http_denied(conn, conn->deny_status ? conn->deny_status : 403, reason, text);
        return;
    }
    conn_refuse(conn, reason, TLS_ALERT_ACCESS_DENIED, text && text[0] ? text : NULL);
}

/* Would the newest rules verify what this client has proven? */
static bool verified_under(const struct conn *conn, struct service *service, struct tls_failure *failure)
{
    size_t count;
    const struct certificate *chain = tls_session_chain(conn->client->tls, &count);
    if (service_verifies_alike(conn->thread, conn->service, service))
        return true;
    if (!service->contexts) /* nobody is asked for anything any more */
        return true;
    struct tls_context *context = service_context(service, 0);
    failure->reason = REASON_NO_MEMORY;
    return context && tls_context_admits(context, chain, count, failure);
}

static void move_to(struct conn *conn, struct service *service)
{
    struct generation *old = conn->service->generation;
    generation_hold(service->generation);
    conn->service = service;
    generation_drop(old);
}

/* Reloads that come faster than a script decides must not keep a connection undecided for ever; nor may a
 * burst of them deny one that would soon be decided. */
#define OVERTAKEN_MAX 8

static bool overtaken_for_ever(struct conn *conn)
{
    if (conn->overtaken < OVERTAKEN_MAX)
        conn->overtaken++;
    return conn->overtaken == OVERTAKEN_MAX &&
           (clock_us() - conn->asked_us) / 1000 > conn->service->listener->script.timeout_ms;
}

static void ask(struct conn *conn);

/* A reload has passed since the connection came: what the old rules allow must be decided by the new ones. */
static void decide_again(struct conn *conn)
{
    struct service *service =
        generation_service(conn->thread->current, conn->service->listener->name, conn->server_name);
    struct tls_failure failure = {0};
    if (!service) {
        deny(conn, REASON_DENIED, "the listener was removed before the connection was decided");
        return;
    }
    if (conn->http && service->listener->protocol != PROTOCOL_HTTP) {
        deny(conn, REASON_DENIED, "a reload has made the listener speak another protocol");
        return;
    }
    if (overtaken_for_ever(conn)) {
        deny(conn, REASON_SCRIPT_TIME, "reloads have overtaken the script too many times");
        return;
    }
    if (!conn->client->tls && service->listener->tls.mode != TLS_OFF) {
        deny(conn, REASON_DENIED, "a reload has made TLS a demand of the listener; this connection has none");
        return;
    }
    if (conn->client->tls && !verified_under(conn, service, &failure)) {
        deny(conn, failure.reason, failure.text);
        return;
    }
    move_to(conn, service);
    ask(conn);
}

static void keep_notes(struct conn *conn, const struct script_outcome *outcome)
{
    if (!outcome->log[0])
        return;
    free(conn->decision.log);
    conn->decision.log = strdup(outcome->log);
}

/* What other rules have chosen counts no more. */
static void forget_choices(struct conn *conn)
{
    free(conn->headers);
    free(conn->chosen_server);
    conn->headers = conn->chosen_server = NULL;
    conn->headers_len = 0;
    conn->deny_status = 0;
    conn->backend = conn->service->listener->backend;
}

/* What every request of the connection is to carry, and which server it goes to. */
static bool keep_choices(struct conn *conn, const struct script_outcome *outcome)
{
    const struct script_extra *extra = outcome->extra;
    if (extra && extra->headers.len > 0) {
        conn->headers = malloc(extra->headers.len);
        if (!conn->headers)
            return false;
        memcpy(conn->headers, extra->headers.data, extra->headers.len);
        conn->headers_len = extra->headers.len;
    }
    if (extra && extra->server.len > 0)
        conn->chosen_server = strndup(extra->server.data, extra->server.len);
    return !extra || extra->server.len == 0 || conn->chosen_server;
}

static void allowed(struct conn *conn, const struct script_outcome *outcome)
{
    if (conn->service->generation->retired) {
        decide_again(conn);
        return;
    }
    keep_notes(conn, outcome);
    if (outcome->backend[0])
        conn->backend = config_backend(conn->service->generation->config, slice_of(outcome->backend));
    if (!keep_choices(conn, outcome))
        deny(conn, REASON_NO_MEMORY, NULL);
    else if (!conn->backend && conn->service->listener->protocol == PROTOCOL_TCP)
        deny(conn, REASON_SCRIPT_RESULT, "the script chose a backend that does not exist");
    else
        proceed(conn);
}

static void wait(struct conn *conn, const struct script_outcome *outcome)
{
    conn->wait_ms = outcome->wait_ms ? outcome->wait_ms : 1;
    if (conn->http) /* its requests that run go on */
        http_decide_wait(conn, conn->wait_ms);
    else
        conn_enter(conn, CONN_AUTHORIZE);
}

static void concluded(struct conn *conn, const struct script_outcome *outcome)
{
    if (outcome->verdict == SCRIPT_WAIT) {
        wait(conn, outcome);
        return;
    }
    free(conn->facts);
    conn->facts = NULL;
    if (outcome->verdict == SCRIPT_ALLOW) {
        allowed(conn, outcome);
        return;
    }
    keep_notes(conn, outcome);
    conn->deny_status = outcome->status;
    deny(conn, outcome->reason, outcome->text);
}

/* The script's share of time is counted over all its turns; what it waited for is not the script's. */
static void run_script(struct conn *conn)
{
    struct script_outcome outcome;
    uint64_t before = clock_us();
    if (conn->call)
        script_resume(&conn->call, &outcome);
    else
        script_authorize(conn->service->script, &conn->facts->conn, &outcome, &conn->call);
    conn->script_us += (uint32_t)(clock_us() - before);
    concluded(conn, &outcome);
    free(outcome.extra);
}

static void ask_script(struct conn *conn)
{
    const struct script *script = conn->service->script;
    if (!script || !script_decides_connections(script)) {
        proceed(conn);
        return;
    }
    conn->facts = authorize_collect(conn);
    if (!conn->facts)
        deny(conn, REASON_NO_MEMORY, NULL);
    else
        run_script(conn);
}

static void ask(struct conn *conn)
{
    if (conn->service->generation->retired) {
        decide_again(conn);
        return;
    }
    forget_choices(conn);
    if (!conn->http)
        conn_enter(conn, CONN_AUTHORIZE);
    if (ocsp_must_ask(conn))
        ocsp_ask(conn);
    else
        ask_script(conn);
}

void authorize_certified(struct conn *conn)
{
    if (conn->service->generation->retired)
        decide_again(conn);
    else
        ask_script(conn);
}

/* A client that has not been answered yet is told as in a handshake. */
void authorize_uncertified(struct conn *conn, enum reason reason, int alert, const char *text)
{
    if (conn->http)
        deny(conn, reason, text);
    else
        conn_refuse(conn, reason, alert, text);
}

void authorize_start(struct conn *conn)
{
    conn->overtaken = 0;
    conn->asked_us = clock_us();
    ask(conn);
}

void authorize_resume(struct conn *conn)
{
    if (conn->question)
        ocsp_overdue(conn);
    else
        run_script(conn);
}
