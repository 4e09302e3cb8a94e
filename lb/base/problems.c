#include "lb/base/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lb/base/memory.h"

static bool same_file(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool told(const struct problems *problems, struct place place, const char *text)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *entry = &problems->list[i];
        if (entry->line == place.line && same_file(entry->file, place.file) && strcmp(entry->text, text) == 0)
            return true;
    }
    return false;
}

static void append(struct problems *problems, struct place place, bool warning, char *text)
{
    if (told(problems, place, text)) {
        free(text);
        return;
    }
    problems->list = mem_grow(problems->list, (problems->count + 1) * sizeof(*problems->list));
    problems->list[problems->count++] =
        (struct problem){.file = mem_copy(place.file), .line = place.line, .warning = warning, .text = text};
    if (!warning)
        problems->errors++;
}

__attribute__((format(printf, 1, 0))) static char *print(const char *format, va_list args)
{
    char *text = NULL;
    return vasprintf(&text, format, args) < 0 ? mem_copy("(no memory for the text)") : text;
}

void problems_add(struct problems *problems, struct place place, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    append(problems, place, false, print(format, args));
    va_end(args);
}

void problems_warn(struct problems *problems, struct place place, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    append(problems, place, true, print(format, args));
    va_end(args);
}

static size_t first_seen(const struct problems *problems, const char *file)
{
    size_t i = 0;
    while (i < problems->count && !same_file(problems->list[i].file, file))
        i++;
    return i;
}

struct ranked {
    size_t file, position;
    struct problem problem;
};

static int by_place(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    if (a->problem.line != b->problem.line)
        return a->problem.line < b->problem.line ? -1 : 1;
    return a->position < b->position ? -1 : a->position > b->position;
}

void problems_sort(struct problems *problems)
{
    if (problems->count < 2)
        return;
    struct ranked *ranked = mem_new(problems->count * sizeof(*ranked));
    for (size_t i = 0; i < problems->count; i++)
        ranked[i] = (struct ranked){first_seen(problems, problems->list[i].file), i, problems->list[i]};
    qsort(ranked, problems->count, sizeof(*ranked), by_place);
    for (size_t i = 0; i < problems->count; i++)
        problems->list[i] = ranked[i].problem;
    free(ranked);
}

void problems_format(const struct problems *problems, size_t i, char *out, size_t size)
{
    const struct problem *entry = &problems->list[i];
    const char *kind = entry->warning ? "warning: " : "";
    if (entry->file && entry->line)
        snprintf(out, size, "%s:%u: %s%s", entry->file, entry->line, kind, entry->text);
    else if (entry->file)
        snprintf(out, size, "%s: %s%s", entry->file, kind, entry->text);
    else
        snprintf(out, size, "%s%s", kind, entry->text);
}

void problems_free(struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        free(problems->list[i].file);
        free(problems->list[i].text);
    }
    free(problems->list);
    *problems = (struct problems){0};
}
