/* Text, units, addresses, problems, the timing wheel, reasons. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lb/base/addr.h"
#include "lb/base/problems.h"
#include "lb/base/reason.h"
#include "lb/base/text.h"
#include "lb/base/units.h"
#include "lb/base/wheel.h"

/* ---- text ---- */

static void what_does_not_fit_is_cut_and_said(void **state)
{
    char out[4];
    struct text text;
    (void)state;
    text_init(&text, out, sizeof(out));
    text_adds(&text, "abcdef");
    assert_string_equal(out, "abc");
    assert_true(text.truncated);
    text_addf(&text, "%d", 12345);
    assert_string_equal(out, "abc");
}

static void assert_json(const char *bytes, size_t len, const char *expected)
{
    char out[128];
    struct text text;
    text_init(&text, out, sizeof(out));
    text_json(&text, slice_make(bytes, len));
    assert_string_equal(out, expected);
}

static void json_escapes_quotes_and_controls(void **state)
{
    (void)state;
    assert_json("a\"b\\\n\0", 6, "\"a\\\"b\\\\\\n\\u0000\"");
    assert_json("\x7F", 1, "\"\\u007f\"");
}

static void json_replaces_what_is_no_utf8(void **state)
{
    (void)state;
    assert_json("\xFF\xC0\xAF", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
    assert_json("\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""); /* a surrogate */
    assert_json("\xE2\x82", 2, "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");                 /* cut short */
    assert_json("\xE2\x82\xAC", 3, "\"\xE2\x82\xAC\"");
}

static void a_quoted_value_cannot_forge_a_line(void **state)
{
    char out[64];
    struct text text;
    (void)state;
    text_init(&text, out, sizeof(out));
    text_quoted(&text, SLICE_LITERAL("x\" y=1\nz"));
    assert_string_equal(out, "\"x\\x22 y=1\\x0Az\"");
    text_init(&text, out, sizeof(out));
    text_quoted(&text, slice_make(NULL, 0));
    assert_string_equal(out, "-");
}

static void hexadecimal_has_two_digits_for_each_byte_of_any_length(void **state)
{
    static const unsigned char bytes[] = {0x00, 0x09, 0x0A, 0x0F, 0x10, 0x9F, 0xA0, 0xFF, 0x5B};
    static const char lower[] = "00090a0f109fa0ff5b", upper[] = "00090A0F109FA0FF5B";
    char out[32];
    struct text text;
    (void)state;
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        text_init(&text, out, sizeof(out));
        text_hex(&text, bytes, len, false);
        assert_int_equal(text.len, 2 * len);
        assert_memory_equal(out, lower, 2 * len);
        text_init(&text, out, sizeof(out));
        text_hex(&text, bytes, len, true);
        assert_memory_equal(out, upper, 2 * len);
    }
}

static void hexadecimal_of_whole_words_fits_exactly_or_is_cut(void **state)
{
    char out[18];
    struct text text;
    (void)state;
    text_init(&text, out, 17);
    text_hex(&text, "\x12\x34\x56\x78\x9A\xBC\xDE\xF0", 8, false);
    assert_string_equal(out, "123456789abcdef0");
    assert_false(text.truncated);
    text_init(&text, out, 16);
    text_hex(&text, "\x12\x34\x56\x78\x9A\xBC\xDE\xF0", 8, false);
    assert_string_equal(out, "123456789abcdef");
    assert_true(text.truncated);
}

/* Each from memory of its own length, which the sanitizers watch. */
static void a_copy_of_any_length_is_that_and_no_more(void **state)
{
    char to[80];
    (void)state;
    for (size_t len = 0; len <= 70; len++) {
        char *from = malloc(len);
        assert_true(from || len == 0);
        for (size_t i = 0; i < len; i++)
            from[i] = (char)(i + 1);
        memset(to, 0, sizeof(to));
        slice_copy(to, slice_make(from, len));
        for (size_t i = 0; i < sizeof(to); i++)
            assert_int_equal(to[i], i < len ? (char)(i + 1) : 0);
        free(from);
    }
}

static void hexadecimal_that_does_not_fit_is_cut_and_said(void **state)
{
    char out[6];
    struct text text;
    (void)state;
    text_init(&text, out, sizeof(out));
    text_hex(&text, "\x12\x34\x56", 3, false);
    assert_string_equal(out, "12345");
    assert_true(text.truncated);
}

static void time_is_utc_with_milliseconds(void **state)
{
    char out[40];
    struct text text;
    (void)state;
    text_init(&text, out, sizeof(out));
    text_time(&text, 1767323045678);
    assert_string_equal(out, "2026-01-02T03:04:05.678Z");
}

/* ---- units ---- */

static void a_duration_needs_its_unit(void **state)
{
    static const char *const wrong[] = {"",     "10",    "s",
                                        "-1s",  "+1s",   "1 s",
                                        "1.5s", "10sec", "99999999999999999999d",
                                        "1S"};
    uint64_t ms;
    const char *why;
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        why = NULL;
        assert_false(units_duration(wrong[i], &ms, &why));
        assert_non_null(why);
    }
}

