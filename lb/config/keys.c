#include "lb/config/keys.h"

#include <string.h>

#include "lb/base/units.h"
#include "lb/config/backend_section.h"
#include "lb/config/values.h"

#define FIELD(type, field)  .offset = offsetof(struct type, field), .size = sizeof(((struct type *)0)->field)
#define GLOBAL(field)       FIELD(config, field)
#define LISTENER(field)     FIELD(listener, field)
#define BACKEND(field)      FIELD(backend, field)
#define SERVERS(field)      FIELD(backend_section, tls.field)
#define NUMBER(low, high)   .type = VALUE_NUMBER, .min = (low), .max = (high)
#define SIZE(low, high)     .type = VALUE_SIZE, .min = (low), .max = (high)
#define DURATION(low, high) .type = VALUE_DURATION, .min = (low), .max = (high)
#define CHOICE(table)       .type = VALUE_CHOICE, .choices = (table)
#define OWN(function, how)  .type = VALUE_OWN, .parse = (function), .form = (how)
#define HELP(text)          .help = text

#define SECOND    UINT64_C(1000)
#define HOUR      (3600 * SECOND)
#define DAY       (24 * HOUR)
#define KILOBYTE  (UINT64_C(1) << 10)
#define MEGABYTE  (UINT64_C(1) << 20)
#define TERABYTE  (UINT64_C(1) << 40)
#define MANY      UINT64_C(10000000) /* connections: more than one machine has descriptors for */
#define PATH_FORM "a path without blanks"

#define HTTP_FLAGS (KEY_FOR_HTTP | KEY_IN_DEFAULTS)

static const struct choice formats[] = {{"text", LOG_TEXT}, {"json", LOG_JSON}, {NULL, 0}};

static const struct choice levels[] = {
    {"debug", LOG_DEBUG}, {"info", LOG_INFO}, {"warning", LOG_WARNING}, {"error", LOG_ERROR}, {NULL, 0}};

static const struct choice watches[] = {{"no", WATCH_NOTHING},
                                        {"files", WATCH_FILES},
                                        {"yes", WATCH_CONFIGURATION},
                                        {NULL, 0}};

#define RESPOND_INSTEAD "write 'protocol = http' and 'route = -> respond=200:TEXT'"

static const struct choice protocols[] = {{"tcp", PROTOCOL_TCP},
                                          {"http", PROTOCOL_HTTP},
                                          {"respond", PROTOCOL_TCP, "this is gone: " RESPOND_INSTEAD},
                                          {NULL, 0}};

static const struct choice modes[] = {{"off", TLS_OFF},
                                      {"one-way", TLS_ONE_WAY},
                                      {"mutual-optional", TLS_MUTUAL_OPTIONAL},
                                      {"mutual", TLS_MUTUAL},
                                      {NULL, 0}};

static const struct choice ocsp_modes[] = {{"off", OCSP_OFF},
                                           {"soft", OCSP_SOFT},
                                           {"hard", OCSP_HARD},
                                           {NULL, 0}};
static const struct choice crl_depths[] = {{"chain", CRL_DEPTH_CHAIN}, {"leaf", CRL_DEPTH_LEAF}, {NULL, 0}};

static const struct choice versions[] = {{"1.2", TLS_1_2}, {"1.3", TLS_1_3}, {NULL, 0}};

static const struct choice forwarded_modes[] = {{"set", FORWARDED_SET},
                                                {"append", FORWARDED_APPEND},
                                                {"off", FORWARDED_OFF},
                                                {NULL, 0}};

static const struct choice slashes[] = {{"refuse", SLASH_REFUSE},
                                        {"keep", SLASH_KEEP},
                                        {"decode", SLASH_DECODE},
                                        {NULL, 0}};

static const struct choice error_formats[] = {{"text", false}, {"json", true}, {NULL, 0}};

static const struct choice server_protocols[] = {{"http/1.1", false}, {"h2", true}, {NULL, 0}};

