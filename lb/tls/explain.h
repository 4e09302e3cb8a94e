/* What was looked at in a dry run, in words: for the operator who asks why. */
#ifndef LB_TLS_EXPLAIN_H
#define LB_TLS_EXPLAIN_H

#include "lb/tls/dryrun.h"

/* One line for each certificate of the chain, leaf first: who, how long valid, and what the CRLs say of it;
 * where the client was refused, for each that it sent. */
void tls_explain(const struct tls_dry_run *run, const struct slice *sent, size_t count,
                 void (*line)(void *context, const char *text), void *context);

#endif
