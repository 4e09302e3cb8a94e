/*
 * Live connections under new rules. When a reload or a rotation has changed what a listener with
 * `reauthorize` demands (mode, CAs, CRLs, script), each of its connections is judged again where certificates
 * were asked for before or are now: chain, dates, CRL, then on_authorize. Those that are no longer allowed
 * are closed, the others notice nothing. A thread does this in small slices between its other work.
 */
#ifndef LB_PROXY_REAUTHORIZE_H
#define LB_PROXY_REAUTHORIZE_H

#include "lb/proxy/conn.h"

struct recheck;

/* Of each thread. */
struct reauthorizer {
    struct proxy_thread *thread;
    struct recheck *first, *last; /* those that wait for their turn */
    uv_idle_t idle;               /* runs while there are any */
    uint64_t changed_us;          /* clock_us: when the change was seen that is being worked off */
};

bool reauthorizer_init(struct proxy_thread *thread);  /* false: out of memory */
void reauthorizer_close(struct proxy_thread *thread); /* its handle; run the loop once more, then free */
void reauthorizer_free(struct proxy_thread *thread);

/* thread->current is new: queues the connections that it concerns. */
void reauthorize_begin(struct proxy_thread *thread);

/* The connection ends: harmless when it is not being judged. */
void reauthorize_forget(struct conn *conn);

/* Whether connections that `a` has let in need not be judged again under `b`: by content, scripts too. */
bool service_rules_alike(const struct service *a, const struct service *b);
/* Likewise for requests, which choose among services of one snapshot by their host. */
bool service_shares_hosts(const struct service *a, const struct service *b);

#endif
