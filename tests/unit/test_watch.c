/* Changed files are told of, however they were changed, and nothing else is. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lb/run/watch.h"

#define PATIENCE_MS 10000

static struct {
    char folder[64];
    uv_loop_t loop;
    uv_timer_t timer;
    struct log_sink *sink;
    struct watch *watch;
    struct watch_set set;
    unsigned told;
    bool over;
} world;

static void count(void *owner)
{
    assert_ptr_equal(owner, &world);
    world.told++;
}

static void on_over(uv_timer_t *timer)
{
    (void)timer;
    world.over = true;
}

static void start_watch(void)
{
    const char *why = "";
    world.sink = log_open("log", LOG_TEXT, LOG_DEBUG, &why);
    assert_non_null(world.sink);
    world.watch = watch_new(&world.loop, log_attach(world.sink), count, &world);
}

static int setup(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    strcpy(world.folder, "/tmp/lb-watch-XXXXXX");
    assert_non_null(mkdtemp(world.folder));
    assert_int_equal(chdir(world.folder), 0);
    assert_int_equal(mkdir("logs", 0700), 0);
    uv_loop_init(&world.loop);
    uv_timer_init(&world.loop, &world.timer);
    start_watch();
    return 0;
}

static int teardown(void **state)
{
    char command[128];
    (void)state;
    watch_close(world.watch);
    uv_close((uv_handle_t *)&world.timer, NULL);
    uv_run(&world.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world.loop), 0);
    watch_set_free(&world.set);
    log_close(world.sink);
    snprintf(command, sizeof(command), "rm -rf '%s'", world.folder);
    return chdir("/") || system(command);
}

/* Lets the loop run until it was told so often, at most so long. */
static void run_until(unsigned told, uint64_t limit_ms)
{
    world.over = false;
    uv_update_time(&world.loop);
    uv_timer_start(&world.timer, on_over, limit_ms, 0);
    while (world.told < told && !world.over)
        uv_run(&world.loop, UV_RUN_ONCE);
    uv_timer_stop(&world.timer);
}

static void is_told(void)
{
    unsigned before = world.told;
    run_until(before + 1, PATIENCE_MS);
    assert_int_equal(world.told, before + 1);
}

