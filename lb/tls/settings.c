#include "lb/tls/settings.h"

static bool same_file(const struct tls_file *a, const struct tls_file *b)
{
    return slice_equal(slice_make(a->data, a->len), slice_make(b->data, b->len));
}

/* It matters only where somebody is asked. */
static bool same_ocsp(const struct tls_settings *a, const struct tls_settings *b)
{
    return a->ocsp == b->ocsp &&
           (a->ocsp == OCSP_OFF || (slice_equal(slice_of(a->ocsp_url), slice_of(b->ocsp_url)) &&
                                    same_file(&a->ocsp_signer, &b->ocsp_signer)));
}

static bool same_crls(const struct tls_settings *a, const struct tls_settings *b)
{
    if (a->crl_count != b->crl_count)
        return false;
    for (size_t i = 0; i < a->crl_count; i++)
        if (!same_file(&a->crls[i], &b->crls[i]))
            return false;
    return true;
}

bool tls_settings_verify_alike(const struct tls_settings *a, const struct tls_settings *b)
{
    return a->mode == b->mode && a->crl_required == b->crl_required && a->crl_depth == b->crl_depth &&
           same_ocsp(a, b) && a->verify_depth == b->verify_depth && same_file(&a->client_ca, &b->client_ca) &&
           same_crls(a, b);
}
