/*
 * The library `coroutine` for scripts. It differs from the original in what a hook needs: a wait of lb.sleep
 * inside a coroutine of the script reaches the host through all resumes, and a coroutine that waits so, or
 * was cut off by a limit, cannot be resumed by another hook.
 */
#include <stdint.h>

#include "scripting/internal.h"

#define RESUME_STEPS 100

void coroutine_init(lua_State *co, struct script *script)
{
    *(uintptr_t *)lua_getextraspace(co) = (uintptr_t)script;
}

void coroutine_mark(lua_State *co, unsigned flag, bool on)
{
    uintptr_t *flags = lua_getextraspace(co);
    *flags = on ? *flags | flag : *flags & ~(uintptr_t)flag;
}

bool coroutine_is(lua_State *co, unsigned flag)
{
    const uintptr_t *flags = lua_getextraspace(co);
    return (*flags & flag) != 0;
}

static const char *status_of(lua_State *L, lua_State *co)
{
    lua_Debug at;
    if (L == co)
        return "running";
    if (lua_status(co) == LUA_YIELD)
        return "suspended";
    if (lua_status(co) != LUA_OK)
        return "dead";
    if (lua_getstack(co, 0, &at))
        return "normal";
    return lua_gettop(co) == 0 ? "dead" : "suspended";
}

static lua_State *check_coroutine(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);
    luaL_argexpected(L, co, 1, "coroutine");
    return co;
}

/* Why it cannot be resumed, or NULL. */
static const char *unfit(lua_State *L, lua_State *co)
{
    const char *status = status_of(L, co);
    if (coroutine_is(co, COROUTINE_PARKED))
        return "cannot resume a coroutine that waits in lb.sleep";
    if (status[0] == 'd')
        return "cannot resume dead coroutine";
    return status[0] == 's' ? NULL : "cannot resume non-suspended coroutine";
}

static int run(lua_State *L, lua_State *co, int args, int *results)
{
    struct script *script = script_of(L);
    lua_State *outer = script->current;
    limits_charge(L, RESUME_STEPS);
    script->current = co;
    int status = lua_resume(co, L, args, results);
    script->current = outer;
    return status;
}

/* Closes the coroutine's pending variables, which may run code of the script. */
static int reset(lua_State *L, lua_State *co)
{
    struct script *script = script_of(L);
    lua_State *outer = script->current;
    script->current = co;
    int status = lua_resetthread(co);
    script->current = outer;
    if (limits_tripped(script))
        limits_raise(L);
    return status;
}

static int resumed(lua_State *L, lua_State *co, int args, lua_KFunction again);

/* resume: true and what was yielded or returned; false and the error. */
static int resume_finish(lua_State *L, lua_State *co, int status, int results)
{
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_pushboolean(L, false);
        lua_xmove(co, L, 1);
        return 2;
    }
    if (!lua_checkstack(L, results + 1)) {
        lua_pop(co, results);
        lua_pushboolean(L, false);
        lua_pushliteral(L, "too many results to resume");
        return 2;
    }
    lua_pushboolean(L, true);
    lua_xmove(co, L, results);
    return results + 1;
}

/* wrap: what was yielded or returned; an error is raised again. */
static int wrap_finish(lua_State *L, lua_State *co, int status, int results)
{
    if (status == LUA_OK || status == LUA_YIELD) {
        luaL_checkstack(L, results, "too many results from a coroutine");
        lua_xmove(co, L, results);
        return results;
    }
    status = reset(L, co);
    lua_xmove(co, L, 1);
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int resume_again(lua_State *L, int status, lua_KContext context)
{
    lua_State *co = (lua_State *)context;
    (void)status;
    coroutine_mark(co, COROUTINE_PARKED, false);
    return resumed(L, co, 0, resume_again);
}

static int wrap_again(lua_State *L, int status, lua_KContext context)
{
    lua_State *co = (lua_State *)context;
    (void)status;
    coroutine_mark(co, COROUTINE_PARKED, false);
    return resumed(L, co, 0, wrap_again);
}

static int resumed(lua_State *L, lua_State *co, int args, lua_KFunction again)
{
    struct script *script = script_of(L);
    int results = 0;
    int status = run(L, co, args, &results);
    if (limits_tripped(script) || (status == LUA_YIELD && script->host_yield)) {
        coroutine_mark(co, COROUTINE_PARKED, true);
        return limits_pass_on(L, (lua_KContext)co, again);
    }
    return again == resume_again ? resume_finish(L, co, status, results)
                                 : wrap_finish(L, co, status, results);
}

static int co_resume(lua_State *L)
{
    lua_State *co = check_coroutine(L);
    int args = lua_gettop(L) - 1;
    const char *why = unfit(L, co);
    if (!why && !lua_checkstack(co, args))
        why = "too many arguments to resume";
    if (why) {
        lua_pushboolean(L, false);
        lua_pushstring(L, why);
        return 2;
    }
    lua_xmove(L, co, args);
    return resumed(L, co, args, resume_again);
}

static int co_wrapped(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    int args = lua_gettop(L);
    const char *why = unfit(L, co);
    if (!why && !lua_checkstack(co, args))
        why = "too many arguments to resume";
    if (why)
        return luaL_error(L, "%s", why);
    lua_xmove(L, co, args);
    return resumed(L, co, args, wrap_again);
}

static int co_create(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    coroutine_init(co, script_of(L));
    limits_watch(co);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    return 1;
}

static int co_wrap(lua_State *L)
{
    co_create(L);
    lua_pushcclosure(L, co_wrapped, 1);
    return 1;
}

static int co_yield (lua_State *L)
{
    if (coroutine_is(L, COROUTINE_HOOK))
        return luaL_error(L, "coroutine.yield outside a coroutine of the script");
    return lua_yield(L, lua_gettop(L));
}

static int co_status(lua_State *L)
{
    lua_pushstring(L, status_of(L, check_coroutine(L)));
    return 1;
}

static int co_isyieldable(lua_State *L)
{
    lua_State *co = lua_isthread(L, 1) ? lua_tothread(L, 1) : L;
    lua_pushboolean(L, lua_isyieldable(co) && !coroutine_is(co, COROUTINE_HOOK));
    return 1;
}

static int co_running(lua_State *L)
{
    lua_pushthread(L);
    lua_pushboolean(L, coroutine_is(L, COROUTINE_HOOK));
    return 2;
}

static int co_close(lua_State *L)
{
    lua_State *co = check_coroutine(L);
    const char *status = status_of(L, co);
    if (coroutine_is(co, COROUTINE_PARKED) || coroutine_is(co, COROUTINE_HOOK) || status[0] == 'r' ||
        status[0] == 'n')
        return luaL_error(L, "cannot close a %s coroutine",
                          coroutine_is(co, COROUTINE_PARKED) ? "waiting" : status);
    int result = reset(L, co);
    lua_pushboolean(L, result == LUA_OK);
    if (result == LUA_OK)
        return 1;
    lua_xmove(co, L, 1);
    return 2;
}

int coroutine_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"close", co_close},
                                         {"create", co_create},
                                         {"resume", co_resume},
                                         {"isyieldable", co_isyieldable},
                                         {"running", co_running},
                                         {"status", co_status},
                                         {"wrap", co_wrap},
                                         {"yield", co_yield },
                                         {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
