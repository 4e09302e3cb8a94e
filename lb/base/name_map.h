/*
 * From host names to numbers: exact names and "*.name" patterns, in one hash table. Built by one thread, then
 * read by any number of them. Names are compared byte by byte: normalize them before (lower case, no dot at
 * the end).
 */
#ifndef LB_BASE_NAME_MAP_H
#define LB_BASE_NAME_MAP_H

#include <stddef.h>

#include "lb/base/slice.h"

#define NAME_MAP_NONE ((size_t)-1)

struct name_map;

struct name_map *name_map_new(void); /* never NULL: see lb/base/memory.h */
void name_map_free(struct name_map *map);

/* Adds a name (copied) unless it is there: gives the number that it has, `number` when it is new. */
size_t name_map_put(struct name_map *map, struct slice name, size_t number);

/* The number of exactly this name or pattern; NAME_MAP_NONE if it is not there, or the map is NULL. */
size_t name_map_get(const struct name_map *map, struct slice name);

/* The number of the host: its own, else that of the pattern for its first label (RFC 6125 section 6.4.3:
 * "*.a.example" is for "b.a.example" only); NAME_MAP_NONE. */
size_t name_map_find(const struct name_map *map, struct slice host);

/* Every name and pattern, in no order. */
void name_map_each(const struct name_map *map, void (*found)(void *context, struct slice name),
                   void *context);

#endif
