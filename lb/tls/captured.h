/* Certificates with their DER behind them, in one piece of memory; an anchor's DER is the context's. */
#ifndef LB_TLS_CAPTURED_H
#define LB_TLS_CAPTURED_H

#include "lb/tls/path.h"

struct captured {
    size_t count;
    struct certificate list[];
};

/* A copy of what the path points to, but for an anchor behind others: that one is the context's, which
 * outlives the session. Freed with free(). NULL: out of memory. */
struct captured *captured_new(const struct path *path);

#endif
