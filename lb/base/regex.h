/* Regular expressions (PCRE2), compiled once, matched by all threads; each match is bounded in steps. */
#ifndef LB_BASE_REGEX_H
#define LB_BASE_REGEX_H

#include "lb/base/slice.h"

struct regex;

/* NULL: *why (a static buffer of the thread) says what is wrong and where. */
struct regex *regex_new(const char *pattern, const char **why);
void regex_free(struct regex *regex);

/* Anchored nowhere, as in nginx's `~`. A match that exceeds its bounds is none. */
bool regex_matches(const struct regex *regex, struct slice text);

const char *regex_library(void); /* "PCRE2 x.y" */

#endif
