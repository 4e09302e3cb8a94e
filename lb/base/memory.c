#include "lb/base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *memory)
{
    if (memory)
        return memory;
    fputs("lb: out of memory\n", stderr);
    abort();
}

void *mem_new(size_t size)
{
    return must(calloc(1, size ? size : 1));
}

void *mem_grow(void *old, size_t size)
{
    return must(realloc(old, size ? size : 1));
}

char *mem_copy(const char *string)
{
    return string ? must(strdup(string)) : NULL;
}

char *mem_copy_n(const char *bytes, size_t len)
{
    char *copy = mem_new(len + 1);
    memcpy(copy, bytes, len);
    return copy;
}

char *mem_printf(const char *format, ...)
{
    char *out = NULL;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&out, format, args);
    va_end(args);
    return must(len < 0 ? NULL : out);
}
