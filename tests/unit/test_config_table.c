/* The key table, its reference, and the examples that show it. Run from the project's folder, as `make test`
 * does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lb/config/check.h"
#include "lb/config/files.h"
#include "lb/tls/context.h"

#define EVERY_KEY "tests/e2e/configs/every-key.ini"

static void every_default_of_the_table_is_a_value_of_its_key(void **state)
{
    (void)state;
    struct problems problems = {0};
    struct source source = {.problems = &problems};
    struct draft draft;
    static const char ini[] = "[global]\n[listener a]\n[backend b]\n";
    source_read(&source, "x.ini", SLICE_LITERAL(ini));
    draft_build(&draft, &source, false);
    assert_int_equal(problems.count, 0);
    draft_release(&draft);
    config_destroy(draft.config);
    source_free(&source);
    problems_free(&problems);
}

static void every_key_has_help_and_a_row_in_the_reference(void **state)
{
    (void)state;
    char *text, row[128];
    size_t len;
    FILE *out = open_memstream(&text, &len);
    config_reference(out);
    fclose(out);
    for (const struct key *key = keys; key->name; key++) {
        assert_true(key->help && strlen(key->help) > 10);
        assert_int_equal(key->help[strlen(key->help) - 1], '.');
        snprintf(row, sizeof(row), "\n| `%s%s` | ", key->name, key->flags & KEY_PREFIX ? "NAME" : "");
        if (!strstr(text, row))
            fail_msg("the reference has no row for %s", key->name);
    }
    free(text);
}

/* Whether a section of the key's kind has it in that source. */
static bool has_key(const struct source *source, const struct key *key)
{
    for (size_t i = 0; i < source->count; i++)
        for (size_t j = 0; j < source->sections[i].count; j++)
            if (source->sections[i].entries[j].key == key && source->sections[i].kind == key->kind)
                return true;
    return false;
}

static void every_key_stands_in_the_example_that_shows_all(void **state)
{
    (void)state;
    struct problems problems = {0};
    struct source source = {.problems = &problems};
    struct draft draft;
    char *text;
    size_t len;
    unsetenv("LB_CERTS");
    assert_null(files_take(EVERY_KEY, FILES_INI_MAX, &text, &len));
    source_read(&source, "every-key.ini", slice_make(text, len));
    draft_build(&draft, &source, false);
    check_settings(&draft, &source, &problems);
    for (size_t i = 0; i < problems.count; i++)
        print_error("every-key.ini:%u: %s\n", problems.list[i].line, problems.list[i].text);
    assert_int_equal(problems.count, 0);
    for (const struct key *key = keys; key->name; key++)
        if (!has_key(&source, key))
            fail_msg("'%s' of %s does not stand in every-key.ini", key->name, keys_heading(key->kind));
    draft_release(&draft);
    config_destroy(draft.config);
    source_free(&source);
    problems_free(&problems);
    free(text);
}

static void loads_without_a_word(const char *path)
{
    struct problems problems = {0};
    char line[1024];
    unsetenv("LB_CERTS");
    assert_int_equal(system("certs/make-dev-certs >/dev/null"), 0);
    struct config *config = config_load(&path, 1, &problems);
    for (size_t i = 0; i < problems.count; i++) {
        problems_format(&problems, i, line, sizeof(line));
        print_error("%s\n", line);
    }
    assert_non_null(config);
    assert_int_equal(problems.count, 0);
    config_drop(config);
    problems_free(&problems);
}

static void the_example_with_every_key_loads(void **state)
{
    (void)state;
    loads_without_a_word(EVERY_KEY);
}

static void the_demonstration_loads(void **state)
{
    (void)state;
    loads_without_a_word("conf.d");
}

static int start(void **state)
{
    (void)state;
    return tls_library_start() ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    tls_library_stop();
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_of_the_table_is_a_value_of_its_key),
        cmocka_unit_test(every_key_has_help_and_a_row_in_the_reference),
        cmocka_unit_test(every_key_stands_in_the_example_that_shows_all),
        cmocka_unit_test(the_example_with_every_key_loads),
        cmocka_unit_test(the_demonstration_loads),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
