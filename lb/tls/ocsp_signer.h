/* The certificate of ocsp-signer: trusted by the operator, whoever issued it. */
#ifndef LB_TLS_OCSP_SIGNER_H
#define LB_TLS_OCSP_SIGNER_H

#include "lb/base/problems.h"
#include "lb/tls/settings.h"

/* Makes the file's content, PEM or DER, the DER of its one certificate. False after adding a problem at
 * `place`; one that has expired is warned of. */
bool ocsp_signer_load(struct tls_file *file, struct place place, struct problems *problems);

#endif
