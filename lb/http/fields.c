#include "lb/http/fields.h"

#include <stdint.h>

static const struct {
    const char *name;
    uint8_t len, traits;
} fields[HEADER_COUNT] = {[HEADER_OTHER] = {"", 0, 0},
#define X(symbol, name, traits) [HEADER_##symbol] = {name, sizeof(name) - 1, traits},
                          HTTP_FIELDS(X)
#undef X
};

static char fold(char byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return (char)(byte | 0x20);
    return byte == '_' || byte == '.' ? '-' : byte;
}

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

/* ---- finding ---- */

/*
 * Few names share their length and their last letter: each gives a set of fields, one bit each, and what is
 * in both is compared. With a constant argument a set is a constant, so that the switches below become
 * tables.
 */
_Static_assert(HEADER_COUNT <= 64, "a set of fields is one word");

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS uint64_t of_length(size_t len)
{
#define X(symbol, name, traits) | (uint64_t)(sizeof(name) - 1 == len) << HEADER_##symbol
    return 0 HTTP_FIELDS(X);
#undef X
}

ALWAYS uint64_t of_last(char last)
{
#define X(symbol, name, traits) | (uint64_t)(name[sizeof(name) - 2] == last) << HEADER_##symbol
    return 0 HTTP_FIELDS(X);
#undef X
}

#define LENGTH(len)                                                                                          \
    case len:                                                                                                \
        return of_length(len);
#define FOUR_LENGTHS(len) LENGTH(len) LENGTH(len + 1) LENGTH(len + 2) LENGTH(len + 3)

static uint64_t with_length(size_t len)
{
    switch (len) {
        FOUR_LENGTHS(1)
        FOUR_LENGTHS(5)
        FOUR_LENGTHS(9)
        FOUR_LENGTHS(13)
        FOUR_LENGTHS(17)
        FOUR_LENGTHS(21)
    default: return of_length(len);
    }
}

#define LAST(letter)                                                                                         \
    case letter:                                                                                             \
        return of_last(letter);
#define FOUR_LAST(letter) LAST(letter) LAST(letter + 1) LAST(letter + 2) LAST(letter + 3)

static uint64_t with_last(char last)
{
    switch (last) {
        FOUR_LAST('a')
        FOUR_LAST('e')
        FOUR_LAST('i')
        FOUR_LAST('m')
        FOUR_LAST('q')
        FOUR_LAST('u')
        LAST('y')
        LAST('z')
    default: return of_last(last);
    }
}

static bool matches(const char *known, struct slice name, bool *exact)
{
    *exact = true;
    if (memcmp(known, name.data, name.len) == 0)
        return true;
    for (size_t i = 0; i < name.len; i++) {
        if (known[i] == lower(name.data[i]))
            continue;
        *exact = false;
        if (known[i] != fold(name.data[i]))
            return false;
    }
    return true;
}

enum field_id field_find(struct slice name, bool *exact)
{
    uint64_t set = with_length(name.len);
    if (set)
        set &= with_last(fold(name.data[name.len - 1]));
    for (; set; set &= set - 1) {
        unsigned id = (unsigned)__builtin_ctzll(set);
        if (matches(fields[id].name, name, exact))
            return (enum field_id)id;
    }
    *exact = true;
    return HEADER_OTHER;
}

const char *field_name(enum field_id id)
{
    return fields[id].name;
}

struct slice field_name_slice(enum field_id id)
{
    return slice_make(fields[id].name, fields[id].len);
}

unsigned field_traits(enum field_id id)
{
    return fields[id].traits;
}
