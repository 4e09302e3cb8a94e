/* Running a table of configurations that are refused, or warned of, for what the user is told. */
#ifndef TEST_CONFIG_REFUSALS_H
#define TEST_CONFIG_REFUSALS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lb/config/config.h"
#include "lb/tls/context.h"

struct refusal {
    const char *sentence;
    const char *ini;
    /* "line: beginning of the text", several separated by newlines, in the order told; nothing else may be
     * told. */
    const char *expected;
};

static char folder[] = "/tmp/lb-test-XXXXXX";

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* The problems of loading `path` as "line: text" without the file's name, in order. */
static void load(const char *path, char *out, size_t size)
{
    struct problems problems = {0};
    struct config *config = config_load(&path, 1, &problems);
    char line[1024];
    out[0] = '\0';
    assert_true(!config == (problems.errors > 0));
    for (size_t i = 0; i < problems.count; i++) {
        problems_format(&problems, i, line, sizeof(line));
        const char *text = strncmp(line, "t.ini:", 6) == 0 ? line + 6 : line;
        snprintf(out + strlen(out), size - strlen(out), "%s\n", text);
    }
    config_drop(config);
    problems_free(&problems);
}

/* Each line of `told` begins with the line of `expected` in the same place, and none is left over. */
static bool agrees(const char *told, const char *expected)
{
    while (*expected) {
        size_t len = strcspn(expected, "\n");
        if (strncmp(told, expected, len) != 0)
            return false;
        told += strcspn(told, "\n");
        told += *told == '\n';
        expected += len;
        expected += *expected == '\n';
    }
    return *told == '\0';
}

static void is_refused(void **state)
{
    const struct refusal *refusal = *state;
    char told[8192];
    write_file("t.ini", refusal->ini);
    load("t.ini", told, sizeof(told));
    if (agrees(told, refusal->expected))
        return;
    print_error("expected:\n%s\ntold:\n%s", refusal->expected, told);
    fail();
}

static int make_files(void **state)
{
    (void)state;
    if (!tls_library_start() || !mkdtemp(folder) || chdir(folder) != 0)
        return -1;
    write_file("empty.pem", "");
    write_file("page.html", "<p>no");
    write_file("huge.pem", "");
    write_file("broken.lua", "\nfunction on_authorize(conn\n");
    write_file("idle.lua", "local idle = true\n");
    write_file("allow.lua", "function on_authorize(conn) return true end\n");
    if (mkdir("empty.d", 0700) != 0)
        return -1;
    if (truncate("huge.pem", (16 << 20) + 1) != 0)
        return -1;
    return system(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 300 -subj /CN=localhost "
        "-keyout server.key -out server.pem 2>openssl.txt && cp server.pem ca.pem && openssl genpkey "
        "-algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.key");
}

static int remove_files(void **state)
{
    char command[64];
    (void)state;
    tls_library_stop();
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return chdir("/") != 0 || system(command);
}

/* Each row is a test named after its sentence; main() returns this. `prepare` makes the files. */
static inline int run_refusals_after(CMFixtureFunction prepare, const struct refusal *refusals, size_t count)
{
    struct CMUnitTest *tests = calloc(count, sizeof(*tests));
    if (!tests)
        return 1;
    for (size_t i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){.name = refusals[i].sentence,
                                       .test_func = is_refused,
                                       .initial_state = (void *)(uintptr_t)&refusals[i]};
    int failed = _cmocka_run_group_tests("refusals", tests, count, prepare, remove_files);
    free(tests);
    return failed;
}

static inline int run_refusals(const struct refusal *refusals, size_t count)
{
    return run_refusals_after(make_files, refusals, count);
}

#endif
