#include "lb/http/forward_parts.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "lb/base/text.h"

enum { KEPT_MAX = 128 };

/* ---- kept ---- */

static bool plain(struct slice id)
{
    for (size_t i = 0; i < id.len; i++)
        if (id.data[i] <= ' ' || id.data[i] > '~' || id.data[i] == '"' || id.data[i] == '\\')
            return false;
    return id.len > 0 && id.len <= KEPT_MAX;
}

bool forward_kept_id(const struct http_head *head, struct slice *id)
{
    const struct http_field *only = NULL;
    for (unsigned i = 0; i < head->count; i++) {
        const struct http_field *field = &head->fields[i];
        if (field->id != HEADER_X_REQUEST_ID || field->gone)
            continue;
        if (only || !field->exact)
            return false;
        only = field;
    }
    if (only)
        *id = head_value(head, only);
    return only && plain(*id);
}

/* ---- made ---- */

/* Where there is no randomness to be had, the time keeps ids of one process apart. */
static void draw(uint64_t seed[2])
{
    struct timespec now;
    if (getrandom(seed, 16, 0) == 16)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    seed[0] = (uint64_t)now.tv_sec;
    seed[1] = (uint64_t)now.tv_nsec | 1;
}

/* Each step can be undone, so that no two numbers give the same. */
static uint64_t scatter(uint64_t number)
{
    number = (number ^ number >> 31) * 0xa24baed4963ee407;
    number = (number ^ number >> 28) * 0x9fb21c651e98df25;
    return number ^ number >> 32;
}

/* Two counters from points drawn at random: ids of one thread never repeat, and those of two meet only where
 * both halves do. Whoever sees ids may guess others: they name, they do not authorize. */
void forward_new_id(struct request_ids *ids, char out[33])
{
    struct request_ids once = {.made = 0};
    struct text text;
    if (!ids)
        ids = &once;
    if (ids->made++ == 0)
        draw(ids->seed);
    uint64_t id[2] = {scatter(ids->seed[0] + ids->made), scatter(ids->seed[1] - ids->made)};
    text_init(&text, out, 33);
    text_hex(&text, id, sizeof(id), false);
}

void forward_request_id(const struct http_head *head, struct forward_facts *facts)
{
    struct slice kept;
    struct text text;
    if (!forward_kept_id(head, &kept)) {
        if (facts->request_id[0] == '\0')
            forward_new_id(facts->ids, facts->request_id);
        return;
    }
    text_init(&text, facts->request_id, sizeof(facts->request_id));
    text_add(&text, kept);
}
