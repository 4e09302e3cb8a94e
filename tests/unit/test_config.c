/* A configuration that is accepted, its defaults, and what loading promises as a whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lb/config/build.h"
#include "lb/config/config.h"
#include "lb/tls/context.h"

#define APP   "[backend app]\nserver = s 127.0.0.1:9001\n"
#define PLAIN "[listener a]\nbind = 127.0.0.1:8080\nbackend = app\n" APP

static char folder[] = "/tmp/lb-test-XXXXXX", told[16384];

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* Loads and keeps what is told in `told`. */
static struct config *load_paths(const char *const *paths, size_t count)
{
    struct problems problems = {0};
    struct config *config = config_load(paths, count, &problems);
    told[0] = '\0';
    for (size_t i = 0; i < problems.count; i++) {
        size_t len = strlen(told);
        problems_format(&problems, i, told + len, sizeof(told) - len - 1);
        strcat(told, "\n");
    }
    problems_free(&problems);
    return config;
}

static struct config *load(const char *path)
{
    return load_paths(&path, 1);
}

static struct config *accepted(const char *ini)
{
    write_file("t.ini", ini);
    struct config *config = load("t.ini");
    if (!config)
        print_error("%s", told);
    assert_non_null(config);
    return config;
}

static void tells(const char *fragment)
{
    if (strstr(told, fragment))
        return;
    print_error("expected: %s\ntold:\n%s", fragment, told);
    fail();
}

static void refuses_path(const char *path, const char *expected)
{
    struct config *config = load(path);
    assert_null(config);
    assert_string_equal(told, expected);
}

static void a_path_that_is_not_there_is_refused_with_the_absolute_path(void **state)
{
    (void)state;
    char text[512];
    snprintf(text, sizeof(text), "cannot read the configuration %s/none: No such file or directory\n",
             folder);
    refuses_path("none", text);
    refuses_path("/none/none", "cannot read the configuration /none/none: No such file or directory\n");
}

static void a_folder_without_ini_files_is_refused_with_the_absolute_path(void **state)
{
    (void)state;
    char text[512];
    assert_int_equal(mkdir("empty", 0700), 0);
    write_file("empty/.hidden.ini", "nonsense");
    write_file("empty/a.ini.bak", "nonsense");
    write_file("empty/.ini", "nonsense");
    snprintf(text, sizeof(text), "cannot read the configuration folder %s/empty: it holds no *.ini file\n",
             folder);
    refuses_path("empty", text);
}

static void a_folder_named_like_a_file_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir("odd", 0700) | mkdir("odd/a.ini", 0700), 0);
    assert_null(load("odd/"));
    tells("odd/a.ini: cannot read the configuration /");
    tells("/odd/a.ini: it is a folder, not a file\n");
}

static void a_fifo_does_not_hold_up_the_load(void **state)
{
    (void)state;
    assert_int_equal(mkfifo("fifo.ini", 0600), 0);
    assert_null(load("fifo.ini"));
    tells("/fifo.ini: it is no regular file\n");
}

static void all_problems_of_all_files_are_told_at_once_by_place(void **state)
{
    (void)state;
    assert_int_equal(mkdir("all", 0700), 0);
    write_file("all/10.ini",
               "[global]\nworkers = many\n[listener a]\nbind = *:0\ntls = mutual\nbackend = b\n");
    write_file(
        "all/20.ini",
        "[listener a]\n[oops]\n[backend app]\nserver = s 127.0.0.1:1 weight=x\nretries = ${NO_SUCH}\n");
    assert_null(load("all"));
    assert_string_equal(
        told,
        "all/10.ini:2: workers = many: write auto, or a number from 1 to 256\n"
        "all/10.ini:3: [listener a]: tls = mutual needs 'certificate = CHAIN.pem KEY.pem'\n"
        "all/10.ini:3: [listener a]: tls = mutual needs 'client-ca = FILE.pem' with the CAs that issue the "
        "clients' certificates\n"
        "all/10.ini:4: bind = *:0: the port must be 1 to 65535, in digits without leading zero\n"
        "all/10.ini:6: there is no [backend b]: add it, or name another\n"
        "all/20.ini:1: [listener a] is already at all/10.ini:3: merge the two, or rename one\n"
        "all/20.ini:2: unknown section [oops]; there are [global], [defaults], [listener NAME], [backend "
        "NAME] "
        "and [certificate NAME]\n"
        "all/20.ini:3: warning: [backend app] is used by no listener\n"
        "all/20.ini:4: weight = x: write a whole number in decimal digits\n"
        "all/20.ini:5: the environment variable NO_SUCH is not set: set it, or write ${NO_SUCH:-default}\n");
}

