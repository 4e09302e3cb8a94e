/* `req.headers` and `res.headers` in Lua. */
#include "scripting/field.h"
#include "scripting/internal.h"

static const char *what_of(const struct view *view)
{
    return view->response ? "res.headers" : "req.headers";
}

static struct view *check(lua_State *L)
{
    return view_check(L, 1, KIND_HEADERS, "headers");
}

static struct slice text_at(lua_State *L, int index)
{
    struct slice text;
    text.data = lua_tolstring(L, index, &text.len);
    return text;
}

/* --- reading --- */

/* The name at stack index 2 in lower case, to out[FIELD_NAME_MAX]. What can be no name is a mistake of the
 * script. */
static struct slice read_name(lua_State *L, const struct view *view, char *out)
{
    if (lua_type(L, 2) != LUA_TSTRING)
        luaL_error(L, "%s: a name is a text, not a %s", what_of(view), luaL_typename(L, 2));
    struct slice name = text_at(L, 2);
    if (!field_is_name(name))
        luaL_error(L, "%s: this is no name of a header field", what_of(view));
    name = field_lower(name, out);
    view_told(L, what_of(view), name);
    return name;
}

/* The next field of that name from *index on. */
static bool next_of(lua_State *L, const struct script_message *message, struct slice wanted, size_t *index,
                    struct slice *value)
{
    struct slice name;
    while (message->ops->field(message->message, (*index)++, &name, value)) {
        limits_charge(L, 2);
        if (slice_equal(name, wanted))
            return true;
    }
    return false;
}

static int first(lua_State *L, const struct view *view)
{
    char lower[FIELD_NAME_MAX];
    struct slice name = read_name(L, view, lower), value;
    size_t index = 0;
    if (next_of(L, view_message(view), name, &index, &value)) {
        limits_charge(L, value.len / 16);
        lua_pushlstring(L, value.data, value.len);
    } else {
        lua_pushnil(L);
    }
    return 1;
}

static int headers_all(lua_State *L)
{
    const struct view *view = check(L);
    char lower[FIELD_NAME_MAX];
    struct slice name = read_name(L, view, lower), value;
    size_t index = 0;
    lua_newtable(L);
    for (lua_Integer i = 1; next_of(L, view_message(view), name, &index, &value); i++) {
        limits_charge(L, value.len / 16);
        lua_pushlstring(L, value.data, value.len);
        lua_rawseti(L, -2, i);
    }
    list_wrap(L, (struct slice){NULL, 0});
    return 1;
}

/* --- changing --- */

/* Nothing below raises an error that a pcall could hide: a script that believes to have set or taken away
 * what it has not must not go on. */
static const struct view *check_change(lua_State *L)
{
    const struct view *view = userdata_is(L, 1, KIND_HEADERS);
    if (!view || !view_valid(L, view))
        view_refuse(L, "headers", slice_of(luaL_typename(L, 1)), "a change takes the headers of this hook");
    return view;
}

static struct slice change_name(lua_State *L, const struct view *view, char *out)
{
    if (lua_type(L, 2) != LUA_TSTRING)
        view_refuse(L, what_of(view), slice_of(luaL_typename(L, 2)), "a name is a text");
    struct slice name = text_at(L, 2);
    if (!field_is_name(name))
        view_refuse(L, what_of(view), name, "this is no name of a header field");
    if (view->call->hook == HOOK_RESPONSE && !view->response)
        view_refuse(L, what_of(view), name, "the request has been sent, its headers cannot be changed");
    limits_charge(L, 20);
    return field_lower(name, out);
}

static struct slice change_value(lua_State *L, const struct view *view, struct slice name)
{
    if (lua_type(L, 3) != LUA_TSTRING)
        view_refuse(L, what_of(view), name, "a value is a text");
    struct slice value = text_at(L, 3);
    if (!field_is_value(value))
        view_refuse(L, what_of(view), name, "a value has no CR, LF, NUL or other controls");
    limits_charge(L, value.len / 8);
    return value;
}

static int change(lua_State *L, const struct view *view, bool add)
{
    const struct script_message *message = view_message(view);
    char lower[FIELD_NAME_MAX];
    struct slice name = change_name(L, view, lower);
    struct slice value = change_value(L, view, name);
    const char *why = add ? message->ops->add(message->message, name, value)
                          : message->ops->set(message->message, name, value);
    if (why)
        view_refuse(L, what_of(view), name, why);
    return 0;
}

static int headers_set(lua_State *L)
{
    return change(L, check_change(L), false);
}

static int headers_add(lua_State *L)
{
    return change(L, check_change(L), true);
}

static int take_away(lua_State *L, const struct view *view)
{
    const struct script_message *message = view_message(view);
    char lower[FIELD_NAME_MAX];
    message->ops->remove(message->message, change_name(L, view, lower));
    return 0;
}

static int headers_remove(lua_State *L)
{
    return take_away(L, check_change(L));
}

/* --- as a table --- */

static int headers_index(lua_State *L)
{
    static const lua_CFunction methods[] = {headers_add, headers_all, headers_remove, headers_set};
    const struct view *view = check(L);
    lua_pushvalue(L, 2);
    if (lua_type(L, 2) != LUA_TSTRING || lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL)
        return first(L, view);
    lua_pushcfunction(L, methods[lua_tointeger(L, -1)]);
    return 1;
}

static int headers_newindex(lua_State *L)
{
    const struct view *view = check_change(L);
    return lua_isnil(L, 3) ? take_away(L, view) : change(L, view, false);
}

/* The fields as they were when the loop began: a loop may remove what it meets without missing any. */
static int headers_pairs(lua_State *L)
{
    const struct view *view = check(L);
    const struct script_message *message = view_message(view);
    struct slice name, value;
    lua_Integer count = 0;
    view_told(L, view->response ? "res" : "req", SLICE_LITERAL("headers"));
    lua_newtable(L);
    for (size_t i = 0; message->ops->field(message->message, i, &name, &value); i++) {
        limits_charge(L, 4 + (name.len + value.len) / 16);
        lua_pushlstring(L, name.data, name.len);
        lua_rawseti(L, -2, ++count);
        lua_pushlstring(L, value.data, value.len);
        lua_rawseti(L, -2, ++count);
    }
    view_iterate(L);
    return 1;
}

void api_headers_open(lua_State *L)
{
    static const char *const names[] = {"add", "all", "remove", "set", NULL};
    static const luaL_Reg metamethods[] = {{"__newindex", headers_newindex},
                                           {"__pairs", headers_pairs},
                                           {NULL, NULL}};
    userdata_kind(L, KIND_HEADERS, metamethods, names, headers_index);
}
