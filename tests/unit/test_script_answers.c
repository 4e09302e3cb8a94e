/* What hooks of http listeners may answer, and what denies. */
#include "test_script_host.h"

#define HOST struct host *host = *state

static void request(struct host *host, const char *body)
{
    host_run_hook(host, HOOK_REQUEST, body);
}

/* --- nonsense --- */

static const char *const nonsense[] = {
    "return nil",
    "return nil, 'x'",
    "return 42",
    "return 200",
    "return 0/0",
    "return ''",
    "return 'true'",
    "return {}",
    "return { status = 200 }",
    "return { allow = true }",
    "return print",
    "return lb.allow",
    "return lb",
    "return true, true",
    "return true, 403",
    "return false, 7",
    "return true, nil, nil",
    "return lb.deny('x'), 'x'",
    "return lb.respond{}, lb.respond{}",
    "return coroutine.create(print)",
    "return setmetatable({}, {__eq = function() return true end, __call = function() return true end})",
    "return table.unpack({}, 1, 5000)",
};

static void nonsense_denies_in_each_hook(void **state)
{
    static const char *const names[] = {"on_authorize returned", "on_request returned",
                                        "on_response returned"};
    HOST;
    for (unsigned hook = HOOK_AUTHORIZE; hook <= HOOK_RESPONSE; hook++)
        for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
            host_run_hook(host, hook, nonsense[i]);
            assert_fails(host, REASON_SCRIPT_RESULT, ": return ");
            assert_contains(host->out.text, names[hook]);
        }
}

static void nothing_denies_a_connection_and_a_request(void **state)
{
    HOST;
    host_run_hook(host, HOOK_AUTHORIZE, "");
    assert_fails(host, REASON_SCRIPT_RESULT, "on_authorize returned nothing");
    host_run_hook(host, HOOK_REQUEST, "");
    assert_fails(host, REASON_SCRIPT_RESULT, "on_request returned nothing");
}

static void what_the_hook_is_handed_is_no_answer(void **state)
{
    HOST;
    request(host, "return req");
    assert_fails(host, REASON_SCRIPT_RESULT, "on_request returned a userdata");
    request(host, "return req.headers");
    assert_fails(host, REASON_SCRIPT_RESULT, "on_request returned a userdata");
}

static void errors_deny_in_each_hook(void **state)
{
    static const char *const bodies[] = {"error('x')",        "error()",   "error({})",
                                         "local x = nil + 1", "nothing()", "coroutine.yield()"};
    HOST;
    for (unsigned hook = HOOK_AUTHORIZE; hook <= HOOK_RESPONSE; hook++)
        for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
            host_run_hook(host, hook, bodies[i]);
            assert_fails(host, REASON_SCRIPT_ERROR, "policy.lua:2: ");
        }
}

