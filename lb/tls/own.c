#include "lb/tls/own.h"

#include <stdlib.h>

#include "lb/base/memory.h"
#include "lb/base/text.h"
#include "lb/tls/certificate.h"
#include "lb/tls/keys.h"

static const struct {
    struct slice oid;
    const char *name;
} SIGNATURES[] = {
    {SLICE_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"), "RSA-SHA256"},
    {SLICE_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"), "RSA-SHA384"},
    {SLICE_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"), "RSA-SHA512"},
    {SLICE_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"), "RSA-SHA1"},
    {SLICE_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"), "RSASSA-PSS"},
    {SLICE_LITERAL("\x2a\x86\x48\xce\x3d\x04\x03\x02"), "ecdsa-with-SHA256"},
    {SLICE_LITERAL("\x2a\x86\x48\xce\x3d\x04\x03\x03"), "ecdsa-with-SHA384"},
    {SLICE_LITERAL("\x2a\x86\x48\xce\x3d\x04\x03\x04"), "ecdsa-with-SHA512"},
    {SLICE_LITERAL("\x2a\x86\x48\xce\x3d\x04\x01"), "ecdsa-with-SHA1"},
    {SLICE_LITERAL("\x2b\x65\x70"), "ED25519"},
    {SLICE_LITERAL("\x2b\x65\x71"), "ED448"},
};

static const char *signature_name(struct slice oid)
{
    for (size_t i = 0; i < sizeof SIGNATURES / sizeof SIGNATURES[0]; i++)
        if (slice_equal(SIGNATURES[i].oid, oid))
            return SIGNATURES[i].name;
    return "";
}

static void put_key(const struct key_facts *key, struct tls_own *out)
{
    struct text text;
    const char *name = key_name(key->kind);
    bool sized = key->kind == KEY_RSA || key->kind == KEY_RSA_PSS || key->kind == KEY_EC;
    text_init(&text, out->key, sizeof out->key);
    text_adds(&text, name ? name : "");
    if (sized && key->bits > 0)
        text_addu(&text, key->bits);
}

/* RFC 8446 section 4.2.3: the curve brings its hash along. With RSA the client chooses among several, and
 * wolfSSL does not tell which. */
static const char *scheme_name(const struct key_facts *key)
{
    if (key->kind == KEY_ED25519)
        return "ed25519";
    if (key->kind != KEY_EC)
        return "";
    switch (key->bits) {
    case 256: return "ecdsa_secp256r1_sha256";
    case 384: return "ecdsa_secp384r1_sha384";
    case 521: return "ecdsa_secp521r1_sha512";
    default: return "";
    }
}

static void describe(const struct certificate *certificate, struct tls_own *out)
{
    struct key_facts key;
    out->signature = signature_name(certificate->signature_algorithm);
    if (!key_read(certificate->spki, &key))
        return;
    put_key(&key, out);
    out->scheme = scheme_name(&key);
}

void own_read(const struct tls_file *file, struct tls_own *out)
{
    struct certificate certificate;
    const char *why;
    size_t len;
    *out = (struct tls_own){.signature = "", .scheme = ""};
    if (!file || !file->data)
        return;
    struct slice pem = {file->data, file->len};
    char *der = mem_new(file->len + 1);
    if (certificate_next_pem(&pem, der, &len, &why) &&
        certificate_open(slice_make(der, len), &certificate, &why))
        describe(&certificate, out);
    free(der);
}
