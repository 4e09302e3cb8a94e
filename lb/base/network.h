/* Networks as users write them: "10.0.0.0/8", "::1", "fd00::/8", "unix". */
#ifndef LB_BASE_NETWORK_H
#define LB_BASE_NETWORK_H

#include "lb/base/addr.h"

struct network {
    int family; /* AF_INET, AF_INET6 or AF_UNIX */
    unsigned char bytes[16];
    unsigned bits;
};

/* An address without bits is one host. Bits set behind the prefix are refused. On false *why is a constant.
 */
bool network_parse(const char *text, struct network *out, const char **why);

/* IPv4-mapped IPv6 addresses count as IPv4. */
bool network_has(const struct network *networks, size_t count, const struct addr *addr);

#endif
