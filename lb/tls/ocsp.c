#include "lb/tls/ocsp.h"

#include "lb/tls/der.h"
#include "lb/tls/extensions.h"
#include "lb/tls/ocsp_parts.h"
#include "lb/tls/signed.h"

#define OID_BASIC_RESPONSE SLICE_LITERAL("\x2b\x06\x01\x05\x05\x07\x30\x01\x01")
#define OID_EKU_OCSP       SLICE_LITERAL("\x2b\x06\x01\x05\x05\x07\x03\x09")

enum { CERTIFICATES_MAX = 8, SKEW = 60, DAY = 86400, AGE_MAX = DAY, TRUSTED_FOR = 300 };

static const char MALFORMED[] = "it is no valid OCSP response";
static const char UNSIGNED[] = "it is signed neither by the issuer, nor by a responder that the issuer has "
                               "appointed, nor by ocsp-signer";
static const char WRONG_SIGNATURE[] = "its signature is wrong, or made in a way that is too weak";

/* The pieces of a BasicOCSPResponse. */
struct basic {
    struct slice data; /* ResponseData, whole */
    struct slice algorithm, signature;
    struct slice certificates; /* the list's content */
    unsigned responder_tag;
    struct slice responder; /* Name or KeyHash, content */
    struct slice responses;
};

/* ---- reading ---- */

static const char *read_status(struct slice *body)
{
    struct slice status;
    if (!der_take(body, DER_ENUMERATED, &status) || status.len != 1)
        return MALFORMED;
    switch (status.data[0]) {
    case 0: return NULL;
    case 1: return "the responder says malformedRequest";
    case 2: return "the responder says internalError";
    case 3: return "the responder says tryLater";
    case 5: return "the responder says sigRequired";
    case 6: return "the responder says unauthorized: it does not answer for this issuer";
    default: return MALFORMED;
    }
}

static bool has_critical(struct slice wrapped)
{
    struct slice list;
    struct extension extension;
    if (!der_only(wrapped, DER_SEQUENCE, &list))
        return true;
    while (list.len > 0)
        if (!extension_next(&list, &extension) || extension.critical)
            return true;
    return false;
}

static bool take_responder(struct slice *in, struct basic *out)
{
    struct slice wrapped;
    if (!der_next(in, &out->responder_tag, &wrapped))
        return false;
    if (out->responder_tag == DER_CONSTRUCTED(1))
        return der_only(wrapped, DER_SEQUENCE, &out->responder);
    return out->responder_tag == DER_CONSTRUCTED(2) && der_only(wrapped, DER_OCTET_STRING, &out->responder);
}

static bool take_generalized(struct slice *in, int64_t *time)
{
    return der_is(*in, DER_GENERALIZED_TIME) && der_take_time(in, time);
}

static const char *read_data(struct basic *out)
{
    struct slice body, extensions;
    int64_t produced;
    if (!der_only(out->data, DER_SEQUENCE, &body) || !der_skip(&body, DER_CONSTRUCTED(0)) ||
        !take_responder(&body, out) || !take_generalized(&body, &produced) ||
        !der_take(&body, DER_SEQUENCE, &out->responses))
        return MALFORMED;
    if (body.len == 0)
        return NULL;
    if (!der_only(body, DER_CONSTRUCTED(1), &extensions))
        return MALFORMED;
    return has_critical(extensions) ? "it has a critical extension that lb does not know" : NULL;
}

static const char *read_basic(struct slice der, struct basic *out)
{
    struct slice body, wrapped;
    out->certificates = (struct slice){"", 0};
    if (!der_only(der, DER_SEQUENCE, &body) || !der_take_whole(&body, DER_SEQUENCE, &out->data) ||
        !der_take(&body, DER_SEQUENCE, &out->algorithm) || !der_take(&body, DER_BIT_STRING, &out->signature))
        return MALFORMED;
    if (body.len > 0 && (!der_only(body, DER_CONSTRUCTED(0), &wrapped) ||
                         !der_only(wrapped, DER_SEQUENCE, &out->certificates)))
        return MALFORMED;
    return read_data(out);
}

