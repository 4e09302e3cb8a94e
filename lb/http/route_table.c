#include <stdlib.h>

#include "lb/base/memory.h"
#include "lb/http/route_parts.h"

#define NONE UINT32_MAX

/* Routes are found by what they demand of host and path. Routes of one host (a name, a wildcard, or none) are
 * a set, sets are numbered; within a set, routes of one path are a chain in order of the configuration. Set 0
 * is for those without a host to look up, and what has no path to look up is in its set's chain of the rest.
 */
enum kind { KIND_SET, KIND_PREFIX, KIND_EXACT };

struct entry {
    const char *text; /* NULL: free */
    uint32_t len, hash, set;
    enum kind kind;
    uint32_t first, last; /* of a chain of routes; KIND_SET: `first` is the set's number */
};

struct set {
    size_t longest; /* path that it has an entry for */
    uint32_t rest_first, rest_last;
};

struct route_table {
    const struct route *routes;
    uint32_t *next;        /* of each route, in its chain */
    struct entry *entries; /* open addressing, never more than half full */
    size_t mask;
    struct set *sets;
    size_t set_count;
};

/* ---- hashing ---- */

#define HASH_START 2166136261u

/* FNV-1a: the hash of each prefix comes on the way. */
static uint32_t hash_on(uint32_t hash, char byte)
{
    return (hash ^ (unsigned char)byte) * 16777619u;
}

static uint32_t hash_text(struct slice text)
{
    uint32_t hash = HASH_START;
    for (size_t i = 0; i < text.len; i++)
        hash = hash_on(hash, text.data[i]);
    return hash;
}

/* Of hosts: from the end, so that the hash of each suffix comes on the way. */
static uint32_t hash_backwards(struct slice text)
{
    uint32_t hash = HASH_START;
    for (size_t i = text.len; i-- > 0;)
        hash = hash_on(hash, text.data[i]);
    return hash;
}

static uint32_t hash_key(uint32_t text_hash, uint32_t set, enum kind kind)
{
    uint32_t hash = text_hash ^ (set * 0x9E3779B1u + (uint32_t)kind * 0x85EBCA6Bu);
    hash = (hash ^ hash >> 16) * 0x7FEB352Du;
    hash = (hash ^ hash >> 15) * 0x846CA68Bu;
    return hash ^ hash >> 16;
}

/* The entry of a key, or the free one where it would stand. */
static struct entry *entry_at(const struct route_table *table, struct slice text, uint32_t text_hash,
                              uint32_t set, enum kind kind)
{
    uint32_t hash = hash_key(text_hash, set, kind);
    for (size_t i = hash;; i++) {
        struct entry *entry = &table->entries[i & table->mask];
        if (!entry->text)
            return entry;
        if (entry->hash == hash && entry->set == set && entry->kind == kind && entry->len == text.len &&
            memcmp(entry->text, text.data, text.len) == 0)
            return entry;
    }
}

/* ---- making ---- */

static struct entry *entry_made(struct route_table *table, struct slice text, uint32_t set, enum kind kind)
{
    uint32_t text_hash = kind == KIND_SET ? hash_backwards(text) : hash_text(text);
    struct entry *entry = entry_at(table, text, text_hash, set, kind);
    if (!entry->text)
        *entry = (struct entry){.text = text.data,
                                .len = (uint32_t)text.len,
                                .hash = hash_key(text_hash, set, kind),
                                .set = set,
                                .kind = kind,
                                .first = NONE,
                                .last = NONE};
    return entry;
}

/* A wildcard's key is ".name", which no host is. */
static uint32_t set_of(struct route_table *table, const struct route *route)
{
    if (!route->host)
        return 0;
    struct slice key = slice_of(route->host[0] == '*' ? route->host + 1 : route->host);
    struct entry *entry = entry_made(table, key, 0, KIND_SET);
    if (entry->first == NONE) {
        entry->first = (uint32_t)table->set_count;
        table->sets[table->set_count++] = (struct set){.rest_first = NONE, .rest_last = NONE};
    }
    return entry->first;
}

static void append(struct route_table *table, uint32_t *first, uint32_t *last, uint32_t number)
{
    if (*first == NONE)
        *first = number;
    else
        table->next[*last] = number;
    *last = number;
    table->next[number] = NONE;
}

static void add_route(struct route_table *table, uint32_t number)
{
    const struct route *route = &table->routes[number];
    uint32_t set_number = set_of(table, route);
    struct set *set = &table->sets[set_number];
    if (!route->path) {
        append(table, &set->rest_first, &set->rest_last, number);
        return;
    }
    struct slice path = slice_of(route->path);
    struct entry *entry = entry_made(table, path, set_number, route->exact ? KIND_EXACT : KIND_PREFIX);
    append(table, &entry->first, &entry->last, number);
    if (path.len > set->longest)
        set->longest = path.len;
}

