#include "lb/tls/pem.h"

#include <stdint.h>

#include "lb/tls/certificate.h"

enum { LINE_BYTES = 48 };

static const char BEGIN[] = "-----BEGIN ";
static const char END[] = "-----END ";
static const char DASHES[] = "-----";

static const char *find(struct slice text, const char *needle)
{
    return text.len ? memmem(text.data, text.len, needle, strlen(needle)) : NULL;
}

static struct slice from(struct slice text, const char *at)
{
    return slice_make(at, (size_t)(text.data + text.len - at));
}

/* The label between `marker` and the dashes; *after is what follows them. */
static bool read_label(struct slice text, const char *marker, struct slice *label, struct slice *after)
{
    struct slice line = from(text, text.data + strlen(marker));
    const char *dashes = find(line, DASHES);
    if (!dashes || memchr(line.data, '\n', (size_t)(dashes - line.data)))
        return false;
    *label = slice_make(line.data, (size_t)(dashes - line.data));
    *after = from(text, dashes + strlen(DASHES));
    return true;
}

bool pem_next(struct slice *text, struct pem_block *out, const char **why)
{
    *why = NULL;
    const char *begin = find(*text, BEGIN), *stray = find(*text, END);
    if (stray && (!begin || stray < begin))
        *why = "an END line in the PEM text has no BEGIN line before it";
    if (!begin || *why)
        return false;
    struct slice after, label, rest;
    *why = "a BEGIN line in the PEM text is not followed by its END line";
    if (!read_label(from(*text, begin), BEGIN, &out->label, &after))
        return false;
    const char *end = find(after, END);
    if (!end || !read_label(from(*text, end), END, &label, &rest) || !slice_equal(label, out->label))
        return false;
    *why = NULL;
    out->body = slice_make(after.data, (size_t)(end - after.data));
    out->whole = slice_make(begin, (size_t)(rest.data - begin));
    *text = rest;
    return true;
}

static int digit_value(char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    return digit == '+' ? 62 : digit == '/' ? 63 : -1;
}

bool pem_decode(struct slice body, char *out, size_t *len)
{
    uint32_t bits = 0;
    unsigned digits = 0, pads = 0;
    *len = 0;
    for (size_t i = 0; i < body.len; i++) {
        char byte = body.data[i];
        if (byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n')
            continue;
        int value = byte == '=' ? 0 : digit_value(byte);
        if (value < 0 || (pads > 0 && byte != '='))
            return false;
        pads += byte == '=';
        bits = bits << 6 | (uint32_t)value;
        if (++digits % 4 != 0)
            continue;
        for (unsigned k = 0; k + pads < 3; k++)
            out[(*len)++] = (char)(bits >> (16 - 8 * k));
    }
    return digits % 4 == 0 && pads <= 2;
}

bool certificate_next_pem(struct slice *pem, char *out, size_t *len, const char **why)
{
    struct pem_block block;
    *len = 0;
    while (pem_next(pem, &block, why)) {
        if (!slice_is(block.label, "CERTIFICATE") && !slice_is(block.label, "X509 CERTIFICATE"))
            continue;
        if (pem_decode(block.body, out, len) && *len > 0)
            return true;
        *why = "a CERTIFICATE block is no valid base64";
        break;
    }
    *len = 0;
    return false;
}

size_t pem_encoded_size(size_t der_len, const char *label)
{
    size_t digits = (der_len + 2) / 3 * 4;
    size_t lines = (der_len + LINE_BYTES - 1) / LINE_BYTES;
    return strlen(BEGIN) + strlen(END) + 2 * (strlen(label) + strlen(DASHES) + 1) + digits + lines;
}

static char *put(char *out, const char *text)
{
    size_t len = strlen(text);
    memcpy(out, text, len);
    return out + len;
}

static char *put_line(char *out, const char *marker, const char *label)
{
    return put(put(put(put(out, marker), label), DASHES), "\n");
}

static char *put_triple(char *out, const uint8_t *bytes, size_t left)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits =
        (uint32_t)bytes[0] << 16 | (left > 1 ? (uint32_t)bytes[1] << 8 : 0) | (left > 2 ? bytes[2] : 0);
    *out++ = digits[bits >> 18];
    *out++ = digits[bits >> 12 & 63];
    *out++ = left > 1 ? digits[bits >> 6 & 63] : '=';
    *out++ = left > 2 ? digits[bits & 63] : '=';
    return out;
}

void pem_encode(struct slice der, const char *label, char *out)
{
    const uint8_t *bytes = (const uint8_t *)der.data;
    out = put_line(out, BEGIN, label);
    for (size_t i = 0; i < der.len; i += 3) {
        out = put_triple(out, bytes + i, der.len - i);
        if ((i + 3) % LINE_BYTES == 0 || i + 3 >= der.len)
            *out++ = '\n';
    }
    put_line(out, END, label);
}
