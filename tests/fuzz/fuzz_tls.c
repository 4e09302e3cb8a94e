/*
 * A server session fed with hostile bytes. The first byte of the input chooses how finely the rest is cut.
 * Half of the inputs go to a listener that demands client certificates; there a ClientHello of TLS 1.2 may be
 * put in front, so that what follows reaches the certificates.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "lb/tls/dryrun.h"
#include "lb/tls/sessions.h"

enum { INPUT_MAX = 65536, PEM_MAX = 16384 };

static void must(int condition)
{
    if (condition)
        return;
    fputs("fuzz_tls: cannot make its certificate\n", stderr);
    abort();
}

/* A self-signed CA with its key, which also serves as the listener's own certificate; key and certificate in
 * one PEM text. */
static struct tls_file make_identity(void)
{
    static const char command[] =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 "
        "-subj /CN=fuzz -keyout - -out - 2>/dev/null";
    struct tls_file file = {.path = (char *)"memory", .data = calloc(1, PEM_MAX)};
    FILE *output = popen(command, "r");
    must(output != NULL && file.data != NULL);
    file.len = fread(file.data, 1, PEM_MAX - 1, output);
    must(pclose(output) == 0 && file.len > 0);
    return file;
}

static struct {
    struct tls_settings settings;
    struct tls_pair pair;
    struct tls_context *one_way, *mutual;
    struct tls_scratch scratch;
    struct tls_sessions *sessions;
} world;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    struct problems problems = {0};
    must(tls_library_start());
    world.settings =
        (struct tls_settings){.mode = TLS_ONE_WAY, .min = TLS_1_2, .max = TLS_1_3, .verify_depth = 4};
    world.pair.certificate = world.pair.key = world.settings.client_ca = make_identity();
    world.settings.pairs = &world.pair;
    world.settings.pair_count = 1;
    world.settings.session_lifetime_ms = 3600 * 1000;
    world.settings.session_tickets = true;
    world.one_way = tls_context_new(&world.settings, (struct place){0}, &problems);
    world.settings.mode = TLS_MUTUAL;
    world.mutual = tls_context_new(&world.settings, (struct place){0}, &problems);
    for (size_t i = 0; i < problems.count; i++)
        fprintf(stderr, "%s\n", problems.list[i].text);
    must(world.one_way && world.mutual && tls_scratch_init(&world.scratch, INPUT_MAX));
    world.sessions = tls_sessions_new();
    tls_context_resume(world.one_way, world.sessions, SLICE_LITERAL("one-way"));
    tls_context_resume(world.mutual, world.sessions, SLICE_LITERAL("mutual"));
    problems_free(&problems);
    return 0;
}

static void feed(struct tls_context *context, const uint8_t *data, size_t size, size_t chunk)
{
    struct tls_session *session = tls_session_new(context, &world.scratch);
    struct slice plain;
    enum tls_result result = TLS_WANT;
    must(session != NULL);
    for (size_t at = 0; at < size && result != TLS_FAILED; at += chunk) {
        size_t len = size - at < chunk ? size - at : chunk;
        result = result == TLS_WANT ? tls_session_handshake(session, slice_make(data + at, len))
                                    : tls_session_read(session, slice_make(data + at, len), &plain);
        world.scratch.out_len = 0;
    }
    if (result == TLS_FAILED && tls_session_failure(session)->text[0] == '\0')
        abort();
    tls_session_free(session);
}

/* The input as the one certificate that a client sends. */
static void feed_as_certificate(const uint8_t *data, size_t size)
{
    struct tls_dry_run run;
    struct problems problems = {0};
    struct slice chain = slice_make(data, size);
    if (tls_dry_run(&world.settings, &chain, 1, 0, &problems, &run) && run.count == 0)
        abort();
    tls_dry_run_end(&run);
    problems_free(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t chunks[] = {1, 3, 17, 600, INPUT_MAX};
    if (size < 2 || size > INPUT_MAX)
        return 0;
    size_t chunk = chunks[(data[0] & 0x7f) % (sizeof chunks / sizeof chunks[0])];
    feed(data[0] & 0x80 ? world.mutual : world.one_way, data + 1, size - 1, chunk);
    if ((data[0] & 0x7f) == 0x7f)
        feed_as_certificate(data + 1, size - 1);
    return 0;
}