static const char *read_response(struct slice der, struct basic *out)
{
    struct slice body, wrapped, bytes, type, response;
    if (!der_only(der, DER_SEQUENCE, &body))
        return MALFORMED;
    const char *why = read_status(&body);
    if (why)
        return why;
    if (!der_only(body, DER_CONSTRUCTED(0), &wrapped) || !der_only(wrapped, DER_SEQUENCE, &bytes) ||
        !der_take(&bytes, DER_OID, &type) || !der_only(bytes, DER_OCTET_STRING, &response))
        return MALFORMED;
    if (!slice_equal(type, OID_BASIC_RESPONSE))
        return "it is of a kind that lb does not know";
    return read_basic(response, out);
}

/* ---- who has signed ---- */

static bool is_responder(const struct basic *basic, const struct certificate *certificate)
{
    unsigned char hash[OCSP_HASH_MAX];
    if (basic->responder_tag == DER_CONSTRUCTED(1))
        return slice_equal(basic->responder, certificate->subject);
    return slice_equal(basic->responder, ocsp_key_hash(OCSP_SHA1, certificate, hash));
}

static bool has_signed(const struct basic *basic, const struct certificate *certificate)
{
    return signed_by(basic->data, basic->algorithm, basic->signature, certificate->spki);
}

static bool is_current(const struct certificate *certificate, int64_t now)
{
    return now >= certificate->not_before && now <= certificate->not_after;
}

/* Named in so many words: anyExtendedKeyUsage, or none at all, appoints nobody. */
static bool may_answer(const struct certificate *certificate)
{
    struct extension extension;
    struct slice usages, usage;
    if (!extension_find(certificate->extensions, OID_EXTENDED_USAGE, &extension) ||
        !der_only(extension.value, DER_SEQUENCE, &usages))
        return false;
    while (der_take(&usages, DER_OID, &usage))
        if (slice_equal(usage, OID_EKU_OCSP))
            return key_usage_has(certificate->extensions, USAGE_SIGNATURE);
    return false;
}

static bool issued(const struct certificate *issuer, const struct certificate *certificate)
{
    struct slice body, tbs, algorithm, signature;
    return certificate_issued_by(certificate, issuer) && der_only(certificate->der, DER_SEQUENCE, &body) &&
           der_take_whole(&body, DER_SEQUENCE, &tbs) && der_take(&body, DER_SEQUENCE, &algorithm) &&
           der_only(body, DER_BIT_STRING, &signature) && signed_by(tbs, algorithm, signature, issuer->spki);
}

/* NULL, or why this certificate of the response does not prove its signer's right. */
static const char *judge_appointed(const struct basic *basic, const struct certificate *certificate,
                                   const struct ocsp_subject *subject, int64_t now)
{
    const char *what;
    if (!may_answer(certificate))
        return "its signer's certificate lacks the extendedKeyUsage OCSPSigning";
    if (!is_current(certificate, now))
        return "its signer's certificate has expired, or is not yet valid";
    if (certificate_weak(certificate, &what))
        return "its signer's certificate has a weak signature or key";
    if (!issued(subject->issuer, certificate))
        return "its signer's certificate was not issued by the issuer of the certificate asked about";
    return has_signed(basic, certificate) ? NULL : WRONG_SIGNATURE;
}

static const char *judge_sent(const struct basic *basic, const struct ocsp_subject *subject, int64_t now)
{
    struct slice list = basic->certificates, der;
    struct certificate certificate;
    const char *why = UNSIGNED, *ignored;
    for (size_t i = 0; i < CERTIFICATES_MAX && list.len > 0; i++) {
        if (!der_take_whole(&list, DER_SEQUENCE, &der))
            return MALFORMED;
        if (slice_equal(der, subject->issuer->der)) /* has had its turn */
            continue;
        if (!certificate_open(der, &certificate, &ignored) || !is_responder(basic, &certificate))
            continue;
        why = judge_appointed(basic, &certificate, subject, now);
        if (!why)
            return NULL;
    }
    return why;
}

/* Names do not tell apart who has several keys: each that fits is tried. */
static const char *judge_signer(const struct basic *basic, const struct ocsp_subject *subject, int64_t now)
{
    const char *why = NULL;
    if (subject->signer && is_responder(basic, subject->signer)) {
        bool current = is_current(subject->signer, now);
        if (current && has_signed(basic, subject->signer))
            return NULL;
        why = current ? WRONG_SIGNATURE : "the certificate of ocsp-signer has expired, or is not yet valid";
    }
    if (is_responder(basic, subject->issuer)) {
        if (has_signed(basic, subject->issuer))
            return NULL;
        why = WRONG_SIGNATURE;
    }
    const char *sent = judge_sent(basic, subject, now);
    return sent == UNSIGNED && why ? why : sent;
}

