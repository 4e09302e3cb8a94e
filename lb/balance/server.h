/*
 * One server's state at run time. It outlives snapshots: a reload finds it again by identity (backend name,
 * server name, address), so health and counters survive. All threads; every changing field is atomic.
 */
#ifndef LB_BALANCE_SERVER_H
#define LB_BALANCE_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lb/base/addr.h"

struct server {
    char *backend, *name;
    struct addr addr;
    struct server *next; /* in its table; master thread only */
    unsigned refs;       /* master thread only */

    atomic_bool up;            /* what health checks say; true until they say otherwise */
    atomic_uint active;        /* connections now */
    atomic_ullong connections; /* made since start */
    atomic_ullong connect_errors;
    atomic_ullong bytes_in;  /* from the server */
    atomic_ullong bytes_out; /* to the server */
    atomic_ullong checks_failed;
    atomic_ullong went_down;
    atomic_ullong requests; /* sent to the server */
    atomic_ullong reused;   /* over a connection that had served before */
    atomic_uint idle;       /* connections kept for the next request */
    atomic_ullong handshakes_full, handshakes_resumed, handshakes_failed; /* of TLS with the server */
};

/* All servers of the process. Master thread only. */
struct server_table {
    struct server *first;
};

/* Finds or makes the server of that identity and takes a reference. */
struct server *server_get(struct server_table *table, const char *backend, const char *name,
                          const struct addr *addr);
void server_put(struct server_table *table, struct server *server); /* frees it with the last reference */

#endif
