/* OCSP answers that are remembered, and those that are stapled. */
#include "lb/tls/ocsp_cache.h"
#include "lb/tls/staple.h"
#include "tests/unit/test_tls_ocsp_world.h"

/* ---- remembering ---- */

static struct ocsp_key numbered(unsigned number)
{
    struct ocsp_key key = {{0}};
    number *= 2654435761u; /* spread over shards and sets */
    memcpy(key.bytes, &number, sizeof number);
    return key;
}

static void an_answer_is_remembered_until_its_end(void **state)
{
    struct ocsp_cache *cache = ocsp_cache_new(1024);
    struct ocsp_key key = numbered(1), other = numbered(2);
    (void)state;
    assert_int_equal(ocsp_cache_get(cache, &key, 100), OCSP_NOT_KNOWN);
    ocsp_cache_put(cache, &key, OCSP_KNOWN_REVOKED, 200);
    assert_int_equal(ocsp_cache_get(cache, &key, 199), OCSP_KNOWN_REVOKED);
    assert_int_equal(ocsp_cache_get(cache, &key, 200), OCSP_NOT_KNOWN);
    assert_int_equal(ocsp_cache_get(cache, &other, 199), OCSP_NOT_KNOWN);
    ocsp_cache_free(cache);
}

static void a_new_answer_takes_the_place_of_the_old(void **state)
{
    struct ocsp_cache *cache = ocsp_cache_new(1024);
    struct ocsp_key key = numbered(1);
    (void)state;
    ocsp_cache_put(cache, &key, OCSP_KNOWN_GOOD, 200);
    ocsp_cache_put(cache, &key, OCSP_KNOWN_REVOKED, 150);
    assert_int_equal(ocsp_cache_get(cache, &key, 100), OCSP_KNOWN_REVOKED);
    assert_int_equal(ocsp_cache_get(cache, &key, 160), OCSP_NOT_KNOWN);
    ocsp_cache_free(cache);
}

static void that_there_was_no_answer_takes_no_answers_place(void **state)
{
    struct ocsp_cache *cache = ocsp_cache_new(1024);
    struct ocsp_key key = numbered(1);
    (void)state;
    ocsp_cache_put(cache, &key, OCSP_KNOWN_REVOKED, 200);
    ocsp_cache_put(cache, &key, OCSP_NO_ANSWER, 105);
    assert_int_equal(ocsp_cache_get(cache, &key, 100), OCSP_KNOWN_REVOKED);
    ocsp_cache_put(cache, &key, OCSP_NO_ANSWER, 205);
    assert_int_equal(ocsp_cache_get(cache, &key, 200), OCSP_NO_ANSWER);
    ocsp_cache_free(cache);
}

static void however_many_there_are_none_is_taken_for_another(void **state)
{
    struct ocsp_cache *cache = ocsp_cache_new(1024);
    unsigned kept = 0;
    (void)state;
    for (unsigned i = 1; i <= 20000; i++) {
        struct ocsp_key key = numbered(i);
        ocsp_cache_put(cache, &key, i % 2 ? OCSP_KNOWN_GOOD : OCSP_KNOWN_REVOKED, 200 + (int64_t)i);
    }
    for (unsigned i = 1; i <= 20000; i++) {
        struct ocsp_key key = numbered(i);
        enum ocsp_known known = ocsp_cache_get(cache, &key, 100);
        kept += known != OCSP_NOT_KNOWN;
        if (known != OCSP_NOT_KNOWN)
            assert_int_equal(known, i % 2 ? OCSP_KNOWN_GOOD : OCSP_KNOWN_REVOKED);
    }
    assert_in_range(kept, 512, 1024);
    ocsp_cache_free(cache);
}

static void answers_are_kept_apart_by_whom_they_are_about_and_who_may_give_them(void **state)
{
    const struct world *world = *state;
    struct ocsp_subject subjects[] = {
        {&world->client.certificate, &world->root.certificate, NULL},
        {&world->second.certificate, &world->root.certificate, NULL},
        {&world->client.certificate, &world->other.certificate, NULL},
        {&world->client.certificate, &world->root.certificate, &world->responder.certificate},
        {&world->client.certificate, &world->root.certificate, NULL},
    };
    struct ocsp_key keys[5], again;
    for (size_t i = 0; i < 5; i++) {
        assert_true(
            ocsp_key_of(&subjects[i], slice_of(i == 4 ? "http://other.test" : "http://a.test"), &keys[i]));
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(&keys[i], &keys[j], sizeof keys[i]);
    }
    assert_true(ocsp_key_of(&subjects[0], slice_of("http://a.test"), &again));
    assert_memory_equal(&again, &keys[0], sizeof again);
}

