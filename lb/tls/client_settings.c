#include "lb/tls/client_settings.h"

static bool same_file(const struct tls_file *a, const struct tls_file *b)
{
    return slice_equal(slice_make(a->data, a->len), slice_make(b->data, b->len));
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

bool tls_client_settings_alike(const struct tls_client_settings *a, const struct tls_client_settings *b)
{
    return a->verify == b->verify && a->min == b->min && a->max == b->max && a->system_ca == b->system_ca &&
           same_file(&a->ca, &b->ca) && same_file(&a->pair.certificate, &b->pair.certificate) &&
           same_file(&a->pair.key, &b->pair.key) && same_text(a->ciphers, b->ciphers) &&
           same_text(a->groups, b->groups);
}
