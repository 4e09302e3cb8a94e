/* Targets, paths and hosts of requests: each has one form, and what could have two is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lb/http/target.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* ---- paths ---- */

struct path_row {
    const char *path, *normal;
};

/* The copy is as long as promised and no longer: a sanitizer sees each byte too far. */
static char *normal_path(const char *path, size_t len, enum encoded_slash slash, const char **why)
{
    char *in = malloc(len ? len : 1), *out = malloc(len + 1);
    size_t out_len = 0;
    memcpy(in, path, len);
    bool good = http_path_normalize(slice_make(in, len), slash, out, &out_len, why);
    free(in);
    if (good)
        assert_int_equal(strlen(out), out_len);
    else
        free(out);
    return good ? out : NULL;
}

static void assert_path_refused(const char *path, size_t len, enum encoded_slash slash)
{
    const char *why = NULL;
    char *out = normal_path(path, len, slash, &why);
    if (out)
        fail_msg("'%s' became '%s'", path, out);
    assert_non_null(why);
}

static void a_path_that_could_be_read_twice_is_refused(void **state)
{
    static const char *const paths[] = {
        "",          "a",       "*",          "http://a/b",   "/a b",      "/a\tb",  "/a\nb",
        "/a\x7F",    "/a\x80",  "/\xC3\xBC",  "/a#b",         "/a?b",      "/a\\b",  "\\a",
        "/%",        "/%4",     "/%zz",       "/%4g",         "/a%",       "/%%41",  "/%00",
        "/a%00b",    "/..",     "/../a",      "/a/../..",     "/a/../../", "/./..",  "//..",
        "/%2e%2e",   "/%2E./a", "/.%2e/a",    "/a/%2e%2e/..", "/..;",      "/..;/a", "/.;x/a",
        "/a/..;x",   "/a/.;",   "/a/..%3b/b", "/a/%2e%2e;/b", "/;/a",      "/;x/a",  "/a/;x/../b",
        "/a/%3Bx/b", "/a%2fb",  "/a%2Fb",     "/a%5cb",       "/a%5C",     "/%2f",   "/a/..%2fb",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++)
        assert_path_refused(paths[i], strlen(paths[i]), SLASH_REFUSE);
    assert_path_refused("/a\0b", 4, SLASH_REFUSE);
}

static void a_kept_slash_beside_dots_is_refused(void **state)
{
    static const char *const paths[] = {"/a/..%2fb",     "/a%2f..",  "/a%2F../b",  "/a%5c..%5cb",
                                        "/a%2f%2e%2e/b", "/.%2fa",   "/..%2F",     "/a%2F..;x/b",
                                        "/a/b%2f.",      "/a%2f;x/", "/a/..%5Cb/c"};
    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++)
        assert_path_refused(paths[i], strlen(paths[i]), SLASH_KEEP);
}

static void decoded_slashes_lead_no_higher_than_others(void **state)
{
    static const char *const paths[] = {"/..%2f", "/a%2f..%2f..", "/%2f..", "/a%5c..%5c..%5cb",
                                        "/%2e%2e%2fa"};
    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++)
        assert_path_refused(paths[i], strlen(paths[i]), SLASH_DECODE);
}

static void assert_paths(const struct path_row *rows, size_t count, enum encoded_slash slash)
{
    for (size_t i = 0; i < count; i++) {
        const char *why = "";
        char *out = normal_path(rows[i].path, strlen(rows[i].path), slash, &why);
        if (!out)
            fail_msg("'%s': %s", rows[i].path, why);
        assert_string_equal(out, rows[i].normal);
        char *again = normal_path(out, strlen(out), slash, &why);
        assert_non_null(again);
        assert_string_equal(again, out);
        free(out);
        free(again);
    }
}

