/* Key exchange that quantum computers do not break (draft-ietf-tls-ecdhe-mlkem), with wolfSSL's own client:
 * OpenSSL has it from 3.5 on. Run from the project's folder, as `make test` does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lb/tls/library.h"
#include "lb/tls/session.h"

enum { WIRE_MAX = 65536 };

struct wire {
    char bytes[WIRE_MAX];
    size_t len;
};

struct world {
    struct tls_settings settings;
    struct tls_context *context;
    struct tls_scratch scratch;
    struct tls_session *session;
    WOLFSSL_CTX *ctx;
    WOLFSSL *client;
    struct wire to_client, to_server;
};

static int take(WOLFSSL *ssl, char *buffer, int size, void *opaque)
{
    struct wire *wire = opaque;
    size_t len = (size_t)size < wire->len ? (size_t)size : wire->len;
    (void)ssl;
    if (len == 0)
        return WOLFSSL_CBIO_ERR_WANT_READ;
    memcpy(buffer, wire->bytes, len);
    memmove(wire->bytes, wire->bytes + len, wire->len - len);
    wire->len -= len;
    return (int)len;
}

static int give(WOLFSSL *ssl, char *buffer, int size, void *opaque)
{
    struct wire *wire = opaque;
    (void)ssl;
    assert_true(wire->len + (size_t)size <= WIRE_MAX);
    memcpy(wire->bytes + wire->len, buffer, (size_t)size);
    wire->len += (size_t)size;
    return size;
}

static void read_file(const char *path, struct tls_file *out)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    out->path = (char *)path;
    out->data = calloc(1, WIRE_MAX);
    out->len = fread(out->data, 1, WIRE_MAX - 1, file);
    fclose(file);
}

/* `groups` as in the configuration. */
static void serve(struct world *world, const char *groups)
{
    struct problems problems = {0};
    world->settings.groups = (char *)groups;
    world->context = tls_context_new(&world->settings, (struct place){"lb.ini", 3}, &problems);
    assert_non_null(world->context);
    world->session = tls_session_new(world->context, &world->scratch);
    assert_non_null(world->session);
}

/* A client that knows `groups` and sends shares of those in `shares`; both end with 0. */
static void connect_client(struct world *world, const int *groups, const int *shares)
{
    int list[8], count = 0;
    while (groups[count] != 0) {
        list[count] = groups[count];
        count++;
    }
    world->ctx = wolfSSL_CTX_new(wolfTLSv1_3_client_method());
    wolfSSL_CTX_set_verify(world->ctx, WOLFSSL_VERIFY_NONE, NULL);
    wolfSSL_CTX_SetIORecv(world->ctx, take);
    wolfSSL_CTX_SetIOSend(world->ctx, give);
    assert_int_equal(wolfSSL_CTX_set_groups(world->ctx, list, count), WOLFSSL_SUCCESS);
    world->client = wolfSSL_new(world->ctx);
    wolfSSL_SetIOReadCtx(world->client, &world->to_client);
    wolfSSL_SetIOWriteCtx(world->client, &world->to_server);
    for (; *shares != 0; shares++)
        assert_int_equal(wolfSSL_UseKeyShare(world->client, (word16)*shares), WOLFSSL_SUCCESS);
}

static enum tls_result exchange(struct world *world)
{
    enum tls_result result = TLS_WANT;
    for (int i = 0; i < 6 && result == TLS_WANT; i++) {
        static char copy[WIRE_MAX];
        wolfSSL_connect(world->client);
        size_t len = world->to_server.len;
        memcpy(copy, world->to_server.bytes, len);
        world->to_server.len = 0;
        result = tls_session_handshake(world->session, slice_make(copy, len));
        give(NULL, world->scratch.out, (int)world->scratch.out_len, &world->to_client);
        world->scratch.out_len = 0;
    }
    return result;
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    world->settings = (struct tls_settings){.mode = TLS_ONE_WAY, .min = TLS_1_2, .max = TLS_1_3};
    world->settings.pairs = calloc(1, sizeof(*world->settings.pairs));
    world->settings.pair_count = 1;
    read_file("certs/dev/server.pem", &world->settings.pairs[0].certificate);
    read_file("certs/dev/server.key", &world->settings.pairs[0].key);
    assert_true(tls_scratch_init(&world->scratch, WIRE_MAX));
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    tls_session_free(world->session);
    tls_context_free(world->context);
    tls_scratch_free(&world->scratch);
    wolfSSL_free(world->client);
    wolfSSL_CTX_free(world->ctx);
    free(world->settings.pairs[0].certificate.data);
    free(world->settings.pairs[0].key.data);
    free(world->settings.pairs);
    free(world);
    return 0;
}

