/* Nothing a script does may hang the thread, grow without bound, or turn a failure into an admission. */
#include "test_script_host.h"

#define HOST struct host *host = *state

/* Sanitizers make everything slower; what is tested is that there is an end, soon. */
#define SOON_US 2500000

/* Runs the body and expects this reason; then the same state still answers. */
static void ends(struct host *host, const char *body, enum reason reason, const char *part)
{
    size_t size = strlen(body) + 128;
    char *lua = malloc(size);
    assert_non_null(lua);
    snprintf(lua, size, "function on_authorize(conn)\nif fine then return true end\nfine = true\n%s\nend\n",
             body);
    host_load(host, lua);
    free(lua);
    uint64_t before = clock_us();
    host_call(host);
    if (clock_us() - before > SOON_US)
        fail_msg("%s took %llu ms", body, (unsigned long long)(clock_us() - before) / 1000);
    if (host->out.verdict != SCRIPT_DENY || host->out.reason != reason || !strstr(host->out.text, part))
        fail_msg("%s: verdict %d, %s: %s", body, host->out.verdict, reason_name(host->out.reason),
                 host->out.text);
    host_call(host);
    assert_allows(host);
}

/* --- CPU time --- */

#define CPU(name, body)                                                                                      \
    static void name(void **state)                                                                           \
    {                                                                                                        \
        HOST;                                                                                                \
        ends(host, body, REASON_SCRIPT_CPU, "used more than 100 ms of CPU time (script-cpu)");               \
    }

CPU(an_endless_loop_ends, "while true do end")
CPU(an_endless_loop_with_goto_ends, "::again:: goto again")
CPU(an_endless_repeat_ends, "repeat until false")
CPU(an_endless_loop_inside_pcall_ends, "pcall(function() while true do end end) return true")
CPU(a_loop_around_pcall_ends, "while true do pcall(function() while true do end end) end")
CPU(a_loop_inside_nested_pcalls_ends,
    "pcall(pcall, pcall, pcall, function() while true do end end) return true")
CPU(a_loop_in_an_error_handler_ends, "xpcall(error, function() while true do end end) return true")
CPU(a_handler_that_goes_on_after_the_limit_ends,
    "xpcall(function() while true do end end, function() while true do end end) return true")
CPU(a_loop_in_a_coroutine_ends,
    "coroutine.resume(coroutine.create(function() while true do end end)) return true")
CPU(a_loop_in_a_wrapped_coroutine_ends, "pcall(coroutine.wrap(function() while true do end end)) return true")
CPU(a_loop_in_coroutines_of_coroutines_ends, "coroutine.wrap(function() coroutine.wrap(function() "
                                             "pcall(function() while true do end end) while true do end"
                                             " end)() while true do end end)() return true")
CPU(coroutines_without_end_end, "while true do coroutine.wrap(function() for i = 1, 100 do end end)() end")
CPU(coroutines_that_multiply_end,
    "local function f(n) for i = 1, 100 do coroutine.wrap(f)(n + 1) end end while true do pcall(f, 1) end")
CPU(a_loop_in_index_ends, "return setmetatable({}, {__index = function() while true do end end}).x")
CPU(a_loop_in_newindex_ends,
    "setmetatable({}, {__newindex = function() while true do end end}).x = 1 return true")
CPU(a_loop_in_call_ends, "return setmetatable({}, {__call = function() while true do end end})()")
CPU(a_loop_in_eq_ends,
    "local m = {__eq = function() while true do end end} return setmetatable({}, m) == setmetatable({}, m)")
CPU(a_loop_in_tostring_ends,
    "pcall(tostring, setmetatable({}, {__tostring = function() while true do end end})) return true")
CPU(a_loop_in_close_ends, "pcall(function() local x <close> = setmetatable({}, {__close = function() while "
                          "true do end end}) end) return true")
