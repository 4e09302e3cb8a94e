/* Certificates, keys and CRLs made on the spot with OpenSSL's libcrypto. */
#ifndef TEST_TLS_PKI_H
#define TEST_TLS_PKI_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

enum pki_key { PKI_EC, PKI_RSA, PKI_RSA1024, PKI_ED25519 };

enum { PKI_DAY = 86400 };

struct pki_cert {
    X509 *x509;
    EVP_PKEY *key;
};

struct pki_spec {
    const char *cn;
    const struct pki_cert *issuer; /* NULL: self-signed */
    const struct pki_cert *signer; /* signs in place of the issuer */
    enum pki_key key;
    const struct pki_cert *share; /* takes this one's key */
    long from, until;             /* seconds from now; 0: a day ago, in a year */
    const char *basic, *usage, *purpose, *san, *constraints;
    bool sha1, no_key_ids, version1;
    long serial;                      /* 0: counted */
    void (*name)(X509_NAME *subject); /* fills in the subject in place of cn */
    const char *critical;             /* an unknown critical extension with this text */
};

static inline EVP_PKEY *pki_make_key(enum pki_key kind)
{
    if (kind == PKI_ED25519)
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (kind == PKI_EC)
        return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)(kind == PKI_RSA ? 2048 : 1024));
}

static inline void pki_extend(X509 *x509, X509 *issuer, int nid, const char *value)
{
    if (!value)
        return;
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
}

static inline void pki_add_critical(X509 *x509, const char *text)
{
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(value, (const unsigned char *)text, (int)strlen(text));
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value);
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
}

static inline void pki_set_subject(X509 *x509, const struct pki_spec *spec)
{
    X509_NAME *name = X509_NAME_new();
    if (spec->name)
        spec->name(name);
    else {
        X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"Test", -1, -1, 0);
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)spec->cn, -1, -1, 0);
    }
    X509_set_subject_name(x509, name);
    X509_NAME_free(name);
}

static inline const EVP_MD *pki_digest(const EVP_PKEY *key, const struct pki_spec *spec)
{
    if (EVP_PKEY_get_id(key) == EVP_PKEY_ED25519)
        return NULL;
    return spec->sha1 ? EVP_sha1() : EVP_sha256();
}

static inline struct pki_cert pki_make(struct pki_spec spec)
{
    static long serial = 1000;
    struct pki_cert out = {X509_new(), NULL};
    if (spec.share) {
        out.key = spec.share->key;
        EVP_PKEY_up_ref(out.key);
    } else
        out.key = pki_make_key(spec.key);
    const struct pki_cert *issuer = spec.issuer ? spec.issuer : &out;
    EVP_PKEY *signer = spec.signer ? spec.signer->key : issuer->key;
    X509_set_version(out.x509, spec.version1 ? 0 : 2);
    ASN1_INTEGER_set(X509_get_serialNumber(out.x509), spec.serial ? spec.serial : ++serial);
    X509_gmtime_adj(X509_getm_notBefore(out.x509), spec.from ? spec.from : -PKI_DAY);
    X509_gmtime_adj(X509_getm_notAfter(out.x509), spec.until ? spec.until : 365L * PKI_DAY);
    pki_set_subject(out.x509, &spec);
    X509_set_issuer_name(out.x509, X509_get_subject_name(issuer->x509));
    X509_set_pubkey(out.x509, out.key);
    pki_extend(out.x509, issuer->x509, NID_basic_constraints, spec.basic);
    pki_extend(out.x509, issuer->x509, NID_key_usage, spec.usage);
    pki_extend(out.x509, issuer->x509, NID_ext_key_usage, spec.purpose);
    pki_extend(out.x509, issuer->x509, NID_subject_alt_name, spec.san);
    pki_extend(out.x509, issuer->x509, NID_name_constraints, spec.constraints);
    if (!spec.no_key_ids && !spec.version1) {
        pki_extend(out.x509, issuer->x509, NID_subject_key_identifier, "hash");
        pki_extend(out.x509, issuer->x509, NID_authority_key_identifier, "keyid:always");
    }
    if (spec.critical)
        pki_add_critical(out.x509, spec.critical);
    assert_true(X509_sign(out.x509, signer, pki_digest(signer, &spec)) > 0);
    return out;
}

