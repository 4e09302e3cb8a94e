#include "lb/tls/trust.h"

#include <stdlib.h>

#include "lb/base/clock.h"
#include "lb/base/memory.h"
#include "lb/tls/context.h"
#include "lb/tls/extensions.h"
#include "lb/tls/pem.h"
#include "lb/tls/signatures.h"

static const char *file_path(const struct tls_file *file)
{
    return file->path ? file->path : "(no file)";
}

static bool is_der(struct slice data)
{
    return data.len > 0 && data.data[0] == 0x30;
}

/* ---- client-ca ---- */

static bool is_usable_anchor(const struct certificate *certificate)
{
    if (certificate->extensions.len == 0 && certificate_self_issued(certificate))
        return true;
    return extension_is_ca(certificate->extensions) &&
           key_usage_has(certificate->extensions, USAGE_CERT_SIGN);
}

/* A file with CAs that is being read. */
struct store {
    const struct path_role *role;
    const char *path;
    struct place place;
    struct problems *problems;
    bool lenient;
};

static void warn_of_dates(const struct certificate *certificate, const struct store *store)
{
    char subject[BRIEF_MAX], when[BRIEF_MAX];
    int64_t now = clock_unix_s();
    brief_name(certificate->subject, subject);
    if (now > certificate->not_after)
        problems_warn(store->problems, store->place, "%s: CA %s has expired on %s: its %s are refused",
                      store->path, subject, brief_time(certificate->not_after, when), store->role->peers);
    else if (now < certificate->not_before)
        problems_warn(store->problems, store->place,
                      "%s: CA %s is not valid before %s: its %s are refused until then", store->path, subject,
                      brief_time(certificate->not_before, when), store->role->peers);
}

/* Any certificate given to the library as an anchor could issue others there: one that is no CA must not get
 * that far. */
static void add_anchor(struct trust *trust, const struct certificate *certificate, const struct store *store)
{
    char subject[BRIEF_MAX];
    if (!is_usable_anchor(certificate)) {
        if (!store->lenient)
            problems_warn(store->problems, store->place,
                          "%s: %s is no CA (basicConstraints, keyUsage): it is left out", store->path,
                          brief_name(certificate->subject, subject));
        return;
    }
    if (!store->lenient)
        warn_of_dates(certificate, store);
    trust->anchors = mem_grow(trust->anchors, (trust->anchor_count + 1) * sizeof *trust->anchors);
    trust->anchors[trust->anchor_count++] = *certificate;
}

/* All DER goes one behind the other into anchor_data, which PEM of the same certificates always exceeds. */
static bool read_anchors(const struct tls_file *file, const struct store *store, struct trust *trust)
{
    struct slice pem = {file->data, file->len};
    const char *why;
    size_t number = 0, len;
    char *at = trust->anchor_data = mem_new(file->len + 1);
    while (certificate_next_pem(&pem, at, &len, &why)) {
        struct certificate certificate;
        number++;
        bool good = certificate_open(slice_make(at, len), &certificate, &why);
        if (!good && !store->lenient) {
            problems_add(store->problems, store->place, "%s: certificate %zu cannot be used: %s", store->path,
                         number, why);
            return false;
        }
        if (good)
            add_anchor(trust, &certificate, store);
        at += len;
    }
    if (why) {
        problems_add(store->problems, store->place, "%s: after %zu certificates: %s", store->path, number,
                     why);
        return false;
    }
    return true;
}

static bool load_anchors(const struct tls_file *file, const struct store *store, struct trust *trust)
{
    if (!file->data) {
        problems_add(store->problems, store->place, "%s needs %s: a PEM file with the CAs of the %s",
                     store->role == &path_of_client ? "mutual TLS" : "TLS to servers", store->role->store,
                     store->role->peers);
        return false;
    }
    if (is_der(slice_make(file->data, file->len))) {
        problems_add(store->problems, store->place,
                     "%s is DER: make it PEM with openssl x509 -inform DER -in %s", store->path, store->path);
        return false;
    }
    if (!read_anchors(file, store, trust))
        return false;
    if (trust->anchor_count == 0)
        problems_add(store->problems, store->place,
                     "%s holds no certificate of a CA: all %s would be refused", store->path,
                     store->role->peers);
    return trust->anchor_count > 0;
}

