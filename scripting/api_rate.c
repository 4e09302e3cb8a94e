/* lb.rate_limit in Lua. */
#include "scripting/internal.h"

#define KEY_MAX     256
#define LIMIT_MAX   1000000
#define SECONDS_MIN 0.001
#define SECONDS_MAX 86400

static struct slice check_key(lua_State *L)
{
    struct slice key = {NULL, 0};
    if (lua_type(L, 1) == LUA_TSTRING)
        key.data = lua_tolstring(L, 1, &key.len);
    if (key.len < 1 || key.len > KEY_MAX)
        luaL_error(L, "lb.rate_limit: the key is a text of 1 to %d bytes", KEY_MAX);
    return key;
}

static unsigned check_limit(lua_State *L)
{
    int whole = 0;
    lua_Integer limit = lua_type(L, 2) == LUA_TNUMBER ? lua_tointegerx(L, 2, &whole) : 0;
    if (!whole || limit < 1 || limit > LIMIT_MAX)
        luaL_error(L, "lb.rate_limit: the limit is a whole number from 1 to %d", LIMIT_MAX);
    return (unsigned)limit;
}

static uint64_t check_window(lua_State *L)
{
    lua_Number seconds = lua_type(L, 3) == LUA_TNUMBER ? lua_tonumber(L, 3) : 0;
    if (!(seconds >= SECONDS_MIN && seconds <= SECONDS_MAX))
        luaL_error(L, "lb.rate_limit: the time is in seconds from 0.001 to %d", SECONDS_MAX);
    return (uint64_t)(seconds * 1000 + 0.5);
}

int api_rate_limit(lua_State *L)
{
    const struct script *script = script_of(L);
    struct slice key = check_key(L);
    unsigned limit = check_limit(L);
    uint64_t window_ms = check_window(L);
    if (script->running->loading)
        return luaL_error(L, "lb.rate_limit counts in hooks only, not while the script is loaded");
    if (!script->host.rate)
        return luaL_error(L, "lb.rate_limit is not available here");
    limits_charge(L, 50);
    lua_pushboolean(L, script->host.rate(script->host.context, key, limit, window_ms));
    return 1;
}
