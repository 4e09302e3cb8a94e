/* Loading, results, facts, options and waiting of scripts. */
#include "test_script_host.h"

#define HOST struct host *host = *state

/* --- loading --- */

static void a_script_that_does_not_exist_is_a_problem_with_its_absolute_path(void **state)
{
    HOST;
    assert_null(host_try(host, "no/such.lua"));
    assert_contains(host_problem(host),
                    "lb.ini:7: script no/such.lua cannot be read: No such file or directory");
    assert_contains(host_problem(host), "(tried /");
}

static void a_folder_is_no_script(void **state)
{
    HOST;
    assert_null(host_try(host, host->folder));
    assert_contains(host_problem(host), "is a folder");
}

static void a_syntax_error_is_a_problem_at_its_own_line(void **state)
{
    HOST;
    refused(host, "-- one\n\nfunction on_authorize(conn\n return true\nend\n", "/policy.lua:4: ");
    assert_contains(host_problem(host), "expected");
}

static void an_error_of_the_top_level_is_a_problem_at_its_own_line(void **state)
{
    HOST;
    refused(host, "\nlocal x = nil + 1\n", "/policy.lua:2: attempt to perform arithmetic");
}

static void the_place_of_a_problem_is_right_for_a_long_path_too(void **state)
{
    HOST;
    char folder[300], path[600];
    snprintf(folder, sizeof(folder), "%s/a-folder-with-a-name-that-is-much-longer-than-what-lua-writes",
             host->folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    host_file(host, "a-folder-with-a-name-that-is-much-longer-than-what-lua-writes/p.lua",
              "\n\nerror('x')\n");
    snprintf(path, sizeof(path), "%s/p.lua", folder);
    assert_null(host_try(host, path));
    assert_string_equal(host->problems.list[0].file, path);
    assert_int_equal(host->problems.list[0].line, 3);
}

static void a_script_without_hooks_is_a_problem(void **state)
{
    HOST;
    refused(host, "local x = 1\n", "policy.lua: the script defines no hook");
}

static void a_hook_that_is_no_function_is_no_hook(void **state)
{
    HOST;
    refused(host, "on_authorize = true\n", "defines no hook");
}

static void a_binary_chunk_is_refused(void **state)
{
    HOST;
    refused(host, "\x1bLua", "binary chunk");
}

static void a_script_that_loops_while_it_is_loaded_is_refused(void **state)
{
    HOST;
    refused(host, "local x\nwhile true do x = 1 end\n", "policy.lua:2: used more than 100 ms of CPU time");
}

static void a_script_that_catches_its_loop_while_it_is_loaded_is_refused(void **state)
{
    HOST;
    refused(host, "while true do pcall(function() while true do end end) end\n", "CPU time");
}

static void a_script_that_fills_its_memory_while_it_is_loaded_is_refused(void **state)
{
    HOST;
    refused(host, "local t = {}\nfor i = 1, 1e9 do t[i] = {} end\n", "memory (script-memory)");
}

static void a_script_may_not_wait_while_it_is_loaded(void **state)
{
    HOST;
    refused(host, "lb.sleep(0)\n", "policy.lua:1: lb.sleep waits in hooks only");
}

static void a_script_may_not_yield_while_it_is_loaded(void **state)
{
    HOST;
    refused(host, "coroutine.yield()\n", "outside a coroutine");
}

static void a_state_that_is_too_small_to_start_is_a_problem(void **state)
{
    HOST;
    host->settings.memory = 4096;
    refused(host, "function on_authorize() return true end",
            "lb.ini:7: script-memory of 4096 bytes is too little");
}

static void a_state_that_is_too_small_for_its_libraries_is_a_problem(void **state)
{
    HOST;
    for (host->settings.memory = 8192; host->settings.memory < 64 * 1024; host->settings.memory += 512) {
        host_file(host, "policy.lua", "function on_authorize() return true end");
        struct script *script = host_try(host, host->path);
        assert_true(script || host->problems.count > 0);
        script_free(script);
    }
    assert_contains(host_problem(host), "is too little");
}

static void a_script_with_another_hook_only_denies(void **state)
{
    HOST;
    host_load(host, "function on_close() end");
    assert_int_equal(host->problems.errors, 0);
    assert_contains(host_problem(host), "every connection will be denied");
    host_call(host);
    assert_denies(host, REASON_SCRIPT_ERROR, "defines no on_authorize");
}

static void a_hook_that_is_replaced_later_stays_as_loaded(void **state)
{
    HOST;
    host_run(host, "on_authorize = function() return true end return false, 'first'");
    host_call(host);
    assert_denies(host, REASON_DENIED, "first");
}

/* --- require --- */

static void require_finds_a_file_beside_the_script(void **state)
{
    HOST;
    host_file(host, "names.lua", "return { alice = true }");
    host_load(host, "local names = require 'names'\n"
                    "function on_authorize(conn) return names[conn.certificate.subject.CN] end");
    host_call(host);
    assert_allows(host);
}

static void require_gives_the_same_value_twice_and_in_hooks(void **state)
{
    HOST;
    host_file(host, "names.lua", "return {}");
    host_load(host, "local names = require 'names'\n"
                    "function on_authorize(conn) return require 'names' == names end");
    host_call(host);
    assert_allows(host);
}

static void require_of_something_new_in_a_hook_is_an_error(void **state)
{
    HOST;
    host_file(host, "names.lua", "return {}");
    host_run(host, "return require 'names'");
    assert_denies(host, REASON_SCRIPT_ERROR, "only while the script is loaded");
}

static void require_refuses_names_that_could_leave_the_folder(void **state)
{
    static const char *const names[] = {"/etc/passwd", "../x", "a/b", "..", "a..b", ".a", "a.", "", "a\\0b"};
    HOST;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char lua[100];
        snprintf(lua, sizeof(lua), "require '%s'\n", names[i]);
        problems_free(&host->problems);
        host->problems = (struct problems){0};
        refused(host, lua, "policy.lua:1: require \"");
    }
}

