#include "scripting/field.h"

#include <strings.h>

static bool is_letter_or_digit(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool field_is_name(struct slice name)
{
    if (name.len == 0 || name.len > FIELD_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];
        if (!is_letter_or_digit(c) && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return true;
}

bool field_is_value(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if (c < 0x20 || c == 0x7F)
            return false;
    }
    return true;
}

struct slice field_lower(struct slice name, char *out)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        out[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    return slice_make(out, name.len);
}

bool field_is_framing(struct slice name)
{
    static const char *const names[] = {"connection", "content-length",    "http2-settings",
                                        "keep-alive", "proxy-connection",  "te",
                                        "trailer",    "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strlen(names[i]) == name.len && strncasecmp(names[i], name.data, name.len) == 0)
            return true;
    return false;
}

/* --- cookies --- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct slice trim(struct slice text)
{
    while (text.len > 0 && is_blank(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && is_blank(text.data[text.len - 1]))
        text.len--;
    return text;
}

/* cookie-octet: neither controls, blanks, DQUOTE, comma, semicolon nor backslash. */
static bool are_octets(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c <= 0x20 || c >= 0x7F || c == '"' || c == ',' || c == ';' || c == '\\')
            return false;
    }
    return true;
}

static bool is_cookie_value(struct slice value)
{
    if (value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"')
        return are_octets(slice_make(value.data + 1, value.len - 2));
    return are_octets(value);
}

static struct slice take_until(struct slice *rest, char separator)
{
    const char *end = rest->len > 0 ? memchr(rest->data, separator, rest->len) : NULL;
    struct slice taken = slice_make(rest->data, end ? (size_t)(end - rest->data) : rest->len);
    size_t used = taken.len + (end ? 1 : 0);
    rest->data = end ? end + 1 : rest->data;
    rest->len -= used;
    if (!end)
        rest->len = 0;
    return taken;
}

bool cookie_next(struct slice *rest, struct cookie *cookie)
{
    while (rest->len > 0) {
        struct slice value = trim(take_until(rest, ';'));
        bool has_value = value.len > 0 && memchr(value.data, '=', value.len);
        struct slice raw = take_until(&value, '=');
        cookie->name = trim(raw);
        cookie->value = value;
        cookie->valid =
            has_value && raw.len == cookie->name.len && field_is_name(raw) && is_cookie_value(value);
        if (cookie->name.len > 0)
            return true;
    }
    return false;
}
