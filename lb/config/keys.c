#include "lb/config/keys.h"

#include <string.h>

#include "lb/base/units.h"
#include "lb/config/config.h"
#include "lb/config/values.h"

#define FIELD(type, field)  .offset = offsetof(struct type, field), .size = sizeof(((struct type *)0)->field)
#define GLOBAL(field)       FIELD(config, field)
#define LISTENER(field)     FIELD(listener, field)
#define BACKEND(field)      FIELD(backend, field)
#define NUMBER(low, high)   .type = VALUE_NUMBER, .min = (low), .max = (high)
#define SIZE(low, high)     .type = VALUE_SIZE, .min = (low), .max = (high)
#define DURATION(low, high) .type = VALUE_DURATION, .min = (low), .max = (high)
#define CHOICE(table)       .type = VALUE_CHOICE, .choices = (table)
#define OWN(function, how)  .type = VALUE_OWN, .parse = (function), .form = (how)
#define HELP(text)          .help = text

#define SECOND    UINT64_C(1000)
#define HOUR      (3600 * SECOND)
#define DAY       (24 * HOUR)
#define MEGABYTE  (UINT64_C(1) << 20)
#define MANY      UINT64_C(10000000) /* connections: more than one machine has descriptors for */
#define PATH_FORM "a path without blanks"

static const struct choice formats[] = {{"text", LOG_TEXT}, {"json", LOG_JSON}, {NULL, 0}};

static const struct choice levels[] = {
    {"debug", LOG_DEBUG}, {"info", LOG_INFO}, {"warning", LOG_WARNING}, {"error", LOG_ERROR}, {NULL, 0}};

static const struct choice protocols[] = {{"tcp", PROTOCOL_TCP}, {"respond", PROTOCOL_RESPOND}, {NULL, 0}};

static const struct choice modes[] = {{"off", TLS_OFF},
                                      {"one-way", TLS_ONE_WAY},
                                      {"mutual-optional", TLS_MUTUAL_OPTIONAL},
                                      {"mutual", TLS_MUTUAL},
                                      {NULL, 0}};

static const struct choice versions[] = {{"1.2", TLS_1_2}, {"1.3", TLS_1_3}, {NULL, 0}};

