#ifndef LB_TLS_ALPN_H
#define LB_TLS_ALPN_H

#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include "lb/base/slice.h"

/* Agrees on the first of `ours` (names separated by ',') that the client offers (RFC 7301, section 3.2: the
 * server's order counts; `offered` is the body of its list). None in common: the handshake goes on without.
 * False: out of memory. */
bool alpn_choose(WOLFSSL *ssl, const char *ours, struct slice offered);

#endif