static void what_was_told_before_the_load_does_not_refuse_it(void **state)
{
    (void)state;
    struct problems problems = {0};
    const char *path = "t.ini";
    write_file(path, PLAIN);
    problems_add(&problems, (struct place){0}, "of another time");
    struct config *config = config_load(&path, 1, &problems);
    assert_non_null(config);
    config_drop(config);
    problems_free(&problems);
}

static void a_wrong_default_is_told_once(void **state)
{
    (void)state;
    write_file("t.ini", "[defaults]\ntimeout-idle = 5\n" PLAIN "[listener b]\nbind = *:81\nbackend = app\n");
    assert_null(load("t.ini"));
    assert_string_equal(
        told, "t.ini:2: timeout-idle = 5: write a duration with its unit: 250ms, 10s, 5m, 2h or 1d\n");
}

static void an_unresolvable_server_is_a_warning(void **state)
{
    (void)state;
    struct config *config = accepted(PLAIN "server = t no-such-host.invalid:80\n");
    tells("t.ini:6: warning: server t: no-such-host.invalid:80 cannot be looked up (");
    assert_false(config->backends[0].members[1].resolved);
    assert_true(config->backends[0].members[0].resolved);
    config_drop(config);
}

static void an_unused_backend_is_a_warning_unless_a_script_may_choose_it(void **state)
{
    (void)state;
    config_drop(accepted(PLAIN "[backend spare]\nserver = s 127.0.0.1:9002\n"));
    assert_string_equal(told, "t.ini:6: warning: [backend spare] is used by no listener\n");
    config_drop(accepted("[backend spare]\nserver = s 127.0.0.1:9002\n[listener a]\nbind = *:80\nbackend = "
                         "app\nscript = allow.lua\n" APP));
    assert_string_equal(told, "");
}

static void files_of_a_folder_are_read_in_byte_order(void **state)
{
    (void)state;
    assert_int_equal(mkdir("order", 0700), 0);
    write_file("order/9.ini", APP);
    write_file("order/10.ini", "[listener x]\nbind = *:80\nbackend = app\n");
    write_file("order/B.ini", "[listener y]\nbind = *:81\nbackend = app\n");
    write_file("order/a.ini", "[listener z]\nbind = *:82\nbackend = app\n");
    struct config *config = load("order/");
    assert_non_null(config);
    assert_int_equal(config->file_count, 4);
    static const char *const files[] = {"order/10.ini", "order/9.ini", "order/B.ini", "order/a.ini"};
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(config->files[i], files[i]);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(config->listeners[i].name[0], 'x' + (int)i);
    assert_string_equal(config->listeners[1].place.file, "order/B.ini");
    config_drop(config);
}

static void several_paths_are_read_in_the_order_given(void **state)
{
    (void)state;
    write_file("z.ini", "[listener z]\nbind = *:80\nbackend = app\n");
    write_file("y.ini", "[listener y]\nbind = *:81\nbackend = app\n" APP);
    struct config *config = load_paths((const char *const[]){"z.ini", "y.ini"}, 2);
    assert_non_null(config);
    assert_string_equal(config->listeners[0].name, "z");
    assert_ptr_equal(config->listeners[0].backend, &config->backends[0]);
    config_drop(config);
}