static void a_mistake_in_an_answer_denies_and_names_it(void **state)
{
    static const struct {
        const char *body, *part;
    } cases[] = {
        {"lb.allow{ backend = 'nowhere' }", "policy.lua:2: lb.allow: there is no backend 'nowhere'"},
        {"lb.allow{ server = 'nowhere' }", "there is no server 'nowhere' in the backend"},
        {"lb.allow{ server = 'a1' }", "there is no server 'a1'"},
        {"lb.allow{ backend = 'other', server = 'a1' }", "there is no server 'a1' in the backend other"},
        {"lb.allow{ backend = 'app', server = 'own1' }", "there is no server 'own1' in the backend app"},
        {"lb.allow{ server = '' }", "there is no server ''"},
        {"lb.allow{ server = 'own1\\0' }", "there is no server"},
        {"lb.allow{ server = ('x'):rep(500) }", "there is no server"},
        {"lb.allow{ server = 1 }", "server is a number, expected a text"},
        {"lb.allow{ serv = 'own1' }", "unknown key 'serv', did you mean 'server'?"},
        {"lb.allow{ status = 200 }", "unknown key 'status'"},
        {"lb.allow{ path = 'x' }", "path begins with '/'"},
        {"lb.allow{ path = '' }", "path begins with '/'"},
        {"lb.allow{ path = 'http://x/' }", "path begins with '/'"},
        {"lb.allow{ path = '*' }", "path begins with '/'"},
        {"lb.allow{ path = '/a b' }", "path begins with '/'"},
        {"lb.allow{ path = '/a#b' }", "path begins with '/'"},
        {"lb.allow{ path = '/a\\r\\nb' }", "path begins with '/'"},
        {"lb.allow{ path = '/a\\0b' }", "path begins with '/'"},
        {"lb.allow{ path = '/\\127' }", "path begins with '/'"},
        {"lb.allow{ path = '/\\u{e4}' }", "path begins with '/'"},
        {"lb.allow{ path = 7 }", "path begins with '/'"},
        {"lb.allow{ headers = { a = 'x\\r\\ny' } }", "without CR, LF and NUL"},
        {"lb.allow{ headers = { a = 'x\\0' } }", "without CR, LF and NUL"},
        {"lb.allow{ headers = { a = 'x\\1' } }", "without CR, LF and NUL"},
        {"lb.allow{ headers = { ['a b'] = 'x' } }", "names of headers are tokens"},
        {"lb.allow{ headers = { [''] = 'x' } }", "names of headers are tokens"},
        {"lb.allow{ headers = { [':path'] = 'x' } }", "names of headers are tokens"},
        {"lb.allow{ headers = { [('a'):rep(257)] = 'x' } }", "names of headers are tokens"},
        {"lb.allow{ headers = { 'x' } }", "names of headers are tokens"},
        {"lb.allow{ headers = { a = 7 } }", "values texts"},
        {"lb.allow{ headers = { a = { 'x' } } }", "values texts"},
        {"lb.allow{ headers = { a = true } }", "values texts"},
        {"lb.allow{ headers = req.headers }", "headers is a userdata, expected a table"},
        {"lb.allow{ headers = { A = '1', a = '2' } }", "is there twice"},
        {"lb.allow{ headers = { ['Content-Length'] = '1' } }", "'Content-Length' is for lb to set"},
        {"lb.allow{ headers = { ['transfer-encoding'] = 'chunked' } }", "is for lb to set"},
        {"lb.allow{ headers = { connection = 'close' } }", "is for lb to set"},
        {"lb.allow{ headers = { upgrade = 'x' } }", "is for lb to set"},
        {"lb.allow{ headers = { refused = 'x' } }", "the header 'refused': this decides about framing"},
        {"lb.allow{ headers = { Refused = 'x' } }", "the header 'refused': this decides about framing"},
        {"lb.deny('x', 399)", "the status is a whole number from 400 to 599"},
        {"lb.deny('x', 600)", "the status is a whole number"},
        {"lb.deny('x', 200)", "the status is a whole number"},
        {"lb.deny('x', 403.5)", "the status is a whole number"},
        {"lb.deny('x', 0/0)", "the status is a whole number"},
        {"lb.deny('x', -1)", "the status is a whole number"},
        {"lb.deny('x', '403')", "lb.deny takes the reason as a text"},
        {"lb.deny('x', nil)", "lb.deny takes the reason as a text"},
        {"lb.deny('x', 403, 1)", "lb.deny takes the reason as a text"},
        {"lb.deny(403)", "lb.deny takes the reason as a text"},
        {"lb.deny('x', { status = 200 })", "the status is a whole number"},
        {"lb.deny('x', { status = '403' })", "the status is a whole number"},
        {"lb.deny('x', { stats = 403 })", "unknown key 'stats', did you mean 'status'?"},
        {"lb.redirect()", "lb.redirect takes a URL"},
        {"lb.redirect(7)", "lb.redirect takes a URL"},
        {"lb.redirect('')", "lb.redirect takes a URL"},
        {"lb.redirect('x')", "lb.redirect takes a URL"},
        {"lb.redirect('http://')", "lb.redirect takes a URL"},
        {"lb.redirect('ftp://x/')", "lb.redirect takes a URL"},
        {"lb.redirect('javascript:alert(1)')", "lb.redirect takes a URL"},
        {"lb.redirect('//evil.example/')", "lb.redirect takes a URL"},
        {"lb.redirect('/\\\\evil.example/')", "lb.redirect takes a URL"},
        {"lb.redirect('/a b')", "lb.redirect takes a URL"},
        {"lb.redirect('/a\\r\\nset-cookie: x=y')", "lb.redirect takes a URL"},
        {"lb.redirect('/a\\0')", "lb.redirect takes a URL"},
        {"lb.redirect('https://x/\\u{e4}')", "lb.redirect takes a URL"},
        {"lb.redirect('/a', 200)", "the status is 301, 302, 303, 307 or 308"},
        {"lb.redirect('/a', 304)", "the status is 301"},
        {"lb.redirect('/a', '302')", "the status is 301"},
        {"lb.redirect('/a', nil)", "the status is 301"},
        {"lb.redirect('/a', 302, 1)", "lb.redirect takes a URL"},
        {"lb.respond()", "lb.respond takes one table"},
        {"lb.respond(200)", "lb.respond takes one table"},
        {"lb.respond({}, {})", "lb.respond takes one table"},
        {"lb.respond{ status = 199 }", "the status is a whole number from 200 to 599"},
        {"lb.respond{ status = 100 }", "the status is a whole number"},
        {"lb.respond{ status = 101 }", "the status is a whole number"},
        {"lb.respond{ status = 600 }", "the status is a whole number"},
        {"lb.respond{ status = '200' }", "the status is a whole number"},
        {"lb.respond{ status = 200.5 }", "the status is a whole number"},
        {"lb.respond{ body = 7 }", "body is a number, expected a text"},
        {"lb.respond{ body = {} }", "body is a table, expected a text"},
        {"lb.respond{ status = 204, body = 'x' }", "a response with status 204 has no body"},
        {"lb.respond{ status = 304, body = 'x' }", "a response with status 304 has no body"},
        {"lb.respond{ bdy = 'x' }", "unknown key 'bdy', did you mean 'body'?"},
        {"lb.respond{ 'x' }", "unknown key"},
        {"lb.respond{ headers = 'x' }", "headers is a string"},
        {"lb.respond{ headers = { a = 'x\\ny' } }", "without CR, LF and NUL"},
        {"lb.respond{ headers = { a = { 'x', 'y\\nz' } } }", "without CR, LF and NUL"},
        {"lb.respond{ headers = { a = { 'x', 7 } } }", "values texts"},
        {"lb.respond{ headers = { a = { 'x', { 'y' } } } }", "values texts"},
        {"lb.respond{ headers = { a = { x = 'y' } } }", "values texts"},
        {"lb.respond{ headers = { a = { 'x', [3] = 'z' } } }", "values texts"},
        {"lb.respond{ headers = { a = { 'x', n = 1 } } }", "values texts"},
        {"lb.respond{ headers = { ['content-length'] = '0' } }", "is for lb to set"},
        {"lb.respond{ headers = { ['Transfer-Encoding'] = { 'chunked' } } }", "is for lb to set"},
        {"lb.respond{ headers = { ['keep-alive'] = 'x' } }", "is for lb to set"},
        {"lb.respond{ headers = { trailer = 'x' } }", "is for lb to set"},
        {"lb.respond{ headers = { te = 'x' } }", "is for lb to set"},
        {"(function() local h = {} for i = 1, 101 do h['x' .. i] = '' end return lb.respond{ headers = h } "
         "end)()",
         "more than 100 headers"},
        {"(function() local h = {} for i = 1, 101 do h[i] = 'v' end return lb.respond{ headers = { a = h } } "
         "end)()",
         "names of headers"},
        {"lb.respond{ headers = { a = ('x'):rep(70000) } }", "more than 65536 bytes"},
    };
    HOST;
    host->asked.refuses = "refused";
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char body[400];
        snprintf(body, sizeof(body), "return select(2, pcall(function() return %s end))", cases[i].body);
        request(host, body);
        assert_fails(host, REASON_SCRIPT_RESULT, cases[i].part);
        assert_string_equal(host->out.backend, "");
    }
}

