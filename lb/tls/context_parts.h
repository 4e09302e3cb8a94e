/* The inside of struct tls_context, for the files of this folder. */
#ifndef LB_TLS_CONTEXT_PARTS_H
#define LB_TLS_CONTEXT_PARTS_H

#include <stdatomic.h>

#include "lb/tls/context.h"
#include "lb/tls/library.h"
#include "lb/tls/own.h"
#include "lb/tls/path.h"
#include "lb/tls/resume.h"
#include "lb/tls/schemes.h"
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
    uint16_t suites[SUITES_MAX];
    size_t suite_count;
    struct signatures signatures;
    int groups[GROUPS_MAX], group_count; /* in order of preference */
    int64_t at;                          /* unix seconds that certificates are judged at; 0: the clock's */
    struct resume_rules resume;
};

void context_hold(struct tls_context *context);

/* Versions, suites and groups, for both sides of a connection. False after adding problems. */
bool context_set_protocol(struct tls_context *context, const struct tls_settings *settings,
                          struct place place, struct problems *problems);
int64_t context_now(const struct tls_context *context); /* what certificates are judged at */

/* As tls_context_admits, and gives the path that was judged. */
bool context_judge(struct tls_context *context, const struct certificate *chain, size_t count,
                   struct path *path, struct tls_failure *failure);

#endif