/* A change that must be told of follows what must not: if both were told of, it would be twice. */
static void is_not_told(void)
{
    unsigned before = world.told;
    run_until(before + 1, 3 * WATCH_QUIET_MS);
    assert_int_equal(world.told, before);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void replace_file(const char *name, const char *text)
{
    write_file("new", text);
    assert_int_equal(rename("new", name), 0);
}

static void replace_link(const char *target, const char *name)
{
    assert_int_equal(symlink(target, "new"), 0);
    assert_int_equal(rename("new", name), 0);
}

static void follow(const char *path, bool folder)
{
    watch_set_add(&world.set, path, folder);
    watch_follow(world.watch, &world.set);
    is_told(); /* that it is new */
}

static void what_is_followed_already_is_not_told_of_again(void **state)
{
    (void)state;
    write_file("a", "1");
    follow("a", false);
    watch_follow(world.watch, &world.set);
    is_not_told();
}

static void other_files_of_the_same_folder_are_not_told_of(void **state)
{
    (void)state;
    write_file("a", "1");
    follow("a", false);
    write_file("b", "1");
    assert_int_equal(unlink("b"), 0);
    is_not_told();
}

static void a_file_that_is_no_longer_followed_is_not_told_of(void **state)
{
    struct watch_set none = {0};
    (void)state;
    write_file("a", "1");
    follow("a", false);
    watch_follow(world.watch, &none);
    write_file("a", "2");
    is_not_told();
}

static void a_file_that_is_only_read_is_not_told_of(void **state)
{
    char byte;
    (void)state;
    write_file("a", "1");
    follow("a", false);
    int fd = open("a", O_RDONLY);
    assert_int_equal(read(fd, &byte, 1), 1);
    close(fd);
    is_not_told();
}

static void a_link_that_is_swapped_for_one_to_the_same_file_is_not_told_of(void **state)
{
    (void)state;
    write_file("a", "1");
    assert_int_equal(symlink("a", "link"), 0);
    follow("link", false);
    replace_link("./a", "link");
    is_not_told();
}

static void a_file_written_in_place_is_told_of(void **state)
{
    (void)state;
    write_file("a", "1");
    follow("a", false);
    write_file("a", "2");
    is_told();
}

static void a_file_that_a_rename_replaces_is_told_of_each_time(void **state)
{
    (void)state;
    write_file("a", "1");
    follow("a", false);
    for (int i = 0; i < 3; i++) {
        replace_file("a", "2");
        is_told();
    }
}

static void a_file_that_may_be_read_again_is_told_of(void **state)
{
    (void)state;
    write_file("a", "1");
    assert_int_equal(chmod("a", 0), 0);
    follow("a", false);
    assert_int_equal(chmod("a", 0600), 0);
    is_told();
}

static void a_file_that_is_deleted_and_made_again_is_told_of_twice(void **state)
{
    (void)state;
    write_file("a", "1");
    follow("a", false);
    assert_int_equal(unlink("a"), 0);
    is_told();
    write_file("a", "1");
    is_told();
}

static void a_volume_whose_data_link_is_swapped_is_told_of_each_time(void **state)
{
    char name[64], link[64];
    (void)state;
    assert_int_equal(mkdir("..1", 0700), 0);
    write_file("..1/tls.crt", "1");
    assert_int_equal(symlink("..1", "..data"), 0);
    assert_int_equal(symlink("..data/tls.crt", "tls.crt"), 0);
    follow("tls.crt", false);
    for (int i = 2; i < 5; i++) {
        snprintf(link, sizeof(link), "..%d", i);
        assert_int_equal(mkdir(link, 0700), 0);
        snprintf(name, sizeof(name), "..%d/tls.crt", i);
        write_file(name, "1");
        replace_link(link, "..data");
        is_told();
    }
    write_file("..4/tls.crt", "2");
    is_told();
}

static void a_link_far_above_the_file_is_watched(void **state)
{
    (void)state;
    for (int i = 1; i < 3; i++) {
        char command[128];
        snprintf(command, sizeof(command), "mkdir -p v%d/a/b && echo %d > v%d/a/b/file", i, i, i);
        assert_int_equal(system(command), 0);
    }
    assert_int_equal(symlink("v1", "current"), 0);
    follow("current/a/b/file", false);
    replace_link("v2", "current");
    is_told();
}

static void a_folder_that_is_deleted_and_made_again_is_watched_again(void **state)
{
    (void)state;
    assert_int_equal(system("mkdir -p x/y && echo 1 > x/y/file"), 0);
    follow("x/y/file", false);
    assert_int_equal(system("rm -r x"), 0);
    is_told();
    assert_int_equal(system("mkdir -p x/y && echo 2 > x/y/file"), 0);
    is_told();
    write_file("x/y/file", "3");
    is_told();
}

/* The new folder may well have the old one's inode. */
static void a_folder_that_is_made_again_before_anybody_looks_is_watched_again(void **state)
{
    (void)state;
    assert_int_equal(system("mkdir x && echo 1 > x/file"), 0);
    follow("x/file", false);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(system("rm -r x && mkdir x && echo 22 > x/file"), 0);
        is_told();
        write_file("x/file", i % 2 ? "333" : "4444");
        is_told();
    }
}

static void a_folder_that_another_one_replaces_is_told_of(void **state)
{
    (void)state;
    assert_int_equal(system("mkdir x y && echo 1 > x/file && echo 2 > y/file"), 0);
    follow("x/file", false);
    assert_int_equal(system("mv x gone && mv y x"), 0);
    is_told();
    write_file("x/file", "3");
    is_told();
}

static void a_file_that_comes_to_a_followed_folder_is_told_of(void **state)
{
    (void)state;
    assert_int_equal(mkdir("list", 0700), 0);
    write_file("list/one", "1");
    follow("list", true);
    write_file("list/two", "2");
    is_told();
    write_file("list/one", "3");
    is_told();
    assert_int_equal(unlink("list/one"), 0);
    is_told();
}

