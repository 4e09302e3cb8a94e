#include "lb/control/metrics.h"

static void head(FILE *out, const char *metric, const char *type, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", metric, help, metric, type);
}

struct listener_metric {
    const char *name, *help;
    size_t offset;
};

static const struct listener_metric listener_metrics[] = {
    {"lb_connections_total", "Connections accepted.", offsetof(struct listener_state, connections)},
    {"lb_handshakes_total", "TLS handshakes completed.", offsetof(struct listener_state, handshakes)},
    {"lb_handshakes_resumed_total", "Those of them that resumed a session.",
     offsetof(struct listener_state, resumed)},
    {"lb_allowed_total", "Connections that were allowed.", offsetof(struct listener_state, allowed)},
    {"lb_requests_total", "Requests whose head was read, or refused while it was.",
     offsetof(struct listener_state, requests)},
    {"lb_request_retries_total", "Further servers asked for a request.",
     offsetof(struct listener_state, retries)},
    {"lb_reauthorized_total", "Live connections that were judged again after a change, and kept.",
     offsetof(struct listener_state, reauthorized)},
    {"lb_reauthorize_unchecked_total",
     "Live connections that could not be judged again by a certificate, having shown none.",
     offsetof(struct listener_state, reauthorize_unchecked)},
    {"lb_denied_total", "Connections of http listeners that on_authorize has denied.",
     offsetof(struct listener_state, denied)},
    {"lb_bytes_in_total", "Bytes from clients, without TLS, of connections that have ended.",
     offsetof(struct listener_state, bytes_in)},
    {"lb_bytes_out_total", "Bytes to clients, without TLS, of connections that have ended.",
     offsetof(struct listener_state, bytes_out)},
};

static void write_handshake(const struct listener *listener, size_t version, size_t group, FILE *out)
{
    static const char *const versions[HANDSHAKE_VERSIONS] = {"TLSv1.2", "TLSv1.3"};
    const char *const *names = tls_group_names();
    unsigned long long number = counted(&listener->state->handshakes_by[version][group]);
    if (number > 0)
        fprintf(out, "lb_tls_handshakes_total{listener=\"%s\",version=\"%s\",group=\"%s\"} %llu\n",
                listener->name, versions[version], group < TLS_GROUP_COUNT ? names[group] : "none", number);
}

/* Only what has happened: the key exchanges that clients do not use are many. */
static void write_tls_handshakes(const struct config *config, FILE *out)
{
    head(out, "lb_tls_handshakes_total", "counter",
         "TLS handshakes completed, by version and group of the key exchange; none: resumed without one.");
    for (size_t i = 0; i < config->listener_count; i++)
        for (size_t version = 0; version < HANDSHAKE_VERSIONS; version++)
            for (size_t group = 0; group <= TLS_GROUP_COUNT; group++)
                write_handshake(&config->listeners[i], version, group, out);
    head(out, "lb_handshakes_active", "gauge", "TLS handshakes that are under way now.");
    for (size_t i = 0; i < config->listener_count; i++)
        fprintf(out, "lb_handshakes_active{listener=\"%s\"} %u\n", config->listeners[i].name,
                atomic_load(&config->listeners[i].state->handshaking));
}

/* Names are of letters, digits, '_', '-' and '.': they need no escaping in a label. */
static void write_listeners(const struct config *config, FILE *out)
{
    for (size_t i = 0; i < sizeof(listener_metrics) / sizeof(listener_metrics[0]); i++) {
        const struct listener_metric *metric = &listener_metrics[i];
        head(out, metric->name, "counter", metric->help);
        for (size_t j = 0; j < config->listener_count; j++)
            fprintf(out, "%s{listener=\"%s\"} %llu\n", metric->name, config->listeners[j].name,
                    counted(
                        (const atomic_ullong *)((const char *)config->listeners[j].state + metric->offset)));
    }
    head(out, "lb_reauthorize_lag_seconds", "gauge",
         "From the last change of rules to the last live connection that it has closed.");
    for (size_t j = 0; j < config->listener_count; j++)
        fprintf(out, "lb_reauthorize_lag_seconds{listener=\"%s\"} %.6f\n", config->listeners[j].name,
                (double)counted(&config->listeners[j].state->reauthorize_lag_us) / 1e6);
    write_tls_handshakes(config, out);
    head(out, "lb_connections_active", "gauge", "Connections that are open now.");
    for (size_t j = 0; j < config->listener_count; j++)
        fprintf(out, "lb_connections_active{listener=\"%s\"} %u\n", config->listeners[j].name,
                atomic_load(&config->listeners[j].state->active));
}

