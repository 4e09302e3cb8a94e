/* Hands a staple to wolfSSL, which asks no responder itself. */
#ifndef LB_TLS_STAPLING_H
#define LB_TLS_STAPLING_H

#include "lb/tls/library.h"
#include "lb/tls/staple.h"

/* The staple must outlive the context. False: the library cannot do it. */
bool stapling_attach(WOLFSSL_CTX *ctx, struct staple *staple);

#endif
