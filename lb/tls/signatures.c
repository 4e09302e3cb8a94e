#include "lb/tls/signatures.h"

#include "lb/tls/library.h"

static WOLFSSL_CERT_MANAGER *manager_with(const struct certificate *issuer)
{
    WOLFSSL_CERT_MANAGER *manager = wolfSSL_CertManagerNew();
    if (manager && wolfSSL_CertManagerLoadCABuffer_ex(manager, (const byte *)issuer->der.data,
                                                      (long)issuer->der.len, WOLFSSL_FILETYPE_ASN1, 0,
                                                      WOLFSSL_LOAD_FLAG_DATE_ERR_OKAY) == WOLFSSL_SUCCESS)
        return manager;
    wolfSSL_CertManagerFree(manager);
    return NULL;
}

/* wolfSSL looks at the dates last: a date error means that the signature was good. */
bool certificate_signed_by(const struct certificate *certificate, const struct certificate *issuer)
{
    WOLFSSL_CERT_MANAGER *manager = manager_with(issuer);
    if (!manager)
        return false;
    int result = wolfSSL_CertManagerVerifyBuffer(manager, (const byte *)certificate->der.data,
                                                 (long)certificate->der.len, WOLFSSL_FILETYPE_ASN1);
    wolfSSL_CertManagerFree(manager);
    return result == WOLFSSL_SUCCESS || result == ASN_AFTER_DATE_E || result == ASN_BEFORE_DATE_E;
}

bool crl_signed_by(const struct crl *crl, const struct certificate *issuer)
{
    WOLFSSL_CERT_MANAGER *manager = manager_with(issuer);
    if (!manager)
        return false;
    bool good = wolfSSL_CertManagerEnableCRL(manager, WOLFSSL_CRL_CHECK) == WOLFSSL_SUCCESS &&
                wolfSSL_CertManagerLoadCRLBuffer(manager, (const byte *)crl->der.data, (long)crl->der.len,
                                                 WOLFSSL_FILETYPE_ASN1) == WOLFSSL_SUCCESS;
    wolfSSL_CertManagerFree(manager);
    return good;
}
