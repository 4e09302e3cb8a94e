/* HTTP/2 between two ends in memory. */
#include "test_h2_world.h"

#define PAYLOAD 200000

static const char *payload(void)
{
    static char bytes[PAYLOAD];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 7 + i / 251);
    return bytes;
}

/* A GET that the server has and has not answered. */
static struct world asked(const char *method, bool ends)
{
    struct world world = world_new();
    assert_non_null(request(&world, method, ends));
    run(&world);
    assert_int_equal(world.server->heads_seen, 1);
    return world;
}

static void assert_value(const struct http_head *head, enum field_id id, const char *value)
{
    const struct http_field *field = http_head_find(head, id);
    assert_non_null(field);
    assert_true(slice_is(head_value(head, field), value));
}

/* ---- heads ---- */

static void a_request_arrives_with_all_its_parts(void **state)
{
    struct world world = asked("GET", true);
    const struct http_head *head = world.server->head;
    (void)state;
    assert_int_equal(head->method, METHOD_GET);
    assert_true(slice_is(head_text(head, head->method_text), "GET"));
    assert_true(slice_is(head_text(head, head->scheme), "https"));
    assert_true(slice_is(head_text(head, head->authority), "example.com"));
    assert_true(slice_is(head_text(head, head->target), "/a"));
    assert_true(head->http2 && head->minor == 1 && head->keep_alive && !head->chunked);
    assert_true(world.server->ended_with_head);
    world_free(&world);
}

static void a_request_without_length_has_a_body_of_its_own_end(void **state)
{
    struct world world = asked("POST", false);
    (void)state;
    assert_true(world.server->head->chunked);
    assert_false(world.server->ended_with_head);
    world_free(&world);
}

static void a_content_length_is_read(void **state)
{
    struct wire *wire = wire_new();
    (void)state;
    add_headers(wire, 1, false, FIELDS(BASE, "content-length", "12"));
    assert_true(deliver(wire));
    assert_int_equal(wire->server->head->content_length, 12);
    assert_false(wire->server->head->chunked);
    wire_free(wire);
}

static void a_host_stands_for_an_absent_authority(void **state)
{
    struct wire *wire = wire_new();
    (void)state;
    add_headers(wire, 1, true,
                FIELDS(":method", "GET", ":scheme", "https", ":path", "/", "host", "h.example"));
    assert_true(deliver(wire));
    const struct http_head *head = wire->server->head;
    assert_true(slice_is(head_text(head, head->authority), "h.example"));
    wire_free(wire);
}

static void a_host_that_equals_the_authority_is_taken(void **state)
{
    struct wire *wire = wire_new();
    (void)state;
    add_headers(wire, 1, true, FIELDS(BASE, "host", "Example.com"));
    assert_true(deliver(wire));
    assert_int_equal(wire->server->heads_seen, 1);
    wire_free(wire);
}

static void several_cookies_become_one(void **state)
{
    struct wire *wire = wire_new();
    (void)state;
    add_headers(wire, 1, true, FIELDS(BASE, "cookie", "a=1", "x", "y", "cookie", "b=2", "cookie", "c=3"));
    assert_true(deliver(wire));
    assert_value(wire->server->head, HEADER_COOKIE, "a=1; b=2; c=3");
    assert_int_equal(http_head_field_count(wire->server->head), 2);
    wire_free(wire);
}

static void te_trailers_is_taken(void **state)
{
    struct wire *wire = wire_new();
    (void)state;
    add_headers(wire, 1, true, FIELDS(BASE, "te", "trailers"));
    assert_true(deliver(wire));
    assert_int_equal(wire->server->heads_seen, 1);
    wire_free(wire);
}

static void options_may_ask_for_a_star(void **state)
{
    struct wire *wire = wire_new();
    (void)state;
    add_headers(wire, 1, true,
                FIELDS(":method", "OPTIONS", ":scheme", "https", ":authority", "example.com", ":path", "*"));
    assert_true(deliver(wire));
    assert_int_equal(wire->server->heads_seen, 1);
    wire_free(wire);
}