static void require_refuses_a_symbolic_link_that_leads_out(void **state)
{
    HOST;
    char link[200];
    snprintf(link, sizeof(link), "%s/out.lua", host->folder);
    assert_int_equal(symlink("/etc/hostname", link), 0);
    refused(host, "require 'out'\n", "a symbolic link leads out of its folder");
}

static void require_of_a_missing_file_names_both_places(void **state)
{
    HOST;
    refused(host, "require 'missing'\n", "there is no such file below /tmp/lb-script-");
    assert_contains(host_problem(host), "or below scripting");
}

static void require_of_a_file_with_an_error_names_that_file(void **state)
{
    HOST;
    host_file(host, "names.lua", "\nreturn {\n");
    refused(host, "require 'names'\n", "names.lua:3: ");
}

static void require_of_itself_is_an_error(void **state)
{
    HOST;
    host_file(host, "names.lua", "require 'names'");
    refused(host, "require 'names'\n", "the module requires itself");
}

static void require_refuses_binary_chunks(void **state)
{
    HOST;
    host_file(host, "names.lua", "\x1bLua");
    refused(host, "require 'names'\n", "binary chunk");
}

/* --- results --- */

static void true_allows(void **state)
{
    HOST;
    host_run(host, "return true");
    assert_allows(host);
    assert_int_equal(host->out.reason, REASON_NONE);
    assert_string_equal(host->out.backend, "");
    assert_string_equal(host->out.log, "");
}

static void false_with_a_reason_denies(void **state)
{
    HOST;
    host_run(host, "return false, 'not on Sundays'");
    assert_denies(host, REASON_DENIED, "not on Sundays");
}

static void false_alone_denies(void **state)
{
    HOST;
    host_run(host, "return false");
    assert_denies(host, REASON_DENIED, "");
}

static void a_condition_with_a_reason_allows_if_it_holds(void **state)
{
    HOST;
    host_run(host, "return conn.port == 4711, 'wrong port'");
    assert_allows(host);
    assert_string_equal(host->out.text, "");
}

static void anything_else_denies(void **state)
{
    static const struct {
        const char *body, *part;
    } cases[] = {
        {"", "returned nothing"},
        {"return nil", "returned nil"},
        {"return nil, 'x'", "2 values"},
        {"return 42", "the number 42"},
        {"return 1", "the number 1"},
        {"return 'yes'", "the text \"yes\""},
        {"return {}", "a table"},
        {"return {allow = true, verdict = 'allow'}", "a table"},
        {"return print", "a function"},
        {"return conn", "a userdata"},
        {"return lb.allow", "a function"},
        {"return lb", "a userdata"},
        {"return true, true", "a reason that is no text"},
        {"return true, nil, nil", "3 values"},
        {"return false, 7", "a reason that is no text"},
        {"return lb.allow(), 'x'", "2 values"},
        {"return coroutine.create(print)", "a thread"},
        {"return table.unpack({}, 1, 5000)", "5000 values"},
    };
    HOST;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        host_run(host, cases[i].body);
        assert_denies(host, REASON_SCRIPT_RESULT, cases[i].part);
        assert_contains(host->out.text, "return true, false and a reason");
    }
}

static void allow_with_nothing_allows(void **state)
{
    HOST;
    host_run(host, "return lb.allow()");
    assert_allows(host);
}

static void allow_chooses_the_backend(void **state)
{
    HOST;
    host_run(host, "return lb.allow{ backend = 'other' }");
    assert_allows(host);
    assert_string_equal(host->out.backend, "other");
}

static void allow_carries_log_fields(void **state)
{
    HOST;
    host_run(host, "return lb.allow{ log = { ou = 'pay\"\\n', n = 3, f = 1.5, yes = true, inf = 1/0,"
                   " san = conn.certificate.san.dns, s = conn.certificate.subject } }");
    assert_allows(host);
    assert_string_equal(host->out.log, "\"f\":1.5,\"inf\":null,\"n\":3,\"ou\":\"pay\\\"\\n\","
                                       "\"s\":\"CN=alice,OU=payments,OU=audit,O=Example\","
                                       "\"san\":\"a.example, b.example\",\"yes\":true");
}

static void log_names_cannot_leave_their_quotes(void **state)
{
    HOST;
    host_run(host, "return lb.allow{ log = { ['x\":1,\"y'] = 2 } }");
    assert_allows(host);
    assert_string_equal(host->out.log, "\"x\\\":1,\\\"y\":2");
}

static void log_fields_that_do_not_fit_are_left_out_whole(void **state)
{
    HOST;
    host_run(host,
             "local t = {} for i = 1, 9 do t['f' .. i] = ('x'):rep(1000) end return lb.allow{ log = t }");
    assert_allows(host);
    assert_contains(host->out.log, "\"f1\":\"xxx");
    assert_null(strstr(host->out.log, "\"f4\""));
    assert_contains(host->out.log, "xxx\",\"log_cut\":true");
}

static void more_log_fields_than_allowed_are_left_out(void **state)
{
    HOST;
    host_run(host, "local t = {} for i = 1, 300 do t['f' .. i] = i end return lb.allow{ log = t }");
    assert_allows(host);
    assert_contains(host->out.log, ",\"log_cut\":true");
}

static void allow_takes_clean_headers(void **state)
{
    HOST;
    host_run(host, "return lb.allow{ headers = { ['X-Client-OU'] = 'payments' } }");
    assert_allows(host);
}

