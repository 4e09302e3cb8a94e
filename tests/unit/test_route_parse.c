/* One line of the configuration to a route. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lb/base/regex.h"
#include "lb/http/route.h"

struct refused {
    const char *line, *said; /* a part of what is said */
};

static void assert_refused(const struct refused *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct route route, nothing;
        const char *why = NULL;
        memset(&nothing, 0, sizeof(nothing));
        if (route_parse(rows[i].line, &route, &why))
            fail_msg("'%s' was read", rows[i].line);
        assert_non_null(why);
        if (!strstr(why, rows[i].said))
            fail_msg("'%s': '%s' does not say '%s'", rows[i].line, why, rows[i].said);
        assert_memory_equal(&route, &nothing, sizeof(route));
    }
}
#define ASSERT_REFUSED(rows) assert_refused(rows, sizeof(rows) / sizeof((rows)[0]))

static void a_line_without_an_arrow_or_action_is_refused(void **state)
{
    static const struct refused rows[] = {
        {"", "there is no '->'"},
        {"host=a.example", "there is no '->'"},
        {"respond=404", "there is no '->'"},
        {"host=a.example->app", "a blank on either side"},
        {"host=a.example ->app", "a blank on either side"},
        {"host=a.example ->", "nothing stands after '->'"},
        {"->", "nothing stands after '->'"},
        {"-> app other", "after the backend stands nothing but rewrite="},
        {"-> app -> other", "after the backend stands nothing but rewrite="},
    };
    (void)state;
    ASSERT_REFUSED(rows);
}

static void an_unknown_word_is_answered_with_the_nearest(void **state)
{
    static const struct refused rows[] = {
        {"hots=a.example -> app", "unknown word 'hots=': did you mean 'host='?"},
        {"paht=/a -> app", "unknown word 'paht=': did you mean 'path='?"},
        {"pth~^/a -> app", "did you mean 'path~'?"},
        {"methods=GET -> app", "did you mean 'method='?"},
        {"Host=a.example -> app", "did you mean 'host='?"},
        {"certifcate=none -> app", "did you mean 'certificate='?"},
        {"color=red -> app", "unknown word 'color=': conditions are host=, path=, method="},
        {"/api -> app", "conditions are host="},
        {"host -> app", "did you mean 'host='?"},
        {"method~GET -> app", "only host~ and path~ take a regular expression; write 'method='"},
        {"redirect=301:/ -> app", "is an action: write it after '->'"},
        {"certificate=require -> app", "did you mean 'certificate=required'?"},
        {"certificate=yes -> app", "write required, present or none"},
        {"-> redirct=301:/", "did you mean 'redirect='?"},
        {"-> redirect:301:/", "did you mean 'redirect='?"},
        {"-> path=/a", "write conditions before it"},
        {"-> /srv/www", "is no backend's name"},
    };
    (void)state;
    ASSERT_REFUSED(rows);
}

static void a_second_condition_of_a_kind_is_refused(void **state)
{
    static const struct refused rows[] = {
        {"host=a.example host=b.example -> app", "'host=' is the second"},
        {"host=a.example host~b -> app", "'host~' is the second"},
        {"path=/a path==/b -> app", "'path==' is the second"},
        {"path=/a path~b -> app", "'path~' is the second"},
        {"method=GET method=POST -> app", "'method=' is the second"},
        {"certificate=none certificate=none -> app", "'certificate=' is the second"},
    };
    (void)state;
    ASSERT_REFUSED(rows);
}

static void a_host_that_no_request_has_is_refused(void **state)
{
    static const struct refused rows[] = {
        {"host= -> app", "nothing stands after 'host='"},
        {"host==a.example -> app", "host== has one '=' too many"},
        {"host=a.example:8080 -> app", "without the port: host=a.example"},
        {"host=* -> app", "leave host= out"},
        {"host=*.*.example -> app", "write *.NAME"},
        {"host=*a.example -> app", "write *.NAME"},
        {"host=a.*.example -> app", "write *.NAME"},
        {"host=a.example,b.example -> app", "one route for each host"},
        {"host=a.example/x -> app", "write the host alone"},
        {"host=http://a.example -> app", "write the host alone"},
        {"host=b\xC3\xBC.example -> app", "no host name"},
        {"host=-a.example -> app", "no host name"},
        {"host=*.1.2.3.4 -> app", "no host name"},
        {"host=[::1%eth0] -> app", "no host name"},
    };
    (void)state;
    ASSERT_REFUSED(rows);
}

