/* What resumption is made of: keys, the store, proofs, sealed tickets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lb/tls/session_parts.h"
#include "lb/tls/session_store.h"
#include "lb/tls/ticket.h"

/* ---- keys of a file ---- */

static const struct place HERE = {"lb.ini", 3};

static struct tls_file file_of(char *bytes, size_t len)
{
    return (struct tls_file){.path = (char *)"/dev/null", .data = bytes, .len = len, .line = 7};
}

static void fill(char *record, char with)
{
    memset(record, with, TICKET_RECORD_LEN);
}

static void expect_no_keys(char *bytes, size_t len, const char *text)
{
    struct problems problems = {0};
    struct tls_file file = file_of(bytes, len);
    assert_null(ticket_set_read(&file, HERE, &problems));
    assert_int_equal(problems.count, 1);
    assert_int_equal(problems.list[0].line, 7);
    if (!strstr(problems.list[0].text, text))
        print_message("    %s\n", problems.list[0].text);
    assert_non_null(strstr(problems.list[0].text, text));
    problems_free(&problems);
}

static void a_file_of_another_length_is_refused(void **state)
{
    static const size_t lengths[] = {0, 1, 48, 79, 81, 96, 144, 159};
    char bytes[160];
    (void)state;
    memset(bytes, 'a', sizeof bytes);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        expect_no_keys(bytes, lengths[i], "ticket keys are of 80 bytes each");
}

static void keys_of_zeros_are_refused(void **state)
{
    char bytes[160];
    (void)state;
    fill(bytes, 'a');
    fill(bytes + 80, 'b');
    memset(bytes + 80, 0, 16);
    expect_no_keys(bytes, 160, "key 2 cannot be used: its name is all zeros");
    fill(bytes + 80, 'b');
    memset(bytes + 96, 0, 32);
    expect_no_keys(bytes, 160, "key 2 cannot be used: its secret is all zeros");
    fill(bytes + 80, 'b');
    memset(bytes + 128, 0, 32);
    expect_no_keys(bytes, 160, "key 2 cannot be used: its secret is all zeros");
}

static void a_name_that_comes_twice_is_refused(void **state)
{
    char bytes[240];
    (void)state;
    fill(bytes, 'a');
    fill(bytes + 80, 'b');
    fill(bytes + 160, 'c');
    memset(bytes + 160, 'a', 16);
    expect_no_keys(bytes, 240, "key 3 cannot be used: an earlier one has the same name");
}

static void the_first_key_of_a_file_seals_and_all_open(void **state)
{
    struct problems problems = {0};
    char bytes[160];
    (void)state;
    fill(bytes, 'n');
    fill(bytes + 80, 'o');
    struct tls_file file = file_of(bytes, sizeof bytes);
    struct ticket_set *set = ticket_set_read(&file, HERE, &problems);
    assert_non_null(set);
    assert_int_equal(set->count, 2);
    assert_memory_equal(set->keys[0].name, "nnnnnnnnnnnnnnnn", 16);
    assert_ptr_equal(ticket_set_find(set, (const unsigned char *)"oooooooooooooooo"), &set->keys[1]);
    assert_null(ticket_set_find(set, (const unsigned char *)"ooooooooooooooox"));
    assert_memory_not_equal(set->keys[0].key, set->keys[1].key, TICKET_KEY_LEN);
    ticket_set_drop(set);
    problems_free(&problems);
}

static void every_byte_of_a_record_counts(void **state)
{
    struct problems problems = {0};
    char bytes[80];
    (void)state;
    fill(bytes, 'n');
    struct tls_file file = file_of(bytes, sizeof bytes);
    struct ticket_set *set = ticket_set_read(&file, HERE, &problems);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] ^= 1;
        struct ticket_set *other = ticket_set_read(&file, HERE, &problems);
        assert_memory_not_equal(set->keys[0].key, other->keys[0].key, TICKET_KEY_LEN);
        ticket_set_drop(other);
        bytes[i] ^= 1;
    }
    ticket_set_drop(set);
    problems_free(&problems);
}