static void a_mistake_in_allow_or_deny_denies_and_names_it(void **state)
{
    static const struct {
        const char *body, *part;
    } cases[] = {
        {"return lb.allow{ backnd = 'app' }",
         "policy.lua:2: lb.allow: unknown key 'backnd', did you mean 'backend'?"},
        {"return lb.allow{ 'app' }", "unknown key"},
        {"return lb.allow{ backend = 'nowhere' }", "there is no backend 'nowhere'"},
        {"return lb.allow{ backend = '' }", "there is no backend ''"},
        {"return lb.allow{ backend = 'app\\0x' }", "there is no backend"},
        {"return lb.allow{ backend = ('x'):rep(500) }", "there is no backend"},
        {"return lb.allow{ backend = 7 }", "backend is a number, expected a text"},
        {"return lb.allow('app')", "lb.allow takes nothing, or one table"},
        {"return lb.allow(nil)", "lb.allow takes nothing, or one table"},
        {"return lb.allow({}, 1)", "lb.allow takes nothing, or one table"},
        {"return lb.allow{ log = 'x' }", "log is a table"},
        {"return lb.allow{ log = { x = {} } }", "log is a table"},
        {"return lb.allow{ log = { 'x' } }", "log is a table"},
        {"return lb.allow{ headers = 'x' }", "headers is a string"},
        {"return lb.allow{ headers = { x = 'a\\r\\nb' } }", "without CR, LF and NUL"},
        {"return lb.allow{ headers = { x = 'a\\0b' } }", "without CR, LF and NUL"},
        {"return lb.allow{ headers = { x = 1 } }", "without CR, LF and NUL"},
        {"return lb.allow{ headers = { ['a\\n'] = 'x' } }", "without CR, LF and NUL"},
        {"return lb.deny()", "lb.deny takes the reason as a text"},
        {"return lb.deny(1)", "lb.deny takes the reason as a text"},
        {"return lb.deny('x', 'y')", "lb.deny takes the reason as a text"},
        {"return lb.deny('x', { lg = {} })", "lb.deny: unknown key 'lg', did you mean 'log'?"},
    };
    HOST;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        host_run(host, cases[i].body);
        assert_denies(host, REASON_SCRIPT_RESULT, cases[i].part);
        assert_string_equal(host->out.backend, "");
    }
}

static void deny_gives_its_reason_and_log(void **state)
{
    HOST;
    host_run(host, "return lb.deny('no entry', { log = { a = 1 } })");
    assert_denies(host, REASON_DENIED, "no entry");
    assert_string_equal(host->out.log, "\"a\":1");
}

static void controls_in_a_reason_become_question_marks(void **state)
{
    HOST;
    host_run(host, "return lb.deny('a\\nb\\0c\\127d')");
    assert_string_equal(host->out.text, "a?b?c?d");
}

static void a_long_reason_is_cut(void **state)
{
    HOST;
    host_run(host, "return false, ('x'):rep(5000)");
    assert_int_equal(strlen(host->out.text), SCRIPT_TEXT_MAX - 1);
}

static void a_verdict_of_an_earlier_call_is_worth_nothing(void **state)
{
    HOST;
    host_run(host, "if kept then return kept end kept = lb.allow() return kept");
    assert_allows(host);
    host_call(host);
    assert_denies(host, REASON_SCRIPT_RESULT, "a verdict that another call has made");
}

static void a_verdict_made_while_loading_is_worth_nothing(void **state)
{
    HOST;
    host_load(host, "local kept = lb.allow()\nfunction on_authorize() return kept end");
    host_call(host);
    assert_denies(host, REASON_SCRIPT_RESULT, "another call");
}

/* --- errors --- */

static void an_error_names_file_and_line(void **state)
{
    HOST;
    host_run(host, "error('as written')");
    assert_denies(host, REASON_SCRIPT_ERROR, "/policy.lua:2: as written");
}

static void an_error_that_is_no_text_is_told_by_its_type_and_place(void **state)
{
    static const char *const bodies[] = {
        "error({})", "error(nil)", "error(print)",
        "error(setmetatable({}, {__tostring = function() while true do end end}))"};
    HOST;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        host_run(host, bodies[i]);
        assert_denies(host, REASON_SCRIPT_ERROR, "policy.lua:2: the error is a ");
    }
}

static void an_error_can_be_caught(void **state)
{
    HOST;
    host_run(host, "local ok, why = pcall(error, 'x') return not ok and why == 'x'");
    assert_allows(host);
}

static void an_error_in_another_coroutine_comes_through_wrap(void **state)
{
    HOST;
    host_run(host, "coroutine.wrap(function() error('inner') end)()");
    assert_denies(host, REASON_SCRIPT_ERROR, "inner");
}

static void globals_stay_between_calls(void **state)
{
    HOST;
    host_run(host, "count = (count or 0) + 1 return count == 2");
    assert_denies(host, REASON_DENIED, "");
    host_call(host);
    assert_allows(host);
}

/* --- facts --- */

/* Fails the test with the expression that does not hold. */
static void holds(struct host *host, const char *expression)
{
    char body[1024];
    snprintf(body, sizeof(body), "local c = conn.certificate\nreturn (%s) == true, 'does not hold'",
             expression);
    host->read[0] = '\0';
    host_run(host, body);
    if (host->out.verdict != SCRIPT_ALLOW)
        fail_msg("%s: %s", expression, host->out.text);
}

static void the_facts_of_the_connection_can_be_read(void **state)
{
    HOST;
    holds(host, "conn.listener == 'main' and conn.address == '192.0.2.7' and conn.port == 4711");
    holds(host, "conn.server_name == 'api.example' and conn.alpn == nil");
    holds(host, "conn.tls.version == 'TLSv1.3' and conn.tls.cipher == 'TLS_AES_128_GCM_SHA256'");
    holds(host, "conn.tls.group == 'X25519' and conn.tls.resumed == false");
    holds(host, "math.type(conn.port) == 'integer' and #conn.chain == 2");
    holds(host, "conn.chain[1].subject.CN == 'alice' and conn.chain[2].subject.CN == 'Example CA'");
    holds(host, "conn.chain[0] == nil and conn.chain[3] == nil and conn.chain[-1] == nil");
}