static void spellings_of_a_path_become_one(void **state)
{
    static const struct path_row rows[] = {
        {"/", "/"},
        {"//", "/"},
        {"/a", "/a"},
        {"/a/", "/a/"},
        {"//a///b//", "/a/b/"},
        {"/.", "/"},
        {"/./a/./b/.", "/a/b/"},
        {"/a/..", "/"},
        {"/a/../b", "/b"},
        {"/a/b/../../c/", "/c/"},
        {"/a/b/..", "/a/"},
        {"/a//../b", "/b"},
        {"/a/%2e%2e/b", "/b"},
        {"/a/.%2E/b", "/b"},
        {"/%2e/a", "/a"},
        {"/%61%5A%30%2d%5f%7e", "/aZ0-_~"},
        {"/%7euser", "/~user"},
        {"/a%20b%c3%bc", "/a%20b%C3%BC"},
        {"/a%3fb%23", "/a%3Fb%23"},
        {"/%252e%252e/a", "/%252e%252e/a"},
        {"/%25%32%65", "/%252e"},
        {"/...", "/..."},
        {"/.a/..b/c.", "/.a/..b/c."},
        {"/a;x=1/b;y", "/a;x=1/b;y"},
        {"/a;..", "/a;.."},
        {"/a/;jsessionid=1", "/a/;jsessionid=1"},
        {"/a.;x", "/a.;x"},
        {"/a:b@c!$&'()*+,=", "/a:b@c!$&'()*+,="},
        {"/%3b", "/%3B"},
        {"/%01%0d%0a%7f", "/%01%0D%0A%7F"},
    };
    (void)state;
    assert_paths(rows, COUNT(rows), SLASH_REFUSE);
}

static void kept_slashes_separate_nothing(void **state)
{
    static const struct path_row rows[] = {{"/a%2fb", "/a%2Fb"},
                                           {"/a%5cb/../c", "/c"},
                                           {"/%2f", "/%2F"},
                                           {"/a/%2F%2F/b", "/a/%2F%2F/b"},
                                           {"/a..%2fb", "/a..%2Fb"}};
    (void)state;
    assert_paths(rows, COUNT(rows), SLASH_KEEP);
}

static void decoded_slashes_separate_segments_before_dots_are_resolved(void **state)
{
    static const struct path_row rows[] = {{"/a%2fb", "/a/b"},         {"/a%5Cb", "/a/b"},
                                           {"/a%2f..%2fb", "/b"},      {"/a/%2e%2e%2fb", "/b"},
                                           {"/%2f%2fa", "/a"},         {"/a%2f", "/a/"},
                                           {"/a%2f%2e", "/a/"},        {"/a%252fb", "/a%252fb"},
                                           {"/x/..%5cadmin", "/admin"}};
    (void)state;
    assert_paths(rows, COUNT(rows), SLASH_DECODE);
}

/* ---- hosts ---- */

static void what_is_no_host_is_refused(void **state)
{
    static const char *const hosts[] = {"",
                                        ":80",
                                        "a.example:",
                                        "a.example:0",
                                        "a.example:080",
                                        "a.example:65536",
                                        "a.example:+1",
                                        "a.example:-1",
                                        "a.example: 1",
                                        "a.example:8x",
                                        "a.example:1:2",
                                        "a.example:999999",
                                        "user@a.example",
                                        "user:pass@a.example",
                                        "a b",
                                        "a.example ",
                                        " a.example",
                                        "a..example",
                                        ".example",
                                        "-a.example",
                                        "a-.example",
                                        "a.example..",
                                        "a%2eexample",
                                        "a,b",
                                        "b\xC3\xBC.example",
                                        "1.2.3",
                                        "1.2.3.4.5",
                                        "256.1.1.1",
                                        "01.2.3.4",
                                        "1.2.3.4.",
                                        "2130706433",
                                        "a.1",
                                        "[::1",
                                        "::1",
                                        "[]",
                                        "[::1]80",
                                        "[::1]:",
                                        "[::1]:x",
                                        "[::1%25lo]",
                                        "[fe80::1%lo]",
                                        "[1.2.3.4]",
                                        "[v1.a]",
                                        "[::g]",
                                        "a[::1]",
                                        "[[::1]]",
                                        "[::1]]",
                                        "a.example/",
                                        "*"};
    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++) {
        char host[HTTP_HOST_MAX];
        unsigned port;
        if (http_host_normalize(slice_of(hosts[i]), host, &port))
            fail_msg("'%s' became '%s'", hosts[i], host);
        assert_string_equal(host, "");
    }
    char host[HTTP_HOST_MAX];
    unsigned port;
    assert_false(http_host_normalize(slice_make("a\0b", 3), host, &port));
    assert_false(http_host_normalize(slice_make("[::1\0]", 6), host, &port));
    assert_false(http_host_normalize(slice_make("1.2.3.4\0", 8), host, &port));
}

static void a_host_that_is_too_long_is_refused(void **state)
{
    char text[400], host[HTTP_HOST_MAX];
    unsigned port;
    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = i % 50 == 49 ? '.' : 'a';
    assert_false(http_host_normalize(slice_make(text, 254), host, &port));
    assert_true(http_host_normalize(slice_make(text, 253), host, &port));
    assert_int_equal(strlen(host), 253);
}

