/* Weighted smooth round-robin: every member gains its weight, the richest is chosen and pays the sum of all.
 * Heavy members are spread over the sequence (weights 5,1,1 give a a b a c a a) instead of coming in bursts.
 */
#include "lb/balance/policies.h"

static int choose(struct balancer *balancer, const struct tried *tried)
{
    const struct backend *backend = balancer->backend;
    int64_t total = 0;
    int best = -1;
    for (size_t i = 0; i < backend->member_count; i++) {
        if (!balancer_usable(balancer, i, tried))
            continue;
        balancer->current[i] += backend->members[i].weight;
        total += backend->members[i].weight;
        if (best < 0 || balancer->current[i] > balancer->current[best])
            best = (int)i;
    }
    if (best >= 0)
        balancer->current[best] -= total;
    return best;
}

const struct policy policy_round_robin = {.name = "round-robin", .choose = choose};
