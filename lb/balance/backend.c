#include "lb/balance/backend.h"

#include <stdlib.h>
#include <string.h>

#include "lb/balance/policies.h"
#include "lb/base/memory.h"

#define POLICY_COUNT 2

static const struct policy *const policies[POLICY_COUNT] = {
    &policy_round_robin,
    &policy_least_connections,
};

static const char *const names[POLICY_COUNT + 1] = {"round-robin", "least-connections", NULL};

const struct policy *policy_find(const char *name)
{
    for (size_t i = 0; i < POLICY_COUNT; i++)
        if (strcmp(policies[i]->name, name) == 0)
            return policies[i];
    return NULL;
}

const char *const *policy_names(void)
{
    return names;
}

void balancer_init(struct balancer *balancer, const struct backend *backend)
{
    balancer->backend = backend;
    balancer->current = mem_new(backend->member_count * sizeof(*balancer->current));
}

void balancer_release(struct balancer *balancer)
{
    free(balancer->current);
    balancer->current = NULL;
}

static bool was_tried(const struct tried *tried, size_t member)
{
    return tried->bits[member / 64] >> (member % 64) & 1;
}

bool balancer_usable(const struct balancer *balancer, size_t index, const struct tried *tried)
{
    const struct member *member = &balancer->backend->members[index];
    if (!member->resolved || member->weight == 0 || was_tried(tried, index))
        return false;
    if (!atomic_load_explicit(&member->server->up, memory_order_relaxed))
        return false;
    return member->max_connections == 0 ||
           atomic_load_explicit(&member->server->active, memory_order_relaxed) < member->max_connections;
}

/* Another thread may have taken the last place since the policy looked. */
static bool take_place(const struct member *member)
{
    atomic_uint *active = &member->server->active;
    unsigned now = atomic_load_explicit(active, memory_order_relaxed);
    while (member->max_connections == 0 || now < member->max_connections)
        if (atomic_compare_exchange_weak_explicit(active, &now, now + 1, memory_order_relaxed,
                                                  memory_order_relaxed))
            return true;
    return false;
}

const struct member *balancer_pick(struct balancer *balancer, struct tried *tried)
{
    for (;;) {
        int index = balancer->backend->policy->choose(balancer, tried);
        if (index < 0)
            return NULL;
        const struct member *member = &balancer->backend->members[index];
        tried->bits[index / 64] |= (uint64_t)1 << (index % 64);
        if (take_place(member))
            return member;
    }
}

const struct member *balancer_pick_named(struct balancer *balancer, const char *name, struct tried *tried)
{
    const struct backend *backend = balancer->backend;
    for (size_t i = 0; i < backend->member_count; i++) {
        if (strcmp(backend->members[i].name, name) != 0 || !balancer_usable(balancer, i, tried))
            continue;
        tried->bits[i / 64] |= (uint64_t)1 << (i % 64);
        return take_place(&backend->members[i]) ? &backend->members[i] : NULL;
    }
    return NULL;
}

void balancer_release_member(const struct member *member)
{
    atomic_fetch_sub_explicit(&member->server->active, 1, memory_order_relaxed);
}