static void durations_are_read_in_milliseconds(void **state)
{
    uint64_t ms;
    const char *why;
    (void)state;
    assert_true(units_duration("250ms", &ms, &why) && ms == 250);
    assert_true(units_duration("2h", &ms, &why) && ms == 7200000);
    assert_true(units_duration("0", &ms, &why) && ms == 0);
}

static void sizes_are_powers_of_1024_and_never_overflow(void **state)
{
    uint64_t bytes;
    const char *why;
    (void)state;
    assert_true(units_size("64k", &bytes, &why) && bytes == 65536);
    assert_true(units_size("512", &bytes, &why) && bytes == 512);
    assert_false(units_size("18446744073709551615g", &bytes, &why));
    assert_false(units_size("64K", &bytes, &why));
}

static void a_near_name_is_suggested_and_a_far_one_is_not(void **state)
{
    static const char *const names[] = {"certificate", "client-ca", "bind", NULL};
    (void)state;
    assert_string_equal(units_nearest("certifcate", names), "certificate");
    assert_string_equal(units_nearest("client_ca", names), "client-ca");
    assert_string_equal(units_nearest("bnid", names), "bind");
    assert_null(units_nearest("weight", names));
}

/* ---- addresses ---- */

static void an_address_that_is_none_is_refused_with_a_reason(void **state)
{
    static const char *const wrong[] = {"",
                                        "127.0.0.1",
                                        "127.0.0.1:",
                                        "127.0.0.1:0",
                                        "127.0.0.1:080",
                                        "1.2.3.4:70000",
                                        "1.2.3.4:-1",
                                        "::1:80",
                                        "[::1]",
                                        "[::1]80",
                                        "[zz]:80",
                                        "unix:",
                                        "300.1.1.1:80",
                                        "name:80",
                                        "1.2.3.4:80x"};
    struct addr addr;
    const char *why;
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        why = NULL;
        assert_false(addr_parse(wrong[i], &addr, &why));
        assert_non_null(why);
    }
}

static void addresses_read_back_as_they_were_written(void **state)
{
    static const char *const good[] = {"127.0.0.1:80", "[::1]:65535", "unix:/run/x.sock"};
    struct addr addr;
    const char *why;
    char out[ADDR_TEXT_MAX];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_true(addr_parse(good[i], &addr, &why));
        addr_format(&addr, out);
        assert_string_equal(out, good[i]);
    }
}

static void a_mapped_v4_address_reads_as_v4(void **state)
{
    struct addr addr;
    const char *why;
    char out[ADDR_TEXT_MAX];
    (void)state;
    assert_true(addr_parse("[::ffff:10.1.2.3]:80", &addr, &why));
    addr_host(&addr, out);
    assert_string_equal(out, "10.1.2.3");
}

/* ---- problems ---- */

static void problems_are_sorted_by_file_and_line(void **state)
{
    struct problems problems = {0};
    char out[64];
    (void)state;
    problems_add(&problems, (struct place){"b.ini", 9}, "late");
    problems_add(&problems, (struct place){"a.ini", 1}, "other file");
    problems_warn(&problems, (struct place){"b.ini", 2}, "early");
    problems_sort(&problems);
    problems_format(&problems, 0, out, sizeof(out));
    assert_string_equal(out, "b.ini:2: warning: early");
    problems_format(&problems, 2, out, sizeof(out));
    assert_string_equal(out, "a.ini:1: other file");
    assert_int_equal(problems.errors, 2);
    problems_free(&problems);
}

/* ---- the wheel ---- */

struct fired {
    unsigned count;
    struct wheel *rearm;
};

static void note(struct wheel_entry *entry, void *context)
{
    struct fired *fired = context;
    fired->count++;
    if (fired->rearm)
        wheel_arm(fired->rearm, entry, fired->rearm->now_ms + 100);
}

static void nothing_fires_before_it_is_due(void **state)
{
    struct wheel wheel;
    struct wheel_entry entry = {0};
    struct fired fired = {0};
    (void)state;
    wheel_init(&wheel, 1000);
    wheel_arm(&wheel, &entry, 2000);
    wheel_turn(&wheel, 1999, note, &fired);
    assert_int_equal(fired.count, 0);
    wheel_turn(&wheel, 2000 + WHEEL_TICK_MS, note, &fired);
    assert_int_equal(fired.count, 1);
    assert_false(wheel_armed(&entry));
}

