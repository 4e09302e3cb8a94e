/* A CA, its clients, and OCSP responses about them, made by OpenSSL. */
#ifndef TEST_TLS_OCSP_WORLD_H
#define TEST_TLS_OCSP_WORLD_H

#include "tests/unit/test_tls_pki.h"

#include <openssl/ocsp.h>
#include <time.h>

#include "lb/tls/context.h"
#include "lb/tls/ocsp.h"

enum { HOUR = 3600 };

/* A certificate of the pki as lb sees it. */
struct seen {
    struct pki_cert made;
    unsigned char *der;
    struct certificate certificate;
};

struct world {
    struct seen root, other, client, second, responder;
};

static inline struct seen see(struct pki_cert made)
{
    struct seen seen = {.made = made};
    const char *why;
    size_t len = pki_der(&seen.made, &seen.der);
    assert_true(certificate_open(slice_make(seen.der, len), &seen.certificate, &why));
    return seen;
}

static inline void forget(struct seen *seen)
{
    OPENSSL_free(seen->der);
    pki_free(&seen->made);
}

static inline struct pki_cert make_responder(const struct pki_cert *issuer)
{
    return pki_make((struct pki_spec){.cn = "responder", .issuer = issuer, .purpose = "OCSPSigning"});
}

static inline int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_true(tls_library_start());
    world->root = see(pki_root("Root"));
    world->other = see(pki_root("Root")); /* the same name, another key */
    world->client = see(pki_client("client", &world->root.made));
    world->second = see(pki_client("second", &world->root.made));
    world->responder = see(make_responder(&world->root.made));
    *state = world;
    return 0;
}

static inline int teardown(void **state)
{
    struct world *world = *state;
    struct seen *all[] = {&world->root, &world->other, &world->client, &world->second, &world->responder};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        forget(all[i]);
    free(world);
    tls_library_stop();
    return 0;
}

/* ---- responses ---- */

struct spec {
    const struct seen *about[3]; /* ended by NULL */
    int status;                  /* V_OCSP_CERTSTATUS_* */
    const struct seen *signer;   /* NULL: the root */
    long start, end;             /* seconds from now; end 0: no nextUpdate */
    const EVP_MD *id_digest, *digest;
    unsigned long flags;
    bool pss;
    bool critical; /* an extension that nobody knows */
};

static inline void add_critical(OCSP_BASICRESP *basic)
{
    X509_EXTENSION *extension;
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.4.1.99999.2", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(value, (const unsigned char *)"\x05\x00", 2);
    extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value);
    OCSP_BASICRESP_add_ext(basic, extension, -1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
}

static inline void add_single(OCSP_BASICRESP *basic, const struct world *world, const struct spec *spec,
                              const struct seen *about)
{
    ASN1_TIME *start = X509_gmtime_adj(NULL, spec->start), *end = X509_gmtime_adj(NULL, spec->end);
    OCSP_CERTID *id = OCSP_cert_to_id(spec->id_digest ? spec->id_digest : EVP_sha1(), about->made.x509,
                                      world->root.made.x509);
    bool revoked = spec->status == V_OCSP_CERTSTATUS_REVOKED;
    assert_non_null(OCSP_basic_add1_status(basic, id, spec->status, OCSP_REVOKED_STATUS_KEYCOMPROMISE,
                                           revoked ? start : NULL, start, spec->end ? end : NULL));
    OCSP_CERTID_free(id);
    ASN1_TIME_free(start);
    ASN1_TIME_free(end);
}

/* Malloced. */
static inline struct slice respond(const struct world *world, struct spec spec)
{
    const struct pki_cert *signer = spec.signer ? &spec.signer->made : &world->root.made;
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    unsigned char *der = NULL;
    for (size_t i = 0; i < 3 && spec.about[i]; i++)
        add_single(basic, world, &spec, spec.about[i]);
    if (spec.critical)
        add_critical(basic);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_context;
    const EVP_MD *digest = spec.digest ? spec.digest : EVP_sha256();
    if (EVP_PKEY_get_id(signer->key) == EVP_PKEY_ED25519)
        digest = NULL;
    assert_int_equal(EVP_DigestSignInit(context, &key_context, digest, NULL, signer->key), 1);
    if (spec.pss)
        assert_true(EVP_PKEY_CTX_set_rsa_padding(key_context, RSA_PKCS1_PSS_PADDING) > 0 &&
                    EVP_PKEY_CTX_set_rsa_pss_saltlen(key_context, RSA_PSS_SALTLEN_DIGEST) > 0);
    assert_true(OCSP_basic_sign_ctx(basic, signer->x509, context, NULL, spec.flags));
    EVP_MD_CTX_free(context);
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    int len = i2d_OCSP_RESPONSE(response, &der);
    char *copy = malloc((size_t)len);
    memcpy(copy, der, (size_t)len);
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    return slice_make(copy, (size_t)len);
}

static inline struct ocsp_subject about_client(const struct world *world)
{
    return (struct ocsp_subject){&world->client.certificate, &world->root.certificate, NULL};
}

static inline struct spec good(const struct world *world)
{
    return (struct spec){.about = {&world->client}, .start = -HOUR, .end = HOUR};
}

#endif
