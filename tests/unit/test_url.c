/* URLs that lb itself asks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lb/base/url.h"

static void other_urls_are_refused(void **state)
{
    static const struct {
        const char *url, *why;
    } CASES[] = {
        {"", "no http://"},
        {"http://", "no http://"},
        {"https://a.test/", "no http://"},
        {"ocsp.test", "no http://"},
        {"http:/a.test", "no http://"},
        {"http:///path", "host or port"},
        {"http://:80/", "host or port"},
        {"http://a.test:0/", "host or port"},
        {"http://a.test:65536/", "host or port"},
        {"http://a.test:99999999999999999999/", "host or port"},
        {"http://a.test:8x/", "host or port"},
        {"http://user@a.test/", "host or port"},
        {"http://a.test%00/", "host or port"},
        {"http://[::1/", "host or port"},
        {"http://[::1]x/", "host or port"},
        {"http://[]/", "host or port"},
        {"http://a.test/a b", "blank"},
        {"http://a.test/\r\nX: y", "blank"},
        {"http://a.test/\xc3\xa9", "ASCII"},
    };
    struct http_url url;
    const char *why;
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        assert_false(http_url_parse(slice_of(CASES[i].url), &url, &why));
        assert_non_null(strstr(why, CASES[i].why));
    }
}

static void a_url_that_is_too_long_is_refused(void **state)
{
    char text[URL_MAX + 2];
    struct http_url url;
    const char *why;
    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text, "http://a.test/", 14);
    assert_true(http_url_parse(slice_make(text, URL_MAX), &url, &why));
    assert_int_equal(strlen(url.target), URL_MAX - 13);
    assert_false(http_url_parse(slice_make(text, URL_MAX + 1), &url, &why));
    memset(text + 7, 'a', URL_HOST_MAX + 1); /* a host that long */
    assert_false(http_url_parse(slice_make(text, 7 + URL_HOST_MAX + 1), &url, &why));
}

static void a_url_is_taken_apart(void **state)
{
    static const struct {
        const char *url, *host, *authority, *port, *target;
    } CASES[] = {
        {"http://a.test", "a.test", "a.test", "80", "/"},
        {"HTTP://A.test/", "A.test", "A.test", "80", "/"},
        {"http://a.test:8080/x/y?z=1#part", "a.test", "a.test:8080", "8080", "/x/y?z=1"},
        {"http://a.test?q", "a.test", "a.test", "80", "/?q"},
        {"http://a.test:/", "a.test", "a.test:", "80", "/"},
        {"http://127.0.0.1:1/", "127.0.0.1", "127.0.0.1:1", "1", "/"},
        {"http://[::1]:65535/a", "::1", "[::1]:65535", "65535", "/a"},
        {"http://[fe80::1]", "fe80::1", "[fe80::1]", "80", "/"},
    };
    struct http_url url;
    const char *why;
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        assert_true(http_url_parse(slice_of(CASES[i].url), &url, &why));
        assert_string_equal(url.host, CASES[i].host);
        assert_string_equal(url.authority, CASES[i].authority);
        assert_string_equal(url.port, CASES[i].port);
        assert_string_equal(url.target, CASES[i].target);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_urls_are_refused),
        cmocka_unit_test(a_url_that_is_too_long_is_refused),
        cmocka_unit_test(a_url_is_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
