/* A host for scripts under test: made-up facts, scripts written to a temporary folder, everything the host is
 * told kept. */
#ifndef TESTS_UNIT_TEST_SCRIPT_HOST_H
#define TESTS_UNIT_TEST_SCRIPT_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lb/base/clock.h"
#include "lb/base/log.h"
#include "scripting/script.h"

/* --- certificates --- */

struct fact {
    enum script_field field;
    const char *key; /* NULL: any */
    const char *value;
    size_t len; /* 0: strlen */
};

struct fake {
    struct fact facts[24]; /* ends at the first without value */
    int64_t not_before, not_after, bits;
    bool broken;
};

__attribute__((unused)) static bool fake_values(const void *certificate, enum script_field field,
                                                struct slice key, script_emit *emit, void *sink)
{
    const struct fake *fake = certificate;
    for (const struct fact *fact = fake->facts; fact->value; fact++)
        if (fact->field == field && (!fact->key || slice_is(key, fact->key)))
            emit(sink, slice_make(fact->value, fact->len ? fact->len : strlen(fact->value)));
    return !fake->broken;
}

__attribute__((unused)) static bool fake_number(const void *certificate, enum script_field field,
                                                int64_t *out)
{
    const struct fake *fake = certificate;
    *out = field == FIELD_NOT_BEFORE  ? fake->not_before
           : field == FIELD_NOT_AFTER ? fake->not_after
                                      : fake->bits;
    return !fake->broken;
}

static const struct script_certificate_ops fake_ops = {fake_values, fake_number};

static const struct fake alice = {
    .facts =
        {
            {FIELD_SUBJECT_ATTRIBUTE, "CN", "alice"},
            {FIELD_SUBJECT_ATTRIBUTE, "OU", "payments"},
            {FIELD_SUBJECT_ATTRIBUTE, "OU", "audit"},
            {FIELD_SUBJECT_ATTRIBUTE, "O", "Example"},
            {FIELD_SUBJECT_ATTRIBUTE, "2.5.4.5", "by oid"},
            {FIELD_SUBJECT_TEXT, NULL, "CN=alice,OU=payments,OU=audit,O=Example"},
            {FIELD_ISSUER_ATTRIBUTE, "CN", "Example CA"},
            {FIELD_ISSUER_TEXT, NULL, "CN=Example CA"},
            {FIELD_SERIAL, NULL, "0A1B"},
            {FIELD_SAN_DNS, NULL, "a.example"},
            {FIELD_SAN_DNS, NULL, "b.example"},
            {FIELD_SAN_URI, NULL, "spiffe://example.org/payments/api"},
            {FIELD_KEY_TYPE, NULL, "EC"},
            {FIELD_KEY_USAGE, NULL, "digitalSignature"},
            {FIELD_EXTENDED_KEY_USAGE, NULL, "clientAuth"},
            {FIELD_EXTENDED_KEY_USAGE, NULL, "1.2.3.4"},
            {FIELD_POLICIES, NULL, "2.23.140.1.2.2"},
            {FIELD_SHA256, NULL, "aa11"},
            {FIELD_SPKI_SHA256, NULL, "bb22"},
            {FIELD_SPIFFE_ID, NULL, "spiffe://example.org/payments/api"},
            {FIELD_DER, NULL, "0\0\1\xFF", 4},
            {FIELD_EXTENSION, "1.2.3", "\4\0x", 3},
        },
    .not_before = 1700000000,
    .not_after = 1900000000,
    .bits = 256,
};

static const struct fake root = {
    .facts = {{FIELD_SUBJECT_ATTRIBUTE, "CN", "Example CA"}, {FIELD_SUBJECT_TEXT, NULL, "CN=Example CA"}}};

/* --- messages --- */

struct message {
    char *names[160], *values[160];
    size_t count;
    const char *refuses; /* a name that set and add refuse */
    struct slice body;
    bool body_there;
    size_t body_asked; /* how often */
};

__attribute__((unused)) static bool message_field(void *context, size_t index, struct slice *name,
                                                  struct slice *value)
{
    const struct message *message = context;
    if (index >= message->count)
        return false;
    *name = slice_of(message->names[index]);
    *value = slice_of(message->values[index]);
    return true;
}

