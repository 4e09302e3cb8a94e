/* Compiling: the script itself and what it requires. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lb/base/memory.h"
#include "scripting/internal.h"
#include "scripting/source.h"

#define LIBRARY_FOLDER "scripting"
#define SOURCES_MAX    100

const char load_hook_keys[SCRIPT_HOOKS] = {0};
const char *const load_hook_names[SCRIPT_HOOKS] = {
    [HOOK_AUTHORIZE] = "on_authorize", [HOOK_REQUEST] = "on_request", [HOOK_RESPONSE] = "on_response"};
static const char modules_key = 0;

/* FNV-1a. */
static void mix(struct script *script, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        script->fingerprint = (script->fingerprint ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
}

static void mix_options(struct script *script, const struct script_settings *settings)
{
    for (size_t i = 0; i < settings->option_count; i++) {
        mix(script, settings->options[i].name, strlen(settings->options[i].name) + 1);
        mix(script, settings->options[i].value, strlen(settings->options[i].value) + 1);
    }
}

static void remember(struct script *script, const char *path, struct slice bytes)
{
    mix(script, bytes.data, bytes.len);
    mix(script, "", 1);
    script->sources = mem_grow(script->sources, (script->source_count + 1) * sizeof(*script->sources));
    script->sources[script->source_count++] = mem_copy(path);
}

/* What was read, and whether it must be freed. */
struct bytes {
    struct slice text;
    bool owned;
};

static bool read_file(struct script *script, const char *path, const char *folder, struct bytes *out,
                      const char **why)
{
    const struct script_host *host = &script->host;
    out->owned = !host->read;
    return host->read ? host->read(host->context, path, folder, &out->text, why)
                      : script_file_read(path, folder, &out->text, why);
}

static void release(struct bytes *bytes)
{
    if (bytes->owned)
        free((char *)bytes->text.data);
}

/* --- require --- */

/* Reads FOLDER/a/b.lua for the name "a.b" at index 1, and pushes its path behind a '@', as Lua names chunks;
 * false (and nothing pushed) if there is no such file. Raises for one that cannot be read, or that a symbolic
 * link leads to from outside. */
static bool push_file(lua_State *L, struct script *script, const char *folder, struct bytes *bytes)
{
    const char *why;
    lua_pushfstring(L, "@%s/", folder);
    luaL_gsub(L, lua_tostring(L, 1), ".", "/");
    lua_pushliteral(L, ".lua");
    lua_concat(L, 3);
    const char *path = lua_tostring(L, -1) + 1;
    if (read_file(script, path, folder, bytes, &why))
        return true;
    if (why)
        luaL_error(L, "require cannot read %s: %s", path, why);
    lua_pop(L, 1);
    return false;
}

/* Likewise, in the folders where modules may lie. */
static void find_module(lua_State *L, struct script *script, struct bytes *bytes)
{
    const char *name = lua_tostring(L, 1);
    if (!source_name_valid(name))
        luaL_error(L, "require \"%s\": write letters, digits, _ and -, and a dot between folder and name",
                   name);
    if (script->source_count >= SOURCES_MAX)
        luaL_error(L, "require: more than %d files", SOURCES_MAX);
    if (!push_file(L, script, script->folder, bytes) && !push_file(L, script, LIBRARY_FOLDER, bytes))
        luaL_error(L, "require \"%s\": there is no such file below %s or below %s", name, script->folder,
                   LIBRARY_FOLDER);
}

/* Pushes the compiled module. */
static void push_module(lua_State *L, struct script *script)
{
    struct bytes bytes;
    find_module(L, script, &bytes);
    const char *chunk = lua_tostring(L, -1); /* nothing may raise until the bytes are released */
    remember(script, chunk + 1, bytes.text);
    int status = luaL_loadbufferx(L, bytes.text.data, bytes.text.len, chunk, "t");
    release(&bytes);
    if (status != LUA_OK)
        lua_error(L);
}

int load_require(lua_State *L)
{
    struct script *script = script_of(L);
    luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &modules_key);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, 2) == LUA_TLIGHTUSERDATA)
        return luaL_error(L, "require \"%s\": the module requires itself", lua_tostring(L, 1));
    if (!lua_isnil(L, -1))
        return 1;
    if (!script->running || !script->running->loading)
        return luaL_error(L, "require \"%s\": only while the script is loaded, put it outside the hooks",
                          lua_tostring(L, 1));
    push_module(L, script);
    lua_pushvalue(L, 1);
    lua_pushlightuserdata(L, script);
    lua_rawset(L, 2);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    if (lua_isnil(L, -1))
        lua_pushboolean(L, true);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -2);
    lua_rawset(L, 2);
    return 1;
}

/* --- the script itself --- */

struct loading {
    struct script_call *call;
    struct slice source;
    int status;
};

