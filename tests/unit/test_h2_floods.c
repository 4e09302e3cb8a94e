/* Peers that make work without getting anything done: the connection ends with ENHANCE_YOUR_CALM, and memory
 * stays bounded. */
#include "test_h2_world.h"

/* What the last GOAWAY says. */
static uint32_t goaway_code(const struct end *end)
{
    const uint8_t *frame = NULL, *next;
    for (unsigned i = 0; (next = sent_frame(end, NGHTTP2_GOAWAY, i)) != NULL; i++)
        frame = next;
    return frame ? number_at(frame + 13) : UINT32_MAX;
}

static void assert_calmed(struct wire *wire)
{
    assert_false(wire->good);
    assert_true(h2_over(wire->server->session));
    assert_true(strlen(h2_error(wire->server->session)) > 0);
    h2_send(wire->server->session);
    assert_int_equal(goaway_code(wire->server), H2_ENHANCE_CALM);
    wire_free(wire);
}

static void flush(struct wire *wire)
{
    deliver(wire);
    h2_send(wire->server->session);
    if (wire->good)
        wire->server->out.len = 0;
}

/* The same frame over and over, the server always sending what it has. */
static struct wire *repeated(unsigned type, unsigned flags, uint32_t id, const void *payload, size_t len,
                             unsigned times)
{
    struct wire *wire = wire_new();
    add_get(wire, 1, false);
    for (unsigned i = 0; i < times; i++) {
        add_frame(wire, type, flags, id, payload, len);
        if (i % 100 == 99)
            flush(wire);
        if (!wire->good)
            return wire;
    }
    flush(wire);
    return wire;
}

#define FLOOD(name, type, flags, id, payload, len)                                                           \
    static void name(void **state)                                                                           \
    {                                                                                                        \
        (void)state;                                                                                         \
        assert_calmed(repeated(type, flags, id, payload, len, 20000));                                       \
    }

