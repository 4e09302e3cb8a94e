/* What files that change by themselves must not take away: nobody has said that it shall be gone. */
#ifndef LB_CONFIG_KEPT_H
#define LB_CONFIG_KEPT_H

#include "lb/config/config.h"

/* `config` is from the same text as `before`. Adds a problem for each host that has lost its rules, and for
 * each issuer that has lost its revocation lists. */
void check_kept(const struct config *config, const struct config *before, struct problems *problems);

#endif