static void spellings_of_a_host_become_one(void **state)
{
    static const struct {
        const char *text, *host;
        unsigned port;
    } rows[] = {
        {"a.example", "a.example", 0},
        {"A.EXAMPLE.", "a.example", 0},
        {"a.example.:443", "a.example", 443},
        {"a_b.example:65535", "a_b.example", 65535},
        {"localhost:1", "localhost", 1},
        {"1.2.3.4", "1.2.3.4", 0},
        {"1.2.3.4:8080", "1.2.3.4", 8080},
        {"[::1]", "[::1]", 0},
        {"[0:0:0:0:0:0:0:1]:80", "[::1]", 80},
        {"[2001:DB8::A]:443", "[2001:db8::a]", 443},
        {"[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char host[HTTP_HOST_MAX];
        unsigned port = 7;
        if (!http_host_normalize(slice_of(rows[i].text), host, &port))
            fail_msg("'%s' was refused", rows[i].text);
        assert_string_equal(host, rows[i].host);
        assert_int_equal(port, rows[i].port);
    }
}

/* ---- requests ---- */

struct request {
    const char *method, *target;
    const char *host, *host2; /* Host fields; NULL: none */
    const char *scheme, *authority;
    int minor; /* 2: HTTP/2 */
};

static void put(struct http_head *head, const char *text, struct span *out)
{
    assert_true(http_head_put(head, slice_of(text), out));
}

static void make_head(struct http_head *head, const struct request *request)
{
    http_head_init(head);
    put(head, request->method, &head->method_text);
    head->method = method_of(slice_of(request->method));
    put(head, request->target, &head->target);
    put(head, request->scheme, &head->scheme);
    put(head, request->authority, &head->authority);
    if (request->host)
        assert_true(http_head_add(head, SLICE_LITERAL("Host"), slice_of(request->host)));
    if (request->host2)
        assert_true(http_head_add(head, SLICE_LITERAL("host"), slice_of(request->host2)));
    head->http2 = request->minor == 2;
    head->minor = request->minor ? 1 : 0;
}

static void assert_request_refused(const struct request *request, unsigned expected)
{
    struct http_head head;
    struct http_target target;
    unsigned status = 0;
    const char *why = NULL;
    make_head(&head, request);
    if (http_target_read(&head, SLASH_REFUSE, &target, &status, &why))
        fail_msg("%s %s (Host %s) was read", request->method, request->target, request->host);
    assert_int_equal(status, expected);
    assert_non_null(why);
    http_head_free(&head);
}

static void a_request_that_names_its_host_badly_is_refused(void **state)
{
    static const struct request rows[] = {
        {"GET", "/", NULL, NULL, "", "", 1},
        {"GET", "/", "", NULL, "", "", 1},
        {"GET", "/", "a.example", "a.example", "", "", 1},
        {"GET", "/", "a.example", "b.example", "", "", 0},
        {"GET", "/", "a.example,b.example", NULL, "", "", 1},
        {"GET", "/", "user@a.example", NULL, "", "", 1},
        {"GET", "/", "a.example:0", NULL, "", "", 1},
        {"GET", "http://a.example/", NULL, NULL, "", "a.example", 1},
        {"GET", "/", "a b", NULL, "", "", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_request_refused(&rows[i], 400);
}

static void an_absolute_form_that_says_something_else_than_host_is_refused(void **state)
{
    static const struct request rows[] = {
        {"GET", "http://b.example/", "a.example", NULL, "", "", 1},
        {"GET", "http://a.example:8080/", "a.example", NULL, "", "", 1},
        {"GET", "http://a.example/", "a.example:8080", NULL, "", "", 1},
        {"GET", "https://a.example/", "a.example:80", NULL, "", "", 1},
        {"GET", "http://user@a.example/", "a.example", NULL, "", "", 1},
        {"GET", "http:///", "a.example", NULL, "", "", 1},
        {"GET", "http://", "a.example", NULL, "", "", 0},
        {"GET", "http:/a", "a.example", NULL, "", "", 1},
        {"GET", "ftp://a.example/", "a.example", NULL, "", "", 1},
        {"GET", "http://a.example#f", "a.example", NULL, "", "", 1},
        {"GET", "http://a.example/#f", "a.example", NULL, "", "", 1},
        {"GET", "http://a.example\\@b/", "a.example", NULL, "", "", 1},
        {"GET", "http://a.example/../x", "a.example", NULL, "", "", 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_request_refused(&rows[i], 400);
}

static void a_target_of_no_known_form_is_refused(void **state)
{
    static const struct request rows[] = {
        {"GET", "", "a.example", NULL, "", "", 1},
        {"GET", "a", "a.example", NULL, "", "", 1},
        {"GET", "a.example:80", "a.example", NULL, "", "", 1},
        {"GET", "*", "a.example", NULL, "", "", 1},
        {"OPTIONS", "**", "a.example", NULL, "", "", 1},
        {"OPTIONS", "*?x", "a.example", NULL, "", "", 1},
        {"GET", "?x", "a.example", NULL, "", "", 1},
        {"GET", "/a/../..", "a.example", NULL, "", "", 1},
        {"GET", "/a#b", "a.example", NULL, "", "", 1},
        {"GET", "/?a#b", "a.example", NULL, "", "", 1},
        {"GET", "/?a b", "a.example", NULL, "", "", 1},
        {"GET", "/?\x80", "a.example", NULL, "", "", 1},
        {"GET", "/?%", "a.example", NULL, "", "", 1},
        {"GET", "/?%4", "a.example", NULL, "", "", 1},
        {"GET", "/?a=%zz", "a.example", NULL, "", "", 1},
    };
    static const struct request connect = {"CONNECT", "a.example:443", "a.example:443", NULL, "", "", 1};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_request_refused(&rows[i], 400);
    assert_request_refused(&connect, 501);
}

static void an_http2_head_that_contradicts_itself_is_refused(void **state)
{
    static const struct request rows[] = {
        {"GET", "/", NULL, NULL, "", "a.example", 2},
        {"GET", "/", NULL, NULL, "ftp", "a.example", 2},
        {"GET", "/", NULL, NULL, "httpss", "a.example", 2},
        {"GET", "/", NULL, NULL, "https", "", 2},
        {"GET", "/", NULL, NULL, "https", "user@a.example", 2},
        {"GET", "/", "b.example", NULL, "https", "a.example", 2},
        {"GET", "/", "a.example:444", NULL, "https", "a.example", 2},
        {"GET", "/", "a.example", "a.example", "https", "a.example", 2},
        {"GET", "/", "", NULL, "https", "a.example", 2},
        {"GET", "", NULL, NULL, "https", "a.example", 2},
        {"GET", "*", NULL, NULL, "https", "a.example", 2},
        {"GET", "http://a.example/", NULL, NULL, "https", "a.example", 2},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_request_refused(&rows[i], 400);
}

struct read {
    struct request request;
    const char *host;
    unsigned port;
    const char *path, *query; /* query NULL: none */
};

static void assert_read(const struct read *row)
{
    struct http_head head;
    struct http_target target;
    unsigned status = 0;
    const char *why = "";
    make_head(&head, &row->request);
    if (!http_target_read(&head, SLASH_REFUSE, &target, &status, &why))
        fail_msg("%s %s: %s", row->request.method, row->request.target, why);
    assert_string_equal(target.host, row->host);
    assert_int_equal(target.port, row->port);
    if (!slice_is(head_text(&head, target.path), row->path))
        fail_msg("%s: the path is not %s", row->request.target, row->path);
    assert_int_equal(target.has_query, row->query != NULL);
    assert_true(slice_is(head_text(&head, target.query), row->query ? row->query : ""));
    http_head_free(&head);
}

static void targets_are_read_in_all_their_forms(void **state)
{
    static const struct read rows[] = {
        {{"GET", "/", "a.example", NULL, "", "", 1}, "a.example", 0, "/", NULL},
        {{"GET", "/a/b?c=d&e=%2f?", "A.example:80", NULL, "", "", 1}, "a.example", 80, "/a/b", "c=d&e=%2f?"},
        {{"GET", "/a?", "a.example", NULL, "", "", 1}, "a.example", 0, "/a", ""},
        {{"GET", "/%7e//x/./?%00//..", "a.example", NULL, "", "", 1}, "a.example", 0, "/~/x/", "%00//.."},
        {{"OPTIONS", "*", "a.example", NULL, "", "", 1}, "a.example", 0, "*", NULL},
        {{"GET", "/", NULL, NULL, "", "", 0}, "", 0, "/", NULL},
        {{"GET", "/", "", NULL, "", "", 0}, "", 0, "/", NULL},
        {{"GET", "http://a.example/x", NULL, NULL, "", "", 0}, "a.example", 0, "/x", NULL},
        {{"GET", "http://a.example", "a.example", NULL, "", "", 1}, "a.example", 0, "/", NULL},
        {{"GET", "http://a.example?q", "a.example", NULL, "", "", 1}, "a.example", 0, "/", "q"},
        {{"OPTIONS", "http://a.example", "a.example", NULL, "", "", 1}, "a.example", 0, "*", NULL},
        {{"GET", "HTTP://A.example:80/x?y", "a.example", NULL, "", "", 1}, "a.example", 0, "/x", "y"},
        {{"GET", "https://a.example/x", "a.example:443", NULL, "", "", 1}, "a.example", 443, "/x", NULL},
        {{"GET", "http://[::1]:81/", "[0::1]:81", NULL, "", "", 1}, "[::1]", 81, "/", NULL},
        {{"GET", "/x?y", NULL, NULL, "https", "a.example:8443", 2}, "a.example", 8443, "/x", "y"},
        {{"GET", "/", "a.example:443", NULL, "https", "a.example", 2}, "a.example", 0, "/", NULL},
        {{"GET", "/", "a.example", NULL, "http", "", 2}, "a.example", 0, "/", NULL},
        {{"OPTIONS", "*", NULL, NULL, "http", "a.example", 2}, "a.example", 0, "*", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_read(&rows[i]);
}

static void a_path_in_its_normal_form_is_used_where_it_lies(void **state)
{
    static const struct request request = {"GET", "/a/b.c/d?e", "a.example", NULL, "", "", 1};
    struct http_head head;
    struct http_target target;
    unsigned status;
    const char *why;
    (void)state;
    make_head(&head, &request);
    uint32_t len = head.len;
    assert_true(http_target_read(&head, SLASH_REFUSE, &target, &status, &why));
    assert_int_equal(head.len, len);
    assert_int_equal(target.path.at, head.target.at);
    http_head_free(&head);
}

static void a_long_path_is_changed_in_a_buffer_that_grows(void **state)
{
    char text[5002];
    struct request request = {"GET", text, "a.example", NULL, "", "", 1};
    struct http_head head;
    struct http_target target;
    unsigned status;
    const char *why;
    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    memcpy(text, "/%62/", 5);
    text[sizeof(text) - 1] = '\0';
    make_head(&head, &request);
    assert_true(http_target_read(&head, SLASH_REFUSE, &target, &status, &why));
    assert_int_equal(target.path.len, sizeof(text) - 3);
    assert_memory_equal(head.bytes + target.path.at, "/b/aaaa", 7);
    assert_true(slice_is(head_text(&head, head.target), text));
    http_head_free(&head);
}

static void the_authority_is_noted_as_it_came(void **state)
{
    static const struct request request = {"GET", "/", "A.Example:80", NULL, "", "", 1};
    struct http_head head;
    struct http_target target;
    unsigned status;
    const char *why;
    (void)state;
    make_head(&head, &request);
    assert_true(http_target_read(&head, SLASH_REFUSE, &target, &status, &why));
    assert_true(slice_is(head_text(&head, head.authority), "A.Example:80"));
    http_head_free(&head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_that_could_be_read_twice_is_refused),
        cmocka_unit_test(a_kept_slash_beside_dots_is_refused),
        cmocka_unit_test(decoded_slashes_lead_no_higher_than_others),
        cmocka_unit_test(spellings_of_a_path_become_one),
        cmocka_unit_test(kept_slashes_separate_nothing),
        cmocka_unit_test(decoded_slashes_separate_segments_before_dots_are_resolved),
        cmocka_unit_test(what_is_no_host_is_refused),
        cmocka_unit_test(a_host_that_is_too_long_is_refused),
        cmocka_unit_test(spellings_of_a_host_become_one),
        cmocka_unit_test(a_request_that_names_its_host_badly_is_refused),
        cmocka_unit_test(an_absolute_form_that_says_something_else_than_host_is_refused),
        cmocka_unit_test(a_target_of_no_known_form_is_refused),
        cmocka_unit_test(an_http2_head_that_contradicts_itself_is_refused),
        cmocka_unit_test(targets_are_read_in_all_their_forms),
        cmocka_unit_test(a_path_in_its_normal_form_is_used_where_it_lies),
        cmocka_unit_test(a_long_path_is_changed_in_a_buffer_that_grows),
        cmocka_unit_test(the_authority_is_noted_as_it_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
