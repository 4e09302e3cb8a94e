#include "lb/http/h1_check.h"

#include "lb/http/bytes.h"

#define METHOD_MAX       32
#define LEADING_MAX      2
#define CHUNK_DIGITS_MAX 16

/* What a head can hold, whatever the limits say. */
#define NAME_BYTES_MAX UINT16_MAX
#define FIELDS_MAX     32768

/* The empty line that ends a head is not counted. */
#define END_OF_HEAD 2

void h1_check_fail(struct h1_check *check, unsigned status, const char *text)
{
    if (!check->error.text)
        check->error = (struct h1_error){status, text};
}

static const char *bad(struct h1_check *check, const char *at, const char *text)
{
    h1_check_fail(check, 400, text);
    return at;
}

static const char *go(struct h1_check *check, const char *at, enum h1_at next)
{
    check->at = next;
    return at + 1;
}

static const char *expect(struct h1_check *check, const char *at, char byte, enum h1_at next,
                          const char *text)
{
    return *at == byte ? go(check, at, next) : bad(check, at, text);
}

/* ---- between messages ---- */

static void begin(struct h1_check *check)
{
    check->at = check->kind == H1_REQUESTS ? H1_AT_METHOD : H1_AT_VERSION;
    check->room = check->limits.header_bytes + END_OF_HEAD;
    check->extensions = check->limits.header_bytes;
    check->word = check->fields = check->left = 0;
    check->count = check->leading = 0;
    check->trailers = false;
}

/* RFC 9112 section 2.2: a CRLF or two, which old clients send after a body. */
static const char *leading_cr(struct h1_check *check, const char *at)
{
    if (check->leading == LEADING_MAX)
        return bad(check, at, "empty lines before the request");
    check->leading++;
    return go(check, at, H1_AT_START_LF);
}

size_t h1_check_start(struct h1_check *check, struct slice in)
{
    const char *at = in.data, *end = in.data + in.len;
    while (at < end && !check->error.text) {
        if (check->at == H1_AT_START_LF) {
            at = expect(check, at, '\n', H1_AT_START, "CR without LF before the request");
        } else if (*at == '\r' && check->kind == H1_REQUESTS) {
            at = leading_cr(check, at);
        } else {
            begin(check);
            break;
        }
    }
    return (size_t)(at - in.data);
}

/* ---- the first line ---- */

static const char *step_method(struct h1_check *check, const char *at, const char *end)
{
    const char *stop = http_token_end(at, end);
    if (stop - at > METHOD_MAX - check->count) {
        h1_check_fail(check, 501, "the method is too long");
        return at + (METHOD_MAX - check->count);
    }
    check->count = (uint8_t)(check->count + (stop - at));
    if (stop == end)
        return stop;
    if (*stop != ' ' || check->count == 0)
        return bad(check, stop, "the method is no token followed by one blank");
    return go(check, stop, H1_AT_TARGET);
}

static const char *step_target(struct h1_check *check, const char *at, const char *end)
{
    const char *stop = http_target_end(at, end);
    uint64_t room = check->limits.uri_bytes - check->word;
    if ((uint64_t)(stop - at) > room) {
        h1_check_fail(check, 414, "the target is too long");
        return at + room;
    }
    check->word += (uint64_t)(stop - at);
    if (stop == end)
        return stop;
    if (*stop != ' ' || check->word == 0)
        return bad(check, stop, "the target is not of visible characters between single blanks");
    check->count = 0;
    return go(check, stop, H1_AT_VERSION);
}

/* One byte of "HTTP/1.1" (RFC 9112 section 2.3: case counts). */
static bool version_byte(struct h1_check *check, char byte)
{
    static const char shape[] = "HTTP/d.d";
    char want = shape[check->count];
    if (want != 'd')
        return byte == want;
    if (byte < '0' || byte > '9')
        return false;
    if (check->count == 5)
        check->major = (uint8_t)(byte - '0');
    else
        check->minor = (uint8_t)(byte - '0');
    return true;
}

