/* Header fields and cookies as scripts see and change them. */
#include "test_script_host.h"

#define HOST struct host *host = *state

static void request(struct host *host, const char *body)
{
    host_run_hook(host, HOOK_REQUEST, body);
}

/* The expression is true in on_request. */
static void holds(struct host *host, const char *expression)
{
    char body[1024];
    snprintf(body, sizeof(body), "return %s", expression);
    request(host, body);
    if (host->out.verdict != SCRIPT_ALLOW)
        fail_msg("%s: %s: %s", expression, reason_name(host->out.reason), host->out.text);
}

/* --- changes that are refused --- */

static const struct {
    const char *change, *part;
} refused_changes[] = {
    {"h:set('x-b', 'a\\r\\nb')", "'x-b': a value has no CR, LF, NUL"},
    {"h:set('x-b', 'a\\nb')", "a value has no CR, LF, NUL"},
    {"h:set('x-b', 'a\\0b')", "a value has no CR, LF, NUL"},
    {"h:set('x-b', 'a\\127b')", "a value has no CR, LF, NUL"},
    {"h:set('x-b', 'a\\tb')", "a value has no CR, LF, NUL"},
    {"h:add('x-b', 'a\\r')", "a value has no CR, LF, NUL"},
    {"h['x-b'] = 'a\\n'", "a value has no CR, LF, NUL"},
    {"h:set('x-b', 7)", "a value is a text"},
    {"h:set('x-b', true)", "a value is a text"},
    {"h:set('x-b')", "a value is a text"},
    {"h:set('x-b', {})", "a value is a text"},
    {"h:set('x-b', setmetatable({}, {__tostring = function() return 'x' end}))", "a value is a text"},
    {"h:add('x-b', nil)", "a value is a text"},
    {"h['x-b'] = false", "a value is a text"},
    {"h:set('', 'x')", "no name of a header field"},
    {"h:set('a b', 'x')", "no name of a header field"},
    {"h:set('a:', 'x')", "no name of a header field"},
    {"h:set(':path', 'x')", "no name of a header field"},
    {"h:set('a\\r\\nb', 'x')", "'a??b': this is no name of a header field"},
    {"h:set('a\\0', 'x')", "no name of a header field"},
    {"h:set('\\u{e4}', 'x')", "no name of a header field"},
    {"h:set(('a'):rep(257), 'x')", "no name of a header field"},
    {"h:remove('a b')", "no name of a header field"},
    {"h['a b'] = nil", "no name of a header field"},
    {"h:set(7, 'x')", "a name is a text"},
    {"h[1] = 'x'", "a name is a text"},
    {"h:set(nil, 'x')", "a name is a text"},
    {"h:remove()", "a name is a text"},
    {"h.set('x-b', 'x')", "takes the headers of this hook"},
    {"h.set(lb, 'x-b', 'x')", "takes the headers of this hook"},
    {"h.remove(nil, 'x-b')", "takes the headers of this hook"},
    {"h:set('refused', 'x')", "'refused': this decides about framing"},
    {"h:add('Refused', 'x')", "'refused': this decides about framing"},
    {"h.REFUSED = 'x'", "'refused': this decides about framing"},
};

#define REFUSED_CHANGES (sizeof(refused_changes) / sizeof(refused_changes[0]))

/* Runs each refused change between `before` and `after`. */
static void each_fails(struct host *host, enum script_hook hook, const char *before, const char *after)
{
    host->asked.refuses = host->answered.refuses = "refused";
    for (size_t i = 0; i < REFUSED_CHANGES; i++) {
        char body[600];
        snprintf(body, sizeof(body), "%s%s%s", before, refused_changes[i].change, after);
        host_run_hook(host, hook, body);
        assert_fails(host, REASON_SCRIPT_RESULT, refused_changes[i].part);
        assert_contains(host->out.text, "policy.lua:");
    }
}

static void a_change_that_is_refused_denies(void **state)
{
    each_fails(*state, HOOK_REQUEST, "local h = req.headers ", " return true");
}

static void a_change_that_is_refused_denies_even_if_caught(void **state)
{
    each_fails(*state, HOOK_REQUEST, "local h = req.headers pcall(function() ", " end) return true");
}

static void a_change_that_is_refused_denies_even_in_a_coroutine(void **state)
{
    each_fails(*state, HOOK_REQUEST,
               "local h = req.headers coroutine.resume(coroutine.create(function() pcall(function() ",
               " end) end)) return true");
}

