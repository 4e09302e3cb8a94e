#include "lb/tls/constraints.h"

#include <strings.h>

#include "lb/tls/der.h"
#include "lb/tls/extensions.h"
#include "lb/tls/hello.h"
#include "lb/tls/names.h"

enum { COMPARISONS_MAX = 1 << 16 }; /* of names with subtrees, for one pair of certificates */

struct subtrees {
    struct slice permitted, excluded; /* lists of GeneralSubtree */
    unsigned comparisons;
};

/* False if there is no such extension. One that is malformed permits nothing. */
static bool read_subtrees(const struct certificate *issuer, struct subtrees *out)
{
    struct extension extension;
    struct slice body;
    *out = (struct subtrees){{"", 0}, {"", 0}, 0};
    if (!extension_find(issuer->extensions, OID_NAME_CONSTRAINTS, &extension))
        return false;
    bool good = der_only(extension.value, DER_SEQUENCE, &body) &&
                (!der_is(body, DER_CONSTRUCTED(0)) || der_take(&body, DER_CONSTRUCTED(0), &out->permitted)) &&
                (!der_is(body, DER_CONSTRUCTED(1)) || der_take(&body, DER_CONSTRUCTED(1), &out->excluded)) &&
                body.len == 0 && out->permitted.len + out->excluded.len > 0;
    if (!good)
        out->comparisons = COMPARISONS_MAX;
    return true;
}

/* ---- one name and one subtree ---- */

static bool same_text(struct slice a, struct slice b)
{
    return a.len == b.len && strncasecmp(a.data, b.data, a.len) == 0;
}

static bool ends_with(struct slice name, struct slice tail)
{
    return name.len >= tail.len && same_text(slice_make(name.data + name.len - tail.len, tail.len), tail);
}

/* "example.com" covers itself and all below it, ".example.com" only what is below. */
static bool covers_dns(struct slice constraint, struct slice name)
{
    if (constraint.len == 0)
        return true;
    return ends_with(name, constraint) && (name.len == constraint.len || constraint.data[0] == '.' ||
                                           name.data[name.len - constraint.len - 1] == '.');
}

/* Of e-mail and URI: "example.com" is that host alone, ".example.com" the hosts below. */
static bool covers_host(struct slice constraint, struct slice host)
{
    if (constraint.len > 0 && constraint.data[0] == '.')
        return host.len > constraint.len && ends_with(host, constraint);
    return same_text(constraint, host);
}

static struct slice behind(struct slice text, const char *at)
{
    return slice_make(at + 1, (size_t)(text.data + text.len - at - 1));
}

/* A constraint with '@' is one mailbox, whose local part has a case. */
static bool covers_email(struct slice constraint, struct slice name)
{
    const char *wanted = memrchr(constraint.data, '@', constraint.len);
    const char *at = memrchr(name.data, '@', name.len);
    if (!at)
        return false;
    if (!wanted)
        return constraint.len == 0 || covers_host(constraint, behind(name, at));
    return slice_equal(slice_make(constraint.data, (size_t)(wanted - constraint.data)),
                       slice_make(name.data, (size_t)(at - name.data))) &&
           same_text(behind(constraint, wanted), behind(name, at));
}

/* The host of scheme://user@host:port/path. False: it has none, or an address in its place. */
static bool uri_host(struct slice uri, char out[HELLO_NAME_MAX + 1])
{
    const char *start = memmem(uri.data, uri.len, "://", 3);
    if (!start)
        return false;
    struct slice host = behind(uri, start + 2);
    for (size_t i = 0; i < host.len; i++)
        if (memchr("/?#", host.data[i], 3))
            host.len = i;
    const char *user = host.len ? memrchr(host.data, '@', host.len) : NULL;
    host = user ? behind(host, user) : host;
    const char *port = host.len ? memchr(host.data, ':', host.len) : NULL;
    host.len = port ? (size_t)(port - host.data) : host.len;
    return hello_normalize_name(host, out);
}

static bool covers_address(struct slice constraint, struct slice address)
{
    if (constraint.len != 2 * address.len)
        return false;
    const char *mask = constraint.data + address.len;
    for (size_t i = 0; i < address.len; i++)
        if ((constraint.data[i] ^ address.data[i]) & mask[i])
            return false;
    return true;
}

static bool same_attribute(const struct name_attribute *a, const struct name_attribute *b)
{
    char buffer_a[NAME_UTF8_MAX], buffer_b[NAME_UTF8_MAX];
    struct slice value_a, value_b;
    return a->starts_part == b->starts_part && slice_equal(a->oid, b->oid) &&
           name_value(a, buffer_a, &value_a) && name_value(b, buffer_b, &value_b) &&
           same_text(value_a, value_b);
}