/* The usual one, when all of it is there. */
static const char *usual_version(struct h1_check *check, const char *at, const char *end)
{
    if (check->count > 0 || end - at < 8 || memcmp(at, "HTTP/1.1", 8) != 0)
        return at;
    check->major = check->minor = 1;
    check->count = 8;
    return at + 8;
}

static const char *step_version(struct h1_check *check, const char *at, const char *end)
{
    at = usual_version(check, at, end);
    for (; at < end && check->count < 8; at++, check->count++)
        if (!version_byte(check, *at))
            return bad(check, at, "the version is malformed");
    if (at == end)
        return at;
    if (*at != (check->kind == H1_REQUESTS ? '\r' : ' '))
        return bad(check, at, "the version is not followed by what must follow it");
    if (check->major != 1 || check->minor > 1) {
        h1_check_fail(check, 505, "the version is neither HTTP/1.0 nor HTTP/1.1");
        return at;
    }
    check->count = 0;
    return go(check, at, check->kind == H1_REQUESTS ? H1_AT_LINE_LF : H1_AT_STATUS);
}

/* Three digits, 100 to 599 (RFC 9110 section 15). A missing reason phrase is often missing with its blank. */
static const char *step_status(struct h1_check *check, const char *at, const char *end)
{
    for (; at < end && check->count < 3; at++, check->count++)
        if (*at < (check->count == 0 ? '1' : '0') || *at > (check->count == 0 ? '5' : '9'))
            return bad(check, at, "the status is not of three digits from 100 to 599");
    if (at == end)
        return at;
    if (*at == '\r')
        return go(check, at, H1_AT_LINE_LF);
    return expect(check, at, ' ', H1_AT_REASON, "the status is not followed by a blank");
}

/* ---- fields ---- */

/* A field value or a reason phrase, with its line end if that is there. */
static const char *step_value(struct h1_check *check, const char *at, const char *end)
{
    const char *stop = http_value_end(at, end);
    if (stop == end)
        return stop;
    if (*stop != '\r')
        return bad(check, stop, *stop == '\n' ? "LF without CR" : "a control character in a value");
    if (end - stop > 1 && stop[1] == '\n')
        return go(check, stop + 1, H1_AT_FIELD);
    return go(check, stop, H1_AT_LINE_LF);
}

static const char *step_name(struct h1_check *check, const char *at, const char *end)
{
    const char *stop = http_token_end(at, end);
    if ((uint64_t)(stop - at) > NAME_BYTES_MAX - check->word) {
        h1_check_fail(check, 431, "a field name is too long");
        return at + (NAME_BYTES_MAX - check->word);
    }
    check->word += (uint64_t)(stop - at);
    if (stop == end)
        return stop;
    if (*stop == ' ' || *stop == '\t')
        return bad(check, stop, "a blank before the colon");
    if (*stop != ':')
        return bad(check, stop, "a field name is no token followed by a colon");
    check->at = H1_AT_VALUE;
    return step_value(check, stop + 1, end);
}

static const char *step_field(struct h1_check *check, const char *at, const char *end)
{
    if (*at == '\r')
        return go(check, at, H1_AT_FIELDS_LF);
    if (*at == ' ' || *at == '\t')
        return bad(check, at, "a line begins with a blank");
    if (!http_byte_is(*at, BYTE_TOKEN))
        return bad(check, at, *at == '\n' ? "LF without CR" : "a line does not begin with a field name");
    if (check->fields == check->limits.header_count || check->fields == FIELDS_MAX) {
        h1_check_fail(check, 431, "too many fields");
        return at;
    }
    check->fields++;
    check->word = 0;
    check->at = H1_AT_NAME;
    return step_name(check, at, end);
}

/* ---- chunks ---- */

