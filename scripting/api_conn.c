/* `conn` in Lua. */
#include "scripting/internal.h"

enum conn_field {
    CONN_LISTENER,
    CONN_ADDRESS,
    CONN_PORT,
    CONN_SERVER_NAME,
    CONN_ALPN,
    CONN_TLS,
    CONN_CERTIFICATE,
    CONN_CHAIN
};

static const char *const conn_names[] = {
    [CONN_LISTENER] = "listener",       [CONN_ADDRESS] = "address", [CONN_PORT] = "port",
    [CONN_SERVER_NAME] = "server_name", [CONN_ALPN] = "alpn",       [CONN_TLS] = "tls",
    [CONN_CERTIFICATE] = "certificate", [CONN_CHAIN] = "chain",     [CONN_CHAIN + 1] = NULL};

enum conn_slot { SLOT_CERTIFICATE = 1, SLOT_TLS, SLOT_CHAIN, CONN_SLOTS = SLOT_CHAIN };

enum tls_field { TLS_VERSION, TLS_CIPHER, TLS_GROUP, TLS_RESUMED };

static const char *const tls_names[] = {[TLS_VERSION] = "version",
                                        [TLS_CIPHER] = "cipher",
                                        [TLS_GROUP] = "group",
                                        [TLS_RESUMED] = "resumed",
                                        [TLS_RESUMED + 1] = NULL};

static void push_text(lua_State *L, struct slice value)
{
    if (value.len > 0)
        lua_pushlstring(L, value.data, value.len);
    else
        lua_pushnil(L);
}

static void told(lua_State *L, const char *path)
{
    const struct script_host *host = &script_of(L)->host;
    if (host->field_read)
        host->field_read(host->context, slice_of(path));
}

static int push_certificate(lua_State *L, struct view *view)
{
    if (view->call->conn.chain_len == 0) {
        told(L, "certificate");
        lua_pushnil(L);
    } else if (!view_cached(L, SLOT_CERTIFICATE)) {
        api_certificate_push(L, view->call, 0, false);
        view_cache(L, SLOT_CERTIFICATE);
    }
    return 1;
}

static int push_part(lua_State *L, struct view *view, enum kind kind, int slot)
{
    if (!view_cached(L, slot)) {
        view_new(L, kind, view->call, 0);
        view_cache(L, slot);
    }
    return 1;
}

static int push_tls(lua_State *L, struct view *view)
{
    if (view->call->conn.tls)
        return push_part(L, view, KIND_TLS, SLOT_TLS);
    told(L, "tls");
    lua_pushnil(L);
    return 1;
}

static struct slice conn_text(const struct script_conn *conn, int field)
{
    switch (field) {
    case CONN_LISTENER: return conn->listener;
    case CONN_ADDRESS: return conn->address;
    case CONN_SERVER_NAME: return conn->server_name;
    default: return conn->alpn;
    }
}

static int conn_index(lua_State *L)
{
    struct view *view = view_check(L, 1, KIND_CONN, "conn");
    int field = userdata_field(L, "conn", conn_names);
    switch (field) {
    case CONN_CERTIFICATE: return push_certificate(L, view);
    case CONN_CHAIN: return push_part(L, view, KIND_CHAIN, SLOT_CHAIN);
    case CONN_TLS: return push_tls(L, view);
    case CONN_PORT: lua_pushinteger(L, view->call->conn.port); break;
    default: push_text(L, conn_text(&view->call->conn, field)); break;
    }
    told(L, conn_names[field]);
    return 1;
}

static int tls_index(lua_State *L)
{
    const struct view *view = view_check(L, 1, KIND_TLS, "conn.tls");
    const struct script_conn *conn = &view->call->conn;
    switch (userdata_field(L, "conn.tls", tls_names)) {
    case TLS_VERSION:
        told(L, "tls.version");
        push_text(L, conn->tls_version);
        break;
    case TLS_CIPHER:
        told(L, "tls.cipher");
        push_text(L, conn->tls_cipher);
        break;
    case TLS_GROUP:
        told(L, "tls.group");
        push_text(L, conn->tls_group);
        break;
    default:
        told(L, "tls.resumed");
        lua_pushboolean(L, conn->tls_resumed);
        break;
    }
    return 1;
}

static int chain_index(lua_State *L)
{
    static const char *const none[] = {NULL};
    struct view *view = view_check(L, 1, KIND_CHAIN, "conn.chain");
    if (!lua_isinteger(L, 2))
        userdata_unknown(L, 2, "conn.chain", none);
    lua_Integer i = lua_tointeger(L, 2);
    if (i < 1 || (lua_Unsigned)i > view->call->conn.chain_len)
        lua_pushnil(L);
    else
        api_certificate_push(L, view->call, (unsigned)(i - 1), true);
    return 1;
}

static int chain_len(lua_State *L)
{
    struct view *view = view_check(L, 1, KIND_CHAIN, "conn.chain");
    told(L, "chain");
    lua_pushinteger(L, (lua_Integer)view->call->conn.chain_len);
    return 1;
}

void api_conn_push(lua_State *L, struct script_call *call)
{
    view_new(L, KIND_CONN, call, CONN_SLOTS);
}

void api_conn_open(lua_State *L)
{
    static const luaL_Reg chain[] = {{"__len", chain_len}, {NULL, NULL}};
    userdata_kind(L, KIND_CONN, NULL, conn_names, conn_index);
    userdata_kind(L, KIND_TLS, NULL, tls_names, tls_index);
    userdata_kind(L, KIND_CHAIN, chain, NULL, chain_index);
}
