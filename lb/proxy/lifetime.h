/* The end that a connection has from its beginning. */
#ifndef LB_PROXY_LIFETIME_H
#define LB_PROXY_LIFETIME_H

#include "lb/proxy/conn.h"

/* The connection was let in: its time runs, if its listener limits it. False: out of memory. */
bool lifetime_begin(struct conn *conn);
void lifetime_end(struct conn *conn); /* it is closed: harmless without a limit */

#endif
