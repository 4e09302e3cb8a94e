#include "lb/tls/keys.h"

#include "lb/tls/der.h"

#define OID_RSA     SLICE_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")
#define OID_RSA_PSS SLICE_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a")

static const struct {
    struct slice oid;
    enum key_kind kind;
    uint32_t bits;
} KEYS[] = {
    {OID_RSA, KEY_RSA, 0},
    {OID_RSA_PSS, KEY_RSA_PSS, 0},
    {SLICE_LITERAL("\x2a\x86\x48\xce\x3d\x02\x01"), KEY_EC, 0},
    {SLICE_LITERAL("\x2b\x65\x70"), KEY_ED25519, 256},
    {SLICE_LITERAL("\x2b\x65\x71"), KEY_ED448, 456},
};

static const struct {
    struct slice oid;
    uint32_t bits;
} CURVES[] = {
    {SLICE_LITERAL("\x2a\x86\x48\xce\x3d\x03\x01\x07"), 256},
    {SLICE_LITERAL("\x2b\x81\x04\x00\x22"), 384},
    {SLICE_LITERAL("\x2b\x81\x04\x00\x23"), 521},
    {SLICE_LITERAL("\x2b\x81\x04\x00\x21"), 224},
    {SLICE_LITERAL("\x2a\x86\x48\xce\x3d\x03\x01\x01"), 192},
    {SLICE_LITERAL("\x2b\x81\x04\x00\x0a"), 256},
    {SLICE_LITERAL("\x2b\x24\x03\x03\x02\x08\x01\x01\x07"), 256},
    {SLICE_LITERAL("\x2b\x24\x03\x03\x02\x08\x01\x01\x0b"), 384},
    {SLICE_LITERAL("\x2b\x24\x03\x03\x02\x08\x01\x01\x0d"), 512},
};

static const char SHA1_TEXT[] = "it is signed with SHA-1";
static const char MD5_TEXT[] = "it is signed with MD5";