static void keys_that_others_may_read_are_warned_of(void **state)
{
    char path[] = "/tmp/lb-tickets-XXXXXX", bytes[80];
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    fill(bytes, 'n');
    for (int open = 0; open < 2; open++) {
        struct problems problems = {0};
        struct tls_file file = file_of(bytes, sizeof bytes);
        file.path = path;
        assert_int_equal(chmod(path, open ? 0640 : 0600), 0);
        struct ticket_set *set = ticket_set_read(&file, HERE, &problems);
        assert_non_null(set);
        assert_int_equal(problems.count, open);
        assert_int_equal(problems.errors, 0);
        ticket_set_drop(set);
        problems_free(&problems);
    }
    unlink(path);
}

/* ---- the ring ---- */

#define NOON INT64_C(1800000000)

static void a_key_seals_for_an_hour(void **state)
{
    (void)state;
    struct ticket_ring *ring = ticket_ring_new();
    ticket_ring_keep(ring, 7200);
    struct ticket_set *set = ticket_ring_use(ring, NULL, NOON);
    struct ticket_key first = set->keys[0];
    assert_ptr_equal(ticket_ring_use(ring, set, NOON + TICKET_ROTATION_S - 1), set);
    set = ticket_ring_use(ring, set, NOON + TICKET_ROTATION_S);
    assert_int_equal(set->count, 2);
    assert_memory_not_equal(set->keys[0].name, first.name, TICKET_NAME_LEN);
    assert_memory_not_equal(set->keys[0].key, first.key, TICKET_KEY_LEN);
    assert_memory_equal(&set->keys[1], &first, sizeof first);
    ticket_set_drop(set);
    ticket_ring_free(ring);
}

static void a_key_is_gone_when_nothing_it_sealed_can_count(void **state)
{
    (void)state;
    struct ticket_ring *ring = ticket_ring_new();
    ticket_ring_keep(ring, 7200);
    struct ticket_set *set = ticket_ring_use(ring, NULL, NOON);
    unsigned char name[TICKET_NAME_LEN];
    memcpy(name, set->keys[0].name, sizeof name);
    for (int64_t at = NOON; at <= NOON + TICKET_ROTATION_S + 7200; at += TICKET_ROTATION_S) {
        set = ticket_ring_use(ring, set, at);
        assert_non_null(ticket_set_find(set, name));
    }
    set = ticket_ring_use(ring, set, NOON + 2 * TICKET_ROTATION_S + 7200);
    assert_null(ticket_set_find(set, name));
    assert_true(set->count <= 4);
    ticket_set_drop(set);
    ticket_ring_free(ring);
}

static void a_clock_that_was_set_back_stops_no_rotation(void **state)
{
    (void)state;
    struct ticket_ring *ring = ticket_ring_new();
    struct ticket_set *set = ticket_ring_use(ring, NULL, NOON);
    struct ticket_key first = set->keys[0];
    set = ticket_ring_use(ring, set, NOON - 10 * TICKET_ROTATION_S);
    assert_memory_not_equal(&set->keys[0], &first, sizeof first);
    assert_int_equal(set->count, 1);
    ticket_set_drop(set);
    ticket_ring_free(ring);
}

/* ---- the store ---- */

static void key_of(unsigned number, unsigned char key[STORE_KEY_LEN])
{
    memset(key, 0, STORE_KEY_LEN);
    for (int i = 0; i < 4; i++)
        key[i] = (unsigned char)(number >> 8 * i);
}

static bool holds(struct session_store *store, unsigned number)
{
    unsigned char key[STORE_KEY_LEN];
    char *value;
    size_t len;
    key_of(number, key);
    if (!session_store_get(store, key, &value, &len))
        return false;
    assert_int_equal(len, 1000);
    assert_int_equal((unsigned char)value[999], number & 0xff);
    free(value);
    return true;
}