static void a_reply_to_a_connection_denies(void **state)
{
    HOST;
    host_run_hook(host, HOOK_AUTHORIZE, "return lb.respond{ body = 'x' }");
    assert_fails(host, REASON_SCRIPT_RESULT, "a reply, but there is no request yet");
    host_run_hook(host, HOOK_AUTHORIZE, "return lb.redirect('/')");
    assert_fails(host, REASON_SCRIPT_RESULT, "a reply, but there is no request yet");
}

static void a_path_for_a_connection_denies(void **state)
{
    HOST;
    host_run_hook(host, HOOK_AUTHORIZE, "return lb.allow{ path = '/' }");
    assert_fails(host, REASON_SCRIPT_RESULT, "lb.allow: path is for on_request");
}

static void an_answer_of_another_call_denies(void **state)
{
    static const char *const answers[] = {"lb.allow{ headers = { a = 'x' } }", "lb.redirect('/')",
                                          "lb.respond{ body = 'x' }"};
    HOST;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        char body[200];
        snprintf(body, sizeof(body), "if kept then return kept end kept = %s return true", answers[i]);
        request(host, body);
        assert_allows(host);
        host_call_hook(host, HOOK_REQUEST);
        assert_fails(host, REASON_SCRIPT_RESULT, "a verdict that another call has made");
    }
}

