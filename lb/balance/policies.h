/* The policies there are; each in a file of its own. To add one: write policy_NAME.c, name it here and in
 * backend.c. */
#ifndef LB_BALANCE_POLICIES_H
#define LB_BALANCE_POLICIES_H

#include "lb/balance/backend.h"

extern const struct policy policy_round_robin;
extern const struct policy policy_least_connections;

#endif
