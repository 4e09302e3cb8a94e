/* Calls of hooks: from facts to an outcome. */
#include <stdio.h>
#include <stdlib.h>

#include "lb/base/clock.h"
#include "scripting/internal.h"

/* Slack of event loops whose clock ticks in milliseconds: a wake-up this much too early is no reason to wait
 * again. */
#define EARLY_US 1000

/* --- records --- */

static struct script_call *record(struct script *script)
{
    struct script_call *call = script->spare;
    if (call) {
        script->spare = call->next_spare;
        return call;
    }
    call = calloc(1, sizeof(*call));
    if (!call)
        return NULL;
    call->script = script;
    call->next_all = script->all;
    script->all = call;
    return call;
}

struct script_call *call_new(struct script *script, const struct script_conn *conn)
{
    struct script_call *call = record(script);
    if (!call)
        return NULL;
    call->serial = ++script->serial;
    call->conn = conn ? *conn : (struct script_conn){0};
    call->loading = !conn;
    call->wake = 0;
    call->logged = 0;
    call->budget = (struct budget){.cpu_limit = script->cpu_us, .deadline = clock_us() + script->timeout_us};
    return call;
}

static void drop_thread(struct script_call *call)
{
    lua_State *L = call->script->L;
    if (!call->thread)
        return;
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, call);
    call->thread = NULL;
}

/* A heap that is more than half full is collected now, so that the next call does not fail for garbage; then
 * not again before half of what is left has been filled. */
static void tidy(struct script *script)
{
    struct memory *memory = &script->memory;
    if (memory->used <= memory->collect_at)
        return;
    lua_gc(script->L, LUA_GCCOLLECT);
    memory->collect_at = memory->used + (memory->limit - memory->used) / 2;
    if (memory->collect_at < memory->limit / 2)
        memory->collect_at = memory->limit / 2;
}

/* A coroutine that ended in order serves the next call; one that failed or was cut off is left to the
 * collector as it is, so nothing of it runs again. */
void call_release(struct script_call *call, bool clean)
{
    struct script *script = call->script;
    bool keep = clean && call->thread && lua_status(call->thread) == LUA_OK &&
                !(script->spare && script->spare->thread);
    if (keep)
        lua_settop(call->thread, 0);
    else
        drop_thread(call);
    call->serial = 0;
    call->next_spare = script->spare;
    script->spare = call;
    tidy(script);
}

/* --- slices --- */

int call_slice(struct script_call *call, int args, int *results)
{
    struct script *script = call->script;
    script->running = call;
    script->current = call->thread;
    script->host_yield = false;
    script->memory.failed = 0;
    script->memory.out = false;
    coroutine_mark(call->thread, COROUTINE_PARKED, false);
    budget_begin(&call->budget);
    int status = lua_resume(call->thread, script->L, args, results);
    budget_end(&call->budget);
    if (status == LUA_ERRMEM || script->memory.failed)
        call->budget.tripped = call->budget.tripped ? call->budget.tripped : TRIP_MEMORY;
    coroutine_mark(call->thread, COROUTINE_PARKED, status == LUA_YIELD);
    script->current = NULL;
    script->running = NULL;
    return status;
}

/* --- failures --- */

static void trip_text(const struct script_call *call, struct text *text)
{
    const struct script *script = call->script;
    switch (call->budget.tripped) {
    case TRIP_CPU:
        text_addf(text, "used more than %llu ms of CPU time (script-cpu)",
                  (unsigned long long)script->cpu_us / 1000);
        break;
    case TRIP_TIME:
        text_addf(text, "took longer than %llu ms (script-timeout)",
                  (unsigned long long)script->timeout_us / 1000);
        break;
    case TRIP_MEMORY:
        text_addf(text, "used more than %zu bytes of memory (script-memory), or a string over %u bytes",
                  script->memory.limit, SCRIPT_STRING_MAX);
        break;
    default: text_adds(text, "the client's certificate cannot be read"); break;
    }
}

static enum reason trip_reason(enum trip trip)
{
    switch (trip) {
    case TRIP_CPU: return REASON_SCRIPT_CPU;
    case TRIP_TIME: return REASON_SCRIPT_TIME;
    case TRIP_MEMORY: return REASON_SCRIPT_MEMORY;
    default: return REASON_SCRIPT_ERROR;
    }
}

static void error_text(struct script_call *call, struct text *text)
{
    lua_State *co = call->thread;
    char where[SCRIPT_WHERE_MAX];
    if (lua_gettop(co) > 0 && lua_type(co, -1) == LUA_TSTRING) {
        size_t len;
        const char *message = lua_tolstring(co, -1, &len);
        text_clean(text, slice_make(message, len));
        return;
    }
    limits_where(co, where);
    text_addf(text, "%sthe error is a %s value, not a text", where,
              lua_gettop(co) > 0 ? luaL_typename(co, -1) : "nil");
}

