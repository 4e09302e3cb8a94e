#include <stdint.h>

#include "lb/http/target_parts.h"

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    char lower = (char)(byte | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

int http_escape_value(struct slice text, size_t at)
{
    if (text.len - at < 3)
        return -1;
    int high = hex_digit(text.data[at + 1]), low = hex_digit(text.data[at + 2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* RFC 3986 section 2.3. */
static bool unreserved(int byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

const char *http_byte_refused(char byte)
{
    unsigned char code = (unsigned char)byte;
    if (code == ' ' || code == '\t')
        return "a blank stands in it";
    if (code < ' ' || code > 0x7E)
        return "a byte stands in it that is no printable ASCII";
    return code == '#' ? "a '#' stands in it" : NULL;
}

bool http_path_is_normal(struct slice path)
{
    if (path.len == 0 || path.data[0] != '/')
        return false;
    char before = 0;
    for (size_t i = 0; i < path.len; i++) {
        char byte = path.data[i];
        if (byte <= ' ' || byte > 0x7E)
            return false;
        switch (byte) {
        case '%':
        case '\\':
        case '#':
        case '?':
        case ';': return false;
        case '/':
        case '.':
            if (before == '/')
                return false;
            break;
        default: break;
        }
        before = byte;
    }
    return true;
}

/* ---- one segment ---- */

static bool is_dots(struct slice name)
{
    return slice_is(name, ".") || slice_is(name, "..");
}

/* How many bytes of `text` stand before the first of these: ';' or "%3B" (`slash` false), "%2F" or "%5C". */
static size_t before_mark(struct slice text, bool slash)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!slash && text.data[i] == ';')
            return i;
        int value = text.data[i] == '%' ? http_escape_value(text, i) : -1;
        if (slash ? value == '/' || value == '\\' : value == ';')
            return i;
    }
    return text.len;
}

/* Servers that cut off parameters (";x") or read "%2F" as '/' would find dots there that were not resolved
 * here, or an empty segment that they drop. */
static const char *segment_refused(struct slice segment, bool last)
{
    struct slice left = segment;
    while (true) {
        struct slice part = slice_make(left.data, before_mark(left, true));
        struct slice name = slice_make(part.data, before_mark(part, false));
        if (is_dots(name) && name.len < segment.len)
            return "'.' or '..' stands beside ';' or an encoded slash";
        if (name.len == 0 && part.len > 0 && !last)
            return "a segment is nothing but parameters";
        if (part.len == left.len)
            return NULL;
        left = slice_make(left.data + part.len + 3, left.len - part.len - 3);
    }
}

/* ---- the whole path ---- */

struct writer {
    char *out;
    size_t len;
    size_t start; /* of the segment that is being written: just after a '/' */
    const char *why;
};

static bool refuse(struct writer *writer, const char *why)
{
    writer->why = why;
    return false;
}

static bool leave_segment(struct writer *writer)
{
    if (writer->start == 1)
        return refuse(writer, "it has more '..' than segments");
    size_t slash = writer->start - 1;
    while (writer->out[slash - 1] != '/')
        slash--;
    writer->len = writer->start = slash;
    return true;
}

/* RFC 3986 section 5.2.4, on what stands since the last '/'. */
static bool end_segment(struct writer *writer, bool last)
{
    struct slice segment = slice_make(writer->out + writer->start, writer->len - writer->start);
    if (slice_is(segment, ".."))
        return leave_segment(writer);
    if (slice_is(segment, ".")) {
        writer->len = writer->start;
        return true;
    }
    const char *why = segment_refused(segment, last);
    if (why)
        return refuse(writer, why);
    if (segment.len > 0 && !last) {
        writer->out[writer->len++] = '/';
        writer->start = writer->len;
    }
    return true;
}

static bool put_escape(struct writer *writer, int value, enum encoded_slash slash)
{
    static const char digits[] = "0123456789ABCDEF";
    if (value < 0)
        return refuse(writer, "after '%' stand no two hexadecimal digits");
    if (value == 0)
        return refuse(writer, "\"%00\" stands in it");
    if (value == '/' || value == '\\') {
        if (slash == SLASH_REFUSE)
            return refuse(writer, "an encoded slash or backslash stands in it");
        if (slash == SLASH_DECODE)
            return end_segment(writer, false);
    }
    if (unreserved(value)) {
        writer->out[writer->len++] = (char)value;
        return true;
    }
    writer->out[writer->len++] = '%';
    writer->out[writer->len++] = digits[value >> 4];
    writer->out[writer->len++] = digits[value & 15];
    return true;
}

static bool put_byte(struct writer *writer, char byte)
{
    const char *why = http_byte_refused(byte);
    if (why)
        return refuse(writer, why);
    if (byte == '\\')
        return refuse(writer, "a backslash stands in it");
    if (byte == '?')
        return refuse(writer, "a '?' stands in it");
    if (byte == '/')
        return end_segment(writer, false);
    writer->out[writer->len++] = byte;
    return true;
}

/* Writes never behind what it has read: `out` may be where the path lies. */
static bool normalize(struct slice path, enum encoded_slash slash, struct writer *writer)
{
    if (path.len == 0 || path.data[0] != '/')
        return refuse(writer, "it does not begin with '/'");
    writer->out[0] = '/';
    writer->len = writer->start = 1;
    for (size_t i = 1; i < path.len; i++) {
        if (path.data[i] != '%') {
            if (!put_byte(writer, path.data[i]))
                return false;
            continue;
        }
        if (!put_escape(writer, http_escape_value(path, i), slash))
            return false;
        i += 2;
    }
    return end_segment(writer, true);
}

bool http_path_normalize(struct slice path, enum encoded_slash slash, char *out, size_t *len,
                         const char **why)
{
    struct writer writer = {.out = out};
    if (!normalize(path, slash, &writer)) {
        *why = writer.why;
        return false;
    }
    out[writer.len] = '\0';
    *len = writer.len;
    return true;
}