static void a_head_in_single_bytes_is_the_same(void **state)
{
    struct wire *wire = wire_new();
    (void)state;
    add_get(wire, 1, true);
    for (size_t i = 0; i < wire->len; i++)
        assert_true(h2_receive(wire->server->session, slice_make(wire->bytes + i, 1)));
    assert_int_equal(wire->server->heads_seen, 1);
    wire_free(wire);
}

static void an_answer_reaches_the_client(void **state)
{
    struct world world = asked("GET", true);
    (void)state;
    respond(world.server, world.server->last, 404, true);
    run(&world);
    assert_int_equal(world.client->head->status, 404);
    assert_value(world.client->head, HEADER_SERVER, "test");
    assert_true(world.client->ended_with_head);
    world_free(&world);
}

static void connection_fields_do_not_go_out(void **state)
{
    struct world world = asked("GET", true);
    struct http_head *head = make_head(world.server, 200);
    (void)state;
    assert_true(http_head_add(head, SLICE_LITERAL("connection"), SLICE_LITERAL("close")));
    assert_true(http_head_add(head, SLICE_LITERAL("transfer-encoding"), SLICE_LITERAL("chunked")));
    assert_true(h2_respond(world.server->last, head, true));
    head_pool_give(&world.server->heads, head);
    run(&world);
    assert_int_equal(world.client->closed, 1);
    assert_int_equal(http_head_field_count(world.client->head), 0);
    world_free(&world);
}

static void informational_answers_come_before_the_final_one(void **state)
{
    struct world world = asked("GET", true);
    (void)state;
    respond(world.server, world.server->last, 103, false);
    respond(world.server, world.server->last, 103, false);
    respond(world.server, world.server->last, 200, true);
    run(&world);
    assert_int_equal(world.client->informed, 2);
    assert_int_equal(world.client->head->status, 200);
    assert_int_equal(world.client->closed, 1);
    world_free(&world);
}

static void a_second_answer_is_ignored(void **state)
{
    struct world world = asked("GET", true);
    (void)state;
    respond(world.server, world.server->last, 200, false);
    respond(world.server, world.server->last, 500, true);
    run(&world);
    assert_int_equal(world.client->head->status, 200);
    world_free(&world);
}

static void an_answer_to_head_may_name_a_length(void **state)
{
    struct world world = asked("HEAD", true);
    struct http_head *head = make_head(world.server, 200);
    (void)state;
    assert_true(http_head_add(head, SLICE_LITERAL("content-length"), SLICE_LITERAL("500")));
    assert_true(h2_respond(world.server->last, head, true));
    head_pool_give(&world.server->heads, head);
    run(&world);
    assert_int_equal(world.client->closed, 1);
    assert_int_equal(world.client->head->content_length, 500);
    world_free(&world);
}

/* ---- bodies ---- */

static void both_sides_end_in_order(void **state)
{
    struct world world = asked("GET", true);
    (void)state;
    respond(world.server, world.server->last, 200, false);
    h2_write(world.server->last, SLICE_LITERAL("hello"));
    h2_end(world.server->last, NULL);
    run(&world);
    assert_memory_equal(world.client->body, "hello", 5);
    assert_int_equal(world.client->ends, 1);
    assert_int_equal(world.client->closed, 1);
    assert_int_equal(world.server->closed, 1);
    assert_int_equal(world.client->resets + world.server->resets, 0);
    world_free(&world);
}

static void an_empty_body_ends(void **state)
{
    struct world world = asked("GET", true);
    (void)state;
    respond(world.server, world.server->last, 200, false);
    h2_end(world.server->last, NULL);
    run(&world);
    assert_int_equal(world.client->ends, 1);
    assert_int_equal(world.client->closed, 1);
    world_free(&world);
}

