/* The sections and settings of all files as written, before any value is looked at. Touches no file. */
#ifndef LB_CONFIG_SOURCE_H
#define LB_CONFIG_SOURCE_H

#include "lb/config/keys.h"

struct entry {
    const struct key *key;
    char *name;
    char *value; /* the environment put in; NULL: refused already */
    struct place place;
    bool bad; /* the value was refused */
};

struct section {
    enum section_kind kind;
    char *name;    /* NULL for [global] and [defaults] */
    bool ignored;  /* refused: what is in it belongs to nothing */
    bool repeated; /* its name was there before */
    struct place place;
    struct entry *entries;
    size_t count;
};

struct source {
    struct section *sections;
    size_t count;
    bool incomplete;           /* some file could not be read */
    struct problems *problems; /* the caller's */
};

/* Adds one file's text. Problems of its form, unknown or repeated sections and keys go to source->problems.
 * `file` must outlive the source. */
void source_read(struct source *source, const char *file, struct slice text);

/* The first entry of that key in the section, or NULL; a NULL section has none. */
const struct entry *section_entry(const struct section *section, const char *name);

void source_free(struct source *source);

#endif