static void a_change_that_is_refused_denies_even_where_nothing_can_yield(void **state)
{
    each_fails(*state, HOOK_REQUEST,
               "local h = req.headers pcall(table.sort, {1, 2}, function() pcall(function() ",
               " end) return false end) return true");
}

static void a_change_of_the_response_that_is_refused_denies_even_if_caught(void **state)
{
    each_fails(*state, HOOK_RESPONSE, "local h = res.headers pcall(function() ", " end) return true");
}

static void a_change_while_closing_that_is_refused_denies(void **state)
{
    each_fails(
        *state, HOOK_REQUEST,
        "local h = req.headers pcall(function() local c <close> = setmetatable({}, {__close = function() ",
        " end}) end)\nreturn true");
}

static void the_request_cannot_be_changed_once_it_was_sent(void **state)
{
    static const char *const changes[] = {"h:set('x-b', 'x')", "h:add('x-b', 'x')", "h:remove('x-a')",
                                          "h['x-a'] = nil", "h['x-b'] = 'x'"};
    HOST;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        char body[200];
        snprintf(body, sizeof(body), "local h = res.request.headers pcall(function() %s end) return true",
                 changes[i]);
        host_run_hook(host, HOOK_RESPONSE, body);
        assert_fails(host, REASON_SCRIPT_RESULT, "the request has been sent");
        assert_int_equal(host->asked.count, 4);
    }
}

static void headers_of_an_earlier_call_cannot_be_changed(void **state)
{
    HOST;
    request(host, "if kept then pcall(function() kept['x-b'] = 'x' end) return true end\n"
                  "kept = req.headers return true");
    assert_allows(host);
    host_call_hook(host, HOOK_REQUEST);
    assert_fails(host, REASON_SCRIPT_RESULT, "takes the headers of this hook");
    assert_null(strstr(message_text(&host->asked), "x-b"));
}

static void no_memory_for_a_header_denies(void **state)
{
    HOST;
    request(host, "for i = 1, 1000 do pcall(function() req.headers:add('x-' .. i, 'v') end) end return true");
    assert_fails(host, REASON_SCRIPT_RESULT, "out of memory");
}

/* --- reading what is no name --- */

static void reading_what_is_no_name_is_an_error(void **state)
{
    static const char *const reads[] = {
        "req.headers['a b']", "req.headers['']",    "req.headers[1]",
        "req.headers[nil]",   "req.headers[{}]",    "req.headers:all('a b')",
        "req.headers:all(1)", "req.headers.all()",  "req.headers.all(lb, 'x')",
        "req.cookies[1]",     "req.cookies[nil]",   "req.cookies:get('x')",
        "#req.headers",       "req.headers .. 'x'", "req.headers()"};
    HOST;
    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
        char body[200];
        snprintf(body, sizeof(body), "local x = %s return true", reads[i]);
        request(host, body);
        assert_fails(host, REASON_SCRIPT_ERROR, "policy.lua:2: ");
    }
}

static void views_are_worth_nothing_after_their_hook(void **state)
{
    static const char *const reads[] = {"kept.headers",   "headers['x-a']",  "headers:all('x-a')",
                                        "pairs(headers)", "cookies.session", "pairs(cookies)",
                                        "kept.method",    "kept:body(1)",    "kept.conn",
                                        "conn.port"};
    HOST;
    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
        char body[300];
        snprintf(body, sizeof(body),
                 "if kept then local x = %s return true end\n"
                 "kept = req headers = req.headers cookies = req.cookies conn = req.conn return true",
                 reads[i]);
        request(host, body);
        assert_allows(host);
        host_call_hook(host, HOOK_REQUEST);
        assert_fails(host, REASON_SCRIPT_ERROR, "is only valid during the hook");
    }
}

/* --- reading --- */

static void a_name_is_read_in_any_case(void **state)
{
    HOST;
    holds(host, "req.headers['x-a'] == 'one' and req.headers['X-A'] == 'one' and req.headers.host == "
                "'api.example' and req.headers.HOST == 'api.example'");
    holds(host, "req.headers['x-none'] == nil and req.headers.x_a == nil and req.headers.x == nil");
}

static void all_values_are_a_list_in_order(void **state)
{
    HOST;
    holds(host, "#req.headers:all('X-A') == 2 and req.headers:all('x-a')[1] == 'one' and "
                "req.headers:all('x-a')[2] == 'two' and req.headers:all('x-a').two == true");
    holds(host, "#req.headers:all('x-none') == 0");
    holds(host, "table.concat(req.headers:all('x-a'), ' ') == 'one two'");
}