static void put(struct session_store *store, unsigned number)
{
    unsigned char key[STORE_KEY_LEN];
    char value[1000];
    key_of(number, key);
    memset(value, (int)(number & 0xff), sizeof value);
    assert_true(session_store_put(store, key, slice_make(value, sizeof value)));
}

enum { STORE_SIZE = 2 << 20, ROUND = 16 /* numbers that differ by it are of one part */ };

static void a_store_never_holds_more_than_it_may(void **state)
{
    (void)state;
    struct session_store *store = session_store_new(STORE_SIZE);
    for (unsigned i = 0; i < 10000; i++) {
        put(store, i);
        assert_true(session_store_bytes(store) <= STORE_SIZE);
    }
    assert_true(session_store_bytes(store) > STORE_SIZE / 2);
    assert_true(holds(store, 9999));
    assert_false(holds(store, 0));
    session_store_free(store);
}

static void what_was_used_longest_ago_goes_first(void **state)
{
    (void)state;
    struct session_store *store = session_store_new(STORE_SIZE);
    unsigned char key[STORE_KEY_LEN];
    unsigned next = 2;
    put(store, 0);
    put(store, ROUND);
    key_of(0, key);
    while (session_store_bytes(store) < STORE_SIZE / 16 / 2)
        put(store, next++ * ROUND);
    assert_true(session_store_touch(store, key));
    for (unsigned i = 0, more = next; i < more; i++) { /* half of the part is new: some must go */
        put(store, next++ * ROUND);
        assert_true(session_store_touch(store, key));
    }
    assert_false(holds(store, ROUND));
    assert_true(holds(store, 0));
    session_store_free(store);
}

static void a_value_takes_the_place_of_an_older_one(void **state)
{
    (void)state;
    struct session_store *store = session_store_new(STORE_SIZE);
    put(store, 3);
    size_t bytes = session_store_bytes(store);
    for (int i = 0; i < 1000; i++)
        put(store, 3);
    assert_int_equal(session_store_bytes(store), bytes);
    assert_true(holds(store, 3));
    session_store_free(store);
}

static void what_is_larger_than_a_part_is_not_kept(void **state)
{
    (void)state;
    struct session_store *store = session_store_new(STORE_SIZE);
    unsigned char key[STORE_KEY_LEN] = {1};
    char *large = calloc(1, STORE_SIZE), *value;
    size_t len;
    put(store, 1);
    assert_false(session_store_put(store, key, slice_make(large, STORE_SIZE / 8)));
    assert_true(session_store_get(store, key, &value, &len));
    free(value);
    free(large);
    session_store_free(store);
}

/* ---- proofs ---- */

static void a_proof_without_certificate_comes_back(void **state)
{
    (void)state;
    char bytes[64];
    struct proof proof = {.kind = PROOF_NOBODY, .times = 254, .first = NOON}, again;
    size_t len = proof_write(&proof, bytes, sizeof bytes);
    assert_true(len > 0);
    assert_true(proof_read(slice_make(bytes, len), &again));
    assert_int_equal(again.kind, PROOF_NOBODY);
    assert_int_equal(again.times, 254);
    assert_int_equal(again.first, NOON);
    for (size_t i = 0; i < len; i++)
        assert_false(proof_read(slice_make(bytes, i), &again));
    assert_int_equal(proof_write(&proof, bytes, len - 1), 0);
}

