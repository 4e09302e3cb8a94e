/* What a hook answers: lb.allow, lb.deny, true, false; anything else denies. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lb/base/units.h"
#include "scripting/internal.h"

#define LOG_FIELDS_MAX 16
#define LOG_KEY_MAX    64
#define LOG_VALUE_MAX  256
#define LOG_CUT        "\"log_cut\":true"

enum answer { ANSWER_ALLOW, ANSWER_DENY, ANSWER_UNUSABLE };

/* The userdata that lb.allow and lb.deny return; only the hook that made it may return it. */
struct verdict {
    uint64_t serial;
    enum answer answer;
    size_t text, backend, log; /* lengths of what follows, in this order, without NULs */
    char bytes[];
};

struct draft {
    enum answer answer;
    char text[SCRIPT_TEXT_MAX];
    char backend[SCRIPT_BACKEND_MAX];
    char log[SCRIPT_LOG_MAX];
};

/* --- building --- */

static int push_verdict(lua_State *L, const struct draft *draft)
{
    const struct script_call *call = script_of(L)->running;
    size_t text = strlen(draft->text), backend = strlen(draft->backend), log = strlen(draft->log);
    struct verdict *verdict = userdata_new(L, KIND_VERDICT, sizeof(*verdict) + text + backend + log, 0);
    *verdict = (struct verdict){call->loading ? 0 : call->serial, draft->answer, text, backend, log};
    memcpy(verdict->bytes, draft->text, text);
    memcpy(verdict->bytes + text, draft->backend, backend);
    memcpy(verdict->bytes + text + backend, draft->log, log);
    return 1;
}

/* A mistake in the arguments does not raise, which a pcall could hide: it makes a verdict that denies and
 * says why. The text is on the top of the stack. */
static bool unusable(lua_State *L, struct draft *draft)
{
    struct text text;
    text_init(&text, draft->text, sizeof(draft->text));
    luaL_where(L, 1);
    text_adds(&text, lua_tostring(L, -1));
    text_clean(&text, slice_of(lua_tostring(L, -2)));
    draft->answer = ANSWER_UNUSABLE;
    draft->backend[0] = draft->log[0] = '\0';
    lua_pop(L, 2);
    return false;
}

static bool take_backend(lua_State *L, int value, struct draft *draft)
{
    const struct script_host *host = &script_of(L)->host;
    size_t len = 0;
    const char *name = lua_type(L, value) == LUA_TSTRING ? lua_tolstring(L, value, &len) : NULL;
    if (!name) {
        lua_pushfstring(L, "lb.allow: backend is a %s, expected a text", luaL_typename(L, value));
        return unusable(L, draft);
    }
    bool fits = len > 0 && len < SCRIPT_BACKEND_MAX && memchr(name, '\0', len) == NULL;
    if (!fits || !host->has_backend || !host->has_backend(host->context, slice_make(name, len))) {
        lua_pushfstring(L, "lb.allow: there is no backend '%s'", name);
        return unusable(L, draft);
    }
    memcpy(draft->backend, name, len + 1);
    return true;
}

static bool header_part(lua_State *L, int index)
{
    size_t len;
    if (lua_type(L, index) != LUA_TSTRING)
        return false;
    const char *bytes = lua_tolstring(L, index, &len);
    for (size_t i = 0; i < len; i++)
        if (bytes[i] == '\r' || bytes[i] == '\n' || bytes[i] == '\0')
            return false;
    return true;
}

static bool check_headers(lua_State *L, int value, struct draft *draft)
{
    if (!lua_istable(L, value)) {
        lua_pushfstring(L, "lb.allow: headers is a %s, expected a table", luaL_typename(L, value));
        return unusable(L, draft);
    }
    for (lua_pushnil(L); lua_next(L, value); lua_pop(L, 1)) {
        limits_charge(L, 2 + lua_rawlen(L, -1) / 8);
        if (!header_part(L, -2) || lua_rawlen(L, -2) == 0 || !header_part(L, -1)) {
            lua_pop(L, 2);
            lua_pushliteral(L, "lb.allow: names and values of headers are texts without CR, LF and NUL");
            return unusable(L, draft);
        }
    }
    return true;
}

/* --- log fields --- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of the fields, sorted; the table keeps the strings. Those over LOG_FIELDS_MAX are left out.
 * Negative: one is no text. */
static int log_keys(lua_State *L, int table, const char **keys, bool *cut)
{
    int count = 0;
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        limits_charge(L, 5);
        if (lua_type(L, -2) != LUA_TSTRING) {
            lua_pop(L, 2);
            return -1;
        }
        if (count < LOG_FIELDS_MAX)
            keys[count++] = lua_tostring(L, -2);
        else
            *cut = true;
    }
    qsort(keys, (size_t)count, sizeof(*keys), by_name);
    return count;
}

