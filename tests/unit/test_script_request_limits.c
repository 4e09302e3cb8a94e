/* Limits of on_request and on_response, and waiting for a body. */
#include "test_script_host.h"

#define HOST    struct host *host = *state
#define SOON_US 2500000

static void request(struct host *host, const char *body)
{
    host_run_hook(host, HOOK_REQUEST, body);
}

/* --- faults, wherever they happen --- */

static const struct {
    const char *fault;
    enum reason reason;
} faults[] = {
    {"while true do end", REASON_SCRIPT_CPU},
    {"while true do pcall(function() while true do end end) end", REASON_SCRIPT_CPU},
    {"while true do local x = m.headers['x-a'] end", REASON_SCRIPT_CPU},
    {"while true do m.headers:set('x-b', 'x') end", REASON_SCRIPT_CPU},
    {"while true do for _ in pairs(m.headers) do end end", REASON_SCRIPT_CPU},
    {"while true do m.headers:remove('x-none') end", REASON_SCRIPT_CPU},
    {"while true do lb.respond{ headers = { a = { 'x', 'y' } }, body = ('x'):rep(100000) } end",
     REASON_SCRIPT_CPU},
    {"while true do lb.redirect('/') end", REASON_SCRIPT_CPU},
    {"while true do lb.rate_limit('k', 1, 1) end", REASON_SCRIPT_CPU},
    {"while true do pcall(function() return m.nothing end) end", REASON_SCRIPT_CPU},
    {"local x = (('a'):rep(3000)):find(('.-'):rep(20) .. 'b')", REASON_SCRIPT_CPU},
    {"local t = {} while true do t[#t + 1] = {} end", REASON_SCRIPT_MEMORY},
    {"local t = {} while true do t[#t + 1] = m.headers:all('x-a') end", REASON_SCRIPT_MEMORY},
    {"local t = {} while true do t[#t + 1] = lb.respond{ body = ('x'):rep(100000) } end",
     REASON_SCRIPT_MEMORY},
    {"m.headers['x-b'] = 'a\\n'", REASON_SCRIPT_RESULT},
};

static const char *const places[] = {
    "%s",
    "pcall(function() %s end)",
    "xpcall(function() %s end, function() return true end)",
    "coroutine.wrap(function() pcall(function() %s end) end)()",
    "coroutine.resume(coroutine.create(function() %s end))",
    "pcall(function() return setmetatable({}, {__index = function() %s end}).x end)",
    "pcall(table.sort, {1, 2}, function() pcall(function() %s end) return false end)",
};

/* Writes the place with the fault for its first %s. */
static void place_fault(char *out, size_t size, const char *place, const char *fault)
{
    const char *at = strstr(place, "%s");
    assert_non_null(at);
    snprintf(out, size, "if fine then return true end fine = true\nlocal m = ...\n%.*s%s%s\nreturn true",
             (int)(at - place), place, fault, at + 2);
}

static void run_fault(struct host *host, enum script_hook hook, const char *body, enum reason reason)
{
    static const char *const names[] = {"on_authorize", "on_request", "on_response"};
    char lua[1200];
    snprintf(lua, sizeof(lua), "function %s(...)\n%s\nend\n", names[hook], body);
    host->settings.http = true;
    host_load(host, lua);
    uint64_t before = clock_us();
    host_call_hook(host, hook);
    if (clock_us() - before > SOON_US)
        fail_msg("%s took %llu ms", body, (unsigned long long)(clock_us() - before) / 1000);
    if (host->out.verdict != SCRIPT_DENY || host->out.reason != reason || host->out.status != 500)
        fail_msg("%s: verdict %d, %s: %s", body, host->out.verdict, reason_name(host->out.reason),
                 host->out.text);
    host_call_hook(host, hook);
    assert_allows(host);
}

static void every_fault_denies_wherever_it_happens(struct host *host, enum script_hook hook)
{
    host->settings.cpu_ms = 10;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        for (size_t k = 0; k < sizeof(places) / sizeof(places[0]); k++) {
            char body[1000];
            place_fault(body, sizeof(body), places[k], faults[i].fault);
            if (faults[i].reason == REASON_SCRIPT_MEMORY)
                host->settings.cpu_ms = 2000;
            run_fault(host, hook, body, faults[i].reason);
            host->settings.cpu_ms = 10;
        }
}

