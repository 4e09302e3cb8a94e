#include "lb/control/authorize_ocsp.h"

#include <stdio.h>

#include "lb/tls/ocsp.h"

static bool hard(const struct tls_settings *settings, struct tls_failure *failure, const char *why)
{
    printf("ocsp:     %s\n", why);
    if (settings->ocsp != OCSP_HARD)
        return true;
    failure_set(failure, REASON_OCSP_UNAVAILABLE, -1, "OCSP: %s", why);
    return false;
}

static bool judge(const struct tls_settings *settings, const struct ocsp_subject *subject,
                  const struct ocsp_answer *answer, struct tls_failure *failure)
{
    char name[BRIEF_MAX], when[BRIEF_MAX], serial[64];
    switch (answer->status) {
    case OCSP_GOOD: printf("ocsp:     good until %s\n", brief_time(answer->until, when)); return true;
    case OCSP_UNKNOWN: return hard(settings, failure, "the responder does not know the certificate");
    case OCSP_REVOKED: break;
    }
    printf("ocsp:     revoked since %s\n", brief_time(answer->revoked_at, when));
    failure_set(failure, REASON_CERTIFICATE_REVOKED, -1,
                "certificate %s, serial %s, is revoked, says its OCSP responder",
                brief_name(subject->certificate->subject, name),
                certificate_serial(subject->certificate, serial, sizeof serial));
    return false;
}

bool authorize_ocsp(const struct tls_settings *settings, const struct certificate *chain, size_t count,
                    struct slice der, int64_t now, struct tls_failure *failure)
{
    struct certificate signer;
    struct ocsp_answer answer;
    struct slice own = {settings->ocsp_signer.data, settings->ocsp_signer.len};
    const char *why;
    if (settings->ocsp == OCSP_OFF || count == 0) {
        if (der.len > 0)
            puts("ocsp:     not asked: the response given is not looked at");
        return true;
    }
    if (count < 2)
        return hard(settings, failure, "the certificate is itself one of client-ca: nobody answers for it");
    if (der.len == 0)
        return hard(settings, failure, "nobody was asked: give the answer with --ocsp FILE.der");
    struct ocsp_subject subject = {&chain[0], &chain[1], NULL};
    if (own.data && certificate_open(own, &signer, &why))
        subject.signer = &signer;
    if (!ocsp_read(der, &subject, now, &answer, &why))
        return hard(settings, failure, why);
    return judge(settings, &subject, &answer, failure);
}