static void what_is_disarmed_never_fires(void **state)
{
    struct wheel wheel;
    struct wheel_entry entry = {0};
    struct fired fired = {0};
    (void)state;
    wheel_init(&wheel, 0);
    wheel_arm(&wheel, &entry, 100);
    wheel_disarm(&wheel, &entry);
    wheel_disarm(&wheel, &entry);
    wheel_turn(&wheel, 100000, note, &fired);
    assert_int_equal(fired.count, 0);
    assert_int_equal(wheel.armed, 0);
}

static void deadlines_beyond_one_turn_of_the_wheel_wait_their_time(void **state)
{
    struct wheel wheel;
    struct wheel_entry entry = {0};
    struct fired fired = {0};
    uint64_t due = (uint64_t)WHEEL_SLOTS * WHEEL_TICK_MS * 3 + 70;
    (void)state;
    wheel_init(&wheel, 0);
    wheel_arm(&wheel, &entry, due);
    for (uint64_t now = 0; now < due; now += WHEEL_TICK_MS)
        wheel_turn(&wheel, now, note, &fired);
    assert_int_equal(fired.count, 0);
    wheel_turn(&wheel, due + WHEEL_TICK_MS, note, &fired);
    assert_int_equal(fired.count, 1);
}

static void a_long_pause_fires_everything_that_became_due(void **state)
{
    struct wheel wheel;
    struct wheel_entry entries[200] = {0};
    struct fired fired = {0};
    (void)state;
    wheel_init(&wheel, 0);
    for (unsigned i = 0; i < 200; i++)
        wheel_arm(&wheel, &entries[i], 10 + i * 997);
    wheel_turn(&wheel, 10000000, note, &fired);
    assert_int_equal(fired.count, 200);
}

static void an_entry_may_arm_itself_again_while_it_fires(void **state)
{
    struct wheel wheel;
    struct wheel_entry entry = {0};
    struct fired fired = {.rearm = &wheel};
    (void)state;
    wheel_init(&wheel, 0);
    wheel_arm(&wheel, &entry, 100);
    for (uint64_t now = 0; now <= 1000; now += WHEEL_TICK_MS)
        wheel_turn(&wheel, now, note, &fired);
    assert_in_range(fired.count, 8, 10);
    wheel_disarm(&wheel, &entry);
}

/* ---- reasons ---- */

static void every_reason_has_a_name_of_its_own_and_a_meaning(void **state)
{
    (void)state;
    for (int i = 0; i < REASON_COUNT; i++) {
        assert_true(strlen(reason_meaning((enum reason)i)) > 5);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(reason_name((enum reason)i), reason_name((enum reason)j));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_fit_is_cut_and_said),
        cmocka_unit_test(json_escapes_quotes_and_controls),
        cmocka_unit_test(json_replaces_what_is_no_utf8),
        cmocka_unit_test(a_quoted_value_cannot_forge_a_line),
        cmocka_unit_test(hexadecimal_has_two_digits_for_each_byte_of_any_length),
        cmocka_unit_test(hexadecimal_of_whole_words_fits_exactly_or_is_cut),
        cmocka_unit_test(a_copy_of_any_length_is_that_and_no_more),
        cmocka_unit_test(hexadecimal_that_does_not_fit_is_cut_and_said),
        cmocka_unit_test(time_is_utc_with_milliseconds),
        cmocka_unit_test(a_duration_needs_its_unit),
        cmocka_unit_test(durations_are_read_in_milliseconds),
        cmocka_unit_test(sizes_are_powers_of_1024_and_never_overflow),
        cmocka_unit_test(a_near_name_is_suggested_and_a_far_one_is_not),
        cmocka_unit_test(an_address_that_is_none_is_refused_with_a_reason),
        cmocka_unit_test(addresses_read_back_as_they_were_written),
        cmocka_unit_test(a_mapped_v4_address_reads_as_v4),
        cmocka_unit_test(problems_are_sorted_by_file_and_line),
        cmocka_unit_test(nothing_fires_before_it_is_due),
        cmocka_unit_test(what_is_disarmed_never_fires),
        cmocka_unit_test(deadlines_beyond_one_turn_of_the_wheel_wait_their_time),
        cmocka_unit_test(a_long_pause_fires_everything_that_became_due),
        cmocka_unit_test(an_entry_may_arm_itself_again_while_it_fires),
        cmocka_unit_test(every_reason_has_a_name_of_its_own_and_a_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