static const struct {
    struct slice oid;
    const char *why;
} WEAK[] = {
    {SLICE_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"), SHA1_TEXT},
    {SLICE_LITERAL("\x2b\x0e\x03\x02\x1d"), SHA1_TEXT},
    {SLICE_LITERAL("\x2b\x0e\x03\x02\x1b"), SHA1_TEXT},
    {SLICE_LITERAL("\x2a\x86\x48\xce\x3d\x04\x01"), SHA1_TEXT},
    {SLICE_LITERAL("\x2a\x86\x48\xce\x38\x04\x03"), SHA1_TEXT},
    {SLICE_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04"), MD5_TEXT},
    {SLICE_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x03"), "it is signed with MD4"},
    {SLICE_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x02"), "it is signed with MD2"},
};

static const struct slice STRONG_HASHES[] = {
    SLICE_LITERAL("\x60\x86\x48\x01\x65\x03\x04\x02\x01"),
    SLICE_LITERAL("\x60\x86\x48\x01\x65\x03\x04\x02\x02"),
    SLICE_LITERAL("\x60\x86\x48\x01\x65\x03\x04\x02\x03"),
    SLICE_LITERAL("\x60\x86\x48\x01\x65\x03\x04\x02\x08"),
    SLICE_LITERAL("\x60\x86\x48\x01\x65\x03\x04\x02\x09"),
    SLICE_LITERAL("\x60\x86\x48\x01\x65\x03\x04\x02\x0a"),
};

static bool read_rsa(struct slice key, struct slice *modulus, struct slice *exponent)
{
    struct slice bytes, body;
    return der_bits(key, &bytes) && der_only(bytes, DER_SEQUENCE, &body) &&
           der_take(&body, DER_INTEGER, modulus) && der_only(body, DER_INTEGER, exponent);
}

static bool modulus_bits(struct slice key, uint32_t *bits)
{
    struct slice modulus, exponent;
    if (!read_rsa(key, &modulus, &exponent))
        return false;
    while (modulus.len > 0 && modulus.data[0] == 0)
        modulus = slice_make(modulus.data + 1, modulus.len - 1);
    if (modulus.len == 0)
        return false;
    *bits = (uint32_t)modulus.len * 8;
    for (uint8_t top = (uint8_t)modulus.data[0]; !(top & 0x80); top = (uint8_t)(top << 1))
        --*bits;
    return true;
}

static uint32_t curve_bits(struct slice parameters)
{
    struct slice oid;
    if (der_take(&parameters, DER_OID, &oid))
        for (size_t i = 0; i < sizeof CURVES / sizeof CURVES[0]; i++)
            if (slice_equal(CURVES[i].oid, oid))
                return CURVES[i].bits;
    return 0;
}

bool key_read(struct slice spki, struct key_facts *out)
{
    struct slice body, algorithm, key, bytes;
    if (!der_only(spki, DER_SEQUENCE, &body) || !der_take(&body, DER_SEQUENCE, &algorithm) ||
        !der_take(&algorithm, DER_OID, &out->oid) || !der_only(body, DER_BIT_STRING, &key) ||
        !der_bits(key, &bytes))
        return false;
    out->kind = KEY_OTHER;
    out->bits = 0;
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++)
        if (slice_equal(KEYS[i].oid, out->oid)) {
            out->kind = KEYS[i].kind;
            out->bits = KEYS[i].bits;
        }
    if (out->kind == KEY_RSA || out->kind == KEY_RSA_PSS)
        return modulus_bits(key, &out->bits);
    if (out->kind == KEY_EC)
        out->bits = curve_bits(algorithm);
    return true;
}

static bool is_odd(struct slice number)
{
    return number.data[number.len - 1] & 1;
}

/* With an exponent of 1 every number is its own signature. */
const char *rsa_key_problem(struct slice spki)
{
    struct slice body, algorithm, oid, key, modulus, exponent;
    if (!der_only(spki, DER_SEQUENCE, &body) || !der_take(&body, DER_SEQUENCE, &algorithm) ||
        !der_take(&algorithm, DER_OID, &oid) || !der_only(body, DER_BIT_STRING, &key) ||
        !read_rsa(key, &modulus, &exponent) || !der_is_natural(modulus) || !der_is_natural(exponent) ||
        (slice_equal(oid, OID_RSA) && !slice_equal(algorithm, SLICE_LITERAL("\x05\x00"))))
        return "its RSA key is malformed";
    if (!is_odd(modulus) || !is_odd(exponent) || slice_equal(exponent, SLICE_LITERAL("\x01")))
        return "its RSA key can prove nothing: the modulus is even, or the exponent is even or 1";
    return NULL;
}

const char *key_name(enum key_kind kind)
{
    static const char *const names[] = {"RSA", "RSA-PSS", "EC", "ED25519", "ED448"};
    return kind < KEY_OTHER ? names[kind] : NULL;
}

/* The hash is SHA-1 unless the parameters say otherwise (RFC 4055, section 3.1). */
static const char *pss_weakness(struct slice tbs)
{
    struct slice body, skipped, algorithm, oid, parameters, hash, hash_body;
    if (!der_only(tbs, DER_SEQUENCE, &body) || !der_skip(&body, DER_CONSTRUCTED(0)) ||
        !der_take(&body, DER_INTEGER, &skipped) || !der_take(&body, DER_SEQUENCE, &algorithm) ||
        !der_take(&algorithm, DER_OID, &oid) || !der_take(&algorithm, DER_SEQUENCE, &parameters) ||
        !der_take(&parameters, DER_CONSTRUCTED(0), &hash) || !der_take(&hash, DER_SEQUENCE, &hash_body) ||
        !der_take(&hash_body, DER_OID, &oid))
        return SHA1_TEXT;
    for (size_t i = 0; i < sizeof STRONG_HASHES / sizeof STRONG_HASHES[0]; i++)
        if (slice_equal(STRONG_HASHES[i], oid))
            return NULL;
    return "it is signed with RSASSA-PSS and an old hash";
}

const char *signature_weakness(struct slice algorithm, struct slice tbs)
{
    for (size_t i = 0; i < sizeof WEAK / sizeof WEAK[0]; i++)
        if (slice_equal(WEAK[i].oid, algorithm))
            return WEAK[i].why;
    return slice_equal(algorithm, OID_RSA_PSS) ? pss_weakness(tbs) : NULL;
}
