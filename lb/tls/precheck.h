/* What wolfSSL would answer with a misleading alert, or with none: seen in the ClientHello already. */
#ifndef LB_TLS_PRECHECK_H
#define LB_TLS_PRECHECK_H

#include "lb/tls/context_parts.h"
#include "lb/tls/hello.h"
#include "lb/tls/session.h"

/* False if no handshake can come of it: *failure says why and which alert to send. */
bool precheck_hello(const struct tls_context *context, const struct hello *hello,
                    struct tls_failure *failure);

#endif