/* ---- client-crl ---- */

/* The last tenth of its time. */
static bool is_near_its_end(const struct crl *crl, int64_t now)
{
    return crl->next_update != CRL_NEVER && crl->next_update > crl->this_update &&
           crl->next_update - now < (crl->next_update - crl->this_update) / 10;
}

static void warn_of_crl(const struct crl *crl, bool known, bool required, const char *path,
                        struct place place, struct problems *problems)
{
    char issuer[BRIEF_MAX], when[BRIEF_MAX];
    brief_name(crl->issuer, issuer);
    int64_t now = clock_unix_s();
    if (now > crl->next_update)
        problems_warn(problems, place, "%s: the CRL of %s was to be renewed by %s%s", path, issuer,
                      brief_time(crl->next_update, when), required ? ": its clients are refused" : "");
    else if (is_near_its_end(crl, now))
        problems_warn(problems, place, "%s: the CRL of %s is to be renewed by %s, soon: fetch the new one",
                      path, issuer, brief_time(crl->next_update, when));
    if (crl->partial && required)
        problems_warn(problems, place,
                      "%s: the CRL of %s covers only some certificates: it revokes, but proves no other good",
                      path, issuer);
    if (!known)
        problems_warn(problems, place, "%s: no CA of client-ca is named %s, the issuer of this CRL", path,
                      issuer);
}

/* False: a CA of that name is in client-ca, but none of that name has signed the CRL. */
static bool confirm_crl(struct trust *trust, struct crl *crl, bool *known)
{
    *known = false;
    for (size_t i = 0; i < trust->anchor_count; i++) {
        if (!slice_equal(trust->anchors[i].subject, crl->issuer))
            continue;
        *known = true;
        if (crl->signer.len == 0 && crl_signed_by(crl, &trust->anchors[i]))
            crl_confirm(crl, trust->anchors[i].spki);
    }
    return crl->signer.len > 0 || !*known;
}

static bool add_crl(struct trust *trust, struct slice der, const struct tls_file *file, struct place place,
                    struct problems *problems)
{
    const char *path = file_path(file), *why;
    char issuer[BRIEF_MAX];
    struct crl crl;
    bool known;
    if (!crl_open(der, &crl, &why)) {
        problems_add(problems, place, "%s: CRL %zu cannot be used: %s", path, trust->crl_count + 1, why);
        return false;
    }
    if (!confirm_crl(trust, &crl, &known)) {
        problems_add(problems, place, "%s: CRL %zu is not signed by the CA of client-ca that it names, %s",
                     path, trust->crl_count + 1, brief_name(crl.issuer, issuer));
        crl_close(&crl);
        return false;
    }
    crl.file = path;
    warn_of_crl(&crl, known, trust->crl_required, path, place, problems);
    trust->crls = mem_grow(trust->crls, (trust->crl_count + 1) * sizeof *trust->crls);
    trust->crls[trust->crl_count++] = crl;
    return true;
}

static bool read_crl_blocks(struct trust *trust, const struct tls_file *file, struct place place,
                            struct problems *problems)
{
    struct slice pem = {file->data, file->len};
    struct pem_block block;
    const char *why;
    bool good = true;
    char *der = mem_new(file->len + 1);
    while (good && pem_next(&pem, &block, &why)) {
        size_t len;
        if (slice_is(block.label, "CERTIFICATE"))
            continue;
        if (!slice_is(block.label, "X509 CRL"))
            why = "it holds a PEM block that is neither X509 CRL nor CERTIFICATE: remove it, or correct its "
                  "name";
        else if (pem_decode(block.body, der, &len))
            good = add_crl(trust, slice_make(der, len), file, place, problems);
        else
            why = "an X509 CRL block is no valid base64";
        if (why)
            break;
    }
    if (good && why)
        problems_add(problems, place, "%s: %s", file_path(file), why);
    free(der);
    return good && !why;
}

