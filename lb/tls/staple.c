#include "lb/tls/staple.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lb/base/memory.h"

/* In TLS 1.2 clients take no more than a record (OpenSSL). Anybody on the way can make an answer longer: its
 * certificates are not signed. */
enum { STAPLE_MAX = 16 * 1024 - 4 };

struct staple {
    atomic_uint users;
    char *chain; /* what the certificates point into */
    struct certificate certificate, issuer;
    struct ocsp_subject subject;
    pthread_mutex_t mutex; /* for what follows */
    char *der;             /* NULL: none */
    size_t len;
    int64_t until;
};

/* NULL, or what is missing. */
static const char *read_chain(struct staple *staple, struct slice pem)
{
    const char *why = NULL;
    size_t len = 0, more = 0;
    staple->chain = mem_new(2 * pem.len + 2);
    if (!certificate_next_pem(&pem, staple->chain, &len, &why) ||
        !certificate_open(slice_make(staple->chain, len), &staple->certificate, &why))
        return why ? why : "it holds no certificate";
    if (certificate_self_issued(&staple->certificate)) {
        staple->issuer = staple->certificate;
        return NULL;
    }
    if (!certificate_next_pem(&pem, staple->chain + len, &more, &why) ||
        !certificate_open(slice_make(staple->chain + len, more), &staple->issuer, &why) ||
        !certificate_issued_by(&staple->certificate, &staple->issuer))
        return "the issuer's certificate, which checks a response, does not follow in the file: append it";
    return NULL;
}

struct staple *staple_new(struct slice pem, const char **why)
{
    struct staple *staple = mem_new(sizeof *staple);
    atomic_init(&staple->users, 1);
    pthread_mutex_init(&staple->mutex, NULL);
    staple->subject = (struct ocsp_subject){&staple->certificate, &staple->issuer, NULL};
    *why = read_chain(staple, pem);
    if (!*why)
        return staple;
    staple_drop(staple);
    return NULL;
}

struct staple *staple_hold(struct staple *staple)
{
    if (staple)
        atomic_fetch_add_explicit(&staple->users, 1, memory_order_relaxed);
    return staple;
}

void staple_drop(struct staple *staple)
{
    if (!staple || atomic_fetch_sub_explicit(&staple->users, 1, memory_order_acq_rel) > 1)
        return;
    pthread_mutex_destroy(&staple->mutex);
    free(staple->chain);
    free(staple->der);
    free(staple);
}

const struct ocsp_subject *staple_subject(const struct staple *staple)
{
    return &staple->subject;
}

static void replace(struct staple *staple, char *der, size_t len, int64_t until)
{
    pthread_mutex_lock(&staple->mutex);
    char *old = staple->der;
    staple->der = der;
    staple->len = len;
    staple->until = until;
    pthread_mutex_unlock(&staple->mutex);
    free(old);
}

bool staple_load(struct staple *staple, struct slice der, int64_t now, struct ocsp_answer *answer,
                 const char **why)
{
    *answer = (struct ocsp_answer){.status = OCSP_UNKNOWN};
    if (!ocsp_read(der, &staple->subject, now, answer, why)) {
        answer->status = OCSP_UNKNOWN;
        return false;
    }
    switch (answer->status) {
    case OCSP_GOOD: break;
    case OCSP_UNKNOWN: *why = "it does not know the certificate"; return false;
    case OCSP_REVOKED:
        *why = "it says that the certificate is REVOKED: clients will refuse it; replace the certificate";
        replace(staple, NULL, 0, 0);
        return false;
    }
    if (der.len > STAPLE_MAX) {
        *why = "it has more than 16 KB: clients would not take it";
        return false;
    }
    if (answer->until <= now) { /* the skew that clients are allowed is not ours to use up */
        *why = "it was to be renewed already: its nextUpdate has passed";
        return false;
    }
    replace(staple, mem_copy_n(der.data, der.len), der.len, answer->until);
    return true;
}

char *staple_copy(struct staple *staple, int64_t now, size_t *len)
{
    char *copy = NULL;
    pthread_mutex_lock(&staple->mutex);
    if (staple->der && staple->until > now) {
        copy = malloc(staple->len);
        *len = staple->len;
        if (copy)
            memcpy(copy, staple->der, staple->len);
    }
    pthread_mutex_unlock(&staple->mutex);
    return copy;
}
