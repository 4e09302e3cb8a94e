/* The bounded patterns answer what Lua's own answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scripting/internal.h"
#include "scripting/pattern.h"

/* --- the matcher by itself --- */

struct counter {
    size_t spent, limit;
};

static bool count(void *context, size_t steps)
{
    struct counter *counter = context;
    counter->spent += steps;
    return counter->spent < counter->limit;
}

static struct pattern made(const char *subject, const char *pattern, struct counter *counter)
{
    return (struct pattern){.subject = slice_of(subject),
                            .pattern = slice_of(pattern),
                            .spend = count,
                            .context = counter};
}

static void a_match_stops_when_its_steps_are_spent(void **state)
{
    (void)state;
    const char *subject = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", *end;
    struct counter counter = {0, 100000};
    struct pattern m = made(subject, ".-.-.-.-.-.-.-.-.-.-b", &counter);
    assert_null(pattern_search(&m, m.subject.data, false, &end));
    assert_true(m.stopped);
    assert_true(counter.spent < 110000);
}

static void malformed_patterns_are_errors(void **state)
{
    static const char *const patterns[] = {"%",  "[",  "[a",  "[%", "[^]", "[]", "(",    ")",  "(()",
                                           "a)", "%b", "%bx", "%f", "%fa", "%1", "(%1)", "%0", "a%"};
    (void)state;
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        struct counter counter = {0, 10000};
        struct pattern m = made("a", patterns[i], &counter);
        const char *end, *start = pattern_search(&m, m.subject.data, false, &end);
        struct pattern_capture capture;
        bool bad = m.error;
        for (unsigned k = 0; start && k < m.captures; k++)
            bad = !pattern_capture(&m, k, start, end, &capture) || bad;
        if (!bad)
            fail_msg("%s is not malformed", patterns[i]);
    }
}

static void a_pattern_that_is_too_deep_is_an_error(void **state)
{
    (void)state;
    char pattern[2 * 300 + 1] = "", subject[301] = "";
    for (int i = 0; i < 300; i++) {
        strcat(pattern, "a?");
        strcat(subject, "a");
    }
    struct counter counter = {0, 100000};
    struct pattern m = made(subject, pattern, &counter);
    assert_null(pattern_at(&m, m.subject.data));
    assert_string_equal(m.error, "pattern too complex");
}

static void more_captures_than_there_is_room_for_are_an_error(void **state)
{
    (void)state;
    char pattern[2 * 33 + 1] = "";
    for (int i = 0; i < 33; i++)
        strcat(pattern, "()");
    struct counter counter = {0, 100000};
    struct pattern m = made("x", pattern, &counter);
    assert_null(pattern_at(&m, m.subject.data));
    assert_string_equal(m.error, "malformed pattern (too many captures)");
}

/* --- against the original --- */

struct pair {
    struct script script;
    lua_State *original, *bounded;
};

static int open_original(lua_State *L)
{
    luaL_requiref(L, "_G", luaopen_base, 1);
    luaL_requiref(L, "string", luaopen_string, 1);
    return 0;
}

static int open_bounded(lua_State *L)
{
    luaL_requiref(L, "_G", luaopen_base, 1);
    library_string_open(L);
    lua_setglobal(L, "string");
    return 0;
}

static const char driver[] =
    "local function show(...)\n"
    "  local t = table_pack(...)\n"
    "  local out = ''\n"
    "  for i = 1, t.n do out = out .. type(t[i]) .. ':' .. tostring(t[i]) .. '|' end\n"
    "  return out\n"
    "end\n"
    "local swap = {a = 'A', b = false, ab = 7}\n"
    "local ops = {\n"
    "  function(s, p) return show(string.find(s, p)) end,\n"
    "  function(s, p, n) return show(string.find(s, p, n)) end,\n"
    "  function(s, p, n) return show(string.match(s, p, n)) end,\n"
    "  function(s, p) return show(string.gsub(s, p, '<%0>')) end,\n"
    "  function(s, p, n) return show(string.gsub(s, p, '<%1%%>', n)) end,\n"
    "  function(s, p) return show(string.gsub(s, p, '%2')) end,\n"
    "  function(s, p) return show(string.gsub(s, p, swap)) end,\n"
    "  function(s, p) return show(string.gsub(s, p, function(a, b) return b or nil end)) end,\n"
    "  function(s, p, n) local out = '' for a, b in string.gmatch(s, p, n) do out = out .. show(a, b) .. ';' "
    "end"
    " return out end,\n"
    "}\n"
    "function run(op, s, p, n) return ops[op](s, p, n) end\n";

