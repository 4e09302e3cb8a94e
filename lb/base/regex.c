#define PCRE2_CODE_UNIT_WIDTH 8

#include "lb/base/regex.h"

#include <pcre2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "lb/base/memory.h"

#define MATCH_STEPS 100000
#define MATCH_DEPTH 20000
#define MATCH_KIB   4096

struct regex {
    pcre2_code *code;
    pcre2_match_context *limits;
};

static const char *explain(int error, size_t at)
{
    static _Thread_local char scratch[256];
    PCRE2_UCHAR text[160];
    if (pcre2_get_error_message(error, text, sizeof(text)) < 0)
        text[0] = '\0';
    snprintf(scratch, sizeof(scratch), "%s (at byte %zu)", (const char *)text, at + 1);
    return scratch;
}

struct regex *regex_new(const char *pattern, const char **why)
{
    int error;
    size_t at;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                     PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF, &error, &at, NULL);
    if (!code) {
        *why = explain(error, at);
        return NULL;
    }
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    if (!limits) {
        pcre2_code_free(code);
        *why = "out of memory";
        return NULL;
    }
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* where it fails, the interpreter does the same */
    pcre2_set_match_limit(limits, MATCH_STEPS);
    pcre2_set_depth_limit(limits, MATCH_DEPTH);
    pcre2_set_heap_limit(limits, MATCH_KIB);
    struct regex *regex = mem_new(sizeof(*regex));
    *regex = (struct regex){code, limits};
    return regex;
}

void regex_free(struct regex *regex)
{
    if (!regex)
        return;
    pcre2_match_context_free(regex->limits);
    pcre2_code_free(regex->code);
    free(regex);
}

/* ---- matching ---- */

/* PCRE2 wants an object of its own for each match that runs. It lies on the stack, so that threads share a
 * regex without a lock and a match costs no allocation; what the interpreter needs beside it does not fit and
 * is allocated. */
struct arena {
    _Alignas(16) char bytes[1024];
    size_t used;
};

static void *arena_take(size_t size, void *data)
{
    struct arena *arena = data;
    size_t rounded = (size + 15) & ~(size_t)15;
    if (rounded < size || rounded > sizeof(arena->bytes) - arena->used)
        return malloc(size);
    void *block = arena->bytes + arena->used;
    arena->used += rounded;
    return block;
}

static void arena_give(void *block, void *data)
{
    const struct arena *arena = data;
    uintptr_t at = (uintptr_t)block, first = (uintptr_t)arena->bytes;
    if (at < first || at >= first + sizeof(arena->bytes))
        free(block);
}

bool regex_matches(const struct regex *regex, struct slice text)
{
    struct arena arena;
    arena.used = 0;
    pcre2_general_context *context = pcre2_general_context_create(arena_take, arena_give, &arena);
    pcre2_match_data *match = context ? pcre2_match_data_create(1, context) : NULL;
    PCRE2_SPTR subject = (PCRE2_SPTR)(text.len ? text.data : "");
    int found = PCRE2_ERROR_NOMEMORY;
    if (match)
        found = pcre2_match(regex->code, subject, text.len, 0, 0, match, regex->limits);
    /* Compiled code has a small stack. A long text must not slip past for that. */
    if (found == PCRE2_ERROR_JIT_STACKLIMIT)
        found = pcre2_match(regex->code, subject, text.len, 0, PCRE2_NO_JIT, match, regex->limits);
    pcre2_match_data_free(match);
    pcre2_general_context_free(context);
    return found >= 0;
}

const char *regex_library(void)
{
#define SPELLED(number) #number
#define SPELL(number)   SPELLED(number)
    return "PCRE2 " SPELL(PCRE2_MAJOR) "." SPELL(PCRE2_MINOR);
}
