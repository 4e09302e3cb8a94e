/* `lb authorize`: what a listener would decide about a certificate, by the code that decides about
 * connections. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lb/base/clock.h"
#include "lb/base/memory.h"
#include "lb/base/text.h"
#include "lb/base/version.h"
#include "lb/config/config.h"
#include "lb/control/authorize_ocsp.h"
#include "lb/control/commands.h"
#include "lb/tls/digest.h"
#include "lb/tls/dryrun.h"
#include "lb/tls/explain.h"

enum { ALLOWED = 0, DENIED = 1, FAILED = 2 };

#define CHAIN_MAX 16
#define FILE_MAX  (1024 * 1024)

struct run {
    const struct arguments *arguments;
    struct config *config;
    const struct listener *listener;
    struct slice der[CHAIN_MAX];
    size_t count;
    char *owned[2]; /* what der points into */
    char *ocsp;     /* a response */
    size_t ocsp_len;
    int64_t now_ms;
    char name[HELLO_NAME_MAX + 1]; /* that the client asks for, normalized; "" for none */
    char fields[2048];             /* what the script has read */
    struct text read;
};

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "lb authorize: %s: %s\n", what, why);
    return FAILED;
}

/* ---- input ---- */

/* Malloced, NUL-terminated; NULL after saying why not. */
static char *read_file(const char *path, size_t *len)
{
    FILE *in = fopen(path, "re");
    char *data = in ? mem_new(FILE_MAX + 1) : NULL;
    *len = data ? fread(data, 1, FILE_MAX + 1, in) : 0;
    const char *why = !data || ferror(in) ? strerror(errno) : *len > FILE_MAX ? "larger than 1 MB" : NULL;
    if (in)
        fclose(in);
    if (!why) {
        data[*len] = '\0';
        return data;
    }
    fail(path, why);
    free(data);
    return NULL;
}

/* Appends every certificate of a PEM file. A name that verification would refuse is verification's affair:
 * only what is no certificate at all is an error here. */
static bool add_file(struct run *run, const char *path, char **owned)
{
    size_t before = run->count, used = 0, text_len;
    char *text = read_file(path, &text_len);
    const char *why = NULL;
    if (!text)
        return false;
    struct slice pem = slice_of(text);
    *owned = mem_new(pem.len + 1);
    while (run->count < CHAIN_MAX) {
        size_t len = 0;
        if (!certificate_next_pem(&pem, *owned + used, &len, &why))
            break;
        run->der[run->count++] = slice_make(*owned + used, len);
        used += len;
    }
    free(text);
    if (!why && run->count == before)
        why = "holds no PEM certificate";
    if (why)
        fail(path, why);
    return !why;
}

static bool read_time(struct run *run, const char *text)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (!end || *end) {
        fail(text, "write the time as 2026-01-02T03:04:05Z");
        return false;
    }
    run->now_ms = (int64_t)timegm(&tm) * 1000;
    return true;
}

static bool check_address(const char *text)
{
    struct addr addr;
    const char *why;
    char full[ADDR_TEXT_MAX];
    snprintf(full, sizeof(full), strchr(text, ':') ? "[%.100s]:1" : "%.100s:1", text);
    if (addr_parse(full, &addr, &why))
        return true;
    fail(text, "this is no IP address");
    return false;
}

/* A name that is no host name is what a hello without a name would be. */
static bool choose_policy(struct run *run)
{
    const char *asked = run->arguments->sni;
    if (asked && !hello_normalize_name(slice_of(asked), run->name)) {
        fail(asked, "this is no host name");
        return false;
    }
    size_t policy = listener_policy(run->listener, slice_of(run->name));
    if (policy != NAME_MAP_NONE)
        run->listener = &run->listener->policies[policy];
    return true;
}

static bool load(struct run *run)
{
    struct problems problems = {0};
    char line[1024];
    run->config = config_load(run->arguments->paths, run->arguments->path_count, &problems);
    for (size_t i = 0; !run->config && i < problems.count; i++) {
        problems_format(&problems, i, line, sizeof(line));
        fprintf(stderr, "%s\n", line);
    }
    problems_free(&problems);
    if (!run->config)
        return false;
    run->listener = config_listener(run->config, run->arguments->listener);
    if (!run->listener)
        fail(run->arguments->listener, "no such listener in the configuration");
    return run->listener && choose_policy(run);
}