static void an_answer_larger_than_all_windows_arrives(void **state)
{
    struct world world = asked("GET", true);
    (void)state;
    respond(world.server, world.server->last, 200, false);
    for (size_t at = 0; at < PAYLOAD; at += 10000)
        h2_write(world.server->last, slice_make(payload() + at, 10000));
    h2_end(world.server->last, NULL);
    run(&world);
    assert_int_equal(world.client->body_len, PAYLOAD);
    assert_memory_equal(world.client->body, payload(), PAYLOAD);
    assert_int_equal(world.client->closed, 1);
    world_free(&world);
}

static void a_request_body_larger_than_all_windows_arrives(void **state)
{
    struct world world = world_new();
    (void)state;
    struct h2_stream *stream = request(&world, "POST", false);
    h2_write(stream, slice_make(payload(), PAYLOAD));
    h2_end(stream, NULL);
    run(&world);
    assert_int_equal(world.server->body_len, PAYLOAD);
    assert_memory_equal(world.server->body, payload(), PAYLOAD);
    assert_int_equal(world.server->ends, 1);
    world_free(&world);
}

static void small_pieces_share_a_frame(void **state)
{
    struct world world = asked("GET", true);
    (void)state;
    respond(world.server, world.server->last, 200, false);
    for (int i = 0; i < 10; i++)
        h2_write(world.server->last, SLICE_LITERAL("0123456789"));
    h2_end(world.server->last, NULL);
    h2_send(world.server->session);
    assert_non_null(sent_frame(world.server, NGHTTP2_DATA, 0));
    assert_null(sent_frame(world.server, NGHTTP2_DATA, 1));
    world_free(&world);
}

static bool ends_stream(const uint8_t *frame)
{
    return frame[4] & NGHTTP2_FLAG_END_STREAM;
}

static void the_last_bytes_carry_the_end(void **state)
{
    static const size_t sizes[] = {5, 5000}; /* that are queued, that go out from where they lie */
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct world world = asked("GET", true);
        respond(world.server, world.server->last, 200, false);
        assert_int_equal(h2_write_last(world.server->last, slice_make(payload(), sizes[i])),
                         i == 0 ? sizes[i] : 0);
        h2_send(world.server->session);
        assert_non_null(sent_frame(world.server, NGHTTP2_DATA, 0));
        assert_true(ends_stream(sent_frame(world.server, NGHTTP2_DATA, 0)));
        assert_null(sent_frame(world.server, NGHTTP2_DATA, 1));
        run(&world);
        assert_int_equal(world.client->body_len, sizes[i]);
        assert_int_equal(world.client->closed, 1);
        assert_int_equal(world.server->closed, 1);
        world_free(&world);
    }
}

static void the_last_bytes_end_the_answer_however_long_they_wait(void **state)
{
    struct world world = asked("GET", true);
    (void)state;
    respond(world.server, world.server->last, 200, false);
    h2_write(world.server->last, slice_make(payload(), 100));
    assert_true(h2_write_last(world.server->last, slice_make(payload() + 100, PAYLOAD - 100)) > 0);
    run(&world);
    assert_int_equal(world.client->body_len, PAYLOAD);
    assert_memory_equal(world.client->body, payload(), PAYLOAD);
    assert_int_equal(world.client->ends, 1);
    assert_int_equal(world.client->closed, 1);
    world_free(&world);
}

static void nothing_follows_the_last_bytes(void **state)
{
    struct world world = asked("GET", true);
    (void)state;
    respond(world.server, world.server->last, 200, false);
    h2_write_last(world.server->last, SLICE_LITERAL("all"));
    h2_write(world.server->last, SLICE_LITERAL("more"));
    h2_write_last(world.server->last, SLICE_LITERAL("more"));
    h2_end(world.server->last, NULL);
    run(&world);
    assert_int_equal(world.client->body_len, 3);
    assert_int_equal(world.client->ends, 1);
    world_free(&world);
}

static void no_last_bytes_are_an_end(void **state)
{
    struct world world = asked("GET", true);
    (void)state;
    respond(world.server, world.server->last, 200, false);
    h2_write(world.server->last, SLICE_LITERAL("all"));
    h2_write_last(world.server->last, slice_make("", 0));
    run(&world);
    assert_int_equal(world.client->body_len, 3);
    assert_int_equal(world.client->closed, 1);
    world_free(&world);
}