static int table_pack(lua_State *L)
{
    int n = lua_gettop(L);
    lua_createtable(L, n, 1);
    lua_insert(L, 1);
    for (int i = n; i >= 1; i--)
        lua_rawseti(L, 1, i);
    lua_pushinteger(L, n);
    lua_setfield(L, 1, "n");
    return 1;
}

static void prepare(lua_State *L, lua_CFunction open)
{
    lua_pushcfunction(L, open);
    assert_int_equal(lua_pcall(L, 0, 0, 0), LUA_OK);
    lua_register(L, "table_pack", table_pack);
    assert_int_equal(luaL_loadstring(L, driver), LUA_OK);
    assert_int_equal(lua_pcall(L, 0, 0, 0), LUA_OK);
}

static int set_up(void **state)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    pair->script.memory.limit = 100u << 20;
    pair->original = luaL_newstate();
    pair->bounded = lua_newstate(limits_alloc, &pair->script);
    coroutine_init(pair->bounded, &pair->script);
    prepare(pair->original, open_original);
    prepare(pair->bounded, open_bounded);
    *state = pair;
    return 0;
}

static int tear_down(void **state)
{
    struct pair *pair = *state;
    lua_close(pair->original);
    lua_close(pair->bounded);
    blocks_free(&pair->script.blocks);
    free(pair);
    return 0;
}

/* Leaves the answer on the stack; NULL if it is an error. */
static const char *answer(lua_State *L, int op, struct slice s, struct slice p, int n, size_t *len)
{
    lua_settop(L, 0);
    lua_getglobal(L, "run");
    lua_pushinteger(L, op);
    lua_pushlstring(L, s.data, s.len);
    lua_pushlstring(L, p.data, p.len);
    lua_pushinteger(L, n);
    bool good = lua_pcall(L, 4, 1, 0) == LUA_OK;
    const char *text = lua_tolstring(L, -1, len);
    return good ? text : NULL;
}

static void compare(struct pair *pair, int op, struct slice s, struct slice p, int n)
{
    size_t la, lb;
    const char *a = answer(pair->original, op, s, p, n, &la), *b = answer(pair->bounded, op, s, p, n, &lb);
    if ((!a && !b) || (a && b && la == lb && memcmp(a, b, la) == 0))
        return;
    fail_msg("op %d, \"%.*s\" on \"%.*s\", %d: %s, but here %s", op, (int)p.len, p.data, (int)s.len, s.data,
             n, lua_tostring(pair->original, -1), lua_tostring(pair->bounded, -1));
}

static void compare_all(struct pair *pair, struct slice s, struct slice p)
{
    for (int op = 1; op <= 9; op++)
        for (int n = -4; n <= 5; n += 3)
            compare(pair, op, s, p, n);
}

