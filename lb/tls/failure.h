/* Turns wolfSSL's error codes into reasons, texts and alerts. */
#ifndef LB_TLS_FAILURE_H
#define LB_TLS_FAILURE_H

#include "lb/tls/path.h"

struct tls_session;

/* The library refused `certificate`, and lb's rules found no fault with the path. */
void failure_from_certificate(int error, const struct certificate *certificate, const struct path *path,
                              struct tls_failure *failure);

/* The handshake (or a record after it) failed with this code of wolfSSL; sends an alert where one is due and
 * none went out. */
void failure_from_library(struct tls_session *session, int error);

/* What stands when no memory was left for another. */
extern const struct tls_failure failure_no_memory;

#endif