static void output_comes_in_one_piece(void **state)
{
    struct world world = asked("GET", true);
    (void)state;
    world.server->outputs = 0;
    respond(world.server, world.server->last, 200, false);
    h2_write(world.server->last, slice_make(payload(), 30000));
    assert_int_equal(world.server->outputs, 0);
    h2_end(world.server->last, NULL);
    h2_send(world.server->session);
    assert_int_equal(world.server->outputs, 1);
    world_free(&world);
}

static void what_fits_the_window_is_not_queued(void **state)
{
    struct world world = asked("GET", true);
    (void)state;
    respond(world.server, world.server->last, 200, false);
    assert_int_equal(h2_write(world.server->last, slice_make(payload(), 30000)), 0);
    world_free(&world);
}

static void what_the_peer_has_not_granted_is_queued_and_then_drained(void **state)
{
    struct world world = asked("GET", true);
    (void)state;
    world.client->keeps = true;
    respond(world.server, world.server->last, 200, false);
    size_t queued = h2_write(world.server->last, slice_make(payload(), PAYLOAD));
    run(&world);
    assert_in_range(queued, PAYLOAD - 66000, PAYLOAD - 60000);
    assert_int_equal(world.client->body_len + h2_queued(world.server->last), PAYLOAD);
    assert_int_equal(world.server->drained, 0);
    world.client->keeps = false;
    h2_consumed(world.client->streams[0], world.client->body_len);
    run(&world);
    assert_int_equal(h2_queued(world.server->last), 0);
    assert_int_equal(world.server->drained, 1);
    assert_memory_equal(world.client->body, payload(), PAYLOAD);
    world_free(&world);
}

static void what_was_not_consumed_is_not_granted(void **state)
{
    struct world world = world_new();
    (void)state;
    world.server->keeps = true;
    struct h2_stream *stream = request(&world, "POST", false);
    h2_write(stream, slice_make(payload(), PAYLOAD));
    run(&world);
    assert_int_equal(world.server->body_len, 65536);
    h2_consumed(world.server->last, 40000);
    run(&world);
    assert_int_equal(world.server->body_len, 65536 + 40000);
    world_free(&world);
}

static void a_reset_stream_grants_the_session_what_it_held(void **state)
{
    struct world world = world_new();
    (void)state;
    world.server->keeps = true;
    for (int i = 0; i < 10; i++) {
        struct h2_stream *stream = request(&world, "POST", false);
        assert_non_null(stream);
        world.server->body_len = 0;
        h2_write(stream, slice_make(payload(), 60000));
        run(&world);
        assert_int_equal(world.server->body_len, 60000);
        h2_reset(world.server->last, H2_CANCEL);
        run(&world);
    }
    world_free(&world);
}

/* ---- trailers ---- */

static struct http_head *some_trailers(struct end *end)
{
    struct http_head *head = make_head(end, 0);
    assert_true(http_head_add(head, SLICE_LITERAL("x-sum"), SLICE_LITERAL("42")));
    return head;
}

static void trailers_of_an_answer_come_with_its_end(void **state)
{
    struct world world = asked("GET", true);
    struct http_head *trailers = some_trailers(world.server);
    (void)state;
    respond(world.server, world.server->last, 200, false);
    h2_write(world.server->last, slice_make(payload(), PAYLOAD));
    h2_end(world.server->last, trailers);
    head_pool_give(&world.server->heads, trailers);
    run(&world);
    assert_int_equal(world.client->body_len, PAYLOAD);
    assert_non_null(world.client->trailers);
    assert_int_equal(http_head_field_count(world.client->trailers), 1);
    assert_int_equal(world.client->closed, 1);
    world_free(&world);
}

