#include "lb/tls/stapling.h"

#include <stdlib.h>

#include "lb/base/clock.h"

/* Asked by the library for a client that wants a response; what it is given it frees as its own. */
static int on_status(WOLFSSL *ssl, void *argument)
{
    struct staple *staple = argument;
    size_t len = 0;
    char *der = staple_copy(staple, clock_unix_s(), &len);
    unsigned char *given = der ? XMALLOC(len, NULL, DYNAMIC_TYPE_TMP_BUFFER) : NULL;
    if (given)
        memcpy(given, der, len);
    free(der);
    if (given && wolfSSL_set_tlsext_status_ocsp_resp(ssl, given, (int)len) == WOLFSSL_SUCCESS)
        return WOLFSSL_OCSP_STATUS_CB_OK;
    if (given)
        XFREE(given, NULL, DYNAMIC_TYPE_TMP_BUFFER);
    return WOLFSSL_OCSP_STATUS_CB_NOACK;
}

bool stapling_attach(WOLFSSL_CTX *ctx, struct staple *staple)
{
    return wolfSSL_CTX_EnableOCSPStapling(ctx) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_tlsext_status_cb(ctx, on_status) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_tlsext_status_arg(ctx, staple) == WOLFSSL_SUCCESS;
}