#define HYBRID  WOLFSSL_X25519MLKEM768
#define CLASSIC WOLFSSL_ECC_X25519

static void a_client_that_sends_a_hybrid_share_gets_it_by_default(void **state)
{
    struct world *world = *state;
    serve(world, NULL);
    connect_client(world, (int[]){CLASSIC, HYBRID, 0}, (int[]){CLASSIC, HYBRID, 0});
    assert_int_equal(exchange(world), TLS_OK);
    assert_string_equal(tls_session_group(world->session), "X25519MLKEM768");
    assert_int_equal(tls_session_group_index(world->session), 0);
}

static void a_client_that_sends_no_hybrid_share_costs_no_second_hello(void **state)
{
    struct world *world = *state;
    serve(world, NULL);
    connect_client(world, (int[]){HYBRID, CLASSIC, 0}, (int[]){CLASSIC, 0});
    assert_int_equal(exchange(world), TLS_OK);
    assert_string_equal(tls_session_group(world->session), "X25519");
}

static void the_first_of_groups_that_the_client_sends_a_share_of_is_chosen(void **state)
{
    struct world *world = *state;
    serve(world, "X25519:X25519MLKEM768");
    connect_client(world, (int[]){HYBRID, CLASSIC, 0}, (int[]){HYBRID, CLASSIC, 0});
    assert_int_equal(exchange(world), TLS_OK);
    assert_string_equal(tls_session_group(world->session), "X25519");
}

static void a_listener_with_hybrid_groups_only_asks_for_the_share(void **state)
{
    struct world *world = *state;
    serve(world, "X25519MLKEM768:SecP256r1MLKEM768");
    connect_client(world, (int[]){CLASSIC, HYBRID, 0}, (int[]){CLASSIC, 0});
    assert_int_equal(exchange(world), TLS_OK);
    assert_string_equal(tls_session_group(world->session), "X25519MLKEM768");
}

static void a_client_without_hybrid_groups_is_refused_where_all_are(void **state)
{
    struct world *world = *state;
    serve(world, "X25519MLKEM768");
    connect_client(world, (int[]){CLASSIC, 0}, (int[]){CLASSIC, 0});
    assert_int_equal(exchange(world), TLS_FAILED);
    const struct tls_failure *failure = tls_session_failure(world->session);
    assert_int_equal(failure->reason, REASON_TLS_CIPHER);
    assert_non_null(strstr(failure->text, "X25519: add one of them to groups"));
}

static void each_hybrid_group_works(void **state)
{
    struct world *world = *state;
    static const int numbers[] = {WOLFSSL_X25519MLKEM768, WOLFSSL_SECP256R1MLKEM768,
                                  WOLFSSL_SECP384R1MLKEM1024};
    static const char *const names[] = {"X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024"};
    for (size_t i = 0; i < 3; i++) {
        serve(world, names[i]);
        connect_client(world, (int[]){numbers[i], 0}, (int[]){numbers[i], 0});
        assert_int_equal(exchange(world), TLS_OK);
        assert_string_equal(tls_group_names()[tls_session_group_index(world->session)], names[i]);
        tls_session_free(world->session);
        tls_context_free(world->context);
        wolfSSL_free(world->client);
        wolfSSL_CTX_free(world->ctx);
        world->session = NULL;
        world->context = NULL;
        world->client = NULL;
        world->ctx = NULL;
        world->to_client.len = 0;
    }
}

static int begin(void **state)
{
    (void)state;
    assert_int_equal(system("certs/make-dev-certs >/dev/null"), 0);
    return tls_library_start() ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    tls_library_stop();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_client_that_sends_a_hybrid_share_gets_it_by_default),
        TEST(a_client_that_sends_no_hybrid_share_costs_no_second_hello),
        TEST(the_first_of_groups_that_the_client_sends_a_share_of_is_chosen),
        TEST(a_listener_with_hybrid_groups_only_asks_for_the_share),
        TEST(a_client_without_hybrid_groups_is_refused_where_all_are),
        TEST(each_hybrid_group_works),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