static void a_path_that_no_request_has_is_refused(void **state)
{
    static const struct refused rows[] = {
        {"path=api -> app", "does not begin with '/'"},
        {"path=/a//b -> app", "write '/a/b'"},
        {"path=/a/../b -> app", "write '/b'"},
        {"path=/a/. -> app", "write '/a/'"},
        {"path==/a/.. -> app", "write '/'"},
        {"path=/.. -> app", "more '..' than segments"},
        {"path=/a?x=1 -> app", "a '?' stands in it"},
        {"path=/a#x -> app", "a '#' stands in it"},
        {"path=/a\\b -> app", "a backslash stands in it"},
        {"path=/a%2 -> app", "no two hexadecimal digits"},
        {"path=/a%00 -> app", "%00"},
        {"path=/\xC3\xBC -> app", "no printable ASCII"},
        {"path=/a/* -> app", "write path=/a/"},
        {"path=~^/a -> app", "write path~REGEX"},
    };
    (void)state;
    ASSERT_REFUSED(rows);
}

static void a_broken_regular_expression_is_refused_and_blanks_are_explained(void **state)
{
    static const struct refused rows[] = {
        {"path~ -> app", "nothing stands after 'path~'"},
        {"path~^/(a -> app", "parenthesis"},
        {"path~^/(a b) -> app", "it may not contain blanks: write \\s or \\x20"},
        {"host~[ -> app", "at byte 2"},
    };
    (void)state;
    ASSERT_REFUSED(rows);
}

static void a_method_or_header_that_never_comes_is_refused(void **state)
{
    static const struct refused rows[] = {
        {"method= -> app", "nothing stands after"},
        {"method=GET, -> app", "is no method"},
        {"method=GET,,POST -> app", "is no method"},
        {"method=G(T -> app", "is no method"},
        {"method=get -> app", "write 'get' in capitals"},
        {"method=CONNECT -> app", "CONNECT is not served"},
        {"header=:x -> app", "write header=NAME or header=NAME:VALUE"},
        {"header=a=b -> app", "write header=NAME"},
        {"header=X-A: -> app", "for any value write header=X-A"},
        {"header=Host:a -> app", "write host=NAME"},
        {"header=X-SSL-Client-Verify:SUCCESS -> app", "write certificate=required"},
        {"header=x_ssl_client_dn -> app", "never believed"},
        {"header=Content-Length -> app", "no route sees it"},
    };
    (void)state;
    ASSERT_REFUSED(rows);
}

static void a_rewrite_without_a_prefix_to_replace_is_refused(void **state)
{
    static const struct refused rows[] = {
        {"-> app rewrite=/b", "write path=/PREFIX as a condition"},
        {"path==/a -> app rewrite=/b", "write path=/PREFIX as a condition"},
        {"path~^/a -> app rewrite=/b", "write path=/PREFIX as a condition"},
        {"path=/a -> app rewrite=b", "does not begin with '/'"},
        {"path=/a -> app rewrite=/b/../c", "write '/c'"},
        {"path=/a -> app rewrite=", "does not begin with '/'"},
        {"path=/a -> app rewrite=/b x", "nothing may follow rewrite="},
        {"path=/a -> rewrite=/b", "write the backend before rewrite="},
        {"path=/a -> app rewrite", "nothing but rewrite=/PREFIX"},
    };
    (void)state;
    ASSERT_REFUSED(rows);
}

static void a_redirect_that_leads_nowhere_or_anywhere_is_refused(void **state)
{
    static const struct refused rows[] = {
        {"-> redirect=", "write redirect=STATUS:URL"},
        {"-> redirect=301", "write redirect=STATUS:URL"},
        {"-> redirect=301:", "write redirect=STATUS:URL"},
        {"-> redirect=/x", "write redirect=STATUS:URL"},
        {"-> redirect=304:/x", "with 301, 302, 303, 307 or 308"},
        {"-> redirect=200:/x", "with 301, 302, 303, 307 or 308"},
        {"-> redirect=301:example.org", "begins neither with http://"},
        {"-> redirect=301:javascript:x", "begins neither with http://"},
        {"-> redirect=301://evil.example", "would name a host"},
        {"-> redirect=301:/{path}", "would name a host"},
        {"-> redirect=301:https://", "names no host"},
        {"-> redirect=301:https:///x", "names no host"},
        {"-> redirect=301:https://{path}", "the client's choice"},
        {"-> redirect=301:https://a.example/{uri}", "write {host}, {path}, {query}"},
        {"-> redirect=301:https://a.example/{", "braces stand around"},
        {"-> redirect=301:https://a.example/}", "braces stand around"},
        {"-> redirect=301:https://a.example/{Host}", "braces stand around"},
        {"-> redirect=301:/a\\b", "holds no '\\'"},
        {"-> redirect=301:/a\"b", "holds no '\"'"},
        {"-> redirect=301:/a b", "nothing may follow the URL"},
    };
    (void)state;
    ASSERT_REFUSED(rows);
}

