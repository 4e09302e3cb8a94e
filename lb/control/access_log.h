/*
 * The line that every connection leaves behind: who came, what was decided and why, where it went, how long
 * it took. JSON or key=value text, as `log-format` says; no value that a client chose can forge a field or a
 * line.
 */
#ifndef LB_CONTROL_ACCESS_LOG_H
#define LB_CONTROL_ACCESS_LOG_H

#include "lb/proxy/conn.h"

/* In the connection's thread, when its outcome is settled and its streams are still there. */
void access_log_write(struct proxy_thread *thread, const struct conn *conn);

#endif
