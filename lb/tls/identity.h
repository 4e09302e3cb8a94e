/* Gives a WOLFSSL_CTX its own certificate and key. */
#ifndef LB_TLS_IDENTITY_H
#define LB_TLS_IDENTITY_H

#include "lb/base/problems.h"
#include "lb/tls/library.h"
#include "lb/tls/settings.h"

/* What the certificate is for, and when its end is told of. */
struct identity_use {
    bool to_servers;    /* lb shows it to servers, else to clients */
    uint64_t warning_s; /* one that expires within this time is warned of */
};

/* False after adding what is wrong to `problems`. NULL: there is no pair, which is wrong too. */
bool identity_load(WOLFSSL_CTX *ctx, const struct tls_pair *pair, const struct identity_use *use,
                   struct place place, struct problems *problems);

#endif
