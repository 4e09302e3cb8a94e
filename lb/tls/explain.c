#include "lb/tls/explain.h"

#include "lb/base/text.h"
#include "lb/tls/extensions.h"
#include "lb/tls/session_parts.h"

#define STEP_MAX 1024

static const struct trust *trust_of(const struct tls_dry_run *run)
{
    return run->context ? run->context->trust : NULL;
}

static void add_who(struct text *line, size_t number, const struct certificate *certificate)
{
    char subject[BRIEF_MAX], from[BRIEF_MAX], to[BRIEF_MAX], serial[BRIEF_MAX];
    text_addf(line, "%zu %s, serial %s, valid from %s to %s", number,
              brief_name(certificate->subject, subject),
              certificate_serial(certificate, serial, sizeof(serial)),
              brief_time(certificate->not_before, from), brief_time(certificate->not_after, to));
}

/* By the issuer's name, as the judgement looks them up. */
static void add_revocation(struct text *line, const struct trust *trust,
                           const struct certificate *certificate)
{
    char when[BRIEF_MAX];
    bool any = false;
    for (size_t i = 0; trust && i < trust->crl_count; i++) {
        const struct crl *crl = &trust->crls[i];
        if (!slice_equal(crl->issuer, certificate->issuer))
            continue;
        any = true;
        text_addf(line, "; %s %s", crl_lists(crl, certificate->serial) ? "REVOKED by" : "not listed in",
                  crl->file);
        if (crl->next_update != CRL_NEVER)
            text_addf(line, " (next update %s)", brief_time(crl->next_update, when));
    }
    if (!any)
        text_adds(line, "; no CRL of its issuer");
}

static void explain_one(const struct tls_dry_run *run, size_t number, const struct certificate *certificate,
                        void (*line)(void *context, const char *text), void *context)
{
    char bytes[STEP_MAX];
    struct text text;
    text_init(&text, bytes, sizeof(bytes));
    add_who(&text, number, certificate);
    if (trust_of(run) && trust_has_anchor(trust_of(run), certificate))
        text_adds(&text, "; a CA of client-ca");
    else
        add_revocation(&text, trust_of(run), certificate);
    line(context, bytes);
}

void tls_explain(const struct tls_dry_run *run, const struct slice *sent, size_t count,
                 void (*line)(void *context, const char *text), void *context)
{
    struct certificate certificate;
    const char *why;
    for (size_t i = 0; i < run->count; i++)
        explain_one(run, i, &run->chain[i], line, context);
    for (size_t i = 0; run->count == 0 && i < count; i++)
        if (certificate_open(sent[i], &certificate, &why))
            explain_one(run, i, &certificate, line, context);
        else
            line(context, why);
}
