/* What a configuration is refused for: one case for each way to be wrong, with the place and the text that
 * the user sees. */
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

#define LISTENER "[listener a]\nbind = 127.0.0.1:8080\nbackend = app\n" /* the next line is 4 */
#define RESPOND  "[listener a]\nbind = 127.0.0.1:8080\nprotocol = respond\n"
#define APP      "[backend app]\nserver = s 127.0.0.1:9001\n"
#define OK       LISTENER APP                                                    /* the next line is 6 */
#define ONE_WAY  LISTENER "tls = one-way\ncertificate = server.pem server.key\n" /* the next line is 6 */
#define MUTUAL                                                                                               \
    LISTENER                                                                                                 \
    "tls = mutual\ncertificate = server.pem server.key\nclient-ca = ca.pem\n" /* the next line is 7 */
#define FORTY "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"

struct refusal {
    const char *sentence;
    const char *ini;
    /* "line: beginning of the text", several separated by newlines, in the order told; nothing else may be
     * told. */
    const char *expected;
};

static const struct refusal refusals[] = {
    /* sections */
    {"an_empty_configuration_has_no_listener", "", "the configuration has no listener"},
    {"a_configuration_without_listener_is_refused", APP,
     "the configuration has no listener: add a [listener NAME]\n1: warning: [backend app] is used by no "
     "listener"},
    {"an_unknown_section_is_refused", OK "[listner b]\nbind = x\n",
     "6: unknown section [listner]: did you mean 'listener'?"},
    {"a_section_far_from_any_is_refused", OK "[route]\n",
     "6: unknown section [route]; there are [global], [defaults]"},
    {"a_section_without_a_kind_is_refused", OK "[]\n", "6: unknown section []"},
    {"a_section_in_capitals_is_refused", OK "[Global]\n",
     "6: unknown section [Global]: did you mean 'global'?"},
    {"a_listener_without_name_is_refused", OK "[listener]\n",
     "6: [listener] needs a name: write [listener NAME]"},
    {"global_with_a_name_is_refused", OK "[global main]\n", "6: [global] has no name"},
    {"a_name_with_other_characters_is_refused", OK "[backend a/b]\n",
     "6: [backend a/b]: a name has 1 to 48 of"},
    {"a_name_of_two_words_is_refused", OK "[backend a b]\n", "6: [backend a b]: a name has 1 to 48 of"},
    {"a_name_over_48_characters_is_refused", OK "[backend " FORTY "123456789]\n", "6: [backend aaaaaaaaaab"},
    {"a_listener_that_is_there_twice_is_refused", OK "[listener a]\n",
     "6: [listener a] is already at t.ini:1: merge the two, or rename one"},
    {"a_backend_that_is_there_twice_is_refused", OK APP, "6: [backend app] is already at t.ini:4"},
    {"global_twice_is_refused", "[global]\n[global]\n" OK,
     "2: [global] is already at t.ini:1: merge the two"},
    {"defaults_twice_are_refused", "[defaults]\n[defaults]\n" OK, "2: [defaults] is already at t.ini:1"},
    {"a_setting_before_any_section_is_refused", "workers = 1\n" OK, "1: 'workers' stands before any section"},
    {"a_section_without_bracket_is_refused", OK "[global\nworkers = x\n",
     "6: the section has no closing ']'"},

    /* keys */
    {"an_unknown_key_is_refused", LISTENER "timeout-idel = 5s\n" APP,
     "4: unknown key 'timeout-idel' in [listener NAME]; did you mean 'timeout-idle'?"},
    {"a_key_far_from_any_is_refused", LISTENER "colour = red\n" APP,
     "4: unknown key 'colour' in [listener NAME]"},
    {"a_key_in_capitals_is_refused", LISTENER "Alpn = h2\n" APP,
     "4: unknown key 'Alpn' in [listener NAME]; did you"},
    {"a_key_of_another_section_is_refused", LISTENER "workers = 2\n" APP,
     "4: 'workers' does not belong in [listener NAME], but in [global]"},
    {"a_key_that_can_have_no_default_is_refused", OK "[defaults]\nbind = *:80\n",
     "7: 'bind' can have no default: it does not belong in [defaults], but in [listener NAME]"},
    {"a_certificate_can_have_no_default", OK "[defaults]\ncertificate = a\n",
     "7: 'certificate' can have no default"},
    {"an_unknown_default_is_refused", OK "[defaults]\nretrys = 1\n",
     "7: unknown key 'retrys' in [defaults]; did you mean 'retries'?"},
    {"a_key_twice_is_refused", LISTENER "backend = app\n" APP,
     "4: 'backend' is already set in line 3 of this section: keep one"},
    {"an_option_twice_is_refused", LISTENER "script = allow.lua\noption.a = 1\noption.a = 2\n" APP,
     "6: 'option.a' is already set in line 5"},
    {"a_key_without_value_is_refused", LISTENER "tls\n" APP, "4: 'tls' has no value: write 'key = value'"},
    {"an_empty_value_is_refused", LISTENER "timeout-idle =\n" APP, "4: 'timeout-idle' has an empty value"},
    {"an_empty_value_from_the_environment_is_refused", LISTENER "alpn = ${LB_UNSET:-}\n" APP,
     "4: 'alpn' has an empty value\n4: 'alpn' has no effect with tls = off"},
    {"an_unset_variable_is_refused", LISTENER "timeout-idle = ${LB_UNSET}\n" APP,
     "4: the environment variable LB_UNSET is not set"},

    /* values of [global] */
    {"no_workers_are_refused", OK "[global]\nworkers = 0\n",
     "7: workers = 0: write auto, or a number from 1 to 256"},
    {"too_many_workers_are_refused", OK "[global]\nworkers = 257\n", "7: workers = 257: write auto"},
    {"a_negative_number_is_refused", OK "[global]\nmax-connections = -1\n",
     "7: max-connections = -1: write a whole number"},
    {"a_hash_behind_a_value_is_explained", OK "[global]\nmax-connections = 5 # five\n",
     "7: max-connections = 5 # five: write a whole number in decimal digits (a comment behind a value begins "
     "with"},
    {"a_duration_without_unit_is_refused", OK "[global]\nshutdown-timeout = 30\n",
     "7: shutdown-timeout = 30: write a duration with its unit"},
    {"a_duration_out_of_range_is_refused", OK "[global]\nshutdown-timeout = 2d\n",
     "7: shutdown-timeout = 2d: out of range: write 0 to 1d"},
    {"an_admin_socket_in_the_network_is_refused", OK "[global]\nadmin = 127.0.0.1:9000\n",
     "7: admin = 127.0.0.1:9000: write off or unix:PATH"},
    {"an_admin_socket_without_path_is_refused", OK "[global]\nadmin = unix:\n",
     "7: admin = unix:: a unix socket's path"},
    {"an_unknown_choice_is_refused", OK "[global]\nlog-format = jsn\n",
     "7: log-format = jsn: unknown; did you mean 'json'? Write text or json"},
    {"an_unknown_level_is_refused", OK "[global]\nlog-level = chatty\n",
     "7: log-level = chatty: unknown; write debug, info, warning or error"},
    {"a_log_that_cannot_be_written_is_refused", OK "[global]\nlog = nowhere/lb.log\n",
     "7: cannot write the log /"},

    /* values of [listener NAME] */
    {"a_listener_without_bind_is_refused", "[listener a]\nbackend = app\n" APP,
     "1: [listener a] needs 'bind = ADDRESS:PORT'"},
    {"a_port_over_65535_is_refused", "[listener a]\nbind = *:65536\nbackend = app\n" APP,
     "2: bind = *:65536: the port must be 1 to 65535"},
    {"a_port_of_zero_is_refused", "[listener a]\nbind = *:0\nbackend = app\n" APP,
     "2: bind = *:0: the port must be"},
    {"a_host_name_to_bind_is_refused", "[listener a]\nbind = localhost:80\nbackend = app\n" APP,
     "2: bind = localhost:80: this is no IP address"},
    {"an_ipv6_address_without_brackets_is_refused", "[listener a]\nbind = ::1:80\nbackend = app\n" APP,
     "2: bind = ::1:80: write an IPv6 address in brackets"},
    {"a_bind_of_commas_is_refused", "[listener a]\nbind = , ,\nbackend = app\n" APP,
     "2: bind = , ,: there is no address"},
    {"each_wrong_bind_of_a_list_is_told", "[listener a]\nbind = *:0, *:80, x\nbackend = app\n" APP,
     "2: bind = *:0: the port\n2: bind = x: write ADDRESS:PORT"},
    {"a_bind_twice_in_a_listener_is_refused", LISTENER "bind = 127.0.0.1:8080\n" APP,
     "4: 127.0.0.1:8080 is bound already by [listener a] at t.ini:2"},
    {"a_bind_of_two_listeners_is_refused",
     OK "[listener b]\nbind = 0.0.0.0:81, *:81\nbind = 127.0.0.1:8080\nbackend = app\n",
     "7: *:81 is bound already by [listener b] at t.ini:7\n8: 127.0.0.1:8080 is bound already by [listener "
     "a] at t.ini:2"},
    {"a_bind_on_the_admin_socket_is_refused",
     LISTENER "bind = unix:admin.sock\n" APP "[global]\nadmin = unix:admin.sock\n",
     "4: unix:admin.sock is the admin socket"},
    {"an_unknown_protocol_is_refused", LISTENER "protocol = http\n" APP,
     "4: protocol = http: unknown; did you mean 'tcp'? Write tcp or respond"},
    {"an_unknown_tls_mode_is_refused", LISTENER "tls = mutal\ncertificate = x\nclient-ca = x\n" APP,
     "4: tls = mutal: unknown; did you mean 'mutual'? Write off, one-way, mutual-optional or mutual"},
    {"an_old_tls_version_is_refused", ONE_WAY "tls-min = 1.1\n" APP, "6: tls-min = 1.1: unknown; "},
    {"a_bool_that_is_none_is_refused", LISTENER "log = maybe\n" APP, "4: log = maybe: write yes or no"},
    {"a_depth_out_of_range_is_refused", MUTUAL "verify-depth = 10\n" APP,
     "7: verify-depth = 10: out of range: write 0 to 9"},
    {"too_little_memory_for_a_script_is_refused", LISTENER "script = allow.lua\nscript-memory = 64k\n" APP,
     "5: script-memory = 64k: out of range: write 1m to 1g"},
    {"a_size_with_another_unit_is_refused", LISTENER "script = allow.lua\nscript-memory = 8MB\n" APP,
     "5: script-memory = 8MB: write a size"},
    {"an_option_with_other_characters_is_refused", LISTENER "script = allow.lua\noption.a-b = 1\n" APP,
     "5: option.a-b = 1: the name after 'option.' is of letters, digits and '_'"},
    {"an_option_without_name_is_refused", LISTENER "script = allow.lua\noption. = 1\n" APP,
     "5: option. = 1: the name after"},
    {"a_status_out_of_range_is_refused", RESPOND "respond-status = 100\n",
     "4: respond-status = 100: out of range: write 200 to 599"},
    {"an_unknown_escape_is_refused", RESPOND "respond-text = a\\qb\n",
     "4: respond-text = a\\qb: after '\\' stands"},
    {"a_backslash_at_the_end_is_refused", RESPOND "respond-text = a\\\n",
     "4: respond-text = a\\: after '\\' stands"},
    {"three_files_of_a_certificate_are_refused", LISTENER "tls = one-way\ncertificate = a b c\n" APP,
     "5: certificate = a b c: write one or two paths without blanks"},
    {"a_list_without_names_is_refused", ONE_WAY "alpn = ,\n" APP,
     "6: alpn = ,: there is no name in the list"},

    /* values of [backend NAME] */
    {"an_unknown_policy_is_refused", OK "balance = roundrobin\n",
     "6: balance = roundrobin: unknown; did you mean 'round-robin'? Write round-robin or least-connections"},
    {"a_server_without_address_is_refused", OK "server = b\n",
     "6: server = b: the address is missing: write NAME ADDRESS"},
    {"a_server_without_name_is_refused", OK "server = 127.0.0.1:9002\n",
     "6: server = 127.0.0.1:9002: write NAME ADDRESS"},
    {"a_server_without_port_is_refused", OK "server = b 127.0.0.1\n",
     "6: server b: 127.0.0.1: write ADDRESS:PORT"},
    {"a_server_with_a_wrong_port_is_refused", OK "server = b app.test:99999\n",
     "6: server b: app.test:99999: the port must be"},
    {"a_broken_ipv4_address_is_no_host_name", OK "server = b 127.0.0.256:80\n",
     "6: server b: 127.0.0.256:80: this is no IP"},
    {"a_host_name_with_other_characters_is_refused", OK "server = b a/b:80\n",
     "6: server b: a/b:80: this is no IP"},
    {"a_weight_over_256_is_refused", OK "server = b 127.0.0.1:9002 weight=257\n",
     "6: weight = 257: out of range: write 0 to 256"},
    {"an_unknown_word_of_a_server_is_refused", OK "server = b 127.0.0.1:9002 wieght=2\n",
     "6: server = b 127.0.0.1:9002 wieght=2: unknown word 'wieght'; did you mean 'weight='?"},
    {"a_word_twice_is_refused", OK "server = b 127.0.0.1:9002 weight=1 weight=2\n",
     "6: server = b 127.0.0.1:9002 weight=1"},
    {"a_word_without_value_is_refused", OK "server = b 127.0.0.1:9002 weight=\n",
     "6: 'weight' has an empty value"},
    {"a_server_name_twice_is_refused", OK "server = s 127.0.0.1:9002\n",
     "6: server s: the name is already that of server s"},
    {"a_server_address_twice_is_refused", OK "server = b 127.0.0.1:9001\n",
     "6: server b: the address is already that of server s: use weight="},
    {"an_unknown_health_check_is_refused", OK "health = ping\n",
     "6: health = ping: unknown kind of check: write off or tcp"},
    {"words_after_health_off_are_refused", OK "health = off fall=2\n",
     "6: health = off fall=2: nothing follows 'off'"},
    {"a_health_interval_without_unit_is_refused", OK "health = tcp interval=5\n",
     "6: interval = 5: write a duration"},
    {"a_health_check_that_never_falls_is_refused", OK "health = tcp fall=0\n",
     "6: fall = 0: out of range: write 1 to 1000"},
    {"too_many_retries_are_refused", OK "retries = 17\n", "6: retries = 17: out of range: write 0 to 16"},
    {"no_time_to_connect_is_refused", OK "timeout-connect = 0\n",
     "6: timeout-connect = 0: out of range: write 1ms to 1h"},

    /* what does not go together */
    {"a_listener_without_backend_is_refused", "[listener a]\nbind = *:80\n",
     "1: [listener a] needs 'backend = NAME' and a [backend NAME] section"},
    {"an_unknown_backend_is_refused", "[listener a]\nbind = *:80\nbackend = ap\n" APP,
     "3: there is no [backend ap]; did you mean 'app'?\n4: warning: [backend app] is used by no listener"},
    {"a_backend_without_servers_is_refused", LISTENER "[backend app]\n",
     "4: [backend app] has no servers: add 'server = NAME ADDRESS:PORT'"},
    {"tls_settings_without_tls_are_refused",
     LISTENER "certificate = server.pem server.key\ntls-min = 1.3\nalpn = h2\n" APP,
     "4: 'certificate' has no effect with tls = off: set 'tls', or remove it\n5: 'tls-min' has no\n6: "
     "'alpn' has no"},
    {"tls_without_certificate_is_refused", LISTENER "tls = one-way\n" APP,
     "1: [listener a]: tls = one-way needs 'certificate"},
    {"mutual_tls_without_client_ca_is_refused",
     ONE_WAY APP
     "[listener b]\nbind = *:81\nbackend = app\ntls = mutual\ncertificate = server.pem server.key\n",
     "8: [listener b]: tls = mutual needs 'client-ca = FILE.pem'"},
    {"optional_mutual_tls_without_client_ca_is_refused",
     LISTENER "tls = mutual-optional\ncertificate = server.pem server.key\n" APP,
     "1: [listener a]: tls = mutual-optional needs 'client-ca"},
    {"a_client_ca_with_one_way_tls_is_refused", ONE_WAY "client-ca = ca.pem\n" APP,
     "6: 'client-ca' has no effect with tls = one-way: set tls = mutual, or remove it"},
    {"crl_required_without_a_list_is_refused",
     LISTENER
     "tls = mutual\ncertificate = server.pem server.key\nclient-ca = ca.pem\ncrl-required = yes\n" APP,
     "7: [listener a]: crl-required = yes needs 'client-crl = FILE'"},
    {"a_tls_minimum_above_the_maximum_is_refused", ONE_WAY "tls-min = 1.3\ntls-max = 1.2\n" APP,
     "6: [listener a]: tls-min = 1.3 is above tls-max = 1.2"},
    {"respond_with_a_backend_is_refused", RESPOND "backend = app\n" APP,
     "4: 'backend' does not go with protocol = respond"},
    {"a_text_to_respond_with_tcp_is_refused", LISTENER "respond-text = x\nrespond-status = 204\n" APP,
     "4: 'respond-text' has no effect with protocol = tcp\n5: 'respond-status' has no effect"},
    {"script_settings_without_script_are_refused", LISTENER "script-cpu = 1s\noption.ou = x\n" APP,
     "4: 'script-cpu' has no effect without a script: set 'script', or remove it\n5: 'option.ou' has no "
     "effect"},

    /* files */
    {"a_certificate_that_is_not_there_is_refused",
     LISTENER "tls = one-way\ncertificate = none.pem server.key\n" APP, "5: cannot read the certificate /"},
    {"a_key_that_is_not_there_is_refused", LISTENER "tls = one-way\ncertificate = server.pem none.key\n" APP,
     "5: cannot read the private key /"},
    {"all_files_that_are_not_there_are_told",
     LISTENER
     "tls = mutual\ncertificate = none.pem none.key\nclient-ca = none.ca\nclient-crl = none.crl\n" APP,
     "5: cannot read the certificate /\n5: cannot read the private key /\n6: cannot read the client CA /\n7: "
     "cannot read "
     "the revocation list /"},
    {"a_folder_for_a_certificate_is_refused", LISTENER "tls = one-way\ncertificate = .\n" APP,
     "5: cannot read the certificate /"},
    {"an_empty_certificate_is_refused", LISTENER "tls = one-way\ncertificate = empty.pem\n" APP,
     "5: cannot read the certificate /"},
    {"a_certificate_over_16_mb_is_refused", LISTENER "tls = one-way\ncertificate = huge.pem\n" APP,
     "5: the certificate huge.pem has more than 16 MB: is it the right file?"},
    {"a_key_of_another_certificate_is_refused",
     LISTENER "tls = one-way\ncertificate = server.pem other.key\n" APP,
     "5: the key in other.key does not belong to"},
    {"a_certificate_file_without_certificate_is_refused",
     LISTENER "tls = one-way\ncertificate = server.key\n" APP, "5: server.key holds"},
    {"a_client_ca_without_certificate_is_refused",
     LISTENER "tls = mutual\ncertificate = server.pem server.key\nclient-ca = server.key\n" APP,
     "6: server.key holds"},
    {"an_unknown_cipher_is_refused", ONE_WAY "ciphers = RC4\n" APP,
     "6: ciphers: there is no 'RC4': names are such as TLS_AES_128_GCM_SHA256"},
    {"an_unknown_group_is_refused", ONE_WAY "groups = X25520\n" APP,
     "6: groups: there is no 'X25520': did you mean X25519"},
    {"a_script_that_is_not_there_is_refused", LISTENER "script = none.lua\n" APP,
     "4: script none.lua cannot be read: No such file"},
    {"a_script_that_does_not_compile_is_refused", LISTENER "script = broken.lua\n" APP,
     "broken.lua:3: ')' expected"},
    {"a_script_without_hook_is_refused", LISTENER "script = idle.lua\n" APP,
     "idle.lua: the script defines no hook"},
    {"certificate_and_script_are_checked_beside_other_problems",
     "[listener a]\nbind = x\nscript = none.lua\ntls = one-way\ncertificate = server.pem other.key\n",
     "1: [listener a] needs 'backend = NAME'\n2: bind = x: write\n3: script none.lua cannot be read\n5: the "
     "key in other.key"},
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
    write_file("huge.pem", "");
    write_file("broken.lua", "\nfunction on_authorize(conn\n");
    write_file("idle.lua", "local idle = true\n");
    write_file("allow.lua", "function on_authorize(conn) return true end\n");
    if (truncate("huge.pem", (16 << 20) + 1) != 0)
        return -1;
    return system(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost "
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

int main(void)
{
    enum { COUNT = sizeof(refusals) / sizeof(refusals[0]) };
    struct CMUnitTest tests[COUNT] = {{0}};
    for (size_t i = 0; i < COUNT; i++)
        tests[i] = (struct CMUnitTest){.name = refusals[i].sentence,
                                       .test_func = is_refused,
                                       .initial_state = (void *)(uintptr_t)&refusals[i]};
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