static void write_refusals(const struct config *config, FILE *out)
{
    static const char *const causes[TLS_REFUSAL_COUNT] = {
        [TLS_REFUSED_KEY] = "key",   [TLS_REFUSED_BOND] = "bond",
        [TLS_REFUSED_AGE] = "age",   [TLS_REFUSED_CERTIFICATE] = "certificate",
        [TLS_REFUSED_LOST] = "lost",
    };
    head(out, "lb_resumptions_refused_total", "counter",
         "Sessions that clients offered in vain, so that a full handshake followed: sealed with an unknown "
         "key, bound to something else (or damaged), older than session-lifetime, certificate not admitted "
         "any more, not kept any more.");
    for (size_t j = 0; j < config->listener_count; j++)
        for (size_t cause = 1; cause < TLS_REFUSAL_COUNT; cause++)
            fprintf(out, "lb_resumptions_refused_total{listener=\"%s\",cause=\"%s\"} %llu\n",
                    config->listeners[j].name, causes[cause],
                    counted(&config->listeners[j].state->resumption_refused[cause]));
}

static void write_reasons(const struct config *config, FILE *out)
{
    head(out, "lb_connections_ended_total", "counter", "Connections by why they ended or were refused.");
    for (size_t j = 0; j < config->listener_count; j++)
        for (int reason = REASON_NONE + 1; reason < REASON_COUNT; reason++)
            fprintf(out, "lb_connections_ended_total{listener=\"%s\",reason=\"%s\"} %llu\n",
                    config->listeners[j].name, reason_name((enum reason)reason),
                    counted(&config->listeners[j].state->ended[reason]));
}

/* Of listeners that ask. */
static void write_ocsp(const struct config *config, FILE *out)
{
    static const char *const results[OCSP_RESULTS] = {"good", "revoked", "unknown", "none"};
    head(out, "lb_ocsp_total", "counter",
         "Clients' certificates by what OCSP said of them; none: there was no answer to be believed.");
    for (size_t j = 0; j < config->listener_count; j++)
        for (size_t i = 0; i < OCSP_RESULTS && config->listeners[j].tls.ocsp != OCSP_OFF; i++)
            fprintf(out, "lb_ocsp_total{listener=\"%s\",result=\"%s\"} %llu\n", config->listeners[j].name,
                    results[i], counted(&config->listeners[j].state->ocsp[i]));
}

static void write_requests(const struct config *config, FILE *out)
{
    static const char *const classes[6] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    head(out, "lb_responses_total", "counter", "Answers by class of status; none: the client left before.");
    for (size_t j = 0; j < config->listener_count; j++)
        for (size_t class = 0; class < 6; class ++)
            fprintf(out, "lb_responses_total{listener=\"%s\",code=\"%s\"} %llu\n", config->listeners[j].name,
                    classes[class], counted(&config->listeners[j].state->responses[class]));
    head(out, "lb_requests_ended_total", "counter", "Requests by why they ended or were refused.");
    for (size_t j = 0; j < config->listener_count; j++)
        for (int reason = REASON_NONE + 1; reason < REASON_COUNT; reason++)
            if (counted(&config->listeners[j].state->requests_ended[reason]) > 0)
                fprintf(out, "lb_requests_ended_total{listener=\"%s\",reason=\"%s\"} %llu\n",
                        config->listeners[j].name, reason_name((enum reason)reason),
                        counted(&config->listeners[j].state->requests_ended[reason]));
}

struct server_metric {
    const char *name, *help;
    size_t offset;
};

static const struct server_metric server_metrics[] = {
    {"lb_server_connections_total", "Connections made to the server.", offsetof(struct server, connections)},
    {"lb_server_connect_errors_total", "Connects that failed.", offsetof(struct server, connect_errors)},
    {"lb_server_checks_failed_total", "Health checks that failed.", offsetof(struct server, checks_failed)},
    {"lb_server_went_down_total", "Times that checks took the server out.",
     offsetof(struct server, went_down)},
};

typedef void member_writer(FILE *out, const struct backend *backend, const struct member *member,
                           const void *metric);