static const struct choice verifications[] = {{"yes", true}, {"none", false}, {NULL, 0}};
static const struct choice proxy_versions[] = {{"off", SEND_PROXY_OFF},
                                               {"v1", SEND_PROXY_V1},
                                               {"v2", SEND_PROXY_V2},
                                               {NULL, 0}};

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
    {SECTION_GLOBAL, "drain-spread", DURATION(0, HOUR), GLOBAL(drain_spread_ms), .fallback = "10s",
     HELP("Kept HTTP connections that a reload ends, because their listener or its TLS policy is another one "
          "now, are "
          "told so within this time, spread evenly, so that their clients do not all come back at once. 0: "
          "at once. A "
          "shutdown tells all of them at once.")},
    {SECTION_GLOBAL, "admin", OWN(value_admin, "off or unix:PATH"), GLOBAL(admin), .fallback = "off",
     .flags = KEY_RESTART, HELP("Unix socket that `lb ctl` talks to. Whoever may open it may steer lb.")},
    {SECTION_GLOBAL, "expiry-warning", DURATION(0, 365 * DAY), GLOBAL(expiry_warning_ms), .fallback = "30d",
     HELP("Certificates in use that expire within this time are warned of by `lb check` and at each load.")},
    {SECTION_GLOBAL, "log", .type = VALUE_TEXT, .form = "stdout, stderr or a path", GLOBAL(log_target),
     .fallback = "stdout", HELP("Where the log goes. A file is appended to, and opened again on SIGUSR1.")},
    {SECTION_GLOBAL, "log-format", CHOICE(formats), GLOBAL(log_format), .fallback = "text",
     HELP("`json`: one object on each line.")},
    {SECTION_GLOBAL, "log-level", CHOICE(levels), GLOBAL(log_level), .fallback = "info",
     HELP("The least important events that are still logged.")},
    {SECTION_GLOBAL, "watch", CHOICE(watches), GLOBAL(watch), .fallback = "files",
     HELP("What takes effect without a reload when it changes on disk. `files`: certificates, keys, CAs, "
          "revocation lists, scripts and error pages; one that does not fit is refused, and the old one "
          "stays. `yes`: the configuration itself, too. `no`: nothing.")},

    {SECTION_LISTENER, "bind", OWN(value_bind, "addresses, separated by commas"), .flags = KEY_REPEAT,
     HELP("Required. Where clients connect: `127.0.0.1:8443`, `[::1]:8443`, `*:8443` (all of IPv4), "
          "`[::]:8443` (all of "
          "IPv6) or `unix:/path`.")},
    {SECTION_LISTENER, "protocol", CHOICE(protocols), LISTENER(protocol), .fallback = "tcp",
     HELP("`tcp`: relay the bytes to a server of `backend`. `http`: read HTTP/1 and HTTP/2, and send each "
          "request where the first `route` that matches it says, else to a server of `backend`.")},
    {SECTION_LISTENER, "tls", CHOICE(modes), LISTENER(tls.mode), .fallback = "off",
     .flags = KEY_IN_DEFAULTS | KEY_IN_CERTIFICATE,
     HELP("`one-way`: the server shows a certificate. `mutual`: the client must show one too, issued by "
          "`client-ca`. "
          "`mutual-optional`: it may; one that does not verify is refused all the same.")},
    {SECTION_LISTENER, "tls-min", CHOICE(versions), LISTENER(tls.min), .fallback = "1.2",
     .flags = KEY_IN_DEFAULTS | KEY_FOR_TLS, HELP("Oldest TLS version accepted.")},
    {SECTION_LISTENER, "tls-max", CHOICE(versions), LISTENER(tls.max), .fallback = "1.3",
     .flags = KEY_IN_DEFAULTS | KEY_FOR_TLS, HELP("Newest TLS version accepted.")},
    {SECTION_LISTENER, "certificate", OWN(value_certificate, "CHAIN.pem, CHAIN.pem KEY.pem, or a folder"),
     .flags = KEY_FOR_TLS | KEY_REPEAT,
     HELP("Required with TLS. PEM: the server's certificate first, then its intermediates. The private key "
          "is in the second file, or in the same one. Of several certificates a client gets the one for the "
          "name that it asks for (SNI): exact names come before wildcards, and the first certificate is for "
          "all other names. The same name may have certificates with different kinds of key. A folder stands "
          "for each `*.pem` and `*.crt` in it, with its key in it or beside it as `*.key`. Paths without "
          "blanks, at most 16 MB.")},
    {SECTION_LISTENER, "ocsp-staple", OWN(value_ocsp_staple, "auto, off, fetch or a path without blanks"),
     .flags = KEY_FOR_TLS, .fallback = "auto",
     HELP(
         "The OCSP response that clients get along with the certificate. A path: DER, of a listener with one "
         "certificate. `auto`: the file `CHAIN.pem.ocsp` or `CHAIN.ocsp` beside each certificate "
         "`CHAIN.pem`, "
         "where there is one. `fetch`: the responder that the certificate names is asked, in the background "
         "and in time for the next one. It is checked first, for which the issuer must follow the "
         "certificate in its file; one that has ended is never sent.")},
    {SECTION_LISTENER, "strict-sni", .type = VALUE_BOOL, LISTENER(tls.strict_sni), .fallback = "no",
     .flags = KEY_IN_DEFAULTS | KEY_FOR_TLS,
     HELP("`yes`: clients that ask for a name which no certificate has, or for none, are refused "
          "(unrecognized_name).")},
    {SECTION_LISTENER, "client-ca", OWN(value_client_ca, PATH_FORM),
     .flags = KEY_FOR_CLIENTS | KEY_IN_CERTIFICATE,
     HELP("Required with client certificates. PEM with the CAs that issue them; the system's CAs are never "
          "used.")},
    {SECTION_LISTENER, "client-crl", OWN(value_client_crl, "a path without blanks, of a file or a folder"),
     .flags = KEY_FOR_CLIENTS | KEY_REPEAT | KEY_IN_CERTIFICATE,
     HELP("Revocation lists of the CAs, one or more as PEM, or one as DER; a folder stands for each `*.crl`, "
          "`*.pem` and `*.der` in it. What is on a list is refused.")},
    {SECTION_LISTENER, "crl-depth", CHOICE(crl_depths), LISTENER(tls.crl_depth), .fallback = "chain",
     .flags = KEY_IN_DEFAULTS | KEY_FOR_CLIENTS | KEY_IN_CERTIFICATE,
     HELP("`chain`: every certificate below the CA of `client-ca` is looked up in the lists. `leaf`: the "
          "client's own only.")},
    {SECTION_LISTENER, "crl-required", .type = VALUE_BOOL, LISTENER(tls.crl_required), .fallback = "no",
     .flags = KEY_IN_DEFAULTS | KEY_FOR_CLIENTS | KEY_IN_CERTIFICATE,
     HELP("`yes`: refuse clients whose CA has no list in `client-crl`, or one that is past its nextUpdate.")},
    {SECTION_LISTENER, "ocsp", CHOICE(ocsp_modes), LISTENER(tls.ocsp), .fallback = "off",
     .flags = KEY_IN_DEFAULTS | KEY_FOR_CLIENTS | KEY_IN_CERTIFICATE,
     HELP("Whether the responder that a client's certificate names is asked about it, before the script and "
          "before any server. What it says is revoked is refused. `soft`: without an answer the client gets "
          "in. `hard`: it is refused. Answers are kept until their nextUpdate, for an hour at most.")},
    {SECTION_LISTENER, "ocsp-timeout", DURATION(1, 60 * SECOND), LISTENER(tls.ocsp_timeout_ms),
     .fallback = "2s", .flags = KEY_IN_DEFAULTS | KEY_FOR_CLIENTS | KEY_IN_CERTIFICATE,
     HELP("Time that a responder has for its answer, looking up its name included.")},
    {SECTION_LISTENER, "ocsp-url", OWN(value_ocsp_url, "http://HOST[:PORT][/PATH]"),
     .flags = KEY_FOR_CLIENTS | KEY_IN_CERTIFICATE,
     HELP("The responder to ask, whatever the certificates name. Plain HTTP: answers are signed.")},
    {SECTION_LISTENER, "ocsp-signer", OWN(value_ocsp_signer, PATH_FORM),
     .flags = KEY_FOR_CLIENTS | KEY_IN_CERTIFICATE,
     HELP("Certificate of a responder, PEM or DER, that is believed beside the issuer of the client's "
          "certificate and those that the issuer has appointed (OCSPSigning).")},
    {SECTION_LISTENER, "verify-depth", NUMBER(0, 9), LISTENER(tls.verify_depth), .fallback = "4",
     .flags = KEY_IN_DEFAULTS | KEY_FOR_CLIENTS | KEY_IN_CERTIFICATE,
     HELP("Intermediate CAs allowed between the client's certificate and the CA of `client-ca`.")},
    {SECTION_LISTENER, "ciphers", OWN(value_ciphers, "names, separated by ':'"),
     .flags = KEY_IN_DEFAULTS | KEY_FOR_TLS | KEY_REPEAT,
     HELP("Cipher suites, the preferred one first. Without it, the default list.")},
    {SECTION_LISTENER, "groups", OWN(value_groups, "names, separated by ':'"),
     .flags = KEY_IN_DEFAULTS | KEY_FOR_TLS | KEY_REPEAT,
     HELP("Groups for the key exchange, the preferred one first. Without it, the default list.")},
    {SECTION_LISTENER, "signatures", OWN(value_signatures, "names, separated by ':'"),
     .flags = KEY_IN_DEFAULTS | KEY_FOR_TLS | KEY_REPEAT,
     HELP("Signature schemes that lb signs with and that it asks clients with certificates for, by their "
          "names in "
          "RFC 8446: `ecdsa_secp256r1_sha256`, `rsa_pss_rsae_sha384`. In TLS 1.2 clients are asked for some "
          "of each kind "
          "of key (RSA, EC) all the same. Without it, all that wolfSSL has.")},
    {SECTION_LISTENER, "alpn", OWN(value_alpn, "names, separated by commas"),
     .flags = KEY_IN_DEFAULTS | KEY_FOR_TLS | KEY_REPEAT,
     HELP("Application protocols offered, the preferred one first: `h2, http/1.1`. Without it, none is "
          "negotiated with `protocol = tcp`, and `h2,http/1.1` with `protocol = http`, which knows these two "
          "and `http/1.0` only.")},
    {SECTION_LISTENER, "session-lifetime", DURATION(0, 7 * DAY), LISTENER(tls.session_lifetime_ms),
     .fallback = "1h", .flags = KEY_IN_DEFAULTS | KEY_FOR_TLS,
     HELP("How long after its first handshake a client may resume its session; no resumption moves that. A "
          "resumed client has its certificate back, which must still be valid, not revoked and of a CA of "
          "`client-ca`, and the script decides again. 0: every connection is a full handshake.")},
    {SECTION_LISTENER, "session-tickets", .type = VALUE_BOOL, LISTENER(tls.session_tickets),
     .fallback = "yes", .flags = KEY_IN_DEFAULTS | KEY_FOR_TLS,
     HELP("`no`: only TLS 1.2 clients can resume, by session id, which lb keeps.")},
    {SECTION_LISTENER, "ticket-keys", OWN(value_ticket_keys, PATH_FORM),
     .flags = KEY_IN_DEFAULTS | KEY_FOR_TLS,
     HELP(
         "Keys of session tickets, shared with other machines: 80 bytes each, as nginx reads them (48-byte "
         "keys are not taken). The first, newest one seals, all open. Without it, keys are random, changed "
         "every hour, and kept over reloads. A ticket is bound to its listener by name, so several may share "
         "a file, and to its ciphers, groups and signatures; only what fits into a ticket, some 590 bytes of "
         "certificates, resumes on another "
         "machine.")},
    {SECTION_LISTENER, "proxy-protocol", .type = VALUE_BOOL, LISTENER(proxy_protocol), .fallback = "no",
     HELP("`yes`: connections of `trusted-proxies` must begin with a PROXY header, version 1 or 2, and the "
          "client that it names is the client for all purposes. Of anybody else none is read: what looks "
          "like one is data.")},
    {SECTION_LISTENER, "trusted-proxies", OWN(value_trusted_proxies, "networks, separated by commas"),
     .flags = KEY_IN_DEFAULTS | KEY_FOR_PEERS | KEY_REPEAT,
     HELP("Who connects on behalf of others: `10.0.0.0/8`, `fd00::/8`, `192.0.2.1`, or `unix` for peers of "
          "unix sockets. With `protocol = http` the X-Forwarded-For and the like of these clients are "
          "believed, everybody else's taken away; where a PROXY header has named the client, that one's "
          "address must be among them.")},
    {SECTION_LISTENER, "script", .type = VALUE_TEXT, .form = "a path", LISTENER(script.path),
     .flags = KEY_IN_CERTIFICATE,
     HELP(
         "Lua script that decides who gets in, after the handshake and before any server is touched; with "
         "`protocol = http` also about each request. Whatever goes wrong in it refuses the connection or the "
         "request.")},
    {SECTION_LISTENER, "option.", OWN(value_option, "any text"),
     .flags = KEY_PREFIX | KEY_EMPTY | KEY_FOR_SCRIPT | KEY_IN_CERTIFICATE,
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
     LISTENER(backend_name),
     HELP("Required with `protocol = tcp`. Where connections go, unless the script names another backend. "
          "With "
          "`protocol = http`: where requests go that no `route` takes; without it they are answered with "
          "404.")},
    {SECTION_LISTENER, "timeout-handshake", DURATION(1, HOUR), LISTENER(timeout_handshake_ms),
     .fallback = "10s", .flags = KEY_IN_DEFAULTS,
     HELP("From accepting a connection to the end of its PROXY header and its TLS handshake.")},
    {SECTION_LISTENER, "timeout-idle", DURATION(0, 30 * DAY), LISTENER(timeout_idle_ms), .fallback = "5m",
     .flags = KEY_IN_DEFAULTS,
     HELP("A connection without a byte in either direction for this long is closed. 0: never. With "
          "`protocol = http` it is the limit of tunnels (Upgrade) and of clients that do not take an "
          "answer.")},
    {SECTION_LISTENER, "timeout-half-closed", DURATION(1, DAY), LISTENER(timeout_half_closed_ms),
     .fallback = "30s", .flags = KEY_IN_DEFAULTS,
     HELP("Once one side has ended, the other may be silent for this long; data starts the time anew.")},
    {SECTION_LISTENER, "max-connections", NUMBER(0, MANY), LISTENER(max_connections), .fallback = "0",
     .flags = KEY_IN_DEFAULTS,
     HELP("Connections of this listener at the same time. 0: no limit of its own.")},
    {SECTION_LISTENER, "max-connection-age", DURATION(0, 30 * DAY), LISTENER(max_age_ms), .fallback = "0",
     .flags = KEY_IN_DEFAULTS,
     HELP(
         "A connection ends when it has lasted for this long; with `protocol = http` after the requests that "
         "run then. 0: never.")},
    {SECTION_LISTENER, "close-on-expiry", .type = VALUE_BOOL, LISTENER(close_on_expiry), .fallback = "no",
     .flags = KEY_IN_DEFAULTS | KEY_FOR_CLIENTS | KEY_IN_CERTIFICATE,
     HELP("`yes`: a connection is closed when a certificate of the client's chain expires.")},
    {SECTION_LISTENER, "reauthorize", .type = VALUE_BOOL, LISTENER(reauthorize), .fallback = "no",
     .flags = KEY_IN_DEFAULTS | KEY_FOR_CLIENTS | KEY_IN_CERTIFICATE,
     HELP("`yes`: when a reload or a changed file has changed CAs, CRLs or script, the live connections are "
          "judged by the new ones, and those that are no longer allowed are closed. `no`: connections of "
          "`protocol = tcp` go on as they are, those of `protocol = http` are judged with their next "
          "request.")},
    {SECTION_LISTENER, "max-handshakes", NUMBER(0, MANY), LISTENER(max_handshakes), .fallback = "0",
     .flags = KEY_IN_DEFAULTS | KEY_FOR_TLS,
     HELP("TLS handshakes of this listener under way at the same time. Further clients wait in the kernel's "
          "queue, where `timeout-handshake` does not count yet. 0: no limit of its own.")},
    {SECTION_LISTENER, "handshake-rate",
     OWN(value_handshake_rate, "off or COUNT/s, COUNT/m, COUNT/h [ipv4=24] [ipv6=56]"), .fallback = "off",
     .flags = KEY_IN_DEFAULTS | KEY_FOR_TLS,
     HELP("TLS handshakes that the clients of one network may begin in a second, minute or hour: `50/s`. "
          "`ipv4` and `ipv6` are the bits of an address that make its network. Whoever begins more is "
          "disconnected before anything is computed for it.")},
    {SECTION_LISTENER, "log", .type = VALUE_BOOL, LISTENER(log_connections), .fallback = "yes",
     .flags = KEY_IN_DEFAULTS,
     HELP("`yes`: one line for each connection when it ends, with `protocol = http` for each request. `no`: "
          "none.")},
    {SECTION_LISTENER, "route", OWN(value_route, "[CONDITION...] -> ACTION"),
     .flags = KEY_FOR_HTTP | KEY_REPEAT,
     HELP("Which requests go where, as told below; the first one that matches counts.")},
    {SECTION_LISTENER, "h2c", .type = VALUE_BOOL, LISTENER(http.h2c), .fallback = "no", .flags = KEY_FOR_HTTP,
     HELP(
         "`yes`: HTTP/2 without TLS too, where the client begins with it (prior knowledge). With `tls = off` "
         "only.")},
    {SECTION_LISTENER, "certificate-headers",
     OWN(value_certificate_headers, "off, all, or names, separated by commas"), .fallback = "off",
     .flags = HTTP_FLAGS,
     HELP("Fields that tell servers about the client's certificate. Clients can never set any of them, "
          "whether it "
          "stands here or not.")},
    {SECTION_LISTENER, "forwarded", CHOICE(forwarded_modes), LISTENER(http.forwarded), .fallback = "set",
     .flags = HTTP_FLAGS,
     HELP("`set`: X-Forwarded-For, -Proto, -Host, -Port and Forwarded say what lb knows of the client. "
          "`append`: what one of `trusted-proxies` sent goes on in front of it. `off`: none is set.")},
    {SECTION_LISTENER, "encoded-slash", CHOICE(slashes), LISTENER(http.slash), .fallback = "refuse",
     .flags = HTTP_FLAGS,
     HELP("`%2F` and `%5C` in a path. `refuse`: such a request is answered with 400. `keep`: they stay and "
          "are no separator. `decode`: they become `/` before routes are looked at.")},
    {SECTION_LISTENER, "max-header-bytes", SIZE(KILOBYTE, MEGABYTE), LISTENER(http.limits.header_bytes),
     .fallback = "32k", .flags = HTTP_FLAGS,
     HELP("A request's first line, names and values together, 4 bytes added for each field. More is answered "
          "with 431.")},
    {SECTION_LISTENER, "max-headers", NUMBER(1, 1000), LISTENER(http.limits.header_count), .fallback = "100",
     .flags = HTTP_FLAGS, HELP("Fields of one request. More are answered with 431.")},
    {SECTION_LISTENER, "max-uri", SIZE(256, 64 * KILOBYTE), LISTENER(http.limits.uri_bytes), .fallback = "8k",
     .flags = HTTP_FLAGS, HELP("Bytes of a request's target. More are answered with 414.")},
    {SECTION_LISTENER, "max-body", SIZE(0, TERABYTE), LISTENER(http.max_body), .fallback = "0",
     .flags = HTTP_FLAGS, HELP("Bytes of a request's body. More are answered with 413. 0: no limit.")},
    {SECTION_LISTENER, "max-requests", NUMBER(0, 1000000), LISTENER(http.max_requests), .fallback = "0",
     .flags = HTTP_FLAGS, HELP("Requests of one connection; with the last one it ends. 0: no limit.")},
    {SECTION_LISTENER, "max-streams", NUMBER(1, 1000), LISTENER(http.max_streams), .fallback = "100",
     .flags = HTTP_FLAGS, HELP("Requests of one HTTP/2 connection at the same time.")},
    {SECTION_LISTENER, "timeout-first-byte", DURATION(1, HOUR), LISTENER(http.timeout_first_ms),
     .fallback = "10s", .flags = HTTP_FLAGS,
     HELP("From the connection, or the end of its handshake, to the first byte of its first request.")},
    {SECTION_LISTENER, "timeout-header", DURATION(1, HOUR), LISTENER(http.timeout_header_ms),
     .fallback = "10s", .flags = HTTP_FLAGS,
     HELP("From the first byte of a request to the end of its header fields.")},
    {SECTION_LISTENER, "timeout-body", DURATION(1, HOUR), LISTENER(http.timeout_body_ms), .fallback = "30s",
     .flags = HTTP_FLAGS, HELP("Between two pieces of a request's body.")},
    {SECTION_LISTENER, "timeout-keep-alive", DURATION(1, DAY), LISTENER(http.timeout_keep_alive_ms),
     .fallback = "60s", .flags = HTTP_FLAGS,
     HELP("From the end of an answer to the first byte of the next request; then the connection is closed.")},
    {SECTION_LISTENER, "error-page", OWN(value_error_page, "STATUS PATH"), .flags = KEY_FOR_HTTP | KEY_REPEAT,
     HELP("Body of lb's own answers with that status, 400 to 599: a file of at most 1 MB that is read at "
          "load. "
          "`.html`, `.json` and `.txt` are sent as what they are, others as application/octet-stream.")},
    {SECTION_LISTENER, "error-format", CHOICE(error_formats), LISTENER(http.json_errors), .fallback = "text",
     .flags = HTTP_FLAGS, HELP("Body of lb's own answers with an error that has no `error-page`.")},
    {SECTION_LISTENER, "show-reason", .type = VALUE_BOOL, LISTENER(http.show_reason), .fallback = "no",
     .flags = HTTP_FLAGS,
     HELP("`yes`: lb's own answers tell the client the reason that the log has. `no`: the status only.")},

    {SECTION_BACKEND, "balance", .type = VALUE_OWN, .parse = value_balance, .names = policy_names,
     .fallback = "round-robin", .flags = KEY_IN_DEFAULTS, HELP("How a server is chosen for a connection.")},
    {SECTION_BACKEND, "server",
     OWN(value_server, "NAME ADDRESS [weight=1] [max-connections=0] [tls=yes] [verify-host=HOST]"),
     .flags = KEY_REPEAT,
     HELP("Required, one line for each server. ADDRESS is `127.0.0.1:9001`, `[::1]:9001`, `host.name:9001` "
          "(looked up at "
          "load) or `unix:/path`. `weight` is 0 (no new connections) to 256; `max-connections` 0 means no "
          "limit. `tls` and `verify-host` are for this server what the keys of that name are for all.")},
    {SECTION_BACKEND, "health", OWN(value_health, "off or tcp [interval=2s] [timeout=1s] [fall=3] [rise=2]"),
     .fallback = "off", .flags = KEY_IN_DEFAULTS,
     HELP("`tcp`: connect to each server every `interval`. `fall` failures in a row take it out, `rise` "
          "successes in a row "
          "bring it back.")},
    {SECTION_BACKEND, "timeout-connect", DURATION(1, HOUR), BACKEND(timeout_connect_ms), .fallback = "5s",
     .flags = KEY_IN_DEFAULTS,
     HELP("A server that has not accepted a connection by then, with TLS completed its handshake, counts as "
          "failed.")},
    {SECTION_BACKEND, "retries", NUMBER(0, 16), BACKEND(retries), .fallback = "2", .flags = KEY_IN_DEFAULTS,
     HELP("Further servers to try when one does not accept the connection; and, for idempotent methods, "
          "when an HTTP/1 connection breaks before any answer.")},
    {SECTION_BACKEND, "server-protocol", CHOICE(server_protocols), BACKEND(h2), .fallback = "http/1.1",
     .flags = KEY_IN_DEFAULTS,
     HELP("What the servers are spoken to in for requests of listeners with `protocol = http`. `h2`: HTTP/2 "
          "from the "
          "first byte (prior knowledge), with `tls = yes` agreed on by ALPN.")},
    {SECTION_BACKEND, "send-proxy", CHOICE(proxy_versions), BACKEND(send_proxy), .fallback = "off",
     .flags = KEY_IN_DEFAULTS,
     HELP("Each connection to a server begins with a PROXY header that names the client, ahead of TLS. `v2` "
          "tells about "
          "its TLS and certificate, too. A request of a listener with `protocol = http` then has a "
          "connection of its own; health checks say that they are lb's own.")},
    {SECTION_BACKEND, "send-proxy-certificate", .type = VALUE_BOOL, BACKEND(send_proxy_certificate),
     .fallback = "no", .flags = KEY_IN_DEFAULTS,
     HELP("`yes`: the header of `send-proxy = v2` holds the client's verified certificate, as DER. Servers "
          "must then read headers of several KB.")},
    {SECTION_BACKEND, "host", OWN(value_host, "keep or a host name, with a port or without"),
     .fallback = "keep", .flags = KEY_IN_DEFAULTS,
     HELP("What Host names in requests of listeners with `protocol = http`. `keep`: what the client named.")},
    {SECTION_BACKEND, "timeout-server", DURATION(1, DAY), BACKEND(timeout_server_ms), .fallback = "60s",
     .flags = KEY_IN_DEFAULTS,
     HELP("A server that does not begin its answer to a request, or go on with it, for this long has "
          "failed.")},
    {SECTION_BACKEND, "pool-connections", NUMBER(0, 10000), BACKEND(pool_connections), .fallback = "100",
     .flags = KEY_IN_DEFAULTS,
     HELP("Idle connections to each server that each worker keeps for further requests. 0: none.")},
    {SECTION_BACKEND, "timeout-pool", DURATION(1, HOUR), BACKEND(timeout_pool_ms), .fallback = "30s",
     .flags = KEY_IN_DEFAULTS,
     HELP("How long an idle connection to a server is kept; less than the server's own keep-alive time.")},
    {SECTION_BACKEND, "tls", .type = VALUE_BOOL, SERVERS(on), .fallback = "no",
     HELP("`yes`: TLS to the servers. One that does not prove who it is gets no byte, and counts as one that "
          "does not accept the connection.")},
    {SECTION_BACKEND, "verify", CHOICE(verifications), SERVERS(settings.verify), .fallback = "yes",
     .flags = KEY_FOR_TLS,
     HELP("`yes`: a server's certificate must lead to `ca`, be valid now, be for servers, and for the host "
          "that was meant. `none`: whoever answers is believed.")},
    {SECTION_BACKEND, "ca", OWN(value_server_ca, PATH_FORM), .flags = KEY_FOR_TLS,
     HELP("PEM with the CAs that issue the servers' certificates. Without it, those of the system, "
          "`" TLS_SYSTEM_CA "`.")},
    {SECTION_BACKEND, "verify-host", OWN(value_verify_host, "a host name or an IP address"),
     .flags = KEY_FOR_TLS,
     HELP("What must stand among the subject alternative names of a server's certificate, and is sent as SNI "
          "if it is a name. Without it, the host of the server's address. Common names are not looked at.")},
    {SECTION_BACKEND, "certificate", OWN(value_server_certificate, "CHAIN.pem or CHAIN.pem KEY.pem"),
     .flags = KEY_FOR_TLS, HELP("What lb shows to servers that ask who it is, as in a listener.")},
    {SECTION_BACKEND, "tls-min", CHOICE(versions), SERVERS(settings.min), .fallback = "1.2",
     .flags = KEY_FOR_TLS, HELP("Oldest TLS version spoken with servers.")},
    {SECTION_BACKEND, "tls-max", CHOICE(versions), SERVERS(settings.max), .fallback = "1.3",
     .flags = KEY_FOR_TLS, HELP("Newest TLS version spoken with servers.")},
    {SECTION_BACKEND, "ciphers", OWN(value_server_ciphers, "names, separated by ':'"),
     .flags = KEY_FOR_TLS | KEY_REPEAT, HELP("Cipher suites, as in a listener.")},
    {SECTION_BACKEND, "groups", OWN(value_server_groups, "names, separated by ':'"),
     .flags = KEY_FOR_TLS | KEY_REPEAT,
     HELP("Groups for the key exchange; servers that lack the first one cost a round trip more.")},
    {SECTION_BACKEND, "alpn", OWN(value_server_alpn, "names, separated by commas"),
     .flags = KEY_FOR_TLS | KEY_REPEAT,
     HELP("Application protocols offered on connections of listeners with `protocol = tcp`. Requests of the "
          "others go over what `server-protocol` says, which a server must agree on if it is `h2`.")},
    {.name = NULL},
};

const char *keys_gone(enum section_kind kind, const char *name)
{
    bool respond = strcmp(name, "respond-status") == 0 || strcmp(name, "respond-text") == 0;
    return kind == SECTION_LISTENER && respond ? RESPOND_INSTEAD : NULL;
}

static bool allowed(const struct key *key, enum section_kind kind)
{
    switch (kind) {
    case SECTION_DEFAULTS: return (key->flags & KEY_IN_DEFAULTS) != 0;
    case SECTION_CERTIFICATE: return (key->flags & KEY_IN_CERTIFICATE) != 0;
    default: return key->kind == kind;
    }
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
    static const char *const headings[] = {"[global]", "[defaults]", "[listener NAME]", "[backend NAME]",
                                           "[certificate NAME]"};
    return headings[kind];
}
