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

/* Whether the certificates of two services are verified alike, which takes time to find out: by the content
 * of CAs and CRLs. */
struct comparison {
    const struct service *was, *is;
    bool alike;
};

#define COMPARISONS 64

/* Of each thread. */
struct reauthorizer {
    struct proxy_thread *thread;
    struct recheck *first, *last; /* those that wait for their turn */
    uv_idle_t idle;               /* runs while there are any */
    uint64_t changed_us;          /* clock_us: when the change was seen that is being worked off */
    struct comparison known[COMPARISONS];
};

bool reauthorizer_init(struct proxy_thread *thread);  /* false: out of memory */
void reauthorizer_close(struct proxy_thread *thread); /* its handle; run the loop once more, then free */
void reauthorizer_free(struct proxy_thread *thread);

/* thread->current is new: queues the connections that it concerns. */
void reauthorize_begin(struct proxy_thread *thread);

/* The connection ends: harmless when it is not being judged. */
void reauthorize_forget(struct conn *conn);

/* Whether whom `was` has verified need not be verified again by `is`, a service of thread->current. The
 * answer is kept, for many connections ask the same. */
bool service_verifies_alike(struct proxy_thread *thread, const struct service *was, const struct service *is);
/* thread->current is another one: a service may have the address of one that is gone. */
void service_forget_alike(struct proxy_thread *thread);

/* Whether requests for hosts of the one may come on connections of the other, both of one snapshot: by the
 * content of their rules, the options of scripts included. */
bool service_shares_hosts(const struct service *a, const struct service *b);

#endif
