#include "lb/tls/identity.h"

#include <stdlib.h>

#include "lb/base/clock.h"
#include "lb/base/memory.h"
#include "lb/tls/der.h"
#include "lb/tls/extensions.h"
#include "lb/tls/path.h"
#include "lb/tls/pem.h"
#include "lb/tls/sites.h"
#include "lb/tls/trust.h"

static bool is_certificate(const struct pem_block *block)
{
    return slice_is(block->label, "CERTIFICATE") || slice_is(block->label, "X509 CERTIFICATE");
}

static bool is_key(const struct pem_block *block)
{
    static const char suffix[] = "PRIVATE KEY";
    size_t len = strlen(suffix);
    return block->label.len >= len && memcmp(block->label.data + block->label.len - len, suffix, len) == 0;
}

static bool holds(const struct tls_file *file, bool (*wanted)(const struct pem_block *block),
                  struct pem_block *out)
{
    struct slice pem = {file->data, file->len};
    const char *why;
    while (pem_next(&pem, out, &why))
        if (wanted(out))
            return true;
    return false;
}

/* ---- warnings about a chain that will be used all the same ---- */

static const char *others(const struct identity_use *use)
{
    return use->to_servers ? "servers" : "clients";
}

static void warn_of_dates(const struct certificate *certificate, const char *path,
                          const struct identity_use *use, struct place place, struct problems *problems)
{
    char subject[BRIEF_MAX], when[BRIEF_MAX];
    int64_t now = clock_unix_s(), left = certificate->not_after - now;
    brief_name(certificate->subject, subject);
    brief_time(certificate->not_after, when);
    if (left < 0)
        problems_warn(problems, place, "%s: certificate %s has expired on %s: %s will refuse it", path,
                      subject, when, others(use));
    else if (left < (int64_t)use->warning_s)
        problems_warn(problems, place, "%s: certificate %s expires on %s, in %lld days: renew it", path,
                      subject, when, (long long)(left / 86400));
    if (now < certificate->not_before)
        problems_warn(problems, place, "%s: certificate %s is not valid before %s", path, subject,
                      brief_time(certificate->not_before, when));
}

static void note_name(void *context, const char *name)
{
    (void)name;
    *(bool *)context = true;
}

static void warn_of_leaf(const struct certificate *leaf, const char *path, const struct identity_use *use,
                         struct place place, struct problems *problems)
{
    char subject[BRIEF_MAX];
    bool named = use->to_servers;
    brief_name(leaf->subject, subject);
    tls_site_names(leaf, note_name, &named);
    if (!named)
        problems_warn(problems, place,
                      "%s: certificate %s has no host name (subjectAltName): clients will refuse it", path,
                      subject);
    if (!extended_usage_allows(leaf->extensions, use->to_servers ? OID_EKU_CLIENT : OID_EKU_SERVER))
        problems_warn(problems, place, "%s: the extendedKeyUsage of %s lacks %s: %s will refuse it", path,
                      subject, use->to_servers ? "clientAuth" : "serverAuth", others(use));
}

/* Authority information access that tells where the issuer's certificate is: then there is one to send (RFC
 * 5280, section 4.2.2.1). */
static bool tells_of_issuer(const struct certificate *certificate)
{
    static const struct slice access = SLICE_LITERAL("\x2b\x06\x01\x05\x05\x07\x01\x01");
    static const struct slice issuers = SLICE_LITERAL("\x2b\x06\x01\x05\x05\x07\x30\x02");
    struct extension extension;
    struct slice list, entry, method;
    if (!extension_find(certificate->extensions, access, &extension) ||
        !der_only(extension.value, DER_SEQUENCE, &list))
        return false;
    while (list.len > 0 && der_take(&list, DER_SEQUENCE, &entry))
        if (der_take(&entry, DER_OID, &method) && slice_equal(method, issuers))
            return true;
    return false;
}

static void warn_of_end(const struct certificate *last, size_t count, const char *path, struct place place,
                        struct problems *problems)
{
    char issuer[BRIEF_MAX];
    if (count == 1 && !certificate_self_issued(last) && tells_of_issuer(last))
        problems_warn(problems, place,
                      "%s: the intermediate %s is missing: put its certificate behind the listener's, or "
                      "clients cannot build the chain",
                      path, brief_name(last->issuer, issuer));
}

static void warn_of_link(const struct certificate *previous, const struct certificate *next, size_t number,
                         const char *path, struct place place, struct problems *problems)
{
    char subject[BRIEF_MAX];
    if (!certificate_issued_by(previous, next))
        problems_warn(problems, place,
                      "%s: certificate %zu, %s, did not issue the one before it: order them leaf first", path,
                      number, brief_name(next->subject, subject));
}

/* What cannot be opened here may still be good enough for wolfSSL, which decides. */
static void warn_of_chain(const struct tls_file *file, const struct identity_use *use, struct place place,
                          struct problems *problems)
{
    struct slice pem = {file->data, file->len};
    struct certificate previous, next;
    const char *why;
    char *room = mem_new(file->len + 1), *at = room;
    size_t len, number = 1;
    for (; certificate_next_pem(&pem, at, &len, &why); number++, at += len) {
        if (!certificate_open(slice_make(at, len), &next, &why))
            break;
        warn_of_dates(&next, file->path, use, place, problems);
        if (number == 1)
            warn_of_leaf(&next, file->path, use, place, problems);
        else
            warn_of_link(&previous, &next, number, file->path, place, problems);
        previous = next;
    }
    if (number > 1)
        warn_of_end(&previous, number - 1, file->path, place, problems);
    free(room);
}

