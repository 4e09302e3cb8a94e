#include "lb/tls/context.h"

#include <stdlib.h>

#include "lb/base/memory.h"
#include "lb/tls/context_parts.h"
#include "lb/tls/identity.h"
#include "lb/tls/io.h"
#include "lb/tls/stapling.h"
#include "lb/tls/suites.h"
#include "lb/tls/trust.h"
#include "lb/tls/verify.h"

static WOLFSSL_METHOD *method_for(const struct tls_settings *settings)
{
    if (settings->min == TLS_1_3)
        return wolfTLSv1_3_server_method();
    return wolfTLS_server_method();
}

static void set_verification(const struct tls_context *context)
{
    int mode = context->mode == TLS_MUTUAL ? WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT
               : context->mode == TLS_MUTUAL_OPTIONAL ? WOLFSSL_VERIFY_PEER
                                                      : WOLFSSL_VERIFY_NONE;
    wolfSSL_CTX_set_verify(context->ctx, mode, context->mode == TLS_ONE_WAY ? NULL : verify_callback);
}

static bool set_versions(WOLFSSL_CTX *ctx, const struct tls_settings *settings, struct place place,
                         struct problems *problems)
{
    if (settings->min > settings->max) {
        problems_add(problems, place, "the lowest TLS version is above the highest");
        return false;
    }
    if (settings->max == TLS_1_2)
        wolfSSL_CTX_set_options(ctx, WOLFSSL_OP_NO_TLSv1_3);
    if (settings->min == TLS_1_3 || wolfSSL_CTX_SetMinVersion(ctx, WOLFSSL_TLSV1_2) == WOLFSSL_SUCCESS)
        return true;
    problems_add(problems, place, "wolfSSL cannot be limited to TLSv1.2 and above");
    return false;
}

static bool set_suites_and_groups(struct tls_context *context, const struct tls_settings *settings,
                                  struct place place, struct problems *problems)
{
    char suites[SUITES_TEXT_MAX];
    bool good = suites_read(settings, place, problems, suites);
    good = groups_read(settings, place, problems, context->groups, &context->group_count) && good;
    if (!good)
        return false;
    context->suite_count = suites_numbers(suites, context->suites);
    if (wolfSSL_CTX_set_cipher_list(context->ctx, suites) != WOLFSSL_SUCCESS)
        problems_add(problems, place, "wolfSSL does not take the ciphers %s", suites);
    else if (wolfSSL_CTX_set_groups(context->ctx, context->groups, context->group_count) != WOLFSSL_SUCCESS)
        problems_add(problems, place, "wolfSSL does not take the groups");
    else
        return true;
    return false;
}

bool context_set_protocol(struct tls_context *context, const struct tls_settings *settings,
                          struct place place, struct problems *problems)
{
    bool good = set_versions(context->ctx, settings, place, problems);
    return set_suites_and_groups(context, settings, place, problems) && good;
}

/* After the suites, which bring a list of their own, and the key. */
static bool set_signatures(struct tls_context *context, const struct tls_settings *settings,
                           const struct tls_pair *pair, struct place place, struct problems *problems)
{
    unsigned char wire[2 * SIGNATURES_MAX];
    struct signatures *signatures = &context->signatures;
    if (!signatures_read(settings, place, problems, signatures) ||
        !signatures_serve(signatures, &context->own, pair->certificate.path, settings, place, problems))
        return false;
    for (size_t i = 0; i < signatures->count; i++) {
        wire[2 * i] = (unsigned char)(signatures->list[i] >> 8);
        wire[2 * i + 1] = (unsigned char)signatures->list[i];
    }
    if (signatures->count == 0 || library_set_signatures(context->ctx, wire, 2 * signatures->count))
        return true;
    problems_add(problems, place,
                 "this wolfSSL cannot be told its signatures: build it as docker/install-deps does, or "
                 "remove the key");
    return false;
}

