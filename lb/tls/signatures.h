/* Signatures of certificates and CRLs, checked one by one with a certificate manager that lives for the call
 * only. Slow. */
#ifndef LB_TLS_SIGNATURES_H
#define LB_TLS_SIGNATURES_H

#include "lb/tls/certificate.h"
#include "lb/tls/crl.h"

bool certificate_signed_by(const struct certificate *certificate, const struct certificate *issuer);
bool crl_signed_by(const struct crl *crl, const struct certificate *issuer);

#endif
