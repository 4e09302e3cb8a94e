#ifndef LB_TLS_TIME_H
#define LB_TLS_TIME_H

#include <stdint.h>

/* For dry runs: certificates and CRLs are judged as of that moment (unix seconds) from here on, in the whole
 * process. */
void tls_set_time(int64_t unix_seconds);

#endif
