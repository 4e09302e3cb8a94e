#include "lb/tls/certificate.h"

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/hash.h>

#include "lb/base/text.h"
#include "lb/tls/der.h"
#include "lb/tls/extensions.h"
#include "lb/tls/keys.h"
#include "lb/tls/names.h"

enum { RSA_BITS_MIN = 2048, EC_BITS_MIN = 256, SERIAL_BYTES_MAX = 20, SHA256_BYTES = 32 };

/* ---- opening ---- */

static bool read_validity(struct slice body, struct certificate *out)
{
    return der_take_time(&body, &out->not_before) && der_take_time(&body, &out->not_after) && body.len == 0;
}

/* The fields of TBSCertificate up to the key; *inner is the OID of its own signature field. */
static bool read_fields(struct slice *tbs, struct certificate *out, struct slice *inner)
{
    struct slice version, algorithm, validity;
    if (der_is(*tbs, DER_CONSTRUCTED(0)) && !der_take(tbs, DER_CONSTRUCTED(0), &version))
        return false;
    return der_take(tbs, DER_INTEGER, &out->serial) && out->serial.len > 0 &&
           der_take(tbs, DER_SEQUENCE, &algorithm) && der_take(&algorithm, DER_OID, inner) &&
           der_take(tbs, DER_SEQUENCE, &out->issuer) && der_take(tbs, DER_SEQUENCE, &validity) &&
           read_validity(validity, out) && der_take(tbs, DER_SEQUENCE, &out->subject) &&
           der_take_whole(tbs, DER_SEQUENCE, &out->spki);
}

static bool read_tail(struct slice *tbs, struct certificate *out)
{
    struct slice wrapped;
    if (!der_skip(tbs, DER_CONTEXT(1)) || !der_skip(tbs, DER_CONTEXT(2)))
        return false;
    out->extensions = (struct slice){"", 0};
    if (tbs->len == 0)
        return true;
    return der_take(tbs, DER_CONSTRUCTED(3), &wrapped) && tbs->len == 0 &&
           der_only(wrapped, DER_SEQUENCE, &out->extensions) && out->extensions.len > 0;
}

static bool read_structure(struct certificate *out)
{
    struct slice body, tbs, algorithm, signature, bytes, inner;
    if (!der_only(out->der, DER_SEQUENCE, &body) || !der_take_whole(&body, DER_SEQUENCE, &out->tbs) ||
        !der_take(&body, DER_SEQUENCE, &algorithm) ||
        !der_take(&algorithm, DER_OID, &out->signature_algorithm) ||
        !der_only(body, DER_BIT_STRING, &signature) || !der_bits(signature, &bytes))
        return false;
    return der_only(out->tbs, DER_SEQUENCE, &tbs) && read_fields(&tbs, out, &inner) && read_tail(&tbs, out) &&
           slice_equal(inner, out->signature_algorithm);
}

bool certificate_open(struct slice der, struct certificate *out, const char **why)
{
    struct slice names;
    memset(out, 0, sizeof *out);
    out->der = der;
    *why = "it is no X.509 certificate";
    if (!read_structure(out))
        return false;
    *why = name_problem(out->subject);
    if (!*why)
        *why = out->issuer.len > 0 ? name_problem(out->issuer) : "its issuer has no name";
    if (!*why)
        *why = extensions_problem(out->extensions);
    if (!*why && out->subject.len == 0 && !alternative_names(out->extensions, &names))
        *why = "it names nobody: it has neither a subject nor alternative names";
    return *why == NULL;
}

/* ---- for logs ---- */

static char *write_name(struct slice name, char *out, size_t size)
{
    struct text text;
    text_init(&text, out, size);
    name_text(name, &text);
    return out;
}

char *certificate_subject(const struct certificate *certificate, char *out, size_t size)
{
    return write_name(certificate->subject, out, size);
}

char *certificate_serial(const struct certificate *certificate, char *out, size_t size)
{
    struct slice serial = certificate->serial;
    struct text text;
    text_init(&text, out, size);
    while (serial.len > 1 && serial.data[0] == 0)
        serial = slice_make(serial.data + 1, serial.len - 1);
    text_hex(&text, serial.data, serial.len, true);
    return out;
}

char *certificate_sha256(const struct certificate *certificate, char *out, size_t size)
{
    uint8_t digest[SHA256_BYTES];
    struct text text;
    text_init(&text, out, size);
    if (wc_Sha256Hash((const byte *)certificate->der.data, (word32)certificate->der.len, digest) == 0)
        text_hex(&text, digest, sizeof digest, false);
    return out;
}

/* ---- for verification ---- */

bool certificate_self_issued(const struct certificate *certificate)
{
    return slice_equal(certificate->subject, certificate->issuer);
}

bool certificate_issued_by(const struct certificate *certificate, const struct certificate *issuer)
{
    if (!slice_equal(certificate->issuer, issuer->subject))
        return false;
    struct slice wanted = authority_key_id(certificate->extensions);
    struct slice found = subject_key_id(issuer->extensions);
    return wanted.len == 0 || found.len == 0 || slice_equal(wanted, found);
}

/* A first byte of 0 only keeps the number from being negative. */
bool certificate_serial_valid(const struct certificate *certificate)
{
    struct slice serial = certificate->serial;
    bool padded = serial.data[0] == 0;
    return der_is_natural(serial) && (serial.len > 1 || !padded) && serial.len - padded <= SERIAL_BYTES_MAX;
}

bool certificate_weak(const struct certificate *certificate, const char **what)
{
    struct key_facts key;
    *what = signature_weakness(certificate->signature_algorithm, certificate->tbs);
    if (!*what && !key_read(certificate->spki, &key))
        *what = "its key cannot be read";
    else if (!*what && (key.kind == KEY_RSA || key.kind == KEY_RSA_PSS))
        *what = key.bits < RSA_BITS_MIN ? "its RSA key has fewer than 2048 bits"
                                        : rsa_key_problem(certificate->spki);
    else if (!*what && key.kind == KEY_EC && key.bits < EC_BITS_MIN)
        *what = "its EC key has fewer than 256 bits, or a curve that lb does not know";
    return *what != NULL;
}