CPU(a_loop_in_a_comparison_ends, "table.sort({1, 2, 3}, function() while true do end end) return true")
CPU(a_caught_loop_in_a_comparison_ends, "while true do table.sort({1, 2, 3}, function() pcall(function() "
                                        "while true do end end) return true end) end")
CPU(a_loop_in_a_replacement_ends, "(('x'):rep(100)):gsub('x', function() while true do end end) return true")
CPU(a_loop_in_an_iterator_ends, "for _ in function() return 1 end do end")
CPU(endless_next_ends, "local t = {1} while true do next(t) end")
CPU(endless_tail_calls_end, "local function f() return f() end return f()")
CPU(endless_errors_end, "while true do pcall(error, 'x') end")
CPU(endless_error_objects_end, "while true do pcall(error, setmetatable({}, {__tostring = error})) end")
CPU(endless_facts_end, "while true do local x = conn.certificate.subject.OU end")
CPU(endless_log_lines_end, "while true do print('x') end")
CPU(endless_hashing_ends, "local s = ('x'):rep(200000) while true do lb.sha256(s) end")
CPU(endless_verdicts_end, "while true do lb.allow{ log = { a = 1 } } end")
CPU(garbage_without_end_ends, "while true do local t = {{}, {}, {}} end")
CPU(long_strings_without_end_end,
    "local s = ('x'):rep(100000) local i = 0 while true do i = i + 1 local t = s .. i end")
CPU(a_loop_of_joins_inside_pcall_ends,
    "local s = ('x'):rep(100000) while true do pcall(function() local t = s .. s end) end")

/* C functions that work long without executing an instruction. */
CPU(a_pattern_that_explodes_ends, "return (('a'):rep(3000)):find(('.-'):rep(20) .. 'b')")
CPU(a_pattern_with_stars_that_explodes_ends, "return (('a'):rep(3000)):match(('a*'):rep(30) .. 'b')")
CPU(a_pattern_with_optionals_that_explodes_ends,
    "return (('a'):rep(60)):match(('a?'):rep(60) .. ('a'):rep(61) .. 'b')")
CPU(a_pattern_with_sets_that_explodes_ends,
    "return (('a'):rep(100000)):find(('[' .. ('b'):rep(10000) .. ']?'):rep(20) .. 'c')")
CPU(a_balanced_pattern_that_explodes_ends, "return (('('):rep(250000)):find('%b()')")
CPU(a_repetition_that_explodes_ends, "return (('a'):rep(100000)):find('(.+)%1b')")
CPU(gmatch_that_explodes_ends, "for x in (('a'):rep(3000)):gmatch(('.-'):rep(20) .. 'b') do end")
CPU(gsub_that_explodes_ends, "return (('a'):rep(3000)):gsub(('.-'):rep(20) .. 'b', '')")
CPU(a_pattern_caught_again_and_again_ends,
    "while true do pcall(string.find, ('a'):rep(3000), ('.-'):rep(20) .. 'b') end")
CPU(plain_searches_without_end_end, "local s = ('a'):rep(200000) while true do s:find('b', 1, true) end")
CPU(conversions_without_end_end, "local s = ('a'):rep(200000) while true do s:upper() s:reverse() end")
CPU(formats_without_end_end, "local s = ('%%'):rep(100000) while true do s:format() end")
CPU(comparisons_without_end_end,
    "local a, b = ('a'):rep(200000) .. 'x', ('a'):rep(200000) .. 'y' local n while true do n = a < b end")
CPU(utf8_without_end_ends,
    "local s = ('\\u{e4}'):rep(100000) while true do utf8.len(s) utf8.offset(s, -1) end")
CPU(numbers_from_long_texts_end, "local s = ('1'):rep(200000) while true do tonumber(s) end")
CPU(dates_without_end_end, "local f = ('%c'):rep(5000) while true do os.date(f) end")
CPU(inserts_at_the_front_end, "local t = {} for i = 1, 1e9 do table.insert(t, 1, 1) t[2] = nil end")
CPU(moves_over_a_huge_range_end, "table.move({}, 1, 1 << 60, 2, {}) return true")
CPU(joins_of_many_parts_end,
    "local t = {} for i = 1, 50000 do t[i] = '' end while true do table.concat(t) end")
