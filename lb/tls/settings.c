#include "lb/tls/settings.h"

const char *tls_mode_name(enum tls_mode mode)
{
    static const char *const names[] = {"off", "one-way", "mutual-optional", "mutual"};
    return names[mode];
}

/* It matters only where somebody is asked. */
static bool same_ocsp(const struct tls_settings *a, const struct tls_settings *b)
{
    return a->ocsp == b->ocsp &&
           (a->ocsp == OCSP_OFF || (slice_equal(slice_of(a->ocsp_url), slice_of(b->ocsp_url)) &&
                                    tls_file_alike(&a->ocsp_signer, &b->ocsp_signer)));
}

static bool same_crls(const struct tls_settings *a, const struct tls_settings *b)
{
    if (a->crl_count != b->crl_count)
        return false;
    for (size_t i = 0; i < a->crl_count; i++)
        if (!tls_file_alike(&a->crls[i], &b->crls[i]))
            return false;
    return true;
}

bool tls_settings_verify_alike(const struct tls_settings *a, const struct tls_settings *b)
{
    return a->mode == b->mode && a->crl_required == b->crl_required && a->crl_depth == b->crl_depth &&
           same_ocsp(a, b) && a->verify_depth == b->verify_depth &&
           tls_file_alike(&a->client_ca, &b->client_ca) && same_crls(a, b);
}
