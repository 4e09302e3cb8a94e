#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include "lb/tls/digest.h"

void digest_sha256(struct slice in, unsigned char out[32])
{
    wc_Sha256Hash((const unsigned char *)in.data, (unsigned)in.len, out);
}