static void every_fault_of_a_request_denies(void **state)
{
    every_fault_denies_wherever_it_happens(*state, HOOK_REQUEST);
}

static void every_fault_of_a_response_denies(void **state)
{
    every_fault_denies_wherever_it_happens(*state, HOOK_RESPONSE);
}

/* --- req:body --- */

static void body_takes_a_bounded_number_only(void **state)
{
    static const char *const values[] = {"",       "nil", "0",   "-1", "1.5",  "'10'",
                                         "262145", "1/0", "0/0", "{}", "true", "2^63"};
    HOST;
    host->asked.body_there = true;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char body[100];
        snprintf(body, sizeof(body), "return req:body(%s) == ''", values[i]);
        request(host, body);
        assert_fails(host, REASON_SCRIPT_ERROR, "a whole number from 1 to 262144");
    }
}

static void body_is_a_method(void **state)
{
    HOST;
    request(host, "return req.body(10) == ''");
    assert_fails(host, REASON_SCRIPT_ERROR, "policy.lua:2: ");
}

static void body_where_none_can_wait_is_an_error(void **state)
{
    static const char *const bodies[] = {
        "table.sort({1, 2}, function() req:body(10) end)",
        "table.sort({1, 2}, function() coroutine.wrap(function() req:body(10) end)() end)"};
    HOST;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        request(host, bodies[i]);
        assert_fails(host, REASON_SCRIPT_ERROR, "req:body cannot wait inside");
    }
}

static void a_sleep_after_a_body_that_could_not_wait_is_no_wait_for_a_body(void **state)
{
    HOST;
    request(host, "pcall(table.sort, {1, 2}, function() coroutine.wrap(function() req:body(10) end)() end)\n"
                  "lb.sleep(0.001) return true");
    assert_int_equal(host->out.verdict, SCRIPT_WAIT);
    assert_int_equal(host->out.want_body, 0);
    script_cancel(&host->waiting);
}

static void a_body_longer_than_asked_for_is_an_error(void **state)
{
    HOST;
    host->asked.body = SLICE_LITERAL("12345");
    host->asked.body_there = true;
    request(host, "return req:body(4) == '1234'");
    assert_fails(host, REASON_SCRIPT_ERROR, "the body has more than 4 bytes");
}

static void a_body_that_arrives_longer_than_asked_for_is_an_error(void **state)
{
    HOST;
    request(host, "return req:body(4) ~= nil");
    host->asked.body = SLICE_LITERAL("12345");
    host->asked.body_there = true;
    script_resume(&host->waiting, &host->out);
    assert_null(host->waiting);
    assert_fails(host, REASON_SCRIPT_ERROR, "the body has more than 4 bytes");
}

static void a_body_that_does_not_arrive_ends_at_the_time_limit(void **state)
{
    HOST;
    host->settings.timeout_ms = 20;
    request(host, "while true do pcall(req.body, req, 10) end");
    assert_int_equal(host->out.verdict, SCRIPT_WAIT);
    assert_in_range(host->out.wait_ms, 1, 20);
    sleep_ms(22);
    host->asked.body_there = true;
    script_resume(&host->waiting, &host->out);
    assert_null(host->waiting);
    assert_fails(host, REASON_SCRIPT_TIME, "policy.lua:2: took longer than 20 ms");
}

static void a_body_that_is_too_much_for_the_memory_denies(void **state)
{
    static char bytes[250000];
    HOST;
    host->settings.memory = 256u << 10;
    host->asked.body = slice_make(bytes, sizeof(bytes));
    request(host, "pcall(req.body, req, 250000) return true");
    assert_int_equal(host->out.verdict, SCRIPT_WAIT);
    host->asked.body_there = true;
    script_resume(&host->waiting, &host->out);
    assert_fails(host, REASON_SCRIPT_MEMORY, "memory (script-memory)");
}

static void a_wait_for_a_body_can_be_cancelled(void **state)
{
    HOST;
    request(host, "return req:body(10) == 'x'");
    script_cancel(&host->waiting);
    assert_null(host->waiting);
    host_call_hook(host, HOOK_REQUEST);
    assert_int_equal(host->out.verdict, SCRIPT_WAIT);
    script_cancel(&host->waiting);
}

static void a_script_can_be_freed_while_a_call_waits_for_a_body(void **state)
{
    HOST;
    request(host, "return req:body(10) == 'x'");
    assert_int_equal(host->out.verdict, SCRIPT_WAIT);
    host->waiting = NULL;
}

