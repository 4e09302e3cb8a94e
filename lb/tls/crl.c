#include "lb/tls/crl.h"

#include <stdlib.h>

#include "lb/base/memory.h"
#include "lb/tls/der.h"
#include "lb/tls/extensions.h"

#define OID_DELTA        SLICE_LITERAL("\x55\x1d\x1b")
#define OID_DISTRIBUTION SLICE_LITERAL("\x55\x1d\x1c")
#define OID_REASON       SLICE_LITERAL("\x55\x1d\x15")

enum { INDIRECT_TAG = 4, REASON_REMOVE = 8 };

static const char MALFORMED[] = "it is no valid CRL";

/* ---- serial numbers ---- */

static struct slice significant(struct slice serial)
{
    while (serial.len > 1 && serial.data[0] == 0)
        serial = slice_make(serial.data + 1, serial.len - 1);
    return serial;
}

static struct slice serial_at(const struct crl *crl, uint32_t offset)
{
    struct slice in = slice_make(crl->der.data + offset, crl->der.len - offset), serial;
    return der_take(&in, DER_INTEGER, &serial) ? significant(serial) : (struct slice){"", 0};
}

static int compare_slices(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return memcmp(a.data, b.data, a.len);
}

static int compare_serials(const void *a, const void *b, void *crl)
{
    return compare_slices(serial_at(crl, *(const uint32_t *)a), serial_at(crl, *(const uint32_t *)b));
}

bool crl_lists(const struct crl *crl, struct slice serial)
{
    serial = significant(serial);
    size_t low = 0, high = crl->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_slices(serial_at(crl, crl->serials[middle]), serial);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* ---- reading ---- */

/* An entry whose extension must be understood belongs to another issuer or means something else. */
static const char *read_entry_extensions(struct slice body)
{
    struct slice list;
    struct extension extension;
    if (body.len == 0)
        return NULL;
    if (!der_only(body, DER_SEQUENCE, &list))
        return MALFORMED;
    while (list.len > 0) {
        if (!extension_next(&list, &extension))
            return MALFORMED;
        struct slice reason;
        if (extension.critical && !slice_equal(extension.oid, OID_REASON))
            return "it is an indirect CRL, which lb cannot use";
        if (slice_equal(extension.oid, OID_REASON) && der_only(extension.value, DER_ENUMERATED, &reason) &&
            reason.len == 1 && reason.data[0] == REASON_REMOVE)
            return "it is a delta CRL: give the full one";
    }
    return NULL;
}

static const char *read_entry(struct slice *list, struct crl *out, uint32_t *offset)
{
    struct slice entry, serial;
    int64_t revoked_at;
    if (!der_take(list, DER_SEQUENCE, &entry))
        return MALFORMED;
    *offset = (uint32_t)(entry.data - out->der.data);
    if (!der_take(&entry, DER_INTEGER, &serial) || serial.len == 0 || !der_take_time(&entry, &revoked_at))
        return MALFORMED;
    return read_entry_extensions(entry);
}

static const char *read_entries(struct slice list, struct crl *out)
{
    size_t room = 0;
    while (list.len > 0) {
        if (out->count == room) {
            room = room ? 2 * room : 64;
            out->serials = mem_grow(out->serials, room * sizeof *out->serials);
        }
        const char *why = read_entry(&list, out, &out->serials[out->count]);
        if (why)
            return why;
        out->count++;
    }
    if (out->count > 0)
        qsort_r(out->serials, out->count, sizeof *out->serials, compare_serials, out);
    return NULL;
}

/* issuingDistributionPoint (RFC 5280, section 5.2.5): any restriction makes the list partial. */
static const char *read_distribution(struct slice value, struct crl *out)
{
    struct slice body, content;
    unsigned tag;
    if (!der_only(value, DER_SEQUENCE, &body))
        return MALFORMED;
    while (body.len > 0) {
        if (!der_next(&body, &tag, &content))
            return MALFORMED;
        if (tag == DER_CONTEXT(INDIRECT_TAG) && content.len == 1 && content.data[0] != 0)
            return "it is an indirect CRL, which lb cannot use";
        out->partial = true;
    }
    return NULL;
}

static const char *read_extensions(struct slice tbs, struct crl *out)
{
    struct slice wrapped, list;
    struct extension extension;
    if (tbs.len == 0)
        return NULL;
    if (!der_only(tbs, DER_CONSTRUCTED(0), &wrapped) || !der_only(wrapped, DER_SEQUENCE, &list))
        return MALFORMED;
    while (list.len > 0) {
        if (!extension_next(&list, &extension))
            return MALFORMED;
        const char *why = NULL;
        if (slice_equal(extension.oid, OID_DELTA))
            why = "it is a delta CRL: give the full one";
        else if (slice_equal(extension.oid, OID_DISTRIBUTION))
            why = read_distribution(extension.value, out);
        else
            out->partial = out->partial || extension.critical;
        if (why)
            return why;
    }
    return NULL;
}

static const char *read_list(struct slice tbs, struct crl *out)
{
    struct slice skipped, entries;
    out->next_update = CRL_NEVER;
    if (!der_skip(&tbs, DER_INTEGER) || !der_take(&tbs, DER_SEQUENCE, &skipped) ||
        !der_take(&tbs, DER_SEQUENCE, &out->issuer) || !der_take_time(&tbs, &out->this_update))
        return MALFORMED;
    bool has_next = der_is(tbs, DER_UTC_TIME) || der_is(tbs, DER_GENERALIZED_TIME);
    if (has_next && !der_take_time(&tbs, &out->next_update))
        return MALFORMED;
    if (der_is(tbs, DER_SEQUENCE)) {
        if (!der_take(&tbs, DER_SEQUENCE, &entries))
            return MALFORMED;
        const char *why = read_entries(entries, out);
        if (why)
            return why;
    }
    return read_extensions(tbs, out);
}

bool crl_open(struct slice der, struct crl *out, const char **why)
{
    struct slice body, tbs, algorithm, signature;
    *out = (struct crl){0};
    out->data = mem_copy_n(der.data, der.len);
    out->der = slice_make(out->data, der.len);
    *why = MALFORMED;
    if (der_only(out->der, DER_SEQUENCE, &body) && der_take(&body, DER_SEQUENCE, &tbs) &&
        der_take(&body, DER_SEQUENCE, &algorithm) && der_only(body, DER_BIT_STRING, &signature))
        *why = read_list(tbs, out);
    if (*why)
        crl_close(out);
    return *why == NULL;
}

bool crl_confirmed_by(const struct crl *crl, struct slice spki)
{
    return crl->signer.len > 0 && slice_equal(crl->signer, spki);
}

void crl_confirm(struct crl *crl, struct slice spki)
{
    free((char *)crl->signer.data);
    crl->signer = slice_make(mem_copy_n(spki.data, spki.len), spki.len);
}

void crl_close(struct crl *crl)
{
    free(crl->data);
    free((char *)crl->signer.data);
    free(crl->serials);
    *crl = (struct crl){0};
}
