/* Which entries of which folders decide where a path leads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lb/run/trail.h"

static char *folder; /* of the test, without links */

static int setup(void **state)
{
    char name[] = "/tmp/lb-trail-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(name));
    folder = realpath(name, NULL);
    return chdir(folder);
}

static int teardown(void **state)
{
    char command[512];
    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    free(folder);
    return chdir("/") || system(command);
}

static void make_file(const char *name)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fclose(file);
}

static void make_folder(const char *name)
{
    assert_int_equal(mkdir(name, 0700), 0);
}

static void make_link(const char *target, const char *name)
{
    assert_int_equal(symlink(target, name), 0);
}

/* Does the trail have exactly this step below the test's folder? */
static bool steps_on(const struct trail *trail, const char *below, const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s%s%s", folder, *below ? "/" : "", below);
    for (size_t i = 0; i < trail->count; i++)
        if (strcmp(trail->steps[i].folder, path) == 0 && trail->steps[i].name &&
            strcmp(trail->steps[i].name, name) == 0)
            return true;
    return false;
}

static size_t steps_below(const struct trail *trail)
{
    size_t count = 0;
    for (size_t i = 0; i < trail->count; i++)
        count += strncmp(trail->steps[i].folder, folder, strlen(folder)) == 0;
    return count;
}

static void ends_at(char *end, const char *below)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, below);
    assert_non_null(end);
    assert_string_equal(end, path);
    free(end);
}

static void links_that_go_round_end_without_a_file(void **state)
{
    struct trail trail = {0};
    (void)state;
    make_link("b", "a");
    make_link("a", "b");
    assert_null(trail_add(&trail, "a"));
    assert_true(steps_on(&trail, "", "a"));
    assert_true(steps_on(&trail, "", "b"));
    trail_free(&trail);
}

static void a_link_that_grows_with_each_step_ends_too(void **state)
{
    struct trail trail = {0};
    (void)state;
    make_link("grow/and/grow/and/grow/and/grow", "grow");
    assert_null(trail_add(&trail, "grow"));
    trail_free(&trail);
}

static void the_first_missing_entry_is_part_of_the_trail_and_the_last(void **state)
{
    struct trail trail = {0};
    (void)state;
    make_folder("here");
    assert_null(trail_add(&trail, "here/missing/deep/file"));
    assert_true(steps_on(&trail, "", "here"));
    assert_true(steps_on(&trail, "here", "missing"));
    assert_int_equal(steps_below(&trail), 2);
    trail_free(&trail);
}

static void a_path_through_a_file_leads_nowhere(void **state)
{
    struct trail trail = {0};
    (void)state;
    make_file("file");
    assert_null(trail_add(&trail, "file/below"));
    assert_true(steps_on(&trail, "", "file"));
    trail_free(&trail);
}

static void a_dangling_link_is_followed_to_where_its_target_will_be(void **state)
{
    struct trail trail = {0};
    (void)state;
    make_folder("later");
    make_link("later/file", "link");
    assert_null(trail_add(&trail, "link"));
    assert_true(steps_on(&trail, "", "link"));
    assert_true(steps_on(&trail, "", "later"));
    assert_true(steps_on(&trail, "later", "file"));
    trail_free(&trail);
}

static void an_empty_path_is_the_working_directory(void **state)
{
    struct trail trail = {0};
    (void)state;
    char *end = trail_add(&trail, "");
    assert_string_equal(end, folder);
    assert_int_equal(trail.count, 0);
    free(end);
    trail_free(&trail);
}

static void every_folder_above_an_absolute_path_has_its_step(void **state)
{
    struct trail trail = {0};
    char path[512];
    (void)state;
    make_folder("a");
    make_folder("a/b");
    make_file("a/b/file");
    snprintf(path, sizeof(path), "%s/a//b/./file", folder);
    ends_at(trail_add(&trail, path), "a/b/file");
    assert_string_equal(trail.steps[0].folder, "/");
    assert_string_equal(trail.steps[0].name, "tmp");
    assert_string_equal(trail.steps[1].folder, "/tmp");
    assert_true(steps_on(&trail, "", "a"));
    assert_true(steps_on(&trail, "a", "b"));
    assert_true(steps_on(&trail, "a/b", "file"));
    assert_int_equal(trail.count, 5);
    trail_free(&trail);
}

