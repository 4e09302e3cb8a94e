/* The inside of struct tls_context, for the files of this folder. */
#ifndef LB_TLS_CONTEXT_PARTS_H
#define LB_TLS_CONTEXT_PARTS_H

#include <stdatomic.h>

#include "lb/tls/context.h"
#include "lb/tls/library.h"
#include "lb/tls/own.h"
#include "lb/tls/path.h"
#include "lb/tls/suites.h"

struct tls_context {
    WOLFSSL_CTX *ctx;
    atomic_uint users;     /* the owner and each session */
    enum tls_mode mode;    /* towards servers: mutual if they are verified, else one-way */
    struct trust *trust;   /* held; NULL in one-way mode */
    struct staple *staple; /* held; NULL: none */
    char *alpn;            /* NULL: none */
    struct tls_own own;
    enum tls_version min, max;
    int groups[GROUPS_MAX], group_count; /* in order of preference */
    int64_t at;                          /* unix seconds that certificates are judged at; 0: the clock's */
};

/* What contexts of both roles take of their settings. False after adding problems. */
bool context_set_versions(WOLFSSL_CTX *ctx, const struct tls_settings *settings, struct place place,
                          struct problems *problems);
bool context_set_suites(struct tls_context *context, const struct tls_settings *settings, struct place place,
                        struct problems *problems);

void context_hold(struct tls_context *context);
int64_t context_now(const struct tls_context *context); /* what certificates are judged at */

#endif
