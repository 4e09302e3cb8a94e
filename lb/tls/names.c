#include "lb/tls/names.h"

#include "lb/tls/der.h"

enum {
    LINE_SEPARATOR = 0x2028,
    PARAGRAPH_SEPARATOR = 0x2029
}; /* of Unicode: they end a line, as controls do */

/* Short names as in RFC 4514 section 3, RFC 4519 and, for the others, as OpenSSL writes them. */
static const struct {
    struct slice oid;
    const char *name;
} TYPES[] = {
    {SLICE_LITERAL("\x55\x04\x03"), "CN"},
    {SLICE_LITERAL("\x55\x04\x0a"), "O"},
    {SLICE_LITERAL("\x55\x04\x0b"), "OU"},
    {SLICE_LITERAL("\x55\x04\x06"), "C"},
    {SLICE_LITERAL("\x55\x04\x08"), "ST"},
    {SLICE_LITERAL("\x55\x04\x07"), "L"},
    {SLICE_LITERAL("\x55\x04\x09"), "STREET"},
    {SLICE_LITERAL("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"), "DC"},
    {SLICE_LITERAL("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01"), "UID"},
    {SLICE_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"), "emailAddress"},
    {SLICE_LITERAL("\x55\x04\x05"), "serialNumber"},
    {SLICE_LITERAL("\x55\x04\x04"), "SN"},
    {SLICE_LITERAL("\x55\x04\x2a"), "GN"},
    {SLICE_LITERAL("\x55\x04\x0c"), "title"},
    {SLICE_LITERAL("\x55\x04\x2b"), "initials"},
    {SLICE_LITERAL("\x55\x04\x2c"), "generationQualifier"},
    {SLICE_LITERAL("\x55\x04\x2e"), "dnQualifier"},
    {SLICE_LITERAL("\x55\x04\x41"), "pseudonym"},
    {SLICE_LITERAL("\x55\x04\x0f"), "businessCategory"},
    {SLICE_LITERAL("\x55\x04\x11"), "postalCode"},
    {SLICE_LITERAL("\x55\x04\x61"), "organizationIdentifier"},
};

static const char *type_name(struct slice oid)
{
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++)
        if (slice_equal(TYPES[i].oid, oid))
            return TYPES[i].name;
    return NULL;
}

bool name_key_matches(struct slice oid, struct slice key)
{
    const char *name = type_name(oid);
    if (name && slice_is(key, name))
        return true;
    char dotted[256];
    struct text text;
    text_init(&text, dotted, sizeof dotted);
    return key.len > 0 && key.data[0] >= '0' && key.data[0] <= '2' && der_oid_text(oid, &text) &&
           !text.truncated && slice_equal(key, slice_make(text.data, text.len));
}

/* ---- walking ---- */

struct name_walk name_walk(struct slice name)
{
    return (struct name_walk){.parts = name};
}

static bool read_attribute(struct name_walk *walk, struct name_attribute *out)
{
    struct slice pair;
    out->starts_part = walk->part.len == 0;
    if (out->starts_part && !der_take(&walk->parts, DER_SET, &walk->part))
        return false;
    if (!der_take(&walk->part, DER_SEQUENCE, &pair) || !der_take(&pair, DER_OID, &out->oid))
        return false;
    out->whole = pair;
    return der_next(&pair, &out->tag, &out->value) && pair.len == 0;
}

bool name_next(struct name_walk *walk, struct name_attribute *out)
{
    if (walk->malformed || (walk->part.len == 0 && walk->parts.len == 0))
        return false;
    walk->malformed = !read_attribute(walk, out);
    return !walk->malformed;
}

/* ---- values ---- */

static bool is_string(unsigned tag)
{
    return tag == DER_UTF8 || tag == DER_PRINTABLE || tag == DER_IA5 || tag == DER_NUMERIC ||
           tag == DER_VISIBLE || tag == DER_T61 || tag == DER_BMP || tag == DER_UNIVERSAL;
}

static bool needs_conversion(unsigned tag)
{
    return tag == DER_T61 || tag == DER_BMP || tag == DER_UNIVERSAL;
}

/* Reads one character at *at. False: not encoded as the type demands. */
static bool next_utf8(struct slice value, size_t *at, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t lead = (uint8_t)value.data[*at];
    size_t len = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
    if (len == 0 || value.len - *at < len)
        return false;
    *code = len == 1 ? lead : lead & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        uint8_t byte = (uint8_t)value.data[*at + i];
        if (byte >> 6 != 2)
            return false;
        *code = *code << 6 | (byte & 0x3f);
    }
    *at += len;
    return *code >= least[len];
}

