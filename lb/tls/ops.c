/* The certificate's facts for scripts: each is read out of the DER when it is asked for. */
#include <arpa/inet.h>
#include <stdlib.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/hash.h>

#include "lb/base/text.h"
#include "lb/tls/certificate.h"
#include "lb/tls/der.h"
#include "lb/tls/extensions.h"
#include "lb/tls/keys.h"
#include "lb/tls/names.h"
#include "lb/tls/pem.h"

enum { DIGEST_MAX = 32, OID_TEXT_MAX = 256, DN_EXPANSION = 8 };

struct sink {
    script_emit *emit;
    void *to;
};

static void give(const struct sink *sink, struct slice value)
{
    sink->emit(sink->to, value);
}

static void give_text(const struct sink *sink, const char *text)
{
    give(sink, slice_of(text));
}

static bool give_oid(const struct sink *sink, struct slice oid)
{
    char dotted[OID_TEXT_MAX];
    struct text text;
    text_init(&text, dotted, sizeof dotted);
    if (!der_oid_text(oid, &text) || text.truncated)
        return false;
    give(sink, slice_make(text.data, text.len));
    return true;
}

/* ---- names ---- */

static bool give_attributes(struct slice name, struct slice key, const struct sink *sink)
{
    struct name_walk walk = name_walk(name);
    struct name_attribute attribute;
    char buffer[NAME_UTF8_MAX];
    while (name_next(&walk, &attribute)) {
        struct slice value;
        if (!name_key_matches(attribute.oid, key))
            continue;
        if (!name_value(&attribute, buffer, &value))
            return false;
        give(sink, value);
    }
    return !walk.malformed;
}

/* An encoded byte becomes at most DN_EXPANSION of text: the longest short name stands for 11 bytes at least.
 */
static bool give_name_text(struct slice name, const struct sink *sink)
{
    size_t size = name.len * DN_EXPANSION + 64;
    char *room = malloc(size);
    if (!room)
        return false;
    struct text text;
    text_init(&text, room, size);
    bool good = name_text(name, &text) && !text.truncated;
    if (good)
        give(sink, slice_make(text.data, text.len));
    free(room);
    return good;
}

/* ---- alternative names ---- */

static bool give_address(struct slice bytes, const struct sink *sink)
{
    char text[INET6_ADDRSTRLEN];
    if (bytes.len != 4 && bytes.len != 16)
        return false;
    if (!inet_ntop(bytes.len == 4 ? AF_INET : AF_INET6, bytes.data, text, sizeof text))
        return false;
    give_text(sink, text);
    return true;
}

static bool give_alternative_names(const struct certificate *certificate, unsigned kind,
                                   const struct sink *sink)
{
    struct slice names, name;
    unsigned found;
    if (!alternative_names(certificate->extensions, &names))
        return true;
    while (names.len > 0) {
        if (!alternative_name_next(&names, &found, &name))
            return false;
        if (found != kind)
            continue;
        if (kind != NAME_IP)
            give(sink, name);
        else if (!give_address(name, sink))
            return false;
    }
    return true;
}

/* A SPIFFE certificate has exactly one URI (SPIFFE X.509-SVID, section 2). */
static bool give_spiffe_id(const struct certificate *certificate, const struct sink *sink)
{
    static const char scheme[] = "spiffe://";
    struct slice names, name, id = {"", 0};
    unsigned kind, uris = 0;
    if (!alternative_names(certificate->extensions, &names))
        return true;
    while (names.len > 0) {
        if (!alternative_name_next(&names, &kind, &name))
            return false;
        if (kind != NAME_URI)
            continue;
        uris++;
        id = name;
    }
    if (uris == 1 && id.len > strlen(scheme) && memcmp(id.data, scheme, strlen(scheme)) == 0)
        give(sink, id);
    return true;
}

/* ---- usage and policies ---- */

static bool give_key_usage(const struct certificate *certificate, const struct sink *sink)
{
    static const char *const names[] = {"digitalSignature", "nonRepudiation", "keyEncipherment",
                                        "dataEncipherment", "keyAgreement",   "keyCertSign",
                                        "cRLSign",          "encipherOnly",   "decipherOnly"};
    unsigned bits;
    if (!key_usage(certificate->extensions, &bits))
        return true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (bits & 0x100u >> i)
            give_text(sink, names[i]);
    return true;
}

static const char *purpose_name(struct slice oid)
{
    static const struct {
        struct slice oid;
        const char *name;
    } purposes[] = {
        {OID_EKU_CLIENT, "clientAuth"},
        {SLICE_LITERAL("\x2b\x06\x01\x05\x05\x07\x03\x01"), "serverAuth"},
        {SLICE_LITERAL("\x2b\x06\x01\x05\x05\x07\x03\x03"), "codeSigning"},
        {SLICE_LITERAL("\x2b\x06\x01\x05\x05\x07\x03\x04"), "emailProtection"},
        {SLICE_LITERAL("\x2b\x06\x01\x05\x05\x07\x03\x08"), "timeStamping"},
        {SLICE_LITERAL("\x2b\x06\x01\x05\x05\x07\x03\x09"), "OCSPSigning"},
        {OID_EKU_ANY, "anyExtendedKeyUsage"},
    };
    for (size_t i = 0; i < sizeof purposes / sizeof purposes[0]; i++)
        if (slice_equal(purposes[i].oid, oid))
            return purposes[i].name;
    return NULL;
}

static bool give_purposes(const struct certificate *certificate, const struct sink *sink)
{
    struct extension extension;
    struct slice list, oid;
    if (!extension_find(certificate->extensions, OID_EXTENDED_USAGE, &extension))
        return true;
    if (!der_only(extension.value, DER_SEQUENCE, &list))
        return false;
    while (list.len > 0) {
        if (!der_take(&list, DER_OID, &oid))
            return false;
        const char *name = purpose_name(oid);
        if (name)
            give_text(sink, name);
        else if (!give_oid(sink, oid))
            return false;
    }
    return true;
}