static void the_facts_of_the_certificate_can_be_read(void **state)
{
    HOST;
    holds(host, "c.subject.CN == 'alice' and c.subject.OU == 'payments' and c.subject.L == nil");
    holds(host, "c.subject['2.5.4.5'] == 'by oid' and c.subject['2.5.4.6'] == nil");
    holds(host,
          "#c.subject:all('OU') == 2 and c.subject:all('OU')[2] == 'audit' and c.subject:all('OU').audit");
    holds(host, "#c.subject:all('L') == 0");
    holds(host, "tostring(c.subject) == 'CN=alice,OU=payments,OU=audit,O=Example'");
    holds(host, "c.issuer.CN == 'Example CA' and tostring(c.issuer) == 'CN=Example CA'");
    holds(host, "c.serial == '0A1B' and c.not_before == 1700000000 and c.not_after == 1900000000");
    holds(host, "math.type(c.not_after) == 'integer' and c.key.type == 'EC' and c.key.bits == 256");
    holds(host,
          "#c.san.dns == 2 and c.san.dns[1] == 'a.example' and c.san.dns['b.example'] and #c.san.email == 0");
    holds(host, "c.san.ip[1] == nil and table.concat(c.san.dns, '+') == 'a.example+b.example'");
    holds(host, "c.key_usage.digitalSignature == true and c.key_usage.keyCertSign == nil");
    holds(host, "c.extended_key_usage.clientAuth == true and c.extended_key_usage[2] == '1.2.3.4'");
    holds(host, "c.policies[1] == '2.23.140.1.2.2' and c.sha256 == 'aa11' and c.spki_sha256 == 'bb22'");
    holds(host, "c.sha1 == nil and c.pem == nil and c.spiffe_id == 'spiffe://example.org/payments/api'");
    holds(host, "c:extension('1.2.3') == '\\4\\0x' and c:extension('1.2.4') == nil");
    holds(host, "c.der == '0\\0\\1\\xFF' and #c.der == 4");
    holds(host, "c.anchor == 'CN=Example CA' and conn.chain[1].anchor == c.anchor");
    holds(host, "conn.certificate == c and c.san.uri == c.san.uri");
}

static void lists_can_be_walked(void **state)
{
    HOST;
    host_run(host,
             "local seen = ''\n"
             "for i, v in ipairs(conn.certificate.san.dns) do seen = seen .. i .. v end\n"
             "for i, v in pairs(conn.certificate.san.dns) do seen = seen .. i .. v end\n"
             "local a, b, c = table.unpack(conn.certificate.san.dns)\n"
             "return seen == '1a.example2b.example1a.example2b.example' and b == 'b.example' and c == nil");
    assert_allows(host);
}

static void without_a_certificate_it_is_nil(void **state)
{
    HOST;
    host_conn(host, NULL);
    holds(host, "c == nil and #conn.chain == 0 and conn.chain[1] == nil");
}

static void without_tls_it_is_nil(void **state)
{
    HOST;
    host->conn.tls = false;
    holds(host, "conn.tls == nil");
}

static void an_unknown_field_is_an_error_that_names_the_nearest(void **state)
{
    static const struct {
        const char *expression, *part;
    } cases[] = {
        {"conn.certificat", "conn has no field 'certificat', did you mean 'certificate'?"},
        {"conn.sni", "conn has no field 'sni'"},
        {"conn[1]", "conn has no field of type number"},
        {"conn[nil]", "conn has no field of type nil"},
        {"conn.tls.verion", "conn.tls has no field 'verion', did you mean 'version'?"},
        {"conn.chain.subject", "conn.chain has no field 'subject'"},
        {"conn.certificate.subjet", "certificate has no field 'subjet', did you mean 'subject'?"},
        {"conn.certificate.subject.ou", "certificate.subject has no field 'ou', did you mean 'OU'?"},
        {"conn.certificate.issuer.Nickname", "certificate.issuer has no field 'Nickname'"},
        {"conn.certificate.subject['1.2.']", "has no field '1.2.'"},
        {"conn.certificate.subject['7']", "has no field '7'"},
        {"conn.certificate.subject['CN\\0']", "has no field 'CN'"},
        {"conn.certificate.subject:all('Ou')", "did you mean 'OU'?"},
        {"conn.certificate.san.url", "certificate.san has no field 'url', did you mean 'uri'?"},
        {"conn.certificate.key.size", "certificate.key has no field 'size'"},
        {"conn.certificate:extension('x')", "takes an OID"},
        {"lb.alow()", "lb has no field 'alow', did you mean 'allow'?"},
        {"lb.log.warn('x')", "lb.log has no field 'warn'"},
        {"lb.base64.encod('x')", "lb.base64 has no field 'encod', did you mean 'encode'?"},
    };
    HOST;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char body[200];
        snprintf(body, sizeof(body), "local x = %s return true", cases[i].expression);
        host_run(host, body);
        assert_denies(host, REASON_SCRIPT_ERROR, cases[i].part);
    }
}

static void what_lb_hands_in_is_read_only(void **state)
{
    static const char *const statements[] = {
        "conn.listener = 'x'",
        "conn.certificate.sha256 = 'x'",
        "conn.certificate.subject.OU = 'x'",
        "conn.certificate.san.dns[1] = 'x'",
        "conn.certificate.key_usage.keyCertSign = true",
        "conn.chain[1] = nil",
        "lb.allow = 1",
        "lb.deny = function() return true end",
        "lb.log.info = print",
        "lb.options.ou = {}",
        "lb.options.ou.x = true",
        "rawset(lb, 'deny', print)",
        "rawset(lb.options.ou, 'x', true)",
        "rawset(conn, 'listener', 'x')",
        "setmetatable(conn, {})",
        "getmetatable(conn).__index = print",
        "getmetatable(lb).__index = print",
        "getmetatable('').__index = print",
        "getmetatable(lb.allow()).__index = print",
        "table.insert(conn.certificate.san.dns, 'x')",
        "table.sort(lb.options.ou)",
        "next(lb.options.ou)",
    };
    HOST;
    host_option(host, "ou", "a");
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        char body[200];
        snprintf(body, sizeof(body), "%s return true", statements[i]);
        host_run(host, body);
        assert_denies(host, REASON_SCRIPT_ERROR, "policy.lua:2: ");
    }
}