struct route_table *route_table_new(const struct route *routes, size_t count)
{
    struct route_table *table = mem_new(sizeof(*table));
    size_t room = 8;
    while (room < count * 4) /* a route has two keys at most */
        room *= 2;
    table->routes = routes;
    table->next = mem_new((count + 1) * sizeof(*table->next));
    table->entries = mem_new(room * sizeof(*table->entries));
    table->mask = room - 1;
    table->sets = mem_new((count + 1) * sizeof(*table->sets));
    table->sets[0] = (struct set){.rest_first = NONE, .rest_last = NONE};
    table->set_count = 1;
    for (size_t i = 0; i < count; i++)
        add_route(table, (uint32_t)i);
    return table;
}

void route_table_free(struct route_table *table)
{
    if (!table)
        return;
    free(table->next);
    free(table->entries);
    free(table->sets);
    free(table);
}

/* ---- finding ---- */

#define LABELS_MOST (HTTP_HOST_MAX / 2)

struct search {
    const struct route_table *table;
    const struct route_facts *facts;
    uint32_t sets[LABELS_MOST + 2];
    size_t set_count;
    size_t longest; /* of all these sets */
    uint32_t best;
    size_t tried;
};

static void note_set(struct search *search, struct slice key, uint32_t hash)
{
    const struct entry *entry = entry_at(search->table, key, hash, 0, KIND_SET);
    if (!entry->text)
        return;
    search->sets[search->set_count++] = entry->first;
    size_t longest = search->table->sets[entry->first].longest;
    if (longest > search->longest)
        search->longest = longest;
}

/* The sets that the request's host belongs to: no host, its own, and a wildcard above each label. */
static void find_sets(struct search *search)
{
    struct slice host = search->facts->host;
    search->sets[0] = 0;
    search->set_count = 1;
    search->longest = search->table->sets[0].longest;
    if (host.len == 0 || host.len >= HTTP_HOST_MAX || search->table->set_count == 1)
        return;
    uint32_t hash = HASH_START;
    for (size_t i = host.len; i-- > 0 && search->set_count <= LABELS_MOST;) {
        hash = hash_on(hash, host.data[i]);
        if (i == 0 || host.data[i] == '.')
            note_set(search, slice_make(host.data + i, host.len - i), hash);
    }
}

/* The first route of a chain that matches; what comes after the best one so far is no better. */
static void walk_chain(struct search *search, uint32_t number)
{
    const struct route_table *table = search->table;
    for (; number < search->best; number = table->next[number]) {
        search->tried++;
        if (route_holds(&table->routes[number], search->facts)) {
            search->best = number;
            return;
        }
    }
}

static void try_path(struct search *search, size_t len, uint32_t hash, enum kind kind)
{
    struct slice path = slice_make(search->facts->path.data, len);
    for (size_t i = 0; i < search->set_count; i++) {
        if (len > search->table->sets[search->sets[i]].longest)
            continue;
        const struct entry *entry = entry_at(search->table, path, hash, search->sets[i], kind);
        if (entry->text)
            walk_chain(search, entry->first);
    }
}

/* A prefix ends before a slash, after one, or with the path. */
static void try_paths(struct search *search)
{
    struct slice path = search->facts->path;
    uint32_t hash = HASH_START;
    size_t i = 0;
    for (; i < path.len && i < search->longest; i++) {
        if (path.data[i] == '/' && i > 0 && path.data[i - 1] != '/')
            try_path(search, i, hash, KIND_PREFIX);
        hash = hash_on(hash, path.data[i]);
        if (path.data[i] == '/')
            try_path(search, i + 1, hash, KIND_PREFIX);
    }
    if (i < path.len) {
        if (path.data[i] == '/')
            try_path(search, i, hash, KIND_PREFIX);
        return;
    }
    if (path.len > 0 && path.data[path.len - 1] != '/')
        try_path(search, path.len, hash, KIND_PREFIX);
    try_path(search, path.len, hash, KIND_EXACT);
}

/* Regular expressions and routes without a path are tried last, when the others have narrowed them down. */
static void try_rest(struct search *search)
{
    for (size_t i = 0; i < search->set_count; i++)
        walk_chain(search, search->table->sets[search->sets[i]].rest_first);
}

const struct route *route_find_counted(const struct route_table *table, const struct route_facts *facts,
                                       size_t *tried)
{
    struct search search = {.table = table, .facts = facts, .best = NONE};
    find_sets(&search);
    try_paths(&search);
    try_rest(&search);
    *tried += search.tried;
    return search.best == NONE ? NULL : &table->routes[search.best];
}

const struct route *route_find(const struct route_table *table, const struct route_facts *facts)
{
    size_t tried = 0;
    return route_find_counted(table, facts, &tried);
}

bool route_names_host(const struct route_table *table, struct slice host)
{
    struct route_facts facts = {.host = host};
    struct search search = {.table = table, .facts = &facts, .best = NONE};
    find_sets(&search);
    return search.set_count > 1;
}