static bool next_wide(struct slice value, size_t width, size_t *at, uint32_t *code)
{
    if (value.len - *at < width)
        return false;
    *code = 0;
    for (size_t i = 0; i < width; i++)
        *code = *code << 8 | (uint8_t)value.data[*at + i];
    *at += width;
    return true;
}

static bool next_character(unsigned tag, struct slice value, size_t *at, uint32_t *code)
{
    bool read = tag == DER_UTF8        ? next_utf8(value, at, code)
                : tag == DER_BMP       ? next_wide(value, 2, at, code)
                : tag == DER_UNIVERSAL ? next_wide(value, 4, at, code)
                                       : next_wide(value, 1, at, code);
    bool ascii_only = tag != DER_UTF8 && !needs_conversion(tag);
    return read && *code <= 0x10ffff && (*code < 0xd800 || *code > 0xdfff) && !(ascii_only && *code > 0x7f);
}

static size_t put_utf8(char *out, uint32_t code)
{
    size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len; i-- > 1; code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(lead[len] | code);
    return len;
}

static bool hex_value(struct slice whole, char *buffer, struct slice *out)
{
    struct text text;
    text_init(&text, buffer, NAME_UTF8_MAX);
    text_addc(&text, '#');
    text_hex(&text, whole.data, whole.len, false);
    *out = slice_make(text.data, text.len);
    return !text.truncated;
}

bool name_value(const struct name_attribute *attribute, char *buffer, struct slice *out)
{
    if (!is_string(attribute->tag))
        return hex_value(attribute->whole, buffer, out);
    *out = attribute->value;
    if (!needs_conversion(attribute->tag))
        return true;
    size_t len = 0;
    for (size_t at = 0; at < attribute->value.len;) {
        uint32_t code;
        if (len + 4 > NAME_UTF8_MAX || !next_character(attribute->tag, attribute->value, &at, &code))
            return false;
        len += put_utf8(buffer + len, code);
    }
    *out = slice_make(buffer, len);
    return true;
}

static const char *value_problem(const struct name_attribute *attribute)
{
    if (attribute->value.len > NAME_VALUE_MAX)
        return "a value in a name is too long";
    if (!is_string(attribute->tag))
        return NULL;
    for (size_t at = 0; at < attribute->value.len;) {
        uint32_t code;
        if (!next_character(attribute->tag, attribute->value, &at, &code))
            return "a value in a name is not encoded as its type says";
        if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == LINE_SEPARATOR ||
            code == PARAGRAPH_SEPARATOR)
            return "a name holds a control character";
    }
    return NULL;
}

const char *name_problem(struct slice name)
{
    struct name_walk walk = name_walk(name);
    struct name_attribute attribute;
    size_t attributes = 0;
    while (name_next(&walk, &attribute)) {
        const char *problem = value_problem(&attribute);
        if (problem)
            return problem;
        if (++attributes > NAME_PARTS_MAX)
            return "a name has too many parts";
    }
    return walk.malformed ? "a name is malformed" : NULL;
}

/* ---- text ---- */

static void add_escaped(struct text *out, struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        char byte = value.data[i];
        bool edge = (i == 0 && (byte == ' ' || byte == '#')) || (i == value.len - 1 && byte == ' ');
        if (edge || strchr(",+\"\\<>;", byte))
            text_addc(out, '\\');
        text_addc(out, byte);
    }
}

/* An attribute type without a short name has its value in hex, as RFC 4514 section 2.4 demands. */
static bool add_attribute(struct text *out, const struct name_attribute *attribute)
{
    char buffer[NAME_UTF8_MAX];
    struct slice value;
    const char *type = type_name(attribute->oid);
    bool plain = type && is_string(attribute->tag);
    if (type)
        text_adds(out, type);
    else if (!der_oid_text(attribute->oid, out))
        return false;
    text_addc(out, '=');
    if (!(plain ? name_value(attribute, buffer, &value) : hex_value(attribute->whole, buffer, &value)))
        return false;
    if (plain)
        add_escaped(out, value);
    else
        text_add(out, value);
    return true;
}

static bool add_part(struct text *out, struct slice part)
{
    struct name_walk walk = {.part = part};
    struct name_attribute attribute;
    for (bool more = false; walk.part.len > 0; more = true) {
        if (more)
            text_addc(out, '+');
        if (!name_next(&walk, &attribute) || !add_attribute(out, &attribute))
            return false;
    }
    return true;
}

bool name_text(struct slice name, struct text *out)
{
    struct slice parts[NAME_PARTS_MAX];
    size_t count = 0;
    while (name.len > 0) {
        if (count == NAME_PARTS_MAX || !der_take(&name, DER_SET, &parts[count++]))
            return false;
    }
    while (count-- > 0) {
        if (!add_part(out, parts[count]))
            return false;
        if (count > 0)
            text_addc(out, ',');
    }
    return true;
}
