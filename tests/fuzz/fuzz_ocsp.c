/* OCSP: a certificate, its issuer and a response, each with its length in two bytes before it. A response
 * that is believed must have said so in its own bytes: with any of them changed at its end it is not. */
#include <stdint.h>
#include <stdlib.h>

#include "lb/base/url.h"
#include "lb/tls/ocsp.h"

#define NOW 1800000000 /* the corpus holds then */

static void check(int condition)
{
    if (!condition)
        abort();
}

static int take(struct slice *in, struct slice *piece)
{
    if (in->len < 2)
        return 0;
    size_t len = (size_t)(uint8_t)in->data[0] << 8 | (uint8_t)in->data[1];
    if (len > in->len - 2)
        return 0;
    *piece = slice_make(in->data + 2, len);
    *in = slice_make(in->data + 2 + len, in->len - 2 - len);
    return 1;
}

static void ask(const struct ocsp_subject *subject)
{
    char request[OCSP_REQUEST_MAX];
    struct http_url url;
    const char *why = NULL;
    check(ocsp_request(subject, request) <= sizeof request);
    check(http_url_parse(ocsp_url(subject->certificate), &url, &why) == (why == NULL));
}

static void answer(const struct ocsp_subject *subject, struct slice der)
{
    struct ocsp_answer out;
    const char *why;
    if (!ocsp_read(der, subject, NOW, &out, &why)) {
        check(why != NULL);
        return;
    }
    check(out.status <= OCSP_UNKNOWN && out.until >= NOW - 60 && out.this_update <= NOW + 60);
    check(!ocsp_read(slice_make(der.data, der.len - 1), subject, NOW, &out, &why));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make(data, size), pieces[3];
    struct certificate certificate, issuer;
    struct http_url url;
    const char *why;
    http_url_parse(in, &url, &why);
    for (size_t i = 0; i < 3; i++)
        if (!take(&in, &pieces[i]))
            return 0;
    if (!certificate_open(pieces[0], &certificate, &why) || !certificate_open(pieces[1], &issuer, &why))
        return 0;
    struct ocsp_subject plain = {&certificate, &issuer, NULL},
                        trusting = {&certificate, &issuer, &certificate};
    ask(&plain);
    answer(&plain, pieces[2]);
    answer(&trusting, pieces[2]);
    return 0;
}