static void conn_is_worth_nothing_after_its_hook(void **state)
{
    static const char *const uses[] = {
        "kept.listener", "cert.sha256", "subject.CN",  "tostring(subject)", "san.dns",
        "key.type",      "#chain",      "tls.version", "subject:all('OU')", "kept.certificate"};
    HOST;
    host_load(
        host,
        "function on_authorize(conn)\n"
        "  if use then return use() end\n"
        "  kept, cert, subject, san = conn, conn.certificate, conn.certificate.subject, "
        "conn.certificate.san\n"
        "  key, chain, tls, number = conn.certificate.key, conn.chain, conn.tls, 0\n"
        "  use = function() number = number + 1 return uses[number]() end\n"
        "  return true\n"
        "end\n"
        "uses = {function() return kept.listener end, function() return cert.sha256 end,\n"
        "  function() return subject.CN end, function() return tostring(subject) end,\n"
        "  function() return san.dns end, function() return key.type end, function() return #chain end,\n"
        "  function() return tls.version end, function() return subject:all('OU') end,\n"
        "  function() return kept.certificate end}\n");
    host_call(host);
    assert_allows(host);
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        host_call(host);
        assert_denies(host, REASON_SCRIPT_ERROR, "is only valid during the hook it was handed to");
    }
}

static void a_certificate_that_cannot_be_read_denies_even_if_caught(void **state)
{
    static const struct fake broken = {.broken = true};
    HOST;
    host_conn(host, &broken);
    host_run(host, "pcall(function() return conn.certificate.subject.CN end) return true");
    assert_denies(host, REASON_SCRIPT_ERROR, "policy.lua:2: the client's certificate cannot be read");
    host_run(host, "pcall(function() return conn.certificate.not_after end) return true");
    assert_denies(host, REASON_SCRIPT_ERROR, "cannot be read");
}

static bool endless_values(const void *certificate, enum script_field field, struct slice key,
                           script_emit *emit, void *sink)
{
    (void)certificate;
    (void)field;
    (void)key;
    for (int i = 0; i < 100000; i++)
        emit(sink, SLICE_LITERAL("x.example"));
    return true;
}

static void a_certificate_with_too_many_values_is_an_error(void **state)
{
    static const struct script_certificate_ops ops = {endless_values, fake_number};
    HOST;
    host->conn.ops = &ops;
    host_run(host, "return #conn.certificate.san.dns > 0");
    assert_denies(host, REASON_SCRIPT_ERROR, "more values than a script may read");
}

static void the_host_is_told_each_fact_that_is_read(void **state)
{
    HOST;
    holds(host,
          "conn.server_name ~= nil and conn.tls.version ~= nil and c.subject.OU ~= nil and #c.san.uri == 1"
          " and #c.subject:all('O') == 1 and c.key.bits > 1 and c.sha256 ~= 1 and conn.chain[2].issuer.CN == "
          "nil"
          " and c:extension('1.2.9') == nil and tostring(c.subject) ~= ''");
    assert_string_equal(host->read, "server_name\ntls.version\ncertificate.subject.OU\ncertificate.san.uri\n"
                                    "certificate.subject.O\ncertificate.key.bits\ncertificate.sha256\n"
                                    "chain[2].issuer.CN\ncertificate.extension.1.2.9\ncertificate.subject\n");
}

/* --- options and lb --- */

static void an_option_is_a_list_and_a_set_and_a_text(void **state)
{
    HOST;
    host_option(host, "ou", " payments , treasury,,b c ");
    holds(host, "#lb.options.ou == 3 and lb.options.ou[1] == 'payments' and lb.options.ou[3] == 'b c'");
    holds(host, "lb.options.ou.treasury == true and lb.options.ou['b c'] and lb.options.ou.other == nil");
    holds(host, "lb.options.ou[nil] == nil and lb.options.ou[0] == nil and lb.options.ou[{}] == nil");
    holds(host, "tostring(lb.options.ou) == ' payments , treasury,,b c ' and lb.options.ou .. '!' ~= ''");
}

static void an_option_that_is_not_set_is_an_error(void **state)
{
    HOST;
    host_run(host, "return not lb.options.blocked");
    assert_denies(host, REASON_SCRIPT_ERROR, "option.blocked is not set for this listener");
}

static void an_optional_option_has_a_default(void **state)
{
    HOST;
    host_option(host, "set", "1");
    holds(host,
          "lb.option('absent', 5) == 5 and lb.option('absent') == nil and lb.option('set', 5)[1] == '1'");
}

static void lb_offers_its_helpers(void **state)
{
    HOST;
    holds(host, "lb.now() == 1767225600.0 and lb.version == '1.2.3'");
    holds(host, "lb.sha256('abc') == ('03'):rep(32)");
    holds(host, "lb.base64.encode('') == '' and lb.base64.encode('a') == 'YQ==' and "
                "lb.base64.encode('ab\\0') == 'YWIA'");
    holds(host, "lb.base64.decode('YWJj') == 'abc' and lb.base64.decode('YQ==') == 'a' and "
                "lb.base64.decode('') == ''");
    holds(host, "lb.base64.decode('YWI=') == 'ab' and lb.base64.decode('YW') == nil and "
                "lb.base64.decode('Y*==') == nil");
    holds(host, "lb.base64.decode('YR==') == nil and lb.base64.decode('YQ==YQ==') == nil and "
                "lb.base64.decode('====') == nil");
    holds(host, "os.time() == 1767225600 and os.date('!%Y-%m-%d %H') == '2026-01-01 00' and os.date('!%H', "
                "3600) == '01'");
}

