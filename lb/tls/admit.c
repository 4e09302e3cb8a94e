/* Whether a chain whose signatures were checked in a handshake would still be let in. */
#include "lb/base/clock.h"
#include "lb/tls/context_parts.h"

int64_t context_now(const struct tls_context *context)
{
    return context->at ? context->at : clock_unix_s();
}

void tls_context_set_time(struct tls_context *context, int64_t at)
{
    context->at = at;
}

static bool is_valid_at(const struct certificate *certificate, int64_t now)
{
    return certificate->not_before <= now && now <= certificate->not_after;
}

/* The signature on `child` was made with the key of `issuer`: it stands for every certificate of that key and
 * name. */
static const struct certificate *anchor_for(const struct trust *trust, const struct certificate *child,
                                            const struct certificate *issuer, int64_t now)
{
    const struct certificate *found = NULL;
    for (size_t i = 0; i < trust->anchor_count; i++) {
        const struct certificate *anchor = &trust->anchors[i];
        if (slice_equal(anchor->subject, issuer->subject) && slice_equal(anchor->spki, issuer->spki) &&
            certificate_issued_by(child, anchor) && (!found || is_valid_at(anchor, now)))
            found = anchor;
    }
    return found;
}

/* The shortest path to a CA of today's, as a handshake would find it: one that is valid before one that is
 * not. Without any, `path` is what the client had sent. */
static void find_end(const struct trust *trust, const struct certificate *chain, size_t count, int64_t now,
                     struct path *path)
{
    *path = (struct path){.list = {&chain[0]}, .count = 1, .anchored = trust_has_anchor(trust, &chain[0])};
    struct path expired = {.count = 0};
    while (!path->anchored && path->count < count) {
        size_t at = path->count;
        const struct certificate *anchor = anchor_for(trust, &chain[at - 1], &chain[at], now);
        path->list[path->count++] = anchor ? anchor : &chain[at];
        path->anchored = anchor != NULL;
        if (!anchor || is_valid_at(anchor, now))
            continue;
        if (expired.count == 0)
            expired = *path;
        path->list[at] = &chain[at];
        path->anchored = false;
    }
    if (path->anchored)
        return;
    if (expired.count > 0)
        *path = expired;
    else if (count > 1)
        path->count = count - 1;
}

static bool admits_none(enum tls_mode mode, struct tls_failure *failure)
{
    if (mode != TLS_MUTUAL)
        return true;
    failure_set(failure, REASON_CERTIFICATE_MISSING, ALERT_CERTIFICATE_REQUIRED,
                "a certificate is demanded here, and the client has proven none");
    return false;
}

bool context_judge(struct tls_context *context, const struct certificate *chain, size_t count,
                   struct path *path, struct tls_failure *failure)
{
    int64_t now = context_now(context);
    *path = (struct path){.count = 0};
    if (context->mode == TLS_ONE_WAY)
        return true;
    if (count == 0)
        return admits_none(context->mode, failure);
    if (count > PATH_MAX_LEN) {
        failure_set(failure, REASON_CERTIFICATE_TOO_DEEP, ALERT_UNKNOWN_CA,
                    "the chain is longer than any handshake could have made it");
        return false;
    }
    find_end(context->trust, chain, count, now, path);
    return path_judge(context->trust, path, count > 1 ? count - 1 : 1, now, failure);
}

bool tls_context_admits(struct tls_context *context, const struct certificate *chain, size_t count,
                        struct tls_failure *failure)
{
    struct path path;
    return context_judge(context, chain, count, &path, failure);
}
