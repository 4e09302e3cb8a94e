#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lb/base/clock.h"
#include "scripting/internal.h"

/* Instructions between two looks at the clock. One instruction costs at most some 0.1 ms (strings are bounded
 * by SCRIPT_STRING_MAX, anything larger is charged), so a hook ends soon after its limit even when written to
 * overrun it. */
#define HOOK_COUNT  500
#define STEPS_MAX   2000
#define GROWN_MAX   (256u << 10)
#define UNMARKED_US 1000

/* --- time --- */

static uint64_t thread_cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* Reading the thread's CPU clock costs more than many hooks do, and CPU time never exceeds the time that has
 * passed: so it is only read by hooks that are long enough to be looked at twice. What passed before counts
 * as CPU time, with a cap: the thread may have been preempted. */
static void add_unmarked(struct budget *budget, uint64_t now)
{
    uint64_t passed = now - budget->slice_start;
    budget->cpu_used += passed < UNMARKED_US ? passed : UNMARKED_US;
}

static void take_mark(struct budget *budget, uint64_t now)
{
    add_unmarked(budget, now);
    budget->cpu_mark = thread_cpu_us();
}

static uint64_t cpu_used(const struct budget *budget)
{
    return budget->cpu_used + (budget->cpu_mark ? thread_cpu_us() - budget->cpu_mark : 0);
}

static void set_probe(struct budget *budget, uint64_t now, uint64_t used)
{
    uint64_t left = used < budget->cpu_limit ? budget->cpu_limit - used : 0;
    budget->probe = now + left < budget->deadline ? now + left : budget->deadline;
}

void budget_begin(struct budget *budget)
{
    budget->slice_start = clock_us();
    budget->cpu_mark = 0;
    set_probe(budget, budget->slice_start, budget->cpu_used);
}

void budget_end(struct budget *budget)
{
    if (!budget->cpu_mark)
        add_unmarked(budget, clock_us());
    else
        budget->cpu_used = cpu_used(budget);
    budget->cpu_mark = 0;
}

static enum trip budget_look(struct budget *budget)
{
    uint64_t now = clock_us();
    if (!budget->cpu_mark)
        take_mark(budget, now);
    if (now < budget->probe)
        return TRIP_NONE;
    if (now >= budget->deadline)
        return TRIP_TIME;
    uint64_t used = cpu_used(budget);
    if (used >= budget->cpu_limit)
        return TRIP_CPU;
    set_probe(budget, now, used);
    return TRIP_NONE;
}

/* --- memory --- */

/* Makes the hook run before the next instruction. lua_sethook is made for being called at any moment. */
static void interrupt(struct script *script)
{
    if (script->current)
        lua_sethook(script->current, lua_gethook(script->current), LUA_MASKCOUNT, 1);
}

static bool may_grow(const struct script *script, const void *block, size_t old_size, size_t new_size)
{
    const struct memory *memory = &script->memory;
    bool string =
        !block && old_size == LUA_TSTRING; /* for a new block Lua tells its type instead of its size */
    size_t old = block ? old_size : 0;
    if (string && new_size > SCRIPT_STRING_MAX + 64)
        return false;
    return new_size - old <= memory->limit && memory->used <= memory->limit - (new_size - old);
}

static void note_growth(struct script *script, size_t growth)
{
    script->memory.grown += growth;
    if (script->memory.grown > GROWN_MAX)
        interrupt(script);
}

/* Lua collects and asks once more for the same size before it gives up; only lauxlib's buffers give up at
 * once. So the failure stands if the size fails twice, or the next request is another. */
static void *refuse(struct script *script, size_t size)
{
    script->memory.out = script->memory.out || script->memory.failed != 0;
    script->memory.failed = size;
    interrupt(script);
    return NULL;
}

static void note_grant(struct memory *memory, size_t size)
{
    if (memory->failed && memory->failed != size)
        memory->out = true;
    if (!memory->out)
        memory->failed = 0;
}

