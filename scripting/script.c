/* The life of a state. */
#include <stdlib.h>

#include "lb/base/memory.h"
#include "scripting/internal.h"

struct setup {
    struct script *script;
    const struct script_settings *settings;
};

static int set_up(lua_State *L)
{
    struct setup *setup = lua_touserdata(L, 1);
    sandbox_open(L);
    list_open(L);
    api_certificate_open(L);
    api_conn_open(L);
    api_request_open(L);
    api_lb_open(L, setup->settings);
    return 0;
}

static bool make_state(struct script *script, const struct script_settings *settings)
{
    struct setup setup = {script, settings};
    script->L = lua_newstate(limits_alloc, script);
    if (!script->L)
        return false;
    coroutine_init(script->L, script);
    lua_gc(script->L, LUA_GCINC, 200, 100, 0);
    lua_pushcfunction(script->L, set_up);
    lua_pushlightuserdata(script->L, &setup);
    bool good = lua_pcall(script->L, 1, 0, 0) == LUA_OK;
    lua_settop(script->L, 0);
    return good;
}

struct script *script_new(const struct script_settings *settings, const struct script_host *host,
                          struct place place, struct problems *problems)
{
    struct script *script = mem_new(sizeof(*script));
    script->host = *host;
    script->memory.limit = settings->memory;
    script->memory.collect_at = settings->memory / 2;
    script->cpu_us = settings->cpu_ms * 1000;
    script->timeout_us = settings->timeout_ms * 1000;
    script->http = settings->http;
    script->fingerprint = UINT64_C(0xcbf29ce484222325);
    script->path = mem_copy(settings->path);
    if (!make_state(script, settings))
        problems_add(
            problems, place,
            "script-memory of %llu bytes is too little to start a script and its options: give at least 256k",
            (unsigned long long)settings->memory);
    else if (load_run(script, settings, place, problems))
        return script;
    script_free(script);
    return NULL;
}

uint64_t script_fingerprint(const struct script *script)
{
    return script->fingerprint;
}

void script_free(struct script *script)
{
    if (!script)
        return;
    if (script->L)
        lua_close(script->L);
    blocks_free(&script->blocks);
    while (script->all) {
        struct script_call *call = script->all;
        script->all = call->next_all;
        free(call);
    }
    free(script->scratch);
    free(script->path);
    free(script->folder);
    for (size_t i = 0; i < script->source_count; i++)
        free(script->sources[i]);
    free(script->sources);
    free(script);
}

bool script_has(const struct script *script, enum script_hook hook)
{
    return script->hooks[hook];
}

bool script_decides_connections(const struct script *script)
{
    return script->hooks[HOOK_AUTHORIZE] || !script->http || !script->hooks[HOOK_REQUEST];
}

size_t script_memory(const struct script *script)
{
    return script->memory.used;
}
