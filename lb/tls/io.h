/* The callbacks through which wolfSSL reads and writes memory in place of a socket. */
#ifndef LB_TLS_IO_H
#define LB_TLS_IO_H

#include "lb/tls/library.h"

/* Sessions of this context then take their struct tls_session from wolfSSL_SetIOReadCtx and
 * wolfSSL_SetIOWriteCtx. */
void io_attach(WOLFSSL_CTX *ctx);

#endif
