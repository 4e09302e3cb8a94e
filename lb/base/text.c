#include "lb/base/text.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

void text_init(struct text *text, char *data, size_t cap)
{
    *text = (struct text){.data = data, .cap = cap};
    data[0] = '\0';
}

void text_add(struct text *text, struct slice bytes)
{
    size_t room = text->cap - 1 - text->len;
    size_t take = bytes.len < room ? bytes.len : room;
    slice_copy(text->data + text->len, slice_make(bytes.data, take));
    text->len += take;
    text->data[text->len] = '\0';
    if (take < bytes.len)
        text->truncated = true;
}

void text_addc(struct text *text, char byte)
{
    if (text->len + 1 >= text->cap) {
        text->truncated = true;
        return;
    }
    text->data[text->len++] = byte;
    text->data[text->len] = '\0';
}

void text_addf(struct text *text, const char *format, ...)
{
    size_t room = text->cap - text->len;
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(text->data + text->len, room, format, args);
    va_end(args);
    if (wanted < 0)
        return;
    if ((size_t)wanted >= room) {
        text->len = text->cap - 1;
        text->truncated = true;
        return;
    }
    text->len += (size_t)wanted;
}

void text_addu(struct text *text, uint64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    text_add(text, slice_make(digits + at, sizeof(digits) - at));
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Four bytes, the first lowest, as eight digits: each half of a byte gets a byte of its own, and those of 10
 * to 15 are moved to the letters. */
static uint64_t eight_digits(uint32_t four, bool upper)
{
    uint64_t apart = ((uint64_t)four << 16 | four) & UINT64_C(0x0000FFFF0000FFFF);
    apart = (apart << 8 | apart) & UINT64_C(0x00FF00FF00FF00FF);
    uint64_t halves =
        (apart >> 4 & UINT64_C(0x000F000F000F000F)) | (apart << 8 & UINT64_C(0x0F000F000F000F00));
    uint64_t letters = (halves + EACH(6)) >> 4 & EACH(1);
    return halves + EACH('0') + letters * (upper ? 'A' - '9' - 1 : 'a' - '9' - 1);
}

static void put_digits(char out[8], const void *bytes, bool upper)
{
    uint32_t four;
    memcpy(&four, bytes, sizeof(four));
    uint64_t digits = htole64(eight_digits(le32toh(four), upper));
    memcpy(out, &digits, sizeof(digits));
}

void text_hex(struct text *text, const void *bytes, size_t len, bool upper)
{
    const unsigned char *at = bytes, *end = at + len;
    char digits[8];
    if (len % 4 == 0 && text->cap - text->len > 2 * len) {
        for (; at < end; at += 4, text->len += 8)
            put_digits(text->data + text->len, at, upper);
        text->data[text->len] = '\0';
        return;
    }
    for (; end - at >= 4; at += 4) {
        put_digits(digits, at, upper);
        text_add(text, slice_make(digits, 8));
    }
    if (at < end) {
        unsigned char rest[4] = {0};
        memcpy(rest, at, (size_t)(end - at));
        put_digits(digits, rest, upper);
        text_add(text, slice_make(digits, 2 * (size_t)(end - at)));
    }
}

/* Length of the UTF-8 sequence at `at` (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF), 0 if
 * invalid. */
static size_t utf8_length(const unsigned char *at, size_t left)
{
    if (at[0] < 0x80)
        return 1;
    size_t len = at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    if (at[0] < 0xC2 || at[0] > 0xF4 || left < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    bool overlong = (at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xF0 && at[1] < 0x90);
    bool outside = (at[0] == 0xED && at[1] > 0x9F) || (at[0] == 0xF4 && at[1] > 0x8F);
    return overlong || outside ? 0 : len;
}

static void json_escape(struct text *text, unsigned char byte)
{
    switch (byte) {
    case '"': text_adds(text, "\\\""); break;
    case '\\': text_adds(text, "\\\\"); break;
    case '\n': text_adds(text, "\\n"); break;
    case '\r': text_adds(text, "\\r"); break;
    case '\t': text_adds(text, "\\t"); break;
    default: text_addf(text, "\\u%04x", byte); break;
    }
}

static bool json_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';
}

/* The run that stands for itself; the first byte after it. */
static const unsigned char *add_plain(struct text *text, const unsigned char *at, const unsigned char *end)
{
    const unsigned char *run = at;
    while (at < end && json_plain(*at))
        at++;
    text_add(text, slice_make(run, (size_t)(at - run)));
    return at;
}

void text_json(struct text *text, struct slice bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.data, *end = at + bytes.len;
    text_addc(text, '"');
    while (at < end) {
        at = add_plain(text, at, end);
        if (at == end)
            break;
        size_t len = utf8_length(at, (size_t)(end - at));
        if (len > 1)
            text_add(text, slice_make(at, len));
        else if (len == 1)
            json_escape(text, *at);
        else
            text_adds(text, "\xEF\xBF\xBD");
        at += len ? len : 1;
    }
    text_addc(text, '"');
}

void text_quoted(struct text *text, struct slice bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.data, *end = at + bytes.len;
    if (bytes.len == 0) {
        text_addc(text, '-');
        return;
    }
    text_addc(text, '"');
    while (at < end) {
        at = add_plain(text, at, end);
        if (at == end)
            break;
        size_t len = utf8_length(at, (size_t)(end - at));
        if (len > 1)
            text_add(text, slice_make(at, len));
        else
            text_addf(text, "\\x%02X", *at);
        at += len ? len : 1;
    }
    text_addc(text, '"');
}

void text_clean(struct text *text, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len && !text->truncated; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];
        text_addc(text, byte < 0x20 || byte == 0x7F ? '?' : (char)byte);
    }
}

/* `count` digits and what follows them. */
static char *put_number(char *at, int number, size_t count, char after)
{
    for (size_t i = count; i > 0; number /= 10)
        at[--i] = (char)('0' + number % 10);
    at[count] = after;
    return at + count + 1;
}

/* Each line of a log has one: printf takes ten times as long. */
void text_time(struct text *text, int64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm;
    char stamp[32], *at = stamp;
    gmtime_r(&seconds, &tm);
    if (unix_ms < 0 || tm.tm_year + 1900 > 9999) {
        text_addf(text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                  tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(unix_ms % 1000));
        return;
    }
    at = put_number(at, tm.tm_year + 1900, 4, '-');
    at = put_number(at, tm.tm_mon + 1, 2, '-');
    at = put_number(at, tm.tm_mday, 2, 'T');
    at = put_number(at, tm.tm_hour, 2, ':');
    at = put_number(at, tm.tm_min, 2, ':');
    at = put_number(at, tm.tm_sec, 2, '.');
    at = put_number(at, (int)(unix_ms % 1000), 3, 'Z');
    text_add(text, slice_make(stamp, (size_t)(at - stamp)));
}