/* ---- stapling ---- */

static struct staple *staple_of(const struct pki_cert *leaf, const struct pki_cert *issuer, const char **why)
{
    char *pem = pki_pem(leaf, issuer, NULL);
    struct staple *staple = staple_new(slice_of(pem), why);
    free(pem);
    return staple;
}

static void nothing_is_stapled_before_a_response_is_there(void **state)
{
    const struct world *world = *state;
    const char *why;
    size_t len;
    struct staple *staple = staple_of(&world->client.made, &world->root.made, &why);
    assert_null(staple_copy(staple, time(NULL), &len));
    staple_drop(staple);
}

static void a_response_is_stapled_to_the_second_of_its_end(void **state)
{
    const struct world *world = *state;
    const char *why;
    size_t len;
    struct ocsp_answer answer;
    struct staple *staple = staple_of(&world->client.made, &world->root.made, &why);
    struct slice der = respond(world, good(world));
    assert_true(staple_load(staple, der, time(NULL), &answer, &why));
    char *copy = staple_copy(staple, answer.until - 1, &len);
    assert_non_null(copy);
    assert_int_equal(len, der.len);
    assert_memory_equal(copy, der.data, len);
    assert_null(staple_copy(staple, answer.until, &len));
    free(copy);
    free((char *)der.data);
    staple_drop(staple);
}

static void load(struct staple *staple, const struct world *world, struct spec spec, bool expected)
{
    struct ocsp_answer answer;
    const char *why;
    struct slice der = respond(world, spec);
    assert_int_equal(staple_load(staple, der, time(NULL), &answer, &why), expected);
    free((char *)der.data);
}

static bool staples(struct staple *staple)
{
    size_t len;
    char *copy = staple_copy(staple, time(NULL), &len);
    free(copy);
    return copy != NULL;
}

static void a_response_that_proves_nothing_leaves_the_one_before(void **state)
{
    const struct world *world = *state;
    const char *why;
    struct staple *staple = staple_of(&world->client.made, &world->root.made, &why);
    struct spec old = good(world), unknown = good(world);
    old.end = -30; /* within the skew that a client's certificate is given */
    unknown.status = V_OCSP_CERTSTATUS_UNKNOWN;
    load(staple, world, good(world), true);
    load(staple, world, unknown, false);
    load(staple, world, old, false);
    assert_true(staples(staple));
    staple_drop(staple);
}

static void a_response_that_revokes_ends_the_one_before(void **state)
{
    const struct world *world = *state;
    const char *why;
    struct staple *staple = staple_of(&world->client.made, &world->root.made, &why);
    struct spec revoked = good(world);
    revoked.status = V_OCSP_CERTSTATUS_REVOKED;
    load(staple, world, good(world), true);
    load(staple, world, revoked, false);
    assert_false(staples(staple));
    staple_drop(staple);
}

static void a_staple_needs_the_issuer_behind_the_certificate(void **state)
{
    const struct world *world = *state;
    const char *why;
    assert_null(staple_of(&world->client.made, NULL, &why));
    assert_non_null(strstr(why, "issuer"));
    assert_null(staple_of(&world->client.made, &world->second.made, &why));
    assert_non_null(strstr(why, "issuer"));
}

static void a_certificate_that_signs_itself_is_its_own_issuer(void **state)
{
    const struct world *world = *state;
    const char *why;
    struct staple *staple = staple_of(&world->root.made, NULL, &why);
    assert_non_null(staple);
    staple_drop(staple);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_remembered_until_its_end),
        cmocka_unit_test(a_new_answer_takes_the_place_of_the_old),
        cmocka_unit_test(that_there_was_no_answer_takes_no_answers_place),
        cmocka_unit_test(however_many_there_are_none_is_taken_for_another),
        cmocka_unit_test(answers_are_kept_apart_by_whom_they_are_about_and_who_may_give_them),
        cmocka_unit_test(nothing_is_stapled_before_a_response_is_there),
        cmocka_unit_test(a_response_is_stapled_to_the_second_of_its_end),
        cmocka_unit_test(a_response_that_proves_nothing_leaves_the_one_before),
        cmocka_unit_test(a_response_that_revokes_ends_the_one_before),
        cmocka_unit_test(a_staple_needs_the_issuer_behind_the_certificate),
        cmocka_unit_test(a_certificate_that_signs_itself_is_its_own_issuer),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
