/* The library `string` for scripts: the original, with the functions that take patterns replaced by bounded
 * ones. */
#include <string.h>

#include "scripting/internal.h"
#include "scripting/pattern.h"

static bool spend(void *context, size_t steps)
{
    return limits_spend(context, steps);
}

static struct slice check_slice(lua_State *L, int index)
{
    size_t len;
    const char *bytes = luaL_checklstring(L, index, &len);
    return slice_make(bytes, len);
}

static struct pattern make_pattern(lua_State *L, struct slice subject, struct slice pattern, bool anchored)
{
    if (anchored)
        pattern = slice_make(pattern.data + 1, pattern.len - 1);
    return (struct pattern){.subject = subject, .pattern = pattern, .spend = spend, .context = script_of(L)};
}

/* Raises what ended a match early. */
static void check_end(lua_State *L, const struct pattern *m)
{
    if (m->stopped)
        limits_raise(L);
    if (m->error)
        luaL_error(L, "%s", m->error);
    limits_charge(L, 1 + m->steps);
}

static void push_capture(lua_State *L, struct pattern *m, unsigned i, const char *start, const char *end)
{
    struct pattern_capture capture;
    if (!pattern_capture(m, i, start, end, &capture))
        luaL_error(L, "%s", m->error);
    if (capture.state == PATTERN_POSITION)
        lua_pushinteger(L, (lua_Integer)(capture.start - m->subject.data) + 1);
    else
        lua_pushlstring(L, capture.start, capture.len);
}

/* All captures, or the whole match if there are none. */
static int push_captures(lua_State *L, struct pattern *m, const char *start, const char *end)
{
    unsigned count = m->captures == 0 ? 1 : m->captures;
    luaL_checkstack(L, (int)count + 2, "too many captures");
    for (unsigned i = 0; i < count; i++)
        push_capture(L, m, i, start, end);
    return (int)count;
}

/* --- find and match --- */

/* Where to begin, from an optional position that may count from the end; NULL if that is behind the end. */
static const char *begin_at(lua_State *L, int index, struct slice subject)
{
    lua_Integer init = luaL_optinteger(L, index, 1);
    if (init < 0)
        init = (lua_Unsigned)0 - (lua_Unsigned)init > subject.len ? 1 : (lua_Integer)subject.len + init + 1;
    if (init == 0)
        init = 1;
    return (lua_Unsigned)init - 1 > subject.len ? NULL : subject.data + init - 1;
}

static bool has_magic(struct slice pattern)
{
    for (size_t i = 0; i < pattern.len; i++)
        if (pattern.data[i] && strchr("^$*+?.([%-", pattern.data[i]))
            return true;
    return false;
}

static int find_plain(lua_State *L, struct slice subject, const char *from, struct slice needle)
{
    limits_charge(L, 2 + subject.len / 4);
    const char *at = pattern_plain(subject, from, needle);
    if (!at) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, (lua_Integer)(at - subject.data) + 1);
    lua_pushinteger(L, (lua_Integer)((size_t)(at - subject.data) + needle.len));
    return 2;
}

static int search(lua_State *L, bool find)
{
    struct slice subject = check_slice(L, 1), pattern = check_slice(L, 2);
    const char *from = begin_at(L, 3, subject), *end;
    if (!from) {
        lua_pushnil(L);
        return 1;
    }
    if (find && (lua_toboolean(L, 4) || !has_magic(pattern)))
        return find_plain(L, subject, from, pattern);
    bool anchored = pattern.len > 0 && pattern.data[0] == '^';
    struct pattern m = make_pattern(L, subject, pattern, anchored);
    const char *start = pattern_search(&m, from, anchored, &end);
    check_end(L, &m);
    if (!start) {
        lua_pushnil(L);
        return 1;
    }
    if (!find)
        return push_captures(L, &m, start, end);
    lua_pushinteger(L, (lua_Integer)(start - subject.data) + 1);
    lua_pushinteger(L, (lua_Integer)(end - subject.data));
    return 2 + (m.captures > 0 ? push_captures(L, &m, start, end) : 0);
}

static int string_find(lua_State *L)
{
    return search(L, true);
}

static int string_match(lua_State *L)
{
    return search(L, false);
}

/* --- gmatch --- */

/* Upvalues: the text, the pattern, where to go on (from 0), where the last match ended (-1: none yet). */
static int gmatch_next(lua_State *L)
{
    struct slice subject = check_slice(L, lua_upvalueindex(1)), pattern = check_slice(L, lua_upvalueindex(2));
    const char *at = subject.data + lua_tointeger(L, lua_upvalueindex(3));
    const char *last = subject.data + lua_tointeger(L, lua_upvalueindex(4)), *end;
    struct pattern m = make_pattern(L, subject, pattern, false);
    for (; (at = pattern_search(&m, at, false, &end)) != NULL; at++)
        if (end != last || lua_tointeger(L, lua_upvalueindex(4)) < 0)
            break;
    check_end(L, &m);
    if (!at) {
        lua_pushinteger(L, (lua_Integer)subject.len + 1);
        lua_replace(L, lua_upvalueindex(3));
        return 0;
    }
    lua_pushinteger(L, (lua_Integer)(end - subject.data));
    lua_copy(L, -1, lua_upvalueindex(3));
    lua_replace(L, lua_upvalueindex(4));
    return push_captures(L, &m, at, end);
}

