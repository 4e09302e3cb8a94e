/* What is counted for a listener, across snapshots: found again by the listener's name. All threads. */
#ifndef LB_PROXY_COUNTERS_H
#define LB_PROXY_COUNTERS_H

#include <stdatomic.h>

#include "lb/base/reason.h"
#include "lb/tls/session.h"

#define HANDSHAKE_VERSIONS 2

/* What became of asking about a client's certificate. */
enum ocsp_result {
    OCSP_RESULT_GOOD,
    OCSP_RESULT_REVOKED,
    OCSP_RESULT_UNKNOWN,
    OCSP_RESULT_NONE,
    OCSP_RESULTS
};

struct listener_state {
    char *name;
    struct listener_state *next; /* in its table; master thread only */
    unsigned refs;               /* master thread only */
    atomic_uint active;
    atomic_uint handshaking; /* TLS handshakes that are under way */
    atomic_ullong connections;
    atomic_ullong handshakes; /* completed, resumed ones too */
    /* The same by version (TLS 1.2, 1.3) and tls_session_group_index. */
    atomic_ullong handshakes_by[HANDSHAKE_VERSIONS][TLS_GROUP_COUNT + 1];
    atomic_ullong resumed;
    atomic_ullong resumption_refused[TLS_REFUSAL_COUNT]; /* of sessions that clients offered */
    atomic_ullong allowed;
    atomic_ullong bytes_in, bytes_out; /* of the clients, plaintext */
    atomic_ullong ended[REASON_COUNT];
    atomic_ullong ocsp[OCSP_RESULTS];
    atomic_ullong reauthorized;          /* live connections judged again, and kept */
    atomic_ullong reauthorize_unchecked; /* of those, without any certificate that could be looked at */
    atomic_ullong reauthorize_lag_us;    /* from the last change to the last close that it has caused */

    /* http listeners */
    atomic_ullong requests;
    atomic_ullong responses[6]; /* by the first digit of the status; 0: none was sent */
    atomic_ullong requests_ended[REASON_COUNT];
    atomic_ullong retries;
    atomic_ullong denied; /* connections that on_authorize has denied: their requests are answered so */
};

/* Master thread only. */
struct listener_table {
    struct listener_state *first;
};

struct listener_state *listener_state_get(struct listener_table *table, const char *name);
void listener_state_put(struct listener_table *table, struct listener_state *state);

/* Adds without ordering: counters are read for display only. */
static inline void count(atomic_ullong *counter, unsigned long long by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static inline unsigned long long counted(const atomic_ullong *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