__attribute__((unused)) static const char *message_add(void *context, struct slice name, struct slice value)
{
    struct message *message = context;
    if (message->refuses && slice_is(name, message->refuses))
        return "this decides about framing";
    if (message->count == sizeof(message->names) / sizeof(message->names[0]))
        return "out of memory";
    message->names[message->count] = strndup(name.data, name.len);
    message->values[message->count++] = strndup(value.data, value.len);
    return NULL;
}

__attribute__((unused)) static void message_remove(void *context, struct slice name)
{
    struct message *message = context;
    size_t kept = 0;
    for (size_t i = 0; i < message->count; i++) {
        if (slice_is(name, message->names[i])) {
            free(message->names[i]);
            free(message->values[i]);
            continue;
        }
        message->names[kept] = message->names[i];
        message->values[kept++] = message->values[i];
    }
    message->count = kept;
}

__attribute__((unused)) static const char *message_set(void *context, struct slice name, struct slice value)
{
    const struct message *message = context;
    if (!message->refuses || !slice_is(name, message->refuses))
        message_remove(context, name);
    return message_add(context, name, value);
}

__attribute__((unused)) static bool message_body(void *context, struct slice *body)
{
    struct message *message = context;
    message->body_asked++;
    *body = message->body;
    return message->body_there;
}

static const struct script_message_ops message_ops = {message_field, message_set, message_add, message_remove,
                                                      message_body};

__attribute__((unused)) static void message_free(struct message *message)
{
    for (size_t i = 0; i < message->count; i++) {
        free(message->names[i]);
        free(message->values[i]);
    }
    message->count = 0;
}

/* All fields as "name: value\n"…, in order. */
__attribute__((unused)) static const char *message_text(const struct message *message)
{
    static char text[8192];
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < message->count && at < sizeof(text); i++)
        at +=
            (size_t)snprintf(text + at, sizeof(text) - at, "%s: %s\n", message->names[i], message->values[i]);
    return text;
}

/* --- the host --- */

struct host {
    char folder[64];
    char log[4096];  /* "level text\n"… */
    char read[4096]; /* "path\n"… */
    size_t lines;
    int64_t now_ms;
    struct problems problems;
    struct script *script;
    struct script_certificate chain[2];
    struct script_conn conn;
    struct script_outcome out;
    struct script_call *waiting;
    struct script_settings settings;
    struct script_option options[8];
    char path[512];
    struct message asked, answered; /* request and response */
    struct script_request request;
    struct script_response response;
    bool no_rate;
    char rate_key[300]; /* what the host was last asked to count */
    unsigned rate_limit, rate_count;
    uint64_t rate_window;
};

__attribute__((unused)) static void host_log(void *context, int level, struct slice text)
{
    struct host *host = context;
    size_t at = strlen(host->log);
    host->lines++;
    snprintf(host->log + at, sizeof(host->log) - at, "%d %.*s\n", level, (int)text.len, text.data);
}

__attribute__((unused)) static int64_t host_now(void *context)
{
    return ((struct host *)context)->now_ms;
}

__attribute__((unused)) static void host_sha256(struct slice in, unsigned char out[32])
{
    memset(out, (int)in.len, 32);
}

__attribute__((unused)) static void host_read(void *context, struct slice path)
{
    struct host *host = context;
    size_t at = strlen(host->read);
    snprintf(host->read + at, sizeof(host->read) - at, "%.*s\n", (int)path.len, path.data);
}

__attribute__((unused)) static bool host_has_backend(void *context, struct slice name)
{
    (void)context;
    return slice_is(name, "app") || slice_is(name, "other");
}

__attribute__((unused)) static bool host_has_server(void *context, struct slice backend, struct slice name)
{
    (void)context;
    return (backend.len == 0 && slice_is(name, "own1")) || (slice_is(backend, "app") && slice_is(name, "a1"));
}

/* Within the limit for as many calls as it says. */
__attribute__((unused)) static bool host_rate(void *context, struct slice key, unsigned limit,
                                              uint64_t window_ms)
{
    struct host *host = context;
    snprintf(host->rate_key, sizeof(host->rate_key), "%.*s", (int)key.len, key.data);
    host->rate_limit = limit;
    host->rate_window = window_ms;
    return ++host->rate_count <= limit;
}

