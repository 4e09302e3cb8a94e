#include "lb/base/name_map.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lb/base/memory.h"

#define FIRST_ROOM 16 /* a power of two, as every room */
#define HOST_MAX   255

struct slot {
    char *name; /* NULL: free */
    size_t len, number;
};

struct name_map {
    struct slot *slots;
    size_t room, count;
};

/* FNV-1a. */
static size_t hash(struct slice name)
{
    uint64_t value = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < name.len; i++)
        value = (value ^ (unsigned char)name.data[i]) * UINT64_C(0x100000001b3);
    return (size_t)(value ^ value >> 32);
}

static bool is_name(const struct slot *slot, struct slice name)
{
    return slot->len == name.len && memcmp(slot->name, name.data, name.len) == 0;
}

/* Where the name is, or would be. */
static struct slot *seek(const struct name_map *map, struct slice name)
{
    size_t at = hash(name) & (map->room - 1);
    while (map->slots[at].name && !is_name(&map->slots[at], name))
        at = (at + 1) & (map->room - 1);
    return &map->slots[at];
}

struct name_map *name_map_new(void)
{
    struct name_map *map = mem_new(sizeof(*map));
    map->room = FIRST_ROOM;
    map->slots = mem_new(map->room * sizeof(*map->slots));
    return map;
}

void name_map_free(struct name_map *map)
{
    if (!map)
        return;
    for (size_t i = 0; i < map->room; i++)
        free(map->slots[i].name);
    free(map->slots);
    free(map);
}

static void grow(struct name_map *map)
{
    struct slot *old = map->slots;
    size_t room = map->room;
    map->room = 2 * room;
    map->slots = mem_new(map->room * sizeof(*map->slots));
    for (size_t i = 0; i < room; i++)
        if (old[i].name)
            *seek(map, slice_make(old[i].name, old[i].len)) = old[i];
    free(old);
}

size_t name_map_put(struct name_map *map, struct slice name, size_t number)
{
    if (2 * (map->count + 1) > map->room)
        grow(map);
    struct slot *slot = seek(map, name);
    if (slot->name)
        return slot->number;
    *slot = (struct slot){mem_copy_n(name.data, name.len), name.len, number};
    map->count++;
    return number;
}

size_t name_map_get(const struct name_map *map, struct slice name)
{
    if (!map)
        return NAME_MAP_NONE;
    const struct slot *slot = seek(map, name);
    return slot->name ? slot->number : NAME_MAP_NONE;
}

size_t name_map_find(const struct name_map *map, struct slice host)
{
    char pattern[HOST_MAX + 1] = "*";
    size_t number = name_map_get(map, host);
    const char *dot = host.len > 0 ? memchr(host.data, '.', host.len) : NULL;
    if (number != NAME_MAP_NONE || !dot)
        return number;
    size_t len = host.len - (size_t)(dot - host.data);
    if (len > HOST_MAX - 1)
        return NAME_MAP_NONE;
    memcpy(pattern + 1, dot, len);
    return name_map_get(map, slice_make(pattern, len + 1));
}

void name_map_each(const struct name_map *map, void (*found)(void *context, struct slice name), void *context)
{
    for (size_t i = 0; i < map->room; i++)
        if (map->slots[i].name)
            found(context, slice_make(map->slots[i].name, map->slots[i].len));
}
