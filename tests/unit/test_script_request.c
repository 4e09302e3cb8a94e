/* on_request: how it is found, what it sees, lb.rate_limit. */
#include "test_script_host.h"

#define HOST struct host *host = *state

static void request(struct host *host, const char *body)
{
    host_run_hook(host, HOOK_REQUEST, body);
}

static void holds(struct host *host, const char *expression)
{
    char body[1024];
    snprintf(body, sizeof(body), "return %s", expression);
    request(host, body);
    if (host->out.verdict != SCRIPT_ALLOW)
        fail_msg("%s: %s: %s", expression, reason_name(host->out.reason), host->out.text);
}

/* --- loading --- */

static void hooks_are_found_at_load_and_stay(void **state)
{
    HOST;
    host->settings.http = true;
    host_load(host,
              "function on_request() on_request = function() return true end on_authorize = on_request\n"
              " return false, 'first' end on_response = 7");
    assert_false(script_has(host->script, HOOK_AUTHORIZE));
    assert_true(script_has(host->script, HOOK_REQUEST));
    assert_false(script_has(host->script, HOOK_RESPONSE));
    for (int i = 0; i < 2; i++) {
        host_call_hook(host, HOOK_REQUEST);
        assert_denies(host, REASON_DENIED, "first");
    }
    assert_false(script_has(host->script, HOOK_AUTHORIZE));
}

static void a_request_hook_on_http_needs_no_other(void **state)
{
    HOST;
    host->settings.http = true;
    host_load(host, "function on_request() return true end");
    assert_int_equal(host->problems.count, 0);
}

static void a_response_hook_alone_is_warned_of(void **state)
{
    HOST;
    host->settings.http = true;
    host_load(host, "function on_response() end");
    assert_int_equal(host->problems.errors, 0);
    assert_contains(host_problem(host), "every connection will be denied");
    host_call(host);
    assert_fails(host, REASON_SCRIPT_ERROR, "defines no on_authorize");
}

static void a_request_hook_on_tcp_is_warned_of(void **state)
{
    HOST;
    host_load(host, "function on_authorize() return true end function on_request() return true end");
    assert_int_equal(host->problems.errors, 0);
    assert_int_equal(host->problems.count, 1);
    assert_contains(host_problem(host), "on_request is only called by listeners with protocol = http");
}

static void a_script_without_hooks_names_both(void **state)
{
    HOST;
    host->settings.http = true;
    refused(host, "local x = 1", "define on_authorize(conn) or on_request(req)");
}

/* --- what it sees --- */

static void the_facts_of_the_request_can_be_read(void **state)
{
    HOST;
    holds(host, "req.method == 'GET' and req.path == '/payments/7' and req.query == 'a=1' and req.host == "
                "'api.example' and req.scheme == 'https' and req.id == 'id-1'");
    holds(host, "req.conn.certificate.subject.OU == 'payments' and req.conn.tls.version == 'TLSv1.3' and "
                "req.conn.listener == 'main' and #req.conn.chain == 2");
    holds(host, "req.headers == req.headers and req.cookies == req.cookies and req.conn == req.conn");
}

static void an_empty_query_is_another_thing_than_none(void **state)
{
    HOST;
    host->request.query.len = 0;
    holds(host, "req.query == ''");
    host->request.has_query = false;
    holds(host, "req.query == nil");
}

static void what_is_absent_is_nil(void **state)
{
    HOST;
    host->request.host.len = 0;
    holds(host, "req.host == nil");
}

static void an_unknown_name_is_an_error(void **state)
{
    static const struct {
        const char *read, *part;
    } cases[] = {
        {"req.metod", "req has no field 'metod', did you mean 'method'?"},
        {"req.header", "req has no field 'header', did you mean 'headers'?"},
        {"req.status", "req has no field 'status'"},
        {"req[1]", "req has no field of type number"},
        {"req.conn.listner", "did you mean 'listener'?"},
        {"lb.ratelimit", "did you mean 'rate_limit'?"},
    };
    HOST;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char body[100];
        snprintf(body, sizeof(body), "local x = %s return true", cases[i].read);
        request(host, body);
        assert_fails(host, REASON_SCRIPT_ERROR, cases[i].part);
    }
}