static void trailers_of_a_request_come_with_its_end(void **state)
{
    struct world world = world_new();
    struct http_head *trailers = some_trailers(world.client);
    (void)state;
    struct h2_stream *stream = request(&world, "POST", false);
    h2_end(stream, trailers);
    head_pool_give(&world.client->heads, trailers);
    run(&world);
    assert_int_equal(world.server->ends, 1);
    assert_non_null(world.server->trailers);
    world_free(&world);
}

/* ---- ends ---- */

static void an_early_answer_cuts_the_request_and_closes(void **state)
{
    struct world world = asked("POST", false);
    (void)state;
    respond(world.server, world.server->last, 403, true);
    run(&world);
    assert_int_equal(world.server->closed, 1);
    assert_int_equal(world.server->resets, 0);
    assert_int_equal(world.client->head->status, 403);
    assert_int_equal(world.client->resets, 1);
    assert_int_equal(world.client->code, H2_NO_ERROR);
    assert_int_equal(h2_open_streams(world.server->session), 0);
    world_free(&world);
}

static void a_reset_by_the_client_is_told_to_the_server(void **state)
{
    struct world world = world_new();
    (void)state;
    struct h2_stream *stream = request(&world, "GET", false);
    run(&world);
    h2_reset(stream, H2_CANCEL);
    run(&world);
    assert_int_equal(world.server->resets, 1);
    assert_int_equal(world.server->code, H2_CANCEL);
    assert_false(world.server->unprocessed);
    assert_int_equal(world.client->resets + world.client->closed, 0);
    world_free(&world);
}

static void a_request_that_is_reset_before_it_is_sent_never_goes_out(void **state)
{
    struct world world = world_new();
    (void)state;
    h2_reset(request(&world, "GET", false), H2_CANCEL);
    run(&world);
    assert_int_equal(world.server->heads_seen, 0);
    assert_int_equal(h2_open_streams(world.client->session), 0);
    world_free(&world);
}

static void a_refused_stream_is_told_as_unprocessed(void **state)
{
    struct world world = world_new();
    (void)state;
    world.server->resets_head = true;
    assert_non_null(request(&world, "GET", true));
    run(&world);
    assert_int_equal(world.client->resets, 1);
    assert_int_equal(world.client->code, H2_REFUSED_STREAM);
    assert_true(world.client->unprocessed);
    world_free(&world);
}

static void a_refusal_after_an_answer_began_is_not_unprocessed(void **state)
{
    struct world world = asked("GET", true);
    (void)state;
    respond(world.server, world.server->last, 200, false);
    run(&world);
    h2_reset(world.server->last, H2_REFUSED_STREAM);
    run(&world);
    assert_int_equal(world.client->resets, 1);
    assert_false(world.client->unprocessed);
    world_free(&world);
}

static void a_stream_may_be_reset_while_its_data_comes(void **state)
{
    struct world world = world_new();
    (void)state;
    world.server->resets_data = true;
    struct h2_stream *stream = request(&world, "POST", false);
    h2_write(stream, slice_make(payload(), 50000));
    run(&world);
    assert_int_equal(world.client->resets, 1);
    assert_int_equal(world.server->resets + world.server->closed, 0);
    world_free(&world);
}

static void a_stream_with_queued_bytes_may_be_reset(void **state)
{
    struct world world = asked("GET", true);
    (void)state;
    world.client->keeps = true;
    respond(world.server, world.server->last, 200, false);
    h2_write(world.server->last, slice_make(payload(), PAYLOAD));
    h2_reset(world.server->last, H2_INTERNAL_ERROR);
    run(&world);
    assert_int_equal(world.client->resets, 1);
    assert_int_equal(world.client->code, H2_INTERNAL_ERROR);
    world_free(&world);
}

