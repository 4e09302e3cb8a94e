/* What is decided and kept when a client's certificates come. */
#ifndef LB_TLS_VERIFY_H
#define LB_TLS_VERIFY_H

#include "lb/tls/library.h"

/* wolfSSL calls it for each certificate with its own verdict, last sent first. What it refused stays refused.
 */
int verify_callback(int preverify, WOLFSSL_X509_STORE_CTX *store);

#endif