static void a_malformed_proof_is_refused(void **state)
{
    (void)state;
    struct proof out;
    struct proof_chain chain;
    assert_false(proof_read(SLICE_LITERAL("\x01\x00\0\0\0\0\0\0\0\0\x01"), &out));   /* another format */
    assert_false(proof_read(SLICE_LITERAL("\x02\x03\0\0\0\0\0\0\0\0\x01"), &out));   /* another kind */
    assert_false(proof_read(SLICE_LITERAL("\x02\x00\0\xff\0\0\0\0\0\0\x01"), &out)); /* before all time */
    assert_false(proof_read(SLICE_LITERAL("\x02\x01\0\0\0\0\0\0\0\0\x01"), &out));   /* no chain */
    assert_false(proof_chain_read(SLICE_LITERAL(""), &chain));
    assert_false(proof_chain_read(SLICE_LITERAL("\x00\x00"), &chain));         /* of none */
    assert_false(proof_chain_read(SLICE_LITERAL("\x0a\x00"), &chain));         /* of too many */
    assert_false(proof_chain_read(SLICE_LITERAL("\x01\x02\x00\x00"), &chain)); /* unknown flags */
    assert_false(proof_chain_read(SLICE_LITERAL("\x01\x00\xff\xff"), &chain)); /* beyond the end */
    assert_false(proof_chain_read(SLICE_LITERAL("\x01\x00\x00\x02\x30\x00"), &chain));
}

/* ---- the first good offer only ---- */

static void of_two_good_offers_only_the_first_counts(void **state)
{
    (void)state;
    struct tls_context context = {.mode = TLS_ONE_WAY, .at = NOON, .resume = {.lifetime = 3600}};
    struct tls_session session = {.context = &context, .resumption = calloc(1, sizeof(struct resumption))};
    struct proof first = {.first = NOON - 10}, second = {.first = NOON - 5};
    static const unsigned char one[32] = {1}, two[32] = {2};
    assert_true(resume_admit(&session, &first, one));
    assert_false(resume_admit(&session, &second, two));
    assert_true(session.resumption->opened);
    assert_int_equal(session.resumption->first, NOON - 10);
    assert_true(resume_admit(&session, &first, one)); /* it comes again in a second hello */
    resume_end(&session);
}

static void a_bad_offer_before_a_good_one_leaves_it_to_the_good_one(void **state)
{
    (void)state;
    struct tls_context context = {.mode = TLS_ONE_WAY, .at = NOON, .resume = {.lifetime = 3600}};
    struct tls_session session = {.context = &context, .resumption = calloc(1, sizeof(struct resumption))};
    struct proof old = {.first = NOON - 3600}, good = {.first = NOON - 3599};
    static const unsigned char one[32] = {1}, two[32] = {2};
    assert_false(resume_admit(&session, &old, one));
    assert_false(session.resumption->opened);
    assert_true(resume_admit(&session, &good, two));
    resume_end(&session);
}

static void nobody_is_none_where_a_certificate_is_demanded(void **state)
{
    (void)state;
    struct tls_context context = {.mode = TLS_MUTUAL, .at = NOON, .resume = {.lifetime = 3600}};
    struct tls_session session = {.context = &context, .resumption = calloc(1, sizeof(struct resumption))};
    struct proof nobody = {.first = NOON};
    static const unsigned char one[32] = {1};
    assert_false(resume_admit(&session, &nobody, one));
    assert_int_equal(session.refusal, TLS_REFUSED_CERTIFICATE);
    assert_false(session.resumption->opened);
    context.mode = TLS_MUTUAL_OPTIONAL;
    assert_true(resume_admit(&session, &nobody, one));
    resume_end(&session);
}

/* ---- sealing ---- */

struct sealed {
    unsigned char name[16], iv[16], mac[32], bytes[1024];
    size_t len;
};

static struct ticket_parts parts_of(struct sealed *sealed)
{
    return (struct ticket_parts){sealed->name, sealed->iv, sealed->mac, sealed->bytes};
}

static void seal(struct sealed *sealed, WC_RNG *rng, const struct ticket_key *key,
                 const struct ticket_bond *bond)
{
    struct proof proof = {.kind = PROOF_NOBODY, .first = NOON};
    struct ticket_parts parts = parts_of(sealed);
    memset(sealed, 0x11, sizeof *sealed);
    sealed->len = ticket_seal(key, rng, bond, &parts, 100, 900, &proof);
    assert_true(sealed->len > 100);
}

