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

bool tls_settings_verify_alike(const struct tls_settings *a, const struct tls_settings *b)
{
    return a->mode == b->mode && a->crl_required == b->crl_required && a->verify_depth == b->verify_depth &&
           same_ocsp(a, b) && same_file(&a->client_ca, &b->client_ca) && same_file(&a->client_crl, &b->client_crl);
}
