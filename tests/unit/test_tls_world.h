/* A listener with mutual TLS, its CA, and what is expected of the clients it meets. */
#ifndef TEST_TLS_WORLD_H
#define TEST_TLS_WORLD_H

#include "tests/unit/test_tls_client.h"

struct world {
    struct pki_cert root, other_root, own, middle, client;
};

static inline int setup_world(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_true(tls_library_start());
    world->root = pki_root("Root");
    world->other_root = pki_root("Other Root");
    world->own = pki_make((struct pki_spec){.cn = "localhost", .san = "DNS:localhost"});
    world->middle = pki_intermediate("Middle", &world->root);
    world->client = pki_client("client", &world->root);
    *state = world;
    return 0;
}

static inline int teardown_world(void **state)
{
    struct world *world = *state;
    pki_free(&world->root);
    pki_free(&world->other_root);
    pki_free(&world->own);
    pki_free(&world->middle);
    pki_free(&world->client);
    free(world);
    tls_library_stop();
    return 0;
}

static inline struct tls_settings settings_for(const struct world *world, const struct pki_cert *ca)
{
    return server_settings(TLS_MUTUAL, pki_pem(&world->own, NULL), pki_key_pem(&world->own, NULL),
                           pki_pem(ca, NULL));
}

static inline void start(struct server *server, const struct world *world)
{
    server_start(server, settings_for(world, &world->root));
}

struct expected {
    enum reason reason;
    int alert;
    const char *text; /* part of it */
};

static inline void expect_refused(struct server *server, struct client_spec spec, struct expected expected)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;
        size_t count;
        spec.version = VERSIONS[i];
        meet(server, &spec, &meeting);
        assert_int_equal(meeting.result, TLS_FAILED);
        const struct tls_failure *failure = tls_session_failure(meeting.session);
        if (failure->reason != expected.reason || !strstr(failure->text, expected.text))
            print_message("    %s: %s\n", reason_name(failure->reason), failure->text);
        assert_int_equal(failure->reason, expected.reason);
        assert_non_null(strstr(failure->text, expected.text));
        assert_int_equal(failure->alert_sent, expected.alert);
        assert_int_equal(meeting.client.alert, expected.alert);
        assert_null(tls_session_chain(meeting.session, &count));
        assert_int_equal(count, 0);
        part(&meeting);
    }
}

static inline void expect_admitted(struct server *server, struct client_spec spec, size_t chain)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;
        size_t count;
        spec.version = VERSIONS[i];
        meet(server, &spec, &meeting);
        if (meeting.result != TLS_OK)
            print_message("    %s\n", tls_session_failure(meeting.session)->text);
        assert_int_equal(meeting.result, TLS_OK);
        tls_session_chain(meeting.session, &count);
        assert_int_equal(count, chain);
        part(&meeting);
    }
}

/* A client certificate that differs from a good one in one thing. */
static inline void expect_leaf_refused(const struct world *world, struct pki_spec spec,
                                       struct expected expected)
{
    struct server server;
    start(&server, world);
    spec.cn = spec.cn ? spec.cn : "client";
    spec.issuer = spec.issuer ? spec.issuer : &world->root;
    struct pki_cert leaf = pki_make(spec);
    expect_refused(&server, (struct client_spec){.leaf = &leaf}, expected);
    pki_free(&leaf);
    server_stop(&server);
}

#endif