CPU(sorts_without_end_end,
    "local t = {} for i = 1, 20000 do t[i] = i * 7 % 20001 end while true do table.sort(t) end")
CPU(unpacking_without_end_ends, "local t = {} while true do table.pack(table.unpack(t, 1, 8000)) end")
CPU(packing_without_end_ends, "local f = ('b'):rep(100) while true do pcall(string.pack, f, 1) end")
CPU(varargs_without_end_end,
    "local function f(n, ...) if n > 0 then return f(n - 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...) end\n"
    " while true do local a = select('#', ...) end end f(9000)")
CPU(a_loop_in_a_coroutine_below_sort_ends,
    "table.sort({1, 2}, function() coroutine.wrap(function() while true do end end)() end) return true")
CPU(a_caught_loop_in_a_coroutine_below_gsub_ends,
    "local function loop() while true do end end while true do ('x'):gsub('x', function() "
    "pcall(coroutine.wrap(loop)) end) end")
CPU(log_fields_without_end_end,
    "local t = {} for i = 1, 20000 do t['x' .. i] = i end while true do lb.allow{log = t} end")
CPU(closing_after_the_limit_ends, "local m = {__close = function() while true do end end}\n"
                                  "local function deep(n) local x <close> = setmetatable({}, m) if n > 0 "
                                  "then deep(n - 1) else while true do end end end\n"
                                  "pcall(deep, 10000) return true")
CPU(closing_after_the_limit_where_none_can_yield_ends,
    "local m = {__close = function() while true do end end}\n"
    "local function deep(n) local x <close> = setmetatable({}, m) if n > 0 then deep(n - 1) else while true "
    "do end end end\n"
    "table.sort({1, 2}, function() pcall(deep, 10000) end) return true")

/* --- memory --- */

#define MEMORY(name, body)                                                                                   \
    static void name(void **state)                                                                           \
    {                                                                                                        \
        HOST;                                                                                                \
        host->settings.cpu_ms = 2000;                                                                        \
        host->settings.timeout_ms = 4000;                                                                    \
        ends(host, body, REASON_SCRIPT_MEMORY, "of memory (script-memory)");                                 \
    }

MEMORY(a_table_without_end_ends, "local t = {} for i = 1, 1e9 do t[i] = i end")
MEMORY(a_table_without_end_inside_pcall_ends,
       "local t = {} pcall(function() for i = 1, 1e9 do t[i] = i end end) return true")
MEMORY(memory_failures_caught_in_a_loop_end,
       "local t = {} while true do pcall(function() t[#t + 1] = ('x'):rep(9999) .. #t end) end")
MEMORY(strings_without_end_end, "local t = {} while true do t[#t + 1] = ('x'):rep(10000) .. #t end")
MEMORY(a_string_that_doubles_ends, "local s = 'x' while true do s = s .. s end")
MEMORY(a_string_that_doubles_inside_pcall_ends,
       "local s = 'x' while true do pcall(function() s = s .. s end) end")
