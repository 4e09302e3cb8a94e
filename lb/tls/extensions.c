#include "lb/tls/extensions.h"

#include "lb/tls/der.h"
#include "lb/tls/names.h"

enum { EXTENSIONS_MAX = 64 };

bool extension_next(struct slice *list, struct extension *out)
{
    struct slice body, flag;
    struct slice in = *list;
    if (!der_take(&in, DER_SEQUENCE, &body) || !der_take(&body, DER_OID, &out->oid))
        return false;
    out->critical = false;
    if (der_is(body, DER_BOOLEAN) &&
        (!der_take(&body, DER_BOOLEAN, &flag) || !der_boolean(flag, &out->critical)))
        return false;
    if (!der_only(body, DER_OCTET_STRING, &out->value))
        return false;
    *list = in;
    return true;
}

bool extension_find(struct slice list, struct slice oid, struct extension *out)
{
    while (extension_next(&list, out))
        if (slice_equal(out->oid, oid))
            return true;
    return false;
}

/* ---- subject alternative names ---- */

bool alternative_names(struct slice list, struct slice *names)
{
    struct extension extension;
    return extension_find(list, OID_SUBJECT_NAMES, &extension) &&
           der_only(extension.value, DER_SEQUENCE, names);
}

bool alternative_name_next(struct slice *names, unsigned *kind, struct slice *value)
{
    unsigned tag;
    if (!der_next(names, &tag, value) || (tag & 0xc0) != 0x80)
        return false;
    *kind = tag & 0x1f;
    bool constructed = *kind == NAME_OTHER || (*kind >= NAME_X400 && *kind <= NAME_EDI);
    return *kind <= NAME_REGISTERED_ID && constructed == ((tag & 0x20) != 0);
}

static const char *directory_problem(struct slice value)
{
    struct slice name;
    return der_only(value, DER_SEQUENCE, &name) ? name_problem(name) : "an alternative name is malformed";
}

/* e-mail, DNS and URI are IA5String without anything that could fool who compares or logs them. */
static const char *alternative_name_problem(unsigned kind, struct slice value)
{
    if (kind == NAME_IP)
        return value.len == 4 || value.len == 16 ? NULL
                                                 : "an IP address among the alternative names is malformed";
    if (kind == NAME_DIRECTORY)
        return directory_problem(value);
    if (kind != NAME_EMAIL && kind != NAME_DNS && kind != NAME_URI)
        return NULL;
    if (value.len == 0 || slice_is(value, " "))
        return "an alternative name is empty";
    for (size_t i = 0; i < value.len; i++)
        if ((uint8_t)value.data[i] < 0x20 || (uint8_t)value.data[i] > 0x7e)
            return "an alternative name holds a control character or one that is not ASCII";
    return NULL;
}

static const char *alternative_names_problem(struct slice value)
{
    struct slice names, name;
    unsigned kind;
    if (!der_only(value, DER_SEQUENCE, &names) || names.len == 0)
        return "the subject alternative names are malformed";
    while (names.len > 0) {
        if (!alternative_name_next(&names, &kind, &name))
            return "the subject alternative names are malformed";
        const char *problem = alternative_name_problem(kind, name);
        if (problem)
            return problem;
    }
    return NULL;
}

const char *extensions_problem(struct slice list)
{
    struct slice seen[EXTENSIONS_MAX];
    size_t count = 0;
    while (list.len > 0) {
        struct extension extension;
        if (count == EXTENSIONS_MAX)
            return "the certificate has too many extensions";
        if (!extension_next(&list, &extension))
            return "an extension is malformed";
        for (size_t i = 0; i < count; i++)
            if (slice_equal(seen[i], extension.oid))
                return "an extension comes twice";
        seen[count++] = extension.oid;
        const char *problem =
            slice_equal(extension.oid, OID_SUBJECT_NAMES) ? alternative_names_problem(extension.value) : NULL;
        if (problem)
            return problem;
    }
    return NULL;
}

/* ---- what a key may do ---- */

bool key_usage(struct slice list, unsigned *bits)
{
    struct extension extension;
    struct slice content;
    if (!extension_find(list, OID_KEY_USAGE, &extension))
        return false;
    *bits = 0;
    if (!der_only(extension.value, DER_BIT_STRING, &content) || content.len < 2 || content.len > 3)
        return true; /* there, but allows nothing */
    *bits = (unsigned)(uint8_t)content.data[1] << 1;
    if (content.len == 3)
        *bits |= (uint8_t)content.data[2] >> 7;
    return true;
}

bool key_usage_has(struct slice list, enum key_usage bit)
{
    unsigned bits;
    return !key_usage(list, &bits) || (bits & 0x100u >> bit) != 0;
}

bool extended_usage_allows(struct slice list, struct slice oid)
{
    struct extension extension;
    struct slice usages, usage;
    if (!extension_find(list, OID_EXTENDED_USAGE, &extension))
        return true;
    if (!der_only(extension.value, DER_SEQUENCE, &usages))
        return false;
    while (der_take(&usages, DER_OID, &usage))
        if (slice_equal(usage, oid) || slice_equal(usage, OID_EKU_ANY))
            return true;
    return false;
}

bool extension_is_ca(struct slice list)
{
    struct extension extension;
    struct slice body, flag;
    bool is_ca;
    return extension_find(list, OID_BASIC, &extension) && der_only(extension.value, DER_SEQUENCE, &body) &&
           der_take(&body, DER_BOOLEAN, &flag) && der_boolean(flag, &is_ca) && is_ca;
}

bool certificate_requires_policy(struct slice list)
{
    struct extension extension;
    struct slice body;
    return extension_find(list, OID_POLICY_LIMITS, &extension) &&
           (!der_only(extension.value, DER_SEQUENCE, &body) || !der_is(body, DER_CONTEXT(1)));
}

/* ---- key identifiers ---- */

struct slice authority_key_id(struct slice list)
{
    struct extension extension;
    struct slice body, id;
    if (extension_find(list, OID_AUTHORITY_KEY_ID, &extension) &&
        der_only(extension.value, DER_SEQUENCE, &body) && der_take(&body, DER_CONTEXT(0), &id))
        return id;
    return (struct slice){"", 0};
}

struct slice subject_key_id(struct slice list)
{
    struct extension extension;
    struct slice id;
    if (extension_find(list, OID_SUBJECT_KEY_ID, &extension) &&
        der_only(extension.value, DER_OCTET_STRING, &id))
        return id;
    return (struct slice){"", 0};
}
