/* Which route a request takes: the first whose conditions hold, whatever index finds it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lb/base/regex.h"
#include "lb/http/route_parts.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

struct routes {
    struct route *list;
    size_t count;
    struct route_table *table;
};

static struct routes new_routes(size_t count)
{
    struct routes routes = {calloc(count + 1, sizeof(struct route)), 0, NULL};
    assert_non_null(routes.list);
    return routes;
}

static void add_line(struct routes *routes, const char *line)
{
    const char *why = "";
    if (!route_parse(line, &routes->list[routes->count], &why))
        fail_msg("'%s': %s", line, why);
    routes->list[routes->count].index = routes->count;
    routes->count++;
}

static void make_table(struct routes *routes)
{
    routes->table = route_table_new(routes->list, routes->count);
}

static void free_routes(struct routes *routes)
{
    route_table_free(routes->table);
    for (size_t i = 0; i < routes->count; i++)
        route_release(&routes->list[i]);
    free(routes->list);
}

static struct routes routes_of(const char *const *lines, size_t count)
{
    struct routes routes = new_routes(count);
    for (size_t i = 0; i < count; i++)
        add_line(&routes, lines[i]);
    make_table(&routes);
    return routes;
}

static struct route_facts facts_of(const char *host, const char *path)
{
    return (
        struct route_facts){.host = slice_of(host), .path = slice_of(path), .method = SLICE_LITERAL("GET")};
}

/* The number of the route that is taken; -1: none. */
static int find(const struct routes *routes, const struct route_facts *facts)
{
    const struct route *route = route_find(routes->table, facts);
    return route ? (int)route->index : -1;
}

static int find_path(const struct routes *routes, const char *host, const char *path)
{
    struct route_facts facts = facts_of(host, path);
    return find(routes, &facts);
}

/* ---- conditions ---- */

static void no_route_takes_what_none_is_for(void **state)
{
    static const char *const lines[] = {"host=a.example path=/x -> app"};
    struct routes routes = routes_of(lines, COUNT(lines)), empty = routes_of(NULL, 0);
    (void)state;
    assert_int_equal(find_path(&empty, "a.example", "/x"), -1);
    assert_int_equal(find_path(&routes, "b.example", "/x"), -1);
    assert_int_equal(find_path(&routes, "", "/x"), -1);
    assert_int_equal(find_path(&routes, "a.example", "/"), -1);
    assert_int_equal(find_path(&routes, "a.example", "*"), -1);
    assert_int_equal(find_path(&routes, "a.example", "/x"), 0);
    free_routes(&routes);
    free_routes(&empty);
}

static void a_prefix_ends_at_a_segments_border(void **state)
{
    static const char *const lines[] = {"path=/a -> app"};
    struct routes routes = routes_of(lines, COUNT(lines));
    (void)state;
    assert_int_equal(find_path(&routes, "", "/ab"), -1);
    assert_int_equal(find_path(&routes, "", "/a.b"), -1);
    assert_int_equal(find_path(&routes, "", "/A"), -1);
    assert_int_equal(find_path(&routes, "", "/b/a"), -1);
    assert_int_equal(find_path(&routes, "", "/a"), 0);
    assert_int_equal(find_path(&routes, "", "/a/"), 0);
    assert_int_equal(find_path(&routes, "", "/a/b/c"), 0);
    free_routes(&routes);
}

static void a_prefix_that_ends_with_a_slash_is_for_what_lies_below_only(void **state)
{
    static const char *const lines[] = {"path=/a/ -> app", "path=/ -> all"};
    struct routes routes = routes_of(lines, COUNT(lines));
    (void)state;
    assert_int_equal(find_path(&routes, "", "/a"), 1);
    assert_int_equal(find_path(&routes, "", "/ab/"), 1);
    assert_int_equal(find_path(&routes, "", "/a/"), 0);
    assert_int_equal(find_path(&routes, "", "/a/b"), 0);
    free_routes(&routes);
}

static void an_exact_path_is_for_nothing_below(void **state)
{
    static const char *const lines[] = {"path==/a -> app", "path==/ -> home"};
    struct routes routes = routes_of(lines, COUNT(lines));
    (void)state;
    assert_int_equal(find_path(&routes, "", "/a/"), -1);
    assert_int_equal(find_path(&routes, "", "/a/b"), -1);
    assert_int_equal(find_path(&routes, "", "/b"), -1);
    assert_int_equal(find_path(&routes, "", "/a"), 0);
    assert_int_equal(find_path(&routes, "", "/"), 1);
    free_routes(&routes);
}

