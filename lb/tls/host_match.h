/* Whether a certificate is that of the server one means (RFC 9525, which follows RFC 6125). */
#ifndef LB_TLS_HOST_MATCH_H
#define LB_TLS_HOST_MATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "lb/base/slice.h"

#define HOST_IP_MAX 16

/* The bytes of an IPv4 or IPv6 literal (without brackets) as iPAddress has them; 0: it is none. */
size_t host_ip(struct slice host, unsigned char out[HOST_IP_MAX]);

/* A name of letters, digits, '-' and '_' in labels of 1 to 63 bytes; one dot may end it. */
bool host_is_name(struct slice host);

/* `pattern` is a dNSName: '*' stands for the whole leftmost label, and two labels at least follow it. */
bool host_matches_dns(struct slice pattern, struct slice host);

/* By the subject alternative names in `extensions` only: dNSName for names, iPAddress for addresses. A common
 * name is never looked at. */
bool host_matches_certificate(struct slice extensions, struct slice host);

#endif
