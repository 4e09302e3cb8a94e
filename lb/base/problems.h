/*
 * Everything that is wrong with what a user gave us, collected instead of stopping at the first. Each entry
 * is one line that names the place and says what to do. Owned by the caller; one thread.
 */
#ifndef LB_BASE_PROBLEMS_H
#define LB_BASE_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

struct place {
    const char *file; /* NULL: the problem has no file */
    unsigned line;    /* 0: the whole file */
};

struct problem {
    char *file; /* owned; NULL if none */
    unsigned line;
    bool warning; /* reported, but does not refuse the configuration */
    char *text;   /* owned; one line without newline */
};

struct problems {
    struct problem *list;
    size_t count;
    size_t errors; /* entries that are not warnings */
};

/* The same text at the same place is kept once. */
void problems_add(struct problems *problems, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void problems_warn(struct problems *problems, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sorts by file (in the order first seen) and line; stable. */
void problems_sort(struct problems *problems);

/* Writes "file:line: text" of entry i to out, always NUL-terminated; warnings read "file:line: warning:
 * text". */
void problems_format(const struct problems *problems, size_t i, char *out, size_t size);

void problems_free(struct problems *problems);

#endif
