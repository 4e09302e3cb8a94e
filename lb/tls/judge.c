/* The rules of path_judge, in the order in which an operator wants to hear of them. */
#include <stdarg.h>
#include <stdio.h>

#include "lb/tls/constraints.h"
#include "lb/tls/extensions.h"
#include "lb/tls/path.h"

void failure_set(struct tls_failure *failure, enum reason reason, int alert, const char *format, ...)
{
    va_list arguments;
    failure->reason = reason;
    failure->alert_sent = alert;
    failure->alert_received = -1;
    va_start(arguments, format);
    vsnprintf(failure->text, sizeof failure->text, format, arguments);
    va_end(arguments);
}

const struct path_role path_of_client = {OID_EKU_CLIENT, "clientAuth", "client-ca", "client-crl", "clients"};
const struct path_role path_of_server = {OID_EKU_SERVER, "serverAuth", "ca", "crl", "servers"};

/* ---- where the path ends ---- */

static bool refuse_unknown_issuer(const struct trust *trust, const struct certificate *last, size_t sent,
                                  struct tls_failure *failure)
{
    char issuer[BRIEF_MAX];
    brief_name(last->issuer, issuer);
    if (trust_anchor_named(trust, last->issuer))
        failure_set(failure, REASON_CERTIFICATE_UNKNOWN_CA, ALERT_UNKNOWN_CA,
                    "%s has a CA named %s, but with another key: is it an older or a newer one?",
                    trust->role->store, issuer);
    else
        failure_set(failure, REASON_CERTIFICATE_UNKNOWN_CA, ALERT_UNKNOWN_CA,
                    "issuer %s is neither in %s nor among the %zu certificate%s sent: is an intermediate "
                    "missing?",
                    issuer, trust->role->store, sent, sent == 1 ? "" : "s");
    return false;
}

static bool judge_end(const struct trust *trust, const struct path *path, size_t sent,
                      struct tls_failure *failure)
{
    char subject[BRIEF_MAX];
    if (path->anchored)
        return true;
    const struct certificate *last = path->list[path->count - 1];
    if (!certificate_self_issued(last))
        return refuse_unknown_issuer(trust, last, sent, failure);
    brief_name(last->subject, subject);
    if (path->count == 1)
        failure_set(failure, REASON_CERTIFICATE_SELF_SIGNED, ALERT_UNKNOWN_CA,
                    "certificate %s is self-signed: it needs the signature of a CA of %s", subject,
                    trust->role->store);
    else
        failure_set(failure, REASON_CERTIFICATE_UNKNOWN_CA, ALERT_UNKNOWN_CA,
                    "the chain ends in root %s, which is not in %s", subject, trust->role->store);
    return false;
}

static bool judge_depth(const struct trust *trust, const struct path *path, struct tls_failure *failure)
{
    size_t intermediates = path->count < 2 ? 0 : path->count - 2;
    if (intermediates <= trust->verify_depth)
        return true;
    failure_set(failure, REASON_CERTIFICATE_TOO_DEEP, ALERT_UNKNOWN_CA,
                "%zu intermediates between the certificate and its CA: verify-depth allows %u", intermediates,
                trust->verify_depth);
    return false;
}

/* ---- each certificate ---- */

/* A root of version 1 has no extensions that could say it. */
static bool may_issue(const struct certificate *certificate)
{
    if (certificate->extensions.len == 0 && certificate_self_issued(certificate))
        return true;
    return extension_is_ca(certificate->extensions) &&
           key_usage_has(certificate->extensions, USAGE_CERT_SIGN);
}

static bool judge_issuers(const struct path *path, struct tls_failure *failure)
{
    char subject[BRIEF_MAX];
    for (size_t i = 1; i < path->count; i++) {
        if (may_issue(path->list[i]))
            continue;
        failure_set(failure, REASON_CERTIFICATE_CHAIN_BROKEN, ALERT_BAD_CERTIFICATE,
                    "%s issued a certificate of the chain but is no CA (basicConstraints, keyUsage)",
                    brief_name(path->list[i]->subject, subject));
        return false;
    }
    return true;
}

