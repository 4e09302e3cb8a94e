#include "lb/run/snapshots.h"

#include <stdlib.h>

#include "lb/base/memory.h"

void snapshots_attach(struct snapshots *snapshots, struct config *config)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        struct listener *listener = &config->listeners[i];
        listener->state = listener_state_get(&snapshots->listeners, listener->name);
        for (size_t j = 0; j < listener->policy_count; j++)
            listener->policies[j].state = listener->state;
    }
    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; j < config->backends[i].member_count; j++) {
            struct member *member = &config->backends[i].members[j];
            member->server =
                server_get(&snapshots->servers, config->backends[i].name, member->name, &member->addr);
        }
}

void snapshots_detach(struct snapshots *snapshots, struct config *config)
{
    for (size_t i = 0; i < config->listener_count; i++)
        listener_state_put(&snapshots->listeners, config->listeners[i].state);
    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; j < config->backends[i].member_count; j++)
            server_put(&snapshots->servers, config->backends[i].members[j].server);
}

void snapshots_add(struct snapshots *snapshots, struct config *config, unsigned number)
{
    struct snapshot *snapshot = mem_new(sizeof(*snapshot));
    *snapshot = (struct snapshot){snapshots->newest, config, number};
    snapshots->newest = snapshot;
    snapshots->count++;
}

static void drop(struct snapshots *snapshots, struct snapshot **link)
{
    struct snapshot *snapshot = *link;
    *link = snapshot->next;
    snapshots_detach(snapshots, snapshot->config);
    config_drop(snapshot->config);
    free(snapshot);
    snapshots->count--;
}

/* Ours is the last reference once every worker's generation of it is gone. */
void snapshots_sweep(struct snapshots *snapshots)
{
    struct snapshot **link = snapshots->newest ? &snapshots->newest->next : &snapshots->newest;
    while (*link) {
        if (atomic_load(&(*link)->config->refs) == 1)
            drop(snapshots, link);
        else
            link = &(*link)->next;
    }
}

void snapshots_free(struct snapshots *snapshots)
{
    while (snapshots->newest)
        drop(snapshots, &snapshots->newest);
}

struct config *snapshots_current(const struct snapshots *snapshots)
{
    return snapshots->newest ? snapshots->newest->config : NULL;
}
