/* `lb authorize` and OCSP: an answer from a file in place of a question. */
#ifndef LB_CONTROL_AUTHORIZE_OCSP_H
#define LB_CONTROL_AUTHORIZE_OCSP_H

#include "lb/tls/path.h"
#include "lb/tls/settings.h"

/* What the listener would make of the response in `der` (empty: there is none) about chain[0] at `now`; says
 * so on stdout. True: the client would get past it. False: *failure has reason and text. */
bool authorize_ocsp(const struct tls_settings *settings, const struct certificate *chain, size_t count,
                    struct slice der, int64_t now, struct tls_failure *failure);

#endif