static void an_answer_that_is_none_is_refused(void **state)
{
    static const struct refused rows[] = {
        {"-> respond=", "write a status from 200 to 599"},
        {"-> respond=abc", "write a status from 200 to 599"},
        {"-> respond=199", "write a status from 200 to 599"},
        {"-> respond=600:x", "write a status from 200 to 599"},
        {"-> respond=20", "write a status from 200 to 599"},
        {"-> respond=2000", "respond=200:TEXT"},
        {"-> respond=404 not found", "respond=404:TEXT"},
        {"-> respond=204:x", "has no body"},
        {"-> respond=404:a\\x", "after '\\' stands"},
        {"-> respond=404:a\\", "after '\\' stands"},
    };
    (void)state;
    ASSERT_REFUSED(rows);
}

/* ---- what is read ---- */

static struct route parsed(const char *line)
{
    struct route route;
    const char *why = "";
    if (!route_parse(line, &route, &why))
        fail_msg("'%s': %s", line, why);
    return route;
}

static void all_conditions_stand_in_one_line(void **state)
{
    struct route route =
        parsed("host=App.Example.ORG. path=/api/%7euser method=GET,POST header=X-Tenant:Blue:1 "
               "header=X-Beta certificate=required -> app-1");
    (void)state;
    assert_string_equal(route.host, "app.example.org");
    assert_string_equal(route.path, "/api/~user");
    assert_false(route.exact);
    assert_int_equal(route.method_count, 2);
    assert_string_equal(route.methods[0], "GET");
    assert_string_equal(route.methods[1], "POST");
    assert_int_equal(route.header_count, 2);
    assert_string_equal(route.headers[0].name, "x-tenant");
    assert_string_equal(route.headers[0].value, "Blue:1");
    assert_string_equal(route.headers[1].name, "x-beta");
    assert_null(route.headers[1].value);
    assert_int_equal(route.certificate, ROUTE_CERTIFICATE_REQUIRED);
    assert_int_equal(route.action, ROUTE_BACKEND);
    assert_string_equal(route.backend_name, "app-1");
    assert_null(route.rewrite);
    route_release(&route);
    assert_null(route.host);
}

static void no_condition_is_any_request(void **state)
{
    struct route route = parsed("-> app");
    (void)state;
    assert_null(route.host);
    assert_null(route.path);
    assert_int_equal(route.method_count + route.header_count, 0);
    assert_int_equal(route.certificate, ROUTE_CERTIFICATE_ANY);
    assert_string_equal(route.backend_name, "app");
    route_release(&route);
}

static void blanks_and_tabs_separate_words(void **state)
{
    struct route route = parsed(" \thost=a.example\t path=/ \t->\tapp \t");
    (void)state;
    assert_string_equal(route.host, "a.example");
    assert_string_equal(route.path, "/");
    assert_string_equal(route.backend_name, "app");
    route_release(&route);
}

static void assert_host(const char *line, const char *host)
{
    struct route route = parsed(line);
    assert_string_equal(route.host, host);
    route_release(&route);
}

static void hosts_are_names_wildcards_and_addresses(void **state)
{
    (void)state;
    assert_host("host=*.Example.org -> app", "*.example.org");
    assert_host("host=10.0.0.1 -> app", "10.0.0.1");
    assert_host("host=[0:0::1] -> app", "[::1]");
    assert_host("host=xn--bcher-kva.example -> app", "xn--bcher-kva.example");
}