void *limits_alloc(void *context, void *block, size_t old_size, size_t new_size)
{
    struct script *script = context;
    size_t old = block ? old_size : 0;
    if (new_size == 0) {
        blocks_drop(&script->blocks, block, old);
        script->memory.used -= old;
        return NULL;
    }
    if (new_size > old && !may_grow(script, block, old_size, new_size))
        return refuse(script, new_size);
    void *moved = blocks_resize(&script->blocks, block, old, new_size);
    if (!moved)
        return new_size <= old ? block : refuse(script, new_size);
    script->memory.used += new_size - old;
    if (new_size > old) {
        note_grant(&script->memory, new_size);
        note_growth(script, new_size - old);
    }
    return moved;
}

/* --- ending a hook --- */

static bool note_where(lua_State *L, lua_Debug *at, char *out)
{
    if (!lua_getinfo(L, "Sl", at) || at->currentline <= 0)
        return false;
    snprintf(out, SCRIPT_WHERE_MAX, "%s:%d: ", at->short_src, at->currentline);
    return true;
}

void limits_where(lua_State *L, char *out)
{
    lua_Debug at;
    out[0] = '\0';
    for (int level = 0; level < 20 && lua_getstack(L, level, &at); level++)
        if (note_where(L, &at, out))
            return;
}

bool limits_tripped(const struct script *script)
{
    return script->running && script->running->budget.tripped;
}

/* TRIP_NONE while all is well. */
static enum trip look(struct script *script)
{
    if (!script->running)
        return TRIP_NONE;
    if (script->running->budget.tripped)
        return script->running->budget.tripped;
    script->steps = 0;
    script->memory.grown = 0;
    if (script->memory.failed)
        return TRIP_MEMORY;
    return budget_look(&script->running->budget);
}

/* The error value needs no memory. pcall catches it, and the hook, which from then on runs before every
 * instruction, raises again. */
void limits_raise(lua_State *L)
{
    struct budget *budget = &script_of(L)->running->budget;
    if (!budget->where[0])
        limits_where(L, budget->where);
    lua_sethook(L, lua_gethook(L), LUA_MASKCOUNT, 1);
    lua_pushlightuserdata(L, budget);
    lua_error(L);
    __builtin_unreachable();
}

/* Where a coroutine may yield, the hook is parked for good by a yield, which nothing can catch; elsewhere
 * (below sort, gsub, __tostring) an error leads back to such a place. */
static void on_count(lua_State *L, lua_Debug *at)
{
    struct script *script = script_of(L);
    enum trip trip = look(script);
    if (!trip) {
        if (lua_gethookcount(L) != HOOK_COUNT)
            limits_watch(L);
        return;
    }
    if (!script->running->budget.where[0])
        note_where(L, at, script->running->budget.where);
    script->running->budget.tripped = trip;
    if (lua_isyieldable(L))
        lua_yield(L, 0);
    else
        limits_raise(L);
}

void limits_watch(lua_State *L)
{
    lua_sethook(L, on_count, LUA_MASKCOUNT, HOOK_COUNT);
}

bool limits_spend(struct script *script, size_t steps)
{
    if (limits_tripped(script))
        return false;
    script->steps += (unsigned)(steps < STEPS_MAX ? steps : STEPS_MAX);
    if (script->steps < STEPS_MAX)
        return true;
    enum trip trip = look(script);
    if (trip)
        script->running->budget.tripped = trip;
    return !trip;
}

void limits_trip(lua_State *L, enum trip trip)
{
    struct budget *budget = &script_of(L)->running->budget;
    if (!budget->tripped)
        budget->tripped = trip;
    limits_raise(L);
}

void limits_charge(lua_State *L, size_t steps)
{
    struct script *script = script_of(L);
    if (!limits_spend(script, steps))
        limits_raise(L);
}

int limits_pass_on(lua_State *L, lua_KContext context, lua_KFunction next)
{
    struct script *script = script_of(L);
    if (lua_isyieldable(L))
        return lua_yieldk(L, 0, context, next);
    if (limits_tripped(script))
        limits_raise(L);
    bool body = script->running->want_body > 0;
    script->host_yield = false;
    script->running->want_body = 0;
    return luaL_error(L, "%s " SCRIPT_NO_WAIT, body ? "req:body" : "lb.sleep");
}