static void fields_with_names_of_methods_are_read_by_all(void **state)
{
    HOST;
    message_add(&host->asked, slice_of("set"), slice_of("x"));
    holds(host, "req.headers:all('set')[1] == 'x' and type(req.headers.set) == 'function' and "
                "req.headers.Set == 'x'");
}

static void pairs_visits_each_field_in_order(void **state)
{
    HOST;
    request(host,
            "local t = {} for name, value in pairs(req.headers) do t[#t + 1] = name .. '=' .. value end\n"
            "return lb.deny(table.concat(t, ' '))");
    assert_string_equal(host->out.text, "host=api.example x-a=one cookie=session=s1; theme=dark x-a=two");
}

static void a_loop_that_removes_misses_nothing(void **state)
{
    HOST;
    for (unsigned i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof(name), "x-trust-%u", i);
        message_add(&host->asked, slice_of(name), slice_of("v"));
    }
    request(host,
            "for name in pairs(req.headers) do if name:find('^x%-') then req.headers:remove(name) end end\n"
            "return true");
    assert_allows(host);
    assert_string_equal(message_text(&host->asked), "host: api.example\ncookie: session=s1; theme=dark\n");
}

static void a_hundred_fields_are_read(void **state)
{
    HOST;
    for (unsigned i = 0; i < 96; i++) {
        char name[16];
        snprintf(name, sizeof(name), "x-%u", i);
        message_add(&host->asked, slice_of(name), slice_of(name));
    }
    holds(host,
          "req.headers['x-95'] == 'x-95' and (function() local n = 0 for _ in pairs(req.headers) do n = n + "
          "1 end return n end)() == 100");
}

static void any_byte_of_a_value_is_read_as_it_is(void **state)
{
    HOST;
    message_add(&host->asked, slice_of("x-bytes"), slice_of("\xFF\t\"\x80"));
    holds(host, "req.headers['x-bytes'] == '\\xFF\\t\"\\x80'");
}

/* --- changing --- */

static void set_replaces_all_of_the_name(void **state)
{
    HOST;
    request(host, "req.headers:set('X-A', 'three') return true");
    assert_allows(host);
    assert_string_equal(message_text(&host->asked),
                        "host: api.example\ncookie: session=s1; theme=dark\nx-a: three\n");
}

static void add_leaves_what_there_is(void **state)
{
    HOST;
    request(host, "req.headers:add('X-A', 'three') return #req.headers:all('x-a') == 3");
    assert_allows(host);
}

static void remove_takes_all_of_the_name(void **state)
{
    HOST;
    request(host, "req.headers:remove('X-A') return req.headers['x-a'] == nil");
    assert_allows(host);
    assert_null(strstr(message_text(&host->asked), "x-a"));
}

static void assignment_sets_and_nil_removes(void **state)
{
    HOST;
    request(host,
            "req.headers['X-B'] = 'b' req.headers['x-a'] = nil req.headers['x-empty'] = '' return true");
    assert_allows(host);
    assert_string_equal(message_text(&host->asked),
                        "host: api.example\ncookie: session=s1; theme=dark\nx-b: b\nx-empty: \n");
}

static void names_with_underscores_are_names_of_their_own(void **state)
{
    HOST;
    request(host, "req.headers.x_a = 'u' return req.headers['x-a'] == 'one' and req.headers.x_a == 'u'");
    assert_allows(host);
}

static void bytes_over_127_may_be_set(void **state)
{
    HOST;
    request(host, "req.headers['x-b'] = 'f\xC3\xBC\x72' return true");
    assert_allows(host);
    assert_contains(message_text(&host->asked), "x-b: f\xC3\xBC\x72\n");
}

/* --- cookies --- */

