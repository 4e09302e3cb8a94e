#include "tests/unit/test_forward_world.h"

/* ---- Forwarded and its kin ---- */

static void add_claims(struct world *world)
{
    add(world, "X-Forwarded-For", "127.0.0.1");
    add(world, "X-FORWARDED-FOR", "10.0.0.1, 10.0.0.2");
    add(world, "X_Forwarded_For", "127.0.0.9");
    add(world, "X-Forwarded-Proto", "gopher");
    add(world, "X-Forwarded-Host", "evil.example");
    add(world, "X-Forwarded-Port", "1");
    add(world, "X-Real-IP", "127.0.0.1");
    add(world, "Forwarded", "for=127.0.0.1;proto=https");
    add(world, "X-Request-ID", "theirs");
}

static void expect_only_what_lb_knows(struct world *world)
{
    expect_field(world, "x-forwarded-for", "192.0.2.7");
    expect_field(world, "x-forwarded-proto", "https");
    expect_field(world, "x-forwarded-host", "a.example:8443");
    expect_field(world, "x-forwarded-port", "443");
    expect_field(world, "forwarded", "for=192.0.2.7;host=\"a.example:8443\";proto=https");
    assert_null(value_of(world, "x_forwarded_for"));
}

static void a_strangers_claims_are_replaced_in_set_and_append(void **state)
{
    struct world *world = *state;
    for (int mode = FORWARDED_SET; mode <= FORWARDED_APPEND; mode++) {
        http_head_reset(&world->head);
        set_authority(world, "a.example:8443");
        world->facts.mode = (enum forwarded_mode)mode;
        add_claims(world);
        request(world);
        expect_only_what_lb_knows(world);
        assert_null(value_of(world, "x-real-ip"));
        assert_string_not_equal(value_of(world, "x-request-id"), "theirs");
    }
}

static void a_strangers_claims_go_when_nothing_is_set(void **state)
{
    struct world *world = *state;
    world->facts.mode = FORWARDED_OFF;
    add_claims(world);
    forward_clean(&world->head, false, false);
    assert_string_equal(lines(world), "");
    assert_true(forward_request(&world->head, &world->facts));
    assert_int_equal(http_head_field_count(&world->head), 3); /* Host, Via and X-Request-ID */
}

static void set_replaces_a_trusted_proxys_claims_too(void **state)
{
    struct world *world = *state;
    set_authority(world, "a.example:8443");
    world->facts.trusted = true;
    add_claims(world);
    request(world);
    expect_only_what_lb_knows(world);
}

static void append_goes_on_with_a_trusted_proxys_lists(void **state)
{
    struct world *world = *state;
    set_authority(world, "a.example:8443");
    world->facts.trusted = true;
    world->facts.mode = FORWARDED_APPEND;
    add_claims(world);
    request(world);
    expect_field(world, "x-forwarded-for", "127.0.0.1, 10.0.0.1, 10.0.0.2, 192.0.2.7");
    expect_field(world, "x-forwarded-proto", "gopher");
    expect_field(world, "x-forwarded-host", "evil.example");
    expect_field(world, "x-forwarded-port", "1");
    expect_field(world, "x-real-ip", "127.0.0.1");
    expect_field(world, "forwarded",
                 "for=127.0.0.1;proto=https, for=192.0.2.7;host=\"a.example:8443\";proto=https");
    expect_field(world, "x-request-id", "theirs");
    assert_string_equal(world->facts.request_id, "theirs");
}

static void append_without_a_list_begins_one(void **state)
{
    struct world *world = *state;
    set_authority(world, "a.example:8443");
    world->facts.trusted = true;
    world->facts.mode = FORWARDED_APPEND;
    add(world, "X-Forwarded-For", "");
    request(world);
    expect_only_what_lb_knows(world);
}

static void a_forwarded_that_ends_in_quotes_cannot_swallow_what_is_appended(void **state)
{
    static const char *const broken[] = {"for=\"1", "for=a;host=\"x\\\"", "\"", "for=\"a\\"};
    struct world *world = *state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        http_head_reset(&world->head);
        world->facts.trusted = true;
        world->facts.mode = FORWARDED_APPEND;
        world->facts.host = slice_of("");
        add(world, "Forwarded", broken[i]);
        request(world);
        expect_field(world, "forwarded", "for=192.0.2.7;proto=https");
    }
}

static void an_ipv6_client_stands_in_brackets_and_quotes(void **state)
{
    struct world *world = *state;
    set_client(world, "[2001:db8::1]:99");
    world->facts.tls = false;
    request(world);
    expect_field(world, "x-forwarded-for", "2001:db8::1");
    expect_field(world, "x-forwarded-proto", "http");
    expect_field(world, "forwarded", "for=\"[2001:db8::1]\";proto=http");
}

static void a_unix_client_has_no_address(void **state)
{
    struct world *world = *state;
    set_client(world, "unix:/run/x");
    world->facts.port = 0;
    request(world);
    assert_null(value_of(world, "x-forwarded-for"));
    assert_null(value_of(world, "x-forwarded-port"));
    expect_field(world, "forwarded", "for=unknown;proto=https");
}

static void quotes_in_a_host_are_escaped(void **state)
{
    struct world *world = *state;
    set_authority(world, "a\"\\;for=x");
    request(world);
    expect_field(world, "forwarded", "for=192.0.2.7;host=\"a\\\"\\\\;for=x\";proto=https");
}

