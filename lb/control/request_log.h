/* The line that every request of an http listener leaves behind. */
#ifndef LB_CONTROL_REQUEST_LOG_H
#define LB_CONTROL_REQUEST_LOG_H

#include "lb/proxy/conn.h"
#include "lb/proxy/exchange.h"

/* In the exchange's thread, when it is over and its connection is still there. */
void request_log_write(struct proxy_thread *thread, const struct exchange *exchange);

#endif
