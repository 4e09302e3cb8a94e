/* lb.options.NAME and lb.option(name, default): what the configuration hands to the script. */
#include <string.h>

#include "scripting/internal.h"

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Pushes the value as a list: split at commas, blanks around the parts taken away, empty parts left out. */
static void push_value(lua_State *L, const char *value)
{
    const char *at = value;
    lua_newtable(L);
    for (lua_Integer n = 0; *at;) {
        const char *end = at + strcspn(at, ","), *next = *end ? end + 1 : end;
        while (at < end && blank(*at))
            at++;
        while (end > at && blank(end[-1]))
            end--;
        if (end > at) {
            lua_pushlstring(L, at, (size_t)(end - at));
            lua_rawseti(L, -2, ++n);
        }
        at = next;
    }
    list_wrap(L, slice_of(value));
}

static const char options_key = 0;

static int options_index(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &options_key);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, -2) == LUA_TNIL)
        return luaL_error(
            L, "option.%s is not set for this listener: set it, or read it with lb.option(name, default)",
            luaL_tolstring(L, 2, NULL));
    return 1;
}

int options_default(lua_State *L)
{
    luaL_checkstring(L, 1);
    lua_settop(L, 2);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &options_key);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, -2) == LUA_TNIL)
        lua_pushvalue(L, 2);
    return 1;
}

static int options_write(lua_State *L)
{
    return luaL_error(L, "lb.options is read-only");
}

static void set_text(lua_State *L, const char *field, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, -2, field);
}

void options_open(lua_State *L, const struct script_settings *settings)
{
    static const luaL_Reg metamethods[] = {{"__index", options_index},
                                           {"__newindex", options_write},
                                           {NULL, NULL}};
    lua_newtable(L);
    for (size_t i = 0; i < settings->option_count; i++) {
        push_value(L, settings->options[i].value);
        lua_setfield(L, -2, settings->options[i].name);
    }
    lua_rawsetp(L, LUA_REGISTRYINDEX, &options_key);
    lua_newuserdatauv(L, 0, 0);
    luaL_newlib(L, metamethods);
    set_text(L, "__name", "lb.options");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}
