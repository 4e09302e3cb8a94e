/* Name constraints (RFC 5280 section 4.2.1.10). The library applies those of the direct issuer only, and only
 * to some of the names. */
#ifndef LB_TLS_CONSTRAINTS_H
#define LB_TLS_CONSTRAINTS_H

#include <stdbool.h>

#include "lb/tls/certificate.h"

/* False if a name of `certificate` is outside of what `issuer`, which stands anywhere above it, may vouch
 * for, or if that cannot be told with bounded work. */
bool constraints_allow_names(const struct certificate *issuer, const struct certificate *certificate);

/* False if a common name of `leaf` that reads as a host name is outside of what `issuer` may vouch for; one
 * with a DNS alternative name is not judged by its common name. */
bool constraints_allow_common_names(const struct certificate *issuer, const struct certificate *leaf);

#endif
