#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lb/tls/flight.h"

static void begin(struct flight *flight)
{
    flight_begin(flight, SLICE_LITERAL("\x16\x03\x01\x00\x03xyz"));
}

static void the_hello_is_no_part_of_it(void **state)
{
    (void)state;
    static char hello[5 + 16384] = "\x16\x03\x01\x40\x00";
    struct flight flight;
    flight_begin(&flight, slice_make(hello, sizeof hello));
    assert_true(flight_fits(&flight, SLICE_LITERAL("\x14\x03\x03\x00\x01\x01"), TLS_ONE_WAY));
    assert_int_equal(flight.sum, 6);
}

static void a_record_counts_as_soon_as_it_is_announced(void **state)
{
    (void)state;
    struct flight flight;
    begin(&flight);
    assert_true(flight_fits(&flight, SLICE_LITERAL("\x17\x03\x03\x0f"), TLS_ONE_WAY));
    assert_true(flight_fits(&flight, SLICE_LITERAL("\xfb"), TLS_ONE_WAY));
    assert_int_equal(flight.sum, 4096);
    begin(&flight);
    assert_false(flight_fits(&flight, SLICE_LITERAL("\x17\x03\x03\x0f\xfc"), TLS_ONE_WAY));
    begin(&flight);
    assert_true(flight_fits(&flight, SLICE_LITERAL("\x17\x03\x03\x0f\xfc"), TLS_MUTUAL));
}

static void records_add_up_however_they_are_cut(void **state)
{
    (void)state;
    static const char records[] = "\x16\x03\x03\x00\x04"
                                  "abcd"
                                  "\x14\x03\x03\x00\x01\x01"
                                  "\x16\x03\x03\x08\x00";
    for (size_t piece = 1; piece < sizeof records; piece++) {
        struct flight flight;
        begin(&flight);
        for (size_t at = 0; at < sizeof records - 1; at += piece) {
            size_t now = sizeof records - 1 - at < piece ? sizeof records - 1 - at : piece;
            assert_true(flight_fits(&flight, slice_make(records + at, now), TLS_ONE_WAY));
        }
        assert_int_equal(flight.sum, 9 + 6 + 5 + 2048);
        assert_int_equal(flight.left, 2048);
    }
}

static void clients_with_certificates_may_send_more_but_not_without_end(void **state)
{
    (void)state;
    static char record[5 + 16384] = "\x17\x03\x03\x40\x00";
    struct flight flight;
    begin(&flight);
    assert_true(flight_fits(&flight, slice_make(record, sizeof record), TLS_MUTUAL_OPTIONAL));
    assert_false(flight_fits(&flight, slice_make(record, sizeof record), TLS_MUTUAL_OPTIONAL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hello_is_no_part_of_it),
        cmocka_unit_test(a_record_counts_as_soon_as_it_is_announced),
        cmocka_unit_test(records_add_up_however_they_are_cut),
        cmocka_unit_test(clients_with_certificates_may_send_more_but_not_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