static void a_wildcard_is_for_names_below_only(void **state)
{
    static const char *const lines[] = {"host=*.a.example -> app"};
    struct routes routes = routes_of(lines, COUNT(lines));
    (void)state;
    assert_int_equal(find_path(&routes, "a.example", "/"), -1);
    assert_int_equal(find_path(&routes, "xa.example", "/"), -1);
    assert_int_equal(find_path(&routes, "x.b.example", "/"), -1);
    assert_int_equal(find_path(&routes, "x.a.example", "/"), 0);
    assert_int_equal(find_path(&routes, "y.x.a.example", "/"), 0);
    free_routes(&routes);
}

static void the_first_in_the_file_wins_over_the_more_exact(void **state)
{
    static const char *const lines[] = {"host=*.example path=/a -> one", "host=x.example path==/a/b -> two",
                                        "path~^/c -> three", "host=x.example path=/c -> four",
                                        "host~^y path=/c -> five"};
    struct routes routes = routes_of(lines, COUNT(lines));
    (void)state;
    assert_int_equal(find_path(&routes, "x.example", "/a/b"), 0);
    assert_int_equal(find_path(&routes, "x.example", "/c"), 2);
    assert_int_equal(find_path(&routes, "y", "/d"), -1);
    assert_int_equal(find_path(&routes, "y", "/c"), 2);
    free_routes(&routes);
}

static void methods_are_compared_in_their_case(void **state)
{
    static const char *const lines[] = {"method=GET,PUT -> app"};
    struct routes routes = routes_of(lines, COUNT(lines));
    struct route_facts facts = facts_of("", "/");
    (void)state;
    static const char *const others[] = {"POST", "get", "GETS", "HEAD", ""};
    for (size_t i = 0; i < COUNT(others); i++) {
        facts.method = slice_of(others[i]);
        assert_int_equal(find(&routes, &facts), -1);
    }
    facts.method = SLICE_LITERAL("PUT");
    assert_int_equal(find(&routes, &facts), 0);
    free_routes(&routes);
}

static void all_headers_must_hold_and_any_field_of_a_name_may(void **state)
{
    static const char *const lines[] = {"header=X-Tenant:blue header=X-Beta -> app"};
    struct routes routes = routes_of(lines, COUNT(lines));
    struct route_facts facts = facts_of("", "/");
    struct http_head head;
    (void)state;
    assert_int_equal(find(&routes, &facts), -1);
    http_head_init(&head);
    facts.head = &head;
    assert_true(http_head_add(&head, SLICE_LITERAL("X-Tenant"), SLICE_LITERAL("Blue")));
    assert_true(http_head_add(&head, SLICE_LITERAL("X-Beta"), SLICE_LITERAL("")));
    assert_int_equal(find(&routes, &facts), -1);
    assert_true(http_head_add(&head, SLICE_LITERAL("x-tenant"), SLICE_LITERAL("blue")));
    assert_int_equal(find(&routes, &facts), 0);
    http_head_remove_named(&head, SLICE_LITERAL("x-beta"));
    assert_int_equal(find(&routes, &facts), -1);
    http_head_free(&head);
    free_routes(&routes);
}

static void a_certificate_is_a_condition_unless_it_is_required(void **state)
{
    static const char *const lines[] = {"path=/p certificate=present -> app",
                                        "path=/n certificate=none -> app",
                                        "path=/r certificate=required -> app"};
    struct routes routes = routes_of(lines, COUNT(lines));
    (void)state;
    static const int expected[2][3] = {{-1, 1, 2}, {0, -1, 2}};
    static const char *const paths[] = {"/p", "/n", "/r"};
    for (int proven = 0; proven < 2; proven++)
        for (size_t i = 0; i < 3; i++) {
            struct route_facts facts = facts_of("", paths[i]);
            facts.certificate = proven;
            assert_int_equal(find(&routes, &facts), expected[proven][i]);
        }
    free_routes(&routes);
}

static void hosts_are_named_exactly_or_by_wildcard(void **state)
{
    static const char *const lines[] = {"host=a.example path=/x -> app", "host=*.b.example -> app",
                                        "host~c -> app", "-> app"};
    struct routes routes = routes_of(lines, COUNT(lines)), empty = routes_of(NULL, 0);
    (void)state;
    assert_false(route_names_host(routes.table, SLICE_LITERAL("")));
    assert_false(route_names_host(routes.table, SLICE_LITERAL("x.a.example")));
    assert_false(route_names_host(routes.table, SLICE_LITERAL("b.example")));
    assert_false(route_names_host(routes.table, SLICE_LITERAL("c.example")));
    assert_false(route_names_host(empty.table, SLICE_LITERAL("a.example")));
    assert_true(route_names_host(routes.table, SLICE_LITERAL("a.example")));
    assert_true(route_names_host(routes.table, SLICE_LITERAL("x.b.example")));
    free_routes(&routes);
    free_routes(&empty);
}