/* ---- certificate ---- */

static bool refuse_certificate_file(const struct tls_file *file, struct place place,
                                    struct problems *problems)
{
    struct pem_block block;
    if (!file->data)
        problems_add(problems, place,
                     "TLS needs a certificate: a PEM file with the certificate and its intermediates");
    else if (holds(file, is_key, &block))
        problems_add(problems, place,
                     "%s holds a private key but no certificate: are certificate and key swapped?",
                     file->path);
    else if (file->len > 0 && file->data[0] == 0x30)
        problems_add(problems, place, "%s is DER: make it PEM with openssl x509 -inform DER -in %s",
                     file->path, file->path);
    else
        problems_add(problems, place, "%s holds no certificate (PEM block CERTIFICATE)", file->path);
    return false;
}

/* Only the certificates of the file, which may hold the key as well. */
static char *certificates_of(const struct tls_file *file, size_t *len, const char **why)
{
    struct slice pem = {file->data, file->len};
    struct pem_block block;
    char *out = mem_new(2 * file->len + 1);
    *len = 0;
    while (pem_next(&pem, &block, why)) {
        if (!is_certificate(&block))
            continue;
        memcpy(out + *len, block.whole.data, block.whole.len);
        *len += block.whole.len;
        out[(*len)++] = '\n';
    }
    return out;
}

static bool use_certificates(WOLFSSL_CTX *ctx, const struct tls_file *file, struct place place,
                             struct problems *problems)
{
    char text[LIBRARY_TEXT_MAX];
    const char *why;
    size_t len;
    char *pem = certificates_of(file, &len, &why);
    int result = wolfSSL_CTX_use_certificate_chain_buffer(ctx, (const unsigned char *)pem, (long)len);
    free(pem);
    if (why)
        problems_add(problems, place, "%s: %s", file->path, why);
    else if (result != WOLFSSL_SUCCESS)
        problems_add(problems, place, "%s: a certificate cannot be used: %s", file->path,
                     library_error(result, text));
    return !why && result == WOLFSSL_SUCCESS;
}

static bool load_certificate(WOLFSSL_CTX *ctx, const struct tls_file *file, const struct identity_use *use,
                             struct place place, struct problems *problems)
{
    struct pem_block block;
    if (!file->data || !holds(file, is_certificate, &block))
        return refuse_certificate_file(file, place, problems);
    if (!use_certificates(ctx, file, place, problems))
        return false;
    warn_of_chain(file, use, place, problems);
    return true;
}

/* ---- key ---- */

static bool is_encrypted(const struct pem_block *block)
{
    static const char header[] = "ENCRYPTED";
    return slice_is(block->label, "ENCRYPTED PRIVATE KEY") ||
           memmem(block->body.data, block->body.len, header, strlen(header)) != NULL;
}

static bool refuse_key_file(const struct tls_file *file, struct place place, struct problems *problems)
{
    struct pem_block block;
    if (holds(file, is_certificate, &block))
        problems_add(problems, place,
                     "%s holds a certificate but no private key: are certificate and key swapped?",
                     file->path);
    else
        problems_add(problems, place, "%s holds no private key (PEM block PRIVATE KEY)", file->path);
    return false;
}

static bool load_key(WOLFSSL_CTX *ctx, const struct tls_file *file, const struct tls_file *certificate,
                     struct place place, struct problems *problems)
{
    struct pem_block block;
    char text[LIBRARY_TEXT_MAX];
    if (!holds(file, is_key, &block))
        return refuse_key_file(file, place, problems);
    if (is_encrypted(&block)) {
        problems_add(problems, place,
                     "the key in %s is encrypted: decrypt it with openssl pkey -in %s -out FILE", file->path,
                     file->path);
        return false;
    }
    int result = wolfSSL_CTX_use_PrivateKey_buffer(ctx, (const unsigned char *)block.whole.data,
                                                   (long)block.whole.len, WOLFSSL_FILETYPE_PEM);
    if (result != WOLFSSL_SUCCESS) {
        problems_add(problems, place, "%s: the key cannot be used: %s", file->path,
                     library_error(result, text));
        return false;
    }
    if (wolfSSL_CTX_check_private_key(ctx) == WOLFSSL_SUCCESS)
        return true;
    problems_add(problems, place,
                 "the key in %s does not belong to the first certificate in %s, which must be lb's own",
                 file->path, certificate->path);
    return false;
}

bool identity_load(WOLFSSL_CTX *ctx, const struct tls_pair *pair, const struct identity_use *use,
                   struct place place, struct problems *problems)
{
    static const struct tls_pair none;
    const struct tls_file *certificate = pair ? &pair->certificate : &none.certificate;
    const struct tls_file *key = pair && pair->key.data ? &pair->key : certificate;
    return load_certificate(ctx, certificate, use, file_place(certificate, place), problems) &&
           load_key(ctx, key, certificate, file_place(key, place), problems);
}
