#include "lb/tls/captured.h"

#include <stdlib.h>

static size_t room_for(const struct path *path, size_t own)
{
    size_t size = sizeof(struct captured) + path->count * sizeof(struct certificate);
    for (size_t i = 0; i < own; i++)
        size += path->list[i]->der.len;
    return size;
}

static bool copy_certificate(const struct certificate *from, char *to, struct certificate *out)
{
    const char *why;
    memcpy(to, from->der.data, from->der.len);
    return certificate_open(slice_make(to, from->der.len), out, &why);
}

struct captured *captured_new(const struct path *path)
{
    size_t own = path->anchored && path->count > 1 ? path->count - 1 : path->count;
    struct captured *captured = malloc(room_for(path, own));
    if (!captured)
        return NULL;
    captured->count = path->count;
    char *at = (char *)&captured->list[path->count];
    for (size_t i = 0; i < path->count; i++) {
        captured->list[i] = *path->list[i];
        if (i >= own)
            continue;
        if (!copy_certificate(path->list[i], at, &captured->list[i])) {
            free(captured);
            return NULL;
        }
        at += path->list[i]->der.len;
    }
    return captured;
}
