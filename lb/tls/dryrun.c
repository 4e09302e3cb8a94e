#include "lb/tls/dryrun.h"

#include <stdlib.h>

#include "lb/base/memory.h"
#include "lb/tls/session_parts.h"

enum {
    RECORD_MAX = 16384,
    RECORD_HEADER = 5,
    HANDSHAKE_HEADER = 4,
    MESSAGE_CERTIFICATE = 11,
    LENGTH_BYTES = 3,
    CERTIFICATES_MAX = 64 * 1024, /* more than wolfSSL takes */
};

/* A ClientHello of TLS 1.2, where certificates travel in the clear: every suite of suites.c, every kind of
 * key. */
static const char HELLO[] =
    "\x16\x03\x01\x00\x6d"                                     /* record */
    "\x01\x00\x00\x69\x03\x03"                                 /* ClientHello, TLS 1.2 */
    "lb dry run lb dry run lb dry run"                         /* random */
    "\x00"                                                     /* no session */
    "\x00\x0e\xc0\x2b\xc0\x2f\xc0\x2c\xc0\x30\xcc\xa9\xcc\xa8" /* suites */
    "\x00\xff"                                                 /* secure renegotiation */
    "\x01\x00"                                                 /* no compression */
    "\x00\x32"                                                 /* extensions */
    "\x00\x0a\x00\x0a\x00\x08\x00\x1d\x00\x17\x00\x18\x00\x19" /* groups */
    "\x00\x0b\x00\x02\x01\x00"                                 /* point formats */
    "\x00\x17\x00\x00"                                         /* extended master secret */
    "\x00\x0d\x00\x16\x00\x14"                                 /* signature algorithms */
    "\x04\x03\x05\x03\x06\x03\x08\x04\x08\x05\x08\x06\x04\x01\x05\x01\x06\x01\x08\x07";

static char *put_length(char *out, size_t bytes, size_t number)
{
    for (size_t i = bytes; i-- > 0; number >>= 8)
        out[i] = (char)number;
    return out + bytes;
}

/* The Certificate message (RFC 5246, section 7.4.2). */
static size_t write_message(const struct slice *chain, size_t count, char *out)
{
    char *at = out + HANDSHAKE_HEADER + LENGTH_BYTES;
    for (size_t i = 0; i < count; i++) {
        at = put_length(at, LENGTH_BYTES, chain[i].len);
        memcpy(at, chain[i].data, chain[i].len);
        at += chain[i].len;
    }
    size_t len = (size_t)(at - out);
    out[0] = MESSAGE_CERTIFICATE;
    put_length(out + 1, LENGTH_BYTES, len - HANDSHAKE_HEADER);
    put_length(out + HANDSHAKE_HEADER, LENGTH_BYTES, len - HANDSHAKE_HEADER - LENGTH_BYTES);
    return len;
}

static size_t message_size(const struct slice *chain, size_t count)
{
    size_t size = HANDSHAKE_HEADER + LENGTH_BYTES;
    for (size_t i = 0; i < count; i++)
        size += LENGTH_BYTES + chain[i].len;
    return size;
}

static enum tls_result feed_record(struct tls_session *session, struct slice body)
{
    char record[RECORD_HEADER + RECORD_MAX] = "\x16\x03\x03";
    put_length(record + 3, 2, body.len);
    memcpy(record + RECORD_HEADER, body.data, body.len);
    return tls_session_handshake(session, slice_make(record, RECORD_HEADER + body.len));
}

static enum tls_result feed_chain(struct tls_session *session, const struct slice *chain, size_t count)
{
    char *message = mem_new(message_size(chain, count));
    size_t len = write_message(chain, count, message);
    enum tls_result result = TLS_WANT;
    for (size_t at = 0; at < len && result == TLS_WANT; at += RECORD_MAX)
        result =
            feed_record(session, slice_make(message + at, len - at < RECORD_MAX ? len - at : RECORD_MAX));
    free(message);
    return result;
}

/* The listener's own ciphers and versions may exclude TLS 1.2; they have no part in judging certificates. */
static bool prepare(const struct tls_settings *settings, int64_t at, struct problems *problems,
                    struct tls_dry_run *run)
{
    struct tls_settings plain = *settings;
    plain.min = plain.max = TLS_1_2;
    plain.ciphers = plain.groups = plain.alpn = NULL;
    plain.session_lifetime_ms = 0;
    run->context = tls_context_new(&plain, (struct place){0}, problems);
    if (!run->context || !tls_scratch_init(&run->scratch, RECORD_MAX))
        return false;
    tls_context_set_time(run->context, at);
    run->session = tls_session_new(run->context, &run->scratch);
    return run->session != NULL;
}

static bool conclude(struct tls_dry_run *run, enum tls_result result, size_t sent)
{
    if (result != TLS_WANT) {
        run->failure = *tls_session_failure(run->session);
        return false;
    }
    if (sent == 0)
        return run->context->mode == TLS_MUTUAL_OPTIONAL;
    if (!run->session->verified)
        return false;
    run->chain = run->session->captured->list;
    run->count = run->session->captured->count;
    return true;
}

bool tls_dry_run(const struct tls_settings *settings, const struct slice *chain_der, size_t count, int64_t at,
                 struct problems *problems, struct tls_dry_run *run)
{
    *run = (struct tls_dry_run){0};
    failure_set(&run->failure, REASON_TLS_FAILED, -1, "the listener's TLS cannot be set up");
    if (!tls_mode_asks(settings->mode)) {
        failure_set(&run->failure, REASON_TLS_FAILED, -1,
                    "this listener asks its clients for no certificate");
        return false;
    }
    if (message_size(chain_der, count) > CERTIFICATES_MAX) {
        failure_set(&run->failure, REASON_CERTIFICATE_MALFORMED, -1,
                    "the certificates are too large for a handshake");
        return false;
    }
    if (!prepare(settings, at, problems, run))
        return false;
    enum tls_result result = tls_session_handshake(run->session, slice_make(HELLO, sizeof HELLO - 1));
    run->scratch.out_len = 0;
    if (result == TLS_WANT)
        result = feed_chain(run->session, chain_der, count);
    return conclude(run, result, count);
}

void tls_dry_run_end(struct tls_dry_run *run)
{
    tls_session_free(run->session);
    tls_context_free(run->context);
    tls_scratch_free(&run->scratch);
    *run = (struct tls_dry_run){0};
}