static void known_patterns_answer_as_the_original(void **state)
{
    static const char *const patterns[] = {"",           "a",
                                           "^a",         "a$",
                                           "^$",         "$",
                                           "^",          "a*",
                                           "a+",         "a-",
                                           "a?",         "a-b",
                                           ".-b",        "(a)(b)",
                                           "()a()",      "((a)b)",
                                           "[a-c]+",     "[^a]",
                                           "[]]",        "[^]]",
                                           "[a-]",       "[-a]",
                                           "[%a-z]",     "[%]]",
                                           "%a+",        "%A",
                                           "%d%s%w",     "%bab",
                                           "%b()",       "%f[%w]%w+",
                                           "%f[^%w]",    "(a*)%1",
                                           "(.)%1",      "%.",
                                           "%%",         "^^",
                                           "$$",         "a$b",
                                           "^a^",        "%f[a]",
                                           "[%w_]+=%d*", "(%w+)%s*=",
                                           "^(.-)%s*$",  "[a-a]",
                                           "[z-a]",      "%g%p%c%x%u%l",
                                           "()",         "(()())",
                                           "a.b",        "*a",
                                           "+",          "-",
                                           "?",          "[*-+]",
                                           "%z",         "%-",
                                           "a**",        "a+?",
                                           "(a-)b",      "(a?)(a?)",
                                           "[^%s]+$",    "^%s*(.-)%s*$"};
    static const char *const subjects[] = {
        "",           "a",           "ab",        "aab",  "abab aabb",  "b(a(b))c", "x=12, y = 7",
        "  trim me ", "hello world", "a]b[c^d-e", "%d%%", "A_b9 \t.\n", "aaaa"};
    for (size_t p = 0; p < sizeof(patterns) / sizeof(patterns[0]); p++)
        for (size_t s = 0; s < sizeof(subjects) / sizeof(subjects[0]); s++)
            compare_all(*state, slice_of(subjects[s]), slice_of(patterns[p]));
}

static void each_byte_is_of_the_same_classes(void **state)
{
    for (int c = 0; c < 256; c++) {
        char byte = (char)c, pattern[3] = {'%', 'x', '\0'};
        for (const char *letter = "acdglpsuwxACDGLPSUWX"; *letter; letter++) {
            pattern[1] = *letter;
            compare(*state, 1, slice_make(&byte, 1), slice_make(pattern, 2), 1);
        }
        pattern[1] = byte;
        compare(*state, 1, slice_make("a", 1), slice_make(pattern, 2), 1);
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static struct slice random_bytes(uint32_t *seed, const char *const *pieces, size_t count_of, char *out,
                                 unsigned most)
{
    size_t len = 0;
    for (unsigned n = next_random(seed) % (most + 1); n > 0; n--) {
        const char *piece = pieces[next_random(seed) % count_of];
        size_t size = *piece ? strlen(piece) : 1; /* the empty piece is a NUL */
        memcpy(out + len, piece, size);
        len += size;
    }
    return slice_make(out, len);
}

static void random_patterns_answer_as_the_original(void **state)
{
    static const char *const pieces[] = {"a",    "b",     "c",  ".",    "*",  "+",   "-",    "?",   "(",
                                         ")",    "[",     "]",  "^",    "$",  "%",   "%a",   "%b",  "%f",
                                         "%1",   "%2",    "%w", "[ab]", "()", "(a)", "[^a]", "a-c", "",
                                         "%bab", "%f[a]", "%)", "(.-)", "a*", "%S",  "[%w]", "\xE4"};
    static const char *const letters[] = {"a", "b", "c", "(", ")", " ", "", "1", "]", "\xE4", "ab"};
    uint32_t seed = 20260101;
    char pattern[64], subject[64];
    for (int i = 0; i < 40000; i++) {
        struct slice p = random_bytes(&seed, pieces, sizeof(pieces) / sizeof(pieces[0]), pattern, 7);
        struct slice s = random_bytes(&seed, letters, sizeof(letters) / sizeof(letters[0]), subject, 9);
        compare(*state, (int)(next_random(&seed) % 9) + 1, s, p, (int)(next_random(&seed) % 13) - 6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_match_stops_when_its_steps_are_spent),
        cmocka_unit_test(malformed_patterns_are_errors),
        cmocka_unit_test(a_pattern_that_is_too_deep_is_an_error),
        cmocka_unit_test(more_captures_than_there_is_room_for_are_an_error),
        cmocka_unit_test_setup_teardown(known_patterns_answer_as_the_original, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_byte_is_of_the_same_classes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_patterns_answer_as_the_original, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
