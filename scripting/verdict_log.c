/* log = { … } of a verdict: JSON members, bounded whatever a client put into its certificate. */
#include <math.h>
#include <stdlib.h>

#include "scripting/verdict.h"

#define LOG_FIELDS_MAX 16
#define LOG_KEY_MAX    64
#define LOG_VALUE_MAX  256
#define LOG_CUT        "\"log_cut\":true"

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

bool verdict_take_log(lua_State *L, int value, struct draft *draft)
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
        return false;
    }
    if (log.truncated || cut)
        text_addf(&log, "%s%s", log.len > 0 ? "," : "", LOG_CUT);
    draft->parts[PART_LOG] = slice_make(draft->log, log.len);
    return true;
}
