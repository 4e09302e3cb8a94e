/* Asking: CertIDs, requests, and where to send them. */
#include <strings.h>

#include "lb/tls/library.h"

#include <wolfssl/wolfcrypt/hash.h>

#include "lb/tls/der.h"
#include "lb/tls/extensions.h"
#include "lb/tls/ocsp.h"
#include "lb/tls/ocsp_parts.h"

#define OID_SHA1        SLICE_LITERAL("\x2b\x0e\x03\x02\x1a")
#define OID_SHA256      SLICE_LITERAL("\x60\x86\x48\x01\x65\x03\x04\x02\x01")
#define OID_INFO_ACCESS SLICE_LITERAL("\x2b\x06\x01\x05\x05\x07\x01\x01")
#define OID_ACCESS_OCSP SLICE_LITERAL("\x2b\x06\x01\x05\x05\x07\x30\x01")

enum { HEADER_MAX = 5, SHA1_BYTES = 20 };

/* ---- hashes ---- */

bool ocsp_hash_of(struct slice oid, enum ocsp_hash *out)
{
    *out = slice_equal(oid, OID_SHA256) ? OCSP_SHA256 : OCSP_SHA1;
    return *out == OCSP_SHA256 || slice_equal(oid, OID_SHA1);
}

static struct slice hash_of(enum ocsp_hash kind, struct slice first, struct slice second,
                            unsigned char out[OCSP_HASH_MAX])
{
    enum wc_HashType type = kind == OCSP_SHA256 ? WC_HASH_TYPE_SHA256 : WC_HASH_TYPE_SHA;
    wc_HashAlg hash;
    if (wc_HashInit(&hash, type) != 0)
        return (struct slice){"", 0};
    bool good = wc_HashUpdate(&hash, type, (const byte *)first.data, (word32)first.len) == 0 &&
                wc_HashUpdate(&hash, type, (const byte *)second.data, (word32)second.len) == 0 &&
                wc_HashFinal(&hash, type, out) == 0;
    wc_HashFree(&hash, type);
    return slice_make(out, good ? (size_t)wc_HashGetDigestSize(type) : 0);
}

/* Tag and length; the number of bytes written. */
static size_t put_header(char *out, unsigned tag, size_t len)
{
    size_t at = 0;
    out[at++] = (char)tag;
    if (len >= 0x10000) {
        out[at++] = (char)0x83;
        out[at++] = (char)(len >> 16);
        out[at++] = (char)(len >> 8);
    } else if (len >= 0x100) {
        out[at++] = (char)0x82;
        out[at++] = (char)(len >> 8);
    } else if (len >= 0x80) {
        out[at++] = (char)0x81;
    }
    out[at++] = (char)len;
    return at;
}

struct slice ocsp_name_hash(enum ocsp_hash kind, struct slice name, unsigned char out[OCSP_HASH_MAX])
{
    char header[HEADER_MAX];
    return hash_of(kind, slice_make(header, put_header(header, DER_SEQUENCE, name.len)), name, out);
}

struct slice ocsp_key_hash(enum ocsp_hash kind, const struct certificate *certificate,
                           unsigned char out[OCSP_HASH_MAX])
{
    struct slice body, algorithm, bits, key;
    if (!der_only(certificate->spki, DER_SEQUENCE, &body) || !der_take(&body, DER_SEQUENCE, &algorithm) ||
        !der_only(body, DER_BIT_STRING, &bits) || !der_bits(bits, &key))
        return (struct slice){"", 0};
    return hash_of(kind, key, (struct slice){"", 0}, out);
}

/* ---- the request ---- */

/* DER from its end to its beginning, so that lengths are known when they are written. */
struct backwards {
    char *bytes;
    size_t at; /* where what is there begins */
    bool full;
};

static void put(struct backwards *out, struct slice bytes)
{
    if (out->full || out->at < bytes.len) {
        out->full = true;
        return;
    }
    out->at -= bytes.len;
    memcpy(out->bytes + out->at, bytes.data, bytes.len);
}

static void put_element(struct backwards *out, unsigned tag, struct slice content)
{
    char header[HEADER_MAX];
    put(out, content);
    put(out, slice_make(header, put_header(header, tag, content.len)));
}

/* Puts all that is there into an element. */
static void wrap(struct backwards *out, unsigned tag)
{
    char header[HEADER_MAX];
    put(out, slice_make(header, put_header(header, tag, OCSP_REQUEST_MAX - out->at)));
}

size_t ocsp_request(const struct ocsp_subject *subject, char out[OCSP_REQUEST_MAX])
{
    unsigned char name[OCSP_HASH_MAX], key[OCSP_HASH_MAX];
    struct slice name_hash = ocsp_name_hash(OCSP_SHA1, subject->certificate->issuer, name);
    struct slice key_hash = ocsp_key_hash(OCSP_SHA1, subject->issuer, key);
    struct backwards body = {.bytes = out, .at = OCSP_REQUEST_MAX};
    if (name_hash.len != SHA1_BYTES || key_hash.len != SHA1_BYTES)
        return 0;
    put_element(&body, DER_INTEGER, subject->certificate->serial);
    put_element(&body, DER_OCTET_STRING, key_hash);
    put_element(&body, DER_OCTET_STRING, name_hash);
    put(&body, SLICE_LITERAL("\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00")); /* SHA-1 */
    for (int depth = 0; depth < 5; depth++) /* CertID, Request, requestList, TBSRequest, OCSPRequest */
        wrap(&body, DER_SEQUENCE);
    if (body.full)
        return 0;
    size_t len = OCSP_REQUEST_MAX - body.at;
    memmove(out, out + body.at, len);
    return len;
}

/* ---- where ---- */

static bool is_http(struct slice url)
{
    static const char scheme[] = "http://";
    return url.len > sizeof scheme - 1 && strncasecmp(url.data, scheme, sizeof scheme - 1) == 0;
}

static bool is_plain_text(struct slice url)
{
    for (size_t i = 0; i < url.len; i++)
        if (url.data[i] <= 0x20 || url.data[i] > 0x7e)
            return false;
    return true;
}

struct slice ocsp_url(const struct certificate *certificate)
{
    struct extension extension;
    struct slice list, description, method, place;
    unsigned tag;
    if (!extension_find(certificate->extensions, OID_INFO_ACCESS, &extension) ||
        !der_only(extension.value, DER_SEQUENCE, &list))
        return (struct slice){"", 0};
    while (der_take(&list, DER_SEQUENCE, &description)) {
        if (!der_take(&description, DER_OID, &method) || !der_next(&description, &tag, &place))
            break;
        if (slice_equal(method, OID_ACCESS_OCSP) && tag == DER_CONTEXT(NAME_URI) && is_http(place) &&
            is_plain_text(place))
            return place;
    }
    return (struct slice){"", 0};
}
