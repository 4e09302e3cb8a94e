/* Read-only lists that also answer membership: lb.options.ou, certificate.san.dns, certificate.key_usage. */
#include "scripting/internal.h"

/* User values: 1 the table (1..n the values, and each value as a key), 2 the text or nil. */
enum { LIST_TABLE = 1, LIST_TEXT = 2 };

static void push_table(lua_State *L, int index)
{
    lua_getiuservalue(L, index, LIST_TABLE);
}

bool list_table(lua_State *L, int index)
{
    if (lua_istable(L, index))
        lua_pushvalue(L, index);
    else if (userdata_is(L, index, KIND_LIST))
        push_table(L, index);
    else
        return false;
    return true;
}

/* Any key may be asked for, nil too: what is no member reads as nil. */
static int list_index(lua_State *L)
{
    userdata_check(L, 1, KIND_LIST, "list");
    push_table(L, 1);
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    return 1;
}

static int list_len(lua_State *L)
{
    userdata_check(L, 1, KIND_LIST, "list");
    push_table(L, 1);
    lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -1));
    return 1;
}

static int list_next(lua_State *L)
{
    lua_Integer i = luaL_checkinteger(L, 2) + 1;
    userdata_check(L, 1, KIND_LIST, "list");
    push_table(L, 1);
    lua_pushinteger(L, i);
    return lua_rawgeti(L, -2, i) == LUA_TNIL ? 1 : 2;
}

/* pairs visits the values in order, as ipairs does. */
static int list_pairs(lua_State *L)
{
    userdata_check(L, 1, KIND_LIST, "list");
    lua_pushcfunction(L, list_next);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    return 3;
}

static void push_joined(lua_State *L)
{
    luaL_Buffer joined;
    push_table(L, 1);
    int table = lua_gettop(L);
    lua_Integer n = (lua_Integer)lua_rawlen(L, table);
    luaL_buffinit(L, &joined);
    for (lua_Integer i = 1; i <= n; i++) {
        if (i > 1)
            luaL_addstring(&joined, ", ");
        lua_rawgeti(L, table, i);
        luaL_addvalue(&joined);
    }
    luaL_pushresult(&joined);
}

static int list_tostring(lua_State *L)
{
    userdata_check(L, 1, KIND_LIST, "list");
    if (lua_getiuservalue(L, 1, LIST_TEXT) == LUA_TSTRING)
        return 1;
    push_joined(L);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, LIST_TEXT);
    return 1;
}

static int list_concat(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    luaL_tolstring(L, 2, NULL);
    lua_concat(L, 2);
    return 1;
}

void list_wrap(lua_State *L, struct slice text)
{
    int table = lua_gettop(L);
    lua_Integer n = (lua_Integer)lua_rawlen(L, table);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, table, i);
        lua_pushboolean(L, true);
        lua_rawset(L, table);
    }
    userdata_new(L, KIND_LIST, 0, 2);
    lua_pushvalue(L, table);
    lua_setiuservalue(L, -2, LIST_TABLE);
    if (text.data) {
        lua_pushlstring(L, text.data, text.len);
        lua_setiuservalue(L, -2, LIST_TEXT);
    }
    lua_replace(L, table);
}

void list_open(lua_State *L)
{
    static const luaL_Reg metamethods[] = {{"__index", list_index},   {"__len", list_len},
                                           {"__pairs", list_pairs},   {"__tostring", list_tostring},
                                           {"__concat", list_concat}, {NULL, NULL}};
    userdata_kind(L, KIND_LIST, metamethods, NULL, NULL);
}