static bool give_anchors(struct tls_context *context, const struct tls_settings *settings, struct place place,
                         struct problems *problems)
{
    char text[LIBRARY_TEXT_MAX], subject[BRIEF_MAX];
    for (size_t i = 0; i < context->trust->anchor_count; i++) {
        const struct certificate *anchor = &context->trust->anchors[i];
        int result = wolfSSL_CTX_load_verify_buffer_ex(context->ctx, (const unsigned char *)anchor->der.data,
                                                       (long)anchor->der.len, WOLFSSL_FILETYPE_ASN1, 0,
                                                       WOLFSSL_LOAD_FLAG_DATE_ERR_OKAY);
        if (result == WOLFSSL_SUCCESS)
            continue;
        problems_add(problems, file_place(&settings->client_ca, place), "%s: wolfSSL cannot use CA %s: %s",
                     settings->client_ca.path, brief_name(anchor->subject, subject),
                     library_error(result, text));
        return false;
    }
    return true;
}

static bool set_clients(struct tls_context *context, const struct tls_settings *settings, struct place place,
                        struct problems *problems)
{
    if (context->mode != TLS_ONE_WAY &&
        (!context->trust || !give_anchors(context, settings, place, problems)))
        return false;
    set_verification(context);
    return true;
}

/* wolfSSL makes part of the context with its first session: here, before any thread depends on it. */
static bool try_session(WOLFSSL_CTX *ctx, struct place place, struct problems *problems)
{
    WOLFSSL *ssl = wolfSSL_new(ctx);
    if (!ssl)
        problems_add(problems, place, "wolfSSL makes no session from this certificate, key and ciphers");
    wolfSSL_free(ssl);
    return ssl != NULL;
}

/* Goes on after a failure where it can, so that all problems are told at once. */
static bool fill(struct tls_context *context, const struct tls_settings *settings,
                 const struct tls_pair *pair, struct place place, struct problems *problems)
{
    bool good = context_set_protocol(context, settings, place, problems);
    good = identity_load(context->ctx, pair, &(struct identity_use){false, settings->expiry_warning_s}, place,
                         problems) &&
           good;
    own_read(pair ? &pair->certificate : NULL, &context->own);
    good = good && set_signatures(context, settings, pair, place, problems);
    good = set_clients(context, settings, place, problems) && good;
    good = resume_setup(context, settings, place, problems) && good;
    if (good && pair->staple) {
        context->staple = staple_hold(pair->staple);
        good = stapling_attach(context->ctx, context->staple);
    }
    io_attach(context->ctx);
    return good && try_session(context->ctx, place, problems);
}

struct trust *tls_trust_new(const struct tls_settings *settings, struct place place,
                            struct problems *problems)
{
    return tls_mode_asks(settings->mode) ? trust_new(settings, place, problems) : NULL;
}

struct tls_context *tls_context_for(const struct tls_settings *settings, size_t pair, struct trust *trust,
                                    struct place place, struct problems *problems)
{
    if (settings->mode == TLS_OFF) {
        problems_add(problems, place, "TLS is off here");
        return NULL;
    }
    struct tls_context *context = mem_new(sizeof *context);
    atomic_init(&context->users, 1);
    context->mode = settings->mode;
    context->min = settings->min;
    context->max = settings->max;
    context->alpn = mem_copy(settings->alpn);
    context->trust = tls_trust_hold(trust);
    context->ctx = wolfSSL_CTX_new(method_for(settings));
    if (!context->ctx)
        problems_add(problems, place, "wolfSSL makes no context: is there enough memory?");
    if (context->ctx &&
        fill(context, settings, pair < settings->pair_count ? &settings->pairs[pair] : NULL, place, problems))
        return context;
    tls_context_free(context);
    return NULL;
}

struct tls_context *tls_context_new(const struct tls_settings *settings, struct place place,
                                    struct problems *problems)
{
    struct trust *trust = tls_trust_new(settings, place, problems);
    struct tls_context *context = tls_context_for(settings, 0, trust, place, problems);
    tls_trust_drop(trust);
    return context;
}

void context_hold(struct tls_context *context)
{
    atomic_fetch_add_explicit(&context->users, 1, memory_order_relaxed);
}

void tls_context_free(struct tls_context *context)
{
    if (!context || atomic_fetch_sub_explicit(&context->users, 1, memory_order_acq_rel) > 1)
        return;
    resume_release(context);
    wolfSSL_CTX_free(context->ctx);
    tls_trust_drop(context->trust);
    staple_drop(context->staple);
    free(context->alpn);
    free(context);
}