static void log_number(lua_State *L, struct text *out)
{
    lua_Number number = lua_tonumber(L, -1);
    if (lua_isinteger(L, -1))
        text_addf(out, "%lld", (long long)lua_tointeger(L, -1));
    else if (isfinite(number))
        text_addf(out, "%.14g", number);
    else
        text_adds(out, "null");
}

/* The value on the top; false if it is of no type that a log takes. */
static bool log_value(lua_State *L, struct text *out)
{
    size_t len;
    const char *text;
    switch (lua_type(L, -1)) {
    case LUA_TBOOLEAN: text_adds(out, lua_toboolean(L, -1) ? "true" : "false"); return true;
    case LUA_TNUMBER: log_number(L, out); return true;
    case LUA_TUSERDATA: /* a list, a subject */
    case LUA_TSTRING:
        text = luaL_tolstring(L, -1, &len);
        text_json(out, slice_make(text, len < LOG_VALUE_MAX ? len : LOG_VALUE_MAX));
        lua_pop(L, 1);
        return true;
    default: return false;
    }
}

/* Members that do not fit are left out, and "log_cut" says so: what a client put into its certificate must
 * not decide by its length. */
static bool add_member(lua_State *L, int table, const char *key, struct text *log)
{
    char bytes[SCRIPT_LOG_MAX];
    struct text member;
    text_init(&member, bytes, sizeof(bytes));
    if (log->len > 0)
        text_addc(&member, ',');
    text_json(&member, slice_make(key, strnlen(key, LOG_KEY_MAX)));
    text_addc(&member, ':');
    lua_pushstring(L, key);
    lua_rawget(L, table);
    bool good = log_value(L, &member);
    lua_pop(L, 1);
    if (member.truncated || member.len + log->len + sizeof(LOG_CUT) + 1 > log->cap)
        log->truncated = true;
    else
        text_add(log, slice_make(bytes, member.len));
    return good;
}

static bool take_log(lua_State *L, int value, struct draft *draft)
{
    const char *keys[LOG_FIELDS_MAX] = {NULL};
    bool cut = false;
    struct text log;
    text_init(&log, draft->log, sizeof(draft->log));
    int count = lua_istable(L, value) ? log_keys(L, value, keys, &cut) : -1;
    for (int i = 0; i < count; i++)
        if (!add_member(L, value, keys[i], &log))
            count = -1;
    if (count < 0) {
        lua_pushliteral(L, "log is a table of names and values; values are texts, numbers or booleans");
        return unusable(L, draft);
    }
    if (log.truncated || cut)
        text_addf(&log, "%s%s", log.len > 0 ? "," : "", LOG_CUT);
    return true;
}

/* --- lb.allow and lb.deny --- */

static bool unknown_key(lua_State *L, int key, const char *function, const char *const *names,
                        struct draft *draft)
{
    const char *name = lua_type(L, key) == LUA_TSTRING ? lua_tostring(L, key) : luaL_typename(L, key);
    const char *nearest = units_nearest(name, names);
    if (nearest)
        lua_pushfstring(L, "%s: unknown key '%s', did you mean '%s'?", function, name, nearest);
    else
        lua_pushfstring(L, "%s: unknown key '%s'", function, name);
    return unusable(L, draft);
}

static bool is_key(lua_State *L, int key, const char *name)
{
    return lua_type(L, key) == LUA_TSTRING && lua_rawlen(L, key) == strlen(name) &&
           strcmp(lua_tostring(L, key), name) == 0;
}

static bool take_allow(lua_State *L, struct draft *draft)
{
    static const char *const names[] = {"backend", "headers", "log", NULL};
    for (lua_pushnil(L); lua_next(L, 1); lua_settop(L, 2)) {
        bool good;
        if (is_key(L, 2, "backend"))
            good = take_backend(L, 3, draft);
        else if (is_key(L, 2, "headers"))
            good = check_headers(L, 3, draft);
        else if (is_key(L, 2, "log"))
            good = take_log(L, 3, draft);
        else
            good = unknown_key(L, 2, "lb.allow", names, draft);
        if (!good)
            return false;
    }
    return true;
}

int verdict_allow(lua_State *L)
{
    struct draft draft;
    draft.answer = ANSWER_ALLOW;
    draft.text[0] = draft.backend[0] = draft.log[0] = '\0';
    if (lua_gettop(L) == 0)
        return push_verdict(L, &draft);
    if (lua_gettop(L) == 1 && lua_istable(L, 1)) {
        take_allow(L, &draft);
    } else {
        lua_pushliteral(L, "lb.allow takes nothing, or one table { backend = …, log = … }");
        unusable(L, &draft);
    }
    return push_verdict(L, &draft);
}

static bool take_deny(lua_State *L, struct draft *draft)
{
    static const char *const names[] = {"log", NULL};
    for (lua_pushnil(L); lua_next(L, 2); lua_settop(L, 3))
        if (is_key(L, 3, "log") ? !take_log(L, 4, draft) : !unknown_key(L, 3, "lb.deny", names, draft))
            return false;
    return true;
}

