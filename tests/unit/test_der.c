/* The pieces of DER that a certificate is refused for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lb/tls/der.h"
#include "lb/tls/keys.h"

static bool is_time(const char *text)
{
    char der[2 + 13] = {DER_UTC_TIME, 13};
    struct slice in = {der, sizeof der};
    int64_t seconds;
    memcpy(der + 2, text, 13);
    return der_take_time(&in, &seconds);
}

static void a_day_that_no_calendar_has_is_no_time(void **state)
{
    (void)state;
    assert_false(is_time("270229000000Z"));
    assert_false(is_time("280230000000Z"));
    assert_false(is_time("270431000000Z"));
    assert_false(is_time("271232000000Z"));
    assert_true(is_time("280229000000Z"));
    assert_true(is_time("270430000000Z"));
    assert_true(is_time("271231235959Z"));
}

static void a_boolean_is_all_zeros_or_all_ones(void **state)
{
    (void)state;
    bool value;
    assert_false(der_boolean(SLICE_LITERAL("\x01"), &value));
    assert_false(value);
    assert_false(der_boolean(SLICE_LITERAL(""), &value));
    assert_false(der_boolean(SLICE_LITERAL("\xff\xff"), &value));
    assert_true(der_boolean(SLICE_LITERAL("\0"), &value));
    assert_false(value);
    assert_true(der_boolean(SLICE_LITERAL("\xff"), &value));
    assert_true(value);
}

static void a_natural_number_has_no_sign_and_no_needless_zeros(void **state)
{
    (void)state;
    assert_false(der_is_natural(SLICE_LITERAL("")));
    assert_false(der_is_natural(SLICE_LITERAL("\x80")));
    assert_false(der_is_natural(SLICE_LITERAL("\0\x7f")));
    assert_true(der_is_natural(SLICE_LITERAL("\0")));
    assert_true(der_is_natural(SLICE_LITERAL("\x7f")));
    assert_true(der_is_natural(SLICE_LITERAL("\0\x80")));
}

/* A key of one byte, which its size is not the question of. */
static const char *problem_of(char modulus, char exponent)
{
    char spki[] = "\x30\x1a\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"
                  "\x03\x09\x00\x30\x06\x02\x01?\x02\x01?";
    spki[sizeof spki - 5] = modulus;
    spki[sizeof spki - 2] = exponent;
    return rsa_key_problem((struct slice){spki, sizeof spki - 1});
}

static void an_rsa_key_that_proves_nothing_has_a_problem(void **state)
{
    (void)state;
    assert_non_null(problem_of(77, 1));
    assert_non_null(problem_of(77, 4));
    assert_non_null(problem_of(76, 3));
    assert_non_null(problem_of(-77, 3));
    assert_non_null(problem_of(77, -3));
    assert_null(problem_of(77, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_that_no_calendar_has_is_no_time),
        cmocka_unit_test(a_boolean_is_all_zeros_or_all_ones),
        cmocka_unit_test(a_natural_number_has_no_sign_and_no_needless_zeros),
        cmocka_unit_test(an_rsa_key_that_proves_nothing_has_a_problem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
