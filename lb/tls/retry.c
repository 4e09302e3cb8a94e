#include "lb/tls/retry.h"

#include <stdlib.h>

#include "lb/tls/failure.h"

enum {
    RECORD_HEADER = 5,
    RECORD_CHANGE_CIPHER_SPEC = 20,
    RECORD_ALERT = 21,
    ALERT_LEN = RECORD_HEADER + 2,
    ALERT_ILLEGAL_PARAMETER = 47,
    RANDOM_AT = RECORD_HEADER + 4 + 2,
};

struct retry {
    struct slice first; /* lies behind */
    char *bytes;        /* what has come since */
    size_t len;
    bool began; /* a change_cipher_spec was taken away: the hello itself is next */
};

bool retry_is_asked(struct slice flight)
{
    /* RFC 8446 section 4.1.3: SHA-256 of "HelloRetryRequest". */
    static const char random[] = "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91"
                                 "\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c";
    return flight.len >= RANDOM_AT + sizeof(random) - 1 && flight.data[RECORD_HEADER] == 2 &&
           memcmp(flight.data + RANDOM_AT, random, sizeof(random) - 1) == 0;
}

struct retry *retry_new(struct slice first)
{
    struct retry *retry = malloc(sizeof(*retry) + first.len);
    if (!retry)
        return NULL;
    char *copy = (char *)(retry + 1);
    memcpy(copy, first.data, first.len);
    retry->first = slice_make(copy, first.len);
    retry->bytes = NULL;
    retry->len = 0;
    retry->began = false;
    return retry;
}

void retry_free(struct retry *retry)
{
    if (retry)
        free(retry->bytes);
    free(retry);
}

static bool append(struct retry *retry, struct slice in)
{
    char *grown = in.len > 0 ? realloc(retry->bytes, retry->len + in.len) : retry->bytes;
    if (in.len == 0)
        return true;
    if (!grown)
        return false;
    memcpy(grown + retry->len, in.data, in.len);
    retry->bytes = grown;
    retry->len += in.len;
    return true;
}

/* Clients that fear middleboxes send one before their hello (RFC 8446 appendix D.4). False: it is not there
 * as a whole yet. */
static bool skip_change_cipher_spec(struct retry *retry)
{
    static const char rest[] = "\x00\x01\x01";
    if (retry->began || retry->len == 0 || retry->bytes[0] != RECORD_CHANGE_CIPHER_SPEC)
        return true;
    if (retry->len < RECORD_HEADER + 1)
        return false;
    if (memcmp(retry->bytes + 3, rest, sizeof(rest) - 1) == 0) {
        retry->len -= RECORD_HEADER + 1;
        memmove(retry->bytes, retry->bytes + RECORD_HEADER + 1, retry->len);
    }
    retry->began = true;
    return true;
}

static bool refuse(struct tls_failure *failure, enum reason reason, const char *why)
{
    failure_set(failure, reason, ALERT_ILLEGAL_PARAMETER,
                "the client's second hello, after a HelloRetryRequest, is refused: %s", why);
    return false;
}

static const char *compare(const struct retry *retry, const struct hello *again)
{
    char flat[HELLO_MAX + RECORD_HEADER];
    struct hello first;
    struct slice record;
    if (hello_read(retry->first, flat, &first, &record) != HELLO_COMPLETE)
        return "the first one came in pieces";
    return hello_repeats(&first, again);
}

static bool judge(struct retry *retry, const struct hello *again, struct tls_failure *failure)
{
    const char *different = compare(retry, again);
    if (different)
        return refuse(failure, REASON_HELLO_INVALID, different);
    if (again->wire_len < retry->len)
        return refuse(failure, REASON_HELLO_INVALID, "bytes follow it before the server has answered");
    retry->len = hello_compact(retry->bytes, retry->len); /* wolfSSL reads a hello in one record only */
    return true;
}

static void keep_small(struct retry *retry)
{
    retry->len = hello_compact(retry->bytes, retry->len);
    char *smaller = realloc(retry->bytes, retry->len);
    if (smaller)
        retry->bytes = smaller;
}

static enum retry_result read_hello(struct retry *retry, struct slice *record, struct tls_failure *failure)
{
    char flat[HELLO_MAX + RECORD_HEADER];
    struct hello again;
    switch (hello_read(slice_make(retry->bytes, retry->len), flat, &again, record)) {
    case HELLO_COMPLETE:
        if (!judge(retry, &again, failure))
            return RETRY_REFUSED;
        *record = slice_make(retry->bytes, retry->len);
        return RETRY_READY;
    case HELLO_PARTIAL: keep_small(retry); return RETRY_PARTIAL;
    case HELLO_TOO_LONG: refuse(failure, REASON_HELLO_TOO_LONG, "it exceeds 16 KB"); return RETRY_REFUSED;
    default: refuse(failure, REASON_HELLO_INVALID, again.why); return RETRY_REFUSED;
    }
}

enum retry_result retry_add(struct retry *retry, struct slice in, struct slice *record,
                            struct tls_failure *failure)
{
    if (!append(retry, in)) {
        *failure = failure_no_memory;
        return RETRY_REFUSED;
    }
    if (!skip_change_cipher_spec(retry) || retry->len == 0)
        return RETRY_PARTIAL;
    if (retry->bytes[0] != RECORD_ALERT)
        return read_hello(retry, record, failure);
    *record = slice_make(retry->bytes, ALERT_LEN);
    return retry->len < ALERT_LEN ? RETRY_PARTIAL : RETRY_ALERT;
}
