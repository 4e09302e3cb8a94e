#include "lb/control/access_log.h"

#include "lb/base/clock.h"
#include "lb/control/log_fields.h"

static const char *decision_of(const struct conn *conn)
{
    if (conn->authorized)
        return "allow";
    return reason_refused(conn->reason) ? "deny" : "-";
}

static void add_decision(struct log_fields *line, const struct conn *conn)
{
    bool refused = !conn->authorized && reason_refused(conn->reason);
    log_addw(line, "decision", decision_of(conn));
    log_addw(line, "reason", refused ? reason_name(conn->reason) : "-");
    log_adds(line, "text", conn->decision.text);
    log_add_members(line, "log", conn->decision.log);
}

static const char *server_tls_of(const struct conn *conn)
{
    return conn->server && conn->server->tls ? tls_session_version(conn->server->tls) : NULL;
}

static void add_figures(struct log_fields *line, const struct conn *conn)
{
    if (conn->unique_id)
        log_adds(line, "id", conn->unique_id);
    log_adds(line, "backend",
             (conn->authorized || conn->member) && conn->backend ? conn->backend->name : NULL);
    log_adds(line, "server", conn->member ? conn->member->name : NULL);
    log_adds(line, "server_tls", server_tls_of(conn));
    log_addu(line, "bytes_in", conn->bytes_in);
    log_addu(line, "bytes_out", conn->bytes_out);
    log_addu(line, "handshake_us", conn->handshake_us);
    log_addu(line, "script_us", conn->script_us);
    log_addu(line, "connect_us", conn->connect_us);
    log_addu(line, "total_us", clock_us() - conn->started_us);
    log_addw(line, "close", reason_name(conn->reason));
    log_addu(line, "generation", conn->service->generation->number);
}

/* An http listener's connections show in the lines of their requests; one that had none only if it was
 * refused. */
static bool wanted(const struct conn *conn)
{
    const struct listener *listener = conn->service->listener;
    if (!listener->log_connections || conn->quiet)
        return false;
    return listener->protocol != PROTOCOL_HTTP || (conn->requests == 0 && reason_refused(conn->reason));
}

void access_log_write(struct proxy_thread *thread, const struct conn *conn)
{
    char buffer[LOG_FIELDS_MAX];
    struct log_fields line;
    struct listener_state *state = conn->service->listener->state;
    count(&state->bytes_in, conn->bytes_in);
    count(&state->bytes_out, conn->bytes_out);
    if (!wanted(conn))
        return;
    log_fields_begin(&line, thread->log, buffer);
    log_add_who(&line, conn);
    log_add_tls(&line, conn);
    log_add_certificate(&line, conn);
    add_decision(&line, conn);
    add_figures(&line, conn);
    log_fields_end(&line, thread->log);
}
