/* `req.cookies` in Lua. */
#include "scripting/field.h"
#include "scripting/internal.h"

/* The cookies of one message, over all its cookie fields: HTTP/2 may send each pair in a field of its own
 * (RFC 9113, section 8.2.3). */
struct walk {
    const struct script_message *message;
    size_t index;
    struct slice rest;
};

static bool next_field(lua_State *L, struct walk *walk)
{
    struct slice name;
    while (walk->message->ops->field(walk->message->message, walk->index++, &name, &walk->rest)) {
        limits_charge(L, 2);
        if (slice_is(name, "cookie"))
            return true;
    }
    return false;
}

static bool next_cookie(lua_State *L, struct walk *walk, struct cookie *cookie)
{
    while (!cookie_next(&walk->rest, cookie)) {
        if (!next_field(L, walk))
            return false;
    }
    limits_charge(L, 2 + (cookie->name.len + cookie->value.len) / 16);
    return true;
}

/* The first pair of that name decides. If it is malformed, a server might see another value than what a
 * script would be told: so it is told none. */
static int cookies_index(lua_State *L)
{
    const struct view *view = view_check(L, 1, KIND_COOKIES, "req.cookies");
    struct walk walk = {.message = view_message(view)};
    struct cookie cookie;
    struct slice name;
    if (lua_type(L, 2) != LUA_TSTRING)
        return luaL_error(L, "req.cookies: a name is a text, not a %s", luaL_typename(L, 2));
    name.data = lua_tolstring(L, 2, &name.len);
    view_told(L, "req.cookies", name);
    while (next_cookie(L, &walk, &cookie)) {
        if (!slice_equal(cookie.name, name))
            continue;
        if (!cookie.valid)
            break;
        lua_pushlstring(L, cookie.value.data, cookie.value.len);
        return 1;
    }
    lua_pushnil(L);
    return 1;
}

/* Whether the name on the top was there before; it is kept in the table `seen`. */
static bool seen_before(lua_State *L, int seen)
{
    lua_pushvalue(L, -1);
    bool before = lua_rawget(L, seen) != LUA_TNIL;
    lua_pop(L, 1);
    if (!before) {
        lua_pushvalue(L, -1);
        lua_pushboolean(L, true);
        lua_rawset(L, seen);
    }
    return before;
}

/* Each name once, with the value that indexing gives: as they were when the loop began. */
static int cookies_pairs(lua_State *L)
{
    const struct view *view = view_check(L, 1, KIND_COOKIES, "req.cookies");
    struct walk walk = {.message = view_message(view)};
    struct cookie cookie;
    lua_Integer count = 0;
    view_told(L, "req", SLICE_LITERAL("cookies"));
    lua_settop(L, 1);
    lua_newtable(L); /* 2: names and values in turn */
    lua_newtable(L); /* 3: names seen */
    while (next_cookie(L, &walk, &cookie)) {
        lua_pushlstring(L, cookie.name.data, cookie.name.len);
        if (seen_before(L, 3) || !cookie.valid) {
            lua_settop(L, 3);
            continue;
        }
        lua_rawseti(L, 2, ++count);
        lua_pushlstring(L, cookie.value.data, cookie.value.len);
        lua_rawseti(L, 2, ++count);
    }
    lua_settop(L, 2);
    view_iterate(L);
    return 1;
}

void api_cookies_open(lua_State *L)
{
    static const luaL_Reg metamethods[] = {{"__pairs", cookies_pairs}, {NULL, NULL}};
    userdata_kind(L, KIND_COOKIES, metamethods, NULL, cookies_index);
}