MEMORY(a_huge_repetition_ends, "return ('x'):rep(1 << 40)")
MEMORY(a_huge_repetition_inside_pcall_ends, "pcall(string.rep, 'x', 1e9) return true")
MEMORY(a_repetition_over_the_longest_string_ends, "return #('x'):rep(300000) > 0")
MEMORY(a_huge_repetition_of_separators_ends, "return ('' ):rep(1 << 40, ',')")
MEMORY(a_huge_packed_string_ends, "return string.pack('c1000000000', 'x')")
MEMORY(a_huge_join_ends, "local t = {} for i = 1, 1000 do t[i] = ('x'):rep(1000) end return table.concat(t)")
MEMORY(a_huge_replacement_ends, "return (('x'):rep(10000)):gsub('x', ('y'):rep(10000))")
MEMORY(a_huge_format_ends, "local s = ('x'):rep(100000) return ('%s%s%s%s'):format(s, s, s, s)")
MEMORY(coroutines_without_end_are_ended, "local t = {} while true do t[#t + 1] = coroutine.create(print) end")
MEMORY(closures_without_end_end, "local t = {} while true do t[#t + 1] = function() return t end end")
MEMORY(globals_of_one_call_are_given_up_if_they_can_be, "local t = {} for i = 1, 1e9 do t = {t} end")

static void an_empty_repetition_costs_nothing(void **state)
{
    HOST;
    host_run(host, "return (''):rep(1 << 60) == ''");
    assert_allows(host);
}

static void endless_recursion_ends(void **state)
{
    HOST;
    host_run(host, "local function f(n) return 1 + f(n + 1) end return f(1)");
    assert_int_equal(host->out.verdict, SCRIPT_DENY);
    assert_true(host->out.reason == REASON_SCRIPT_MEMORY || host->out.reason == REASON_SCRIPT_ERROR);
}

static void endless_recursion_inside_pcall_ends(void **state)
{
    HOST;
    host_run(host, "local function f() return pcall(f) and f() end while true do f() end");
    assert_int_equal(host->out.verdict, SCRIPT_DENY);
    assert_true(host->out.reason == REASON_SCRIPT_MEMORY || host->out.reason == REASON_SCRIPT_CPU);
}

static void endless_recursion_with_much_memory_is_a_stack_overflow(void **state)
{
    HOST;
    host->settings.memory = 64u << 20;
    host->settings.cpu_ms = 2000;
    host->settings.timeout_ms = 4000;
    host_run(host, "local function f(n) return 1 + f(n + 1) end return f(1)");
    assert_denies(host, REASON_SCRIPT_ERROR, "stack overflow");
}

static void endless_recursion_through_metamethods_ends(void **state)
{
    static const char *const bodies[] = {
        "local t = {} setmetatable(t, {__index = function(t, k) return t[k] end}) return t.x",
        "local t = {} setmetatable(t, {__tostring = function(t) return tostring(t) end}) return tostring(t)",
        "local t = {} setmetatable(t, {__index = t}) return t.x",
        "local m = {} m.__index = setmetatable({}, m) return setmetatable({}, m).x",
        "local function f() return ('x'):gsub('x', f) end return f()",
        "local function f() table.sort({1, 2}, f) end return f()",
        "local function f() return coroutine.wrap(f)() end return f()",
        "local function f() error(setmetatable({}, {__index = f})) end return xpcall(f, f)",
        "local function f(x) error(x) end return xpcall(f, function(e) f(e) end)",
    };
    HOST;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        uint64_t before = clock_us();
        host_run(host, bodies[i]);
        assert_int_equal(host->out.verdict, SCRIPT_DENY);
        assert_true(clock_us() - before < SOON_US);
    }
}

static void deep_nesting_in_the_text_is_a_problem(void **state)
{
    HOST;
    char *lua = malloc(400100);
    assert_non_null(lua);
    strcpy(lua, "x = ");
    memset(lua + 4, '(', 200000);
    strcpy(lua + 200004, "1");
    host_file(host, "policy.lua", lua);
    free(lua);
    assert_null(host_try(host, host->path));
    assert_contains(host_problem(host), "policy.lua: C stack overflow");
}

static void a_text_that_is_too_large_is_a_problem(void **state)
{
    HOST;
    char *lua = malloc((1u << 20) + 10);
    assert_non_null(lua);
    memset(lua, ' ', (1u << 20) + 9);
    lua[(1u << 20) + 9] = '\0';
    host_file(host, "policy.lua", lua);
    free(lua);
    assert_null(host_try(host, host->path));
    assert_contains(host_problem(host), "larger than 1 MB");
}

