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

/* Length and last letter tell nearly all names apart. */
static bool matches(const char *known, struct slice name, bool *exact)
{
    *exact = true;
    for (size_t i = name.len; i-- > 0;) {
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
    *exact = true;
    for (unsigned id = HEADER_OTHER + 1; id < HEADER_COUNT; id++)
        if (fields[id].len == name.len && matches(fields[id].name, name, exact))
            return (enum field_id)id;
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
