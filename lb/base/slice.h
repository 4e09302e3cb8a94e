/* A counted run of bytes that somebody else owns. Never NUL-terminated by promise; may hold any byte. */
#ifndef LB_BASE_SLICE_H
#define LB_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *data;
    size_t len;
};

#define SLICE_LITERAL(s) ((struct slice){(s), sizeof(s) - 1})

static inline struct slice slice_make(const void *data, size_t len)
{
    return (struct slice){(const char *)data, len};
}

/* NULL gives the empty slice. */
static inline struct slice slice_of(const char *text)
{
    return (struct slice){text ? text : "", text ? strlen(text) : 0};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
    return slice_equal(a, slice_of(text));
}

/* Both NULL, or the same text. */
static inline bool same_string(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

struct slice_pair {
    uint64_t words[2];
};

/* One word from the beginning and one from the end, which may overlap, do for all lengths from one to two. */
#define SLICE_COPY_ENDS(type)                                                                                \
    do {                                                                                                     \
        type first, last;                                                                                    \
        memcpy(&first, from.data, sizeof(type));                                                             \
        memcpy(&last, from.data + from.len - sizeof(type), sizeof(type));                                    \
        memcpy(to, &first, sizeof(type));                                                                    \
        memcpy(to + from.len - sizeof(type), &last, sizeof(type));                                           \
    } while (0)

/* memcpy for what is short as a rule, like names and values: without a call then. */
static inline void slice_copy(char *to, struct slice from)
{
    if (from.len > 2 * sizeof(struct slice_pair))
        memcpy(to, from.data, from.len);
    else if (from.len >= sizeof(struct slice_pair))
        SLICE_COPY_ENDS(struct slice_pair);
    else if (from.len >= sizeof(uint64_t))
        SLICE_COPY_ENDS(uint64_t);
    else if (from.len >= sizeof(uint32_t))
        SLICE_COPY_ENDS(uint32_t);
    else
        for (size_t i = 0; i < from.len; i++)
            to[i] = from.data[i];
}

#endif
