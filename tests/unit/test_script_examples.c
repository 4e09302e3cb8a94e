/* Each example admits whom it says, and nobody else. */
#include "test_script_host.h"

#define HOST     struct host *host = *state
#define EXAMPLES "scripting/examples/"
#define PRINT_A  "5e0f91c2aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PRINT_A2                                                                                             \
    "5E:0F:91:C2:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA"

static void call_with(struct host *host, const struct fake *leaf)
{
    host_conn(host, leaf);
    host_call(host);
}

static void denies(struct host *host, const struct fake *leaf, const char *part)
{
    call_with(host, leaf);
    assert_denies(host, REASON_DENIED, part);
}

static void allows(struct host *host, const struct fake *leaf)
{
    call_with(host, leaf);
    assert_allows(host);
}

static struct fake subject(const char *type, const char *value)
{
    return (struct fake){.facts = {{FIELD_SUBJECT_ATTRIBUTE, type, value}}};
}

/* Loads the example, with one option if its name is given. */
static void load(struct host *host, const char *name)
{
    char path[100];
    snprintf(path, sizeof(path), EXAMPLES "%s", name);
    host_load_path(host, path);
}

static void allow_ou_denies_other_units_and_none(void **state)
{
    HOST;
    struct fake marketing = subject("OU", "marketing"), none = subject("CN", "payments");
    host_option(host, "ou", "payments, treasury");
    load(host, "allow_ou.lua");
    denies(host, &marketing, "OU marketing may not use main");
    denies(host, &none, "OU nil may not use main");
    denies(host, NULL, "no certificate");
}

static void allow_ou_admits_its_units(void **state)
{
    HOST;
    struct fake treasury = subject("OU", "treasury");
    host_option(host, "ou", "payments, treasury");
    load(host, "allow_ou.lua");
    allows(host, &alice);
    assert_string_equal(host->out.log, "\"ou\":\"payments\"");
    allows(host, &treasury);
}

static void allow_ou_admits_by_a_second_unit(void **state)
{
    HOST;
    host_option(host, "ou", "audit");
    load(host, "allow_ou.lua");
    allows(host, &alice);
}

static void allow_ou_without_its_option_admits_nobody(void **state)
{
    HOST;
    load(host, "allow_ou.lua");
    call_with(host, &alice);
    assert_denies(host, REASON_SCRIPT_ERROR, "option.ou is not set for this listener");
}

static void allow_cn_denies_other_names(void **state)
{
    HOST;
    struct fake mallory = subject("CN", "mallory"), ou = subject("OU", "alice");
    host_option(host, "cn", "alice, bob");
    load(host, "allow_cn.lua");
    denies(host, &mallory, "CN mallory may not use main");
    denies(host, &ou, "CN nil may not use main");
    denies(host, NULL, "no certificate");
}

static void allow_cn_admits_its_names(void **state)
{
    HOST;
    host_option(host, "cn", "alice, bob");
    load(host, "allow_cn.lua");
    allows(host, &alice);
}

static void allow_cn_heeds_the_organization(void **state)
{
    HOST;
    struct fake bob = subject("CN", "bob");
    host_option(host, "cn", "alice, bob");
    host_option(host, "organization", "Example");
    load(host, "allow_cn.lua");
    allows(host, &alice);
    denies(host, &bob, "O nil may not use main");
}

static void spiffe(struct host *host, const char *id)
{
    struct fake workload = {.facts = {{FIELD_SPIFFE_ID, NULL, id}}};
    call_with(host, &workload);
}

static void allow_spiffe_denies_what_only_looks_alike(void **state)
{
    static const char *const ids[] = {"spiffe://example.org/payments-test",
                                      "spiffe://example.org.evil/payments",
                                      "spiffe://evil.org/payments",
                                      "spiffe://example.org/treasury",
                                      "spiffe://example.org/other/payments",
                                      "spiffe://example.org",
                                      "spiffe://evil.org/spiffe://example.org/payments"};
    HOST;
    host_option(host, "trust_domain", "example.org");
    host_option(host, "path", "/payments, /treasury/reports");
    load(host, "allow_spiffe.lua");
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        spiffe(host, ids[i]);
        assert_denies(host, REASON_DENIED, ids[i]);
    }
    denies(host, &root, "no SPIFFE ID");
    denies(host, NULL, "no SPIFFE ID");
}

static void allow_spiffe_admits_a_path_and_what_is_below(void **state)
{
    static const char *const ids[] = {"spiffe://example.org/payments", "spiffe://example.org/payments/api",
                                      "spiffe://example.org/treasury/reports/daily"};
    HOST;
    host_option(host, "trust_domain", "example.org");
    host_option(host, "path", "/payments, /treasury/reports");
    load(host, "allow_spiffe.lua");
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        spiffe(host, ids[i]);
        assert_allows(host);
    }
}

