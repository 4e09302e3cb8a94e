/* What several files here need of wolfSSL beyond its public headers, kept in one place. */
#ifndef LB_TLS_LIBRARY_H
#define LB_TLS_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>
#include <wolfssl/options.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

/* A fatal alert with a code of our own. */
void library_alert(WOLFSSL *ssl, int code);

/* Which signature schemes the context signs with and asks its clients for, two bytes each; after the cipher
 * suites were set. False: the library was built without docker/wolfssl-signatures.c. */
bool library_set_signatures(WOLFSSL_CTX *ctx, const unsigned char *schemes, size_t len);

/* wolfSSL's words for one of its error codes. */
#define LIBRARY_TEXT_MAX 96
const char *library_error(int code, char out[LIBRARY_TEXT_MAX]);

#endif
