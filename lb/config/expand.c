#include "lb/config/expand.h"

#include <ctype.h>
#include <stdlib.h>

#include "lb/base/memory.h"
#include "lb/base/slice.h"

struct expansion {
    char *out;
    size_t len;
    const char *at; /* what is still to read */
    struct place place;
    struct problems *problems;
};

static void append(struct expansion *expansion, struct slice bytes)
{
    expansion->out = mem_grow(expansion->out, expansion->len + bytes.len + 1);
    if (bytes.len)
        memcpy(expansion->out + expansion->len, bytes.data, bytes.len);
    expansion->len += bytes.len;
    expansion->out[expansion->len] = '\0';
}

static size_t name_length(const char *text)
{
    size_t len = 0;
    if (isdigit((unsigned char)text[0]))
        return 0;
    while (isalnum((unsigned char)text[len]) || text[len] == '_')
        len++;
    return len;
}

static bool append_variable(struct expansion *expansion, const char *name, const char *fallback,
                            size_t fallback_len)
{
    const char *value = getenv(name);
    if (fallback && (!value || !*value)) {
        append(expansion, slice_make(fallback, fallback_len));
        return true;
    }
    if (!value) {
        problems_add(expansion->problems, expansion->place,
                     "the environment variable %s is not set: set it, or write ${%s:-default}", name, name);
        return false;
    }
    for (const char *at = value; *at; at++)
        if (iscntrl((unsigned char)*at)) {
            problems_add(expansion->problems, expansion->place,
                         "the environment variable %s holds a line end or another control character", name);
            return false;
        }
    append(expansion, slice_of(value));
    return true;
}

static bool refuse(struct expansion *expansion, const char *why)
{
    problems_add(expansion->problems, expansion->place, "%s", why);
    return false;
}

/* expansion->at stands behind "${". */
static bool variable(struct expansion *expansion)
{
    const char *name = expansion->at, *fallback = NULL;
    size_t len = name_length(name);
    const char *end = strchr(name, '}');
    if (!end)
        return refuse(expansion, "'${' has no closing '}': write ${NAME}, or $$ for a dollar sign");
    if (strncmp(name + len, ":-", 2) == 0)
        fallback = name + len + 2;
    else if (name + len != end)
        len = 0;
    if (len == 0)
        return refuse(
            expansion,
            "this is no environment variable: write ${NAME} or ${NAME:-default}, or $$ for a dollar sign");
    if (fallback && memchr(fallback, '$', (size_t)(end - fallback)))
        return refuse(expansion, "the default of a ${NAME:-default} is plain text: no '$' in it");
    char *copy = mem_copy_n(name, len);
    bool done = append_variable(expansion, copy, fallback, fallback ? (size_t)(end - fallback) : 0);
    free(copy);
    expansion->at = end + 1;
    return done;
}

static bool dollar(struct expansion *expansion)
{
    char next = expansion->at[1];
    expansion->at += 2;
    if (next == '{')
        return variable(expansion);
    if (next != '$')
        return refuse(expansion,
                      "a single '$' means nothing: write ${NAME} for the environment, $$ for a dollar sign");
    append(expansion, SLICE_LITERAL("$"));
    return true;
}

static void trim(char *text)
{
    size_t len = strlen(text), start = strspn(text, " \t");
    while (len > start && strchr(" \t", text[len - 1]))
        len--;
    memmove(text, text + start, len - start);
    text[len - start] = '\0';
}

char *expand_value(const char *value, struct place place, struct problems *problems)
{
    struct expansion expansion = {.at = value, .place = place, .problems = problems};
    append(&expansion, slice_make(NULL, 0));
    for (;;) {
        size_t plain = strcspn(expansion.at, "$");
        append(&expansion, slice_make(expansion.at, plain));
        expansion.at += plain;
        if (!*expansion.at)
            break;
        if (!dollar(&expansion)) {
            free(expansion.out);
            return NULL;
        }
    }
    trim(expansion.out);
    return expansion.out;
}
