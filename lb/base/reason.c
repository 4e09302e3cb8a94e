#include "lb/base/reason.h"

static const struct {
    const char *name, *meaning;
    bool refused;
} table[REASON_COUNT] = {
#define X(symbol, name, refused, meaning) [REASON_##symbol] = {name, meaning, refused},
    REASONS(X)
#undef X
};

const char *reason_name(enum reason reason)
{
    return table[reason].name;
}

const char *reason_meaning(enum reason reason)
{
    return table[reason].meaning;
}

bool reason_refused(enum reason reason)
{
    return table[reason].refused;
}
