/* Certificates, CRLs and PEM: opened and every fact read. Values must be free of controls where
 * certificate_open promises it. */
#include <stdint.h>
#include <stdlib.h>

#include "lb/tls/certificate.h"
#include "lb/tls/constraints.h"
#include "lb/tls/crl.h"
#include "lb/tls/extensions.h"
#include "lb/tls/host_match.h"

static void check(int condition)
{
    if (!condition)
        abort();
}

static void discard(void *sink, struct slice value)
{
    unsigned *sum = sink;
    for (size_t i = 0; i < value.len; i++)
        *sum += (uint8_t)value.data[i];
}

static void without_controls(void *sink, struct slice value)
{
    (void)sink;
    for (size_t i = 0; i < value.len; i++)
        check((uint8_t)value.data[i] >= 0x20 && value.data[i] != 0x7f);
}

static void read_facts(const struct certificate *certificate)
{
    static const char *const keys[] = {"CN", "2.5.4.10", "1.2.3", ""};
    unsigned sum = 0;
    for (int field = FIELD_SUBJECT_ATTRIBUTE; field <= FIELD_EXTENSION; field++)
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
            certificate_ops.values(certificate, (enum script_field)field, slice_of(keys[i]), discard, &sum);
    for (int field = FIELD_SUBJECT_ATTRIBUTE; field <= FIELD_ISSUER_TEXT; field++)
        certificate_ops.values(certificate, (enum script_field)field, slice_of("CN"), without_controls, NULL);
    for (int field = FIELD_SAN_DNS; field <= FIELD_SAN_IP; field++)
        certificate_ops.values(certificate, (enum script_field)field, slice_of(""), without_controls, NULL);
    int64_t number;
    for (int field = FIELD_NOT_BEFORE; field <= FIELD_KEY_BITS; field++)
        certificate_ops.number(certificate, (enum script_field)field, &number);
}

static void judge(const struct certificate *certificate)
{
    char text[64];
    const char *what;
    certificate_subject(certificate, text, sizeof text);
    certificate_serial(certificate, text, sizeof text);
    certificate_weak(certificate, &what);
    extended_usage_allows(certificate->extensions, OID_EKU_CLIENT);
    host_matches_certificate(certificate->extensions, SLICE_LITERAL("a.example.test"));
    host_matches_certificate(certificate->extensions, SLICE_LITERAL("127.0.0.1"));
    certificate_issued_by(certificate, certificate);
    constraints_allow_names(certificate, certificate);
    constraints_allow_common_names(certificate, certificate);
}

static void read_certificate(struct slice der)
{
    struct certificate certificate;
    const char *why;
    if (!certificate_open(der, &certificate, &why)) {
        check(why != NULL);
        return;
    }
    read_facts(&certificate);
    judge(&certificate);
}

static void read_crl(struct slice der)
{
    struct crl crl;
    const char *why;
    if (!crl_open(der, &crl, &why))
        return;
    crl_lists(&crl, slice_make("\x01", 1));
    crl_close(&crl);
}

static void read_pem(struct slice text)
{
    char *room = malloc(text.len + 1);
    const char *why;
    size_t len;
    while (certificate_next_pem(&text, room, &len, &why))
        read_certificate(slice_make(room, len));
    free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make(data, size);
    read_certificate(input);
    read_crl(input);
    read_pem(input);
    return 0;
}
