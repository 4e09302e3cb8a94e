#include "lb/http/bytes.h"

#include <string.h>

#define VISIBLE (BYTE_VALUE | BYTE_TARGET)
#define CAPITAL (BYTE_TOKEN | BYTE_VALUE | BYTE_TARGET)
#define WORD    (CAPITAL | BYTE_NAME)

const uint8_t http_byte_classes[256] = {
    ['\t'] = BYTE_VALUE,
    [' '] = BYTE_VALUE,
    ['!'] = WORD,
    ['"'] = VISIBLE,
    ['#' ... '\''] = WORD,
    ['('] = VISIBLE,
    [')'] = VISIBLE,
    ['*'] = WORD,
    ['+'] = WORD,
    [','] = VISIBLE,
    ['-'] = WORD,
    ['.'] = WORD,
    ['/'] = VISIBLE,
    ['0' ... '9'] = WORD,
    [':' ... '@'] = VISIBLE,
    ['A' ... 'Z'] = CAPITAL,
    ['[' ... ']'] = VISIBLE,
    ['^' ... 'z'] = WORD,
    ['{'] = VISIBLE,
    ['|'] = WORD,
    ['}'] = VISIBLE,
    ['~'] = WORD,
    [0x80 ... 0xFF] = BYTE_VALUE,
};

static const char *run(const char *at, const char *end, enum byte_class class)
{
    while (at < end && http_byte_is(*at, class))
        at++;
    return at;
}

const char *http_token_end(const char *at, const char *end)
{
    return run(at, end, BYTE_TOKEN);
}

const char *http_target_end(const char *at, const char *end)
{
    return run(at, end, BYTE_TARGET);
}

const char *http_name_end(const char *at, const char *end)
{
    return run(at, end, BYTE_NAME);
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The high bit of each byte that is a control, and of none before the first such byte. */
static uint64_t controls(uint64_t eight)
{
    uint64_t del = eight ^ EACH(0x7F);
    return (((eight - EACH(0x20)) & ~eight) | ((del - EACH(1)) & ~del)) & EACH(0x80);
}

/* In a word that was read from memory. */
static unsigned first_marked(uint64_t marks)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (unsigned)__builtin_ctzll(marks) / 8;
#else
    (void)marks;
    return 0;
#endif
}

/* Values are most of a head, so they are looked at eight bytes at a time. */
const char *http_value_end(const char *at, const char *end)
{
    uint64_t eight;
    while (end - at >= (long)sizeof(eight)) {
        memcpy(&eight, at, sizeof(eight));
        uint64_t marks = controls(eight);
        at += marks ? first_marked(marks) : sizeof(eight);
        if (!marks)
            continue;
        if (!http_byte_is(*at, BYTE_VALUE))
            return at;
        at++;
    }
    return run(at, end, BYTE_VALUE);
}
