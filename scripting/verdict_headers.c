/* headers = { … } of a verdict. */
#include <stdlib.h>
#include <strings.h>

#include "scripting/field.h"
#include "scripting/verdict.h"

static bool wrong(lua_State *L, const char *what)
{
    lua_pushfstring(L,
                    "%s: names of headers are tokens, values texts without CR, LF and NUL or other controls",
                    what);
    return false;
}

static bool text_at(lua_State *L, int index, struct slice *text)
{
    if (lua_type(L, index) != LUA_TSTRING)
        return false;
    text->data = lua_tolstring(L, index, &text->len);
    return true;
}

/* The value on the top. */
static bool measure_text(lua_State *L, size_t name_len, struct headers *headers)
{
    struct slice value;
    if (!text_at(L, -1, &value) || !field_is_value(value))
        return false;
    limits_charge(L, 2 + value.len / 8);
    headers->values++;
    headers->size += name_len + 1 + value.len + 1;
    return true;
}

/* The list on the top: an array, and nothing else in it. */
static bool measure_list(lua_State *L, size_t name_len, struct headers *headers)
{
    lua_Unsigned count = lua_rawlen(L, -1), keys = 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        bool in_order =
            lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 && (lua_Unsigned)lua_tointeger(L, -2) <= count;
        if (!in_order || ++keys > HEADERS_MAX || !measure_text(L, name_len, headers)) {
            lua_pop(L, 2);
            return false;
        }
    }
    return keys == count;
}

/* Name and value on the top, which stay there. */
static bool measure(lua_State *L, const char *what, bool lists, struct headers *headers)
{
    struct slice name;
    if (!text_at(L, -2, &name) || !field_is_name(name))
        return wrong(L, what);
    if (field_is_framing(name)) {
        lua_pushfstring(L, "%s: the header '%s' is for lb to set", what, name.data);
        return false;
    }
    bool list = lists && lua_istable(L, -1);
    bool good = list ? measure_list(L, name.len, headers) : measure_text(L, name.len, headers);
    if (!good)
        return wrong(L, what);
    bool fits =
        headers->count < HEADERS_MAX && headers->values <= HEADERS_MAX && headers->size <= HEADERS_BYTES_MAX;
    if (fits)
        headers->names[headers->count++] = name.data;
    else
        lua_pushfstring(L, "%s: more than %d headers, or more than %d bytes of them", what, HEADERS_MAX,
                        (int)HEADERS_BYTES_MAX);
    return fits;
}

static int by_name(const void *a, const void *b)
{
    return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

/* Two names that differ in case only have no order: which value would hold? */
static bool sort(lua_State *L, const char *what, struct headers *headers)
{
    limits_charge(L, 4 * headers->count);
    if (headers->count > 0)
        qsort(headers->names, headers->count, sizeof(*headers->names), by_name);
    for (size_t i = 1; i < headers->count; i++)
        if (strcasecmp(headers->names[i - 1], headers->names[i]) == 0) {
            lua_pushfstring(L, "%s: the header '%s' is there twice", what, headers->names[i]);
            return false;
        }
    return true;
}

bool verdict_take_headers(lua_State *L, int value, const char *what, bool lists, struct headers *headers)
{
    *headers = (struct headers){.table = value};
    if (!lua_istable(L, value)) {
        lua_pushfstring(L, "%s: headers is a %s, expected a table", what, luaL_typename(L, value));
        return false;
    }
    luaL_checkstack(L, 8, what);
    for (lua_pushnil(L); lua_next(L, value); lua_pop(L, 1))
        if (!measure(L, what, lists, headers))
            return false;
    return sort(L, what, headers);
}

/* --- packing --- */

static char *pack_one(lua_State *L, const char *name, char *at)
{
    size_t len;
    const char *value = lua_tolstring(L, -1, &len);
    at += field_lower(slice_of(name), at).len;
    *at++ = '\0';
    memcpy(at, value, len);
    at[len] = '\0';
    return at + len + 1;
}

void verdict_pack_headers(lua_State *L, const struct headers *headers, char *out)
{
    for (size_t i = 0; i < headers->count; i++) {
        lua_pushstring(L, headers->names[i]);
        lua_rawget(L, headers->table);
        if (!lua_istable(L, -1))
            out = pack_one(L, headers->names[i], out);
        for (lua_Integer k = 1; lua_istable(L, -1) && k <= (lua_Integer)lua_rawlen(L, -1); k++) {
            lua_rawgeti(L, -1, k);
            out = pack_one(L, headers->names[i], out);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
}

static struct slice take_text(struct slice *rest)
{
    const char *end = memchr(rest->data, '\0', rest->len);
    struct slice text = slice_make(rest->data, end ? (size_t)(end - rest->data) : rest->len);
    rest->data += text.len + (end ? 1 : 0);
    rest->len -= text.len + (end ? 1 : 0);
    return text;
}

bool verdict_next_header(struct slice *rest, struct slice *name, struct slice *value)
{
    if (rest->len == 0)
        return false;
    *name = take_text(rest);
    *value = take_text(rest);
    return true;
}
