#include "lb/tls/time.h"

#include <time.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn_public.h>

static _Thread_local time_t moment; /* of the one thread that a dry run has */

static time_t at_that_moment(time_t *out)
{
    if (out)
        *out = moment;
    return moment;
}

void tls_set_time(int64_t unix_seconds)
{
    moment = (time_t)unix_seconds;
    wc_SetTimeCb(at_that_moment);
}
