#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>

#include <cmocka.h>

#include "lb/base/regex.h"

static bool matches(const char *pattern, const char *text)
{
    const char *why = NULL;
    struct regex *regex = regex_new(pattern, &why);
    assert_non_null(regex);
    bool found = regex_matches(regex, slice_of(text));
    regex_free(regex);
    return found;
}

static void a_broken_pattern_is_refused_with_its_place(void **state)
{
    const char *why = NULL;
    (void)state;
    assert_null(regex_new("^/a(b", &why));
    assert_non_null(strstr(why, "parenthesis"));
    assert_non_null(strstr(why, "at byte 6"));
    assert_null(regex_new("[z-a]", &why));
    assert_non_null(strstr(why, "range"));
}

static void a_pattern_cannot_turn_utf_on(void **state)
{
    const char *why = NULL;
    (void)state;
    assert_null(regex_new("(*UTF)^/a", &why));
    assert_non_null(why);
}

static void a_dollar_stands_for_the_very_end_only(void **state)
{
    (void)state;
    assert_false(matches("^/a$", "/a\n"));
    assert_true(matches("^/a$", "/a"));
}

static void case_counts_unless_the_pattern_says_otherwise(void **state)
{
    (void)state;
    assert_false(matches("^/ADMIN", "/admin"));
    assert_true(matches("(?i)^/ADMIN", "/admin"));
}

static void a_match_is_anchored_nowhere(void **state)
{
    (void)state;
    assert_false(matches("b/c", "/a/b"));
    assert_true(matches("b/c", "/a/b/c/d"));
    assert_true(matches("", ""));
    assert_true(matches("^$", ""));
}

static void groups_and_references_work(void **state)
{
    (void)state;
    assert_false(matches("^/(a|b)/\\1$", "/a/b"));
    assert_true(matches("^/(a|b)/\\1$", "/b/b"));
}

static void the_end_of_the_slice_is_the_end_of_the_text(void **state)
{
    const char *why;
    (void)state;
    struct regex *regex = regex_new("^/ab$", &why);
    char *exact = malloc(3); /* a sanitizer sees each byte read too far */
    memcpy(exact, "/ab", 3);
    assert_true(regex_matches(regex, slice_make(exact, 3)));
    assert_false(regex_matches(regex, slice_make(exact, 2)));
    assert_false(regex_matches(regex, slice_make(NULL, 0)));
    free(exact);
    regex_free(regex);
}

static void a_match_that_would_take_ages_is_none(void **state)
{
    char text[40];
    (void)state;
    memset(text, 'a', sizeof(text) - 2);
    text[sizeof(text) - 2] = '!';
    text[sizeof(text) - 1] = '\0';
    assert_false(matches("^(a+)+$", text));
    text[8] = '\0';
    assert_true(matches("^(a+)+$", text));
}

static void a_long_text_does_not_slip_past_a_small_stack(void **state)
{
    const char *why;
    (void)state;
    size_t len = 8000;
    char *text = malloc(len);
    memset(text, 'a', len);
    memcpy(text + len - 6, "/admin", 6);
    struct regex *regex = regex_new("^(a|b)*/admin$", &why);
    assert_true(regex_matches(regex, slice_make(text, len)));
    regex_free(regex);
    free(text);
}

struct shared {
    const struct regex *regex;
    unsigned wrong;
};

static void *match_often(void *data)
{
    struct shared *shared = data;
    for (unsigned i = 0; i < 2000; i++) {
        shared->wrong += !regex_matches(shared->regex, SLICE_LITERAL("/api/v12/users"));
        shared->wrong += regex_matches(shared->regex, SLICE_LITERAL("/api/v/users"));
    }
    return NULL;
}

static void threads_share_a_pattern(void **state)
{
    const char *why;
    (void)state;
    struct regex *regex = regex_new("^/api/v([0-9]+)/(.*)$", &why);
    struct shared shared[3] = {{regex, 0}, {regex, 0}, {regex, 0}};
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, match_often, &shared[i]), 0);
    for (size_t i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(shared[i].wrong, 0);
    }
    regex_free(regex);
}

static void the_library_says_its_version(void **state)
{
    (void)state;
    assert_int_equal(strncmp(regex_library(), "PCRE2 10.", 9), 0);
    regex_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broken_pattern_is_refused_with_its_place),
        cmocka_unit_test(a_pattern_cannot_turn_utf_on),
        cmocka_unit_test(a_dollar_stands_for_the_very_end_only),
        cmocka_unit_test(case_counts_unless_the_pattern_says_otherwise),
        cmocka_unit_test(a_match_is_anchored_nowhere),
        cmocka_unit_test(groups_and_references_work),
        cmocka_unit_test(the_end_of_the_slice_is_the_end_of_the_text),
        cmocka_unit_test(a_match_that_would_take_ages_is_none),
        cmocka_unit_test(a_long_text_does_not_slip_past_a_small_stack),
        cmocka_unit_test(threads_share_a_pattern),
        cmocka_unit_test(the_library_says_its_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
