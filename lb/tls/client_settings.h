/* What TLS to the servers of a backend is made of: plain data that the configuration fills. */
#ifndef LB_TLS_CLIENT_SETTINGS_H
#define LB_TLS_CLIENT_SETTINGS_H

#include <stdint.h>

#include "lb/tls/settings.h"

/* Where the system keeps the CAs that it trusts (Debian's ca-certificates). */
#define TLS_SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"

struct tls_client_settings {
    bool verify; /* chain, dates, purpose and host name; false: whoever answers is believed */
    enum tls_version min, max;
    struct tls_file ca;        /* PEM */
    bool system_ca;            /* `ca` is the system's bundle: what cannot be used of it is left out */
    struct tls_pair pair;      /* what lb shows; optional */
    uint64_t expiry_warning_s; /* it is warned of at load if it expires sooner */
    char *ciphers, *groups;    /* names separated by ':'; NULL: the default list */
};

/* Would both treat every server alike? By content: a file that was read again unchanged is the same. */
bool tls_client_settings_alike(const struct tls_client_settings *a, const struct tls_client_settings *b);

#endif