static void a_text_that_does_not_fit_into_memory_is_a_problem(void **state)
{
    HOST;
    host->settings.memory = 200000;
    char *lua = malloc(900000);
    assert_non_null(lua);
    size_t at = 0;
    for (int i = 0; i < 30000; i++)
        at += (size_t)sprintf(lua + at, "x%d = 'y%d'\n", i, i);
    host_file(host, "policy.lua", lua);
    free(lua);
    assert_null(host_try(host, host->path));
    assert_contains(host_problem(host), "memory (script-memory)");
}

static void finalizers_are_refused(void **state)
{
    HOST;
    host_run(host, "setmetatable({}, {__gc = function() while true do end end}) return true");
    assert_denies(host, REASON_SCRIPT_ERROR, "__gc is not allowed");
}

static void a_finalizer_added_later_never_runs(void **state)
{
    HOST;
    host_run(host, "local m = {} for i = 1, 100 do setmetatable({}, m) end\n"
                   "m.__gc = function() ran = true while true do end end\n"
                   "for i = 1, 20000 do local t = {{}} end return not ran");
    assert_allows(host);
}

static void weak_keys_are_refused(void **state)
{
    HOST;
    host_run(host, "setmetatable({}, {__mode = 'kv'}) return true");
    assert_denies(host, REASON_SCRIPT_ERROR, "weak keys");
}

static void the_collector_is_not_at_the_script_s_command(void **state)
{
    HOST;
    host_run(host, "collectgarbage('stop') return true");
    assert_denies(host, REASON_SCRIPT_ERROR, "may only ask for \"count\"");
}

static void a_state_that_is_full_keeps_denying_and_says_why(void **state)
{
    HOST;
    host->settings.cpu_ms = 2000;
    host->settings.timeout_ms = 4000;
    host_run(host, "kept = kept or {} for i = 1, 1e9 do kept[#kept + 1] = {} end");
    assert_denies(host, REASON_SCRIPT_MEMORY, "policy.lua:2: used more than 4194304 bytes of memory");
    for (int i = 0; i < 20; i++) {
        host_call(host);
        assert_int_equal(host->out.verdict, SCRIPT_DENY);
        assert_int_equal(host->out.reason, REASON_SCRIPT_MEMORY);
        assert_contains(host->out.text, "memory");
        assert_true(script_memory(host->script) <= host->settings.memory);
    }
}

static void a_state_without_room_for_a_call_keeps_denying(void **state)
{
    HOST;
    host->settings.memory = 300000;
    host_load(host,
              "kept = {} function on_authorize()\n"
              "for size = 16, 0, -1 do while true do local ok = pcall(function() kept[#kept + 1] = {} end)\n"
              "if not ok then break end end end return true end");
    for (int i = 0; i < 2000; i++) {
        host_call(host);
        assert_int_equal(host->out.reason, REASON_SCRIPT_MEMORY);
    }
    assert_true(script_memory(host->script) <= host->settings.memory);
}

