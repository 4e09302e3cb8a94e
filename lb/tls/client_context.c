/* Contexts that play the client, towards servers. */
#include <stdlib.h>

#include "lb/base/memory.h"
#include "lb/tls/client_parts.h"
#include "lb/tls/identity.h"
#include "lb/tls/io.h"
#include "lb/tls/trust.h"
#include "lb/tls/verify.h"

/* The first one is guessed to be the server's choice; another costs a round trip. */
static const char GROUPS[] = "X25519:SECP256R1:SECP384R1:X25519MLKEM768";

/* What the parts that listeners use too want to see. */
static struct tls_settings parts_of(const struct tls_client_settings *settings)
{
    return (struct tls_settings){
        .mode = TLS_ONE_WAY,
        .min = settings->min,
        .max = settings->max,
        .ciphers = settings->ciphers,
        .groups = settings->groups ? settings->groups : (char *)GROUPS,
    };
}

static bool give_anchor(WOLFSSL_CTX *ctx, const struct certificate *anchor)
{
    return wolfSSL_CTX_load_verify_buffer_ex(ctx, (const unsigned char *)anchor->der.data,
                                             (long)anchor->der.len, WOLFSSL_FILETYPE_ASN1, 0,
                                             WOLFSSL_LOAD_FLAG_DATE_ERR_OKAY) == WOLFSSL_SUCCESS;
}

/* An anchor that the library cannot use would leave its certificates' signatures unchecked by anybody. */
static bool give_anchors(struct tls_context *context, const struct tls_client_settings *settings,
                         struct place place, struct problems *problems)
{
    struct trust *trust = context->trust;
    char subject[BRIEF_MAX];
    size_t given = 0;
    for (size_t i = 0; i < trust->anchor_count; i++) {
        if (give_anchor(context->ctx, &trust->anchors[i]))
            trust->anchors[given++] = trust->anchors[i];
        else if (!settings->system_ca)
            problems_add(problems, file_place(&settings->ca, place), "%s: wolfSSL cannot use CA %s",
                         settings->ca.path, brief_name(trust->anchors[i].subject, subject));
    }
    bool all = given == trust->anchor_count;
    trust->anchor_count = given;
    return all || (settings->system_ca && given > 0);
}

static bool set_servers(struct tls_context *context, const struct tls_client_settings *settings,
                        struct place place, struct problems *problems)
{
    if (!settings->verify) {
        wolfSSL_CTX_set_verify(context->ctx, WOLFSSL_VERIFY_NONE, NULL);
        return true;
    }
    context->trust = trust_new_for_servers(&settings->ca, settings->system_ca, place, problems);
    if (!context->trust || !give_anchors(context, settings, place, problems))
        return false;
    wolfSSL_CTX_set_verify(context->ctx, WOLFSSL_VERIFY_PEER, verify_callback);
    return true;
}

/* Sessions are kept by lb, for each server by itself: what the library keeps is the whole process's. */
static bool set_resumption(WOLFSSL_CTX *ctx, const struct tls_client_settings *settings)
{
    return wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_OFF) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_timeout(ctx, PEER_VERIFIED_SECONDS) >= 0 &&
           (settings->min == TLS_1_3 || wolfSSL_CTX_UseSessionTicket(ctx) == WOLFSSL_SUCCESS);
}

/* wolfSSL makes part of the context with its first session: here, before any thread depends on it. */
static bool try_session(WOLFSSL_CTX *ctx, struct place place, struct problems *problems)
{
    WOLFSSL *ssl = wolfSSL_new(ctx);
    if (!ssl)
        problems_add(problems, place,
                     "wolfSSL makes no session to servers from this certificate and ciphers");
    wolfSSL_free(ssl);
    return ssl != NULL;
}

static bool fill(struct tls_context *context, const struct tls_client_settings *settings, struct place place,
                 struct problems *problems)
{
    const struct tls_settings parts = parts_of(settings);
    const struct identity_use use = {true, settings->expiry_warning_s};
    bool good = context_set_protocol(context, &parts, place, problems);
    if (settings->pair.certificate.path)
        good = identity_load(context->ctx, &settings->pair, &use, place, problems) && good;
    good = set_servers(context, settings, place, problems) && good;
    if (good && !set_resumption(context->ctx, settings)) {
        problems_add(problems, place,
                     "wolfSSL cannot leave sessions to lb: build it as docker/install-deps does");
        return false;
    }
    io_attach(context->ctx);
    return good && try_session(context->ctx, place, problems);
}

struct tls_context *tls_context_share(struct tls_context *context)
{
    context_hold(context);
    return context;
}

struct tls_context *tls_client_context_new(const struct tls_client_settings *settings, struct place place,
                                           struct problems *problems)
{
    struct tls_context *context = mem_new(sizeof *context);
    atomic_init(&context->users, 1);
    context->mode = settings->verify ? TLS_MUTUAL : TLS_ONE_WAY;
    context->min = settings->min;
    context->max = settings->max;
    context->ctx =
        wolfSSL_CTX_new(settings->min == TLS_1_3 ? wolfTLSv1_3_client_method() : wolfTLS_client_method());
    if (!context->ctx)
        problems_add(problems, place, "wolfSSL makes no context: is there enough memory?");
    if (context->ctx && fill(context, settings, place, problems))
        return context;
    tls_context_free(context);
    return NULL;
}