static void allow_fingerprint_admits_those_of_the_list_only(void **state)
{
    HOST;
    struct fake known = {.facts = {{FIELD_SHA256, NULL, PRINT_A}}};
    host_option(host, "sha256", PRINT_A2);
    load(host, "allow_fingerprint.lua");
    allows(host, &known);
    denies(host, &alice, "certificate aa11 is not on the list");
    denies(host, NULL, "certificate nil is not on the list");
}

static void allow_fingerprint_refuses_to_load_what_is_no_fingerprint(void **state)
{
    HOST;
    host_option(host, "sha256", "aa11");
    assert_null(host_try(host, EXAMPLES "allow_fingerprint.lua"));
    assert_contains(host_problem(host), "option.sha256: aa11 is no SHA-256 fingerprint");
}

static void allow_issuer_admits_by_the_name_of_the_ca(void **state)
{
    HOST;
    struct fake other = {
        .facts = {{FIELD_ISSUER_ATTRIBUTE, "CN", "Other CA"}, {FIELD_ISSUER_TEXT, NULL, "CN=Other CA"}}};
    host_option(host, "issuer", "Example CA");
    load(host, "allow_issuer.lua");
    allows(host, &alice);
    denies(host, &other, "issuer CN=Other CA may not use main");
    denies(host, NULL, "no certificate");
}

/* Days and hours from 2026-01-01T00:00Z, a Thursday. */
static void at(struct host *host, int days, int hours)
{
    host->now_ms = 1767225600000 + ((int64_t)days * 24 + hours) * 3600000;
    call_with(host, &alice);
}

static void working_hours_admits_on_weekdays_in_time(void **state)
{
    HOST;
    host_option(host, "from", "8");
    host_option(host, "to", "18");
    load(host, "working_hours.lua");
    at(host, 0, 8);
    assert_allows(host);
    at(host, 1, 17);
    assert_allows(host);
    at(host, 0, 7);
    assert_denies(host, REASON_DENIED, "from Monday to Friday, 8 to 18 o'clock");
    at(host, 0, 18);
    assert_denies(host, REASON_DENIED, "o'clock");
    at(host, 2, 10);
    assert_denies(host, REASON_DENIED, "o'clock");
    at(host, 3, 10);
    assert_denies(host, REASON_DENIED, "o'clock");
    denies(host, NULL, "no OU");
}

static void working_hours_heeds_the_offset(void **state)
{
    HOST;
    host_option(host, "from", "8");
    host_option(host, "to", "18");
    host_option(host, "utc_offset", "5.5");
    load(host, "working_hours.lua");
    at(host, 0, 3);
    assert_allows(host);
    at(host, 0, 13);
    assert_denies(host, REASON_DENIED, "o'clock");
}

static void working_hours_admits_some_at_any_time(void **state)
{
    HOST;
    host_option(host, "from", "8");
    host_option(host, "to", "18");
    host_option(host, "always", "payments");
    load(host, "working_hours.lua");
    at(host, 3, 3);
    assert_allows(host);
}

static void working_hours_refuses_to_load_without_hours(void **state)
{
    HOST;
    assert_null(host_try(host, EXAMPLES "working_hours.lua"));
    assert_contains(host_problem(host), "option.from is no number");
}

static void route_by_ou_chooses_the_backend(void **state)
{
    HOST;
    struct fake treasury = subject("OU", "treasury"), lost = subject("OU", "lost"),
                none = subject("OU", "marketing");
    host_option(host, "route", "payments=app, treasury = other, lost=nowhere");
    load(host, "route_by_ou.lua");
    allows(host, &alice);
    assert_string_equal(host->out.backend, "app");
    allows(host, &treasury);
    assert_string_equal(host->out.backend, "other");
    denies(host, &none, "there is no backend for OU marketing");
    denies(host, NULL, "there is no backend for OU nil");
    call_with(host, &lost);
    assert_denies(host, REASON_SCRIPT_RESULT, "there is no backend 'nowhere'");
}

static void route_by_ou_refuses_to_load_a_broken_route(void **state)
{
    HOST;
    host_option(host, "route", "payments");
    assert_null(host_try(host, EXAMPLES "route_by_ou.lua"));
    assert_contains(host_problem(host), "'payments' is not of the form OU=BACKEND");
}

/* --- requests --- */

static void ask(struct host *host, const struct fake *leaf, const char *path)
{
    host_conn(host, leaf);
    host->request.path = slice_of(path);
    host_call_hook(host, HOOK_REQUEST);
}

static void load_request(struct host *host, const char *name)
{
    host->settings.http = true;
    load(host, name);
}