static bool give_policies(const struct certificate *certificate, const struct sink *sink)
{
    struct extension extension;
    struct slice list, policy, oid;
    if (!extension_find(certificate->extensions, OID_POLICIES, &extension))
        return true;
    if (!der_only(extension.value, DER_SEQUENCE, &list))
        return false;
    while (list.len > 0)
        if (!der_take(&list, DER_SEQUENCE, &policy) || !der_take(&policy, DER_OID, &oid) ||
            !give_oid(sink, oid))
            return false;
    return true;
}

static bool give_extension(const struct certificate *certificate, struct slice key, const struct sink *sink)
{
    struct slice list = certificate->extensions;
    struct extension extension;
    while (extension_next(&list, &extension)) {
        char dotted[OID_TEXT_MAX];
        struct text text;
        text_init(&text, dotted, sizeof dotted);
        if (der_oid_text(extension.oid, &text) && !text.truncated &&
            slice_equal(key, slice_make(text.data, text.len)))
            give(sink, extension.value);
    }
    return list.len == 0;
}

/* ---- digests and the whole ---- */

static bool give_digest(struct slice bytes, enum wc_HashType type, const struct sink *sink)
{
    uint8_t digest[DIGEST_MAX];
    char hex[2 * DIGEST_MAX + 1];
    int size = wc_HashGetDigestSize(type);
    struct text text;
    if (size <= 0 || size > DIGEST_MAX ||
        wc_Hash(type, (const byte *)bytes.data, (word32)bytes.len, digest, (word32)size) != 0)
        return false;
    text_init(&text, hex, sizeof hex);
    text_hex(&text, digest, (size_t)size, false);
    give(sink, slice_make(text.data, text.len));
    return true;
}

static bool give_pem(const struct certificate *certificate, const struct sink *sink)
{
    static const char label[] = "CERTIFICATE";
    size_t size = pem_encoded_size(certificate->der.len, label);
    char *pem = malloc(size);
    if (!pem)
        return false;
    pem_encode(certificate->der, label, pem);
    give(sink, slice_make(pem, size));
    free(pem);
    return true;
}

static bool give_serial(const struct certificate *certificate, const struct sink *sink)
{
    size_t size = 2 * certificate->serial.len + 1;
    char *hex = malloc(size);
    if (!hex)
        return false;
    give_text(sink, certificate_serial(certificate, hex, size));
    free(hex);
    return true;
}

static bool give_key_type(const struct certificate *certificate, const struct sink *sink)
{
    struct key_facts key;
    if (!key_read(certificate->spki, &key))
        return false;
    const char *name = key_name(key.kind);
    if (!name)
        return give_oid(sink, key.oid);
    give_text(sink, name);
    return true;
}

/* ---- the table's two doors ---- */

static bool values(const void *opaque, enum script_field field, struct slice key, script_emit *emit, void *to)
{
    const struct certificate *certificate = opaque;
    const struct sink sink = {emit, to};
    switch (field) {
    case FIELD_SUBJECT_ATTRIBUTE: return give_attributes(certificate->subject, key, &sink);
    case FIELD_SUBJECT_TEXT: return give_name_text(certificate->subject, &sink);
    case FIELD_ISSUER_ATTRIBUTE: return give_attributes(certificate->issuer, key, &sink);
    case FIELD_ISSUER_TEXT: return give_name_text(certificate->issuer, &sink);
    case FIELD_SERIAL: return give_serial(certificate, &sink);
    case FIELD_SAN_DNS: return give_alternative_names(certificate, NAME_DNS, &sink);
    case FIELD_SAN_EMAIL: return give_alternative_names(certificate, NAME_EMAIL, &sink);
    case FIELD_SAN_URI: return give_alternative_names(certificate, NAME_URI, &sink);
    case FIELD_SAN_IP: return give_alternative_names(certificate, NAME_IP, &sink);
    case FIELD_KEY_TYPE: return give_key_type(certificate, &sink);
    case FIELD_KEY_USAGE: return give_key_usage(certificate, &sink);
    case FIELD_EXTENDED_KEY_USAGE: return give_purposes(certificate, &sink);
    case FIELD_POLICIES: return give_policies(certificate, &sink);
    case FIELD_SHA256: return give_digest(certificate->der, WC_HASH_TYPE_SHA256, &sink);
    case FIELD_SHA1: return give_digest(certificate->der, WC_HASH_TYPE_SHA, &sink);
    case FIELD_SPKI_SHA256: return give_digest(certificate->spki, WC_HASH_TYPE_SHA256, &sink);
    case FIELD_SPIFFE_ID: return give_spiffe_id(certificate, &sink);
    case FIELD_PEM: return give_pem(certificate, &sink);
    case FIELD_DER: give(&sink, certificate->der); return true;
    case FIELD_EXTENSION: return give_extension(certificate, key, &sink);
    default: return false;
    }
}

static bool number(const void *opaque, enum script_field field, int64_t *out)
{
    const struct certificate *certificate = opaque;
    struct key_facts key;
    switch (field) {
    case FIELD_NOT_BEFORE: *out = certificate->not_before; return true;
    case FIELD_NOT_AFTER: *out = certificate->not_after; return true;
    case FIELD_KEY_BITS:
        if (!key_read(certificate->spki, &key))
            return false;
        *out = key.bits;
        return true;
    default: return false;
    }
}

const struct script_certificate_ops certificate_ops = {.values = values, .number = number};