/* The state fills up at one place after the other: each must come back as a problem or a denial. */
static void memory_may_run_out_anywhere(void **state)
{
    HOST;
    static const char lua[] =
        "local names = require 'names'\n"
        "local function walk(conn)\n"
        "  local c = conn.certificate\n"
        "  local parts = {tostring(c.subject), c.subject:all('OU')[1], c.san.uri[1], tostring(c.san.dns), "
        "c.sha256}\n"
        "  for k, v in pairs(c.san.dns) do parts[#parts + 1] = k .. v end\n"
        "  local text = table.concat(parts, ';'):gsub('%w+', function(w) return w:upper() end)\n"
        "  coroutine.yield(lb.base64.encode(text) .. lb.sha256(text):rep(20))\n"
        "  lb.sleep(0)\n"
        "  return lb.allow{ backend = 'app', log = { ou = c.subject.OU, list = lb.options.ou } }\n"
        "end\n"
        "function on_authorize(conn)\n"
        "  local co = coroutine.create(walk)\n"
        "  local _, text = coroutine.resume(co, conn)\n"
        "  print(text, #text, pcall(error, {}))\n"
        "  local _, verdict = coroutine.resume(co)\n"
        "  return verdict\n"
        "end\n";
    unsigned allowed = 0, denied = 0, refused_to_load = 0;
    host_option(host, "ou", "payments, treasury");
    host_file(host, "names.lua", "return { 'a', 'b' }");
    host_file(host, "policy.lua", lua);
    for (host->settings.memory = 15000; host->settings.memory < 60000; host->settings.memory += 53) {
        host->log[0] = host->read[0] = '\0';
        struct script *script = host_try(host, host->path);
        if (!script) {
            refused_to_load++;
            continue;
        }
        for (int i = 0; i < 3; i++) {
            script_authorize(script, &host->conn, &host->out, &host->waiting);
            while (host->out.verdict == SCRIPT_WAIT)
                script_resume(&host->waiting, &host->out);
            allowed += host->out.verdict == SCRIPT_ALLOW;
            denied += host->out.reason == REASON_SCRIPT_MEMORY;
            if (host->out.verdict != SCRIPT_ALLOW && host->out.reason != REASON_SCRIPT_MEMORY)
                fail_msg("with %llu bytes: %s\n%s", (unsigned long long)host->settings.memory, host->out.text,
                         host->log);
        }
        assert_true(script_memory(script) <= host->settings.memory);
        script_free(script);
    }
    assert_true(allowed > 100 && denied > 20 && refused_to_load > 100);
}

/* --- staying fit --- */

static void a_thousand_failing_calls_leave_a_state_that_works_and_has_not_grown(void **state)
{
    HOST;
    host->settings.cpu_ms = 1;
    host->settings.memory = 400000;
    host_load(
        host,
        "local n = 0\n"
        "local faults = {\n"
        "  function() error('x') end, function() error({}) end, function() return nil end,\n"
        "  function() while true do end end, function() local t = {} while true do t[#t + 1] = {} end end,\n"
        "  function() coroutine.wrap(function() while true do end end)() end,\n"
        "  function() local function f() return 1 + f() end return f() end,\n"
        "  function() return ('x'):rep(1e9) end, function(conn) return conn.nothing end,\n"
        "  function() lb.sleep(60) end,\n"
        "}\n"
        "function on_authorize(conn)\n"
        "  if conn.port == 0 then return true end\n"
        "  n = n + 1 return faults[n % #faults + 1](conn)\n"
        "end");
    size_t settled = 0;
    for (int i = 0; i < 1000; i++) {
        host->conn.port = 1;
        host_call(host);
        assert_int_not_equal(host->out.verdict, SCRIPT_ALLOW);
        if (host->waiting)
            script_cancel(&host->waiting);
        if (i == 100)
            settled = script_memory(host->script);
    }
    host->conn.port = 0;
    host_call(host);
    assert_allows(host);
    assert_true(script_memory(host->script) < settled + 200000);
    assert_true(script_memory(host->script) <= host->settings.memory);
}

static void a_hundred_thousand_good_calls_do_not_grow(void **state)
{
    HOST;
    host_load(
        host,
        "function on_authorize(conn) return lb.allow{ log = { ou = conn.certificate.subject.OU } } end");
    size_t most = 0;
    for (int i = 0; i < 100000; i++) {
        host_call(host);
        if (script_memory(host->script) > most)
            most = script_memory(host->script);
    }
    assert_allows(host);
    assert_true(most < 400000);
}

