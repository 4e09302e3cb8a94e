/*
 * The second ClientHello, which follows a HelloRetryRequest (RFC 8446 section 4.1.4). Name, protocols and
 * versions were judged by the first one and wolfSSL does not compare the two: it is read here, like the
 * first, before the library sees it.
 */
#ifndef LB_TLS_RETRY_H
#define LB_TLS_RETRY_H

#include "lb/tls/session.h"

struct retry;

/* Whether the server's flight begins with a HelloRetryRequest. */
bool retry_is_asked(struct slice flight);

/* `first` is the record with the first hello, copied. NULL: out of memory. */
struct retry *retry_new(struct slice first);
void retry_free(struct retry *retry); /* NULL is fine */

enum retry_result {
    RETRY_PARTIAL,
    RETRY_READY,   /* *record is what wolfSSL is to read now; it lies in `retry` */
    RETRY_ALERT,   /* *record is an alert that came in place of the hello, and after which nothing may come */
    RETRY_REFUSED, /* *failure says why */
};

/* The next bytes from the client. */
enum retry_result retry_add(struct retry *retry, struct slice in, struct slice *record,
                            struct tls_failure *failure);

#endif
