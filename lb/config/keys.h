/*
 * The one table of settings. It alone drives reading, defaults, checks and the reference: a setting that is
 * not here does not exist, and one that is here needs no other place to be known.
 */
#ifndef LB_CONFIG_KEYS_H
#define LB_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lb/base/problems.h"
#include "lb/base/slice.h"

enum section_kind {
    SECTION_GLOBAL,
    SECTION_DEFAULTS,
    SECTION_LISTENER,
    SECTION_BACKEND,
    SECTION_CERTIFICATE,
    SECTION_KINDS
};

enum value_type {
    VALUE_NUMBER,   /* whole, from min to max */
    VALUE_SIZE,     /* bytes, from min to max */
    VALUE_DURATION, /* milliseconds, from min to max */
    VALUE_BOOL,
    VALUE_CHOICE, /* one of `choices` */
    VALUE_TEXT,   /* as it stands */
    VALUE_OWN,    /* `parse` reads it */
};

enum key_flags {
    KEY_REPEAT = 1 << 0,      /* may stand several times in a section; each adds to the ones before */
    KEY_IN_DEFAULTS = 1 << 1, /* may stand in [defaults] */
    KEY_RESTART = 1 << 2,     /* a reload does not change it */
    KEY_PREFIX = 1 << 3,      /* the name ends in '.', and the user's own name follows */
    KEY_EMPTY = 1 << 4,       /* may be empty */
    KEY_FOR_TLS = 1 << 5,     /* means something only with tls other than off */
    KEY_FOR_CLIENTS =
        1 << 6, /* means something only with client certificates: tls = mutual or mutual-optional */
    KEY_FOR_SCRIPT = 1 << 7,     /* means something only beside `script` */
    KEY_FOR_HTTP = 1 << 8,       /* means something only with protocol = http */
    KEY_IN_CERTIFICATE = 1 << 9, /* of a listener, and may stand in [certificate NAME] */
    KEY_FOR_PEERS = 1 << 10,     /* means something only with protocol = http or proxy-protocol = yes */
};

/* One value on its way to its field. */
struct setting {
    const char *name; /* of the key as written */
    const char *value;
    struct place place;
    struct problems *problems;
    bool resolve; /* host names may be looked up */
};

struct choice {
    const char *name;
    int value;
    const char *gone; /* not NULL: it was there once, and this is what to write instead */
};

/* Puts the value into `object`, the struct of the section. False after adding a problem. */
typedef bool value_parse(const struct setting *setting, void *object);

struct key {
    enum section_kind kind;
    const char *name;
    enum value_type type;
    uint64_t min, max;
    const struct choice *choices;      /* ends with a NULL name */
    const char *const *(*names)(void); /* VALUE_OWN: the words allowed, where they are known elsewhere */
    const char *form;                  /* VALUE_OWN and VALUE_TEXT: how it is written, for the reference */
    value_parse *parse;                /* VALUE_OWN */
    const char *fallback;              /* NULL: none */
    size_t offset, size;               /* of the field: bool, an enum or unsigned, uint64_t, char * */
    unsigned flags;
    const char *help; /* Markdown, one sentence or two */
};

extern const struct key keys[]; /* ends with a NULL name */

/* The row for a name in a section of that kind, or NULL. For SECTION_DEFAULTS: the first row that may stand
 * there. */
const struct key *keys_find(enum section_kind kind, const char *name);

/* The nearest name that may stand in such a section, or NULL. */
const char *keys_nearest(enum section_kind kind, const char *name);

/* What to write instead of a key that was there once, after its name; NULL for any other. */
const char *keys_gone(enum section_kind kind, const char *name);

/* "[global]", "[listener NAME]" */
const char *keys_heading(enum section_kind kind);

#endif
