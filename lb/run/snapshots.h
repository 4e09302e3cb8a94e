/* The snapshots that are alive, and the state of servers and listeners that outlives them. Master thread
 * only. */
#ifndef LB_RUN_SNAPSHOTS_H
#define LB_RUN_SNAPSHOTS_H

#include "lb/config/config.h"
#include "lb/proxy/counters.h"

struct snapshot {
    struct snapshot *next;
    struct config *config;
    unsigned number;
};

struct snapshots {
    struct snapshot *newest; /* then older ones */
    unsigned count, last_number;
    struct server_table servers;
    struct listener_table listeners;
};

/* Gives the configuration its run-time state: must come before it is published. */
void snapshots_attach(struct snapshots *snapshots, struct config *config);
void snapshots_detach(struct snapshots *snapshots, struct config *config);

/* The configuration serves from now on; takes the caller's reference. */
void snapshots_add(struct snapshots *snapshots, struct config *config, unsigned number);

/* Drops those that no worker uses any more, except the newest. */
void snapshots_sweep(struct snapshots *snapshots);
void snapshots_free(struct snapshots *snapshots); /* all; no worker may be running */

struct config *snapshots_current(const struct snapshots *snapshots); /* NULL before the first */

#endif