static void print_and_log_reach_the_host_without_controls(void **state)
{
    HOST;
    host_run(host, "print('a', 1, nil, true) lb.log.debug('d') lb.log.info('i') lb.log.warning('two\\nlines')"
                   " lb.log.error(conn.certificate.subject) return true");
    assert_allows(host);
    assert_string_equal(host->log, "1 a 1 nil true\n0 d\n1 i\n2 two?lines\n"
                                   "3 CN=alice,OU=payments,OU=audit,O=Example\n");
}

static void a_flood_of_log_lines_is_cut(void **state)
{
    HOST;
    host_run(host, "for i = 1, 1000 do print(i) end return true");
    assert_allows(host);
    assert_int_equal(host->lines, 101);
    host_call(host);
    assert_int_equal(host->lines, 202);
}

static void what_is_out_of_bounds_is_not_there(void **state)
{
    static const char *const names[] = {"io",          "debug",      "package",    "load",
                                        "loadfile",    "dofile",     "warn",       "loadstring",
                                        "string.dump", "os.execute", "os.getenv",  "os.exit",
                                        "os.remove",   "os.rename",  "os.tmpname", "os.setlocale"};
    HOST;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char expression[64];
        snprintf(expression, sizeof(expression), "%s == nil", names[i]);
        holds(host, expression);
    }
}

static void what_is_of_use_is_there(void **state)
{
    HOST;
    holds(
        host,
        "string.format('%d %s', 1, 'x') == '1 x' and ('%a'):rep(2, ',') == '%a,%a' and math.max(1, 2) == 2");
    holds(host, "utf8.len('\\u{e4}') == 1 and utf8.char(228) == '\\u{e4}' and select('#', 1, 2) == 2");
    holds(host,
          "tostring(-(0/0)) ~= nil and tonumber('10', 2) == 2 and ('x'):upper() == 'X' and '10' + 1 == 11");
    holds(host, "collectgarbage('count') > 0 and type(os.clock()) == 'number' and os.difftime(2, 1) == 1");
    holds(host, "(function() local t = {3, 1, 2} table.sort(t) return table.concat(t) end)() == '123'");
    holds(host, "(function() local t = {3, 1, 2} table.sort(t, function(a, b) return a > b end) "
                "return table.concat(t) end)() == '321'");
    holds(
        host,
        "(function() local t = {1, 2} table.insert(t, 1, 0) table.insert(t, 3) return table.concat(t) end)() "
        "== '0123'");
    holds(host,
          "(function() local t = {1, 2, 3} return table.remove(t, 1) + table.remove(t) + #t end)() == 5");
    holds(host, "table.remove({}) == nil and table.pack(1, nil).n == 2 and table.concat({1, 2, 3}, '-', 2, "
                "3) == '2-3'");
    holds(host,
          "table.concat(table.move({1, 2, 3}, 1, 3, 2)) == '1123' and #table.move({1, 2}, 1, 2, 1, {}) == 2");
    holds(host, "table.concat(table.move({1, 2, 3}, 2, 3, 1)) == '233'");
}

/* --- coroutines --- */

static void coroutines_work(void **state)
{
    HOST;
    host_run(
        host,
        "local co = coroutine.create(function(a)\n"
        "  local b = coroutine.yield(a + 1) local c = coroutine.yield(b + 1) return c + 1 end)\n"
        "local _, x = coroutine.resume(co, 1) local _, y = coroutine.resume(co, x)\n"
        "local suspended = coroutine.status(co) local _, z = coroutine.resume(co, y)\n"
        "local dead, why = coroutine.resume(co)\n"
        "return z == 4 and suspended == 'suspended' and coroutine.status(co) == 'dead' and dead == false\n"
        "  and why == 'cannot resume dead coroutine'");
    assert_allows(host);
}

static void wrapped_coroutines_work(void **state)
{
    HOST;
    host_run(host, "local sum = 0\n"
                   "for i in coroutine.wrap(function() for i = 1, 4 do coroutine.yield(i) end end) do sum = "
                   "sum + i end\n"
                   "return sum == 10");
    assert_allows(host);
}

static void errors_in_coroutines_are_results(void **state)
{
    HOST;
    host_run(host, "local co = coroutine.create(function() error('inner', 0) end)\n"
                   "local ok, why = coroutine.resume(co)\n"
                   "return not ok and why == 'inner' and coroutine.close(co) == false");
    assert_allows(host);
}

static void a_coroutine_can_be_closed(void **state)
{
    HOST;
    host_run(host, "local closed\n"
                   "local co = coroutine.create(function()\n"
                   "  local x <close> = setmetatable({}, {__close = function() closed = true end}) "
                   "coroutine.yield() end)\n"
                   "coroutine.resume(co)\n"
                   "return coroutine.close(co) and closed and coroutine.status(co) == 'dead'");
    assert_allows(host);
}

static void a_hook_itself_cannot_yield(void **state)
{
    HOST;
    host_run(host, "coroutine.yield() return true");
    assert_denies(host, REASON_SCRIPT_ERROR, "coroutine.yield outside a coroutine");
    host_run(host, "return coroutine.isyieldable()");
    assert_denies(host, REASON_DENIED, "");
}

/* --- waiting --- */

static void wait_over(struct host *host)
{
    while (host->out.verdict == SCRIPT_WAIT) {
        assert_non_null(host->waiting);
        sleep_ms((unsigned)host->out.wait_ms);
        script_resume(&host->waiting, &host->out);
    }
    assert_null(host->waiting);
}

static void a_script_that_sleeps_waits_and_goes_on(void **state)
{
    HOST;
    host_run(host, "lb.sleep(0.02) return conn.listener == 'main'");
    assert_int_equal(host->out.verdict, SCRIPT_WAIT);
    assert_int_equal(host->out.reason, REASON_NONE);
    assert_in_range(host->out.wait_ms, 18, 20);
    wait_over(host);
    assert_allows(host);
    assert_true(host->out.cpu_us < 15000);
}