void call_failure(struct script_call *call, int status, struct script_outcome *out)
{
    struct budget *budget = &call->budget;
    struct text text;
    text_init(&text, out->text, sizeof(out->text));
    out->verdict = SCRIPT_DENY;
    out->reason = trip_reason(budget->tripped);
    if (budget->tripped) {
        if (!budget->where[0] && lua_status(call->thread) != LUA_OK)
            limits_where(call->thread, budget->where);
        text_adds(&text, budget->where);
        trip_text(call, &text);
    } else if (status == LUA_YIELD) {
        text_adds(&text, "the script yielded outside lb.sleep");
    } else {
        error_text(call, &text);
    }
}

/* --- outcomes --- */

static void outcome_clear(struct script_outcome *out)
{
    out->verdict = SCRIPT_DENY;
    out->reason = REASON_SCRIPT_ERROR;
    out->text[0] = out->backend[0] = out->log[0] = '\0';
    out->wait_ms = out->cpu_us = 0;
}

static void deny(struct script_outcome *out, enum reason reason, const char *why)
{
    struct text text;
    text_init(&text, out->text, sizeof(out->text));
    out->verdict = SCRIPT_DENY;
    out->reason = reason;
    text_adds(&text, why);
}

static void wait_for(const struct script_call *call, uint64_t now, struct script_outcome *out)
{
    uint64_t until = call->wake < call->budget.deadline ? call->wake : call->budget.deadline;
    out->verdict = SCRIPT_WAIT;
    out->reason = REASON_NONE;
    out->wait_ms = until > now ? (until - now + 999) / 1000 : 0;
}

/* Runs the coroutine on; true if it waits again. Else the call is released. */
static bool run_on(struct script_call *call, int args, struct script_outcome *out)
{
    int results = 0;
    int status = call_slice(call, args, &results);
    out->cpu_us = call->budget.cpu_used;
    if (status == LUA_YIELD && call->script->host_yield && !call->budget.tripped) {
        wait_for(call, clock_us(), out);
        return true;
    }
    bool clean = status == LUA_OK && !call->budget.tripped;
    if (clean)
        verdict_read(call, results, out);
    else
        call_failure(call, status, out);
    call_release(call, clean);
    return false;
}

/* Protected: a coroutine with on_authorize and conn on its stack. */
static int prepare(lua_State *L)
{
    struct script_call *call = lua_touserdata(L, 1);
    if (!call->thread) {
        lua_State *thread = lua_newthread(L);
        *(uintptr_t *)lua_getextraspace(thread) = 0;
        coroutine_mark(thread, COROUTINE_HOOK, true);
        lua_rawsetp(L, LUA_REGISTRYINDEX, call);
        call->thread = thread;
    }
    limits_watch(call->thread);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &load_authorize_key);
    api_conn_push(L, call);
    lua_xmove(L, call->thread, 2);
    return 0;
}

static bool protected_prepare(struct script_call *call)
{
    lua_State *L = call->script->L;
    lua_pushcfunction(L, prepare);
    lua_pushlightuserdata(L, call);
    bool good = lua_pcall(L, 1, 0, 0) == LUA_OK;
    lua_settop(L, 0);
    return good;
}

/* The only thing that can go wrong is memory: a collection may help, else the state is full for good. */
static bool begin(struct script_call *call)
{
    struct script *script = call->script;
    if (protected_prepare(call))
        return true;
    lua_gc(script->L, LUA_GCCOLLECT);
    return protected_prepare(call);
}

static bool has_authorize(lua_State *L)
{
    bool has = lua_rawgetp(L, LUA_REGISTRYINDEX, &load_authorize_key) == LUA_TFUNCTION;
    lua_pop(L, 1);
    return has;
}

void script_authorize(struct script *script, const struct script_conn *conn, struct script_outcome *out,
                      struct script_call **waiting)
{
    outcome_clear(out);
    *waiting = NULL;
    if (!has_authorize(script->L)) {
        deny(out, REASON_SCRIPT_ERROR, "the script defines no on_authorize");
        return;
    }
    struct script_call *call = call_new(script, conn);
    if (!call) {
        deny(out, REASON_SCRIPT_MEMORY, "out of memory");
        return;
    }
    if (!begin(call)) {
        deny(out, REASON_SCRIPT_MEMORY,
             "what the script keeps between calls fills its memory (script-memory)");
        call_release(call, false);
        return;
    }
    if (run_on(call, 1, out))
        *waiting = call;
}

void script_resume(struct script_call **waiting, struct script_outcome *out)
{
    struct script_call *call = *waiting;
    uint64_t now = clock_us();
    outcome_clear(out);
    out->cpu_us = call->budget.cpu_used;
    if (now >= call->budget.deadline) {
        call->budget.tripped = TRIP_TIME;
        call_failure(call, LUA_YIELD, out);
        script_cancel(waiting);
    } else if (call->wake > now + EARLY_US) {
        wait_for(call, now, out);
    } else if (!run_on(call, 0, out)) {
        *waiting = NULL;
    }
}

void script_cancel(struct script_call **waiting)
{
    call_release(*waiting, false);
    *waiting = NULL;
}
