#include "lb/tls/constraints.h"

#include <strings.h>

#include "lb/tls/der.h"
#include "lb/tls/extensions.h"
#include "lb/tls/hello.h"
#include "lb/tls/names.h"

struct subtrees {
    struct slice permitted, excluded; /* lists of GeneralSubtree */
};

static bool read_subtrees(const struct certificate *issuer, struct subtrees *out)
{
    struct extension extension;
    struct slice body;
    *out = (struct subtrees){{"", 0}, {"", 0}};
    if (!extension_find(issuer->extensions, OID_NAME_CONSTRAINTS, &extension) ||
        !der_only(extension.value, DER_SEQUENCE, &body))
        return false;
    return (!der_is(body, DER_CONSTRUCTED(0)) || der_take(&body, DER_CONSTRUCTED(0), &out->permitted)) &&
           (!der_is(body, DER_CONSTRUCTED(1)) || der_take(&body, DER_CONSTRUCTED(1), &out->excluded));
}

/* "example.com" covers itself and all below it, ".example.com" only what is below. */
static bool covers(struct slice constraint, struct slice name)
{
    if (constraint.len == 0)
        return true;
    if (name.len < constraint.len)
        return false;
    const char *tail = name.data + (name.len - constraint.len);
    if (strncasecmp(tail, constraint.data, constraint.len) != 0)
        return false;
    return name.len == constraint.len || constraint.data[0] == '.' || tail[-1] == '.';
}

/* How many DNS subtrees the list has, and how many of them cover the name. */
static void count_dns(struct slice list, struct slice name, unsigned *all, unsigned *covering)
{
    struct slice subtree, base;
    unsigned tag;
    *all = *covering = 0;
    while (der_take(&list, DER_SEQUENCE, &subtree)) {
        if (!der_next(&subtree, &tag, &base) || tag != DER_CONTEXT(NAME_DNS))
            continue;
        ++*all;
        *covering += covers(base, name);
    }
}

static bool allows(const struct subtrees *subtrees, struct slice name)
{
    unsigned all, covering;
    count_dns(subtrees->excluded, name, &all, &covering);
    if (covering > 0)
        return false;
    count_dns(subtrees->permitted, name, &all, &covering);
    return all == 0 || covering > 0;
}

static bool has_dns_name(const struct certificate *leaf)
{
    struct slice names, name;
    unsigned kind;
    if (!alternative_names(leaf->extensions, &names))
        return false;
    while (alternative_name_next(&names, &kind, &name))
        if (kind == NAME_DNS)
            return true;
    return false;
}

/* With a dot, and a host name but for a leading "*.". */
static bool reads_as_host(struct slice name, char out[HELLO_NAME_MAX + 1])
{
    if (name.len > 2 && name.data[0] == '*' && name.data[1] == '.')
        name = slice_make(name.data + 2, name.len - 2);
    return hello_normalize_name(name, out) && strchr(out, '.');
}

bool constraints_allow_common_names(const struct certificate *issuer, const struct certificate *leaf)
{
    struct subtrees subtrees;
    if (!read_subtrees(issuer, &subtrees) || has_dns_name(leaf))
        return true;
    struct name_walk walk = name_walk(leaf->subject);
    struct name_attribute attribute;
    char buffer[NAME_UTF8_MAX], host[HELLO_NAME_MAX + 1];
    while (name_next(&walk, &attribute)) {
        struct slice value;
        if (!name_key_matches(attribute.oid, SLICE_LITERAL("CN")) || !name_value(&attribute, buffer, &value))
            continue;
        if (reads_as_host(value, host) && !allows(&subtrees, slice_of(host)))
            return false;
    }
    return true;
}
