#include "lb/tls/ocsp_signer.h"

#include <stdlib.h>

#include "lb/base/clock.h"
#include "lb/base/memory.h"
#include "lb/tls/path.h"

static bool is_der(const struct tls_file *file)
{
    return file->len > 0 && file->data[0] == 0x30;
}

/* NULL, or what is wrong. */
static const char *take_pem(struct tls_file *file)
{
    struct slice pem = {file->data, file->len};
    const char *why;
    char *der = mem_new(2 * file->len + 1);
    size_t len = 0, more = 0;
    bool found = certificate_next_pem(&pem, der, &len, &why);
    if (found && certificate_next_pem(&pem, der + len, &more, &why))
        why = "it holds more than one certificate: name the responder's only";
    else if (!found && !why)
        why = "it holds no certificate (PEM block CERTIFICATE)";
    if (why) {
        free(der);
        return why;
    }
    free(file->data);
    file->data = der;
    file->len = len;
    return NULL;
}

static void warn_of_dates(const struct tls_file *file, const struct certificate *signer, struct place place,
                          struct problems *problems)
{
    char subject[BRIEF_MAX], when[BRIEF_MAX];
    int64_t now = clock_unix_s();
    if (now > signer->not_after)
        problems_warn(problems, place, "%s: %s has expired on %s: its answers are not believed", file->path,
                      brief_name(signer->subject, subject), brief_time(signer->not_after, when));
}

bool ocsp_signer_load(struct tls_file *file, struct place place, struct problems *problems)
{
    struct certificate signer;
    const char *why = is_der(file) ? NULL : take_pem(file);
    if (!why)
        certificate_open(slice_make(file->data, file->len), &signer, &why);
    if (why) {
        problems_add(problems, place, "%s: %s", file->path, why);
        return false;
    }
    warn_of_dates(file, &signer, place, problems);
    return true;
}