static void an_answer_of_on_authorize_is_none_of_on_request(void **state)
{
    HOST;
    host->settings.http = true;
    host_load(host, "function on_authorize() kept = lb.allow() return kept end\n"
                    "function on_request() return kept end");
    host_call(host);
    assert_allows(host);
    host_call_hook(host, HOOK_REQUEST);
    assert_fails(host, REASON_SCRIPT_RESULT, "another call");
}

static void a_script_without_the_hook_denies(void **state)
{
    HOST;
    host->settings.http = true;
    host_load(host, "function on_authorize() return true end");
    host_call_hook(host, HOOK_REQUEST);
    assert_fails(host, REASON_SCRIPT_ERROR, "the script defines no on_request");
    host_call_hook(host, HOOK_RESPONSE);
    assert_fails(host, REASON_SCRIPT_ERROR, "the script defines no on_response");
}

/* --- answers --- */

static void true_allows(void **state)
{
    HOST;
    request(host, "return true");
    assert_allows(host);
    assert_null(host->out.extra);
}

static void false_denies_with_403(void **state)
{
    HOST;
    request(host, "return false, 'why'");
    assert_denies(host, REASON_DENIED, "why");
    assert_int_equal(host->out.status, 403);
}

static void deny_has_a_status(void **state)
{
    static const struct {
        const char *body;
        unsigned status;
    } cases[] = {{"return lb.deny('no')", 403},
                 {"return lb.deny('no', {})", 403},
                 {"return lb.deny('no', 404)", 404},
                 {"return lb.deny('no', 404.0)", 404},
                 {"return lb.deny('no', 400)", 400},
                 {"return lb.deny('no', 599)", 599},
                 {"return lb.deny('no', { status = 429, log = { a = 1 } })", 429}};
    HOST;
    for (unsigned hook = HOOK_AUTHORIZE; hook <= HOOK_RESPONSE; hook++)
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            host_run_hook(host, hook, cases[i].body);
            assert_denies(host, REASON_DENIED, "no");
            assert_int_equal(host->out.status, cases[i].status);
        }
    assert_string_equal(host->out.log, "\"a\":1");
}

static void allow_chooses_backend_server_and_path(void **state)
{
    HOST;
    request(host, "return lb.allow{ backend = 'app', server = 'a1', path = '/x/y?z=%20', log = { a = 1 } }");
    assert_allows(host);
    assert_string_equal(host->out.backend, "app");
    assert_true(slice_is(host->out.extra->server, "a1"));
    assert_true(slice_is(host->out.extra->path, "/x/y?z=%20"));
    assert_string_equal(host->out.log, "\"a\":1");
}

static void a_server_without_a_backend_is_of_the_routes_own(void **state)
{
    HOST;
    request(host, "return lb.allow{ server = 'own1' }");
    assert_allows(host);
    assert_string_equal(host->out.backend, "");
    assert_true(slice_is(host->out.extra->server, "own1"));
    assert_int_equal(host->out.extra->path.len, 0);
}

static void allow_sets_headers_on_the_request(void **state)
{
    HOST;
    request(host, "return lb.allow{ headers = { ['X-A'] = 'new', ['x-client'] = '' } }");
    assert_allows(host);
    assert_null(host->out.extra);
    assert_string_equal(message_text(&host->asked),
                        "host: api.example\ncookie: session=s1; theme=dark\nx-a: new\nx-client: \n");
}

static void a_verdict_that_is_not_returned_sets_nothing(void **state)
{
    HOST;
    request(host, "lb.allow{ headers = { ['x-b'] = 'new' } } return true");
    assert_allows(host);
    assert_null(strstr(message_text(&host->asked), "x-b"));
}

