/* `req` and `res` in Lua. */
#include "scripting/internal.h"

enum request_field {
    REQUEST_METHOD,
    REQUEST_PATH,
    REQUEST_QUERY,
    REQUEST_HOST,
    REQUEST_SCHEME,
    REQUEST_ID,
    REQUEST_HEADERS,
    REQUEST_COOKIES,
    REQUEST_CONN,
    REQUEST_BODY
};

static const char *const request_names[] = {
    [REQUEST_METHOD] = "method",   [REQUEST_PATH] = "path",       [REQUEST_QUERY] = "query",
    [REQUEST_HOST] = "host",       [REQUEST_SCHEME] = "scheme",   [REQUEST_ID] = "id",
    [REQUEST_HEADERS] = "headers", [REQUEST_COOKIES] = "cookies", [REQUEST_CONN] = "conn",
    [REQUEST_BODY] = "body",       [REQUEST_BODY + 1] = NULL};

enum response_field { RESPONSE_STATUS, RESPONSE_HEADERS, RESPONSE_REQUEST, RESPONSE_CONN };

static const char *const response_names[] = {[RESPONSE_STATUS] = "status",
                                             [RESPONSE_HEADERS] = "headers",
                                             [RESPONSE_REQUEST] = "request",
                                             [RESPONSE_CONN] = "conn",
                                             [RESPONSE_CONN + 1] = NULL};

/* User values of both, and of what they hand out. */
enum slot { SLOT_HEADERS = 1, SLOT_COOKIES, SLOT_CONN, SLOT_REQUEST, SLOTS = SLOT_REQUEST };

static int push_part(lua_State *L, const struct view *view, enum kind kind, int slot)
{
    if (!view_cached(L, slot)) {
        view_new(L, kind, view->call, 0)->response = view->response;
        view_cache(L, slot);
    }
    return 1;
}

static int push_conn(lua_State *L, const struct view *view)
{
    if (!view_cached(L, SLOT_CONN)) {
        api_conn_push(L, view->call);
        view_cache(L, SLOT_CONN);
    }
    return 1;
}

static struct slice request_text(const struct script_request *request, int field)
{
    switch (field) {
    case REQUEST_METHOD: return request->method;
    case REQUEST_PATH: return request->path;
    case REQUEST_HOST: return request->host;
    case REQUEST_SCHEME: return request->scheme;
    default: return request->id;
    }
}

static int push_text(lua_State *L, struct slice text, bool has)
{
    if (has)
        lua_pushlstring(L, text.data, text.len);
    else
        lua_pushnil(L);
    return 1;
}

/* --- the body --- */

static size_t body_limit(lua_State *L, int index)
{
    int whole = 0;
    lua_Integer most = lua_type(L, index) == LUA_TNUMBER ? lua_tointegerx(L, index, &whole) : 0;
    if (!whole || most < 1 || most > (lua_Integer)SCRIPT_STRING_MAX)
        luaL_error(L, "req:body takes the most bytes it may have, a whole number from 1 to %d",
                   (int)SCRIPT_STRING_MAX);
    return (size_t)most;
}

static bool body_there(lua_State *L, struct slice *body)
{
    const struct script_message *message = &script_of(L)->running->request.message;
    return message->ops->body(message->message, body);
}

static int push_body(lua_State *L, struct slice body, size_t most)
{
    if (body.len > most)
        luaL_error(L, "req:body: the body has more than %d bytes", (int)most);
    limits_charge(L, body.len / 8);
    return push_text(L, body, true);
}

static int body_arrived(lua_State *L, int status, lua_KContext most)
{
    struct slice body;
    (void)status;
    if (!body_there(L, &body))
        return luaL_error(L, "req:body: the body has not arrived");
    return push_body(L, body, (size_t)most);
}

static int request_body(lua_State *L)
{
    struct script *script = script_of(L);
    const struct view *view = view_check(L, 1, KIND_REQUEST, "req");
    size_t most = body_limit(L, 2);
    struct slice body;
    if (view->call->hook != HOOK_REQUEST)
        return luaL_error(L, "req:body is there in on_request only");
    view_told(L, "req", SLICE_LITERAL("body"));
    if (body_there(L, &body))
        return push_body(L, body, most);
    if (!lua_isyieldable(L))
        return luaL_error(L, "req:body " SCRIPT_NO_WAIT);
    script->running->wake = UINT64_MAX;
    script->running->want_body = most;
    script->host_yield = true;
    return lua_yieldk(L, 0, (lua_KContext)most, body_arrived);
}

/* --- req --- */

static int request_index(lua_State *L)
{
    const struct view *view = view_check(L, 1, KIND_REQUEST, "req");
    const struct script_request *request = &view->call->request;
    int field = userdata_field(L, "req", request_names);
    switch (field) {
    case REQUEST_HEADERS: return push_part(L, view, KIND_HEADERS, SLOT_HEADERS);
    case REQUEST_COOKIES: return push_part(L, view, KIND_COOKIES, SLOT_COOKIES);
    case REQUEST_CONN: return push_conn(L, view);
    case REQUEST_BODY: lua_pushcfunction(L, request_body); return 1;
    default: break;
    }
    view_told(L, "req", slice_of(request_names[field]));
    if (field == REQUEST_QUERY)
        return push_text(L, request->query, request->has_query);
    struct slice text = request_text(request, field);
    return push_text(L, text, text.len > 0);
}

/* --- res --- */

static int push_request(lua_State *L, const struct view *view)
{
    if (!view_cached(L, SLOT_REQUEST)) {
        view_new(L, KIND_REQUEST, view->call, SLOTS);
        view_cache(L, SLOT_REQUEST);
    }
    return 1;
}

static int response_index(lua_State *L)
{
    const struct view *view = view_check(L, 1, KIND_RESPONSE, "res");
    switch (userdata_field(L, "res", response_names)) {
    case RESPONSE_HEADERS: return push_part(L, view, KIND_HEADERS, SLOT_HEADERS);
    case RESPONSE_REQUEST: return push_request(L, view);
    case RESPONSE_CONN: return push_conn(L, view);
    default: break;
    }
    view_told(L, "res", SLICE_LITERAL("status"));
    lua_pushinteger(L, (lua_Integer)view->call->response.status);
    return 1;
}

static int response_newindex(lua_State *L)
{
    struct view *view = view_check(L, 1, KIND_RESPONSE, "res");
    int whole = 0;
    if (lua_type(L, 2) != LUA_TSTRING || strcmp(lua_tostring(L, 2), "status") != 0)
        return luaL_error(L, "res is read-only but for its status and its headers");
    lua_Integer status = lua_type(L, 3) == LUA_TNUMBER ? lua_tointegerx(L, 3, &whole) : 0;
    if (!whole || status < 200 || status > 599)
        view_refuse(L, "res", SLICE_LITERAL("status"), "a status is a whole number from 200 to 599");
    view->call->response.status = (unsigned)status;
    return 0;
}

void api_argument_push(lua_State *L, struct script_call *call)
{
    if (call->hook == HOOK_AUTHORIZE)
        api_conn_push(L, call);
    else if (call->hook == HOOK_REQUEST)
        view_new(L, KIND_REQUEST, call, SLOTS);
    else
        view_new(L, KIND_RESPONSE, call, SLOTS)->response = true;
}

void api_request_open(lua_State *L)
{
    static const luaL_Reg response[] = {{"__newindex", response_newindex}, {NULL, NULL}};
    userdata_kind(L, KIND_REQUEST, NULL, request_names, request_index);
    userdata_kind(L, KIND_RESPONSE, response, response_names, response_index);
    api_headers_open(L);
    api_cookies_open(L);
}