static void the_longest_names_and_paths_are_looked_up_within_bounds(void **state)
{
    static const char *const lines[] = {"host=*.a -> app", "host=a path=/a/a/a/a -> app",
                                        "host=*.b path=/b -> c"};
    struct routes routes = routes_of(lines, COUNT(lines));
    char host[254], path[4000];
    (void)state;
    for (size_t i = 0; i < sizeof(host); i++)
        host[i] = i % 2 ? '.' : 'a';
    for (size_t i = 0; i < sizeof(path); i++)
        path[i] = i % 2 ? 'a' : '/';
    struct route_facts facts = {.host = slice_make(host, 253), .path = slice_make(path, sizeof(path))};
    assert_int_equal(find(&routes, &facts), 0);
    free_routes(&routes);
}

/* ---- rewriting ---- */

static void the_matched_prefix_is_replaced_without_doubling_a_slash(void **state)
{
    static const struct {
        const char *line, *path, *rewritten;
    } rows[] = {
        {"path=/api -> app rewrite=/v1", "/api/x/y", "/v1/x/y"},
        {"path=/api -> app rewrite=/v1", "/api", "/v1"},
        {"path=/api -> app rewrite=/v1", "/api/", "/v1/"},
        {"path=/api -> app rewrite=/v1/", "/api", "/v1/"},
        {"path=/api -> app rewrite=/v1/", "/api/x", "/v1/x"},
        {"path=/api/ -> app rewrite=/v1", "/api/x", "/v1/x"},
        {"path=/api/ -> app rewrite=/v1/", "/api/", "/v1/"},
        {"path=/api -> app rewrite=/", "/api", "/"},
        {"path=/api -> app rewrite=/", "/api/", "/"},
        {"path=/api -> app rewrite=/", "/api/x", "/x"},
        {"path=/ -> app rewrite=/v1", "/", "/v1/"},
        {"path=/ -> app rewrite=/v1", "/x", "/v1/x"},
        {"path=/ -> app rewrite=/", "/x", "/x"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct routes routes = routes_of(&rows[i].line, 1);
        struct http_head head;
        struct span own, out;
        http_head_init(&head);
        assert_true(http_head_put(&head, slice_of(rows[i].path), &own));
        assert_true(route_rewrite(&routes.list[0], &head, slice_of(rows[i].path), &out));
        assert_true(slice_is(head_text(&head, out), rows[i].rewritten));
        assert_true(route_rewrite(&routes.list[0], &head, head_text(&head, own), &out));
        assert_true(slice_is(head_text(&head, out), rows[i].rewritten));
        http_head_free(&head);
        free_routes(&routes);
    }
}

static void a_path_in_the_heads_buffer_is_rewritten_while_that_grows(void **state)
{
    static const char *const line = "path=/a -> app rewrite=/bcd";
    struct routes routes = routes_of(&line, 1);
    struct http_head head;
    struct span own, out;
    char path[2047];
    (void)state;
    memset(path, 'x', sizeof(path));
    memcpy(path, "/a/", 3);
    http_head_init(&head);
    assert_true(http_head_put(&head, slice_make(path, sizeof(path)), &own));
    assert_true(route_rewrite(&routes.list[0], &head, head_text(&head, own), &out));
    assert_int_equal(out.len, sizeof(path) + 2);
    assert_memory_equal(head.bytes + out.at, "/bcd/xxx", 8);
    assert_memory_equal(head.bytes + out.at + 4, path + 2, sizeof(path) - 2);
    http_head_free(&head);
    free_routes(&routes);
}

/* ---- the index ---- */

static size_t tried_for(const struct routes *routes, const char *host, const char *path, int expected)
{
    struct route_facts facts = facts_of(host, path);
    size_t tried = 0;
    const struct route *route = route_find_counted(routes->table, &facts, &tried);
    assert_int_equal(route ? (int)route->index : -1, expected);
    return tried;
}

/* `pattern` with a number for its '#'. */
static const char *numbered(const char *pattern, size_t number, char out[128])
{
    const char *mark = strchr(pattern, '#');
    int before = (int)(mark ? (size_t)(mark - pattern) : strlen(pattern));
    if (mark)
        snprintf(out, 128, "%.*s%zu%s", before, pattern, number, mark + 1);
    else
        snprintf(out, 128, "%s", pattern);
    return out;
}

static struct routes many(const char *pattern, size_t count)
{
    struct routes routes = new_routes(count + 1);
    char line[128];
    for (size_t i = 0; i < count; i++)
        add_line(&routes, numbered(pattern, i, line));
    add_line(&routes, "-> rest");
    make_table(&routes);
    return routes;
}

/* A '#' is the route's number, in the line and in host and path of a request. */
static void assert_no_dearer(const char *line, const char *host, const char *path)
{
    struct routes few = many(line, 10), lots = many(line, 10000);
    char host_of[128], path_of[128];
    size_t cheap = tried_for(&few, numbered(host, 9, host_of), numbered(path, 9, path_of), 9);
    assert_true(cheap <= 2);
    assert_int_equal(tried_for(&lots, host_of, path_of, 9), cheap);
    assert_int_equal(tried_for(&lots, numbered(host, 9998, host_of), numbered(path, 9998, path_of), 9998),
                     cheap);
    assert_int_equal(tried_for(&lots, "none", "/none", 10000), tried_for(&few, "none", "/none", 10));
    free_routes(&few);
    free_routes(&lots);
}

static void ten_thousand_routes_cost_no_more_than_ten(void **state)
{
    (void)state;
    assert_no_dearer("host=h#.example -> app", "h#.example", "/x");
    assert_no_dearer("host=*.h#.example path=/a -> app", "x.h#.example", "/a/b");
    assert_no_dearer("host=a.example path=/p# -> app", "a.example", "/p#/x/y");
    assert_no_dearer("path=/p#/ -> app", "a.example", "/p#/x/y");
    assert_no_dearer("path==/p/# -> app", "a.example", "/p/#");
}

/* ---- against the plain reading of the rules ---- */

struct dice {
    uint64_t state;
};

static unsigned roll(struct dice *dice, unsigned sides)
{
    dice->state = dice->state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(dice->state >> 33) % sides;
}

static const char *pick(struct dice *dice, const char *const *from, size_t count)
{
    return from[roll(dice, (unsigned)count)];
}

static void random_line(struct dice *dice, char *line, size_t size)
{
    static const char *const hosts[] = {"",           "host=a",     "host=b.a",   "host=*.a", "host=*.b.a",
                                        "host=c.b.a", "host~^b\\.", "host=[::1]", ""};
    static const char *const paths[] = {"",         "path=/",     "path=/a",    "path=/a/", "path=/a/b",
                                        "path==/a", "path==/a/",  "path==/",    "path=/b",  "path=/a/b/",
                                        "path~b$",  "path~^/a/.", "path==/a/b", "path=/ab", "path=/a/b/a"};
    static const char *const methods[] = {"", "", "", "method=GET", "method=PUT,POST"};
    static const char *const headers[] = {"", "", "", "header=x", "header=x:1", "header=x:2 header=y"};
    static const char *const certificates[] = {"", "", "certificate=present", "certificate=none",
                                               "certificate=required"};
    snprintf(line, size, "%s %s %s %s %s -> app", pick(dice, hosts, COUNT(hosts)),
             pick(dice, paths, COUNT(paths)), pick(dice, methods, COUNT(methods)),
             pick(dice, headers, COUNT(headers)), pick(dice, certificates, COUNT(certificates)));
}

static void random_facts(struct dice *dice, struct http_head *head, struct route_facts *facts)
{
    static const char *const hosts[] = {"", "a", "b.a", "c.b.a", "d.c.b.a", "b", "[::1]", "ba"};
    static const char *const paths[] = {"/",   "/a",    "/a/", "/a/b", "/a/b/", "/a/b/a",     "/a/b/a/",
                                        "/ab", "/a/ab", "/b",  "/b/b", "*",     "/a/b/c/d/e", "/abc"};
    static const char *const methods[] = {"GET", "PUT", "HEAD"};
    http_head_reset(head);
    if (roll(dice, 2))
        assert_true(http_head_add(head, SLICE_LITERAL("X"), slice_of(roll(dice, 2) ? "1" : "2")));
    if (roll(dice, 2))
        assert_true(http_head_add(head, SLICE_LITERAL("Y"), SLICE_LITERAL("z")));
    *facts = facts_of(pick(dice, hosts, COUNT(hosts)), pick(dice, paths, COUNT(paths)));
    facts->method = slice_of(pick(dice, methods, COUNT(methods)));
    facts->certificate = roll(dice, 2);
    facts->head = head;
}

/* The rules again, in the plainest way. */
static bool plain_path(const struct route *route, const char *path)
{
    size_t len = route->path ? strlen(route->path) : 0;
    if (route->path_regex)
        return regex_matches(route->path_regex, slice_of(path));
    if (!route->path || strcmp(route->path, path) == 0)
        return true;
    if (route->exact || strncmp(path, route->path, len) != 0)
        return false;
    return route->path[len - 1] == '/' || path[len] == '/';
}

static bool plain_host(const struct route *route, const char *host)
{
    if (route->host_regex)
        return regex_matches(route->host_regex, slice_of(host));
    if (!route->host)
        return true;
    if (route->host[0] != '*')
        return strcmp(route->host, host) == 0;
    size_t len = strlen(host), tail = strlen(route->host) - 1;
    return len > tail && strcmp(host + len - tail, route->host + 1) == 0;
}

static bool plain_header(const struct route_match *match, const struct http_head *head)
{
    for (unsigned i = 0; i < head->count; i++)
        if (slice_is(head_name(head, &head->fields[i]), match->name) &&
            (!match->value || slice_is(head_value(head, &head->fields[i]), match->value)))
            return true;
    return false;
}

static bool plain_holds(const struct route *route, const struct route_facts *facts)
{
    bool method = route->method_count == 0;
    for (size_t i = 0; i < route->method_count; i++)
        method = method || slice_is(facts->method, route->methods[i]);
    for (size_t i = 0; i < route->header_count; i++)
        if (!plain_header(&route->headers[i], facts->head))
            return false;
    if ((route->certificate == ROUTE_CERTIFICATE_PRESENT && !facts->certificate) ||
        (route->certificate == ROUTE_CERTIFICATE_NONE && facts->certificate))
        return false;
    return method && plain_host(route, facts->host.data) && plain_path(route, facts->path.data);
}

static int plain_find(const struct routes *routes, const struct route_facts *facts)
{
    for (size_t i = 0; i < routes->count; i++)
        if (plain_holds(&routes->list[i], facts))
            return (int)i;
    return -1;
}

static void random_table(struct dice *dice, struct routes *routes)
{
    size_t count = 1 + roll(dice, 24);
    *routes = new_routes(count);
    for (size_t i = 0; i < count; i++) {
        char line[200];
        random_line(dice, line, sizeof(line));
        add_line(routes, line);
    }
    make_table(routes);
}

static void the_index_finds_what_a_walk_down_the_list_finds(void **state)
{
    struct dice dice = {20240229};
    struct http_head head;
    size_t taken = 0, requests = 0;
    (void)state;
    http_head_init(&head);
    for (int round = 0; round < 500; round++) {
        struct routes routes;
        random_table(&dice, &routes);
        for (int i = 0; i < 20; i++, requests++) {
            struct route_facts facts;
            random_facts(&dice, &head, &facts);
            int expected = plain_find(&routes, &facts), found = find(&routes, &facts);
            if (found != expected)
                fail_msg("%s%s: route %d, not %d", facts.host.data, facts.path.data, found, expected);
            taken += found > 0;
        }
        free_routes(&routes);
    }
    http_head_free(&head);
    assert_int_equal(requests, 10000);
    assert_true(taken > 1000); /* neither none nor the first always */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_route_takes_what_none_is_for),
        cmocka_unit_test(a_prefix_ends_at_a_segments_border),
        cmocka_unit_test(a_prefix_that_ends_with_a_slash_is_for_what_lies_below_only),
        cmocka_unit_test(an_exact_path_is_for_nothing_below),
        cmocka_unit_test(a_wildcard_is_for_names_below_only),
        cmocka_unit_test(the_first_in_the_file_wins_over_the_more_exact),
        cmocka_unit_test(methods_are_compared_in_their_case),
        cmocka_unit_test(all_headers_must_hold_and_any_field_of_a_name_may),
        cmocka_unit_test(a_certificate_is_a_condition_unless_it_is_required),
        cmocka_unit_test(hosts_are_named_exactly_or_by_wildcard),
        cmocka_unit_test(the_longest_names_and_paths_are_looked_up_within_bounds),
        cmocka_unit_test(the_matched_prefix_is_replaced_without_doubling_a_slash),
        cmocka_unit_test(a_path_in_the_heads_buffer_is_rewritten_while_that_grows),
        cmocka_unit_test(ten_thousand_routes_cost_no_more_than_ten),
        cmocka_unit_test(the_index_finds_what_a_walk_down_the_list_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