static void each_member(const struct config *config, FILE *out, member_writer *write, const void *metric)
{
    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; j < config->backends[i].member_count; j++)
            write(out, &config->backends[i], &config->backends[i].members[j], metric);
}

static void write_counter(FILE *out, const struct backend *backend, const struct member *member,
                          const void *context)
{
    const struct server_metric *metric = context;
    fprintf(out, "%s{backend=\"%s\",server=\"%s\"} %llu\n", metric->name, backend->name, member->name,
            counted((const atomic_ullong *)((const char *)member->server + metric->offset)));
}

static void write_handshakes(FILE *out, const struct backend *backend, const struct member *member,
                             const void *context)
{
    const struct {
        const char *result;
        const atomic_ullong *number;
    } results[] = {{"full", &member->server->handshakes_full},
                   {"resumed", &member->server->handshakes_resumed},
                   {"failed", &member->server->handshakes_failed}};
    (void)context;
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++)
        fprintf(out, "lb_server_handshakes_total{backend=\"%s\",server=\"%s\",result=\"%s\"} %llu\n",
                backend->name, member->name, results[i].result, counted(results[i].number));
}

static void write_up(FILE *out, const struct backend *backend, const struct member *member,
                     const void *context)
{
    (void)context;
    fprintf(out, "lb_server_up{backend=\"%s\",server=\"%s\"} %d\n", backend->name, member->name,
            member->resolved && atomic_load(&member->server->up));
}

static void write_active(FILE *out, const struct backend *backend, const struct member *member,
                         const void *context)
{
    (void)context;
    fprintf(out, "lb_server_connections_active{backend=\"%s\",server=\"%s\"} %u\n", backend->name,
            member->name, atomic_load(&member->server->active));
}

static void write_servers(const struct config *config, FILE *out)
{
    for (size_t i = 0; i < sizeof(server_metrics) / sizeof(server_metrics[0]); i++) {
        head(out, server_metrics[i].name, "counter", server_metrics[i].help);
        each_member(config, out, write_counter, &server_metrics[i]);
    }
    head(out, "lb_server_handshakes_total", "counter", "TLS handshakes with the server by result.");
    each_member(config, out, write_handshakes, NULL);
    head(out, "lb_server_up", "gauge", "1 if the server may be chosen.");
    each_member(config, out, write_up, NULL);
    head(out, "lb_server_connections_active", "gauge", "Connections to the server that are open now.");
    each_member(config, out, write_active, NULL);
}

static void write_process(struct master *master, FILE *out)
{
    head(out, "lb_log_dropped_total", "counter", "Log lines lost because the log's reader was too slow.");
    fprintf(out, "lb_log_dropped_total %llu\n", (unsigned long long)log_dropped(master->sink));
    head(out, "lb_accept_starved_total", "counter",
         "Times that accepting failed for want of descriptors or memory.");
    fprintf(out, "lb_accept_starved_total %llu\n", counted(&master->shared.starved));
    head(out, "lb_reloads_total", "counter", "Reloads by result.");
    fprintf(out, "lb_reloads_total{result=\"done\"} %llu\n", master->reloads_done);
    fprintf(out, "lb_reloads_total{result=\"refused\"} %llu\n", master->reloads_refused);
    head(out, "lb_rotations_total", "counter", "Changed files that took effect without a reload, by result.");
    fprintf(out, "lb_rotations_total{result=\"done\"} %llu\n", master->rotations_done);
    fprintf(out, "lb_rotations_total{result=\"refused\"} %llu\n", master->rotations_refused);
    head(out, "lb_generation", "gauge", "The configuration that serves new connections, counted from 1.");
    fprintf(out, "lb_generation %u\n", master->snapshots.last_number);
    head(out, "lb_generations", "gauge", "Configurations that still have connections, the newest included.");
    fprintf(out, "lb_generations %u\n", master->snapshots.count);
    head(out, "lb_start_time_seconds", "gauge", "When lb started, in seconds since 1970.");
    fprintf(out, "lb_start_time_seconds %.3f\n", (double)master->started_unix_ms / 1000);
}

void metrics_write(struct master *master, FILE *out)
{
    snapshots_sweep(&master->snapshots);
    const struct config *config = snapshots_current(&master->snapshots);
    write_listeners(config, out);
    write_refusals(config, out);
    write_reasons(config, out);
    write_ocsp(config, out);
    write_requests(config, out);
    write_servers(config, out);
    write_process(master, out);
}