static bool prepare(struct run *run)
{
    const struct arguments *arguments = run->arguments;
    run->now_ms = clock_unix_ms();
    text_init(&run->read, run->fields, sizeof(run->fields));
    if (arguments->address && !check_address(arguments->address))
        return false;
    if (arguments->cert && !add_file(run, arguments->cert, &run->owned[0]))
        return false;
    if (arguments->chain && !add_file(run, arguments->chain, &run->owned[1]))
        return false;
    if (arguments->ocsp) {
        run->ocsp = read_file(arguments->ocsp, &run->ocsp_len);
        if (!run->ocsp)
            return false;
    }
    if (!load(run))
        return false;
    return !arguments->time || read_time(run, arguments->time);
}

/* ---- the script's host ---- */

static void host_log(void *context, int level, struct slice text)
{
    (void)context;
    (void)level;
    printf("script says: %.*s\n", (int)text.len, text.data);
}

static int64_t host_now(void *context)
{
    const struct run *run = context;
    return run->now_ms;
}

static void host_field_read(void *context, struct slice path)
{
    struct run *run = context;
    char word[256];
    snprintf(word, sizeof(word), " %.*s,", (int)path.len, path.data);
    if (strstr(run->fields, word))
        return;
    text_adds(&run->read, word);
}

static bool host_has_backend(void *context, struct slice name)
{
    const struct run *run = context;
    return config_backend(run->config, name) != NULL;
}

/* ---- the decision ---- */

static void print_verdict(const struct run *run, const char *decision, enum reason reason, const char *text)
{
    printf("listener: %s\n", run->listener->name);
    printf("decision: %s\n", decision);
    printf("reason:   %s\n", reason == REASON_NONE ? "-" : reason_name(reason));
    if (text && text[0])
        printf("text:     %s\n", text);
}

