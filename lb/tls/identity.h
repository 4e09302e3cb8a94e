/* Gives a WOLFSSL_CTX the listener's own certificate and key. */
#ifndef LB_TLS_IDENTITY_H
#define LB_TLS_IDENTITY_H

#include "lb/base/problems.h"
#include "lb/tls/library.h"
#include "lb/tls/settings.h"

/* False after adding what is wrong to `problems`. NULL: there is no pair, which is wrong too. */
bool identity_load(WOLFSSL_CTX *ctx, const struct tls_pair *pair, struct place place,
                   struct problems *problems);

#endif
