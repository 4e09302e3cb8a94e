#include "lb/tls/client_settings.h"

bool tls_client_settings_alike(const struct tls_client_settings *a, const struct tls_client_settings *b)
{
    return a->verify == b->verify && a->min == b->min && a->max == b->max && a->system_ca == b->system_ca &&
           tls_file_alike(&a->ca, &b->ca) && tls_file_alike(&a->pair.certificate, &b->pair.certificate) &&
           tls_file_alike(&a->pair.key, &b->pair.key) &&
           slice_equal(slice_of(a->ciphers), slice_of(b->ciphers)) &&
           slice_equal(slice_of(a->groups), slice_of(b->groups));
}