static bool judge_dates(const struct path *path, int64_t now, struct tls_failure *failure)
{
    char subject[BRIEF_MAX], when[BRIEF_MAX];
    for (size_t i = 0; i < path->count; i++) {
        const struct certificate *certificate = path->list[i];
        brief_name(certificate->subject, subject);
        if (now > certificate->not_after) {
            failure_set(failure, REASON_CERTIFICATE_EXPIRED, ALERT_CERTIFICATE_EXPIRED,
                        "certificate %s has expired on %s: renew it", subject,
                        brief_time(certificate->not_after, when));
            return false;
        }
        if (now < certificate->not_before) {
            failure_set(failure, REASON_CERTIFICATE_NOT_YET_VALID, ALERT_CERTIFICATE_EXPIRED,
                        "certificate %s is not valid before %s: is a clock wrong?", subject,
                        brief_time(certificate->not_before, when));
            return false;
        }
    }
    return true;
}

/* RFC 5280, section 4.1.2.2. Anchors, which nobody revokes here, may have any number. */
static bool judge_serials(const struct path *path, struct tls_failure *failure)
{
    char subject[BRIEF_MAX];
    for (size_t i = 0; i + 1 < path->count; i++) {
        if (certificate_serial_valid(path->list[i]))
            continue;
        failure_set(failure, REASON_CERTIFICATE_MALFORMED, ALERT_BAD_CERTIFICATE,
                    "the serial number of %s is not above 0, or longer than 20 bytes",
                    brief_name(path->list[i]->subject, subject));
        return false;
    }
    return true;
}

/* The anchor is trusted by configuration, whatever signed it. */
static bool judge_strength(const struct path *path, struct tls_failure *failure)
{
    char subject[BRIEF_MAX];
    const char *what;
    for (size_t i = 0; i + 1 < path->count || i == 0; i++) {
        if (!certificate_weak(path->list[i], &what))
            continue;
        failure_set(failure, REASON_CERTIFICATE_WEAK, ALERT_BAD_CERTIFICATE,
                    "certificate %s is refused because %s: issue it anew",
                    brief_name(path->list[i]->subject, subject), what);
        return false;
    }
    return true;
}

static bool judge_purpose(const struct path_role *role, const struct path *path, struct tls_failure *failure)
{
    char subject[BRIEF_MAX];
    for (size_t i = 0; i < path->count; i++) {
        if (extended_usage_allows(path->list[i]->extensions, role->purpose))
            continue;
        failure_set(failure, REASON_CERTIFICATE_PURPOSE, ALERT_UNSUPPORTED_CERTIFICATE,
                    "the extendedKeyUsage of %s lacks %s", brief_name(path->list[i]->subject, subject),
                    role->purpose_name);
        return false;
    }
    if (key_usage_has(path->list[0]->extensions, USAGE_SIGNATURE))
        return true;
    failure_set(failure, REASON_CERTIFICATE_PURPOSE, ALERT_UNSUPPORTED_CERTIFICATE,
                "the keyUsage of %s lacks digitalSignature", brief_name(path->list[0]->subject, subject));
    return false;
}

static bool refuse_name(const struct certificate *issuer, const struct certificate *below,
                        struct tls_failure *failure)
{
    char subject[BRIEF_MAX], above[BRIEF_MAX];
    failure_set(failure, REASON_CERTIFICATE_CHAIN_BROKEN, ALERT_BAD_CERTIFICATE,
                "the name constraints of %s forbid a name of %s", brief_name(issuer->subject, above),
                brief_name(below->subject, subject));
    return false;
}

/* An intermediate in the name of its own issuer is exempt (RFC 5280, section 6.1.3). */
static bool is_constrained(const struct path *path, size_t index)
{
    return index == 0 || !certificate_self_issued(path->list[index]);
}

static bool judge_names(const struct path *path, struct tls_failure *failure)
{
    char subject[BRIEF_MAX], issuer[BRIEF_MAX];
    for (size_t i = 1; i < path->count; i++) {
        for (size_t below = 0; below < i; below++)
            if (is_constrained(path, below) && !constraints_allow_names(path->list[i], path->list[below]))
                return refuse_name(path->list[i], path->list[below], failure);
        if (constraints_allow_common_names(path->list[i], path->list[0]))
            continue;
        failure_set(failure, REASON_CERTIFICATE_CHAIN_BROKEN, ALERT_BAD_CERTIFICATE,
                    "the name constraints of %s forbid the common name of %s",
                    brief_name(path->list[i]->subject, issuer), brief_name(path->list[0]->subject, subject));
        return false;
    }
    return true;
}

/* Policies are not evaluated, so a chain that depends on them cannot be admitted. The anchor's own demands
 * are not part of the path. */
