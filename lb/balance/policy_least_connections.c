/* Fewest active connections for its weight; ties go to the one that was chosen longest ago, so that an idle
 * backend is used evenly. `current` holds the turn in which a member was chosen last. */
#include "lb/balance/policies.h"

/* Compares a/weight_a with b/weight_b without dividing. The connection to come counts, so that weights matter
 * when idle. */
static bool lighter(uint64_t a, unsigned weight_a, uint64_t b, unsigned weight_b)
{
    return (a + 1) * weight_b < (b + 1) * weight_a;
}

static int choose(struct balancer *balancer, const struct tried *tried)
{
    const struct member *members = balancer->backend->members;
    int64_t turn = 0;
    int best = -1;
    uint64_t best_active = 0;
    for (size_t i = 0; i < balancer->backend->member_count; i++) {
        if (balancer->current[i] > turn)
            turn = balancer->current[i];
        if (!balancer_usable(balancer, i, tried))
            continue;
        uint64_t active = atomic_load_explicit(&members[i].server->active, memory_order_relaxed);
        bool better = best < 0 || lighter(active, members[i].weight, best_active, members[best].weight);
        bool tie =
            best >= 0 && !better && !lighter(best_active, members[best].weight, active, members[i].weight);
        if (better || (tie && balancer->current[i] < balancer->current[best])) {
            best = (int)i;
            best_active = active;
        }
    }
    if (best >= 0)
        balancer->current[best] = turn + 1;
    return best;
}

const struct policy policy_least_connections = {.name = "least-connections", .choose = choose};
