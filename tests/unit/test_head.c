#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lb/http/bytes.h"
#include "lb/http/head.h"

static struct http_head *new_head(void)
{
    struct http_head *head = malloc(sizeof(*head));
    assert_non_null(head);
    http_head_init(head);
    return head;
}

static void end_head(struct http_head *head)
{
    http_head_free(head);
    free(head);
}

static void add(struct http_head *head, const char *name, const char *value)
{
    assert_true(http_head_add(head, slice_of(name), slice_of(value)));
}

/* ---- bytes ---- */

static void a_control_is_found_wherever_it_stands_in_a_value(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        bool good = byte == '\t' || (byte >= ' ' && byte != 0x7F);
        for (size_t at = 0; at < 19; at++) {
            char text[19];
            memset(text, 'a', sizeof(text));
            text[at] = (char)byte;
            assert_ptr_equal(http_value_end(text, text + sizeof(text)),
                             good ? text + sizeof(text) : text + at);
            assert_int_equal(http_is_value(slice_make(text, sizeof(text))), good);
        }
    }
}

static void tokens_are_of_the_characters_of_rfc_9110(void **state)
{
    (void)state;
    const char *others = "!#$%&'*+-.^_`|~";
    for (unsigned byte = 0; byte < 256; byte++) {
        char text = (char)byte;
        bool alphanumeric =
            (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        assert_int_equal(http_is_token(slice_make(&text, 1)),
                         alphanumeric || (byte && strchr(others, (int)byte)));
        assert_int_equal(http_byte_is(text, BYTE_TARGET), byte > ' ' && byte < 0x7F);
    }
    assert_false(http_is_token(slice_make("", 0)));
}

/* ---- fields ---- */

static void no_other_name_is_taken_for_a_field(void **state)
{
    (void)state;
    const char *others[] = {"",
                            "x",
                            "hos",
                            "hostt",
                            "h-st",
                            "content-lengt",
                            "content length",
                            "content--length",
                            "contentlength",
                            "a-very-long-name-that-no-field-of-the-table-has"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        bool exact = false;
        assert_int_equal(field_find(slice_of(others[i]), &exact), HEADER_OTHER);
        assert_true(exact);
    }
}

static void every_field_is_found_by_its_name_in_any_case(void **state)
{
    (void)state;
    for (unsigned id = HEADER_OTHER + 1; id < HEADER_COUNT; id++) {
        char upper[64] = "";
        const char *name = field_name((enum field_id)id);
        bool exact = false;
        assert_int_equal(field_find(slice_of(name), &exact), id);
        assert_true(exact);
        for (size_t i = 0; name[i]; i++)
            upper[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 32) : name[i];
        exact = false;
        assert_int_equal(field_find(slice_of(upper), &exact), id);
        assert_true(exact);
    }
}

static void a_name_that_only_folds_to_a_field_is_not_exact(void **state)
{
    (void)state;
    bool exact = true;
    assert_int_equal(field_find(SLICE_LITERAL("Content_Length"), &exact), HEADER_CONTENT_LENGTH);
    assert_false(exact);
    exact = true;
    assert_int_equal(field_find(SLICE_LITERAL("x.ssl-client_dn"), &exact), HEADER_X_SSL_CLIENT_DN);
    assert_false(exact);
}

/* ---- heads ---- */

static void find_passes_over_other_spellings_and_what_is_gone(void **state)
{
    (void)state;
    struct http_head *head = new_head();
    add(head, "content_type", "a");
    add(head, "Content-Type", "b");
    add(head, "Content-Type", "c");
    head->fields[1].gone = true;
    assert_ptr_equal(http_head_find(head, HEADER_CONTENT_TYPE), &head->fields[2]);
    assert_null(http_head_find(head, HEADER_HOST));
    end_head(head);
}

static void remove_takes_every_spelling(void **state)
{
    (void)state;
    struct http_head *head = new_head();
    add(head, "X_SSL_Client_DN", "a");
    add(head, "x-ssl-client-dn", "b");
    add(head, "x", "c");
    http_head_remove(head, HEADER_X_SSL_CLIENT_DN);
    assert_int_equal(http_head_field_count(head), 1);
    assert_false(head->fields[2].gone);
    end_head(head);
}

static void remove_named_takes_that_name_only(void **state)
{
    (void)state;
    struct http_head *head = new_head();
    add(head, "x_a", "a");
    add(head, "X-A", "b");
    http_head_remove_named(head, SLICE_LITERAL("X-a"));
    assert_false(head->fields[0].gone);
    assert_true(head->fields[1].gone);
    end_head(head);
}

static void fields_come_in_pieces(void **state)
{
    (void)state;
    struct http_head *head = new_head();
    const char *name = "X-Forwarded-For", *value = " \t1, 2\t ";
    for (size_t i = 0; name[i]; i++)
        assert_true(http_head_name_bytes(head, slice_make(name + i, 1)));
    for (size_t i = 0; value[i]; i++)
        assert_true(http_head_value_bytes(head, slice_make(value + i, 1)));
    http_head_field_done(head);
    assert_true(slice_is(head_name(head, head->fields), "x-forwarded-for"));
    assert_true(slice_is(head_value(head, head->fields), "1, 2"));
    assert_int_equal(head->fields[0].id, HEADER_X_FORWARDED_FOR);
    end_head(head);
}

static void names_come_in_lower_case_and_nothing_else_changes(void **state)
{
    (void)state;
    struct http_head *head = new_head();
    char name[256], expected[256];
    for (unsigned i = 0; i < 256; i++) {
        name[i] = (char)i;
        expected[i] = i >= 'A' && i <= 'Z' ? (char)(i + 32) : (char)i;
    }
    assert_true(http_head_add(head, slice_make(name, 256), slice_make("", 0)));
    assert_memory_equal(head_name(head, head->fields).data, expected, 256);
    end_head(head);
}

static void a_name_that_is_too_long_to_keep_fails(void **state)
{
    (void)state;
    struct http_head *head = new_head();
    char *name = calloc(1, UINT16_MAX + 1);
    assert_non_null(name);
    assert_false(http_head_name_bytes(head, slice_make(name, UINT16_MAX + 1)));
    free(name);
    end_head(head);
}

static void more_than_a_head_may_hold_fails(void **state)
{
    (void)state;
    struct http_head *head = new_head();
    struct span put;
    assert_false(http_head_put(head, slice_make("", (size_t)1 << 40), &put));
    end_head(head);
}

static void what_lies_in_a_head_can_be_added_to_it(void **state)
{
    (void)state;
    struct http_head *head = new_head();
    add(head, "first", "a value of some length");
    for (unsigned i = 0; i < 2000; i++) {
        const struct http_field *last = &head->fields[head->count - 1];
        assert_true(http_head_add(head, head_name(head, last), head_value(head, last)));
    }
    assert_true(slice_is(head_value(head, &head->fields[2000]), "a value of some length"));
    assert_true(slice_is(head_name(head, &head->fields[2000]), "first"));
    end_head(head);
}

static void a_head_from_the_pool_is_empty(void **state)
{
    (void)state;
    struct head_pool pool = {0};
    struct http_head *head = head_pool_take(&pool);
    add(head, "a", "b");
    head->status = 200;
    head_pool_give(&pool, head);
    head_pool_give(&pool, NULL);
    struct http_head *again = head_pool_take(&pool);
    assert_ptr_equal(again, head);
    assert_int_equal(again->count + again->len + again->status, 0);
    assert_int_equal(again->content_length, -1);
    head_pool_give(&pool, again);
    head_pool_free(&pool);
}

/* ---- words ---- */

static void lists_have_members_between_commas(void **state)
{
    (void)state;
    assert_false(http_list_has(SLICE_LITERAL(""), "close"));
    assert_false(http_list_has(SLICE_LITERAL("closed, xclose, clos"), "close"));
    assert_false(http_list_has(SLICE_LITERAL("close x"), "close"));
    assert_true(http_list_has(SLICE_LITERAL(",, a ,\tCLOSE\t,"), "close"));
}

static void a_value_of_the_head_itself_survives_its_growing(void **state)
{
    struct http_head head;
    struct span own;
    (void)state;
    http_head_init(&head);
    assert_true(http_head_put(&head, SLICE_LITERAL("lb.test"), &own));
    for (int i = 0; i < 2000; i++) {
        assert_true(http_head_add_known(&head, HEADER_HOST, head_text(&head, own)));
        assert_true(http_head_add(&head, SLICE_LITERAL("X-Name"), head_text(&head, own)));
    }
    for (unsigned i = 0; i < head.count; i++) {
        assert_true(slice_is(head_value(&head, &head.fields[i]), "lb.test"));
        assert_true(slice_is(head_name(&head, &head.fields[i]), i % 2 ? "x-name" : "host"));
    }
    http_head_free(&head);
}

static void names_of_any_length_are_put_in_lower_case(void **state)
{
    static const char upper[] = "ABCDEFGHIJ@[`{^KLMNOPQRST", lower[] = "abcdefghij@[`{^klmnopqrst";
    struct http_head head;
    (void)state;
    http_head_init(&head);
    for (size_t len = 1; len < sizeof(upper); len++) {
        assert_true(http_head_add(&head, slice_make(upper, len), SLICE_LITERAL("1")));
        assert_true(slice_equal(head_name(&head, &head.fields[len - 1]), slice_make(lower, len)));
    }
    http_head_free(&head);
}

static void methods_are_known_by_exact_spelling(void **state)
{
    (void)state;
    assert_int_equal(method_of(SLICE_LITERAL("get")), METHOD_OTHER);
    assert_int_equal(method_of(SLICE_LITERAL("GETX")), METHOD_OTHER);
    assert_int_equal(method_of(SLICE_LITERAL("GET")), METHOD_GET);
    assert_false(method_idempotent(METHOD_POST));
    assert_false(method_idempotent(METHOD_OTHER));
    assert_true(method_idempotent(METHOD_PUT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_control_is_found_wherever_it_stands_in_a_value),
        cmocka_unit_test(tokens_are_of_the_characters_of_rfc_9110),
        cmocka_unit_test(no_other_name_is_taken_for_a_field),
        cmocka_unit_test(every_field_is_found_by_its_name_in_any_case),
        cmocka_unit_test(a_name_that_only_folds_to_a_field_is_not_exact),
        cmocka_unit_test(find_passes_over_other_spellings_and_what_is_gone),
        cmocka_unit_test(remove_takes_every_spelling),
        cmocka_unit_test(remove_named_takes_that_name_only),
        cmocka_unit_test(fields_come_in_pieces),
        cmocka_unit_test(names_come_in_lower_case_and_nothing_else_changes),
        cmocka_unit_test(a_name_that_is_too_long_to_keep_fails),
        cmocka_unit_test(more_than_a_head_may_hold_fails),
        cmocka_unit_test(what_lies_in_a_head_can_be_added_to_it),
        cmocka_unit_test(a_head_from_the_pool_is_empty),
        cmocka_unit_test(lists_have_members_between_commas),
        cmocka_unit_test(a_value_of_the_head_itself_survives_its_growing),
        cmocka_unit_test(names_of_any_length_are_put_in_lower_case),
        cmocka_unit_test(methods_are_known_by_exact_spelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
