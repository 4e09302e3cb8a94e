#include "scripting/facts_in.h"

#include <stdlib.h>

#define VALUES_MAX  4096
#define SCRATCH_MAX SCRIPT_STRING_MAX

/* The reader of certificates must not be left by a jump, so values are copied first and become strings once
 * it has returned. */
struct gather {
    struct script *script;
    size_t used;
    unsigned count, most;
    bool overflow;
};

static bool make_room(struct script *script, size_t size)
{
    if (size <= script->scratch_cap)
        return true;
    size_t cap = size < 4096 ? 4096 : size * 2;
    char *grown = realloc(script->scratch, cap);
    if (!grown)
        return false;
    script->scratch = grown;
    script->scratch_cap = cap;
    return true;
}

static void take(void *sink, struct slice value)
{
    struct gather *gather = sink;
    size_t size = sizeof(size_t) + value.len;
    if (gather->count == gather->most || gather->overflow)
        return;
    gather->overflow = gather->count == VALUES_MAX || size > SCRATCH_MAX - gather->used ||
                       !make_room(gather->script, gather->used + size);
    if (gather->overflow)
        return;
    char *at = gather->script->scratch + gather->used;
    memcpy(at, &value.len, sizeof(size_t));
    if (value.len > 0)
        memcpy(at + sizeof(size_t), value.data, value.len);
    gather->used += size;
    gather->count++;
}

static const void *certificate_of(const struct view *view)
{
    return view->call->conn.chain[view->index].certificate;
}

static struct gather gather_values(lua_State *L, const struct view *view, enum script_field field,
                                   struct slice key, unsigned most)
{
    struct gather gather = {.script = script_of(L), .most = most};
    if (!view->call->conn.ops->values(certificate_of(view), field, key, take, &gather))
        limits_trip(L, TRIP_CERTIFICATE);
    if (gather.overflow)
        luaL_error(L, "the certificate holds more values than a script may read");
    limits_charge(L, 20 + gather.used / 16);
    return gather;
}

static size_t push_value(lua_State *L, const char *at)
{
    size_t len;
    memcpy(&len, at, sizeof(len));
    lua_pushlstring(L, at + sizeof(len), len);
    return sizeof(len) + len;
}

void facts_push_first(lua_State *L, const struct view *view, enum script_field field, struct slice key)
{
    struct gather gather = gather_values(L, view, field, key, 1);
    if (gather.count == 0)
        lua_pushnil(L);
    else
        push_value(L, gather.script->scratch);
}

void facts_push_list(lua_State *L, const struct view *view, enum script_field field, struct slice key)
{
    struct gather gather = gather_values(L, view, field, key, VALUES_MAX + 1);
    const char *at = gather.script->scratch;
    lua_createtable(L, (int)gather.count, (int)gather.count);
    for (unsigned i = 1; i <= gather.count; i++) {
        at += push_value(L, at);
        lua_rawseti(L, -2, i);
    }
    list_wrap(L, (struct slice){NULL, 0});
}

void facts_push_number(lua_State *L, const struct view *view, enum script_field field)
{
    int64_t number;
    if (!view->call->conn.ops->number(certificate_of(view), field, &number))
        limits_trip(L, TRIP_CERTIFICATE);
    lua_pushinteger(L, (lua_Integer)number);
}
