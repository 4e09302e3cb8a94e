/* The same configuration with newer files: what can serve is taken, what cannot stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lb/config/archive.h"
#include "lb/config/renew.h"
#include "lb/tls/context.h"

#define LISTENERS 12
#define APP       "[backend app]\nserver = s localhost:9001\nserver = t 127.0.0.1:9002\n"
#define GOOD      "function on_authorize(conn) return true end\n"

static struct {
    char folder[64];
    struct config *config;
    struct renewal renewal;
} world;

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void write_script(unsigned number, const char *text)
{
    char name[32];
    snprintf(name, sizeof(name), "%u.lua", number);
    write_file(name, text);
}

/* Listeners 0 to 11 have a script each, N.lua, and a page that they share. */
static void write_configuration(const char *more)
{
    FILE *file = fopen("lb.ini", "w");
    assert_non_null(file);
    for (unsigned i = 0; i < LISTENERS; i++)
        fprintf(file,
                "[listener l%u]\nbind = 127.0.0.1:%u\nprotocol = http\nbackend = app\nscript = %u.lua\n"
                "error-page = 404 page.html\n",
                i, 8000 + i, i);
    fprintf(file, "%s%s", APP, more);
    assert_int_equal(fclose(file), 0);
}

static struct config *load(void)
{
    const char *path = "lb.ini";
    struct problems problems = {0};
    struct config *config = config_load(&path, 1, &problems);
    for (size_t i = 0; i < problems.count; i++)
        print_error("%s\n", problems.list[i].text);
    problems_free(&problems);
    assert_non_null(config);
    return config;
}

static int setup(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    strcpy(world.folder, "/tmp/lb-renew-XXXXXX");
    assert_non_null(mkdtemp(world.folder));
    assert_int_equal(chdir(world.folder), 0);
    for (unsigned i = 0; i < LISTENERS; i++)
        write_script(i, GOOD);
    write_file("page.html", "old");
    write_configuration("");
    world.config = load();
    return 0;
}

static int teardown(void **state)
{
    char command[128];
    (void)state;
    renewal_release(&world.renewal);
    config_drop(world.config);
    snprintf(command, sizeof(command), "rm -rf '%s'", world.folder);
    return chdir("/") || system(command);
}

static void renew(void)
{
    renewal_release(&world.renewal);
    config_renew(world.config, &world.renewal);
}

/* The renewed configuration is the one that serves. */
static void serve_it(void)
{
    assert_non_null(world.renewal.config);
    config_drop(world.config);
    world.config = world.renewal.config;
    world.renewal.config = NULL;
}

static bool took(const char *name)
{
    for (size_t i = 0; i < world.renewal.taken_count; i++)
        if (strcmp(world.renewal.taken[i], name) == 0)
            return true;
    return false;
}

static void nothing_is_taken(void)
{
    assert_null(world.renewal.config);
    assert_int_equal(world.renewal.taken_count, 0);
}

static const char *script_of_config(const struct config *config, const char *name)
{
    const struct archived *file = archive_find(config->archive, ARCHIVE_SCRIPT, name);
    return file && file->data ? file->data : "none";
}

static void a_broken_script_is_refused_with_its_line(void **state)
{
    (void)state;
    write_script(3, "\nbroken(\n");
    renew();
    nothing_is_taken();
    assert_int_equal(world.renewal.refused_count, 1);
    assert_int_equal(world.renewal.refused.errors, 1);
    assert_string_equal(world.renewal.refused.list[0].file, "3.lua");
    assert_true(world.renewal.refused.list[0].line > 0);
}

static void a_file_that_is_gone_is_refused_with_a_warning(void **state)
{
    (void)state;
    assert_int_equal(unlink("page.html"), 0);
    assert_int_equal(unlink("4.lua"), 0);
    renew();
    nothing_is_taken();
    assert_int_equal(world.renewal.refused_count, 2);
    assert_int_equal(world.renewal.refused.count, 2);
    assert_int_equal(world.renewal.refused.errors, 0);
}

static void the_broken_ones_of_many_do_not_hold_up_the_others(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LISTENERS; i++)
        write_script(i, i % 5 == 2 ? "broken(\n" : GOOD "-- newer\n");
    write_file("page.html", "newer");
    renew();
    assert_int_equal(world.renewal.refused_count, 2);
    assert_int_equal(world.renewal.taken_count, LISTENERS + 1 - 2);
    assert_true(took("page.html"));
    assert_false(took("2.lua"));
    assert_false(took("7.lua"));
    const struct config *config = world.renewal.config;
    assert_non_null(config);
    assert_string_equal(script_of_config(config, "2.lua"), GOOD);
    assert_string_equal(script_of_config(config, "3.lua"), GOOD "-- newer\n");
    assert_string_equal(config->listeners[7].http.pages[0].body, "newer");
}

