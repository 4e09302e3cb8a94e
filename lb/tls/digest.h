#ifndef LB_TLS_DIGEST_H
#define LB_TLS_DIGEST_H

#include "lb/base/slice.h"

void digest_sha256(struct slice in, unsigned char out[32]);

#endif