static void a_limit_reached_in_a_coroutine_of_an_earlier_call_does_not_touch_later_ones(void **state)
{
    HOST;
    host_load(host, "function on_authorize(conn)\n"
                    "  if co then local ok, why = coroutine.resume(co) return not ok, why end\n"
                    "  co = coroutine.create(function() while true do end end)\n"
                    "  coroutine.resume(co)\n"
                    "end");
    host_call(host);
    assert_denies(host, REASON_SCRIPT_CPU, "policy.lua:3: used more");
    host_call(host);
    assert_allows(host);
}

static void the_limit_is_that_of_one_hook_not_of_all(void **state)
{
    HOST;
    host->settings.cpu_ms = 30;
    host_load(host, "function on_authorize() local x = 0 for i = 1, 20000 do x = x + i end return true end");
    for (int i = 0; i < 300; i++) {
        host_call(host);
        assert_allows(host);
    }
}

static void cpu_time_adds_up_over_waits(void **state)
{
    HOST;
    host->settings.cpu_ms = 40;
    host->settings.timeout_ms = 20000;
    host_run(host, "while true do local x = os.clock() while os.clock() < x + 0.005 do end lb.sleep(0) end");
    int slices = 0;
    for (; host->out.verdict == SCRIPT_WAIT; slices++)
        script_resume(&host->waiting, &host->out);
    assert_denies(host, REASON_SCRIPT_CPU, "used more than 40 ms");
    assert_in_range(slices, 3, 40);
    assert_true(host->out.cpu_us >= 40000 && host->out.cpu_us < 400000);
}

static void waiting_uses_no_cpu_time(void **state)
{
    HOST;
    host->settings.cpu_ms = 20;
    host_run(host, "for i = 1, 10 do lb.sleep(0.01) end return true");
    while (host->out.verdict == SCRIPT_WAIT) {
        sleep_ms((unsigned)host->out.wait_ms);
        script_resume(&host->waiting, &host->out);
    }
    assert_allows(host);
}

static void the_time_limit_holds_while_the_script_runs(void **state)
{
    HOST;
    host->settings.cpu_ms = 5000;
    host->settings.timeout_ms = 50;
    ends(host, "while true do pcall(function() while true do end end) end", REASON_SCRIPT_TIME,
         "took longer than 50 ms (script-timeout)");
}

static void the_text_of_a_limit_names_the_place(void **state)
{
    HOST;
    host_run(host, "\n\nwhile true do end");
    assert_denies(host, REASON_SCRIPT_CPU, "policy.lua:4: used more than 100 ms");
    host_run(host, "return (('a'):rep(3000)):find(('.-'):rep(20) .. 'b')");
    assert_denies(host, REASON_SCRIPT_CPU, "policy.lua:2: used more than 100 ms");
    host_run(host, "local t = {}\nwhile true do t[#t + 1] = {} end");
    assert_denies(host, REASON_SCRIPT_MEMORY, "policy.lua:3: used more than");
}

