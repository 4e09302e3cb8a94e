/* Calls of hooks: from facts to an outcome. */
#include <stdio.h>
#include <stdlib.h>

#include "lb/base/clock.h"
#include "scripting/internal.h"

/* Slack of event loops whose clock ticks in milliseconds: a wake-up this much too early is no reason to wait
 * again. */
#define EARLY_US      1000
#define STATUS_FAILED 500

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

/* What the hook may see is copied: only what it points to must stay. */
static void take_facts(struct script_call *call, const struct hook_facts *facts)
{
    call->hook = facts->hook;
    call->conn = *facts->conn;
    call->request = facts->request ? *facts->request : (struct script_request){0};
    call->response = facts->response ? *facts->response : (struct script_response){0};
}

struct script_call *call_new(struct script *script, const struct hook_facts *facts)
{
    static const struct script_conn nobody;
    static const struct hook_facts none = {.conn = &nobody};
    struct script_call *call = record(script);
    if (!call)
        return NULL;
    call->serial = ++script->serial;
    take_facts(call, facts ? facts : &none);
    call->loading = !facts;
    call->wake = call->want_body = 0;
    call->logged = 0;
    call->fault[0] = '\0';
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

/* --- outcomes --- */

static void outcome_clear(struct script_outcome *out)
{
    out->verdict = SCRIPT_DENY;
    out->reason = REASON_SCRIPT_ERROR;
    out->text[0] = out->backend[0] = out->log[0] = '\0';
    out->wait_ms = out->cpu_us = out->want_body = 0;
    out->status = STATUS_FAILED;
    out->extra = NULL;
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
    out->want_body = call->want_body;
    out->status = 0;
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

/* Protected: a coroutine with the hook and its argument on its stack. */
static int prepare(lua_State *L)
{
    struct script_call *call = lua_touserdata(L, 1);
    if (!call->thread) {
        lua_State *thread = lua_newthread(L);
        coroutine_init(thread, call->script);
        coroutine_mark(thread, COROUTINE_HOOK, true);
        lua_rawsetp(L, LUA_REGISTRYINDEX, call);
        call->thread = thread;
    }
    limits_watch(call->thread);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &load_hook_keys[call->hook]);
    api_argument_push(L, call);
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

static void deny_missing(struct script_outcome *out, enum script_hook hook)
{
    char why[64];
    snprintf(why, sizeof(why), "the script defines no %s", load_hook_names[hook]);
    deny(out, REASON_SCRIPT_ERROR, why);
}

static void run_hook(struct script *script, const struct hook_facts *facts, struct script_outcome *out,
                     struct script_call **waiting)
{
    outcome_clear(out);
    *waiting = NULL;
    if (!script->hooks[facts->hook]) {
        deny_missing(out, facts->hook);
        return;
    }
    struct script_call *call = call_new(script, facts);
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

void script_authorize(struct script *script, const struct script_conn *conn, struct script_outcome *out,
                      struct script_call **waiting)
{
    run_hook(script, &(struct hook_facts){HOOK_AUTHORIZE, conn, NULL, NULL}, out, waiting);
}

void script_request(struct script *script, const struct script_request *request, struct script_outcome *out,
                    struct script_call **waiting)
{
    run_hook(script, &(struct hook_facts){HOOK_REQUEST, request->conn, request, NULL}, out, waiting);
}

void script_response(struct script *script, const struct script_response *response,
                     struct script_outcome *out, struct script_call **waiting)
{
    const struct script_request *request = response->request;
    run_hook(script, &(struct hook_facts){HOOK_RESPONSE, request->conn, request, response}, out, waiting);
}

/* --- waiting --- */

static bool must_wait(const struct script_call *call, uint64_t now)
{
    const struct script_message *message = &call->request.message;
    struct slice body;
    if (call->want_body > 0)
        return !message->ops->body(message->message, &body);
    return call->wake > now + EARLY_US;
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
    } else if (must_wait(call, now)) {
        wait_for(call, now, out);
    } else {
        call->want_body = 0;
        if (!run_on(call, 0, out))
            *waiting = NULL;
    }
}

void script_cancel(struct script_call **waiting)
{
    call_release(*waiting, false);
    *waiting = NULL;
}
