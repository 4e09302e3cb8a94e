/*
 * A backend: servers and the policy that chooses among them. `struct backend` belongs to a snapshot and is
 * immutable; `struct balancer` holds one thread's cursor over it and lives as long as a generation.
 */
#ifndef LB_BALANCE_BACKEND_H
#define LB_BALANCE_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "lb/balance/server.h"

enum health_kind { HEALTH_OFF, HEALTH_TCP };

enum send_proxy { SEND_PROXY_OFF, SEND_PROXY_V1, SEND_PROXY_V2 };

struct health_settings {
    enum health_kind kind;
    uint64_t interval_ms, timeout_ms;
    unsigned fall, rise; /* checks in a row that change the state */
};

struct member {
    char *name;
    struct addr addr;
    bool resolved;            /* false: the name had no address at load; never chosen */
    char *addr_text;          /* as written */
    unsigned weight;          /* 0 takes no new connections, up to 256 */
    unsigned max_connections; /* 0: no limit */
    struct server *server;    /* set once before the snapshot is published */
};

struct policy;

struct backend {
    char *name;
    const struct policy *policy;
    struct member *members;
    size_t member_count; /* at most BACKEND_MEMBERS_MAX */
    struct health_settings health;
    uint64_t timeout_connect_ms;
    unsigned retries;            /* further servers to try after a failed connect */
    enum send_proxy send_proxy;  /* what a connection to a server begins with */
    bool send_proxy_certificate; /* the client's certificate is in it; with v2 only */

    /* For requests of http listeners. */
    bool h2;                    /* HTTP/2 with prior knowledge; else HTTP/1.1 */
    char *host;                 /* what Host names; NULL: as the client sent it */
    uint64_t timeout_server_ms; /* to the first byte of an answer, and between its bytes */
    uint64_t pool_connections;  /* idle ones kept to each server in each worker; 0: none */
    uint64_t timeout_pool_ms;   /* how long one is kept */
};

#define BACKEND_MEMBERS_MAX 1024

/* Which members a connection has tried already, one bit each. */
struct tried {
    uint64_t bits[BACKEND_MEMBERS_MAX / 64];
};

struct balancer;

/* One file per policy (policy_*.c), named in the table of policy.c. */
struct policy {
    const char *name; /* as in `balance = name` */
    /* Index of the member to use among those for which balancer_usable is true, or -1. */
    int (*choose)(struct balancer *balancer, const struct tried *tried);
};

struct balancer {
    const struct backend *backend;
    int64_t *current; /* a number per member, for the policy's use; starts at 0 */
};

const struct policy *policy_find(const char *name); /* NULL if unknown */
const char *const *policy_names(void);              /* NULL-terminated, in the table's order */

void balancer_init(struct balancer *balancer, const struct backend *backend);
void balancer_release(struct balancer *balancer);
bool balancer_usable(const struct balancer *balancer, size_t member, const struct tried *tried);

/* Chooses, marks it in `tried`, and counts it active. NULL: none is up, with room, and untried. */
const struct member *balancer_pick(struct balancer *balancer, struct tried *tried);

/* The same for the member of that name: NULL as well if there is no such member. */
const struct member *balancer_pick_named(struct balancer *balancer, const char *name, struct tried *tried);

/* The connection that pick counted has ended. Any thread. */
void balancer_release_member(const struct member *member);

#endif
