#include "lb/tls/schemes.h"

#include <string.h>
#include <strings.h>

#include "lb/base/units.h"
#include "lb/tls/context.h"

enum { NAME_MAX_BYTES = 64, USABLE = 10 };

/* The first ones may be configured, the others are only known by name. */
static const struct {
    unsigned number;
    const char *name;
} SCHEMES[] = {
    {0x0403, "ecdsa_secp256r1_sha256"},
    {0x0503, "ecdsa_secp384r1_sha384"},
    {0x0603, "ecdsa_secp521r1_sha512"},
    {0x0807, "ed25519"},
    {0x0804, "rsa_pss_rsae_sha256"},
    {0x0805, "rsa_pss_rsae_sha384"},
    {0x0806, "rsa_pss_rsae_sha512"},
    {0x0401, "rsa_pkcs1_sha256"},
    {0x0501, "rsa_pkcs1_sha384"},
    {0x0601, "rsa_pkcs1_sha512"},
    {0x0808, "ed448"},
    {0x0201, "rsa_pkcs1_sha1"},
    {0x0203, "ecdsa_sha1"},
};

enum { SCHEME_COUNT = sizeof SCHEMES / sizeof SCHEMES[0] };

_Static_assert((int)USABLE <= SIGNATURES_MAX, "each may stand in a list");

const char *const *tls_signature_names(void)
{
    static const char *const names[] = {
        "ecdsa_secp256r1_sha256",
        "ecdsa_secp384r1_sha384",
        "ecdsa_secp521r1_sha512",
        "ed25519",
        "rsa_pss_rsae_sha256",
        "rsa_pss_rsae_sha384",
        "rsa_pss_rsae_sha512",
        "rsa_pkcs1_sha256",
        "rsa_pkcs1_sha384",
        "rsa_pkcs1_sha512",
        NULL,
    };
    _Static_assert((int)(sizeof names / sizeof names[0]) == USABLE + 1, "all that may be configured");
    return names;
}

const char *signature_name(unsigned scheme)
{
    for (size_t i = 0; i < SCHEME_COUNT; i++)
        if (SCHEMES[i].number == scheme)
            return SCHEMES[i].name;
    return NULL;
}

static unsigned find_scheme(const char *name, size_t len)
{
    for (size_t i = 0; i < USABLE; i++)
        if (strlen(SCHEMES[i].name) == len && strncasecmp(SCHEMES[i].name, name, len) == 0)
            return SCHEMES[i].number;
    return 0;
}

static bool add_scheme(struct signatures *out, const char *name, size_t len, struct place place,
                       struct problems *problems)
{
    unsigned scheme = find_scheme(name, len);
    if (scheme == 0 || (out->count > 0 && signatures_allow(out, scheme))) {
        problems_add(problems, place,
                     scheme ? "signatures: %.*s stands there twice: name each once"
                            : "signatures: there is no \"%.*s\" here",
                     (int)len, name);
        return false;
    }
    out->list[out->count++] = (uint16_t)scheme;
    return true;
}

bool signatures_read(const struct tls_settings *settings, struct place place, struct problems *problems,
                     struct signatures *out)
{
    const char *at = settings->signatures ? settings->signatures : "";
    bool good = true;
    out->count = 0;
    while (*at && good) {
        size_t len = strcspn(at, ":");
        good = add_scheme(out, at, len, place, problems);
        at += len + (at[len] == ':');
    }
    return good;
}

bool signatures_allow(const struct signatures *signatures, unsigned scheme)
{
    for (size_t i = 0; i < signatures->count; i++)
        if (signatures->list[i] == scheme)
            return true;
    return signatures->count == 0;
}

/* In TLS 1.3 the curve brings its hash along, and RSA signs by PSS only. */
bool signature_fits(unsigned scheme, const struct tls_own *own, enum tls_version version)
{
    bool pss = (scheme >= 0x0804 && scheme <= 0x0806) || (scheme >= 0x0809 && scheme <= 0x080b);
    const char *name = signature_name(scheme);
    if (strncmp(own->key, "RSA", 3) == 0)
        return pss || (version == TLS_1_2 && (scheme & 0xff) == 1);
    if (strncmp(own->key, "EC", 2) == 0 && version == TLS_1_2)
        return (scheme & 0xff) == 3;
    return own->scheme[0] && name && strcmp(name, own->scheme) == 0;
}

static bool serve_version(const struct signatures *signatures, const struct tls_own *own,
                          enum tls_version version)
{
    for (size_t i = 0; i < signatures->count; i++)
        if (signature_fits(signatures->list[i], own, version))
            return true;
    return signatures->count == 0;
}

bool signatures_serve(const struct signatures *signatures, const struct tls_own *own, const char *path,
                      const struct tls_settings *settings, struct place place, struct problems *problems)
{
    for (enum tls_version version = settings->min; version <= settings->max; version++) {
        if (!own->key[0] || serve_version(signatures, own, version))
            continue;
        problems_add(problems, place,
                     "the signatures have none by which the %s key of %s can sign in TLSv1.%d: add %s",
                     own->key, path, version == TLS_1_3 ? 3 : 2,
                     own->scheme[0] ? own->scheme : "rsa_pss_rsae_sha256");
        return false;
    }
    return true;
}