/* ---- what is said ---- */

static bool is_about(struct slice id, const struct ocsp_subject *subject)
{
    unsigned char hash[OCSP_HASH_MAX];
    struct slice algorithm, oid, name, key, serial;
    enum ocsp_hash kind;
    if (!der_take(&id, DER_SEQUENCE, &algorithm) || !der_take(&algorithm, DER_OID, &oid) ||
        !der_take(&id, DER_OCTET_STRING, &name) || !der_take(&id, DER_OCTET_STRING, &key) ||
        !der_only(id, DER_INTEGER, &serial))
        return false;
    return slice_equal(serial, subject->certificate->serial) && ocsp_hash_of(oid, &kind) &&
           slice_equal(name, ocsp_name_hash(kind, subject->certificate->issuer, hash)) &&
           slice_equal(key, ocsp_key_hash(kind, subject->issuer, hash));
}

static bool take_status(struct slice *in, struct ocsp_answer *out)
{
    struct slice content;
    unsigned tag;
    if (!der_next(in, &tag, &content))
        return false;
    out->revoked_at = 0;
    switch (tag) {
    case DER_CONTEXT(0): out->status = OCSP_GOOD; return content.len == 0;
    case DER_CONSTRUCTED(1): out->status = OCSP_REVOKED; return take_generalized(&content, &out->revoked_at);
    case DER_CONTEXT(2): out->status = OCSP_UNKNOWN; return content.len == 0;
    default: return false;
    }
}

static const char *judge_times(struct ocsp_answer *out, bool has_next, int64_t now)
{
    if (out->this_update > now + SKEW)
        return "its thisUpdate lies in the future: do the clocks agree?";
    if (has_next)
        return out->until < out->this_update ? MALFORMED
               : out->until < now - SKEW     ? "it was to be renewed already: its nextUpdate has passed"
                                             : NULL;
    if (out->this_update < now - AGE_MAX)
        return "it has no nextUpdate and is older than a day";
    out->until = now + TRUSTED_FOR;
    return NULL;
}

/* What follows certStatus in a SingleResponse. */
static const char *read_times(struct slice in, int64_t now, struct ocsp_answer *out)
{
    struct slice wrapped, extensions;
    if (!take_generalized(&in, &out->this_update))
        return MALFORMED;
    bool has_next = der_is(in, DER_CONSTRUCTED(0));
    if (has_next && (!der_take(&in, DER_CONSTRUCTED(0), &wrapped) ||
                     !take_generalized(&wrapped, &out->until) || wrapped.len > 0))
        return MALFORMED;
    if (in.len > 0 && !der_only(in, DER_CONSTRUCTED(1), &extensions))
        return MALFORMED;
    if (in.len > 0 && has_critical(extensions))
        return "it has a critical extension that lb does not know";
    return judge_times(out, has_next, now);
}

static const char *find_single(struct slice responses, const struct ocsp_subject *subject, int64_t now,
                               struct ocsp_answer *out)
{
    while (responses.len > 0) {
        struct slice single, id;
        if (!der_take(&responses, DER_SEQUENCE, &single) || !der_take(&single, DER_SEQUENCE, &id))
            return MALFORMED;
        if (!is_about(id, subject))
            continue;
        return take_status(&single, out) ? read_times(single, now, out) : MALFORMED;
    }
    return "it is about another certificate";
}

/* The signature last: it costs most. */
bool ocsp_read(struct slice der, const struct ocsp_subject *subject, int64_t now, struct ocsp_answer *out,
               const char **why)
{
    struct basic basic;
    *why = read_response(der, &basic);
    if (!*why)
        *why = find_single(basic.responses, subject, now, out);
    if (!*why)
        *why = judge_signer(&basic, subject, now);
    return *why == NULL;
}

const char *ocsp_status_name(enum ocsp_status status)
{
    static const char *const names[] = {"good", "revoked", "unknown"};
    return names[status];
}