__attribute__((unused)) static void host_messages(struct host *host)
{
    message_add(&host->asked, slice_of("host"), slice_of("api.example"));
    message_add(&host->asked, slice_of("x-a"), slice_of("one"));
    message_add(&host->asked, slice_of("cookie"), slice_of("session=s1; theme=dark"));
    message_add(&host->asked, slice_of("x-a"), slice_of("two"));
    message_add(&host->answered, slice_of("content-type"), slice_of("text/plain"));
    message_add(&host->answered, slice_of("server"), slice_of("origin"));
    host->request = (struct script_request){.message = {&host->asked, &message_ops},
                                            .conn = &host->conn,
                                            .method = SLICE_LITERAL("GET"),
                                            .path = SLICE_LITERAL("/payments/7"),
                                            .query = SLICE_LITERAL("a=1"),
                                            .has_query = true,
                                            .host = SLICE_LITERAL("api.example"),
                                            .scheme = SLICE_LITERAL("https"),
                                            .id = SLICE_LITERAL("id-1")};
    host->response = (struct script_response){.message = {&host->answered, &message_ops},
                                              .request = &host->request,
                                              .status = 200};
}

__attribute__((unused)) static void host_conn(struct host *host, const struct fake *leaf)
{
    host->chain[0].certificate = leaf;
    host->chain[1].certificate = &root;
    host->conn = (struct script_conn){.listener = SLICE_LITERAL("main"),
                                      .address = SLICE_LITERAL("192.0.2.7"),
                                      .port = 4711,
                                      .server_name = SLICE_LITERAL("api.example"),
                                      .tls = true,
                                      .tls_version = SLICE_LITERAL("TLSv1.3"),
                                      .tls_cipher = SLICE_LITERAL("TLS_AES_128_GCM_SHA256"),
                                      .tls_group = SLICE_LITERAL("X25519"),
                                      .chain = host->chain,
                                      .chain_len = leaf ? 2 : 0,
                                      .ops = &fake_ops};
}

__attribute__((unused)) static int host_setup(void **state)
{
    struct host *host = calloc(1, sizeof(*host));
    snprintf(host->folder, sizeof(host->folder), "/tmp/lb-script-XXXXXX");
    if (!mkdtemp(host->folder))
        return -1;
    snprintf(host->path, sizeof(host->path), "%s/policy.lua", host->folder);
    host->settings = (struct script_settings){
        .path = host->path, .options = host->options, .cpu_ms = 100, .timeout_ms = 1000, .memory = 4u << 20};
    host->now_ms = 1767225600000; /* 2026-01-01T00:00:00Z, a Thursday */
    host_conn(host, &alice);
    host_messages(host);
    *state = host;
    return 0;
}

__attribute__((unused)) static int host_teardown(void **state)
{
    struct host *host = *state;
    char command[128];
    free(host->out.extra);
    message_free(&host->asked);
    message_free(&host->answered);
    script_free(host->script);
    problems_free(&host->problems);
    snprintf(command, sizeof(command), "rm -rf '%s'", host->folder);
    int status = system(command);
    free(host);
    return status;
}

