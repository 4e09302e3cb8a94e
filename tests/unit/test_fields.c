#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lb/http/head.h"

/* On the heap with its exact size, so that a sanitizer sees each byte read too far. */
static enum field_id find(const char *name, size_t len, bool *exact)
{
    char *copy = malloc(len ? len : 1);
    memcpy(copy, name, len);
    enum field_id id = field_find(slice_make(copy, len), exact);
    free(copy);
    return id;
}

static void expect_other(const char *name, size_t len)
{
    bool exact = false;
    if (find(name, len, &exact) != HEADER_OTHER)
        fail_msg("'%.*s' is taken for a field", (int)len, name);
    assert_true(exact);
}

/* Spelling number `way` of a name: each of its letters and dashes in turn. */
static bool respell(const char *name, unsigned way, char *out)
{
    bool exact = true;
    strcpy(out, name);
    for (char *at = out; *at; at++) {
        unsigned turn = (way + (unsigned)(at - out)) % 3;
        if (*at == '-' && turn != 0) {
            *at = turn == 1 ? '_' : '.';
            exact = false;
        } else if (way & 1)
            *at = (char)toupper((unsigned char)*at);
    }
    return exact;
}

/* ---- what is no known field ---- */

static void an_unknown_name_is_other_and_exact(void **state)
{
    static const char *const names[] = {"x",           "accept",          "x_custom",      "my.field",
                                        "grpc-status", "host2",           "hos",           "xhost",
                                        "-host",       "host-",           "x-ssl-client",  "x-ssl-client-dns",
                                        "_",           "content--length", "contentlength", "x-forwarded-fo",
                                        "vias"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        expect_other(names[i], strlen(names[i]));
    expect_other("", 0);
}

static void any_one_changed_byte_makes_a_name_another(void **state)
{
    char name[64];
    (void)state;
    for (unsigned id = HEADER_OTHER + 1; id < HEADER_COUNT; id++)
        for (size_t at = 0; at < strlen(field_name((enum field_id)id)); at++)
            for (const char *byte = "#!\x7f\x80\x01 "; *byte; byte++) {
                strcpy(name, field_name((enum field_id)id));
                name[at] = *byte;
                expect_other(name, strlen(name));
            }
}

static void a_name_cut_short_or_made_longer_is_another(void **state)
{
    char name[64];
    (void)state;
    for (unsigned id = HEADER_OTHER + 1; id < HEADER_COUNT; id++) {
        size_t len = strlen(strcpy(name, field_name((enum field_id)id)));
        strcpy(name + len, "x");
        expect_other(name, len + 1);
        bool exact;
        assert_int_not_equal(find(name, len - 1, &exact), id);
    }
}

static void a_nul_byte_is_no_dash(void **state)
{
    (void)state;
    expect_other("client\0cert", 11);
    expect_other("host\0", 5);
}

/* ---- what is ---- */

static void every_field_is_found_in_every_folded_spelling(void **state)
{
    char name[64];
    (void)state;
    for (unsigned id = HEADER_OTHER + 1; id < HEADER_COUNT; id++)
        for (unsigned way = 0; way < 6; way++) {
            bool exact, expected = respell(field_name((enum field_id)id), way, name);
            if (find(name, strlen(name), &exact) != id || exact != expected)
                fail_msg("%s", name);
        }
}

static void every_dash_alone_may_be_spelled_otherwise(void **state)
{
    char name[64];
    bool exact;
    (void)state;
    for (unsigned id = HEADER_OTHER + 1; id < HEADER_COUNT; id++)
        for (size_t at = 0; at < strlen(field_name((enum field_id)id)); at++) {
            strcpy(name, field_name((enum field_id)id));
            if (name[at] != '-')
                continue;
            name[at] = at % 2 ? '_' : '.';
            assert_int_equal(find(name, strlen(name), &exact), id);
            assert_false(exact);
        }
}

static void no_two_fields_share_a_name(void **state)
{
    (void)state;
    for (unsigned a = HEADER_OTHER + 1; a < HEADER_COUNT; a++)
        for (unsigned b = a + 1; b < HEADER_COUNT; b++)
            assert_string_not_equal(field_name((enum field_id)a), field_name((enum field_id)b));
}

static void the_unknown_field_has_no_name_and_no_traits(void **state)
{
    (void)state;
    assert_string_equal(field_name(HEADER_OTHER), "");
    assert_int_equal(field_name_slice(HEADER_OTHER).len, 0);
    assert_int_equal(field_traits(HEADER_OTHER), 0);
}

static void every_identity_field_is_kept_out_of_trailers(void **state)
{
    unsigned found = 0;
    (void)state;
    for (unsigned id = HEADER_OTHER + 1; id < HEADER_COUNT; id++)
        if (field_traits((enum field_id)id) & (FIELD_IDENTITY | FIELD_FORWARDED)) {
            assert_true(field_traits((enum field_id)id) & FIELD_UNTRAILED);
            found++;
        }
    assert_int_equal(found, 16);
}

/* ---- heads ---- */

static void a_known_field_is_added_as_if_it_were_looked_up(void **state)
{
    struct http_head head;
    (void)state;
    http_head_init(&head);
    assert_true(http_head_add(&head, slice_of("Via"), slice_of("a")));
    assert_true(http_head_add_known(&head, HEADER_VIA, slice_of("a")));
    assert_int_equal(head.fields[0].id, head.fields[1].id);
    assert_true(head.fields[1].exact);
    assert_false(head.fields[1].gone);
    assert_true(slice_is(head_name(&head, &head.fields[1]), "via"));
    assert_true(slice_is(head_value(&head, &head.fields[1]), "a"));
    http_head_free(&head);
}

static void text_of_the_head_itself_may_be_added_while_the_head_grows(void **state)
{
    char value[1000];
    struct http_head head;
    (void)state;
    memset(value, 'v', sizeof(value));
    http_head_init(&head);
    assert_true(http_head_add(&head, slice_of("a"), slice_make(value, sizeof(value))));
    for (unsigned i = 0; i < 100; i++)
        assert_true(http_head_add(&head, slice_of("b"), head_value(&head, &head.fields[i])));
    for (unsigned i = 0; i <= 100; i++)
        assert_true(slice_equal(head_value(&head, &head.fields[i]), slice_make(value, sizeof(value))));
    http_head_free(&head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_name_is_other_and_exact),
        cmocka_unit_test(any_one_changed_byte_makes_a_name_another),
        cmocka_unit_test(a_name_cut_short_or_made_longer_is_another),
        cmocka_unit_test(a_nul_byte_is_no_dash),
        cmocka_unit_test(every_field_is_found_in_every_folded_spelling),
        cmocka_unit_test(every_dash_alone_may_be_spelled_otherwise),
        cmocka_unit_test(no_two_fields_share_a_name),
        cmocka_unit_test(the_unknown_field_has_no_name_and_no_traits),
        cmocka_unit_test(every_identity_field_is_kept_out_of_trailers),
        cmocka_unit_test(a_known_field_is_added_as_if_it_were_looked_up),
        cmocka_unit_test(text_of_the_head_itself_may_be_added_while_the_head_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
