#include "lb/tls/signed.h"

#include "lb/tls/library.h"

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/rsa.h>
#include <wolfssl/wolfcrypt/signature.h>

#include "lb/tls/der.h"
#include "lb/tls/keys.h"

enum scheme { SCHEME_RSA, SCHEME_PSS, SCHEME_ECDSA, SCHEME_ED25519 };
enum { RSA_BITS_MIN = 2048, RSA_BYTES_MAX = 1024, DIGEST_MAX = 64 };

static const struct {
    struct slice oid;
    enum scheme scheme;
    enum wc_HashType hash;
} SCHEMES[] = {
    {SLICE_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"), SCHEME_RSA, WC_HASH_TYPE_SHA256},
    {SLICE_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"), SCHEME_RSA, WC_HASH_TYPE_SHA384},
    {SLICE_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"), SCHEME_RSA, WC_HASH_TYPE_SHA512},
    {SLICE_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"), SCHEME_PSS, WC_HASH_TYPE_NONE},
    {SLICE_LITERAL("\x2a\x86\x48\xce\x3d\x04\x03\x02"), SCHEME_ECDSA, WC_HASH_TYPE_SHA256},
    {SLICE_LITERAL("\x2a\x86\x48\xce\x3d\x04\x03\x03"), SCHEME_ECDSA, WC_HASH_TYPE_SHA384},
    {SLICE_LITERAL("\x2a\x86\x48\xce\x3d\x04\x03\x04"), SCHEME_ECDSA, WC_HASH_TYPE_SHA512},
    {SLICE_LITERAL("\x2b\x65\x70"), SCHEME_ED25519, WC_HASH_TYPE_NONE},
};

static const struct {
    struct slice oid;
    enum wc_HashType hash;
    int mask; /* generation by the same hash */
} HASHES[] = {
    {SLICE_LITERAL("\x60\x86\x48\x01\x65\x03\x04\x02\x01"), WC_HASH_TYPE_SHA256, WC_MGF1SHA256},
    {SLICE_LITERAL("\x60\x86\x48\x01\x65\x03\x04\x02\x02"), WC_HASH_TYPE_SHA384, WC_MGF1SHA384},
    {SLICE_LITERAL("\x60\x86\x48\x01\x65\x03\x04\x02\x03"), WC_HASH_TYPE_SHA512, WC_MGF1SHA512},
};

/* ---- RSA ---- */

static bool open_rsa(RsaKey *key, struct slice spki)
{
    word32 at = 0;
    if (wc_InitRsaKey(key, NULL) != 0)
        return false;
    if (wc_RsaPublicKeyDecode((const byte *)spki.data, &at, key, (word32)spki.len) == 0 &&
        wc_RsaEncryptSize(key) * 8 >= RSA_BITS_MIN && wc_RsaEncryptSize(key) <= RSA_BYTES_MAX)
        return true;
    wc_FreeRsaKey(key);
    return false;
}

static bool rsa_signed(struct slice data, enum wc_HashType hash, struct slice signature, struct slice spki)
{
    RsaKey key;
    if (!open_rsa(&key, spki))
        return false;
    int result =
        wc_SignatureVerify(hash, WC_SIGNATURE_TYPE_RSA_W_ENC, (const byte *)data.data, (word32)data.len,
                           (const byte *)signature.data, (word32)signature.len, &key, sizeof key);
    wc_FreeRsaKey(&key);
    return result == 0;
}

/* The hash that RSASSA-PSS-params name: an index of HASHES, or -1 (SHA-1, which is the default, included).
 * The mask's own hash and the salt's length are left to the check, which takes no others. */
static int pss_hash(struct slice parameters)
{
    struct slice body, wrapped, algorithm, oid;
    if (!der_take(&parameters, DER_SEQUENCE, &body) || !der_take(&body, DER_CONSTRUCTED(0), &wrapped) ||
        !der_take(&wrapped, DER_SEQUENCE, &algorithm) || !der_take(&algorithm, DER_OID, &oid))
        return -1;
    for (int i = 0; i < (int)(sizeof HASHES / sizeof HASHES[0]); i++)
        if (slice_equal(HASHES[i].oid, oid))
            return i;
    return -1;
}

static bool pss_signed(struct slice data, struct slice parameters, struct slice signature, struct slice spki)
{
    byte digest[DIGEST_MAX], plain[RSA_BYTES_MAX];
    RsaKey key;
    int index = pss_hash(parameters);
    if (index < 0 || !open_rsa(&key, spki))
        return false;
    enum wc_HashType hash = HASHES[index].hash;
    word32 len = (word32)wc_HashGetDigestSize(hash);
    bool good = wc_Hash(hash, (const byte *)data.data, (word32)data.len, digest, len) == 0 &&
                wc_RsaPSS_VerifyCheck((const byte *)signature.data, (word32)signature.len, plain,
                                      sizeof plain, digest, len, hash, HASHES[index].mask, &key) > 0;
    wc_FreeRsaKey(&key);
    return good;
}

/* ---- elliptic curves ---- */

static bool ecdsa_signed(struct slice data, enum wc_HashType hash, struct slice signature, struct slice spki)
{
    ecc_key key;
    word32 at = 0;
    if (wc_ecc_init(&key) != 0)
        return false;
    bool good =
        wc_EccPublicKeyDecode((const byte *)spki.data, &at, &key, (word32)spki.len) == 0 &&
        wc_SignatureVerify(hash, WC_SIGNATURE_TYPE_ECC, (const byte *)data.data, (word32)data.len,
                           (const byte *)signature.data, (word32)signature.len, &key, sizeof key) == 0;
    wc_ecc_free(&key);
    return good;
}

static bool ed25519_signed(struct slice data, struct slice signature, struct slice spki)
{
    ed25519_key key;
    word32 at = 0;
    int verified = 0;
    if (wc_ed25519_init(&key) != 0)
        return false;
    bool good = wc_Ed25519PublicKeyDecode((const byte *)spki.data, &at, &key, (word32)spki.len) == 0 &&
                wc_ed25519_verify_msg((const byte *)signature.data, (word32)signature.len,
                                      (const byte *)data.data, (word32)data.len, &verified, &key) == 0;
    wc_ed25519_free(&key);
    return good && verified == 1;
}

/* ---- */

static bool key_fits(enum scheme scheme, struct slice spki)
{
    struct key_facts key;
    if (!key_read(spki, &key))
        return false;
    switch (scheme) {
    case SCHEME_RSA: return key.kind == KEY_RSA;
    case SCHEME_PSS: return key.kind == KEY_RSA;
    case SCHEME_ECDSA: return key.kind == KEY_EC;
    case SCHEME_ED25519: return key.kind == KEY_ED25519;
    }
    return false;
}

bool signed_by(struct slice data, struct slice algorithm, struct slice signature, struct slice spki)
{
    struct slice oid, bytes;
    if (!der_take(&algorithm, DER_OID, &oid) || !der_bits(signature, &bytes) || bytes.len == 0)
        return false;
    for (size_t i = 0; i < sizeof SCHEMES / sizeof SCHEMES[0]; i++) {
        if (!slice_equal(SCHEMES[i].oid, oid))
            continue;
        if (!key_fits(SCHEMES[i].scheme, spki))
            return false;
        switch (SCHEMES[i].scheme) {
        case SCHEME_RSA: return rsa_signed(data, SCHEMES[i].hash, bytes, spki);
        case SCHEME_PSS: return pss_signed(data, algorithm, bytes, spki);
        case SCHEME_ECDSA: return ecdsa_signed(data, SCHEMES[i].hash, bytes, spki);
        case SCHEME_ED25519: return ed25519_signed(data, bytes, spki);
        }
    }
    return false;
}