#define T(f) script_test(f)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_endless_loop_ends),
        T(an_endless_loop_with_goto_ends),
        T(an_endless_repeat_ends),
        T(an_endless_loop_inside_pcall_ends),
        T(a_loop_around_pcall_ends),
        T(a_loop_inside_nested_pcalls_ends),
        T(a_loop_in_an_error_handler_ends),
        T(a_handler_that_goes_on_after_the_limit_ends),
        T(a_loop_in_a_coroutine_ends),
        T(a_loop_in_a_wrapped_coroutine_ends),
        T(a_loop_in_coroutines_of_coroutines_ends),
        T(coroutines_without_end_end),
        T(coroutines_that_multiply_end),
        T(a_loop_in_index_ends),
        T(a_loop_in_newindex_ends),
        T(a_loop_in_call_ends),
        T(a_loop_in_eq_ends),
        T(a_loop_in_tostring_ends),
        T(a_loop_in_close_ends),
        T(a_loop_in_a_comparison_ends),
        T(a_caught_loop_in_a_comparison_ends),
        T(a_loop_in_a_replacement_ends),
        T(a_loop_in_an_iterator_ends),
        T(endless_next_ends),
        T(endless_tail_calls_end),
        T(endless_recursion_inside_pcall_ends),
        T(endless_errors_end),
        T(endless_error_objects_end),
        T(endless_facts_end),
        T(endless_log_lines_end),
        T(endless_hashing_ends),
        T(endless_verdicts_end),
        T(garbage_without_end_ends),
        T(long_strings_without_end_end),
        T(a_loop_of_joins_inside_pcall_ends),
        T(a_pattern_that_explodes_ends),
        T(a_pattern_with_stars_that_explodes_ends),
        T(a_pattern_with_optionals_that_explodes_ends),
        T(a_pattern_with_sets_that_explodes_ends),
        T(a_balanced_pattern_that_explodes_ends),
        T(a_repetition_that_explodes_ends),
        T(gmatch_that_explodes_ends),
        T(gsub_that_explodes_ends),
        T(a_pattern_caught_again_and_again_ends),
        T(plain_searches_without_end_end),
        T(conversions_without_end_end),
        T(formats_without_end_end),
        T(comparisons_without_end_end),
        T(utf8_without_end_ends),
        T(numbers_from_long_texts_end),
        T(dates_without_end_end),
        T(inserts_at_the_front_end),
        T(moves_over_a_huge_range_end),
        T(joins_of_many_parts_end),
        T(sorts_without_end_end),
        T(unpacking_without_end_ends),
        T(packing_without_end_ends),
        T(varargs_without_end_end),
        T(a_loop_in_a_coroutine_below_sort_ends),
        T(a_caught_loop_in_a_coroutine_below_gsub_ends),
        T(log_fields_without_end_end),
        T(closing_after_the_limit_ends),
        T(closing_after_the_limit_where_none_can_yield_ends),
        T(a_table_without_end_ends),
        T(a_table_without_end_inside_pcall_ends),
        T(memory_failures_caught_in_a_loop_end),
        T(strings_without_end_end),
        T(a_string_that_doubles_ends),
        T(a_string_that_doubles_inside_pcall_ends),
        T(a_huge_repetition_ends),
        T(a_huge_repetition_inside_pcall_ends),
        T(a_repetition_over_the_longest_string_ends),
        T(a_huge_repetition_of_separators_ends),
        T(a_huge_packed_string_ends),
        T(a_huge_join_ends),
        T(a_huge_replacement_ends),
        T(a_huge_format_ends),
        T(coroutines_without_end_are_ended),
        T(closures_without_end_end),
        T(globals_of_one_call_are_given_up_if_they_can_be),
        T(an_empty_repetition_costs_nothing),
        T(endless_recursion_ends),
        T(endless_recursion_with_much_memory_is_a_stack_overflow),
        T(endless_recursion_through_metamethods_ends),
        T(deep_nesting_in_the_text_is_a_problem),
        T(a_text_that_is_too_large_is_a_problem),
        T(a_text_that_does_not_fit_into_memory_is_a_problem),
        T(finalizers_are_refused),
        T(a_finalizer_added_later_never_runs),
        T(weak_keys_are_refused),
        T(the_collector_is_not_at_the_script_s_command),
        T(a_state_that_is_full_keeps_denying_and_says_why),
        T(a_state_without_room_for_a_call_keeps_denying),
        T(memory_may_run_out_anywhere),
        T(a_thousand_failing_calls_leave_a_state_that_works_and_has_not_grown),
        T(a_hundred_thousand_good_calls_do_not_grow),
        T(a_limit_reached_in_a_coroutine_of_an_earlier_call_does_not_touch_later_ones),
        T(the_limit_is_that_of_one_hook_not_of_all),
        T(cpu_time_adds_up_over_waits),
        T(waiting_uses_no_cpu_time),
        T(the_time_limit_holds_while_the_script_runs),
        T(the_text_of_a_limit_names_the_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
