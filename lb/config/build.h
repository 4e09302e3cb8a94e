/* From the sections as written to a snapshot: defaults, then values, by the key table. Touches no file. */
#ifndef LB_CONFIG_BUILD_H
#define LB_CONFIG_BUILD_H

#include "lb/config/config.h"
#include "lb/config/source.h"

/* Where a listener or backend came from, for what is said about it later. */
struct origin {
    const struct section *section;
    const struct section *defaults; /* NULL: none */
};

struct draft {
    struct config *config;
    struct origin *listeners; /* one for each of config->listeners */
    struct origin *backends;  /* one for each of config->backends */
};

/* Marks the entries whose values are refused, after adding a problem for each. The config is complete in form
 * even then, with defaults in place of what was refused; its names are not linked yet. With `resolve` host
 * names of servers are looked up. */
void draft_build(struct draft *draft, struct source *source, bool resolve);

/* Adds to the listener, which is complete, its copy with what the [certificate NAME] section sets. Files that
 * the section names are not read yet. */
struct listener *draft_policy(struct listener *listener, struct section *section, struct problems *problems);

/* Frees the lists; the config is not the draft's. */
void draft_release(struct draft *draft);

/* Makes the route tables of a config that is right, once. */
void config_index(struct config *config);

/* Frees a config whatever state it is in, except what it does not own: server and listener states. */
void config_destroy(struct config *config);

#endif