static bool judge_policies(const struct path *path, struct tls_failure *failure)
{
    char subject[BRIEF_MAX];
    for (size_t i = 0; i + 1 < path->count; i++) {
        if (!certificate_requires_policy(path->list[i]->extensions))
            continue;
        failure_set(failure, REASON_CERTIFICATE_CHAIN_BROKEN, ALERT_BAD_CERTIFICATE,
                    "%s requires a certificate policy (policyConstraints), which lb does not evaluate",
                    brief_name(path->list[i]->subject, subject));
        return false;
    }
    return true;
}

/* ---- revocation ---- */

/* By the very issuer: another CA may have its name. */
static bool is_confirmed(const struct trust *trust, struct crl *crl, const struct certificate *issuer)
{
    if (crl->signer.len == 0 && key_usage_has(issuer->extensions, USAGE_CRL_SIGN) &&
        trust->crl_signed_by(crl, issuer))
        crl_confirm(crl, issuer->spki);
    return crl_confirmed_by(crl, issuer->spki);
}

/* What the CRLs of one issuer prove beyond revocation. */
struct proof {
    bool current, expired, unsigned_one;
    const struct crl *last; /* the latest that has expired */
};

static void weigh(const struct trust *trust, struct crl *crl, const struct certificate *issuer, int64_t now,
                  struct proof *proof)
{
    if (crl->partial)
        return;
    if (!is_confirmed(trust, crl, issuer)) {
        proof->unsigned_one = true;
    } else if (now <= crl->next_update) {
        proof->current = proof->current || now >= crl->this_update;
    } else {
        if (!proof->expired || proof->last->next_update < crl->next_update)
            proof->last = crl;
        proof->expired = true;
    }
}

static bool refuse_without_proof(const struct trust *trust, const struct certificate *issuer,
                                 const struct proof *proof, struct tls_failure *failure)
{
    char name[BRIEF_MAX], when[BRIEF_MAX];
    brief_name(issuer->subject, name);
    if (proof->expired)
        failure_set(failure, REASON_CRL_EXPIRED, ALERT_CERTIFICATE_UNKNOWN,
                    "the CRL of %s was to be renewed by %s: fetch the new one into %s", name,
                    brief_time(proof->last->next_update, when), proof->last->file);
    else
        failure_set(failure, REASON_CRL_MISSING, ALERT_CERTIFICATE_UNKNOWN,
                    proof->unsigned_one ? "%s has a CRL of %s that this CA has not signed"
                                        : "%s has no CRL of %s that could be used",
                    trust->role->lists, name);
    return false;
}

static bool judge_revocation(struct trust *trust, const struct certificate *certificate,
                             const struct certificate *issuer, int64_t now, struct tls_failure *failure)
{
    char subject[BRIEF_MAX], serial[BRIEF_MAX];
    struct proof proof = {0};
    for (size_t i = 0; i < trust->crl_count; i++) {
        struct crl *crl = &trust->crls[i];
        if (!slice_equal(crl->issuer, issuer->subject))
            continue;
        if (crl_lists(crl, certificate->serial)) {
            failure_set(failure, REASON_CERTIFICATE_REVOKED, ALERT_CERTIFICATE_REVOKED,
                        "certificate %s, serial %s, is revoked by the CRL of its issuer",
                        brief_name(certificate->subject, subject),
                        certificate_serial(certificate, serial, sizeof serial));
            return false;
        }
        if (trust->crl_required)
            weigh(trust, crl, issuer, now, &proof);
    }
    return !trust->crl_required || proof.current || refuse_without_proof(trust, issuer, &proof, failure);
}

static bool judge_crls(struct trust *trust, const struct path *path, int64_t now, struct tls_failure *failure)
{
    size_t end = trust->crl_depth == CRL_DEPTH_LEAF && path->count > 2 ? 2 : path->count;
    for (size_t i = 0; i + 1 < end; i++)
        if (!judge_revocation(trust, path->list[i], path->list[i + 1], now, failure))
            return false;
    return true;
}

bool path_judge(struct trust *trust, const struct path *path, size_t sent, int64_t now,
                struct tls_failure *failure)
{
    return judge_end(trust, path, sent, failure) && judge_depth(trust, path, failure) &&
           judge_issuers(path, failure) && judge_serials(path, failure) && judge_dates(path, now, failure) &&
           judge_strength(path, failure) && judge_purpose(trust->role, path, failure) &&
           judge_names(path, failure) && judge_policies(path, failure) &&
           judge_crls(trust, path, now, failure);
}
