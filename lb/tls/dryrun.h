/*
 * Verifies a client's certificates as a listener would, without the client's key: the certificates go through
 * a real handshake up to the point where the key would have to be proven. For `lb authorize`; nothing here is
 * for serving.
 */
#ifndef LB_TLS_DRYRUN_H
#define LB_TLS_DRYRUN_H

#include "lb/tls/session.h"

struct tls_dry_run {
    const struct certificate *chain; /* as tls_session_chain; count == 0 unless it was admitted */
    size_t count;
    struct tls_failure failure; /* if it was refused */

    /* Private: what keeps the chain alive. */
    struct tls_context *context;
    struct tls_session *session;
    struct tls_scratch scratch;
};

/* chain_der: leaf first, as the client would send them; none is what a client without certificate sends. `at`
 * is the time in unix seconds to judge at; 0: now. True: the listener would admit (in mutual-optional mode
 * also without a certificate, count is 0 then). False: see run->failure; problems of the settings themselves
 * are added to `problems` too. tls_dry_run_end in any case. */
bool tls_dry_run(const struct tls_settings *settings, const struct slice *chain_der, size_t count, int64_t at,
                 struct problems *problems, struct tls_dry_run *run);
void tls_dry_run_end(struct tls_dry_run *run);

#endif
