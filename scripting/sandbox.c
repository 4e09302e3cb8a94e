/*
 * What scripts find besides lb: base, string, table, math, utf8, coroutine and four functions of os. Out of
 * reach: files, processes, native code, binary chunks, finalizers, and any other way to act outside the hook
 * and its limits.
 */
#include <string.h>
#include <time.h>

#include "scripting/internal.h"

/* --- functions of the originals that work as long as their texts are --- */

/* Charges for the texts among the arguments, then goes on in the original. */
static int charged(lua_State *L)
{
    size_t bytes = 0;
    for (int i = lua_gettop(L); i > 0; i--)
        if (lua_type(L, i) == LUA_TSTRING)
            bytes += lua_rawlen(L, i);
    limits_charge(L, 2 + bytes / 8);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

void sandbox_charge(lua_State *L, const char *const *names)
{
    for (; *names; names++) {
        lua_getfield(L, -1, *names);
        lua_pushcclosure(L, charged, 1);
        lua_setfield(L, -2, *names);
    }
}

/* --- base --- */

/* Finalizers would run code outside of any hook, and tables with weak keys make one step of the collector as
 * long as a script likes. */
static int set_metatable(lua_State *L)
{
    int type = lua_type(L, 2);
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "cannot change a protected metatable");
    lua_settop(L, 2);
    if (type == LUA_TTABLE) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(L, "setmetatable: __gc is not allowed in scripts");
        lua_pushliteral(L, "__mode");
        if (lua_rawget(L, 2) == LUA_TSTRING && strchr(lua_tostring(L, -1), 'k'))
            return luaL_error(L, "setmetatable: weak keys (__mode \"k\") are not allowed in scripts");
        lua_settop(L, 2);
    }
    lua_setmetatable(L, 1);
    return 1;
}

/* The original runs the handler where the error is raised: below the hook that counts, if that raised it,
 * where nothing is counted. Here it runs after the function has been left. Stack: the handler, then what the
 * call gave. */
static int handled(lua_State *L, int status, lua_KContext context)
{
    (void)context;
    if (status == LUA_OK || status == LUA_YIELD) {
        lua_pushboolean(L, true);
        lua_replace(L, 1);
        return lua_gettop(L);
    }
    if (limits_tripped(script_of(L)))
        limits_raise(L);
    lua_pcall(L, 1, 1, 0);
    lua_pushboolean(L, false);
    lua_insert(L, -2);
    return 2;
}

static int xp_call(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 1);
    lua_copy(L, 2, 1);
    lua_replace(L, 2);
    return handled(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, handled), 0);
}

static int collect_garbage(lua_State *L)
{
    const char *what = luaL_optstring(L, 1, "collect");
    if (strcmp(what, "count") != 0)
        return luaL_error(L, "collectgarbage: scripts may only ask for \"count\", lb collects by itself");
    lua_pushnumber(L, (lua_Number)script_of(L)->memory.used / 1024);
    return 1;
}

static void open_base(lua_State *L)
{
    static const char *const removed[] = {"dofile", "loadfile", "load", "warn", NULL};
    static const char *const by_length[] = {"tonumber", NULL};
    static const luaL_Reg own[] = {{"setmetatable", set_metatable},
                                   {"collectgarbage", collect_garbage},
                                   {"print", api_lb_print},
                                   {"require", load_require},
                                   {"xpcall", xp_call},
                                   {NULL, NULL}};
    lua_pushcfunction(L, luaopen_base);
    lua_call(L, 0, 1);
    for (size_t i = 0; removed[i]; i++) {
        lua_pushnil(L);
        lua_setfield(L, -2, removed[i]);
    }
    sandbox_charge(L, by_length);
    luaL_setfuncs(L, own, 0);
    lua_pop(L, 1);
}

/* --- os --- */

static void push_now(lua_State *L)
{
    const struct script_host *host = &script_of(L)->host;
    lua_pushinteger(L,
                    (lua_Integer)(host->now_ms ? host->now_ms(host->context) / 1000 : (int64_t)time(NULL)));
}

/* Without arguments the time is lb.now, so that a dry run for another time sees that time everywhere. */
static int os_time(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        push_now(L);
        return 1;
    }
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static int os_date(lua_State *L)
{
    limits_charge(L, 20 + 20 * strlen(luaL_optstring(L, 1, "%c")));
    if (lua_gettop(L) == 0)
        lua_pushliteral(L, "%c");
    if (lua_isnoneornil(L, 2)) {
        lua_settop(L, 1);
        push_now(L);
    }
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static void copy_field(lua_State *L, const char *name, lua_CFunction over)
{
    lua_getfield(L, -2, name);
    if (over)
        lua_pushcclosure(L, over, 1);
    lua_setfield(L, -2, name);
}

static void open_os(lua_State *L)
{
    lua_pushcfunction(L, luaopen_os);
    lua_call(L, 0, 1);
    lua_newtable(L);
    copy_field(L, "time", os_time);
    copy_field(L, "date", os_date);
    copy_field(L, "clock", NULL);
    copy_field(L, "difftime", NULL);
    lua_setglobal(L, "os");
    lua_pop(L, 1);
}

/* --- all --- */

static void open_global(lua_State *L, const char *name, lua_CFunction open, const char *const *by_length)
{
    lua_pushcfunction(L, open);
    lua_call(L, 0, 1);
    if (by_length)
        sandbox_charge(L, by_length);
    lua_setglobal(L, name);
}

void sandbox_open(lua_State *L)
{
    static const char *const utf8_by_length[] = {"len", "codepoint", "offset", "codes", NULL};
    open_base(L);
    open_os(L);
    open_global(L, "math", luaopen_math, NULL);
    open_global(L, "utf8", luaopen_utf8, utf8_by_length);
    open_global(L, "string", library_string_open, NULL);
    open_global(L, "table", library_table_open, NULL);
    open_global(L, "coroutine", coroutine_open, NULL);
}