static void what_is_not_set_has_the_defaults_of_the_table(void **state)
{
    (void)state;
    struct config *config = accepted(PLAIN);
    const struct listener *a = &config->listeners[0];
    const struct backend *app = &config->backends[0];
    assert_true(config->workers >= 1 && config->workers <= 256);
    assert_int_equal(config->max_connections, 0);
    assert_int_equal(config->shutdown_timeout_ms, 30000);
    assert_int_equal(config->drain_spread_ms, 10000);
    assert_null(config->admin);
    assert_string_equal(config->log_target, "stdout");
    assert_int_equal(config->log_format, LOG_TEXT);
    assert_int_equal(config->log_level, LOG_INFO);
    assert_int_equal(a->protocol, PROTOCOL_TCP);
    assert_int_equal(a->tls.mode, TLS_OFF);
    assert_int_equal(a->tls.min, TLS_1_2);
    assert_int_equal(a->tls.max, TLS_1_3);
    assert_int_equal(a->tls.verify_depth, 4);
    assert_false(a->tls.crl_required);
    assert_int_equal(a->script.cpu_ms, 50);
    assert_int_equal(a->script.timeout_ms, 2000);
    assert_int_equal(a->script.memory, 8 << 20);
    assert_int_equal(a->timeout_handshake_ms, 10000);
    assert_int_equal(a->timeout_idle_ms, 300000);
    assert_int_equal(a->timeout_half_closed_ms, 30000);
    assert_true(a->log_connections);
    assert_false(a->script.http);
    assert_null(a->tls.alpn);
    assert_string_equal(app->policy->name, "round-robin");
    assert_int_equal(app->health.kind, HEALTH_OFF);
    assert_int_equal(app->timeout_connect_ms, 5000);
    assert_int_equal(app->retries, 2);
    assert_int_equal(app->members[0].weight, 1);
    config_drop(config);
}

static void defaults_hold_for_all_files_where_the_section_does_not_say_otherwise(void **state)
{
    (void)state;
    write_file("1.ini", "[listener a]\nbind = *:80\nbackend = app\ntimeout-idle = 1m\n" APP);
    write_file("2.ini",
               "[defaults]\ntimeout-idle = 2m\ntimeout-half-closed = 3s\nretries = 0\nhealth = tcp fall=9\n");
    write_file("3.ini", "[listener b]\nbind = *:81\nbackend = app\n");
    struct config *config = load_paths((const char *const[]){"1.ini", "2.ini", "3.ini"}, 3);
    assert_non_null(config);
    assert_int_equal(config_listener(config, "a")->timeout_idle_ms, 60000);
    assert_int_equal(config_listener(config, "b")->timeout_idle_ms, 120000);
    assert_int_equal(config_listener(config, "a")->timeout_half_closed_ms, 3000);
    assert_int_equal(config->backends[0].retries, 0);
    assert_int_equal(config->backends[0].health.fall, 9);
    assert_int_equal(config->backends[0].health.interval_ms, 2000);
    config_drop(config);
}

static void a_list_of_the_section_replaces_the_one_of_defaults(void **state)
{
    (void)state;
    struct problems problems = {0};
    struct source source = {.problems = &problems};
    struct draft draft;
    static const char ini[] =
        "[defaults]\nalpn = A\nalpn = B, C\n[listener a]\n[listener b]\nalpn = D,E\nalpn = F\n";
    source_read(&source, "x.ini", SLICE_LITERAL(ini));
    draft_build(&draft, &source, false);
    assert_int_equal(problems.count, 0);
    assert_string_equal(draft.config->listeners[0].tls.alpn, "A,B,C");
    assert_string_equal(draft.config->listeners[1].tls.alpn, "D,E,F");
    draft_release(&draft);
    config_destroy(draft.config);
    source_free(&source);
    problems_free(&problems);
}

static void tls_of_defaults_needs_no_settings_in_a_listener_without_tls(void **state)
{
    (void)state;
    config_drop(accepted("[defaults]\ntls-min = 1.3\ncrl-required = yes\nscript-cpu = 1s\n" PLAIN));
    assert_string_equal(told, "");
}

static void values_come_from_the_environment(void **state)
{
    (void)state;
    setenv("LB_TEST_PORT", "8123", 1);
    unsetenv("LB_TEST_NONE");
    struct config *config =
        accepted("[listener a]\nbind = 127.0.0.1:${LB_TEST_PORT}\nbackend = ${LB_TEST_NONE:-app}\n" APP);
    assert_int_equal(addr_port(&config->listeners[0].binds[0].addr), 8123);
    assert_string_equal(config->listeners[0].binds[0].text, "127.0.0.1:8123");
    config_drop(config);
}