/* The usual kinds. */
#define PKI_CA_USAGE "critical,keyCertSign,cRLSign"

static inline struct pki_cert pki_root(const char *cn)
{
    return pki_make((struct pki_spec){.cn = cn, .basic = "critical,CA:TRUE", .usage = PKI_CA_USAGE});
}

static inline struct pki_cert pki_intermediate(const char *cn, const struct pki_cert *issuer)
{
    return pki_make(
        (struct pki_spec){.cn = cn, .issuer = issuer, .basic = "critical,CA:TRUE", .usage = PKI_CA_USAGE});
}

static inline struct pki_cert pki_client(const char *cn, const struct pki_cert *issuer)
{
    return pki_make((struct pki_spec){
        .cn = cn, .issuer = issuer, .usage = "critical,digitalSignature", .purpose = "clientAuth"});
}

static inline void pki_free(struct pki_cert *cert)
{
    X509_free(cert->x509);
    EVP_PKEY_free(cert->key);
    *cert = (struct pki_cert){0};
}

static inline char *pki_text_of(BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    char *text = malloc((size_t)len + 1);
    memcpy(text, data, (size_t)len);
    text[len] = '\0';
    BIO_free(bio);
    return text;
}

/* PEM of any number of certificates, ended by NULL; freed by the caller. */
static inline char *pki_pem(const struct pki_cert *first, ...)
{
    BIO *bio = BIO_new(BIO_s_mem());
    va_list more;
    va_start(more, first);
    for (const struct pki_cert *cert = first; cert; cert = va_arg(more, const struct pki_cert *))
        PEM_write_bio_X509(bio, cert->x509);
    va_end(more);
    return pki_text_of(bio);
}

static inline char *pki_key_pem(const struct pki_cert *cert, const char *password)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(bio, cert->key, password ? EVP_aes_128_cbc() : NULL, password,
                                  password ? (int)strlen(password) : 0, NULL, NULL);
    return pki_text_of(bio);
}

/* DER of a certificate; freed with OPENSSL_free. */
static inline size_t pki_der(const struct pki_cert *cert, unsigned char **out)
{
    *out = NULL;
    return (size_t)i2d_X509(cert->x509, out);
}

/* A CRL of `issuer` that revokes `revoked` (NULL: nobody), as PEM. */
static inline X509_CRL *pki_make_crl(const struct pki_cert *issuer, const struct pki_cert *signer,
                                     const struct pki_cert *revoked, long from, long until)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *time = ASN1_TIME_new();
    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->x509));
    X509_CRL_set1_lastUpdate(crl, X509_gmtime_adj(time, from));
    X509_CRL_set1_nextUpdate(crl, X509_gmtime_adj(time, until));
    if (revoked) {
        X509_REVOKED *entry = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked->x509));
        X509_REVOKED_set_revocationDate(entry, X509_gmtime_adj(time, -60));
        X509_CRL_add0_revoked(crl, entry);
    }
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    ASN1_INTEGER_set(number, 1);
    X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0);
    ASN1_INTEGER_free(number);
    X509_CRL_sort(crl);
    assert_true(X509_CRL_sign(crl, signer->key, EVP_sha256()) > 0);
    ASN1_TIME_free(time);
    return crl;
}

static inline char *pki_crl_pem(const struct pki_cert *issuer, const struct pki_cert *signer,
                                const struct pki_cert *revoked, long from, long until)
{
    X509_CRL *crl = pki_make_crl(issuer, signer, revoked, from, until);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509_CRL(bio, crl);
    X509_CRL_free(crl);
    return pki_text_of(bio);
}

#endif
