/* A head, the facts of a request and what is left of it. */
#ifndef TEST_FORWARD_WORLD_H
#define TEST_FORWARD_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lb/http/forward.h"

struct world {
    struct http_head head;
    struct addr client;
    struct forward_facts facts;
    struct request_ids ids;
    char lines[8192];
};

static inline int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    const char *why;
    http_head_init(&world->head);
    world->head.minor = 1;
    assert_true(addr_parse("192.0.2.7:4711", &world->client, &why));
    world->facts =
        (struct forward_facts){.client = &world->client, .tls = true, .port = 443, .ids = &world->ids};
    *state = world;
    return 0;
}

static inline int teardown(void **state)
{
    struct world *world = *state;
    http_head_free(&world->head);
    free(world);
    return 0;
}

static inline void add(struct world *world, const char *name, const char *value)
{
    assert_true(http_head_add(&world->head, slice_of(name), slice_of(value)));
}

/* All fields that are left, "name: value|" one behind the other. */
static inline const char *lines(struct world *world)
{
    size_t len = 0;
    world->lines[0] = '\0';
    for (unsigned i = 0; i < world->head.count; i++) {
        const struct http_field *field = &world->head.fields[i];
        struct slice name = head_name(&world->head, field), value = head_value(&world->head, field);
        if (!field->gone)
            len += (size_t)snprintf(world->lines + len, sizeof(world->lines) - len, "%.*s: %.*s|",
                                    (int)name.len, name.data, (int)value.len, value.data);
    }
    return world->lines;
}

/* The only field of that name; fails if there are several. NULL: none. */
static inline const char *value_of(struct world *world, const char *name)
{
    struct http_field *field = http_head_next_named(&world->head, slice_of(name), NULL);
    if (!field)
        return NULL;
    assert_null(http_head_next_named(&world->head, slice_of(name), field));
    struct slice value = head_value(&world->head, field);
    snprintf(world->lines, sizeof(world->lines), "%.*s", (int)value.len, value.data);
    return world->lines;
}

static inline void expect_field(struct world *world, const char *name, const char *value)
{
    const char *found = value_of(world, name);
    if (!found)
        fail_msg("there is no %s", name);
    assert_string_equal(found, value);
}

static inline void set_authority(struct world *world, const char *text)
{
    assert_true(http_head_put(&world->head, slice_of(text), &world->head.authority));
    world->facts.host = head_text(&world->head, world->head.authority);
}

static inline void request(struct world *world)
{
    forward_clean(&world->head, world->facts.trusted, false);
    assert_true(forward_request(&world->head, &world->facts));
}

static inline void set_client(struct world *world, const char *text)
{
    const char *why;
    assert_true(addr_parse(text, &world->client, &why));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