static void a_bind_may_be_a_list_and_be_repeated(void **state)
{
    (void)state;
    struct config *config = accepted(
        "[listener a]\nbind = 127.0.0.1:80,[::1]:80 , *:81\nbackend = app\nbind = unix:a.sock\n" APP);
    const struct listener *a = &config->listeners[0];
    static const char *const texts[] = {"127.0.0.1:80", "[::1]:80", "*:81", "unix:a.sock"};
    static const unsigned lines[] = {2, 2, 2, 4};
    assert_int_equal(a->bind_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(a->binds[i].text, texts[i]);
        assert_int_equal(a->binds[i].line, lines[i]);
    }
    assert_int_equal(a->binds[1].addr.sa.sa_family, AF_INET6);
    config_drop(config);
}

static void a_wildcard_and_an_address_of_the_same_port_are_two_binds(void **state)
{
    (void)state;
    config_drop(accepted("[listener a]\nbind = *:80, 127.0.0.1:80, [::]:80\nbackend = app\n" APP));
    assert_string_equal(told, "");
}

static void units_reach_their_fields(void **state)
{
    (void)state;
    struct config *config = accepted(
        "[global]\nshutdown-timeout = 2h\ndrain-spread = 1h\nworkers = 3\nadmin = unix:run/admin.sock\n" PLAIN
        "timeout-connect = 250ms\nretries = 0\n[listener b]\nbind = *:1\nbackend = app\n"
        "timeout-idle = 0\nlog = off\nmax-connections = 7\n");
    assert_int_equal(config->shutdown_timeout_ms, 7200000);
    assert_int_equal(config->drain_spread_ms, 3600000);
    assert_int_equal(config->workers, 3);
    assert_string_equal(config->admin, "run/admin.sock");
    assert_int_equal(config->backends[0].timeout_connect_ms, 250);
    assert_int_equal(config->listeners[1].timeout_idle_ms, 0);
    assert_int_equal(config->listeners[1].max_connections, 7);
    assert_false(config->listeners[1].log_connections);
    config_drop(config);
}

static void a_server_has_its_words(void **state)
{
    (void)state;
    struct config *config =
        accepted(PLAIN "server = b.2 [::1]:9001 max-connections=5 weight=0\nserver = c unix:/run/c.sock\n"
                       "server = d localhost:9001\nhealth = tcp timeout=500ms rise=5\n");
    const struct backend *app = &config->backends[0];
    assert_int_equal(app->member_count, 4);
    assert_string_equal(app->members[1].name, "b.2");
    assert_string_equal(app->members[1].addr_text, "[::1]:9001");
    assert_int_equal(app->members[1].max_connections, 5);
    assert_int_equal(app->members[1].weight, 0);
    assert_int_equal(app->members[2].addr.sa.sa_family, AF_UNIX);
    assert_int_equal(app->health.kind, HEALTH_TCP);
    assert_int_equal(app->health.timeout_ms, 500);
    assert_int_equal(app->health.rise, 5);
    assert_int_equal(app->health.fall, 3);
    config_drop(config);
}

static void options_and_script_reach_the_listener(void **state)
{
    (void)state;
    struct config *config =
        accepted(PLAIN "[listener b]\nbind = *:80\nbackend = app\nscript = allow.lua\noption.ou = a, b\n"
                       "option.empty =\n");
    const struct script_settings *script = &config->listeners[1].script;
    assert_string_equal(script->path, "allow.lua");
    assert_int_equal(script->option_count, 2);
    assert_string_equal(script->options[0].name, "ou");
    assert_string_equal(script->options[0].value, "a, b");
    assert_string_equal(script->options[1].value, "");
    config_drop(config);
}