static void a_host_longer_than_hosts_are_is_not_named(void **state)
{
    struct world *world = *state;
    char host[4000];
    memset(host, '"', sizeof(host) - 1);
    host[sizeof(host) - 1] = '\0';
    set_authority(world, host);
    request(world);
    expect_field(world, "forwarded", "for=192.0.2.7;proto=https");
}

/* ---- Host, Via, X-Request-ID ---- */

static void host_is_written_once_and_first(void **state)
{
    struct world *world = *state;
    set_authority(world, "a.example");
    add(world, "Cookie", "1");
    add(world, "Host", "b.example");
    add(world, "Cookie", "2");
    add(world, "HOST", "c.example");
    request(world);
    expect_field(world, "host", "a.example");
    assert_ptr_equal(strstr(lines(world), "host: a.example|cookie: 1|cookie: 2|"), world->lines);
}

static void a_host_for_the_server_takes_the_place_of_what_came(void **state)
{
    struct world *world = *state;
    set_authority(world, "a.example");
    world->facts.host_out = slice_of("internal:8080");
    add(world, "Host", "a.example");
    request(world);
    expect_field(world, "host", "internal:8080");
    expect_field(world, "x-forwarded-host", "a.example");
}

static void without_an_authority_host_is_there_and_empty(void **state)
{
    struct world *world = *state;
    add(world, "Host", "");
    request(world);
    expect_field(world, "host", "");
    assert_null(value_of(world, "x-forwarded-host"));
}

static void via_names_the_version_and_goes_on(void **state)
{
    struct world *world = *state;
    add(world, "Via", "1.0 one");
    add(world, "Via", "2.0 two (x, y)");
    request(world);
    expect_field(world, "via", "1.0 one, 2.0 two (x, y), 1.1 lb");
    http_head_reset(&world->head);
    world->head.http2 = true;
    request(world);
    expect_field(world, "via", "2.0 lb");
    http_head_reset(&world->head);
    request(world);
    expect_field(world, "via", "1.0 lb");
}

static void a_request_id_that_could_forge_a_log_is_replaced(void **state)
{
    static const char *const bad[] = {"", "a b", "a\"b", "a\\b", "a\tb", "\x7f", "\xc3\xa4"};
    struct world *world = *state;
    char long_id[130];
    memset(long_id, 'a', 129);
    long_id[129] = '\0';
    world->facts.trusted = true;
    for (size_t i = 0; i <= sizeof(bad) / sizeof(bad[0]); i++) {
        const char *id = i < sizeof(bad) / sizeof(bad[0]) ? bad[i] : long_id;
        http_head_reset(&world->head);
        world->facts.request_id[0] = '\0';
        add(world, "X-Request-ID", id);
        request(world);
        assert_int_equal(strlen(value_of(world, "x-request-id")), 32);
        assert_string_equal(world->lines, world->facts.request_id);
    }
}

static void two_request_ids_are_replaced_by_one(void **state)
{
    struct world *world = *state;
    world->facts.trusted = true;
    add(world, "X-Request-ID", "a");
    add(world, "X-Request-ID", "b");
    request(world);
    assert_int_equal(strlen(value_of(world, "x-request-id")), 32);
}

static void a_long_trusted_request_id_is_cut_in_the_copy_only(void **state)
{
    struct world *world = *state;
    char id[129];
    memset(id, '~', 128);
    id[128] = '\0';
    world->facts.trusted = true;
    add(world, "X-Request-ID", id);
    request(world);
    expect_field(world, "x-request-id", id);
    assert_int_equal(strlen(world->facts.request_id), 39);
}

static void an_id_that_was_given_before_is_the_one_that_is_sent(void **state)
{
    struct world *world = *state;
    char given[40];
    forward_request_id(&world->head, &world->facts);
    strcpy(given, world->facts.request_id);
    assert_int_equal(strlen(given), 32);
    request(world);
    expect_field(world, "x-request-id", given);
    assert_string_equal(world->facts.request_id, given);
}

static void made_request_ids_differ(void **state)
{
    struct world *world = *state;
    char last[40] = "";
    for (int i = 0; i < 200; i++) {
        world->facts.ids = i % 2 ? &world->ids : NULL;
        world->facts.request_id[0] = '\0';
        forward_request_id(&world->head, &world->facts);
        assert_int_equal(strspn(world->facts.request_id, "0123456789abcdef"), 32);
        assert_string_not_equal(world->facts.request_id, last);
        strcpy(last, world->facts.request_id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_strangers_claims_are_replaced_in_set_and_append),
        TEST(a_strangers_claims_go_when_nothing_is_set),
        TEST(set_replaces_a_trusted_proxys_claims_too),
        TEST(append_goes_on_with_a_trusted_proxys_lists),
        TEST(append_without_a_list_begins_one),
        TEST(a_forwarded_that_ends_in_quotes_cannot_swallow_what_is_appended),
        TEST(an_ipv6_client_stands_in_brackets_and_quotes),
        TEST(a_unix_client_has_no_address),
        TEST(quotes_in_a_host_are_escaped),
        TEST(a_host_longer_than_hosts_are_is_not_named),
        TEST(host_is_written_once_and_first),
        TEST(a_host_for_the_server_takes_the_place_of_what_came),
        TEST(without_an_authority_host_is_there_and_empty),
        TEST(via_names_the_version_and_goes_on),
        TEST(a_request_id_that_could_forge_a_log_is_replaced),
        TEST(two_request_ids_are_replaced_by_one),
        TEST(a_long_trusted_request_id_is_cut_in_the_copy_only),
        TEST(an_id_that_was_given_before_is_the_one_that_is_sent),
        TEST(made_request_ids_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
