/*
 * The guard in front of inih. inih gives no line numbers, splits long lines, cuts long section names, hides
 * empty sections and takes an indented line for the rest of the value above it. The reader counts lines,
 * tells of each section itself, and refuses whatever inih would read otherwise than it looks; what it
 * refuses, inih never sees.
 *
 * The form of a file: `[section]`, `key = value`, comments after ';' or '#' at the beginning of a line and
 * after a blank and ';' behind a value. No joined lines, no quotes.
 */
#ifndef LB_CONFIG_READER_H
#define LB_CONFIG_READER_H

#include "lb/base/problems.h"
#include "lb/base/slice.h"

struct reader_events {
    /* What stands between the brackets, without blanks at its ends. `heading` is only valid during the call;
     * its data is NULL where the line was refused: then the settings below it belong to no section that could
     * be named. */
    void (*section)(void *context, struct slice heading, struct place place);
    /* One setting of the section told of last; both texts are only valid during the call. */
    void (*setting)(void *context, const char *name, const char *value, struct place place);
};

/* Reads the text of one file to its end, whatever is wrong with it. `file` must live as long as the places
 * given out. */
void reader_run(struct slice text, const char *file, const struct reader_events *events, void *context,
                struct problems *problems);

#endif