static int hex(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static const char *step_size(struct h1_check *check, const char *at)
{
    int digit = hex(*at);
    if (digit < 0) {
        if (check->count == 0 || (*at != '\r' && *at != ';'))
            return bad(check, at, "a chunk size is malformed");
        return go(check, at, *at == ';' ? H1_AT_EXTENSION : H1_AT_CHUNK_LINE_LF);
    }
    if (check->count == CHUNK_DIGITS_MAX || check->left > (uint64_t)(INT64_MAX >> 4))
        return bad(check, at, "a chunk is too large");
    check->count++;
    check->left = check->left << 4 | (unsigned)digit;
    return at + 1;
}

static const char *step_extension(struct h1_check *check, const char *at, const char *end)
{
    const char *stop = http_value_end(at, end);
    if ((uint64_t)(stop - at) > check->extensions) {
        h1_check_fail(check, 431, "chunk extensions are too long");
        return at + check->extensions;
    }
    check->extensions -= (uint64_t)(stop - at);
    if (stop == end)
        return stop;
    return expect(check, stop, '\r', H1_AT_CHUNK_LINE_LF,
                  *stop == '\n' ? "LF without CR" : "a control character in a chunk extension");
}

static const char *begin_chunk(struct h1_check *check, const char *at)
{
    check->count = 0;
    check->left = 0;
    return expect(check, at, '\n', H1_AT_CHUNK_SIZE, "CR without LF after a chunk");
}

void h1_check_after_chunk_line(struct h1_check *check)
{
    if (check->left > 0) {
        check->at = H1_AT_CHUNK_DATA;
        return;
    }
    check->at = H1_AT_FIELD;
    check->trailers = true;
    check->fields = 0;
    check->room = check->limits.header_bytes + END_OF_HEAD;
}

size_t h1_check_data(struct h1_check *check, size_t len)
{
    if (check->at == H1_AT_UNTIL_EOF)
        return len;
    if (len > check->left)
        len = (size_t)check->left;
    check->left -= len;
    if (check->left == 0)
        check->at = check->at == H1_AT_BODY ? H1_AT_OVER : H1_AT_CHUNK_CR;
    return len;
}

/* ---- lines ---- */

static const char *step(struct h1_check *check, const char *at, const char *end)
{
    switch ((enum h1_at)check->at) {
    case H1_AT_METHOD: return step_method(check, at, end);
    case H1_AT_TARGET: return step_target(check, at, end);
    case H1_AT_VERSION: return step_version(check, at, end);
    case H1_AT_STATUS: return step_status(check, at, end);
    case H1_AT_LINE_LF: return expect(check, at, '\n', H1_AT_FIELD, "CR without LF");
    case H1_AT_FIELD: return step_field(check, at, end);
    case H1_AT_NAME: return step_name(check, at, end);
    case H1_AT_REASON:
    case H1_AT_VALUE: return step_value(check, at, end);
    case H1_AT_FIELDS_LF: return expect(check, at, '\n', H1_AT_FIELDS_OVER, "CR without LF");
    case H1_AT_CHUNK_CR: return expect(check, at, '\r', H1_AT_CHUNK_LF, "a chunk is longer than its size");
    case H1_AT_CHUNK_LF: return begin_chunk(check, at);
    case H1_AT_CHUNK_SIZE: return step_size(check, at);
    case H1_AT_EXTENSION: return step_extension(check, at, end);
    case H1_AT_CHUNK_LINE_LF: return expect(check, at, '\n', H1_AT_CHUNK_LINE_OVER, "CR without LF");
    default: h1_check_fail(check, 400, "bytes where none are expected"); return at;
    }
}

static const char *steps(struct h1_check *check, const char *at, const char *end)
{
    while (at < end && check->at < H1_AT_BODY && !check->error.text)
        at = step(check, at, end);
    return at;
}

static bool in_head(const struct h1_check *check)
{
    return check->at <= H1_AT_FIELDS_LF;
}

size_t h1_check_lines(struct h1_check *check, struct slice in)
{
    if (!in_head(check))
        return (size_t)(steps(check, in.data, in.data + in.len) - in.data);
    size_t allowed = in.len > check->room ? (size_t)check->room : in.len;
    size_t used = (size_t)(steps(check, in.data, in.data + allowed) - in.data);
    check->room -= used;
    if (used == allowed && allowed < in.len && in_head(check))
        h1_check_fail(check, check->at == H1_AT_TARGET ? 414 : 431,
                      check->trailers ? "the trailers are too long" : "the head is too long");
    return used;
}