static int string_gmatch(lua_State *L)
{
    struct slice subject = check_slice(L, 1);
    luaL_checkstring(L, 2);
    const char *from = begin_at(L, 3, subject);
    lua_settop(L, 2);
    lua_pushinteger(L, from ? (lua_Integer)(from - subject.data) : (lua_Integer)subject.len + 1);
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, gmatch_next, 4);
    return 1;
}

/* --- gsub --- */

static void add_template(lua_State *L, struct pattern *m, luaL_Buffer *out, const char *start,
                         const char *end)
{
    struct slice template = check_slice(L, 3);
    const char *at = template.data, *stop = at + template.len;
    while (at < stop) {
        const char *percent = memchr(at, '%', (size_t)(stop - at));
        luaL_addlstring(out, at, (size_t)((percent ? percent : stop) - at));
        if (!percent)
            return;
        char digit = percent + 1 < stop ? percent[1] : '\0';
        at = percent + 2;
        if (digit == '%') {
            luaL_addchar(out, '%');
        } else if (digit == '0') {
            luaL_addlstring(out, start, (size_t)(end - start));
        } else if (digit >= '1' && digit <= '9') {
            push_capture(L, m, (unsigned)(digit - '1'), start, end);
            luaL_tolstring(L, -1, NULL);
            lua_remove(L, -2);
            luaL_addvalue(out);
        } else {
            luaL_error(L, "invalid use of '%%' in replacement string");
        }
    }
}

/* Pushes what the table or function makes of the match; false, nil: the match itself stays. */
static void push_replacement(lua_State *L, struct pattern *m, const char *start, const char *end)
{
    if (lua_isfunction(L, 3)) {
        lua_pushvalue(L, 3);
        lua_call(L, push_captures(L, m, start, end), 1);
    } else {
        push_capture(L, m, 0, start, end);
        lua_gettable(L, 3);
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        lua_pushlstring(L, start, (size_t)(end - start));
    } else if (!lua_isstring(L, -1)) {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    }
}

static void add_replacement(lua_State *L, struct pattern *m, luaL_Buffer *out, const char *start,
                            const char *end)
{
    limits_charge(L, 5);
    if (lua_isstring(L, 3)) {
        add_template(L, m, out, start, end);
        return;
    }
    push_replacement(L, m, start, end);
    luaL_addvalue(out);
}

static int string_gsub(lua_State *L)
{
    struct slice subject = check_slice(L, 1), pattern = check_slice(L, 2);
    int type = lua_type(L, 3);
    luaL_argexpected(L,
                     type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION ||
                         type == LUA_TTABLE,
                     3, "string/function/table");
    lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)subject.len + 1), count = 0;
    bool anchored = pattern.len > 0 && pattern.data[0] == '^';
    struct pattern m = make_pattern(L, subject, pattern, anchored);
    const char *at = subject.data, *stop = at + subject.len, *last = NULL;
    luaL_Buffer out;
    lua_settop(L, 3);
    luaL_buffinit(L, &out);
    while (count < most) {
        const char *end = pattern_at(&m, at);
        check_end(L, &m);
        if (end && end != last) {
            count++;
            add_replacement(L, &m, &out, at, end);
            at = last = end;
        } else if (at < stop) {
            luaL_addchar(&out, *at++);
        } else {
            break;
        }
        if (anchored)
            break;
    }
    luaL_addlstring(&out, at, (size_t)(stop - at));
    luaL_pushresult(&out);
    lua_pushinteger(L, count);
    return 2;
}

/* --- rep --- */

/* The original counts to n even if there is nothing to write. */
static int string_rep(lua_State *L)
{
    size_t separator = 0;
    size_t len = check_slice(L, 1).len;
    lua_Integer n = luaL_checkinteger(L, 2);
    luaL_optlstring(L, 3, "", &separator);
    if (n <= 0 || len + separator == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    if ((lua_Unsigned)n > SCRIPT_STRING_MAX + 1 ||
        (size_t)n * (len + separator) > SCRIPT_STRING_MAX + separator)
        limits_trip(L, TRIP_MEMORY);
    limits_charge(L, (size_t)n + (size_t)n * (len + separator) / 16);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

int library_string_open(lua_State *L)
{
    static const char *const by_length[] = {"byte", "format",   "lower",  "upper", "reverse",
                                            "pack", "packsize", "unpack", NULL};
    static const luaL_Reg own[] = {{"find", string_find},
                                   {"match", string_match},
                                   {"gmatch", string_gmatch},
                                   {"gsub", string_gsub},
                                   {NULL, NULL}};
    lua_pushcfunction(L, luaopen_string);
    lua_call(L, 0, 1);
    sandbox_charge(L, by_length);
    lua_getfield(L, -1, "rep");
    lua_pushcclosure(L, string_rep, 1);
    lua_setfield(L, -2, "rep");
    luaL_setfuncs(L, own, 0);
    lua_pushnil(L);
    lua_setfield(L, -2, "dump");
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
    return 1;
}
