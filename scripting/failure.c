/* Why a hook failed, as the operator reads it. */
#include "scripting/internal.h"

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
    case TRIP_CHANGE: text_adds(text, call->fault); break;
    default: text_adds(text, "the client's certificate cannot be read"); break;
    }
}

static enum reason trip_reason(enum trip trip)
{
    switch (trip) {
    case TRIP_CPU: return REASON_SCRIPT_CPU;
    case TRIP_TIME: return REASON_SCRIPT_TIME;
    case TRIP_MEMORY: return REASON_SCRIPT_MEMORY;
    case TRIP_CHANGE: return REASON_SCRIPT_RESULT;
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
