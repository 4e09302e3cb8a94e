/* The dry run judges as the listener does, without the client's key. */
#include "tests/unit/test_tls_client.h"

#include "lb/tls/dryrun.h"

struct world {
    struct pki_cert root, own, other, client;
};

static int setup_world(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_true(tls_library_start());
    world->root = pki_root("Root");
    world->own =
        pki_make((struct pki_spec){.cn = "localhost", .issuer = &world->root, .purpose = "serverAuth"});
    world->other =
        pki_make((struct pki_spec){.cn = "other", .issuer = &world->root, .purpose = "serverAuth"});
    world->client = pki_client("client", &world->root);
    *state = world;
    return 0;
}

static int teardown_world(void **state)
{
    struct world *world = *state;
    pki_free(&world->root);
    pki_free(&world->own);
    pki_free(&world->other);
    pki_free(&world->client);
    free(world);
    tls_library_stop();
    return 0;
}

static struct tls_settings good_settings(const struct world *world)
{
    return server_settings(TLS_MUTUAL, pki_pem(&world->own, NULL), pki_key_pem(&world->own, NULL),
                           pki_pem(&world->root, NULL));
}

struct dry_case {
    struct tls_settings settings;
    struct problems problems;
    struct tls_dry_run run;
};

/* A NULL leaf sends none. */
static bool try_dry(struct dry_case *try, const struct world *world, const struct pki_cert *leaf, int64_t at)
{
    unsigned char *der = NULL;
    *try = (struct dry_case){.settings = good_settings(world)};
    struct slice chain = {NULL, 0};
    if (leaf)
        chain.len = pki_der(leaf, &der);
    chain.data = (const char *)der;
    bool admitted = tls_dry_run(&try->settings, &chain, leaf ? 1 : 0, at, &try->problems, &try->run);
    OPENSSL_free(der);
    return admitted;
}

static void end_dry(struct dry_case *try)
{
    tls_dry_run_end(&try->run);
    problems_free(&try->problems);
    settings_free(&try->settings);
}

static void a_dry_run_refuses_as_the_listener_does(void **state)
{
    struct world *world = *state;
    struct dry_case try;
    assert_false(try_dry(&try, world, NULL, 0));
    assert_int_equal(try.run.failure.reason, REASON_CERTIFICATE_MISSING);
    end_dry(&try);
    assert_false(try_dry(&try, world, &world->other, 0));
    assert_int_equal(try.run.failure.reason, REASON_CERTIFICATE_PURPOSE);
    assert_int_equal(try.run.failure.alert_sent, 43);
    end_dry(&try);
    struct pki_cert foreign = pki_make((struct pki_spec){.cn = "foreign"});
    assert_false(try_dry(&try, world, &foreign, 0));
    assert_int_equal(try.run.failure.reason, REASON_CERTIFICATE_SELF_SIGNED);
    assert_int_equal(try.run.count, 0);
    end_dry(&try);
    pki_free(&foreign);
}

static void a_dry_run_needs_no_key_and_tells_the_chain(void **state)
{
    struct world *world = *state;
    for (int kind = PKI_EC; kind <= PKI_ED25519; kind++) {
        struct dry_case try;
        char text[64];
        struct pki_cert leaf =
            pki_make((struct pki_spec){.cn = "any", .issuer = &world->root, .key = (enum pki_key)kind});
        bool admitted = try_dry(&try, world, &leaf, 0);
        assert_int_equal(admitted, kind != PKI_RSA1024);
        if (admitted) {
            assert_int_equal(try.run.count, 2);
            assert_string_equal(certificate_subject(&try.run.chain[0], text, sizeof text), "CN=any,O=Test");
            assert_string_equal(certificate_subject(&try.run.chain[1], text, sizeof text), "CN=Root,O=Test");
        }
        end_dry(&try);
        pki_free(&leaf);
    }
}

static void a_dry_run_can_judge_at_another_time(void **state)
{
    struct world *world = *state;
    struct dry_case try;
    int64_t now = time(NULL);
    struct pki_cert short_lived =
        pki_make((struct pki_spec){.cn = "short", .issuer = &world->root, .from = -3600, .until = -60});
    assert_false(try_dry(&try, world, &short_lived, 0));
    assert_int_equal(try.run.failure.reason, REASON_CERTIFICATE_EXPIRED);
    end_dry(&try);
    assert_true(try_dry(&try, world, &short_lived, now - 1800));
    assert_int_equal(try.run.count, 2);
    end_dry(&try);
    assert_false(try_dry(&try, world, &short_lived, now - 7200));
    assert_int_equal(try.run.failure.reason, REASON_CERTIFICATE_NOT_YET_VALID);
    end_dry(&try);
    struct pki_cert forged = pki_make((struct pki_spec){
        .cn = "forged", .issuer = &world->root, .signer = &world->other, .from = -3600, .until = -60});
    assert_false(try_dry(&try, world, &forged, now - 1800));
    assert_int_equal(try.run.failure.reason, REASON_CERTIFICATE_CHAIN_BROKEN);
    end_dry(&try);
    pki_free(&forged);
    pki_free(&short_lived);
}

static void a_dry_run_of_a_one_way_listener_says_so(void **state)
{
    struct world *world = *state;
    struct tls_settings settings = good_settings(world);
    struct problems problems = {0};
    struct tls_dry_run run;
    settings.mode = TLS_ONE_WAY;
    assert_false(tls_dry_run(&settings, NULL, 0, 0, &problems, &run));
    assert_non_null(strstr(run.failure.text, "asks its clients for no certificate"));
    tls_dry_run_end(&run);
    settings_free(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dry_run_refuses_as_the_listener_does),
        cmocka_unit_test(a_dry_run_needs_no_key_and_tells_the_chain),
        cmocka_unit_test(a_dry_run_can_judge_at_another_time),
        cmocka_unit_test(a_dry_run_of_a_one_way_listener_says_so),
    };
    return cmocka_run_group_tests(tests, setup_world, teardown_world);
}
