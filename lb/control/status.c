#include "lb/base/clock.h"
#include "lb/base/version.h"
#include "lb/control/metrics.h"

static void write_listener(FILE *out, const struct listener *listener)
{
    const struct listener_state *state = listener->state;
    unsigned long long refused = 0;
    for (int reason = 0; reason < REASON_COUNT; reason++)
        refused += reason_refused((enum reason)reason) ? counted(&state->ended[reason]) : 0;
    fprintf(out, "listener %-20s active %u, accepted %llu, allowed %llu, refused %llu\n", listener->name,
            atomic_load(&state->active), counted(&state->connections), counted(&state->allowed), refused);
    if (listener->protocol == PROTOCOL_HTTP)
        fprintf(out, "  requests %llu, 2xx %llu, 3xx %llu, 4xx %llu, 5xx %llu, retries %llu\n",
                counted(&state->requests), counted(&state->responses[2]), counted(&state->responses[3]),
                counted(&state->responses[4]), counted(&state->responses[5]), counted(&state->retries));
    for (int reason = 0; reason < REASON_COUNT; reason++)
        if (reason_refused((enum reason)reason) && counted(&state->ended[reason]) > 0)
            fprintf(out, "  refused %-26s %llu  (%s)\n", reason_name((enum reason)reason),
                    counted(&state->ended[reason]), reason_meaning((enum reason)reason));
}

static const char *state_of(const struct member *member)
{
    if (!member->resolved)
        return "unresolved";
    if (!atomic_load(&member->server->up))
        return "down";
    return member->weight == 0 ? "no new connections (weight 0)" : "up";
}

static void write_backend(FILE *out, const struct backend *backend)
{
    fprintf(out, "backend  %s (%s)\n", backend->name, backend->policy->name);
    for (size_t i = 0; i < backend->member_count; i++) {
        const struct member *member = &backend->members[i];
        fprintf(out, "  server %-20s %s: %s, weight %u, active %u, made %llu, failed %llu\n", member->name,
                member->addr_text, state_of(member), member->weight, atomic_load(&member->server->active),
                counted(&member->server->connections), counted(&member->server->connect_errors));
    }
}

void status_write(struct master *master, FILE *out)
{
    snapshots_sweep(&master->snapshots);
    const struct config *config = snapshots_current(&master->snapshots);
    fprintf(out,
            "lb " LB_VERSION ", up %lld s, generation %u (%u alive), %zu workers, %u of %u connections%s\n",
            (long long)(clock_unix_ms() - master->started_unix_ms) / 1000, master->snapshots.last_number,
            master->snapshots.count, master->worker_count, atomic_load(&master->shared.connections),
            atomic_load(&master->shared.max_connections), master->stopping ? ", draining" : "");
    fprintf(out,
            "reloads  %llu done, %llu refused; rotations %llu done, %llu refused; log lines dropped: %llu\n",
            master->reloads_done, master->reloads_refused, master->rotations_done, master->rotations_refused,
            (unsigned long long)log_dropped(master->sink));
    for (size_t i = 0; i < config->listener_count; i++)
        write_listener(out, &config->listeners[i]);
    for (size_t i = 0; i < config->backend_count; i++)
        write_backend(out, &config->backends[i]);
}
