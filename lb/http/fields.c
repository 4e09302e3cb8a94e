#include "lb/http/fields.h"

#include <stdint.h>

static const struct {
    const char *name;
    uint8_t traits;
} fields[HEADER_COUNT] = {[HEADER_OTHER] = {"", 0},
#define X(symbol, name, traits) [HEADER_##symbol] = {name, traits},
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

/* Last letters tell most names of one length apart, and most names come in lower case. */
static bool matches(const char *known, struct slice name, bool *exact)
{
    *exact = true;
    if (fold(name.data[name.len - 1]) != known[name.len - 1])
        return false;
    if (memcmp(known, name.data, name.len) == 0)
        return true;
    for (size_t i = 0; i < name.len; i++) {
        *exact = *exact && known[i] == lower(name.data[i]);
        if (known[i] != fold(name.data[i]))
            return false;
    }
    return true;
}

/* Bit 1 << id for each field whose name has this length: a table that the compiler makes. */
static uint64_t of_length(size_t len)
{
#define X(symbol, name, traits) | (uint64_t)(sizeof(name) - 1 == LENGTH) << HEADER_##symbol
#define OF(length)                                                                                           \
    case length: {                                                                                           \
        enum { LENGTH = length };                                                                            \
        return 0 HTTP_FIELDS(X);                                                                             \
    }
    /* clang-format off */
    switch (len) {
    OF(1) OF(2) OF(3) OF(4) OF(5) OF(6) OF(7) OF(8) OF(9) OF(10) OF(11) OF(12)
    OF(13) OF(14) OF(15) OF(16) OF(17) OF(18) OF(19) OF(20) OF(21) OF(22) OF(23) OF(24)
    default: return 0;
    }
    /* clang-format on */
}
#undef OF
#undef X

_Static_assert(HEADER_COUNT <= 64, "a set of fields is a word");
#define X(symbol, name, traits) _Static_assert(sizeof(name) - 1 <= 24, "of_length knows the length of " name);
HTTP_FIELDS(X)
#undef X

enum field_id field_find(struct slice name, bool *exact)
{
    for (uint64_t left = of_length(name.len); left != 0; left &= left - 1) {
        unsigned id = (unsigned)__builtin_ctzll(left);
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

unsigned field_traits(enum field_id id)
{
    return fields[id].traits;
}
