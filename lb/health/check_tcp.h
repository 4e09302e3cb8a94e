/* One probe: does the server accept a TCP (or unix) connection in time? */
#ifndef LB_HEALTH_CHECK_TCP_H
#define LB_HEALTH_CHECK_TCP_H

#include <uv.h>

#include "lb/base/addr.h"
#include "lb/base/slice.h"

/* error: 0 or a negative errno (UV_ETIMEDOUT). Called once, never from within check_tcp. */
typedef void check_done(void *context, int error);

struct check_tcp;

/* `first` is sent once the connection is there, if it is not empty: a PROXY header; it must be constant.
 * NULL: no probe could be made (*error). */
struct check_tcp *check_tcp(uv_loop_t *loop, const struct addr *addr, struct slice first, uint64_t timeout_ms,
                            check_done *done, void *context, int *error);
void check_tcp_cancel(struct check_tcp *check); /* done is not called any more */

#endif
