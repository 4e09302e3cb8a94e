/* Windows on the facts of a call: valid while the hook they were made for runs. */
#include <stdio.h>

#include "scripting/internal.h"

struct view *view_new(lua_State *L, enum kind kind, struct script_call *call, int user_values)
{
    struct view *view = userdata_new(L, kind, sizeof(*view), user_values);
    *view = (struct view){.call = call, .serial = call->serial};
    return view;
}

struct view *view_check(lua_State *L, int index, enum kind kind, const char *what)
{
    struct view *view = userdata_check(L, index, kind, what);
    if (view->call != script_of(L)->running || view->serial != view->call->serial)
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