static void allow_of_a_connection_hands_its_headers_on(void **state)
{
    HOST;
    host_run_hook(host, HOOK_AUTHORIZE, "return lb.allow{ headers = { ['X-B'] = 'b', ['x-a'] = '' } }");
    assert_allows(host);
    assert_non_null(host->out.extra);
    assert_true(slice_equal(host->out.extra->headers, SLICE_LITERAL("x-a\0\0x-b\0b\0")));
    assert_null(strstr(message_text(&host->asked), "x-b"));
}

static void headers_of_a_connection_without_http_have_no_effect(void **state)
{
    HOST;
    host_run(host, "return lb.allow{ headers = { ['x-b'] = 'b' } }");
    assert_allows(host);
    assert_null(host->out.extra);
}

static void a_redirect_is_a_reply_with_a_location(void **state)
{
    static const struct {
        const char *body;
        unsigned status;
        struct slice headers;
    } cases[] = {
        {"return lb.redirect('/login')", 302, SLICE_LITERAL("location\0/login\0")},
        {"return lb.redirect('/')", 302, SLICE_LITERAL("location\0/\0")},
        {"return lb.redirect('https://x.example/?a=b#c', 308)", 308,
         SLICE_LITERAL("location\0https://x.example/?a=b#c\0")},
        {"return lb.redirect('http://' .. req.host .. req.path, 301)", 301,
         SLICE_LITERAL("location\0http://api.example/payments/7\0")},
    };
    HOST;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        request(host, cases[i].body);
        assert_int_equal(host->out.verdict, SCRIPT_REPLY);
        assert_int_equal(host->out.reason, REASON_NONE);
        assert_int_equal(host->out.status, cases[i].status);
        assert_true(slice_equal(host->out.extra->headers, cases[i].headers));
        assert_int_equal(host->out.extra->body.len, 0);
    }
}

static void respond_is_a_reply(void **state)
{
    HOST;
    request(host,
            "return lb.respond{ status = 418, body = 'a\\0b', headers = { ['Set-Cookie'] = { 'b=2', 'a=1' "
            "}, ['Content-Type'] = 'text/plain', ['x-none'] = {} } }");
    assert_int_equal(host->out.verdict, SCRIPT_REPLY);
    assert_int_equal(host->out.status, 418);
    assert_true(slice_equal(host->out.extra->headers,
                            SLICE_LITERAL("content-type\0text/plain\0set-cookie\0b=2\0set-cookie\0a=1\0")));
    assert_true(slice_equal(host->out.extra->body, SLICE_LITERAL("a\0b")));
}

static void respond_with_nothing_is_200(void **state)
{
    HOST;
    request(host, "return lb.respond{}");
    assert_int_equal(host->out.verdict, SCRIPT_REPLY);
    assert_int_equal(host->out.status, 200);
    assert_int_equal(host->out.extra->headers.len + host->out.extra->body.len, 0);
}

static void a_body_may_be_as_long_as_a_text(void **state)
{
    HOST;
    request(host, "return lb.respond{ body = ('x'):rep(256 * 1024) }");
    assert_int_equal(host->out.verdict, SCRIPT_REPLY);
    assert_int_equal(host->out.extra->body.len, 256 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        script_test(nonsense_denies_in_each_hook),
        script_test(nothing_denies_a_connection_and_a_request),
        script_test(what_the_hook_is_handed_is_no_answer),
        script_test(errors_deny_in_each_hook),
        script_test(a_mistake_in_an_answer_denies_and_names_it),
        script_test(a_reply_to_a_connection_denies),
        script_test(a_path_for_a_connection_denies),
        script_test(an_answer_of_another_call_denies),
        script_test(an_answer_of_on_authorize_is_none_of_on_request),
        script_test(a_script_without_the_hook_denies),
        script_test(true_allows),
        script_test(false_denies_with_403),
        script_test(deny_has_a_status),
        script_test(allow_chooses_backend_server_and_path),
        script_test(a_server_without_a_backend_is_of_the_routes_own),
        script_test(allow_sets_headers_on_the_request),
        script_test(a_verdict_that_is_not_returned_sets_nothing),
        script_test(allow_of_a_connection_hands_its_headers_on),
        script_test(headers_of_a_connection_without_http_have_no_effect),
        script_test(a_redirect_is_a_reply_with_a_location),
        script_test(respond_is_a_reply),
        script_test(respond_with_nothing_is_200),
        script_test(a_body_may_be_as_long_as_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