static void regular_expressions_stand_for_host_and_path(void **state)
{
    struct route route = parsed("host~^(www|api)\\.example\\.org$ path~\\.php$ certificate=none -> app");
    (void)state;
    assert_true(regex_matches(route.host_regex, SLICE_LITERAL("www.example.org")));
    assert_false(regex_matches(route.host_regex, SLICE_LITERAL("www.example.org.evil")));
    assert_true(regex_matches(route.path_regex, SLICE_LITERAL("/a/b.php")));
    assert_null(route.host);
    assert_null(route.path);
    assert_int_equal(route.certificate, ROUTE_CERTIFICATE_NONE);
    route_release(&route);
}

static void an_exact_path_has_two_equals_signs(void **state)
{
    struct route route = parsed("path==/health certificate=present -> app");
    (void)state;
    assert_true(route.exact);
    assert_string_equal(route.path, "/health");
    assert_int_equal(route.certificate, ROUTE_CERTIFICATE_PRESENT);
    route_release(&route);
}

static void a_rewrite_follows_the_backend(void **state)
{
    struct route route = parsed("path=/api/ -> app rewrite=/v1");
    (void)state;
    assert_string_equal(route.path, "/api/");
    assert_string_equal(route.backend_name, "app");
    assert_string_equal(route.rewrite, "/v1");
    route_release(&route);
}

static void a_redirect_has_a_status_and_a_template(void **state)
{
    struct route route = parsed("host=a.example -> redirect=308:https://{host}{path}{query}");
    (void)state;
    assert_int_equal(route.action, ROUTE_REDIRECT);
    assert_int_equal(route.status, 308);
    assert_string_equal(route.text, "https://{host}{path}{query}");
    assert_null(route.backend_name);
    route_release(&route);
    route = parsed("-> redirect=301:/new{query}");
    assert_string_equal(route.text, "/new{query}");
    route_release(&route);
}

static void assert_respond(const char *line, unsigned status, const char *text)
{
    struct route route = parsed(line);
    assert_int_equal(route.action, ROUTE_RESPOND);
    assert_int_equal(route.status, status);
    assert_string_equal(route.text, text);
    route_release(&route);
}

static void a_respond_has_the_rest_of_the_line_for_text(void **state)
{
    (void)state;
    assert_respond("-> respond=404", 404, "");
    assert_respond("-> respond=204", 204, "");
    assert_respond("-> respond=200:", 200, "");
    assert_respond("path=/a -> respond=503:come  back -> later", 503, "come  back -> later");
    assert_respond("-> respond=200: a\\tb\\; c\\\\\\n", 200, " a\tb; c\\\n");
}

static void a_long_word_is_cut_in_what_is_said(void **state)
{
    char line[2000];
    struct route route;
    const char *why = "";
    (void)state;
    memset(line, 'x', sizeof(line));
    strcpy(line + sizeof(line) - 8, " -> app");
    assert_false(route_parse(line, &route, &why));
    assert_true(strlen(why) < 400);
    memcpy(line, "host=", 5);
    assert_false(route_parse(line, &route, &why));
    assert_non_null(strstr(why, "no host name"));
    assert_true(strlen(why) < 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_without_an_arrow_or_action_is_refused),
        cmocka_unit_test(an_unknown_word_is_answered_with_the_nearest),
        cmocka_unit_test(a_second_condition_of_a_kind_is_refused),
        cmocka_unit_test(a_host_that_no_request_has_is_refused),
        cmocka_unit_test(a_path_that_no_request_has_is_refused),
        cmocka_unit_test(a_broken_regular_expression_is_refused_and_blanks_are_explained),
        cmocka_unit_test(a_method_or_header_that_never_comes_is_refused),
        cmocka_unit_test(a_rewrite_without_a_prefix_to_replace_is_refused),
        cmocka_unit_test(a_redirect_that_leads_nowhere_or_anywhere_is_refused),
        cmocka_unit_test(an_answer_that_is_none_is_refused),
        cmocka_unit_test(all_conditions_stand_in_one_line),
        cmocka_unit_test(no_condition_is_any_request),
        cmocka_unit_test(blanks_and_tabs_separate_words),
        cmocka_unit_test(hosts_are_names_wildcards_and_addresses),
        cmocka_unit_test(regular_expressions_stand_for_host_and_path),
        cmocka_unit_test(an_exact_path_has_two_equals_signs),
        cmocka_unit_test(a_rewrite_follows_the_backend),
        cmocka_unit_test(a_redirect_has_a_status_and_a_template),
        cmocka_unit_test(a_respond_has_the_rest_of_the_line_for_text),
        cmocka_unit_test(a_long_word_is_cut_in_what_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