static bool opens(const struct sealed *sealed, const struct ticket_key *key, const struct ticket_bond *bond,
                  size_t len)
{
    struct sealed copy = *sealed;
    struct ticket_parts parts = parts_of(&copy);
    struct proof proof;
    size_t inner;
    return ticket_open(key, bond, &parts, len, &inner, &proof) && inner == 100 && copy.bytes[99] == 0x11 &&
           proof.first == NOON;
}

static void a_ticket_opens_only_for_what_it_is_bound_to(void **state)
{
    (void)state;
    WC_RNG rng;
    struct sealed sealed;
    static const unsigned char scope[32] = {1}, other[32] = {2};
    struct ticket_key key = {.name = {7}, .key = {9}}, stranger = {.name = {7}, .key = {8}};
    struct ticket_bond bond, wrong[4];
    assert_int_equal(wc_InitRng(&rng), 0);
    ticket_bond(&bond, scope, 4, "a.test");
    ticket_bond(&wrong[0], other, 4, "a.test");
    ticket_bond(&wrong[1], scope, 3, "a.test");
    ticket_bond(&wrong[2], scope, 4, "b.test");
    ticket_bond(&wrong[3], scope, 4, "");
    seal(&sealed, &rng, &key, &bond);
    assert_true(opens(&sealed, &key, &bond, sealed.len));
    assert_false(opens(&sealed, &stranger, &bond, sealed.len));
    for (size_t i = 0; i < 4; i++)
        assert_false(opens(&sealed, &key, &wrong[i], sealed.len));
    for (size_t len = 0; len < sealed.len; len++)
        assert_false(opens(&sealed, &key, &bond, len));
    wc_FreeRng(&rng);
}

static void a_proof_that_does_not_fit_is_not_sealed(void **state)
{
    (void)state;
    WC_RNG rng;
    struct sealed sealed;
    struct ticket_parts parts = parts_of(&sealed);
    static const unsigned char scope[32] = {1};
    struct ticket_key key = {.name = {7}, .key = {9}};
    struct ticket_bond bond;
    struct proof proof = {.kind = PROOF_NOBODY, .first = NOON};
    assert_int_equal(wc_InitRng(&rng), 0);
    ticket_bond(&bond, scope, 4, "a.test");
    for (size_t room = 0; room < 113; room++)
        assert_int_equal(ticket_seal(&key, &rng, &bond, &parts, 100, room, &proof), 0);
    assert_int_equal(ticket_seal(&key, &rng, &bond, &parts, 100, 113, &proof), 113);
    wc_FreeRng(&rng);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_of_another_length_is_refused),
        cmocka_unit_test(keys_of_zeros_are_refused),
        cmocka_unit_test(a_name_that_comes_twice_is_refused),
        cmocka_unit_test(the_first_key_of_a_file_seals_and_all_open),
        cmocka_unit_test(every_byte_of_a_record_counts),
        cmocka_unit_test(keys_that_others_may_read_are_warned_of),
        cmocka_unit_test(a_key_seals_for_an_hour),
        cmocka_unit_test(a_key_is_gone_when_nothing_it_sealed_can_count),
        cmocka_unit_test(a_clock_that_was_set_back_stops_no_rotation),
        cmocka_unit_test(a_store_never_holds_more_than_it_may),
        cmocka_unit_test(what_was_used_longest_ago_goes_first),
        cmocka_unit_test(a_value_takes_the_place_of_an_older_one),
        cmocka_unit_test(what_is_larger_than_a_part_is_not_kept),
        cmocka_unit_test(a_proof_without_certificate_comes_back),
        cmocka_unit_test(a_malformed_proof_is_refused),
        cmocka_unit_test(of_two_good_offers_only_the_first_counts),
        cmocka_unit_test(a_bad_offer_before_a_good_one_leaves_it_to_the_good_one),
        cmocka_unit_test(nobody_is_none_where_a_certificate_is_demanded),
        cmocka_unit_test(a_ticket_opens_only_for_what_it_is_bound_to),
        cmocka_unit_test(a_proof_that_does_not_fit_is_not_sealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
