/* The userdata that lb makes: recognized by the identity of the metatable, which no script can reach. */
#include "lb/base/units.h"
#include "scripting/internal.h"

void *userdata_is(lua_State *L, int index, enum kind kind)
{
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
        return NULL;
    bool same = lua_topointer(L, -1) == script_of(L)->meta[kind];
    lua_pop(L, 1);
    return same ? lua_touserdata(L, index) : NULL;
}

void *userdata_check(lua_State *L, int index, enum kind kind, const char *what)
{
    void *block = userdata_is(L, index, kind);
    luaL_argexpected(L, block, index, what);
    return block;
}

void *userdata_new(lua_State *L, enum kind kind, size_t size, int user_values)
{
    void *block = lua_newuserdatauv(L, size, user_values);
    lua_rawgeti(L, LUA_REGISTRYINDEX, script_of(L)->meta_ref[kind]);
    lua_setmetatable(L, -2);
    return block;
}

static int refuse_write(lua_State *L)
{
    return luaL_error(L, "%s is read-only", lua_tostring(L, lua_upvalueindex(1)));
}

static void push_names(lua_State *L, const char *const *names)
{
    lua_newtable(L);
    for (int i = 0; names && names[i]; i++) {
        lua_pushinteger(L, i);
        lua_setfield(L, -2, names[i]);
    }
}

/* Where Lua keeps the names that are in the table on the top. Short texts are there once, so that most keys
 * are known by their address. */
static void push_known(lua_State *L, const char *const *names)
{
    size_t count = 0;
    while (names && names[count])
        count++;
    const char **known = lua_newuserdatauv(L, (count + 1) * sizeof(*known), 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushstring(L, names[i]);
        known[i] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    known[count] = NULL;
}

static void lock(lua_State *L, const char *what)
{
    if (lua_getfield(L, -1, "__newindex") == LUA_TNIL) {
        lua_pushstring(L, what);
        lua_pushcclosure(L, refuse_write, 1);
        lua_setfield(L, -3, "__newindex");
    }
    lua_pop(L, 1);
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
}

void userdata_kind(lua_State *L, enum kind kind, const luaL_Reg *metamethods, const char *const *names,
                   lua_CFunction index)
{
    static const char *const called[KIND_COUNT] = {
        "conn",   "conn.tls",  "conn.chain", "a certificate", "a name",  "certificate.san", "certificate.key",
        "a list", "a verdict", "req",        "res",           "headers", "cookies"};
    lua_newtable(L);
    script_of(L)->meta[kind] = lua_topointer(L, -1);
    if (metamethods)
        luaL_setfuncs(L, metamethods, 0);
    if (index) {
        push_names(L, names);
        push_known(L, names);
        lua_pushcclosure(L, index, 2);
        lua_setfield(L, -2, "__index");
    }
    lua_pushstring(L, called[kind]);
    lua_setfield(L, -2, "__name");
    lock(L, called[kind]);
    script_of(L)->meta_ref[kind] = luaL_ref(L, LUA_REGISTRYINDEX);
}

void userdata_unknown(lua_State *L, int key, const char *what, const char *const *names)
{
    if (lua_type(L, key) != LUA_TSTRING)
        luaL_error(L, "%s has no field of type %s", what, luaL_typename(L, key));
    const char *name = lua_tostring(L, key);
    const char *nearest = units_nearest(name, names);
    if (nearest)
        luaL_error(L, "%s has no field '%s', did you mean '%s'?", what, name, nearest);
    luaL_error(L, "%s has no field '%s'", what, name);
    __builtin_unreachable();
}

int userdata_field(lua_State *L, const char *what, const char *const *names)
{
    const char *const *known = lua_touserdata(L, lua_upvalueindex(2));
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : NULL;
    int good;
    for (int i = 0; key && known[i]; i++)
        if (known[i] == key)
            return i;
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    lua_Integer field = lua_tointegerx(L, -1, &good);
    lua_pop(L, 1);
    if (!good)
        userdata_unknown(L, 2, what, names);
    return (int)field;
}

/* --- modules --- */

#define MODULE_FIELDS_MAX 200

/* Names of the module's table (upvalue 1), for the suggestion only. */
static void module_unknown(lua_State *L, const char *what)
{
    const char *names[MODULE_FIELDS_MAX + 1];
    int count = 0;
    lua_pushnil(L);
    while (count < MODULE_FIELDS_MAX && lua_next(L, lua_upvalueindex(1))) {
        names[count++] = lua_tostring(L, -2); /* stays: the table keeps it */
        lua_pop(L, 1);
    }
    names[count] = NULL;
    lua_settop(L, 2);
    userdata_unknown(L, 2, what, names);
}

static int module_index(lua_State *L)
{
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL)
        module_unknown(L, lua_tostring(L, lua_upvalueindex(2)));
    return 1;
}

void userdata_module(lua_State *L, const char *name)
{
    lua_newuserdatauv(L, 0, 0);
    lua_newtable(L);
    lua_pushvalue(L, -3);
    lua_pushstring(L, name);
    lua_pushcclosure(L, module_index, 2);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__name");
    lock(L, name);
    lua_setmetatable(L, -2);
    lua_replace(L, -2);
}