static void the_request_is_read_only(void **state)
{
    static const char *const writes[] = {"req.method = 'PUT'", "req.path = '/'", "req.headers = {}",
                                         "req.conn = nil", "req.x = 1"};
    HOST;
    for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
        request(host, writes[i]);
        assert_fails(host, REASON_SCRIPT_ERROR, "req is read-only");
    }
}

/* --- lb.rate_limit --- */

static void rate_limit_takes_bounded_values_only(void **state)
{
    static const struct {
        const char *arguments, *part;
    } cases[] = {
        {"", "the key is a text"},
        {"nil, 1, 1", "the key is a text"},
        {"7, 1, 1", "the key is a text"},
        {"'', 1, 1", "the key is a text"},
        {"('x'):rep(257), 1, 1", "the key is a text"},
        {"'k'", "the limit is a whole"},
        {"'k', 0, 1", "the limit is a whole"},
        {"'k', -1, 1", "the limit is a whole"},
        {"'k', 1.5, 1", "the limit is a whole"},
        {"'k', '1', 1", "the limit is a whole"},
        {"'k', 1000001, 1", "the limit is a whole"},
        {"'k', 1/0, 1", "the limit is a whole"},
        {"'k', 1", "the time is in seconds"},
        {"'k', 1, 0", "the time is in seconds"},
        {"'k', 1, 0.0009", "the time is in seconds"},
        {"'k', 1, 86401", "the time is in seconds"},
        {"'k', 1, 0/0", "the time is in seconds"},
        {"'k', 1, '1'", "the time is in seconds"},
        {"'k', 1, -1", "the time is in seconds"},
    };
    HOST;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char body[100];
        snprintf(body, sizeof(body), "return lb.rate_limit(%s)", cases[i].arguments);
        request(host, body);
        assert_fails(host, REASON_SCRIPT_ERROR, cases[i].part);
        assert_int_equal(host->rate_count, 0);
    }
}

static void rate_limit_without_a_host_is_an_error(void **state)
{
    HOST;
    host->no_rate = true;
    request(host, "return lb.rate_limit('k', 1, 1)");
    assert_fails(host, REASON_SCRIPT_ERROR, "lb.rate_limit is not available here");
}

static void rate_limit_while_loading_is_an_error(void **state)
{
    HOST;
    refused(host, "lb.rate_limit('k', 1, 1)", "policy.lua:1: lb.rate_limit counts in hooks only");
}

static void rate_limit_asks_the_host(void **state)
{
    HOST;
    request(host, "return lb.rate_limit('fp ' .. req.conn.certificate.sha256, 2, 0.25), 'too many'");
    assert_allows(host);
    assert_string_equal(host->rate_key, "fp aa11");
    assert_int_equal(host->rate_limit, 2);
    assert_int_equal(host->rate_window, 250);
    host_call_hook(host, HOOK_REQUEST);
    assert_allows(host);
    host_call_hook(host, HOOK_REQUEST);
    assert_denies(host, REASON_DENIED, "too many");
}

static void rate_limit_takes_its_bounds(void **state)
{
    HOST;
    holds(host, "lb.rate_limit(('x'):rep(256), 1000000, 86400)");
    assert_int_equal(host->rate_window, 86400000);
    holds(host, "lb.rate_limit('k', 1000000.0, 0.001)");
    assert_int_equal(host->rate_window, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        script_test(hooks_are_found_at_load_and_stay),
        script_test(a_request_hook_on_http_needs_no_other),
        script_test(a_response_hook_alone_is_warned_of),
        script_test(a_request_hook_on_tcp_is_warned_of),
        script_test(a_script_without_hooks_names_both),
        script_test(the_facts_of_the_request_can_be_read),
        script_test(an_empty_query_is_another_thing_than_none),
        script_test(what_is_absent_is_nil),
        script_test(an_unknown_name_is_an_error),
        script_test(the_request_is_read_only),
        script_test(rate_limit_takes_bounded_values_only),
        script_test(rate_limit_without_a_host_is_an_error),
        script_test(rate_limit_while_loading_is_an_error),
        script_test(rate_limit_asks_the_host),
        script_test(rate_limit_takes_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
