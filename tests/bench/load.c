/*
 * The load generator: one thread. TLS 1.3 (X25519, TLS_AES_128_GCM_SHA256) or TLS 1.2 with the like; all
 * handshakes are full ones, or all that are counted are resumed ones: anything else is a failure.
 *
 * It prints "ready" once the connections that are kept are open and each has been answered once, waits for a
 * line on its standard input, runs, prints its result as one line of JSON, and closes when its standard input
 * ends. So the caller can measure the proxy before and after exactly what it wants to know. Exit code: 0,
 * also with failed operations (they are in the result), 2 for wrong arguments.
 */
#include "connection.h"
#include "options.h"

#include <inttypes.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX     256
#define FAILURES_MAX   100 /* then there is no point in going on */
#define OPENING_MAX    64
#define READ_WHOLE_MAX 8192 /* larger bodies are read in large pieces */

struct load {
    struct options options;
    struct target target;
    struct connection *connections;
    X509 **server_certs;                /* one for each name */
    bool running;                       /* or still opening the connections that are kept */
    uint64_t used;                      /* connections of the array that were opened */
    uint64_t opening;                   /* of these: not answered for the first time yet */
    uint64_t alive;                     /* of these: not failed */
    uint64_t started, finished, failed; /* operations */
    uint64_t failures[FAILURE_COUNT];
    double deadline;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Building a chain for each connection would cost the client more than its handshake: the certificate is
 * compared instead. */
static int is_expected(X509_STORE_CTX *store, void *context)
{
    const struct load *load = context;
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const struct connection *c = SSL_get_app_data(ssl);
    unsigned char *a = NULL, *b = NULL;
    int a_len = i2d_X509(X509_STORE_CTX_get0_cert(store), &a);
    int b_len = i2d_X509(load->server_certs[c->name], &b);
    int same = a_len > 0 && a_len == b_len && memcmp(a, b, (size_t)a_len) == 0;
    OPENSSL_free(a);
    OPENSSL_free(b);
    return same;
}

static X509 **read_certificates(const char *path, size_t count)
{
    FILE *file = fopen(path, "r");
    X509 **certificates = calloc(count, sizeof(X509 *));
    for (size_t i = 0; i < count; i++) {
        if (file == NULL || certificates == NULL ||
            (certificates[i] = PEM_read_X509(file, NULL, NULL, NULL)) == NULL) {
            fail(path);
        }
    }
    fclose(file);
    return certificates;
}

static void offer_protocol(SSL_CTX *tls, const struct options *options)
{
    static const unsigned char http1[] = "\x08http/1.1", http2[] = "\x02h2";
    if (options->mode == MODE_HTTP1 || options->http) {
        SSL_CTX_set_alpn_protos(tls, http1, sizeof http1 - 1);
    } else if (options->mode == MODE_HTTP2) {
        SSL_CTX_set_alpn_protos(tls, http2, sizeof http2 - 1);
    }
}

/* Called for each ticket of TLS 1.3. */
static int count_ticket(SSL *ssl, SSL_SESSION *session)
{
    struct connection *c = SSL_get_app_data(ssl);
    (void)session;
    c->target->tickets += SSL_version(ssl) == TLS1_3_VERSION;
    return 0;
}

/* In TLS 1.2 the curve of a certificate's key must be among the groups, too. */
static SSL_CTX *make_context(struct load *load)
{
    const struct options *options = &load->options;
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    if (tls == NULL || !SSL_CTX_set_min_proto_version(tls, load->target.version) ||
        !SSL_CTX_set_max_proto_version(tls, load->target.version) ||
        !SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256") ||
        (options->tls12 && !SSL_CTX_set_cipher_list(tls, "ECDHE-ECDSA-AES128-GCM-SHA256")) ||
        !SSL_CTX_set1_groups_list(tls, options->tls12 ? "X25519:P-256" : "X25519")) {
        fail("cannot make a TLS context");
    }
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(tls, count_ticket);
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(tls, is_expected, load);
    SSL_CTX_set_read_ahead(tls, 1);
    offer_protocol(tls, options);
    if (options->mode == MODE_BULK || options->size > READ_WHOLE_MAX) {
        SSL_CTX_set_default_read_buffer_len(tls, 256 * 1024);
    }
    if (options->client_cert != NULL &&
        (SSL_CTX_use_certificate_chain_file(tls, options->client_cert) != 1 ||
         SSL_CTX_use_PrivateKey_file(tls, options->client_cert, SSL_FILETYPE_PEM) != 1)) {
        fail(options->client_cert);
    }
    return tls;
}

static void ask_for(struct load *load, uint64_t size)
{
    if (!target_ask_for(&load->target, size, load->options.hosts, load->options.paths)) {
        fail("memory");
    }
}

static void prepare(struct load *load)
{
    const struct options *options = &load->options;
    signal(SIGPIPE, SIG_IGN);
    load->target.version = options->tls12 ? TLS1_2_VERSION : TLS1_3_VERSION;
    if (!options->plain) {
        load->server_certs = read_certificates(options->server_cert, options->names > 0 ? options->names : 1);
        load->target.tls = make_context(load);
    }
    load->target.server_name = options->server_name;
    load->target.names = options->names;
    load->target.random = 88172645463325252U; /* any but 0: the same names in the same order for all */
    load->target.epoll = epoll_create1(EPOLL_CLOEXEC);
    load->target.address = (struct sockaddr_in){.sin_family = AF_INET,
                                                .sin_port = htons(options->port),
                                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    pattern_fill(&load->target.pattern);
    load->target.speech = options->mode == MODE_HTTP1 || options->http ? SPEECH_HTTP1
                          : options->mode == MODE_HTTP2                ? SPEECH_HTTP2
                                                                       : SPEECH_RAW;
    ask_for(load, load->target.speech == SPEECH_RAW ? ANSWER_SMALL : options->size);
    load->connections = calloc(options->connections, sizeof *load->connections);
    if (load->connections == NULL) {
        fail("memory");
    }
}

/* --- what a connection does next: true when it was given something to do
 * ------------------------------------------- */

static bool note_failure(struct load *load, const struct connection *c)
{
    uint64_t lost = c->running > 0 ? c->running : 1;
    load->failures[c->failure]++;
    load->alive--;
    load->opening -= !load->running;
    load->failed += load->running ? lost : 0;
    load->finished += load->running ? lost + c->complete : 0;
    return false;
}

static bool next_of_opening(struct load *load, struct connection *c)
{
    c->complete = 0;
    if (c->answers == 0) {
        connection_ask(c);
        connection_send(c);
        return true;
    }
    load->opening--;
    return false;
}

static void ask_while_allowed(struct load *load, struct connection *c)
{
    uint64_t most = load->options.mode == MODE_HTTP2 ? load->options.streams : 1;
    while (c->step != STEP_FAILED && c->running < most && load->started < load->options.count) {
        load->started++;
        connection_ask(c);
    }
    connection_send(c);
}

static bool next_of_kept(struct load *load, struct connection *c)
{
    load->finished += c->complete;
    c->complete = 0;
    ask_while_allowed(load, c);
    return c->step ==
           STEP_FAILED; /* the answer will be an event: looking for it now would cost a call in vain */
}

static bool next_of_handshake(struct load *load, struct connection *c)
{
    if (c->step == STEP_OPEN && c->answers == 0) {
        connection_ask(c);
        connection_send(c);
        return true;
    }
    if (c->step == STEP_OPEN) {
        c->complete = 0;
        connection_close(c);
        return true;
    }
    load->finished++;
    if (load->started >= load->options.count) {
        return false;
    }
    load->started++;
    connection_open(c, &load->target);
    return true;
}

static bool next(struct load *load, struct connection *c)
{
    if (c->step == STEP_FAILED) {
        return note_failure(load, c);
    }
    if (c->step != STEP_OPEN && c->step != STEP_CLOSED) {
        return false;
    }
    if (load->options.mode == MODE_HANDSHAKE) {
        return next_of_handshake(load, c);
    }
    return load->running ? next_of_kept(load, c) : next_of_opening(load, c);
}

static void drive(struct load *load, struct connection *c)
{
    do {
        connection_advance(c);
    } while (next(load, c));
}

/* --- the two phases
 * -------------------------------------------------------------------------------------------- */

static void open_next(struct load *load)
{
    struct connection *c = &load->connections[load->used++];
    load->alive++;
    connection_open(c, &load->target);
    drive(load, c);
}

static bool too_many_failures(const struct load *load)
{
    uint64_t sum = 0;
    for (int i = 0; i < FAILURE_COUNT; i++) {
        sum += load->failures[i];
    }
    return sum >= FAILURES_MAX || (load->used > 0 && load->alive == 0) || now() > load->deadline;
}

static void wait_and_drive(struct load *load)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(load->target.epoll, events, EVENTS_MAX, 100);
    for (int i = 0; i < count; i++) {
        struct connection *c = events[i].data.ptr;
        /* A kept connection that has nothing to do is woken by session tickets. */
        if (c->step != STEP_OPEN && c->step != STEP_FAILED) {
            drive(load, c);
        }
    }
}

static void open_kept(struct load *load)
{
    while ((load->used < load->options.connections || load->opening > 0) && !too_many_failures(load)) {
        while (load->used < load->options.connections && load->opening < OPENING_MAX &&
               !too_many_failures(load)) {
            load->opening++;
            open_next(load);
        }
        wait_and_drive(load);
    }
    load->failures[FAILURE_TIMEOUT] += load->opening;
}

static void start_kept(struct load *load)
{
    for (uint64_t i = 0; i < load->used && load->started < load->options.count; i++) {
        struct connection *c = &load->connections[i];
        if (c->step == STEP_OPEN) {
            ask_while_allowed(load, c);
            if (c->step == STEP_FAILED) {
                note_failure(load, c);
            }
        }
    }
}

static void start_handshakes(struct load *load)
{
    while (load->used < load->options.connections && load->started < load->options.count) {
        load->started++;
        open_next(load);
    }
}

static void run(struct load *load)
{
    load->running = true;
    load->deadline = now() + (double)load->options.timeout;
    (load->options.mode == MODE_HANDSHAKE ? start_handshakes : start_kept)(load);
    while (load->finished < load->options.count && !too_many_failures(load)) {
        wait_and_drive(load);
    }
    load->failed += load->options.count - load->finished;
    load->failures[FAILURE_TIMEOUT] += load->started - load->finished;
}

/* A full handshake in each place; what they cost is over before anything is counted. */
static void get_sessions(struct load *load)
{
    uint64_t count = load->options.count;
    load->options.count = load->options.connections;
    run(load);
    uint64_t rest = load->failed > 0 ? count : 0; /* then there is nothing to go on with */
    load->options.count = count;
    load->used = load->alive = 0;
    load->started = load->finished = load->failed = rest;
    load->target.resets = load->target.tickets = 0;
    load->target.resumes = true;
}

static void report(const struct load *load, double seconds)
{
    static const char *const names[FAILURE_COUNT] = {
        [FAILURE_CONNECT] = "connect", [FAILURE_TLS] = "tls",         [FAILURE_TERMS] = "terms",
        [FAILURE_SHORT] = "short",     [FAILURE_WRONG] = "wrong",     [FAILURE_STATUS] = "status",
        [FAILURE_RESET] = "reset",     [FAILURE_TIMEOUT] = "timeout", [FAILURE_FULL] = "full",
    };
    printf("{\"mode\": \"%s\", \"operations\": %" PRIu64 ", \"failed\": %" PRIu64
           ", \"connections\": %" PRIu64,
           mode_names[load->options.mode], load->options.count - load->failed, load->failed, load->alive);
    printf(", \"resumed\": %" PRIu64 ", \"tickets\": %" PRIu64, load->target.resumed, load->target.tickets);
    printf(", \"bytes_each\": %" PRIu64 ", \"resets\": %" PRIu64 ", \"seconds\": %.6f, \"errors\": {",
           load->target.answer.len - load->target.answer.header_len, load->target.resets, seconds);
    for (int i = 0; i < FAILURE_COUNT; i++) {
        printf("%s\"%s\": %" PRIu64, i == 0 ? "" : ", ", names[i], load->failures[i]);
    }
    printf("}}\n");
    fflush(stdout);
}

/* False at the end of the input. */
static bool read_line(void)
{
    char byte = 0;
    while (byte != '\n') {
        if (read(STDIN_FILENO, &byte, 1) != 1) {
            return false;
        }
    }
    return true;
}

static void apply_mode(struct load *load)
{
    struct options *options = &load->options;
    if (options->mode == MODE_BULK) {
        options->count = options->connections;
        ask_for(load, options->bytes / options->connections);
    } else if (options->mode == MODE_IDLE) {
        options->count = options->connections;
    }
}

int main(int argc, char **argv)
{
    struct load *load = calloc(1, sizeof *load);
    if (load == NULL) {
        fail("memory");
    }
    options_parse(&load->options, argc, argv);
    prepare(load);
    load->deadline = now() + (double)load->options.timeout;
    if (load->options.mode != MODE_HANDSHAKE) {
        open_kept(load);
    }
    if (load->options.resume) {
        get_sessions(load);
    }
    apply_mode(load);
    puts("ready");
    fflush(stdout);
    if (read_line()) {
        double start = now();
        run(load);
        report(load, now() - start);
        while (read_line()) {
        }
    }
    return 0;
}