static const struct {
    const char *first, *second; /* cookie fields; NULL: none */
    const char *expected;       /* value of `a` as Lua writes it */
} cookies[] = {
    {NULL, NULL, "nil"},          {"", NULL, "nil"},
    {"b=2", NULL, "nil"},         {"a", NULL, "nil"},
    {"A=1", NULL, "nil"},         {"aa=1", NULL, "nil"},
    {"b=a=1", NULL, "nil"},       {"=a", NULL, "nil"},
    {"a =1", NULL, "nil"},        {"a= 1", NULL, "nil"},
    {"a=1 2", NULL, "nil"},       {"a=1,2", NULL, "nil"},
    {"a=1\\2", NULL, "nil"},      {"a=\"1", NULL, "nil"},
    {"a=1\"", NULL, "nil"},       {"a=\"", NULL, "nil"},
    {"a=\"1;2\"", NULL, "nil"},   {"a=\x01", NULL, "nil"},
    {"a=\xC3\xBC", NULL, "nil"},  {"a=\x7F", NULL, "nil"},
    {"a=1,b; a=2", NULL, "nil"}, /* a server may see the first */
    {"a =1; a=2", NULL, "nil"},   {"a; a=2", NULL, "nil"},
    {"a=\"x", "a=2", "nil"},      {"a=1", NULL, "'1'"},
    {"a=", NULL, "''"},           {"a=\"\"", NULL, "'\"\"'"},
    {"a=\"1\"", NULL, "'\"1\"'"}, {"a=b=c", NULL, "'b=c'"},
    {"a=1; a=2", NULL, "'1'"},    {"a=1", "a=2", "'1'"},
    {"b=2; a=1", NULL, "'1'"},    {"b=2;a=1", NULL, "'1'"},
    {"b=2;  a=1 ;", NULL, "'1'"}, {";;; a=1", NULL, "'1'"},
    {"b=2", "a=1", "'1'"},        {"", "a=1", "'1'"},
    {"b=\"x; a=1", NULL, "'1'"},  {"=x; a=1", NULL, "'1'"},
    {"b c=2; a=1", NULL, "'1'"},
};

static void a_cookie_is_the_first_of_its_name_if_it_is_well_formed(void **state)
{
    HOST;
    for (size_t i = 0; i < sizeof(cookies) / sizeof(cookies[0]); i++) {
        char expression[200];
        message_remove(&host->asked, slice_of("cookie"));
        if (cookies[i].first)
            message_add(&host->asked, slice_of("cookie"), slice_of(cookies[i].first));
        if (cookies[i].second)
            message_add(&host->asked, slice_of("cookie"), slice_of(cookies[i].second));
        snprintf(expression, sizeof(expression), "req.cookies.a == %s, tostring(req.cookies.a)",
                 cookies[i].expected);
        holds(host, expression);
    }
}

static void pairs_visits_each_cookie_once(void **state)
{
    HOST;
    message_add(&host->asked, slice_of("cookie"), slice_of("theme=light; x=1; y=\"; y=2; z"));
    request(host,
            "local t = {} for name, value in pairs(req.cookies) do t[#t + 1] = name .. '=' .. value end\n"
            "return lb.deny(table.concat(t, ' '))");
    assert_string_equal(host->out.text, "session=s1 theme=dark x=1");
}

static void cookies_cannot_be_written(void **state)
{
    HOST;
    request(host, "req.cookies.session = 'x' return true");
    assert_fails(host, REASON_SCRIPT_ERROR, "cookies is read-only");
}

static void the_host_is_told_what_is_read(void **state)
{
    HOST;
    request(host, "local a, b, c, d = req.method, req.headers['X-A'], req.cookies.session, req.conn.port\n"
                  "for _ in pairs(req.headers) do end return true");
    assert_string_equal(host->read, "req.method\nreq.headers.x-a\nreq.cookies.session\nport\nreq.headers\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        script_test(a_change_that_is_refused_denies),
        script_test(a_change_that_is_refused_denies_even_if_caught),
        script_test(a_change_that_is_refused_denies_even_in_a_coroutine),
        script_test(a_change_that_is_refused_denies_even_where_nothing_can_yield),
        script_test(a_change_of_the_response_that_is_refused_denies_even_if_caught),
        script_test(a_change_while_closing_that_is_refused_denies),
        script_test(the_request_cannot_be_changed_once_it_was_sent),
        script_test(headers_of_an_earlier_call_cannot_be_changed),
        script_test(no_memory_for_a_header_denies),
        script_test(reading_what_is_no_name_is_an_error),
        script_test(views_are_worth_nothing_after_their_hook),
        script_test(a_name_is_read_in_any_case),
        script_test(all_values_are_a_list_in_order),
        script_test(fields_with_names_of_methods_are_read_by_all),
        script_test(pairs_visits_each_field_in_order),
        script_test(a_loop_that_removes_misses_nothing),
        script_test(a_hundred_fields_are_read),
        script_test(any_byte_of_a_value_is_read_as_it_is),
        script_test(set_replaces_all_of_the_name),
        script_test(add_leaves_what_there_is),
        script_test(remove_takes_all_of_the_name),
        script_test(assignment_sets_and_nil_removes),
        script_test(names_with_underscores_are_names_of_their_own),
        script_test(bytes_over_127_may_be_set),
        script_test(a_cookie_is_the_first_of_its_name_if_it_is_well_formed),
        script_test(pairs_visits_each_cookie_once),
        script_test(cookies_cannot_be_written),
        script_test(the_host_is_told_what_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