static void streams_may_be_reset_between_two_pieces_of_output(void **state)
{
    struct wire *wire = wire_new_with(0x7fffffff, 100);
    struct end *server = wire->server;
    (void)state;
    add_frame(wire, NGHTTP2_WINDOW_UPDATE, 0, 0, "\x7f\xff\x00\x00", 4);
    for (unsigned i = 0; i < 16; i++)
        add_get(wire, 2 * i + 1, true);
    assert_true(deliver(wire));
    for (unsigned i = 0; i < 16; i++) {
        respond(server, server->streams[i], 200, false);
        h2_write(server->streams[i], slice_make(payload(), 60000));
    }
    server->resets_output = true;
    h2_send(server->session);
    assert_int_equal(server->outputs > 1, 1);
    assert_false(h2_over(server->session));
    assert_non_null(sent_frame(server, NGHTTP2_RST_STREAM, 15));
    assert_true(server->out.len < 16 * 60000);
    assert_int_equal(server->resets + server->closed, 0);
    wire_free(wire);
}

static void a_session_may_be_freed_in_an_event(void **state)
{
    struct wire *wire = wire_new();
    (void)state;
    wire->server->frees_head = true;
    add_get(wire, 1, true);
    add_get(wire, 3, true);
    assert_false(deliver(wire));
    assert_int_equal(wire->server->heads_seen, 1);
    assert_int_equal(wire->server->resets + wire->server->closed, 0);
    wire_free(wire);
}

static void freeing_tells_nothing(void **state)
{
    struct world world = asked("GET", true);
    (void)state;
    struct end *server = world.server;
    h2_free(server->session);
    server->frees_head = true;
    assert_int_equal(server->resets + server->closed, 0);
    world_free(&world);
}

static void a_broken_connection_resets_what_runs(void **state)
{
    struct wire *wire = wire_new();
    (void)state;
    add_get(wire, 1, true);
    assert_true(deliver(wire));
    add_frame(wire, NGHTTP2_DATA, 0, 0, "x", 1);
    assert_false(deliver(wire));
    assert_int_equal(wire->server->resets, 1);
    assert_true(h2_over(wire->server->session));
    assert_string_equal(h2_error(wire->server->session), "PROTOCOL_ERROR");
    h2_send(wire->server->session);
    assert_non_null(sent_frame(wire->server, NGHTTP2_GOAWAY, 0));
    assert_null(sent_frame(wire->server, NGHTTP2_GOAWAY, 1));
    wire_free(wire);
}

static void bytes_after_the_failure_are_not_looked_at(void **state)
{
    struct wire *wire = wire_new();
    (void)state;
    add_frame(wire, NGHTTP2_DATA, 0, 0, "x", 1);
    assert_false(deliver(wire));
    add_get(wire, 1, true);
    assert_false(deliver(wire));
    assert_int_equal(wire->server->heads_seen, 0);
    wire_free(wire);
}

static void other_bytes_than_the_preface_end_the_connection(void **state)
{
    struct end *server = end_new(true);
    (void)state;
    assert_false(h2_receive(server->session, SLICE_LITERAL("GET / HTTP/1.1\r\nHost: a\r\n\r\n")));
    h2_send(server->session);
    assert_non_null(sent_frame(server, NGHTTP2_GOAWAY, 0));
    end_free(server);
}

static void a_broken_header_block_ends_the_connection(void **state)
{
    struct wire *wire = wire_new();
    (void)state;
    add_frame(wire, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, "\xff\xff\xff\xff\xff\xff\xff", 7);
    assert_false(deliver(wire));
    assert_int_equal(wire->server->heads_seen, 0);
    wire_free(wire);
}

static void data_beyond_the_window_resets(void **state)
{
    struct wire *wire = wire_new();
    (void)state;
    wire->server->keeps = true;
    add_get(wire, 1, false);
    for (int i = 0; i < 5; i++)
        add_frame(wire, NGHTTP2_DATA, 0, 1, payload(), 16384);
    assert_true(deliver(wire));
    h2_send(wire->server->session);
    assert_int_equal(wire->server->resets, 1);
    assert_int_equal(wire->server->code, NGHTTP2_FLOW_CONTROL_ERROR);
    wire_free(wire);
}

/* ---- going away ---- */