/* Whether the name begins with the parts of the constraint. Both are contents of a Name. */
static bool covers_directory(struct slice constraint, struct slice name)
{
    struct name_walk wanted = name_walk(constraint), found = name_walk(name);
    struct name_attribute a, b;
    while (name_next(&wanted, &a))
        if (a.value.len > NAME_VALUE_MAX || !name_next(&found, &b) || !same_attribute(&a, &b))
            return false;
    return !wanted.malformed && found.part.len == 0;
}

static bool covers(unsigned kind, struct slice constraint, struct slice name)
{
    char host[HELLO_NAME_MAX + 1];
    struct slice directory;
    switch (kind) {
    case NAME_DNS: return covers_dns(constraint, name);
    case NAME_EMAIL: return covers_email(constraint, name);
    case NAME_URI: return uri_host(name, host) && covers_host(constraint, slice_of(host));
    case NAME_IP: return covers_address(constraint, name);
    case NAME_DIRECTORY:
        return der_only(constraint, DER_SEQUENCE, &directory) && covers_directory(directory, name);
    default: return slice_equal(constraint, name);
    }
}

/* ---- one name and all subtrees ---- */

/* How many subtrees of the kind the list has, and how many of them cover the name. False: that cannot be
 * told. */
static bool count(struct subtrees *subtrees, struct slice list, unsigned kind, struct slice name,
                  unsigned *all, unsigned *covering)
{
    struct slice subtree, base;
    unsigned tag;
    *all = *covering = 0;
    while (list.len > 0) {
        if (++subtrees->comparisons > COMPARISONS_MAX || !der_take(&list, DER_SEQUENCE, &subtree) ||
            !der_next(&subtree, &tag, &base))
            return false;
        if ((tag & 0xc0) != 0x80 || (tag & 0x1f) != kind)
            continue;
        if (subtree.len > 0) /* minimum or maximum, which RFC 5280 has no use for */
            return false;
        ++*all;
        *covering += covers(kind, base, name);
    }
    return true;
}

/* A URI without host cannot be inside of anything, nor be known to be outside (RFC 5280). */
static bool is_unclear(unsigned kind, struct slice name)
{
    char host[HELLO_NAME_MAX + 1];
    return kind == NAME_URI && !uri_host(name, host);
}

static bool allows(struct subtrees *subtrees, unsigned kind, struct slice name)
{
    unsigned all, covering;
    if (!count(subtrees, subtrees->excluded, kind, name, &all, &covering) || covering > 0 ||
        (all > 0 && is_unclear(kind, name)))
        return false;
    return count(subtrees, subtrees->permitted, kind, name, &all, &covering) && (all == 0 || covering > 0);
}

/* ---- the names of a certificate ---- */

static bool allows_alternative_names(struct subtrees *subtrees, const struct certificate *certificate)
{
    struct slice names, name;
    unsigned kind;
    if (!alternative_names(certificate->extensions, &names))
        return true;
    while (names.len > 0) {
        if (!alternative_name_next(&names, &kind, &name) ||
            (kind == NAME_DIRECTORY && !der_only(name, DER_SEQUENCE, &name)) || !allows(subtrees, kind, name))
            return false;
    }
    return true;
}

static bool allows_subject_addresses(struct subtrees *subtrees, struct slice subject)
{
    struct name_walk walk = name_walk(subject);
    struct name_attribute attribute;
    char buffer[NAME_UTF8_MAX];
    struct slice value;
    while (name_next(&walk, &attribute))
        if (name_key_matches(attribute.oid, SLICE_LITERAL("emailAddress")) &&
            (!name_value(&attribute, buffer, &value) || !allows(subtrees, NAME_EMAIL, value)))
            return false;
    return true;
}

bool constraints_allow_names(const struct certificate *issuer, const struct certificate *certificate)
{
    struct subtrees subtrees;
    if (!read_subtrees(issuer, &subtrees))
        return true;
    return subtrees.comparisons == 0 &&
           (certificate->subject.len == 0 || allows(&subtrees, NAME_DIRECTORY, certificate->subject)) &&
           allows_alternative_names(&subtrees, certificate) &&
           allows_subject_addresses(&subtrees, certificate->subject);
}

/* ---- common names ---- */

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
        if (reads_as_host(value, host) && !allows(&subtrees, NAME_DNS, slice_of(host)))
            return false;
    }
    return true;
}
