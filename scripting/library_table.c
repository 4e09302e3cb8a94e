/*
 * The library `table` for scripts. Unlike the original it works on the table itself, without metamethods: no
 * faked length makes it loop, and each element is charged. concat and unpack also take lb's read-only lists.
 */
#include <limits.h>

#include "scripting/internal.h"

#define UNPACK_MAX 8000
#define PARTS_MAX  SCRIPT_STRING_MAX

static lua_Integer length(lua_State *L, int index)
{
    return (lua_Integer)lua_rawlen(L, index);
}

/* Replaces a list at index 1 by the table behind it. */
static void check_readable(lua_State *L)
{
    if (!list_table(L, 1))
        luaL_typeerror(L, 1, "table");
    lua_replace(L, 1);
}

static int table_insert(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer end = length(L, 1) + 1, at = end;
    if (lua_gettop(L) == 3) {
        at = luaL_checkinteger(L, 2);
        luaL_argcheck(L, at >= 1 && at <= end, 2, "position out of bounds");
    } else if (lua_gettop(L) != 2) {
        return luaL_error(L, "wrong number of arguments to 'insert'");
    }
    limits_charge(L, 1 + (size_t)(end - at));
    for (lua_Integer i = end; i > at; i--) {
        lua_rawgeti(L, 1, i - 1);
        lua_rawseti(L, 1, i);
    }
    lua_rawseti(L, 1, at);
    return 0;
}

static int table_remove(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer size = length(L, 1), at = luaL_optinteger(L, 2, size);
    if (lua_gettop(L) > 1)
        luaL_argcheck(L, (at >= 1 && at <= size + 1) || (at == 0 && size == 0), 2, "position out of bounds");
    limits_charge(L, 1 + (size_t)(at < size ? size - at : 0));
    lua_rawgeti(L, 1, at);
    for (; at < size; at++) {
        lua_rawgeti(L, 1, at + 1);
        lua_rawseti(L, 1, at);
    }
    if (at >= 1) {
        lua_pushnil(L);
        lua_rawseti(L, 1, at);
    }
    return 1;
}

static void add_part(lua_State *L, luaL_Buffer *out, lua_Integer i)
{
    lua_rawgeti(L, 1, i);
    if (!lua_isstring(L, -1))
        luaL_error(L, "invalid value (at index %I) in table for 'concat'", (LUAI_UACINT)i);
    luaL_addvalue(out);
}

static int table_concat(lua_State *L)
{
    luaL_Buffer out;
    size_t len;
    check_readable(L);
    const char *separator = luaL_optlstring(L, 2, "", &len);
    lua_Integer i = luaL_optinteger(L, 3, 1), last = luaL_optinteger(L, 4, length(L, 1));
    if (i <= last && (lua_Unsigned)last - (lua_Unsigned)i >= PARTS_MAX)
        return luaL_error(L, "too many parts for 'concat'");
    luaL_buffinit(L, &out);
    for (lua_Integer left = i <= last ? last - i + 1 : 0; left > 0; left--, i++) {
        limits_charge(L, 3 + len / 16);
        add_part(L, &out, i);
        if (left > 1)
            luaL_addlstring(&out, separator, len);
    }
    luaL_pushresult(&out);
    return 1;
}

static int table_pack(lua_State *L)
{
    int count = lua_gettop(L);
    limits_charge(L, (size_t)count);
    lua_createtable(L, count, 1);
    lua_insert(L, 1);
    for (int i = count; i >= 1; i--)
        lua_rawseti(L, 1, i);
    lua_pushinteger(L, count);
    lua_setfield(L, 1, "n");
    return 1;
}

static int table_unpack(lua_State *L)
{
    check_readable(L);
    lua_Integer i = luaL_optinteger(L, 2, 1), last = luaL_optinteger(L, 3, length(L, 1));
    if (i > last)
        return 0;
    lua_Unsigned count = (lua_Unsigned)last - (lua_Unsigned)i + 1;
    if (count > UNPACK_MAX || count == 0 || !lua_checkstack(L, (int)count))
        return luaL_error(L, "too many results to unpack");
    limits_charge(L, (size_t)count);
    for (lua_Unsigned done = 0; done < count; done++)
        lua_rawgeti(L, 1, i + (lua_Integer)done);
    return (int)count;
}

static void move_one(lua_State *L, lua_Integer from, int table, lua_Integer to)
{
    limits_charge(L, 1);
    lua_rawgeti(L, 1, from);
    lua_rawseti(L, table, to);
}

static int table_move(lua_State *L)
{
    int table = lua_isnoneornil(L, 5) ? 1 : 5;
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, table, LUA_TTABLE);
    lua_Integer from = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3), to = luaL_checkinteger(L, 4);
    if (last >= from) {
        luaL_argcheck(L, from > 0 || last < LUA_MAXINTEGER + from, 3, "too many elements to move");
        lua_Integer count = last - from + 1;
        luaL_argcheck(L, to <= LUA_MAXINTEGER - count + 1, 4, "destination wrap around");
        bool upwards = to > last || to <= from || (table != 1 && !lua_rawequal(L, 1, table));
        for (lua_Integer i = 0; i < count; i++) {
            lua_Integer offset = upwards ? i : count - 1 - i;
            move_one(L, from + offset, table, to + offset);
        }
    }
    lua_pushvalue(L, table);
    return 1;
}

/* --- sort: a heap sort, which ends for any order function and needs no stack --- */

/* Does element a come before b? Both are stack indices. */
static bool before(lua_State *L, int a, int b)
{
    limits_charge(L, 5);
    if (lua_isnil(L, 2))
        return lua_compare(L, a, b, LUA_OPLT);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, a < 0 ? a - 1 : a);
    lua_pushvalue(L, b < 0 ? b - 2 : b);
    lua_call(L, 2, 1);
    bool is_before = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return is_before;
}

/* Lets the value at stack index 3 sink from place `at` of the heap 1..size. */
static void sink(lua_State *L, lua_Integer at, lua_Integer size)
{
    for (lua_Integer child = 2 * at; child <= size; child = 2 * at) {
        lua_rawgeti(L, 1, child);
        if (child < size) {
            lua_rawgeti(L, 1, child + 1);
            bool right = before(L, -2, -1);
            lua_remove(L, right ? -2 : -1);
            child += right;
        }
        if (!before(L, 3, -1)) {
            lua_pop(L, 1);
            break;
        }
        lua_rawseti(L, 1, at);
        at = child;
    }
    lua_pushvalue(L, 3);
    lua_rawseti(L, 1, at);
}

static int table_sort(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    if (!lua_isnoneornil(L, 2))
        luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 3);
    lua_Integer size = length(L, 1);
    luaL_argcheck(L, size < INT_MAX, 1, "array too big");
    for (lua_Integer at = size / 2; at >= 1; at--) {
        lua_rawgeti(L, 1, at);
        lua_replace(L, 3);
        sink(L, at, size);
    }
    for (; size > 1; size--) {
        lua_rawgeti(L, 1, size);
        lua_replace(L, 3);
        lua_rawgeti(L, 1, 1);
        lua_rawseti(L, 1, size);
        sink(L, 1, size - 1);
    }
    return 0;
}

int library_table_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"insert", table_insert}, {"remove", table_remove},
                                         {"concat", table_concat}, {"pack", table_pack},
                                         {"unpack", table_unpack}, {"move", table_move},
                                         {"sort", table_sort},     {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