static void a_goaway_lets_running_streams_finish(void **state)
{
    struct world world = asked("GET", true);
    (void)state;
    h2_goaway(world.server->session, true);
    run(&world);
    assert_false(h2_over(world.server->session));
    assert_int_equal(world.client->goaways, 1);
    assert_false(h2_can_request(world.client->session));
    assert_null(request(&world, "GET", true));
    respond(world.server, world.server->last, 200, true);
    run(&world);
    assert_int_equal(world.client->closed, 1);
    assert_true(h2_over(world.server->session));
    assert_true(h2_over(world.client->session));
    world_free(&world);
}

static void an_advisory_goaway_still_takes_what_is_under_way(void **state)
{
    struct world world = world_new();
    (void)state;
    assert_non_null(request(&world, "GET", true));
    h2_goaway(world.server->session, false);
    run(&world);
    assert_int_equal(world.server->heads_seen, 1);
    assert_int_equal(world.client->resets, 0);
    assert_false(h2_over(world.server->session));
    world_free(&world);
}

static void a_request_that_crosses_a_goaway_is_unprocessed(void **state)
{
    struct world world = world_new();
    (void)state;
    h2_goaway(world.server->session, true);
    h2_send(world.server->session);
    assert_non_null(request(&world, "GET", true));
    run(&world);
    assert_int_equal(world.server->heads_seen, 0);
    assert_int_equal(world.client->resets, 1);
    assert_true(world.client->unprocessed);
    world_free(&world);
}

static void an_idle_session_is_over_after_goaway(void **state)
{
    struct world world = world_new();
    (void)state;
    assert_false(h2_over(world.server->session));
    h2_goaway(world.server->session, true);
    h2_goaway(world.server->session, true);
    h2_send(world.server->session);
    assert_true(h2_over(world.server->session));
    assert_null(sent_frame(world.server, NGHTTP2_GOAWAY, 1));
    world_free(&world);
}

/* ---- clients ---- */

static void a_client_opens_no_more_streams_than_the_server_allows(void **state)
{
    struct world world = world_new();
    unsigned made = 0;
    (void)state;
    while (made < 200 && request(&world, "GET", true))
        made++;
    assert_int_equal(made, 100);
    assert_false(h2_can_request(world.client->session));
    run(&world);
    assert_int_equal(world.server->heads_seen, 100);
    world_free(&world);
}

static void many_streams_run_at_once(void **state)
{
    struct world world = world_new();
    (void)state;
    world.server->answers = true;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 50; i++)
            assert_non_null(request(&world, "GET", true));
        run(&world);
    }
    assert_int_equal(world.client->closed, 1000);
    assert_int_equal(world.server->closed, 1000);
    world_free(&world);
}

static void a_server_that_pushes_is_cut(void **state)
{
    struct end *client = end_new(false);
    (void)state;
    static const char frames[] = "\0\0\0\4\0\0\0\0\0"          /* SETTINGS */
                                 "\0\0\0\4\1\0\0\0\0"          /* and an acknowledgement */
                                 "\0\0\4\5\4\0\0\0\1\0\0\0\2"; /* PUSH_PROMISE */
    struct world world = {.client = client};
    assert_non_null(request(&world, "GET", true));
    h2_send(client->session);
    assert_false(h2_receive(client->session, slice_make(frames, sizeof(frames) - 1)));
    assert_int_equal(client->resets, 1);
    end_free(client);
}

static void a_ping_is_answered(void **state)
{
    struct world world = world_new();
    (void)state;
    h2_ping(world.client->session);
    pass(world.client, world.server);
    h2_send(world.server->session);
    assert_non_null(sent_frame(world.server, NGHTTP2_PING, 0));
    world_free(&world);
}

static void a_stream_keeps_its_owner(void **state)
{
    struct world world = asked("GET", true);
    (void)state;
    h2_stream_own(world.server->last, &world);
    assert_ptr_equal(h2_stream_owner(world.server->last), &world);
    assert_int_equal(h2_stream_id(world.server->last), 1);
    world_free(&world);
}