static void an_early_resume_waits_again(void **state)
{
    HOST;
    host_run(host, "lb.sleep(0.05) return true");
    script_resume(&host->waiting, &host->out);
    assert_int_equal(host->out.verdict, SCRIPT_WAIT);
    assert_in_range(host->out.wait_ms, 30, 50);
    wait_over(host);
    assert_allows(host);
}

static void a_sleep_in_a_loop_waits_each_time(void **state)
{
    HOST;
    host_run(host, "for i = 1, 3 do lb.sleep(0.002) end return true");
    wait_over(host);
    assert_allows(host);
}

static void a_sleep_inside_pcall_waits(void **state)
{
    HOST;
    host_run(host, "local ok = pcall(function() lb.sleep(0.002) error('x') end) return not ok");
    wait_over(host);
    assert_allows(host);
}

static void a_sleep_in_nested_coroutines_reaches_the_host(void **state)
{
    HOST;
    host_run(host,
             "local f = coroutine.wrap(function()\n"
             "  local co = coroutine.create(function(a) lb.sleep(0.002) coroutine.yield(a) lb.sleep(0.002)"
             " return 'end' end)\n"
             "  local _, first = coroutine.resume(co, 'one') coroutine.yield(first)\n"
             "  local _, second = coroutine.resume(co) coroutine.yield(second) end)\n"
             "return f() == 'one' and f() == 'end'");
    assert_int_equal(host->out.verdict, SCRIPT_WAIT);
    wait_over(host);
    assert_allows(host);
}

static void a_sleep_where_none_can_wait_is_an_error(void **state)
{
    static const char *const bodies[] = {
        "table.sort({1, 2}, function() lb.sleep(0) end)", "('x'):gsub('x', function() lb.sleep(0) end)",
        "tostring(setmetatable({}, {__tostring = function() lb.sleep(0) return '' end}))",
        "table.sort({1, 2}, function() coroutine.wrap(function() lb.sleep(0) end)() end)",
        "table.sort({1, 2}, function() coroutine.wrap(coroutine.wrap(function() lb.sleep(0) end))() end)"};
    HOST;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        host_run(host, bodies[i]);
        assert_denies(host, REASON_SCRIPT_ERROR, "lb.sleep cannot wait inside");
    }
}

static void sleep_takes_seconds_only(void **state)
{
    static const char *const values[] = {"-1", "0/0", "1/0", "'x'", "nil", ""};
    HOST;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char body[64];
        snprintf(body, sizeof(body), "lb.sleep(%s) return true", values[i]);
        host_run(host, body);
        assert_denies(host, REASON_SCRIPT_ERROR, "sleep");
    }
}

static void a_wait_beyond_the_time_limit_denies_when_it_is_reached(void **state)
{
    HOST;
    host->settings.timeout_ms = 40;
    host_run(host, "lb.sleep(3600) return true");
    assert_int_equal(host->out.verdict, SCRIPT_WAIT);
    assert_in_range(host->out.wait_ms, 35, 40);
    wait_over(host);
    assert_denies(host, REASON_SCRIPT_TIME, "policy.lua:2: took longer than 40 ms (script-timeout)");
}

static void waits_in_a_loop_that_catches_end_at_the_time_limit(void **state)
{
    HOST;
    host->settings.timeout_ms = 40;
    host_run(host, "while true do pcall(lb.sleep, 0.005) end");
    wait_over(host);
    assert_denies(host, REASON_SCRIPT_TIME, "took longer than 40 ms");
}

static void a_call_that_waits_can_be_cancelled(void **state)
{
    HOST;
    host_run(host, "lb.sleep(60) return true");
    script_cancel(&host->waiting);
    assert_null(host->waiting);
    host_call(host);
    assert_int_equal(host->out.verdict, SCRIPT_WAIT);
}

static void calls_that_wait_do_not_disturb_each_other(void **state)
{
    HOST;
    struct script_call *calls[20];
    host_load(host, "function on_authorize(conn) local port = conn.port lb.sleep(0.01)"
                    " return conn.port == port, 'mixed up' end");
    for (unsigned i = 0; i < 20; i++) {
        host->conn.port = i;
        script_authorize(host->script, &host->conn, &host->out, &calls[i]);
        assert_int_equal(host->out.verdict, SCRIPT_WAIT);
    }
    sleep_ms(15);
    for (unsigned i = 20; i-- > 0;) {
        script_resume(&calls[i], &host->out);
        assert_allows(host);
        assert_null(calls[i]);
    }
}

static void a_conn_of_a_call_that_waits_is_not_valid_in_another(void **state)
{
    HOST;
    struct script_call *first;
    host_load(host, "function on_authorize(conn) if kept then return kept.port == 1 end\n"
                    " kept = conn lb.sleep(10) return true end");
    script_authorize(host->script, &host->conn, &host->out, &first);
    host_call(host);
    assert_denies(host, REASON_SCRIPT_ERROR, "only valid during the hook");
    script_cancel(&first);
}

static void a_coroutine_that_waits_cannot_be_resumed_or_closed_by_another_call(void **state)
{
    HOST;
    struct script_call *first;
    host_load(
        host,
        "local n = 0\n"
        "function on_authorize(conn)\n"
        "  n = n + 1\n"
        "  if n == 1 then\n"
        "    main = coroutine.running()\n"
        "    inner = coroutine.create(function() lb.sleep(0.02) return 'slept' end)\n"
        "    return select(2, coroutine.resume(inner)) == 'slept'\n"
        "  end\n"
        "  local a, why = coroutine.resume(inner) local b, why2 = coroutine.resume(main)\n"
        "  local c, d = pcall(coroutine.close, inner), pcall(coroutine.close, main)\n"
        "  return a == false and b == false and c == false and d == false and why:find('waits') ~= nil\n"
        "end");
    script_authorize(host->script, &host->conn, &host->out, &first);
    host_call(host);
    assert_allows(host);
    sleep_ms(25);
    script_resume(&first, &host->out);
    assert_allows(host);
}

