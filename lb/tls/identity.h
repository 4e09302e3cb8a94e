/* Gives a WOLFSSL_CTX its own certificate and key. */
#ifndef LB_TLS_IDENTITY_H
#define LB_TLS_IDENTITY_H

#include "lb/base/problems.h"
#include "lb/tls/library.h"
#include "lb/tls/settings.h"

/* False after adding what is wrong to `problems`. NULL: there is no pair, which is wrong too. `to_servers`:
 * it is what lb shows to servers, else to clients. */
bool identity_load(WOLFSSL_CTX *ctx, const struct tls_pair *pair, bool to_servers, struct place place,
                   struct problems *problems);

#endif
