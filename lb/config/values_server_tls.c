/* The values of [backend NAME] that are about TLS to the servers. */
#include <stdlib.h>

#include "lb/base/memory.h"
#include "lb/config/backend_section.h"
#include "lb/config/values.h"
#include "lb/tls/context.h"
#include "lb/tls/host_match.h"

static struct backend_tls *tls_of(void *object)
{
    return &((struct backend_section *)object)->tls;
}

bool value_server_ca(const struct setting *setting, void *object)
{
    return value_one_path(setting, &tls_of(object)->settings.ca);
}

bool value_server_certificate(const struct setting *setting, void *object)
{
    return value_pair(setting, &tls_of(object)->settings.pair);
}

bool value_server_ciphers(const struct setting *setting, void *object)
{
    return value_append_list(setting, &tls_of(object)->settings.ciphers, ":,", ":", tls_cipher_names());
}

bool value_server_groups(const struct setting *setting, void *object)
{
    return value_append_list(setting, &tls_of(object)->settings.groups, ":,", ":", tls_group_names());
}

bool value_server_alpn(const struct setting *setting, void *object)
{
    return value_append_list(setting, &tls_of(object)->alpn, ",", ",", NULL);
}

static bool read_host(const struct setting *setting, char **out)
{
    unsigned char ip[HOST_IP_MAX];
    struct slice host = slice_of(setting->value);
    if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
        host = slice_make(host.data + 1, host.len - 2);
    if (!host_is_name(host) && host_ip(host, ip) == 0)
        return value_refuse(setting, "write the host name, or the address, that the certificate is for, "
                                     "without a port");
    free(*out);
    *out = mem_copy_n(host.data, host.len);
    return true;
}

bool value_verify_host(const struct setting *setting, void *object)
{
    return read_host(setting, &tls_of(object)->name);
}

bool value_member_host(const struct setting *setting, void *object)
{
    return read_host(setting, &((struct member_section *)object)->host);
}