__attribute__((unused)) static void host_file(struct host *host, const char *name, const char *text)
{
    char path[600];
    snprintf(path, sizeof(path), "%s/%s", host->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

__attribute__((unused)) static void host_option(struct host *host, const char *name, const char *value)
{
    host->options[host->settings.option_count++] = (struct script_option){(char *)name, (char *)value};
}

__attribute__((unused)) static struct script *host_try(struct host *host, const char *path)
{
    const struct script_host callbacks = {.context = host,
                                          .log = host_log,
                                          .now_ms = host_now,
                                          .sha256 = host_sha256,
                                          .field_read = host_read,
                                          .has_backend = host_has_backend,
                                          .has_server = host_has_server,
                                          .rate = host->no_rate ? NULL : host_rate,
                                          .version = "1.2.3"};
    host->settings.path = (char *)path;
    return script_new(&host->settings, &callbacks, (struct place){"lb.ini", 7}, &host->problems);
}

/* The first problem as "file:line: text". */
__attribute__((unused)) static const char *host_problem(struct host *host)
{
    static char line[1024];
    line[0] = '\0';
    if (host->problems.count > 0)
        problems_format(&host->problems, 0, line, sizeof(line));
    return line;
}

__attribute__((unused)) static void host_load(struct host *host, const char *lua)
{
    host_file(host, "policy.lua", lua);
    script_free(host->script);
    host->script = host_try(host, host->path);
    if (!host->script)
        fail_msg("%s", host_problem(host));
}

__attribute__((unused)) static void host_load_path(struct host *host, const char *path)
{
    script_free(host->script);
    host->script = host_try(host, path);
    if (!host->script)
        fail_msg("%s", host_problem(host));
}

__attribute__((unused)) static void host_call(struct host *host)
{
    free(host->out.extra);
    script_authorize(host->script, &host->conn, &host->out, &host->waiting);
}

/* Loads a script whose on_authorize has this body, and calls it. */
__attribute__((unused)) static void host_run(struct host *host, const char *body)
{
    size_t size = strlen(body) + 64;
    char *lua = malloc(size);
    assert_non_null(lua);
    snprintf(lua, size, "function on_authorize(conn)\n%s\nend\n", body);
    host_load(host, lua);
    free(lua);
    host_call(host);
}

static const char *const hook_names[] = {"on_authorize(conn)", "on_request(req)", "on_response(res)"};

/* Calls the hook of the script that is loaded. */
__attribute__((unused)) static void host_call_hook(struct host *host, enum script_hook hook)
{
    free(host->out.extra);
    if (hook == HOOK_AUTHORIZE)
        script_authorize(host->script, &host->conn, &host->out, &host->waiting);
    else if (hook == HOOK_REQUEST)
        script_request(host->script, &host->request, &host->out, &host->waiting);
    else
        script_response(host->script, &host->response, &host->out, &host->waiting);
}

/* Loads a script of an http listener whose hook has this body, and calls it. */
__attribute__((unused)) static void host_run_hook(struct host *host, enum script_hook hook, const char *body)
{
    size_t size = strlen(body) + 64;
    char *lua = malloc(size);
    assert_non_null(lua);
    snprintf(lua, size, "function %s\n%s\nend\n", hook_names[hook], body);
    host->settings.http = true;
    host_load(host, lua);
    free(lua);
    host_call_hook(host, hook);
}

__attribute__((unused)) static void sleep_ms(unsigned ms)
{
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

/* --- what is expected --- */

#define assert_allows(host)                                                                                  \
    do {                                                                                                     \
        if ((host)->out.verdict != SCRIPT_ALLOW)                                                             \
            fail_msg("not allowed: %s: %s", reason_name((host)->out.reason), (host)->out.text);              \
    } while (0)

#define assert_denies(host, expected, part)                                                                  \
    do {                                                                                                     \
        if ((host)->out.verdict != SCRIPT_DENY || (host)->out.reason != (expected) ||                        \
            !strstr((host)->out.text, part))                                                                 \
            fail_msg("verdict %d, %s: \"%s\"", (host)->out.verdict, reason_name((host)->out.reason),         \
                     (host)->out.text);                                                                      \
    } while (0)

/* What went wrong with a script: its client is told 500. */
#define assert_fails(host, expected, part)                                                                   \
    do {                                                                                                     \
        assert_denies(host, expected, part);                                                                 \
        assert_int_equal((host)->out.status, 500);                                                           \
        assert_null((host)->out.extra);                                                                      \
    } while (0)

#define assert_contains(text, part)                                                                          \
    do {                                                                                                     \
        if (!strstr(text, part))                                                                             \
            fail_msg("\"%s\" is not in \"%s\"", part, text);                                                 \
    } while (0)

#define refused(host, lua, part)                                                                             \
    do {                                                                                                     \
        host_file(host, "policy.lua", lua);                                                                  \
        assert_null(host_try(host, (host)->path));                                                           \
        assert_contains(host_problem(host), part);                                                           \
    } while (0)

#define script_test(f) cmocka_unit_test_setup_teardown(f, host_setup, host_teardown)

#endif
