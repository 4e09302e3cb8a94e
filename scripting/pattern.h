/*
 * Lua's patterns (Lua 5.4 manual, section 6.4.1) with a count of steps, so that no pattern and no text can
 * hold the thread. Knows nothing of Lua states. Pure C, no allocation; recursion is at most PATTERN_DEPTH
 * deep.
 */
#ifndef SCRIPTING_PATTERN_H
#define SCRIPTING_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "lb/base/slice.h"

#define PATTERN_CAPTURES 32
#define PATTERN_DEPTH    200

struct pattern_capture {
    const char *start;
    size_t len;
    enum { PATTERN_OPEN, PATTERN_CLOSED, PATTERN_POSITION } state;
};

struct pattern {
    /* Set by the caller; the bytes must stay. A leading '^' must have been taken off. */
    struct slice subject, pattern;
    bool (*spend)(void *context, size_t steps); /* called every 1024 steps; false ends the match */
    void *context;

    /* Results. */
    const char *error; /* constant text: the pattern is malformed or too complex */
    bool stopped;      /* spend said no */
    unsigned captures;
    struct pattern_capture capture[PATTERN_CAPTURES];

    unsigned depth, steps; /* private */
};

/* Matches at exactly this place of the subject: the end of the match, or NULL (also on error and stop). */
const char *pattern_at(struct pattern *pattern, const char *at);

/* Finds the first match at or after `at`; *end is set. An anchored search tries one place only. NULL as
 * pattern_at. */
const char *pattern_search(struct pattern *pattern, const char *at, bool anchored, const char **end);

/* Capture number i of the last match that went from start to end; without captures number 0 is the whole
 * match. False: there is no such capture, or it was never closed (error is set). */
bool pattern_capture(struct pattern *pattern, unsigned i, const char *start, const char *end,
                     struct pattern_capture *out);

/* First place of `needle` at or after `at`, or NULL. Linear in the text. */
const char *pattern_plain(struct slice subject, const char *at, struct slice needle);

#endif
