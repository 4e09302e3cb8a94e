#include "lb/tls/library.h"

#include <stdio.h>

#include <wolfssl/wolfcrypt/cpuid.h>

#include "lb/base/text.h"
#include "lb/tls/context.h"

_Static_assert(LIBRARY_TEXT_MAX >= WOLFSSL_MAX_ERROR_SZ, "wolfSSL writes up to WOLFSSL_MAX_ERROR_SZ bytes");

bool tls_library_start(void)
{
    return wolfSSL_Init() == WOLFSSL_SUCCESS;
}

void tls_library_stop(void)
{
    wolfSSL_Cleanup();
}

const char *tls_library_version(void)
{
    return wolfSSL_lib_version();
}

static void add_feature(struct text *text, bool there, const char *name)
{
    if (!there)
        return;
    if (text->len > 0)
        text_addc(text, ' ');
    text_adds(text, name);
}

void tls_library_cpu(char *out, size_t size)
{
    struct text text;
    text_init(&text, out, size);
#if defined(HAVE_CPUID_INTEL)
    cpuid_flags_t flags = cpuid_get_flags();
    add_feature(&text, IS_INTEL_AESNI(flags), "aesni");
    add_feature(&text, IS_INTEL_AVX1(flags), "avx");
    add_feature(&text, IS_INTEL_AVX2(flags), "avx2");
    add_feature(&text, IS_INTEL_BMI2(flags), "bmi2");
    add_feature(&text, IS_INTEL_ADX(flags), "adx");
    add_feature(&text, IS_INTEL_SHA(flags), "sha");
#elif defined(HAVE_CPUID_AARCH64)
    cpuid_flags_t flags = cpuid_get_flags();
    add_feature(&text, IS_AARCH64_AES(flags), "aes");
    add_feature(&text, IS_AARCH64_PMULL(flags), "pmull");
    add_feature(&text, IS_AARCH64_SHA256(flags), "sha256");
    add_feature(&text, IS_AARCH64_SHA512(flags), "sha512");
#endif
    add_feature(&text, text.len == 0, "none");
}

/* wolfSSL has no public way to send an alert of one's choice; this function of its own links from the static
 * library. */
extern int SendAlert(WOLFSSL *ssl, int severity, int type);

void library_alert(WOLFSSL *ssl, int code)
{
    SendAlert(ssl, alert_fatal, code);
}

/* Beside the library where docker/install-deps has built it, missing where another build is used. */
extern int lb_wolfssl_set_signatures(WOLFSSL_CTX *ctx, const unsigned char *schemes, unsigned len)
    __attribute__((weak));

bool library_set_signatures(WOLFSSL_CTX *ctx, const unsigned char *schemes, size_t len)
{
    return lb_wolfssl_set_signatures && lb_wolfssl_set_signatures(ctx, schemes, (unsigned)len) == 0;
}

const char *library_error(int code, char out[LIBRARY_TEXT_MAX])
{
    return wolfSSL_ERR_error_string((unsigned long)(long)code, out);
}
