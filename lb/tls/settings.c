#include "lb/tls/settings.h"

static bool same_file(const struct tls_file *a, const struct tls_file *b)
{
    return slice_equal(slice_make(a->data, a->len), slice_make(b->data, b->len));
}

bool tls_settings_verify_alike(const struct tls_settings *a, const struct tls_settings *b)
{
    return a->mode == b->mode && a->crl_required == b->crl_required && a->verify_depth == b->verify_depth &&
           same_file(&a->client_ca, &b->client_ca) && same_file(&a->client_crl, &b->client_crl);
}
