/* Name constraints (RFC 5280 section 4.2.1.10) on a common name that reads as a host name: the library
 * applies them to subject alternative names only. */
#ifndef LB_TLS_CONSTRAINTS_H
#define LB_TLS_CONSTRAINTS_H

#include <stdbool.h>

#include "lb/tls/certificate.h"

/* False if a common name of `leaf`, which has no DNS alternative name, is outside of what `issuer` may vouch
 * for. */
bool constraints_allow_common_names(const struct certificate *issuer, const struct certificate *leaf);

#endif
