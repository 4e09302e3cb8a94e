/*
 * Compiled within wolfSSL's source by docker/install-deps and kept beside its library: what wolfSSL itself
 * has only in its OpenSSL layer, which lb builds without. Sets which signature schemes a context signs with
 * and asks its clients for.
 */
#ifdef HAVE_CONFIG_H
#include <config.h>
#endif

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/internal.h>

/* `schemes` are the protocol's numbers (RFC 8446 section 4.2.3), two bytes each, in order of preference. To
 * be called after the cipher suites were set, which bring a list of their own. 0; -1: too many, or no suites
 * yet. */
int lb_wolfssl_set_signatures(WOLFSSL_CTX *ctx, const unsigned char *schemes, unsigned len);

int lb_wolfssl_set_signatures(WOLFSSL_CTX *ctx, const unsigned char *schemes, unsigned len)
{
    Suites *suites = ctx->suites;
    if (!suites || !suites->setSuites || suites->suiteSz == 0 || len > sizeof(suites->hashSigAlgo) ||
        len % 2 != 0)
        return -1;
    XMEMCPY(suites->hashSigAlgo, schemes, len);
    suites->hashSigAlgoSz = (word16)len;
    return 0;
}