/* Protected: leaves the compiled script, or the error, on the call's coroutine. */
static int compile(lua_State *L)
{
    struct loading *loading = lua_touserdata(L, 1);
    struct script_call *call = loading->call;
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &modules_key);
    lua_State *thread = lua_newthread(L);
    coroutine_init(thread, call->script);
    coroutine_mark(thread, COROUTINE_HOOK, true);
    lua_rawsetp(L, LUA_REGISTRYINDEX, call);
    call->thread = thread;
    limits_watch(thread);
    lua_pushfstring(L, "@%s", call->script->path);
    loading->status =
        luaL_loadbufferx(L, loading->source.data, loading->source.len, lua_tostring(L, -1), "t");
    lua_xmove(L, thread, 1);
    return 0;
}

/* The file and line an error text begins with become the problem's place. */
static void add_problem(struct script *script, struct place place, struct problems *problems,
                        const char *text)
{
    for (size_t i = 0; i < script->source_count; i++) {
        struct place own = {.file = script->sources[i]};
        const char *rest = source_place(text, own.file, &own.line);
        if (rest) {
            problems_add(problems, own, "%s", rest);
            return;
        }
    }
    problems_add(problems, place, "script %s: %s", script->path, text);
}

/* Protected: keeps the hooks; answers whether there is one. */
static int find_hooks(lua_State *L)
{
    struct script *script = script_of(L);
    lua_pushglobaltable(L);
    lua_pushliteral(L, "on_close");
    bool found = lua_rawget(L, 1) == LUA_TFUNCTION;
    for (size_t i = 0; i < SCRIPT_HOOKS; i++) {
        lua_settop(L, 1);
        lua_pushstring(L, load_hook_names[i]);
        script->hooks[i] = lua_rawget(L, 1) == LUA_TFUNCTION;
        found = found || script->hooks[i];
        if (script->hooks[i])
            lua_rawsetp(L, LUA_REGISTRYINDEX, &load_hook_keys[i]);
    }
    lua_pushboolean(L, found);
    return 1;
}

static bool has_hook(lua_State *L)
{
    lua_pushcfunction(L, find_hooks);
    bool found = lua_pcall(L, 0, 1, 0) == LUA_OK && lua_toboolean(L, -1);
    lua_settop(L, 0);
    return found;
}

static bool run_top_level(struct loading *loading, struct place place, struct problems *problems)
{
    struct script_call *call = loading->call;
    struct script_outcome outcome;
    int status = loading->status, results = 0;
    if (status == LUA_OK)
        status = call_slice(call, 0, &results);
    else if (status == LUA_ERRMEM)
        call->budget.tripped = TRIP_MEMORY;
    if (status == LUA_OK && !call->budget.tripped)
        return true;
    call_failure(call, status, &outcome);
    add_problem(call->script, place, problems, outcome.text);
    return false;
}

static bool compile_and_run(struct script *script, struct slice source, struct place place,
                            struct problems *problems)
{
    struct loading loading = {.call = call_new(script, NULL), .source = source};
    if (!loading.call) {
        problems_add(problems, place, "script %s: out of memory", script->path);
        return false;
    }
    lua_pushcfunction(script->L, compile);
    lua_pushlightuserdata(script->L, &loading);
    bool good = lua_pcall(script->L, 1, 0, 0) == LUA_OK;
    lua_settop(script->L, 0);
    if (!good)
        problems_add(problems, place, "script %s: script-memory is too little to compile it", script->path);
    else
        good = run_top_level(&loading, place, problems);
    call_release(loading.call, false);
    return good;
}

static bool read_script(struct script *script, struct bytes *bytes, struct place place,
                        struct problems *problems)
{
    const char *why;
    if (read_file(script, script->path, NULL, bytes, &why))
        return true;
    char *absolute = source_absolute(script->path);
    problems_add(problems, place, "script %s cannot be read: %s (tried %s)", script->path,
                 why ? why : strerror(ENOENT), absolute);
    free(absolute);
    return false;
}

/* Fails closed, but nobody should find that out from his users. */
static void warn_of_hooks(const struct script *script, struct problems *problems)
{
    struct place place = {.file = script->path};
    if (!script->hooks[HOOK_AUTHORIZE] && script_decides_connections(script))
        problems_warn(problems, place,
                      "the script defines no on_authorize(conn): every connection will be denied");
    for (size_t i = HOOK_REQUEST; i < SCRIPT_HOOKS; i++)
        if (script->hooks[i] && !script->http)
            problems_warn(problems, place, "%s is only called by listeners with protocol = http",
                          load_hook_names[i]);
}

static bool load_hooks(struct script *script, struct problems *problems)
{
    bool found = has_hook(script->L);
    if (found)
        warn_of_hooks(script, problems);
    else
        problems_add(problems, (struct place){.file = script->path},
                     "the script defines no hook: define on_authorize(conn)%s as a global function, or take "
                     "the script away",
                     script->http ? " or on_request(req)" : "");
    return found;
}

bool load_run(struct script *script, const struct script_settings *settings, struct place place,
              struct problems *problems)
{
    struct bytes bytes;
    if (!read_script(script, &bytes, place, problems))
        return false;
    script->folder = source_folder(script->path);
    mix_options(script, settings);
    remember(script, script->path, bytes.text);
    bool good = compile_and_run(script, bytes.text, place, problems);
    release(&bytes);
    return good && load_hooks(script, problems);
}
