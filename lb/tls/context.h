/*
 * A WOLFSSL_CTX made from settings: immutable, used by one thread only (wolfSSL's certificate managers are
 * not safe to change or share cheaply), freed with its last user. Made in the master thread, then handed
 * over.
 */
#ifndef LB_TLS_CONTEXT_H
#define LB_TLS_CONTEXT_H

#include <stdint.h>

#include "lb/base/problems.h"
#include "lb/tls/settings.h"

struct certificate;
struct tls_context;
struct tls_failure;
struct tls_sessions;
struct trust; /* what clients are verified against, shared by the contexts of one thread: lb/tls/path.h */

/* client-ca and the CRLs of the settings. NULL without client certificates, and after adding problems. */
struct trust *tls_trust_new(const struct tls_settings *settings, struct place place,
                            struct problems *problems);
struct trust *tls_trust_hold(struct trust *trust);
void tls_trust_drop(struct trust *trust); /* NULL is fine for both */

/* For settings->pairs[pair]; `trust` as tls_trust_new gave it for the same settings, held by the context.
 * NULL after adding every problem found (file and what to do) to `problems`; warnings may be added on success
 * too. `place` is the listener's. Checks that the key fits the certificate, that each PEM holds what it
 * should, and makes one session as a test. */
struct tls_context *tls_context_for(const struct tls_settings *settings, size_t pair, struct trust *trust,
                                    struct place place, struct problems *problems);

/* For the first pair, with a trust of its own. */
struct tls_context *tls_context_new(const struct tls_settings *settings, struct place place,
                                    struct problems *problems);
void tls_context_free(struct tls_context *context); /* NULL is fine */

/* Would this context let in, now, a client that has proven this chain in a handshake (leaf first, anchor
 * last; count 0: no certificate)? Judges mode, dates, revocation, depth, purpose and constraints by the
 * context's own trust; signatures are taken as checked then, and count only if the key of a CA of the chain
 * is still one of the context's. Thread: the context's. False: *failure has reason, text, and the alert in
 * alert_sent. */
bool tls_context_admits(struct tls_context *context, const struct certificate *chain, size_t count,
                        struct tls_failure *failure);

/* Lets clients resume their sessions, with what the process keeps for that; `scope` names listener and
 * policy: sessions of another one are not resumed. Once, in the context's thread; further calls do nothing.
 */
void tls_context_resume(struct tls_context *context, struct tls_sessions *sessions, struct slice scope);

/* Certificates are judged, and tickets aged, as if it were then (unix seconds; 0: the clock's time). For dry
 * runs and tests. */
void tls_context_set_time(struct tls_context *context, int64_t at);

/* Once per process, before anything else here; returns false if wolfSSL cannot start. */
bool tls_library_start(void);
void tls_library_stop(void);
const char *tls_library_version(void);
void tls_library_cpu(char *out, size_t size); /* the CPU features that wolfSSL uses: "aesni avx2 …" */

/* Names for messages and completion: NULL-terminated. */
const char *const *tls_cipher_names(void);
const char *const *tls_group_names(void);
const char *const *tls_signature_names(void);
#define TLS_GROUP_COUNT 7 /* of them */

#endif