static void the_library_is_named(void **state)
{
    (void)state;
    assert_memory_equal(http2_library(), "nghttp2 1.", 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_arrives_with_all_its_parts),
        cmocka_unit_test(a_request_without_length_has_a_body_of_its_own_end),
        cmocka_unit_test(a_content_length_is_read),
        cmocka_unit_test(a_host_stands_for_an_absent_authority),
        cmocka_unit_test(a_host_that_equals_the_authority_is_taken),
        cmocka_unit_test(several_cookies_become_one),
        cmocka_unit_test(te_trailers_is_taken),
        cmocka_unit_test(options_may_ask_for_a_star),
        cmocka_unit_test(a_head_in_single_bytes_is_the_same),
        cmocka_unit_test(an_answer_reaches_the_client),
        cmocka_unit_test(connection_fields_do_not_go_out),
        cmocka_unit_test(informational_answers_come_before_the_final_one),
        cmocka_unit_test(a_second_answer_is_ignored),
        cmocka_unit_test(an_answer_to_head_may_name_a_length),
        cmocka_unit_test(both_sides_end_in_order),
        cmocka_unit_test(an_empty_body_ends),
        cmocka_unit_test(an_answer_larger_than_all_windows_arrives),
        cmocka_unit_test(a_request_body_larger_than_all_windows_arrives),
        cmocka_unit_test(small_pieces_share_a_frame),
        cmocka_unit_test(the_last_bytes_carry_the_end),
        cmocka_unit_test(the_last_bytes_end_the_answer_however_long_they_wait),
        cmocka_unit_test(nothing_follows_the_last_bytes),
        cmocka_unit_test(no_last_bytes_are_an_end),
        cmocka_unit_test(output_comes_in_one_piece),
        cmocka_unit_test(what_fits_the_window_is_not_queued),
        cmocka_unit_test(what_the_peer_has_not_granted_is_queued_and_then_drained),
        cmocka_unit_test(what_was_not_consumed_is_not_granted),
        cmocka_unit_test(a_reset_stream_grants_the_session_what_it_held),
        cmocka_unit_test(trailers_of_an_answer_come_with_its_end),
        cmocka_unit_test(trailers_of_a_request_come_with_its_end),
        cmocka_unit_test(an_early_answer_cuts_the_request_and_closes),
        cmocka_unit_test(a_reset_by_the_client_is_told_to_the_server),
        cmocka_unit_test(a_request_that_is_reset_before_it_is_sent_never_goes_out),
        cmocka_unit_test(a_refused_stream_is_told_as_unprocessed),
        cmocka_unit_test(a_refusal_after_an_answer_began_is_not_unprocessed),
        cmocka_unit_test(a_stream_may_be_reset_while_its_data_comes),
        cmocka_unit_test(a_stream_with_queued_bytes_may_be_reset),
        cmocka_unit_test(streams_may_be_reset_between_two_pieces_of_output),
        cmocka_unit_test(a_session_may_be_freed_in_an_event),
        cmocka_unit_test(freeing_tells_nothing),
        cmocka_unit_test(a_broken_connection_resets_what_runs),
        cmocka_unit_test(bytes_after_the_failure_are_not_looked_at),
        cmocka_unit_test(other_bytes_than_the_preface_end_the_connection),
        cmocka_unit_test(a_broken_header_block_ends_the_connection),
        cmocka_unit_test(data_beyond_the_window_resets),
        cmocka_unit_test(a_goaway_lets_running_streams_finish),
        cmocka_unit_test(an_advisory_goaway_still_takes_what_is_under_way),
        cmocka_unit_test(a_request_that_crosses_a_goaway_is_unprocessed),
        cmocka_unit_test(an_idle_session_is_over_after_goaway),
        cmocka_unit_test(a_client_opens_no_more_streams_than_the_server_allows),
        cmocka_unit_test(many_streams_run_at_once),
        cmocka_unit_test(a_server_that_pushes_is_cut),
        cmocka_unit_test(a_ping_is_answered),
        cmocka_unit_test(a_stream_keeps_its_owner),
        cmocka_unit_test(the_library_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