static void identity_headers_denies_other_paths_and_units(void **state)
{
    static const char *const paths[] = {"/",
                                        "/treasury",
                                        "/paymentsx",
                                        "/Payments/x",
                                        "payments",
                                        "/payments/../treasury",
                                        "/payments/%2e%2E/treasury",
                                        "/payments//x",
                                        "/payments/..%2Ftreasury",
                                        "/payments/%252e",
                                        "/payments/..;/treasury",
                                        "/payments\\..",
                                        ""};
    HOST;
    struct fake marketing = subject("OU", "marketing"), none = subject("CN", "payments");
    host_option(host, "allow", "payments=/payments, treasury=/treasury/");
    load_request(host, "identity_headers.lua");
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        ask(host, &alice, paths[i]);
        assert_denies(host, REASON_DENIED, "OU payments may not use ");
        assert_int_equal(host->out.status, 403);
    }
    ask(host, &marketing, "/payments");
    assert_denies(host, REASON_DENIED, "OU marketing may not use /payments");
    ask(host, &none, "/payments");
    assert_denies(host, REASON_DENIED, "OU nil may not use /payments");
    ask(host, NULL, "/payments");
    assert_denies(host, REASON_DENIED, "no certificate");
}

static void identity_headers_admits_below_the_prefix_and_says_who(void **state)
{
    HOST;
    message_add(&host->asked, slice_of("x-client-ou"), slice_of("treasury"));
    message_add(&host->asked, slice_of("x_client_ou"), slice_of("treasury"));
    message_add(&host->asked, slice_of("x-client-admin"), slice_of("yes"));
    message_add(&host->asked, slice_of("x-client"), slice_of("kept"));
    host_option(host, "allow", "payments=/payments, treasury=/treasury/");
    load_request(host, "identity_headers.lua");
    ask(host, &alice, "/payments");
    assert_allows(host);
    ask(host, &alice, "/payments/7/items");
    assert_allows(host);
    assert_string_equal(host->out.log, "\"ou\":\"payments\"");
    assert_string_equal(
        message_text(&host->asked),
        "host: api.example\nx-a: one\ncookie: session=s1; theme=dark\nx-a: two\nx-client: kept\n"
        "x-client-cn: alice\nx-client-ou: payments\nx-client-sha256: aa11\n");
}

static void identity_headers_refuses_to_load_a_broken_entry(void **state)
{
    HOST;
    host->settings.http = true;
    host_option(host, "allow", "payments=payments");
    assert_null(host_try(host, EXAMPLES "identity_headers.lua"));
    assert_contains(host_problem(host), "'payments=payments' is not of the form OU=/PREFIX");
}

static void rate_limit_counts_by_fingerprint(void **state)
{
    HOST;
    host_option(host, "limit", "2");
    host_option(host, "seconds", "60");
    load_request(host, "rate_limit.lua");
    ask(host, NULL, "/");
    assert_denies(host, REASON_DENIED, "no certificate");
    assert_int_equal(host->rate_count, 0);
    for (int i = 0; i < 2; i++) {
        ask(host, &alice, "/");
        assert_allows(host);
    }
    assert_string_equal(host->rate_key, "aa11");
    assert_int_equal(host->rate_window, 60000);
    ask(host, &alice, "/");
    assert_denies(host, REASON_DENIED, "more than 2 requests in 60 s");
    assert_int_equal(host->out.status, 429);
}

static void rate_limit_refuses_to_load_without_numbers(void **state)
{
    HOST;
    host->settings.http = true;
    host_option(host, "limit", "many");
    host_option(host, "seconds", "60");
    assert_null(host_try(host, EXAMPLES "rate_limit.lua"));
    assert_contains(host_problem(host), "option.limit is no number");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        script_test(allow_ou_denies_other_units_and_none),
        script_test(allow_ou_admits_its_units),
        script_test(allow_ou_admits_by_a_second_unit),
        script_test(allow_ou_without_its_option_admits_nobody),
        script_test(allow_cn_denies_other_names),
        script_test(allow_cn_admits_its_names),
        script_test(allow_cn_heeds_the_organization),
        script_test(allow_spiffe_denies_what_only_looks_alike),
        script_test(allow_spiffe_admits_a_path_and_what_is_below),
        script_test(allow_fingerprint_admits_those_of_the_list_only),
        script_test(allow_fingerprint_refuses_to_load_what_is_no_fingerprint),
        script_test(allow_issuer_admits_by_the_name_of_the_ca),
        script_test(working_hours_admits_on_weekdays_in_time),
        script_test(working_hours_heeds_the_offset),
        script_test(working_hours_admits_some_at_any_time),
        script_test(working_hours_refuses_to_load_without_hours),
        script_test(route_by_ou_chooses_the_backend),
        script_test(route_by_ou_refuses_to_load_a_broken_route),
        script_test(identity_headers_denies_other_paths_and_units),
        script_test(identity_headers_admits_below_the_prefix_and_says_who),
        script_test(identity_headers_refuses_to_load_a_broken_entry),
        script_test(rate_limit_counts_by_fingerprint),
        script_test(rate_limit_refuses_to_load_without_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