static void no_body_is_empty(void **state)
{
    HOST;
    host->asked.body_there = true;
    request(host, "return req:body(1) == ''");
    assert_allows(host);
}

static void a_body_is_waited_for(void **state)
{
    HOST;
    request(host, "return req:body(1000) == 'a\\0b'");
    assert_int_equal(host->out.verdict, SCRIPT_WAIT);
    assert_int_equal(host->out.reason, REASON_NONE);
    assert_int_equal(host->out.want_body, 1000);
    assert_in_range(host->out.wait_ms, 500, 1000);
    script_resume(&host->waiting, &host->out);
    assert_int_equal(host->out.verdict, SCRIPT_WAIT);
    assert_int_equal(host->out.want_body, 1000);
    host->asked.body = SLICE_LITERAL("a\0b");
    host->asked.body_there = true;
    script_resume(&host->waiting, &host->out);
    assert_null(host->waiting);
    assert_allows(host);
    assert_int_equal(host->out.want_body, 0);
}

static void a_body_is_waited_for_in_pcall_and_coroutines(void **state)
{
    static const char *const bodies[] = {
        "local ok, b = pcall(req.body, req, 9) return ok and b == 'abc'",
        "return coroutine.wrap(function() return req:body(9) end)() == 'abc'",
        "local f = coroutine.wrap(function() coroutine.yield(req:body(9)) end) return f() == 'abc'",
        "return req:body(9) == 'abc' and req:body(3) == 'abc'"};
    HOST;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        host->asked.body_there = false;
        request(host, bodies[i]);
        assert_int_equal(host->out.verdict, SCRIPT_WAIT);
        assert_int_equal(host->out.want_body, 9);
        host->asked.body = SLICE_LITERAL("abc");
        host->asked.body_there = true;
        script_resume(&host->waiting, &host->out);
        assert_allows(host);
    }
}

static void a_sleep_follows_a_body(void **state)
{
    HOST;
    request(host, "local b = req:body(9) lb.sleep(0.002) return b == '' and req.headers['x-a'] == 'one'");
    host->asked.body_there = true;
    script_resume(&host->waiting, &host->out);
    assert_int_equal(host->out.verdict, SCRIPT_WAIT);
    assert_int_equal(host->out.want_body, 0);
    sleep_ms(4);
    script_resume(&host->waiting, &host->out);
    assert_allows(host);
}

static void requests_that_wait_do_not_disturb_each_other(void **state)
{
    HOST;
    struct script_call *calls[10];
    struct message messages[10];
    memset(messages, 0, sizeof(messages));
    host->settings.http = true;
    host_load(host,
              "function on_request(req) local b = req:body(9) req.headers['x-b'] = b return b == req.id end");
    for (unsigned i = 0; i < 10; i++) {
        host->request.message.message = &messages[i];
        host->request.id = slice_make(&"0123456789"[i], 1);
        script_request(host->script, &host->request, &host->out, &calls[i]);
        assert_int_equal(host->out.verdict, SCRIPT_WAIT);
    }
    for (unsigned i = 10; i-- > 0;) {
        messages[i].body = slice_make(&"0123456789"[i], 1);
        messages[i].body_there = true;
        script_resume(&calls[i], &host->out);
        assert_allows(host);
        assert_int_equal(messages[i].count, 1);
        message_free(&messages[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        script_test(every_fault_of_a_request_denies),
        script_test(every_fault_of_a_response_denies),
        script_test(body_takes_a_bounded_number_only),
        script_test(body_is_a_method),
        script_test(body_where_none_can_wait_is_an_error),
        script_test(a_sleep_after_a_body_that_could_not_wait_is_no_wait_for_a_body),
        script_test(a_body_longer_than_asked_for_is_an_error),
        script_test(a_body_that_arrives_longer_than_asked_for_is_an_error),
        script_test(a_body_that_does_not_arrive_ends_at_the_time_limit),
        script_test(a_body_that_is_too_much_for_the_memory_denies),
        script_test(a_wait_for_a_body_can_be_cancelled),
        script_test(a_script_can_be_freed_while_a_call_waits_for_a_body),
        script_test(no_body_is_empty),
        script_test(a_body_is_waited_for),
        script_test(a_body_is_waited_for_in_pcall_and_coroutines),
        script_test(a_sleep_follows_a_body),
        script_test(requests_that_wait_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