static bool load_crl_file(const struct tls_file *file, struct place place, struct problems *problems,
                          struct trust *trust)
{
    struct slice data = {file->data, file->len};
    size_t before = trust->crl_count;
    if (!file->data)
        return true;
    place = file_place(file, place);
    if (is_der(data))
        return add_crl(trust, data, file, place, problems);
    if (!read_crl_blocks(trust, file, place, problems))
        return false;
    if (trust->crl_count == before)
        problems_add(problems, place, "%s holds no CRL: neither DER nor a PEM block X509 CRL",
                     file_path(file));
    return trust->crl_count > before;
}

static bool load_crls(const struct tls_settings *settings, struct place place, struct problems *problems,
                      struct trust *trust)
{
    bool good = true;
    for (size_t i = 0; i < settings->crl_count; i++)
        good = load_crl_file(&settings->crls[i], place, problems, trust) && good;
    return good;
}

static void warn_of_missing_crls(const struct trust *trust, struct place place, struct problems *problems)
{
    char subject[BRIEF_MAX];
    const char *then = trust->crl_required ? "what it issued is refused" : "nobody can be revoked there";
    bool wanted = trust->crl_required || trust->crl_count > 0;
    for (size_t i = 0; wanted && i < trust->anchor_count; i++)
        if (!trust_has_crl(trust, trust->anchors[i].subject))
            problems_warn(problems, place, "CA %s has no CRL in client-crl: %s",
                          brief_name(trust->anchors[i].subject, subject), then);
}

static struct trust *make_trust(const struct path_role *role)
{
    struct trust *trust = mem_new(sizeof(*trust));
    atomic_init(&trust->users, 1);
    trust->role = role;
    trust->signed_by = certificate_signed_by;
    trust->crl_signed_by = crl_signed_by;
    return trust;
}

struct trust *trust_new(const struct tls_settings *settings, struct place place, struct problems *problems)
{
    const struct store store = {&path_of_client, file_path(&settings->client_ca),
                                file_place(&settings->client_ca, place), problems, false};
    struct trust *trust = make_trust(&path_of_client);
    trust->crl_required = settings->crl_required;
    trust->crl_depth = settings->crl_depth;
    trust->verify_depth = settings->verify_depth;
    if (load_anchors(&settings->client_ca, &store, trust) && load_crls(settings, place, problems, trust)) {
        warn_of_missing_crls(trust, place, problems);
        return trust;
    }
    tls_trust_drop(trust);
    return NULL;
}

struct trust *trust_new_for_servers(const struct tls_file *ca, bool lenient, struct place place,
                                    struct problems *problems)
{
    const struct store store = {&path_of_server, file_path(ca), file_place(ca, place), problems, lenient};
    struct trust *trust = make_trust(&path_of_server);
    trust->verify_depth = PATH_SENT_MAX;
    if (load_anchors(ca, &store, trust))
        return trust;
    tls_trust_drop(trust);
    return NULL;
}

static void free_trust(struct trust *trust)
{
    for (size_t i = 0; i < trust->crl_count; i++)
        crl_close(&trust->crls[i]);
    free(trust->crls);
    free(trust->anchors);
    free(trust->anchor_data);
    free(trust);
}

struct trust *tls_trust_hold(struct trust *trust)
{
    if (trust)
        atomic_fetch_add_explicit(&trust->users, 1, memory_order_relaxed);
    return trust;
}

void tls_trust_drop(struct trust *trust)
{
    if (trust && atomic_fetch_sub_explicit(&trust->users, 1, memory_order_acq_rel) == 1)
        free_trust(trust);
}