FLOOD(a_flood_of_pings_ends, NGHTTP2_PING, 0, 0, "12345678", 8)
FLOOD(a_flood_of_ping_answers_ends, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "12345678", 8)
FLOOD(a_flood_of_settings_ends, NGHTTP2_SETTINGS, 0, 0, NULL, 0)
FLOOD(a_flood_of_priorities_ends, NGHTTP2_PRIORITY, 0, 5, "\0\0\0\1\7", 5)
FLOOD(a_flood_of_empty_data_ends, NGHTTP2_DATA, 0, 1, NULL, 0)
FLOOD(a_flood_of_session_window_updates_ends, NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4)
FLOOD(a_flood_of_stream_window_updates_ends, NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\0\1", 4)
FLOOD(a_flood_of_unknown_frames_ends, 0x77, 0, 0, "x", 1)
FLOOD(a_flood_of_goaways_ends, NGHTTP2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8)

static void some_of_each_is_no_flood(void **state)
{
    (void)state;
    struct wire *wire = repeated(NGHTTP2_PING, 0, 0, "12345678", 8, 200);
    for (unsigned i = 0; i < 20; i++) {
        add_frame(wire, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
        add_frame(wire, NGHTTP2_PRIORITY, 0, 5, "\0\0\0\1\7", 5);
        add_frame(wire, 0x77, 0, 0, NULL, 0);
        add_frame(wire, NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4);
    }
    assert_true(deliver(wire));
    wire_free(wire);
}

static void pings_between_answered_requests_are_no_flood(void **state)
{
    struct wire *wire = wire_new();
    (void)state;
    wire->server->answers = true;
    for (unsigned i = 0; i < 20000 && wire->good; i++) {
        add_get(wire, 2 * i + 1, true);
        add_frame(wire, NGHTTP2_PING, 0, 0, "12345678", 8);
        flush(wire);
    }
    assert_true(wire->good);
    wire_free(wire);
}

static void continuations_without_end_end_the_connection(void **state)
{
    struct wire *wire = wire_new();
    (void)state;
    uint8_t block[256];
    size_t len = deflate(wire, FIELDS(BASE), block, sizeof(block));
    add_frame(wire, NGHTTP2_HEADERS, 0, 1, block, len);
    for (unsigned i = 0; i < 1000; i++)
        add_frame(wire, NGHTTP2_CONTINUATION, 0, 1, "\0\1a\1b", 5);
    deliver(wire);
    assert_calmed(wire);
}

static void empty_continuations_end_the_connection(void **state)
{
    struct wire *wire = wire_new();
    (void)state;
    add_frame(wire, NGHTTP2_HEADERS, 0, 1, NULL, 0);
    for (unsigned i = 0; i < 20000; i++)
        add_frame(wire, NGHTTP2_CONTINUATION, 0, 1, NULL, 0);
    deliver(wire);
    assert_calmed(wire);
}

/* ---- streams ---- */

static struct wire *reset_streams(unsigned times, bool answer_between)
{
    struct wire *wire = wire_new();
    for (unsigned i = 0; i < times && wire->good; i++) {
        add_get(wire, 4 * i + 1, true);
        add_frame(wire, NGHTTP2_RST_STREAM, 0, 4 * i + 1, "\0\0\0\10", 4);
        flush(wire);
        wire->server->answers = answer_between;
        if (answer_between)
            add_get(wire, 4 * i + 3, true);
        if (wire->good)
            flush(wire);
        wire->server->answers = false;
    }
    return wire;
}

static void rapid_reset_ends_the_connection(void **state)
{
    (void)state;
    struct wire *wire = reset_streams(1000, false);
    assert_true(wire->server->heads_seen <= 250);
    assert_calmed(wire);
}

static void rapid_reset_in_one_packet_ends_the_connection(void **state)
{
    struct wire *wire = wire_new();
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        add_get(wire, 2 * i + 1, true);
        add_frame(wire, NGHTTP2_RST_STREAM, 0, 2 * i + 1, "\0\0\0\10", 4);
    }
    deliver(wire);
    assert_true(wire->server->heads_seen <= 250);
    assert_int_equal(wire->server->resets, wire->server->heads_seen);
    assert_calmed(wire);
}

static void a_reset_now_and_then_is_no_flood(void **state)
{
    (void)state;
    struct wire *wire = reset_streams(800, true);
    assert_true(wire->good);
    wire_free(wire);
}

static void a_page_that_is_left_is_no_flood(void **state)
{
    struct wire *wire = wire_new();
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        add_get(wire, 2 * i + 1, true);
    for (unsigned i = 0; i < 100; i++)
        add_frame(wire, NGHTTP2_RST_STREAM, 0, 2 * i + 1, "\0\0\0\10", 4);
    assert_true(deliver(wire));
    assert_int_equal(wire->server->resets, 100);
    wire_free(wire);
}

static void malformed_requests_without_end_end_the_connection(void **state)
{
    struct wire *wire = wire_new();
    (void)state;
    for (unsigned i = 0; i < 1000 && wire->good; i++) {
        add_headers(wire, 2 * i + 1, true, FIELDS(BASE, "connection", "close"));
        flush(wire);
    }
    assert_calmed(wire);
}

/* CVE-2025-8671: the peer makes the server reset. */
static void provoked_resets_end_the_connection(void **state)
{
    struct wire *wire = wire_new();
    (void)state;
    for (unsigned i = 0; i < 1000 && wire->good; i++) {
        add_get(wire, 2 * i + 1, false);
        add_frame(wire, NGHTTP2_WINDOW_UPDATE, 0, 2 * i + 1, "\x7f\xff\xff\xff", 4);
        flush(wire);
    }
    assert_true(wire->server->heads_seen <= 250);
    assert_calmed(wire);
}

static void requests_over_the_limit_of_streams_end_the_connection(void **state)
{
    struct wire *wire = wire_new_with(65535, 10);
    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        add_get(wire, 2 * i + 1, true);
    deliver(wire);
    assert_false(wire->good);
    assert_int_equal(wire->server->heads_seen, 10);
    wire_free(wire);
}

static void oversized_heads_without_end_end_the_connection(void **state)
{
    char value[9001];
    struct wire *wire = wire_new();
    (void)state;
    memset(value, 'a', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    for (unsigned i = 0; i < 1000 && wire->good; i++) {
        add_headers(wire, 2 * i + 1, true, FIELDS(BASE, "a", value));
        flush(wire);
    }
    assert_calmed(wire);
}

/* ---- peers that do not read ---- */

static void a_peer_with_closed_windows_costs_no_more_than_the_queues(void **state)
{
    static char piece[8192];
    struct wire *wire = wire_new_with(0, 100);
    struct end *server = wire->server;
    size_t queued = 0;
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        add_get(wire, 2 * i + 1, true);
    assert_true(deliver(wire));
    assert_int_equal(server->heads_seen, 100);
    for (unsigned i = 0; i < 100; i++) {
        respond(server, server->streams[i], 200, false);
        while (h2_write(server->streams[i], slice_make(piece, sizeof(piece))) < H2_HIGH)
            ;
        queued += h2_queued(server->streams[i]);
    }
    h2_send(server->session);
    assert_true(queued <= 100 * (H2_HIGH + sizeof(piece)));
    assert_null(sent_frame(server, NGHTTP2_DATA, 0));
    assert_true(server->out.len < 100 * 100);
    wire_free(wire);
}

static void a_source_is_held_back_while_nobody_sends(void **state)
{
    static char piece[8192];
    struct wire *wire = wire_new_with(0x7fffffff, 100);
    unsigned pieces = 0;
    (void)state;
    add_frame(wire, NGHTTP2_WINDOW_UPDATE, 0, 0, "\x7f\xff\x00\x00", 4);
    add_get(wire, 1, true);
    assert_true(deliver(wire));
    respond(wire->server, wire->server->last, 200, false);
    while (pieces < 1000 && h2_write(wire->server->last, slice_make(piece, sizeof(piece))) < H2_HIGH)
        pieces++;
    assert_true(pieces < 30);
    wire_free(wire);
}

static void frames_that_the_peer_causes_and_does_not_read_are_bounded(void **state)
{
    struct wire *wire = wire_new_with(65535, 100);
    (void)state;
    for (unsigned i = 0; i < 200 && wire->good; i++) {
        for (unsigned n = 0; n < 50; n++)
            add_frame(wire, NGHTTP2_PING, 0, 0, "12345678", 8);
        deliver(wire);
    }
    assert_false(wire->good);
    h2_send(wire->server->session);
    assert_true(wire->server->out.len < 256 * 1024);
    wire_free(wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_of_pings_ends),
        cmocka_unit_test(a_flood_of_ping_answers_ends),
        cmocka_unit_test(a_flood_of_settings_ends),
        cmocka_unit_test(a_flood_of_priorities_ends),
        cmocka_unit_test(a_flood_of_empty_data_ends),
        cmocka_unit_test(a_flood_of_session_window_updates_ends),
        cmocka_unit_test(a_flood_of_stream_window_updates_ends),
        cmocka_unit_test(a_flood_of_unknown_frames_ends),
        cmocka_unit_test(a_flood_of_goaways_ends),
        cmocka_unit_test(some_of_each_is_no_flood),
        cmocka_unit_test(pings_between_answered_requests_are_no_flood),
        cmocka_unit_test(continuations_without_end_end_the_connection),
        cmocka_unit_test(empty_continuations_end_the_connection),
        cmocka_unit_test(rapid_reset_ends_the_connection),
        cmocka_unit_test(rapid_reset_in_one_packet_ends_the_connection),
        cmocka_unit_test(a_reset_now_and_then_is_no_flood),
        cmocka_unit_test(a_page_that_is_left_is_no_flood),
        cmocka_unit_test(malformed_requests_without_end_end_the_connection),
        cmocka_unit_test(provoked_resets_end_the_connection),
        cmocka_unit_test(requests_over_the_limit_of_streams_end_the_connection),
        cmocka_unit_test(oversized_heads_without_end_end_the_connection),
        cmocka_unit_test(a_peer_with_closed_windows_costs_no_more_than_the_queues),
        cmocka_unit_test(a_source_is_held_back_while_nobody_sends),
        cmocka_unit_test(frames_that_the_peer_causes_and_does_not_read_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
