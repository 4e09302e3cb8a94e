#include "lb/config/kept.h"

#include <string.h>

#include "lb/tls/context.h"
#include "lb/tls/path.h"

/* ---- the rules of hosts ---- */

/* A host that no certificate has any more would be met by the rules of its listener, which may be laxer. */
static void check_policies(const struct listener *now, const struct listener *before,
                           struct problems *problems)
{
    for (size_t i = 0; i < before->policy_count; i++) {
        const char *host = before->policies[i].host;
        if (name_map_get(now->policy_names, slice_of(host)) == NAME_MAP_NONE)
            problems_add(problems, before->policies[i].place,
                         "[listener %s]: no certificate has the name %s any more, for which [certificate %s] "
                         "has rules: give it one that does, or reload",
                         now->name, host, host);
    }
}

/* ---- revocation lists, which may go with their file out of a folder ---- */

static bool has_path(const struct tls_settings *tls, const char *path)
{
    for (size_t i = 0; i < tls->crl_count; i++)
        if (strcmp(tls->crls[i].path, path) == 0)
            return true;
    return false;
}

static bool lacks_file(const struct tls_settings *now, const struct tls_settings *before)
{
    for (size_t i = 0; i < before->crl_count; i++)
        if (!has_path(now, before->crls[i].path))
            return true;
    return false;
}

/* Those of a CA that has gone as well are not missed. */
static void compare_lists(const struct listener *listener, const struct trust *now,
                          const struct trust *before, struct problems *problems)
{
    char issuer[BRIEF_MAX];
    for (size_t i = 0; i < before->crl_count; i++) {
        const struct crl *crl = &before->crls[i];
        bool wanted = trust_anchor_named(now, crl->issuer) || !trust_anchor_named(before, crl->issuer);
        if (wanted && !trust_has_crl(now, crl->issuer))
            problems_add(problems, listener->place,
                         "%s is gone, and no other revocation list of %s is there: whom it revokes would be "
                         "let in; put one back, or reload",
                         crl->file, brief_name(crl->issuer, issuer));
    }
}

static void check_lists(const struct listener *now, const struct listener *before, struct problems *problems)
{
    struct problems told = {0}; /* by those who have loaded them */
    if (!lacks_file(&now->tls, &before->tls))
        return;
    struct trust *is = tls_trust_new(&now->tls, now->place, &told);
    struct trust *was = tls_trust_new(&before->tls, before->place, &told);
    if (is && was)
        compare_lists(now, is, was, problems);
    tls_trust_drop(is);
    tls_trust_drop(was);
    problems_free(&told);
}

/* ---- */

void check_kept(const struct config *config, const struct config *before, struct problems *problems)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct listener *now = &config->listeners[i], *old = &before->listeners[i];
        check_policies(now, old, problems);
        check_lists(now, old, problems);
        for (size_t j = 0; j < now->policy_count && now->policy_count == old->policy_count; j++)
            check_lists(&now->policies[j], &old->policies[j], problems);
    }
}