static void a_script_can_be_freed_while_calls_wait(void **state)
{
    HOST;
    host_run(host, "coroutine.wrap(function() lb.sleep(60) end)()");
    assert_int_equal(host->out.verdict, SCRIPT_WAIT);
    host->waiting = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        script_test(a_script_that_does_not_exist_is_a_problem_with_its_absolute_path),
        script_test(a_folder_is_no_script),
        script_test(a_syntax_error_is_a_problem_at_its_own_line),
        script_test(an_error_of_the_top_level_is_a_problem_at_its_own_line),
        script_test(the_place_of_a_problem_is_right_for_a_long_path_too),
        script_test(a_script_without_hooks_is_a_problem),
        script_test(a_hook_that_is_no_function_is_no_hook),
        script_test(a_binary_chunk_is_refused),
        script_test(a_script_that_loops_while_it_is_loaded_is_refused),
        script_test(a_script_that_catches_its_loop_while_it_is_loaded_is_refused),
        script_test(a_script_that_fills_its_memory_while_it_is_loaded_is_refused),
        script_test(a_script_may_not_wait_while_it_is_loaded),
        script_test(a_script_may_not_yield_while_it_is_loaded),
        script_test(a_state_that_is_too_small_to_start_is_a_problem),
        script_test(a_state_that_is_too_small_for_its_libraries_is_a_problem),
        script_test(a_script_with_another_hook_only_denies),
        script_test(a_hook_that_is_replaced_later_stays_as_loaded),
        script_test(require_finds_a_file_beside_the_script),
        script_test(require_gives_the_same_value_twice_and_in_hooks),
        script_test(require_of_something_new_in_a_hook_is_an_error),
        script_test(require_refuses_names_that_could_leave_the_folder),
        script_test(require_refuses_a_symbolic_link_that_leads_out),
        script_test(require_of_a_missing_file_names_both_places),
        script_test(require_of_a_file_with_an_error_names_that_file),
        script_test(require_of_itself_is_an_error),
        script_test(require_refuses_binary_chunks),
        script_test(true_allows),
        script_test(false_with_a_reason_denies),
        script_test(false_alone_denies),
        script_test(a_condition_with_a_reason_allows_if_it_holds),
        script_test(anything_else_denies),
        script_test(allow_with_nothing_allows),
        script_test(allow_chooses_the_backend),
        script_test(allow_carries_log_fields),
        script_test(log_names_cannot_leave_their_quotes),
        script_test(log_fields_that_do_not_fit_are_left_out_whole),
        script_test(more_log_fields_than_allowed_are_left_out),
        script_test(allow_takes_clean_headers),
        script_test(a_mistake_in_allow_or_deny_denies_and_names_it),
        script_test(deny_gives_its_reason_and_log),
        script_test(controls_in_a_reason_become_question_marks),
        script_test(a_long_reason_is_cut),
        script_test(a_verdict_of_an_earlier_call_is_worth_nothing),
        script_test(a_verdict_made_while_loading_is_worth_nothing),
        script_test(an_error_names_file_and_line),
        script_test(an_error_that_is_no_text_is_told_by_its_type_and_place),
        script_test(an_error_can_be_caught),
        script_test(an_error_in_another_coroutine_comes_through_wrap),
        script_test(globals_stay_between_calls),
        script_test(the_facts_of_the_connection_can_be_read),
        script_test(the_facts_of_the_certificate_can_be_read),
        script_test(lists_can_be_walked),
        script_test(without_a_certificate_it_is_nil),
        script_test(without_tls_it_is_nil),
        script_test(an_unknown_field_is_an_error_that_names_the_nearest),
        script_test(what_lb_hands_in_is_read_only),
        script_test(conn_is_worth_nothing_after_its_hook),
        script_test(a_certificate_that_cannot_be_read_denies_even_if_caught),
        script_test(a_certificate_with_too_many_values_is_an_error),
        script_test(the_host_is_told_each_fact_that_is_read),
        script_test(an_option_is_a_list_and_a_set_and_a_text),
        script_test(an_option_that_is_not_set_is_an_error),
        script_test(an_optional_option_has_a_default),
        script_test(lb_offers_its_helpers),
        script_test(print_and_log_reach_the_host_without_controls),
        script_test(a_flood_of_log_lines_is_cut),
        script_test(what_is_out_of_bounds_is_not_there),
        script_test(what_is_of_use_is_there),
        script_test(coroutines_work),
        script_test(wrapped_coroutines_work),
        script_test(errors_in_coroutines_are_results),
        script_test(a_coroutine_can_be_closed),
        script_test(a_hook_itself_cannot_yield),
        script_test(a_script_that_sleeps_waits_and_goes_on),
        script_test(an_early_resume_waits_again),
        script_test(a_sleep_in_a_loop_waits_each_time),
        script_test(a_sleep_inside_pcall_waits),
        script_test(a_sleep_in_nested_coroutines_reaches_the_host),
        script_test(a_sleep_where_none_can_wait_is_an_error),
        script_test(sleep_takes_seconds_only),
        script_test(a_wait_beyond_the_time_limit_denies_when_it_is_reached),
        script_test(waits_in_a_loop_that_catches_end_at_the_time_limit),
        script_test(a_call_that_waits_can_be_cancelled),
        script_test(calls_that_wait_do_not_disturb_each_other),
        script_test(a_conn_of_a_call_that_waits_is_not_valid_in_another),
        script_test(a_coroutine_that_waits_cannot_be_resumed_or_closed_by_another_call),
        script_test(a_script_can_be_freed_while_calls_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
