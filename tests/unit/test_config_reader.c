/* The reader in front of inih and the environment in values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lb/base/memory.h"
#include "lb/config/expand.h"
#include "lb/config/reader.h"

/* What was told, one line each: "2 [heading]", "3 key=value", and the problems as "4! text". */
static char told[8192];

static void add(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void add(const char *format, ...)
{
    size_t len = strlen(told);
    va_list args;
    va_start(args, format);
    vsnprintf(told + len, sizeof(told) - len, format, args);
    va_end(args);
}

static void section(void *context, struct slice heading, struct place place)
{
    (void)context;
    if (heading.data)
        add("%u [%.*s]\n", place.line, (int)heading.len, heading.data);
    else
        add("%u [?]\n", place.line);
}

static void setting(void *context, const char *name, const char *value, struct place place)
{
    (void)context;
    add("%u %s=%s\n", place.line, name, value);
}

static const char *read_bytes(const char *text, size_t len)
{
    static const struct reader_events events = {section, setting};
    struct problems problems = {0};
    told[0] = '\0';
    reader_run(slice_make(text, len), "x.ini", &events, NULL, &problems);
    for (size_t i = 0; i < problems.count; i++)
        add("%u! %s\n", problems.list[i].line, problems.list[i].text);
    problems_free(&problems);
    return told;
}

static const char *read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

static void refuses(const char *text, const char *fragment)
{
    if (strstr(read_text(text), fragment))
        return;
    print_error("expected: %s\nin:\n%s", fragment, told);
    fail();
}

static void an_indented_line_does_not_continue_the_value_above(void **state)
{
    (void)state;
    refuses("[a]\nk = v\n  more = x\n", "3! the line is indented");
    assert_null(strstr(told, "more"));
    refuses("[a]\nk = v\n\tcontinued\n", "3! the line is indented");
}

static void an_indented_section_is_refused_and_ends_the_section_above(void **state)
{
    (void)state;
    refuses("[a]\nk = v\n [b]\nx = y\n", "3! the line is indented");
    assert_non_null(strstr(told, "3 [?]\n4 x=y\n"));
}

static void a_line_longer_than_inih_reads_is_refused_whole(void **state)
{
    (void)state;
    char line[400] = "k = ";
    memset(line + 4, 'v', 196);
    refuses(line, "1! the line has 200 bytes, more than 199");
    line[199] = '\0';
    assert_non_null(strstr(read_text(line), "1 k=vvv"));
    assert_null(strstr(told, "!"));
}

static void a_comment_may_have_any_length(void **state)
{
    (void)state;
    char text[1000];
    memset(text, 'c', sizeof(text));
    memcpy(text, "# k = v", 7);
    memcpy(text + 900, "\nk = v\n", 8);
    assert_string_equal(read_text(text), "2 k=v\n");
}

static void a_control_character_is_refused_in_comments_too(void **state)
{
    (void)state;
    refuses("[a]\nk = v\x01\n", "2! the line holds the control character 0x01");
    refuses("; a comment\rk = v\r", "1! the line holds the control character 0x0d");
    refuses("k = v\x7f\n", "0x7f");
}

static void a_nul_byte_is_refused_and_nothing_after_it_is_read(void **state)
{
    (void)state;
    static const char text[] = "[a]\nk = v\nx\0y = z\n";
    assert_string_equal(read_bytes(text, sizeof(text) - 1),
                        "3! the line holds a NUL byte: this is no text file\n");
}

static void utf_16_is_refused(void **state)
{
    (void)state;
    refuses("\xff\xfe[\n", "0! the file is UTF-16: save it as UTF-8");
}

static void a_byte_order_mark_of_utf_8_is_left_out(void **state)
{
    (void)state;
    assert_string_equal(read_text("\xef\xbb\xbf[a]\nk = v\n"), "1 [a]\n2 k=v\n");
}

static void a_key_without_value_is_refused(void **state)
{
    (void)state;
    refuses("[a]\nalone\n", "2! 'alone' has no value: write 'key = value'");
    refuses("[a]\nalone ; = v\n", "2! 'alone' has no value");
}

static void a_value_without_key_is_refused(void **state)
{
    (void)state;
    refuses(" = v", "1! the line is indented");
    refuses("= v", "1! there is no key before the '='");
}

static void a_colon_does_not_separate(void **state)
{
    (void)state;
    refuses("k: v\n", "1! a ':' stands before any '=': write 'key = value'");
    refuses("k:2 = v\n", "1! a ':' stands before any '='");
}

static void a_section_without_its_bracket_is_refused_and_ends_the_one_above(void **state)
{
    (void)state;
    refuses("[a]\n[b\nk = v\n", "2! the section has no closing ']'");
    assert_non_null(strstr(told, "2 [?]\n3 k=v\n"));
    refuses("[a ; b]\n", "1! the section has no closing ']'");
}

static void text_after_a_section_is_refused(void **state)
{
    (void)state;
    refuses("[a] k = v\n", "1! there is more after the ']'");
    assert_string_equal(read_text("[a] ; why\n"), "1 [a]\n");
}

static void a_long_section_name_is_not_cut(void **state)
{
    (void)state;
    assert_string_equal(read_text("[listener aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee]\nk = v\n"),
                        "1 [listener aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee]\n2 k=v\n");
}

static void empty_sections_are_told(void **state)
{
    (void)state;
    assert_string_equal(read_text("[a]\n\n[ b ]\n[]"), "1 [a]\n3 [b]\n4 []\n");
}

static void comments_are_left_out(void **state)
{
    (void)state;
    assert_string_equal(read_text("; c\n  # c\n[a]\nk = v ; c\nl = v;w\nm = v # w\nn = ; c\n"),
                        "3 [a]\n4 k=v\n5 l=v;w\n6 m=v # w\n7 n=\n");
}

static void lines_may_end_with_crlf_and_the_last_one_with_nothing(void **state)
{
    (void)state;
    assert_string_equal(read_text("[a]\r\nk = v\r\nl = w"), "1 [a]\n2 k=v\n3 l=w\n");
}

static void a_value_may_hold_equals_and_colons(void **state)
{
    (void)state;
    assert_string_equal(read_text("k = a=b:c [d]\n"), "1 k=a=b:c [d]\n");
}

static void an_empty_file_is_no_problem(void **state)
{
    (void)state;
    assert_string_equal(read_text(""), "");
    assert_string_equal(read_text("\n\n"), "");
}

static void every_line_that_is_wrong_is_told(void **state)
{
    (void)state;
    read_text("a\n b\n[c\nd: e\nf = g\n");
    for (const char *const *part = (const char *const[]){"1!", "2!", "3!", "4!", "5 f=g", NULL}; *part;
         part++)
        assert_non_null(strstr(told, *part));
}

/* The expansion, or "! problem". */
static const char *expanded(const char *value)
{
    struct problems problems = {0};
    char *text = expand_value(value, (struct place){"x.ini", 1}, &problems);
    snprintf(told, sizeof(told), "%s%s", text ? "" : "! ", text ? text : problems.list[0].text);
    assert_true(!text == (problems.errors == 1));
    free(text);
    problems_free(&problems);
    return told;
}

static void an_unset_variable_without_default_is_an_error(void **state)
{
    (void)state;
    unsetenv("LB_TEST");
    assert_string_equal(
        expanded("a ${LB_TEST}"),
        "! the environment variable LB_TEST is not set: set it, or write ${LB_TEST:-default}");
}

static void a_dollar_that_begins_nothing_is_an_error(void **state)
{
    (void)state;
    assert_non_null(strstr(expanded("$HOME"), "! a single '$' means nothing"));
    assert_non_null(strstr(expanded("a$"), "! a single '$' means nothing"));
}

static void a_broken_variable_is_an_error(void **state)
{
    (void)state;
    assert_non_null(strstr(expanded("${A"), "! '${' has no closing '}'"));
    static const char *const broken[] = {"${}",    "${A-b}", "${1A}", "${A B}",
                                         "${:-b}", "${A:b}", "${A:}", NULL};
    for (const char *const *value = broken; *value; value++)
        assert_non_null(strstr(expanded(*value), "! this is no environment variable"));
    assert_non_null(strstr(expanded("${A:-${B}}"), "! the default of a ${NAME:-default} is plain text"));
}

static void a_control_character_from_the_environment_is_an_error(void **state)
{
    (void)state;
    setenv("LB_TEST", "a\nworkers = 3", 1);
    assert_non_null(strstr(expanded("${LB_TEST}"), "! the environment variable LB_TEST holds a line end"));
}

static void a_variable_is_put_in(void **state)
{
    (void)state;
    setenv("LB_TEST", "x ; $y", 1);
    assert_string_equal(expanded("a${LB_TEST}b${LB_TEST:-z}"), "ax ; $ybx ; $y");
}

static void a_default_is_for_the_unset_and_the_empty(void **state)
{
    (void)state;
    unsetenv("LB_TEST");
    assert_string_equal(expanded("${LB_TEST:-unix:/a b}/c"), "unix:/a b/c");
    setenv("LB_TEST", "", 1);
    assert_string_equal(expanded("${LB_TEST:-d}"), "d");
    assert_string_equal(expanded("a${LB_TEST}"), "a");
    assert_string_equal(expanded("${LB_TEST:-}"), "");
}

static void two_dollars_are_one(void **state)
{
    (void)state;
    assert_string_equal(expanded("$$a $${B}$$"), "$a ${B}$");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_indented_line_does_not_continue_the_value_above),
        cmocka_unit_test(an_indented_section_is_refused_and_ends_the_section_above),
        cmocka_unit_test(a_line_longer_than_inih_reads_is_refused_whole),
        cmocka_unit_test(a_comment_may_have_any_length),
        cmocka_unit_test(a_control_character_is_refused_in_comments_too),
        cmocka_unit_test(a_nul_byte_is_refused_and_nothing_after_it_is_read),
        cmocka_unit_test(utf_16_is_refused),
        cmocka_unit_test(a_byte_order_mark_of_utf_8_is_left_out),
        cmocka_unit_test(a_key_without_value_is_refused),
        cmocka_unit_test(a_value_without_key_is_refused),
        cmocka_unit_test(a_colon_does_not_separate),
        cmocka_unit_test(a_section_without_its_bracket_is_refused_and_ends_the_one_above),
        cmocka_unit_test(text_after_a_section_is_refused),
        cmocka_unit_test(a_long_section_name_is_not_cut),
        cmocka_unit_test(empty_sections_are_told),
        cmocka_unit_test(comments_are_left_out),
        cmocka_unit_test(lines_may_end_with_crlf_and_the_last_one_with_nothing),
        cmocka_unit_test(a_value_may_hold_equals_and_colons),
        cmocka_unit_test(an_empty_file_is_no_problem),
        cmocka_unit_test(every_line_that_is_wrong_is_told),
        cmocka_unit_test(an_unset_variable_without_default_is_an_error),
        cmocka_unit_test(a_dollar_that_begins_nothing_is_an_error),
        cmocka_unit_test(a_broken_variable_is_an_error),
        cmocka_unit_test(a_control_character_from_the_environment_is_an_error),
        cmocka_unit_test(a_variable_is_put_in),
        cmocka_unit_test(a_default_is_for_the_unset_and_the_empty),
        cmocka_unit_test(two_dollars_are_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
