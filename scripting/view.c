/* Windows on the facts of a call: valid while the hook they were made for runs. */
#include <stdio.h>

#include "scripting/internal.h"

struct view *view_new(lua_State *L, enum kind kind, struct script_call *call, int user_values)
{
    struct view *view = userdata_new(L, kind, sizeof(*view), user_values);
    *view = (struct view){.call = call, .serial = call->serial};
    return view;
}

bool view_valid(lua_State *L, const struct view *view)
{
    return view->call == script_of(L)->running && view->serial == view->call->serial;
}

struct view *view_check(lua_State *L, int index, enum kind kind, const char *what)
{
    struct view *view = userdata_check(L, index, kind, what);
    if (!view_valid(L, view))
        luaL_error(L, "%s is only valid during the hook it was handed to", what);
    return view;
}

void view_read(lua_State *L, const struct view *view, const char *part, const char *field)
{
    const struct script_host *host = &script_of(L)->host;
    char path[160];
    struct text text;
    if (!host->field_read)
        return;
    text_init(&text, path, sizeof(path));
    if (view->chained)
        text_addf(&text, "chain[%u]", view->index + 1);
    else
        text_adds(&text, "certificate");
    if (part)
        text_addf(&text, ".%s", part);
    if (field)
        text_addf(&text, ".%s", field);
    host->field_read(host->context, slice_make(path, text.len));
}

void view_told(lua_State *L, const char *part, struct slice field)
{
    const struct script_host *host = &script_of(L)->host;
    char path[320];
    struct text text;
    if (!host->field_read)
        return;
    text_init(&text, path, sizeof(path));
    text_addf(&text, "%s.", part);
    text_clean(&text, field);
    host->field_read(host->context, slice_make(path, text.len));
}

const struct script_message *view_message(const struct view *view)
{
    return view->response ? &view->call->response.message : &view->call->request.message;
}

void view_refuse(lua_State *L, const char *what, struct slice name, const char *why)
{
    struct script_call *call = script_of(L)->running;
    struct text text;
    text_init(&text, call->fault, sizeof(call->fault));
    text_addf(&text, "%s '", what);
    text_clean(&text, slice_make(name.data, name.len < 100 ? name.len : 100));
    text_addf(&text, "': %s", why);
    limits_trip(L, TRIP_CHANGE);
}

bool view_cached(lua_State *L, int slot)
{
    if (lua_getiuservalue(L, 1, slot) > LUA_TNIL)
        return true;
    lua_pop(L, 1);
    return false;
}

void view_cache(lua_State *L, int slot)
{
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, slot);
}

/* Upvalues: the table, and how much of it has been visited. */
static int next_pair(lua_State *L)
{
    lua_settop(L, 0);
    lua_Integer at = lua_tointeger(L, lua_upvalueindex(2));
    lua_pushinteger(L, at + 2);
    lua_replace(L, lua_upvalueindex(2));
    lua_rawgeti(L, lua_upvalueindex(1), at + 1);
    lua_rawgeti(L, lua_upvalueindex(1), at + 2);
    return 2;
}

void view_iterate(lua_State *L)
{
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_pair, 2);
}