static void what_was_refused_is_tried_again_and_known_again(void **state)
{
    unsigned char first[32];
    (void)state;
    write_script(0, "broken(\n");
    renew();
    memcpy(first, world.renewal.refused_digest, sizeof(first));
    write_file("page.html", "newer");
    renew();
    serve_it();
    assert_memory_equal(world.renewal.refused_digest, first, sizeof(first));
    write_script(0, "also broken(\n");
    renew();
    assert_int_equal(world.renewal.refused_count, 1);
    assert_memory_not_equal(world.renewal.refused_digest, first, sizeof(first));
    write_script(0, GOOD "-- mended\n");
    renew();
    assert_int_equal(world.renewal.refused_count, 0);
    assert_true(took("0.lua"));
}

static void without_a_change_there_is_no_other_configuration(void **state)
{
    (void)state;
    write_script(1, GOOD);
    write_file("page.html", "old");
    renew();
    nothing_is_taken();
    assert_int_equal(world.renewal.refused_count, 0);
}

static void the_text_that_was_loaded_last_is_what_counts(void **state)
{
    (void)state;
    write_configuration("[backend more]\nserver = s 127.0.0.1:1\n");
    write_file("page.html", "newer");
    renew();
    assert_non_null(world.renewal.config);
    assert_int_equal(world.renewal.config->backend_count, 1);
    assert_int_equal(world.renewal.taken_count, 1);
    assert_int_equal(unlink("lb.ini"), 0);
    serve_it();
    write_file("page.html", "newest");
    renew();
    assert_non_null(world.renewal.config);
}

static void the_addresses_of_servers_are_those_that_were_found_at_load(void **state)
{
    (void)state;
    struct member *member = &world.config->backends[0].members[0];
    const char *why;
    assert_true(addr_parse("192.0.2.7:9001", &member->addr, &why)); /* no resolver says this of localhost */
    write_file("page.html", "newer");
    renew();
    assert_non_null(world.renewal.config);
    const struct member *members = world.renewal.config->backends[0].members;
    assert_true(members[0].resolved);
    assert_true(addr_equal(&members[0].addr, &member->addr));
    assert_true(members[1].resolved);
}

static void a_module_goes_with_the_script_that_requires_it(void **state)
{
    (void)state;
    write_file("rules.lua", "return 1\n");
    write_script(5, "require('rules')\n" GOOD);
    renew();
    serve_it();
    write_file("rules.lua", "broken(\n");
    write_script(5, "require('rules')\n" GOOD "-- newer\n");
    write_script(6, GOOD "-- newer\n");
    renew();
    assert_int_equal(world.renewal.refused_count, 1);
    assert_int_equal(world.renewal.taken_count, 1);
    assert_true(took("6.lua"));
    assert_string_equal(script_of_config(world.renewal.config, "./rules.lua"), "return 1\n");
    assert_string_equal(script_of_config(world.renewal.config, "5.lua"), "require('rules')\n" GOOD);
}

static void a_module_that_is_missing_is_among_what_was_looked_at(void **state)
{
    (void)state;
    write_script(5, "require('later')\n" GOOD);
    renew();
    assert_int_equal(world.renewal.refused_count, 1);
    assert_non_null(archive_find(world.renewal.seen, ARCHIVE_SCRIPT, "./later.lua"));
}

static void what_no_script_requires_any_more_is_not_kept(void **state)
{
    (void)state;
    write_file("rules.lua", "return 1\n");
    write_script(5, "require('rules')\n" GOOD);
    renew();
    serve_it();
    assert_non_null(archive_find(world.config->archive, ARCHIVE_SCRIPT, "./rules.lua"));
    write_script(5, GOOD "-- alone\n");
    renew();
    serve_it();
    assert_null(archive_find(world.config->archive, ARCHIVE_SCRIPT, "./rules.lua"));
}

static void the_digest_of_the_configuration_tells_whether_it_is_loaded(void **state)
{
    unsigned char loaded[32], now[32];
    const char *path = "lb.ini";
    (void)state;
    config_digest(world.config, loaded);
    config_digest_now(&path, 1, now);
    assert_memory_equal(loaded, now, sizeof(now));
    write_configuration("# more\n");
    config_digest_now(&path, 1, now);
    assert_memory_not_equal(loaded, now, sizeof(now));
    assert_int_equal(unlink("lb.ini"), 0);
    config_digest_now(&path, 1, now);
    assert_memory_not_equal(loaded, now, sizeof(now));
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(a_broken_script_is_refused_with_its_line),
        EACH(a_file_that_is_gone_is_refused_with_a_warning),
        EACH(the_broken_ones_of_many_do_not_hold_up_the_others),
        EACH(what_was_refused_is_tried_again_and_known_again),
        EACH(without_a_change_there_is_no_other_configuration),
        EACH(the_text_that_was_loaded_last_is_what_counts),
        EACH(the_addresses_of_servers_are_those_that_were_found_at_load),
        EACH(a_module_goes_with_the_script_that_requires_it),
        EACH(a_module_that_is_missing_is_among_what_was_looked_at),
        EACH(what_no_script_requires_any_more_is_not_kept),
        EACH(the_digest_of_the_configuration_tells_whether_it_is_loaded),
    };
    if (!tls_library_start())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