/* In the order of the reference. */
const struct key keys[] = {
    {SECTION_GLOBAL, "workers", OWN(value_workers, "auto or 1 to 256"), GLOBAL(workers), .fallback = "auto",
     .flags = KEY_RESTART,
     HELP("Threads that serve connections. `auto`: one for each CPU that the process may run on.")},
    {SECTION_GLOBAL, "max-connections", NUMBER(0, MANY), GLOBAL(max_connections), .fallback = "0",
     HELP("Client connections at the same time, over all listeners. 0: as many as the limit of file "
          "descriptors "
          "allows.")},
    {SECTION_GLOBAL, "shutdown-timeout", DURATION(0, DAY), GLOBAL(shutdown_timeout_ms), .fallback = "30s",
     HELP("After SIGTERM, connections have this long to end by themselves. 0: they are closed at once.")},
    {SECTION_GLOBAL, "admin", OWN(value_admin, "off or unix:PATH"), GLOBAL(admin), .fallback = "off",
     .flags = KEY_RESTART, HELP("Unix socket that `lb ctl` talks to. Whoever may open it may steer lb.")},
    {SECTION_GLOBAL, "log", .type = VALUE_TEXT, .form = "stdout, stderr or a path", GLOBAL(log_target),
     .fallback = "stdout", HELP("Where the log goes. A file is appended to, and opened again on SIGUSR1.")},
    {SECTION_GLOBAL, "log-format", CHOICE(formats), GLOBAL(log_format), .fallback = "text",
     HELP("`json`: one object on each line.")},
    {SECTION_GLOBAL, "log-level", CHOICE(levels), GLOBAL(log_level), .fallback = "info",
     HELP("The least important events that are still logged.")},

    {SECTION_LISTENER, "bind", OWN(value_bind, "addresses, separated by commas"), .flags = KEY_REPEAT,
     HELP("Required. Where clients connect: `127.0.0.1:8443`, `[::1]:8443`, `*:8443` (all of IPv4), "
          "`[::]:8443` (all of "
          "IPv6) or `unix:/path`.")},
    {SECTION_LISTENER, "protocol", CHOICE(protocols), LISTENER(protocol), .fallback = "tcp",
     HELP("`tcp`: relay the bytes to a server of `backend`. `respond`: answer each HTTP request with "
          "`respond-status` and "
          "`respond-text`, without any server.")},
    {SECTION_LISTENER, "tls", CHOICE(modes), LISTENER(tls.mode), .fallback = "off", .flags = KEY_IN_DEFAULTS,
     HELP("`one-way`: the server shows a certificate. `mutual`: the client must show one too, issued by "
          "`client-ca`. "
          "`mutual-optional`: it may; one that does not verify is refused all the same.")},
    {SECTION_LISTENER, "tls-min", CHOICE(versions), LISTENER(tls.min), .fallback = "1.2",
     .flags = KEY_IN_DEFAULTS | KEY_FOR_TLS, HELP("Oldest TLS version accepted.")},
    {SECTION_LISTENER, "tls-max", CHOICE(versions), LISTENER(tls.max), .fallback = "1.3",
     .flags = KEY_IN_DEFAULTS | KEY_FOR_TLS, HELP("Newest TLS version accepted.")},
    {SECTION_LISTENER, "certificate", OWN(value_certificate, "CHAIN.pem or CHAIN.pem KEY.pem"),
     .flags = KEY_FOR_TLS,
     HELP("Required with TLS. PEM: the server's certificate first, then its intermediates. The private key "
          "is in the "
          "second file, or in the same one. Paths without blanks, at most 16 MB.")},
    {SECTION_LISTENER, "client-ca", OWN(value_client_ca, PATH_FORM), .flags = KEY_FOR_CLIENTS,
     HELP("Required with client certificates. PEM with the CAs that issue them; the system's CAs are never "
          "used.")},
    {SECTION_LISTENER, "client-crl", OWN(value_client_crl, PATH_FORM), .flags = KEY_FOR_CLIENTS,
     HELP("Revocation lists of the CAs, one or more as PEM, or one as DER. What is on a list is refused.")},
    {SECTION_LISTENER, "crl-required", .type = VALUE_BOOL, LISTENER(tls.crl_required), .fallback = "no",
     .flags = KEY_IN_DEFAULTS | KEY_FOR_CLIENTS,
     HELP("`yes`: refuse clients whose CA has no list in `client-crl`, or one that is past its nextUpdate.")},
    {SECTION_LISTENER, "verify-depth", NUMBER(0, 9), LISTENER(tls.verify_depth), .fallback = "4",
     .flags = KEY_IN_DEFAULTS | KEY_FOR_CLIENTS,
     HELP("Intermediate CAs allowed between the client's certificate and the CA of `client-ca`.")},
    {SECTION_LISTENER, "ciphers", OWN(value_ciphers, "names, separated by ':'"),
     .flags = KEY_IN_DEFAULTS | KEY_FOR_TLS | KEY_REPEAT,
     HELP("Cipher suites, the preferred one first. Without it, the default list.")},
    {SECTION_LISTENER, "groups", OWN(value_groups, "names, separated by ':'"),
     .flags = KEY_IN_DEFAULTS | KEY_FOR_TLS | KEY_REPEAT,
     HELP("Groups for the key exchange, the preferred one first. Without it, the default list.")},
    {SECTION_LISTENER, "alpn", OWN(value_alpn, "names, separated by commas"),
     .flags = KEY_IN_DEFAULTS | KEY_FOR_TLS | KEY_REPEAT,
     HELP("Application protocols offered, the preferred one first: `h2, http/1.1`. Without it, none is "
          "negotiated.")},
    {SECTION_LISTENER, "script", .type = VALUE_TEXT, .form = "a path", LISTENER(script.path),
     HELP("Lua script that decides who gets in, after the handshake and before any server is touched. "
          "Whatever "
          "goes wrong in it refuses the connection.")},
    {SECTION_LISTENER, "option.", OWN(value_option, "any text"),
     .flags = KEY_PREFIX | KEY_EMPTY | KEY_FOR_SCRIPT,
     HELP("`option.NAME = VALUE` reaches the script as `lb.options.NAME`; NAME is of letters, digits and "
          "'_'.")},
    {SECTION_LISTENER, "script-cpu", DURATION(1, 10 * SECOND), LISTENER(script.cpu_ms), .fallback = "50ms",
     .flags = KEY_IN_DEFAULTS | KEY_FOR_SCRIPT,
     HELP("CPU time that a script may use for one decision; no other connection of the thread moves "
          "meanwhile.")},
    {SECTION_LISTENER, "script-timeout", DURATION(1, HOUR), LISTENER(script.timeout_ms), .fallback = "2s",
     .flags = KEY_IN_DEFAULTS | KEY_FOR_SCRIPT,
     HELP("Time that one decision may take, waiting included. Then the connection is refused.")},
    {SECTION_LISTENER, "script-memory", SIZE(MEGABYTE, 1024 * MEGABYTE), LISTENER(script.memory),
     .fallback = "8m", .flags = KEY_IN_DEFAULTS | KEY_FOR_SCRIPT,
     HELP("Memory that the script may use in each worker.")},
    {SECTION_LISTENER, "backend", .type = VALUE_TEXT, .form = "NAME of a [backend NAME]",
     LISTENER(backend_name), .flags = KEY_FOR_TCP,
     HELP("Required with `protocol = tcp`. Where connections go, unless the script names another backend.")},
    {SECTION_LISTENER, "timeout-handshake", DURATION(1, HOUR), LISTENER(timeout_handshake_ms),
     .fallback = "10s", .flags = KEY_IN_DEFAULTS,
     HELP("From accepting a connection to the end of its TLS handshake.")},
    {SECTION_LISTENER, "timeout-idle", DURATION(0, 30 * DAY), LISTENER(timeout_idle_ms), .fallback = "5m",
     .flags = KEY_IN_DEFAULTS,
     HELP("A connection without a byte in either direction for this long is closed. 0: never.")},
    {SECTION_LISTENER, "timeout-half-closed", DURATION(1, DAY), LISTENER(timeout_half_closed_ms),
     .fallback = "30s", .flags = KEY_IN_DEFAULTS,
     HELP("Once one side has ended, the other may be silent for this long; data starts the time anew.")},
    {SECTION_LISTENER, "max-connections", NUMBER(0, MANY), LISTENER(max_connections), .fallback = "0",
     .flags = KEY_IN_DEFAULTS,
     HELP("Connections of this listener at the same time. 0: no limit of its own.")},
    {SECTION_LISTENER, "log", .type = VALUE_BOOL, LISTENER(log_connections), .fallback = "yes",
     .flags = KEY_IN_DEFAULTS, HELP("`yes`: one line for each connection when it ends. `no`: none.")},
    {SECTION_LISTENER, "respond-status", NUMBER(200, 599), LISTENER(respond_status), .fallback = "200",
     .flags = KEY_FOR_RESPOND, HELP("Status code of the answers.")},
    {SECTION_LISTENER, "respond-text", OWN(value_respond_text, "text with escapes"), .fallback = "",
     .flags = KEY_EMPTY | KEY_FOR_RESPOND,
     HELP("Body of the answers, as text/plain. `\\n` is a line end, `\\t` a tab, `\\;` a semicolon that "
          "begins no comment, "
          "`\\\\` a backslash.")},

    {SECTION_BACKEND, "balance", .type = VALUE_OWN, .parse = value_balance, .names = policy_names,
     .fallback = "round-robin", .flags = KEY_IN_DEFAULTS, HELP("How a server is chosen for a connection.")},
    {SECTION_BACKEND, "server", OWN(value_server, "NAME ADDRESS [weight=1] [max-connections=0]"),
     .flags = KEY_REPEAT,
     HELP("Required, one line for each server. ADDRESS is `127.0.0.1:9001`, `[::1]:9001`, `host.name:9001` "
          "(looked up at "
          "load) or `unix:/path`. `weight` is 0 (no new connections) to 256; `max-connections` 0 means no "
          "limit.")},
    {SECTION_BACKEND, "health", OWN(value_health, "off or tcp [interval=2s] [timeout=1s] [fall=3] [rise=2]"),
     .fallback = "off", .flags = KEY_IN_DEFAULTS,
     HELP("`tcp`: connect to each server every `interval`. `fall` failures in a row take it out, `rise` "
          "successes in a row "
          "bring it back.")},
    {SECTION_BACKEND, "timeout-connect", DURATION(1, HOUR), BACKEND(timeout_connect_ms), .fallback = "5s",
     .flags = KEY_IN_DEFAULTS, HELP("A server that has not accepted a connection by then counts as failed.")},
    {SECTION_BACKEND, "retries", NUMBER(0, 16), BACKEND(retries), .fallback = "2", .flags = KEY_IN_DEFAULTS,
     HELP("Further servers to try when one does not accept the connection.")},
    {.name = NULL},
};

static bool allowed(const struct key *key, enum section_kind kind)
{
    return kind == SECTION_DEFAULTS ? (key->flags & KEY_IN_DEFAULTS) != 0 : key->kind == kind;
}

static bool matches(const struct key *key, const char *name)
{
    if (key->flags & KEY_PREFIX)
        return strncmp(key->name, name, strlen(key->name)) == 0;
    return strcmp(key->name, name) == 0;
}

const struct key *keys_find(enum section_kind kind, const char *name)
{
    for (const struct key *key = keys; key->name; key++)
        if (allowed(key, kind) && matches(key, name))
            return key;
    return NULL;
}

const char *keys_nearest(enum section_kind kind, const char *name)
{
    const char *names[sizeof(keys) / sizeof(keys[0])];
    size_t count = 0;
    for (const struct key *key = keys; key->name; key++)
        if (allowed(key, kind) && !(key->flags & KEY_PREFIX))
            names[count++] = key->name;
    names[count] = NULL;
    return units_nearest(name, names);
}

const char *keys_heading(enum section_kind kind)
{
    static const char *const headings[] = {"[global]", "[defaults]", "[listener NAME]", "[backend NAME]"};
    return headings[kind];
}
