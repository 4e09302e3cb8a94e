#include "lb/tls/io.h"

#include "lb/tls/session_parts.h"

static int receive(WOLFSSL *ssl, char *buffer, int size, void *opaque)
{
    (void)ssl;
    struct tls_session *session = opaque;
    size_t len = (size_t)size < session->in.len ? (size_t)size : session->in.len;
    if (len == 0)
        return WOLFSSL_CBIO_ERR_WANT_READ;
    memcpy(buffer, session->in.data, len);
    session->in = slice_make(session->in.data + len, session->in.len - len);
    return (int)len;
}

/* Takes everything: the scratch has room for whatever one call can produce. */
static int transmit(WOLFSSL *ssl, char *buffer, int size, void *opaque)
{
    (void)ssl;
    struct tls_session *session = opaque;
    struct tls_scratch *scratch = session->scratch;
    if (session->muted)
        return size;
    if ((size_t)size > scratch->out_cap - scratch->out_len)
        return WOLFSSL_CBIO_ERR_GENERAL;
    memcpy(scratch->out + scratch->out_len, buffer, (size_t)size);
    scratch->out_len += (size_t)size;
    return size;
}

void io_attach(WOLFSSL_CTX *ctx)
{
    wolfSSL_CTX_SetIORecv(ctx, receive);
    wolfSSL_CTX_SetIOSend(ctx, transmit);
}