static void a_hidden_file_in_a_followed_folder_is_not_told_of(void **state)
{
    (void)state;
    assert_int_equal(mkdir("list", 0700), 0);
    follow("list", true);
    write_file("list/.hidden", "1");
    is_not_told();
}

static void many_changes_in_a_row_are_told_of_once(void **state)
{
    (void)state;
    write_file("a", "1");
    follow("a", false);
    for (int i = 0; i < 20; i++)
        replace_file("a", "2");
    is_told();
    is_not_told();
}

static void on_write_on(uv_timer_t *timer)
{
    (void)timer;
    write_file("a", "more");
}

static void changes_without_a_pause_are_told_of_all_the_same(void **state)
{
    uv_timer_t often;
    (void)state;
    write_file("a", "1");
    follow("a", false);
    uv_timer_init(&world.loop, &often);
    uv_timer_start(&often, on_write_on, 0, WATCH_QUIET_MS / 4);
    unsigned before = world.told;
    run_until(before + 1, PATIENCE_MS);
    uv_close((uv_handle_t *)&often, NULL);
    assert_int_equal(world.told, before + 1);
    uv_run(&world.loop, UV_RUN_NOWAIT);
}

static unsigned count_warnings(void)
{
    char line[1024];
    unsigned count = 0;
    log_close(world.sink);
    FILE *file = fopen("log", "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file))
        count += strstr(line, "WARNING") && strstr(line, "cannot watch");
    fclose(file);
    const char *why = "";
    world.sink = log_open("log", LOG_TEXT, LOG_DEBUG, &why);
    return count;
}

static void without_descriptors_for_it_files_are_looked_at_by_the_clock_and_that_is_said_once(void **state)
{
    struct rlimit before, none;
    (void)state;
    write_file("a", "1");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = open("a", O_RDONLY);
    close(next);
    none = (struct rlimit){(rlim_t)next, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    watch_set_add(&world.set, "a", false);
    watch_follow(world.watch, &world.set);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    is_told();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(truncate("a", 5 + i), 0);
        is_told();
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    watch_close(world.watch);
    world.watch = NULL;
    assert_int_equal(count_warnings(), 1);
}

static void what_could_not_be_watched_is_watched_once_it_can_be(void **state)
{
    struct rlimit before, none;
    (void)state;
    write_file("a", "1");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = open("a", O_RDONLY);
    close(next);
    none = (struct rlimit){(rlim_t)next, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    watch_set_add(&world.set, "a", false);
    watch_follow(world.watch, &world.set);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    is_told();
    write_file("a", "2");
    uint64_t start = uv_hrtime();
    is_told();
    assert_true(uv_hrtime() - start < (uint64_t)WATCH_POLL_MS * 1000000 / 2);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(what_is_followed_already_is_not_told_of_again),
        EACH(other_files_of_the_same_folder_are_not_told_of),
        EACH(a_file_that_is_no_longer_followed_is_not_told_of),
        EACH(a_file_that_is_only_read_is_not_told_of),
        EACH(a_link_that_is_swapped_for_one_to_the_same_file_is_not_told_of),
        EACH(a_file_written_in_place_is_told_of),
        EACH(a_file_that_a_rename_replaces_is_told_of_each_time),
        EACH(a_file_that_may_be_read_again_is_told_of),
        EACH(a_file_that_is_deleted_and_made_again_is_told_of_twice),
        EACH(a_volume_whose_data_link_is_swapped_is_told_of_each_time),
        EACH(a_link_far_above_the_file_is_watched),
        EACH(a_folder_that_is_deleted_and_made_again_is_watched_again),
        EACH(a_folder_that_is_made_again_before_anybody_looks_is_watched_again),
        EACH(a_folder_that_another_one_replaces_is_told_of),
        EACH(a_file_that_comes_to_a_followed_folder_is_told_of),
        EACH(a_hidden_file_in_a_followed_folder_is_not_told_of),
        EACH(many_changes_in_a_row_are_told_of_once),
        EACH(changes_without_a_pause_are_told_of_all_the_same),
        EACH(without_descriptors_for_it_files_are_looked_at_by_the_clock_and_that_is_said_once),
        EACH(what_could_not_be_watched_is_watched_once_it_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