static void certificates_are_read_at_load(void **state)
{
    (void)state;
    struct config *config =
        accepted(PLAIN "[listener m]\nbind = *:1\nbackend = app\ntls = mutual\n"
                       "certificate = server.pem server.key\nclient-ca = server.pem\nalpn = h2, http/1.1\n"
                       "[listener o]\nbind = *:2\nbackend = app\ntls = one-way\ncertificate = both.pem\n");
    const struct tls_settings *mutual = &config->listeners[1].tls, *one = &config->listeners[2].tls;
    assert_string_equal(mutual->pairs[0].certificate.path, "server.pem");
    assert_string_equal(mutual->pairs[0].key.path, "server.key");
    assert_int_equal(mutual->pairs[0].certificate.line, 10);
    assert_int_equal(mutual->pairs[0].key.len, strlen(mutual->pairs[0].key.data));
    assert_non_null(strstr(mutual->pairs[0].key.data, "PRIVATE KEY"));
    assert_non_null(strstr(mutual->client_ca.data, "CERTIFICATE"));
    assert_string_equal(mutual->alpn, "h2,http/1.1");
    assert_int_equal(mutual->crl_count, 0);
    assert_string_equal(one->pairs[0].key.path, "both.pem");
    assert_string_equal(one->pairs[0].key.data, one->pairs[0].certificate.data);
    config_drop(config);
}

static void listeners_and_backends_are_found_by_name(void **state)
{
    (void)state;
    struct config *config = accepted(PLAIN);
    assert_ptr_equal(config_listener(config, "a"), &config->listeners[0]);
    assert_null(config_listener(config, "b"));
    assert_ptr_equal(config_backend(config, slice_of("app")), &config->backends[0]);
    assert_null(config_backend(config, slice_make("app", 2)));
    assert_null(config_backend(config, slice_make("app\0", 4)));
    config_drop(config);
}

static void a_snapshot_lives_until_its_last_reference(void **state)
{
    (void)state;
    struct config *config = accepted(PLAIN);
    assert_ptr_equal(config_hold(config), config);
    config_drop(config);
    assert_string_equal(config->listeners[0].name, "a");
    config_drop(config);
    config_drop(NULL);
}

static int make_files(void **state)
{
    (void)state;
    if (!tls_library_start() || !mkdtemp(folder) || chdir(folder) != 0)
        return -1;
    write_file("allow.lua", "function on_authorize(conn) return true end\n");
    return system(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 300 -subj /CN=localhost "
        "-keyout server.key -out server.pem 2>openssl.txt && cat server.pem server.key >both.pem");
}

static int remove_files(void **state)
{
    char command[64];
    (void)state;
    tls_library_stop();
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return chdir("/") != 0 || system(command);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_that_is_not_there_is_refused_with_the_absolute_path),
        cmocka_unit_test(a_folder_without_ini_files_is_refused_with_the_absolute_path),
        cmocka_unit_test(a_folder_named_like_a_file_is_refused),
        cmocka_unit_test(a_fifo_does_not_hold_up_the_load),
        cmocka_unit_test(all_problems_of_all_files_are_told_at_once_by_place),
        cmocka_unit_test(what_was_told_before_the_load_does_not_refuse_it),
        cmocka_unit_test(a_wrong_default_is_told_once),
        cmocka_unit_test(an_unresolvable_server_is_a_warning),
        cmocka_unit_test(an_unused_backend_is_a_warning_unless_a_script_may_choose_it),
        cmocka_unit_test(files_of_a_folder_are_read_in_byte_order),
        cmocka_unit_test(several_paths_are_read_in_the_order_given),
        cmocka_unit_test(what_is_not_set_has_the_defaults_of_the_table),
        cmocka_unit_test(defaults_hold_for_all_files_where_the_section_does_not_say_otherwise),
        cmocka_unit_test(a_list_of_the_section_replaces_the_one_of_defaults),
        cmocka_unit_test(tls_of_defaults_needs_no_settings_in_a_listener_without_tls),
        cmocka_unit_test(values_come_from_the_environment),
        cmocka_unit_test(a_bind_may_be_a_list_and_be_repeated),
        cmocka_unit_test(a_wildcard_and_an_address_of_the_same_port_are_two_binds),
        cmocka_unit_test(units_reach_their_fields),
        cmocka_unit_test(a_server_has_its_words),
        cmocka_unit_test(options_and_script_reach_the_listener),
        cmocka_unit_test(certificates_are_read_at_load),
        cmocka_unit_test(listeners_and_backends_are_found_by_name),
        cmocka_unit_test(a_snapshot_lives_until_its_last_reference),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
