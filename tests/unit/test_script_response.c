/* on_response: what it sees, changes and answers. */
#include "test_script_host.h"

#define HOST struct host *host = *state

static void response(struct host *host, const char *body)
{
    host_run_hook(host, HOOK_RESPONSE, body);
}

static void allow_is_no_answer_to_a_response(void **state)
{
    HOST;
    response(host, "return lb.allow()");
    assert_fails(host, REASON_SCRIPT_RESULT, "on_response returned lb.allow: return nothing, true");
    response(host, "return lb.allow{ headers = { a = 'x' } }");
    assert_fails(host, REASON_SCRIPT_RESULT, "on_response returned lb.allow");
    assert_int_equal(host->answered.count, 2);
}

static void nil_is_not_nothing(void **state)
{
    HOST;
    response(host, "return nil");
    assert_fails(host, REASON_SCRIPT_RESULT, "on_response returned nil");
}

static void a_status_out_of_range_denies_even_if_caught(void **state)
{
    static const char *const values[] = {"199", "101",   "600",  "0",   "-200", "200.5", "'200'",
                                         "nil", "false", "2^63", "0/0", "1/0",  "{}"};
    HOST;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char body[100];
        snprintf(body, sizeof(body), "pcall(function() res.status = %s end) return true", values[i]);
        response(host, body);
        assert_fails(host, REASON_SCRIPT_RESULT, "a status is a whole number from 200 to 599");
    }
}

static void nothing_but_status_can_be_written(void **state)
{
    static const char *const writes[] = {"res.headers = {}", "res.request = nil", "res.conn = 1",
                                         "res.stats = 200", "res[1] = 200"};
    HOST;
    for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
        response(host, writes[i]);
        assert_fails(host, REASON_SCRIPT_ERROR, "res is read-only but for its status");
    }
}

static void an_unknown_name_is_an_error(void **state)
{
    static const struct {
        const char *read, *part;
    } cases[] = {{"res.stauts", "res has no field 'stauts', did you mean 'status'?"},
                 {"res.body", "res has no field 'body'"},
                 {"res.method", "res has no field 'method'"},
                 {"res.request.metod", "did you mean 'method'?"},
                 {"res.request.status", "req has no field 'status'"}};
    HOST;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char body[100];
        snprintf(body, sizeof(body), "local x = %s", cases[i].read);
        response(host, body);
        assert_fails(host, REASON_SCRIPT_ERROR, cases[i].part);
    }
}

static void the_body_of_the_request_is_not_there_any_more(void **state)
{
    HOST;
    host->asked.body_there = true;
    response(host, "return res.request:body(10) == ''");
    assert_fails(host, REASON_SCRIPT_ERROR, "req:body is there in on_request only");
    assert_int_equal(host->asked.body_asked, 0);
}

static void res_is_worth_nothing_after_its_hook(void **state)
{
    static const char *const uses[] = {"kept.status",    "kept.headers",
                                       "kept.request",   "headers['server']",
                                       "request.method", "(function() kept.status = 404 end)()"};
    HOST;
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        char body[300];
        snprintf(body, sizeof(body),
                 "if kept then local x = %s return true end\n"
                 "kept = res headers = res.headers request = res.request",
                 uses[i]);
        response(host, body);
        assert_allows(host);
        host_call_hook(host, HOOK_RESPONSE);
        assert_fails(host, REASON_SCRIPT_ERROR, "is only valid during the hook");
    }
}

static void false_and_deny_deny(void **state)
{
    HOST;
    response(host, "return false");
    assert_denies(host, REASON_DENIED, "");
    assert_int_equal(host->out.status, 403);
    response(host, "return res.status == 500, 'leaks'");
    assert_denies(host, REASON_DENIED, "leaks");
    response(host, "return lb.deny('leaks', 502)");
    assert_denies(host, REASON_DENIED, "leaks");
    assert_int_equal(host->out.status, 502);
}

static void nothing_and_true_pass_it_on(void **state)
{
    static const char *const bodies[] = {"", "return", "return true", "return true, 'unused'"};
    HOST;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        response(host, bodies[i]);
        assert_allows(host);
        assert_int_equal(host->out.reason, REASON_NONE);
        assert_int_equal(host->out.status, 200);
    }
}

static void a_status_that_was_set_is_handed_on(void **state)
{
    HOST;
    response(host, "res.status = 404 return res.status == 404");
    assert_allows(host);
    assert_int_equal(host->out.status, 404);
    assert_int_equal(host->response.status, 200);
}

static void headers_can_be_changed(void **state)
{
    HOST;
    response(host, "res.headers.Server = nil res.headers['X-Frame-Options'] = 'DENY'\n"
                   "res.headers:add('set-cookie', 'a=1') res.headers:add('set-cookie', 'b=2')");
    assert_allows(host);
    assert_string_equal(
        message_text(&host->answered),
        "content-type: text/plain\nx-frame-options: DENY\nset-cookie: a=1\nset-cookie: b=2\n");
}

static void the_request_and_the_connection_can_be_read(void **state)
{
    HOST;
    response(host, "return res.request.method == 'GET' and res.request.headers['x-a'] == 'one' and\n"
                   " res.request.cookies.session == 's1' and res.request.query == 'a=1' and\n"
                   " res.conn.certificate.subject.CN == 'alice' and res.request.conn.port == 4711 and\n"
                   " res.headers.server == 'origin' and res.request.headers.server == nil");
    assert_allows(host);
}

static void a_reply_takes_the_place_of_the_response(void **state)
{
    HOST;
    response(host, "return lb.respond{ status = 503, body = 'later' }");
    assert_int_equal(host->out.verdict, SCRIPT_REPLY);
    assert_int_equal(host->out.status, 503);
    assert_true(slice_is(host->out.extra->body, "later"));
    response(host, "return lb.redirect('/login')");
    assert_int_equal(host->out.verdict, SCRIPT_REPLY);
    assert_int_equal(host->out.status, 302);
}

static void a_response_hook_may_sleep(void **state)
{
    HOST;
    response(host, "lb.sleep(0.002) res.status = 201");
    assert_int_equal(host->out.verdict, SCRIPT_WAIT);
    assert_int_equal(host->out.want_body, 0);
    sleep_ms(4);
    script_resume(&host->waiting, &host->out);
    assert_allows(host);
    assert_int_equal(host->out.status, 201);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        script_test(allow_is_no_answer_to_a_response),
        script_test(nil_is_not_nothing),
        script_test(a_status_out_of_range_denies_even_if_caught),
        script_test(nothing_but_status_can_be_written),
        script_test(an_unknown_name_is_an_error),
        script_test(the_body_of_the_request_is_not_there_any_more),
        script_test(res_is_worth_nothing_after_its_hook),
        script_test(false_and_deny_deny),
        script_test(nothing_and_true_pass_it_on),
        script_test(a_status_that_was_set_is_handed_on),
        script_test(headers_can_be_changed),
        script_test(the_request_and_the_connection_can_be_read),
        script_test(a_reply_takes_the_place_of_the_response),
        script_test(a_response_hook_may_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