static void sleep_ms(uint64_t ms)
{
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

static void run_hook(struct script *script, const struct script_conn *conn, struct script_outcome *outcome)
{
    struct script_call *call = NULL;
    script_authorize(script, conn, outcome, &call);
    while (outcome->verdict == SCRIPT_WAIT) {
        sleep_ms(outcome->wait_ms);
        script_resume(&call, outcome);
    }
}

static int report_script(struct run *run, const struct script_outcome *outcome, uint64_t took_us)
{
    bool allow = outcome->verdict == SCRIPT_ALLOW;
    const char *own = run->listener->backend ? run->listener->backend->name : "-";
    print_verdict(run, allow ? "allow" : "deny", outcome->reason, outcome->text);
    if (allow)
        printf("backend:  %s\n", outcome->backend[0] ? outcome->backend : own);
    if (outcome->log[0])
        printf("log:      {%s}\n", outcome->log);
    if (run->read.len > 0)
        run->fields[run->read.len - 1] = '\0';
    printf("read:    %s\n", run->read.len > 0 ? run->fields : " nothing");
    printf("took:     %llu us (%llu us of CPU in the script)\n", (unsigned long long)took_us,
           (unsigned long long)outcome->cpu_us);
    return allow ? ALLOWED : DENIED;
}

static int ask_script(struct run *run, const struct script_conn *conn)
{
    struct script_host host = {
        .context = run,
        .log = host_log,
        .now_ms = host_now,
        .sha256 = digest_sha256,
        .field_read = host_field_read,
        .has_backend = host_has_backend,
        .version = LB_VERSION,
    };
    struct script_outcome outcome = {0};
    struct problems problems = {0};
    char line[1024];
    struct script *script = script_new(&run->listener->script, &host, run->listener->place, &problems);
    if (!script) {
        problems_format(&problems, 0, line, sizeof(line));
        problems_free(&problems);
        return fail(run->listener->script.path, line);
    }
    uint64_t started = clock_us();
    if (script_decides_connections(script))
        run_hook(script, conn, &outcome);
    else /* on_request decides about each request */
        outcome.verdict = SCRIPT_ALLOW;
    int code = report_script(run, &outcome, clock_us() - started);
    free(outcome.extra);
    script_free(script);
    problems_free(&problems);
    return code;
}

static int allow_without_script(const struct run *run)
{
    print_verdict(run, "allow", REASON_NONE, "the listener has no script: whoever verified is allowed");
    printf("backend:  %s\n", run->listener->backend ? run->listener->backend->name : "-");
    return ALLOWED;
}

static int decide(struct run *run, const struct certificate *chain, size_t count)
{
    struct script_certificate certificates[CHAIN_MAX + 1];
    const char *address = run->arguments->address ? run->arguments->address : "127.0.0.1";
    if (!run->listener->script.path)
        return allow_without_script(run);
    for (size_t i = 0; i < count && i <= CHAIN_MAX; i++)
        certificates[i].certificate = &chain[i];
    struct script_conn conn = {
        .listener = slice_of(run->listener->name),
        .address = slice_of(address),
        .port = 50000,
        .server_name = slice_of(run->name),
        .tls = run->listener->tls.mode != TLS_OFF,
        .tls_version = SLICE_LITERAL("TLSv1.3"),
        .tls_cipher = SLICE_LITERAL("TLS_AES_128_GCM_SHA256"),
        .tls_group = SLICE_LITERAL("X25519"),
        .chain = certificates,
        .chain_len = count,
        .ops = &certificate_ops,
    };
    return ask_script(run, &conn);
}

/* ---- what the verdict rests on ---- */

static void print_rules(const struct run *run)
{
    const struct listener *listener = run->listener;
    const struct tls_settings *tls = &listener->tls;
    printf("name:     %s, met by %s%s%s\n", run->name[0] ? run->name : "(none)",
           listener->host ? "[certificate " : "the listener's own rules",
           listener->host ? listener->host : "", listener->host ? "]" : "");
    printf("rules:    tls = %s", tls_mode_name(tls->mode));
    if (tls->client_ca.path)
        printf(", client-ca = %s", tls->client_ca.path);
    for (size_t i = 0; i < tls->crl_count; i++)
        printf(", client-crl = %s", tls->crls[i].path);
    if (tls->crl_count > 0)
        printf(", crl-depth = %s, crl-required = %s", tls->crl_depth == CRL_DEPTH_LEAF ? "leaf" : "chain",
               tls->crl_required ? "yes" : "no");
    puts("");
}

static void print_step(void *context, const char *text)
{
    (void)context;
    printf("chain:    %s\n", text);
}

/* Before anything of TLS is begun, as the live listener does. */
static bool refuses_name(const struct run *run)
{
    const struct listener *base = config_listener(run->config, run->arguments->listener);
    struct hello hello = {.offers_ecdsa = true, .offers_rsa = true};
    if (!base->sites)
        return false;
    snprintf(hello.name, sizeof(hello.name), "%s", run->name);
    return tls_sites_choose(base->sites, &hello) == SITES_NONE;
}

static int judged(struct run *run, bool admitted, const struct tls_dry_run *dry)
{
    tls_explain(dry, run->der, run->count, print_step, NULL);
    struct tls_failure failure = dry->failure;
    admitted = admitted && authorize_ocsp(&run->listener->tls, dry->chain, dry->count,
                                          slice_make(run->ocsp, run->ocsp_len), run->now_ms / 1000, &failure);
    if (admitted)
        return decide(run, dry->chain, dry->count);
    print_verdict(run, "deny", failure.reason, failure.text);
    return DENIED;
}

static int verify_and_decide(struct run *run)
{
    enum tls_mode mode = run->listener->tls.mode;
    struct problems problems = {0};
    struct tls_dry_run dry;
    if (mode != TLS_OFF)
        print_rules(run);
    if (mode != TLS_OFF && refuses_name(run)) {
        print_verdict(run, "deny", REASON_NAME_UNKNOWN, reason_meaning(REASON_NAME_UNKNOWN));
        return DENIED;
    }
    if (mode == TLS_OFF || mode == TLS_ONE_WAY) {
        puts("this listener asks for no certificate: the one given is not looked at");
        return decide(run, NULL, 0);
    }
    bool admitted =
        tls_dry_run(&run->listener->tls, run->der, run->count, run->now_ms / 1000, &problems, &dry);
    int code = judged(run, admitted, &dry);
    tls_dry_run_end(&dry);
    problems_free(&problems);
    return code;
}

int command_authorize(const struct arguments *arguments)
{
    struct run run = {.arguments = arguments};
    int code = prepare(&run) ? verify_and_decide(&run) : FAILED;
    if (run.config)
        config_drop(run.config);
    free(run.owned[0]);
    free(run.owned[1]);
    free(run.ocsp);
    return code;
}
