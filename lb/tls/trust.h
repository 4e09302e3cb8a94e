/* Loads what a listener trusts, client-ca and client-crl, or a backend, ca. */
#ifndef LB_TLS_TRUST_H
#define LB_TLS_TRUST_H

#include "lb/base/problems.h"
#include "lb/tls/path.h"
#include "lb/tls/settings.h"

/* Reads settings->client_ca and crls. NULL after adding problems. A certificate of client-ca that is no CA is
 * left out, with a warning. */
struct trust *trust_new(const struct tls_settings *settings, struct place place, struct problems *problems);

/* The CAs that servers are verified by. `lenient`: what cannot be used of the file is left out without a
 * word, as long as something is left. */
struct trust *trust_new_for_servers(const struct tls_file *ca, bool lenient, struct place place,
                                    struct problems *problems);

#endif