int verdict_deny(lua_State *L)
{
    struct draft draft;
    struct text text;
    size_t len;
    int args = lua_gettop(L);
    draft.answer = ANSWER_DENY;
    draft.backend[0] = draft.log[0] = '\0';
    text_init(&text, draft.text, sizeof(draft.text));
    bool good = args >= 1 && args <= 2 && lua_type(L, 1) == LUA_TSTRING && (args == 1 || lua_istable(L, 2));
    if (!good) {
        lua_pushliteral(L, "lb.deny takes the reason as a text, and optionally a table { log = … }");
        unusable(L, &draft);
        return push_verdict(L, &draft);
    }
    const char *reason = lua_tolstring(L, 1, &len);
    text_clean(&text, slice_make(reason, len));
    if (args == 2)
        take_deny(L, &draft);
    return push_verdict(L, &draft);
}

/* --- reading --- */

#define EXPECTED "return true, false and a reason, lb.allow{…} or lb.deny(reason)"

static void refuse(const struct script_call *call, struct script_outcome *out, const char *got)
{
    struct text text;
    text_init(&text, out->text, sizeof(out->text));
    out->verdict = SCRIPT_DENY;
    out->reason = REASON_SCRIPT_RESULT;
    text_addf(&text, "%s: on_authorize returned %s: " EXPECTED, call->script->path, got);
}

static void copy(char *out, size_t size, const char *bytes, size_t len)
{
    struct text text;
    text_init(&text, out, size);
    text_add(&text, slice_make(bytes, len));
}

static void read_verdict(const struct script_call *call, const struct verdict *verdict,
                         struct script_outcome *out)
{
    static const enum reason reasons[] = {REASON_NONE, REASON_DENIED, REASON_SCRIPT_RESULT};
    if (verdict->serial != call->serial) {
        refuse(call, out, "a verdict that another call has made");
        return;
    }
    out->verdict = verdict->answer == ANSWER_ALLOW ? SCRIPT_ALLOW : SCRIPT_DENY;
    out->reason = reasons[verdict->answer];
    copy(out->text, sizeof(out->text), verdict->bytes, verdict->text);
    copy(out->backend, sizeof(out->backend), verdict->bytes + verdict->text, verdict->backend);
    copy(out->log, sizeof(out->log), verdict->bytes + verdict->text + verdict->backend, verdict->log);
}

static void read_reason(lua_State *co, int at, struct script_outcome *out)
{
    struct text text;
    size_t len;
    const char *reason = lua_tolstring(co, at, &len);
    text_init(&text, out->text, sizeof(out->text));
    text_clean(&text, slice_make(reason, len));
}

static void read_other(const struct script_call *call, lua_State *co, int at, int results,
                       struct script_outcome *out)
{
    char got[160];
    int type = lua_type(co, at);
    if (results > 1)
        snprintf(got, sizeof(got), "%d values, the first a %s", results, lua_typename(co, type));
    else if (results == 0)
        snprintf(got, sizeof(got), "nothing");
    else if (type == LUA_TNUMBER)
        snprintf(got, sizeof(got), "the number %.14g", lua_tonumber(co, at));
    else if (type == LUA_TSTRING)
        snprintf(got, sizeof(got), "the text \"%.60s\"", lua_tostring(co, at));
    else
        snprintf(got, sizeof(got), "%s%s", type == LUA_TNIL ? "" : "a ", lua_typename(co, type));
    for (char *c = got; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = '?';
    refuse(call, out, got);
}

/* `true` or `false`, alone or with a reason: `return condition, "why not"` is how both are written in one
 * line. */
static void read_boolean(const struct script_call *call, lua_State *co, int at, int results,
                         struct script_outcome *out)
{
    int reason = results == 2 ? lua_type(co, at + 1) : LUA_TNIL;
    if (reason != LUA_TSTRING && reason != LUA_TNIL) {
        refuse(call, out, "a reason that is no text");
    } else if (lua_toboolean(co, at)) {
        out->verdict = SCRIPT_ALLOW;
        out->reason = REASON_NONE;
    } else {
        out->verdict = SCRIPT_DENY;
        out->reason = REASON_DENIED;
        if (reason == LUA_TSTRING)
            read_reason(co, at + 1, out);
    }
}

void verdict_read(struct script_call *call, int results, struct script_outcome *out)
{
    lua_State *co = call->thread;
    int first = lua_gettop(co) - results + 1;
    if (!lua_checkstack(co, 1)) {
        refuse(call, out, "more values than there is room for");
        return;
    }
    const struct verdict *verdict = results == 1 ? userdata_is(co, first, KIND_VERDICT) : NULL;
    if (verdict)
        read_verdict(call, verdict, out);
    else if ((results == 1 || results == 2) && lua_isboolean(co, first))
        read_boolean(call, co, first, results, out);
    else
        read_other(call, co, first, results, out);
}
