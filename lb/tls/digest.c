#include "lb/tls/digest.h"

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/hash.h>

void digest_sha256(struct slice in, unsigned char out[32])
{
    wc_Sha256Hash((const byte *)in.data, (word32)in.len, out);
}
