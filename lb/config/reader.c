#include "lb/config/reader.h"

#include <ini.h>
#include <string.h>

struct reader {
    struct slice rest; /* of the file */
    struct place place;
    const struct reader_events *events;
    void *context;
    struct problems *problems;
};

static bool blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static struct slice trim(struct slice text)
{
    while (text.len && blank(text.data[0]))
        text = slice_make(text.data + 1, text.len - 1);
    while (text.len && blank(text.data[text.len - 1]))
        text.len--;
    return text;
}

static struct slice next_line(struct slice *rest)
{
    const char *end = memchr(rest->data, '\n', rest->len);
    struct slice line = slice_make(rest->data, end ? (size_t)(end - rest->data) : rest->len);
    size_t used = line.len + (end ? 1 : 0);
    *rest = slice_make(rest->data + used, rest->len - used);
    if (line.len && line.data[line.len - 1] == '\r')
        line.len--;
    return line;
}

static bool has_control(struct slice line, unsigned char *which)
{
    for (size_t i = 0; i < line.len; i++) {
        unsigned char byte = (unsigned char)line.data[i];
        if ((byte < ' ' && byte != '\t') || byte == 0x7f) {
            *which = byte;
            return true;
        }
    }
    return false;
}

static bool comment_or_blank(struct slice line)
{
    struct slice text = trim(line);
    return text.len == 0 || text.data[0] == ';' || text.data[0] == '#';
}

/* Where inih would see an inline comment begin, or the end. */
static size_t comment_start(struct slice text)
{
    for (size_t i = 1; i < text.len; i++)
        if (text.data[i] == ';' && blank(text.data[i - 1]))
            return i;
    return text.len;
}

static bool check_heading(struct reader *reader, struct slice line)
{
    const char *end = memchr(line.data, ']', line.len);
    if (!end || (size_t)(end - line.data) >= comment_start(line)) {
        problems_add(reader->problems, reader->place,
                     "the section has no closing ']': write [KIND] or [KIND NAME]");
        return false;
    }
    struct slice after = slice_make(end + 1, line.len - (size_t)(end + 1 - line.data));
    if (!comment_or_blank(after)) {
        problems_add(reader->problems, reader->place,
                     "there is more after the ']' of the section: put it on a line of its own");
        return false;
    }
    reader->events->section(reader->context, trim(slice_make(line.data + 1, (size_t)(end - line.data) - 1)),
                            reader->place);
    return true;
}

static bool check_setting(struct reader *reader, struct slice line)
{
    struct slice text = slice_make(line.data, comment_start(line));
    const char *equals = memchr(text.data, '=', text.len);
    size_t name = equals ? (size_t)(equals - text.data) : text.len;
    if (memchr(text.data, ':', name)) {
        problems_add(reader->problems, reader->place, "a ':' stands before any '=': write 'key = value'");
        return false;
    }
    if (!equals) {
        problems_add(reader->problems, reader->place, "'%.*s' has no value: write 'key = value'",
                     (int)trim(text).len, trim(text).data);
        return false;
    }
    if (trim(slice_make(text.data, name)).len == 0) {
        problems_add(reader->problems, reader->place, "there is no key before the '=': write 'key = value'");
        return false;
    }
    return true;
}

/* True if inih may read the line as it stands. */
static bool check_line(struct reader *reader, struct slice line, size_t room)
{
    unsigned char byte;
    if (has_control(line, &byte)) {
        problems_add(reader->problems, reader->place,
                     "the line holds the control character 0x%02x: remove it (lines end with LF or CR LF)",
                     byte);
        return false;
    }
    if (comment_or_blank(line))
        return false;
    if (line.len > room) {
        problems_add(reader->problems, reader->place,
                     "the line has %zu bytes, more than %zu: split the list over several lines with the same "
                     "key, or put "
                     "the value in the environment and write ${NAME}",
                     line.len, room);
        return false;
    }
    if (blank(line.data[0])) {
        problems_add(
            reader->problems, reader->place,
            "the line is indented: begin it at the left edge (values do not go on over several lines)");
        return false;
    }
    return line.data[0] == '[' ? check_heading(reader, line) : check_setting(reader, line);
}

/* A heading that cannot be read ends the section above it all the same. */
static void leave_section(struct reader *reader, struct slice line)
{
    struct slice text = trim(line);
    if (text.len && text.data[0] == '[')
        reader->events->section(reader->context, slice_make(NULL, 0), reader->place);
}

/* inih's fgets. The sections are told by the reader, so inih gets to see one name for all, which it cannot
 * cut. */
static char *give_line(char *out, int size, void *stream)
{
    static const char heading[] = "[section]";
    struct reader *reader = stream;
    if (reader->rest.len == 0)
        return NULL;
    struct slice line = next_line(&reader->rest);
    reader->place.line++;
    if (!check_line(reader, line, (size_t)size - 1)) {
        leave_section(reader, line);
        line.len = 0;
    } else if (line.data[0] == '[') {
        line = SLICE_LITERAL(heading);
    }
    memcpy(out, line.data, line.len);
    out[line.len] = '\0';
    return out;
}

static int take_setting(void *user, const char *section, const char *name, const char *value)
{
    struct reader *reader = user;
    (void)section;
    reader->events->setting(reader->context, name, value, reader->place);
    return 1;
}

static bool is_text(struct reader *reader, struct slice text)
{
    if (text.len >= 2 && (memcmp(text.data, "\xff\xfe", 2) == 0 || memcmp(text.data, "\xfe\xff", 2) == 0)) {
        problems_add(reader->problems, reader->place, "the file is UTF-16: save it as UTF-8");
        return false;
    }
    const char *nul = text.len ? memchr(text.data, '\0', text.len) : NULL;
    if (!nul)
        return true;
    for (const char *at = text.data; at < nul; at++)
        reader->place.line += *at == '\n';
    reader->place.line++;
    problems_add(reader->problems, reader->place, "the line holds a NUL byte: this is no text file");
    return false;
}

void reader_run(struct slice text, const char *file, const struct reader_events *events, void *context,
                struct problems *problems)
{
    struct reader reader = {text, {file, 0}, events, context, problems};
    if (!is_text(&reader, text))
        return;
    if (text.len >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
        reader.rest = slice_make(text.data + 3, text.len - 3);
    int wrong = ini_parse_stream(give_line, &reader, take_setting, &reader);
    if (wrong != 0)
        problems_add(problems, (struct place){file, wrong > 0 ? (unsigned)wrong : 0},
                     "the line cannot be read: write 'key = value' or [section]");
}