static void a_volume_whose_data_link_is_swapped_has_a_step_for_each_link(void **state)
{
    struct trail trail = {0};
    (void)state;
    make_folder("volume");
    make_folder("volume/..2026_01");
    make_file("volume/..2026_01/tls.crt");
    make_link("..2026_01", "volume/..data");
    make_link("..data/tls.crt", "volume/tls.crt");
    ends_at(trail_add(&trail, "volume/tls.crt"), "volume/..2026_01/tls.crt");
    assert_true(steps_on(&trail, "volume", "tls.crt"));
    assert_true(steps_on(&trail, "volume", "..data"));
    assert_true(steps_on(&trail, "volume", "..2026_01"));
    assert_true(steps_on(&trail, "volume/..2026_01", "tls.crt"));
    trail_free(&trail);
}

static void relative_links_count_from_the_folder_they_lie_in(void **state)
{
    struct trail trail = {0};
    (void)state;
    make_folder("a");
    make_folder("a/b");
    make_folder("c");
    make_file("c/file");
    make_link("../../c", "a/b/link");
    make_link("b/link", "a/through");
    ends_at(trail_add(&trail, "a/through/file"), "c/file");
    assert_true(steps_on(&trail, "a", "through"));
    assert_true(steps_on(&trail, "a/b", "link"));
    assert_true(steps_on(&trail, "c", "file"));
    trail_free(&trail);
}

static void dots_after_a_link_count_from_what_it_points_to(void **state)
{
    struct trail trail = {0};
    (void)state;
    make_folder("a");
    make_folder("a/inner");
    make_file("a/file");
    make_link("a/inner", "link");
    ends_at(trail_add(&trail, "link/../file"), "a/file");
    trail_free(&trail);
}

static void an_absolute_link_begins_at_the_root(void **state)
{
    struct trail trail = {0};
    char target[512];
    (void)state;
    make_folder("a");
    make_file("a/file");
    snprintf(target, sizeof(target), "%s/a", folder);
    make_link(target, "link");
    ends_at(trail_add(&trail, "link/file"), "a/file");
    assert_true(trail_has(&trail, "/", "tmp"));
    trail_free(&trail);
}

static void a_step_that_two_paths_share_is_there_once(void **state)
{
    struct trail trail = {0};
    (void)state;
    make_folder("a");
    make_file("a/1");
    make_file("a/2");
    ends_at(trail_add(&trail, "a/1"), "a/1");
    ends_at(trail_add(&trail, "a/2"), "a/2");
    assert_int_equal(steps_below(&trail), 3);
    trail_free(&trail);
}

static void only_the_entries_on_the_way_matter(void **state)
{
    struct trail trail = {0};
    (void)state;
    make_file("file");
    free(trail_add(&trail, "file"));
    assert_true(trail_has(&trail, folder, "file"));
    assert_true(trail_has(&trail, folder, NULL));
    assert_false(trail_has(&trail, folder, "other"));
    assert_false(trail_has(&trail, "/elsewhere", "file"));
    trail_free(&trail);
}

static void all_entries_of_a_followed_folder_matter_and_so_does_what_they_point_to(void **state)
{
    struct trail trail = {0};
    (void)state;
    make_folder("list");
    make_folder("out");
    make_file("list/one.pem");
    make_link("../out/two.pem", "list/two.pem");
    trail_add_folder(&trail, "list");
    char path[512];
    snprintf(path, sizeof(path), "%s/list", folder);
    assert_true(trail_has(&trail, path, "one.pem"));
    assert_true(trail_has(&trail, path, "not-there-yet.pem"));
    assert_true(steps_on(&trail, "out", "two.pem"));
    trail_free(&trail);
}

static void a_followed_folder_that_is_not_there_is_waited_for(void **state)
{
    struct trail trail = {0};
    (void)state;
    trail_add_folder(&trail, "list");
    assert_true(steps_on(&trail, "", "list"));
    assert_int_equal(steps_below(&trail), 1);
    trail_free(&trail);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(links_that_go_round_end_without_a_file),
        EACH(a_link_that_grows_with_each_step_ends_too),
        EACH(the_first_missing_entry_is_part_of_the_trail_and_the_last),
        EACH(a_path_through_a_file_leads_nowhere),
        EACH(a_dangling_link_is_followed_to_where_its_target_will_be),
        EACH(an_empty_path_is_the_working_directory),
        EACH(every_folder_above_an_absolute_path_has_its_step),
        EACH(a_volume_whose_data_link_is_swapped_has_a_step_for_each_link),
        EACH(relative_links_count_from_the_folder_they_lie_in),
        EACH(dots_after_a_link_count_from_what_it_points_to),
        EACH(an_absolute_link_begins_at_the_root),
        EACH(a_step_that_two_paths_share_is_there_once),
        EACH(only_the_entries_on_the_way_matter),
        EACH(all_entries_of_a_followed_folder_matter_and_so_does_what_they_point_to),
        EACH(a_followed_folder_that_is_not_there_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
