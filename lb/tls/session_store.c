#include "lb/tls/session_store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lb/base/memory.h"

#define PARTS   16u
#define BUCKETS 2048u /* of one part */

/* A place in the order of last use, which is a ring through the part. */
struct place_in_use {
    struct place_in_use *newer, *older;
};

struct entry {
    struct place_in_use use; /* first: a place of a part's ring is an entry, but for its ends */
    struct entry *next;      /* in its bucket */
    unsigned char key[STORE_KEY_LEN];
    size_t len;
    char value[];
};

struct part {
    pthread_mutex_t mutex;
    struct entry **buckets;
    struct place_in_use ends; /* ends.older is the newest, ends.newer the oldest */
    size_t bytes, most;
};

struct session_store {
    struct part parts[PARTS];
};

/* ---- one part, under its mutex ---- */

static struct part *part_of(struct session_store *store, const unsigned char *key)
{
    return &store->parts[key[0] % PARTS];
}

static struct entry **bucket_of(struct part *part, const unsigned char *key)
{
    return &part->buckets[((size_t)key[1] << 8 | key[2]) % BUCKETS];
}

static size_t cost(const struct entry *entry)
{
    return sizeof(*entry) + entry->len;
}

static void unlink_use(struct entry *entry)
{
    entry->use.newer->older = entry->use.older;
    entry->use.older->newer = entry->use.newer;
}

static void make_newest(struct part *part, struct entry *entry)
{
    entry->use.newer = &part->ends;
    entry->use.older = part->ends.older;
    part->ends.older->newer = &entry->use;
    part->ends.older = &entry->use;
}

static void drop(struct part *part, struct entry *entry)
{
    struct entry **link = bucket_of(part, entry->key);
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    unlink_use(entry);
    part->bytes -= cost(entry);
    explicit_bzero(entry->value, entry->len);
    free(entry);
}

/* Of a part that is not empty. */
static struct entry *oldest(struct part *part)
{
    return (struct entry *)part->ends.newer;
}

static struct entry *find(struct part *part, const unsigned char *key)
{
    struct entry *entry = *bucket_of(part, key);
    while (entry && memcmp(entry->key, key, STORE_KEY_LEN) != 0)
        entry = entry->next;
    return entry;
}

static void insert(struct part *part, struct entry *entry)
{
    struct entry **bucket = bucket_of(part, entry->key), *old = find(part, entry->key);
    if (old)
        drop(part, old);
    while (part->bytes + cost(entry) > part->most)
        drop(part, oldest(part));
    entry->next = *bucket;
    *bucket = entry;
    make_newest(part, entry);
    part->bytes += cost(entry);
}

/* ---- all of it ---- */

struct session_store *session_store_new(size_t bytes)
{
    struct session_store *store = mem_new(sizeof(*store));
    size_t own = sizeof(*store) + PARTS * BUCKETS * sizeof(struct entry *);
    for (size_t i = 0; i < PARTS; i++) {
        struct part *part = &store->parts[i];
        pthread_mutex_init(&part->mutex, NULL);
        part->buckets = mem_new(BUCKETS * sizeof(*part->buckets));
        part->ends.newer = part->ends.older = &part->ends;
        part->most = bytes > own ? (bytes - own) / PARTS : 0;
    }
    return store;
}

void session_store_free(struct session_store *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < PARTS; i++) {
        struct part *part = &store->parts[i];
        while (part->ends.newer != &part->ends)
            drop(part, oldest(part));
        pthread_mutex_destroy(&part->mutex);
        free(part->buckets);
    }
    free(store);
}

bool session_store_put(struct session_store *store, const unsigned char key[STORE_KEY_LEN],
                       struct slice value)
{
    struct part *part = part_of(store, key);
    if (sizeof(struct entry) + value.len > part->most)
        return false;
    struct entry *entry = malloc(sizeof(*entry) + value.len);
    if (!entry)
        return false;
    memcpy(entry->key, key, STORE_KEY_LEN);
    memcpy(entry->value, value.data, value.len);
    entry->len = value.len;
    pthread_mutex_lock(&part->mutex);
    insert(part, entry);
    pthread_mutex_unlock(&part->mutex);
    return true;
}

static struct entry *use(struct part *part, const unsigned char *key)
{
    struct entry *entry = find(part, key);
    if (!entry)
        return NULL;
    unlink_use(entry);
    make_newest(part, entry);
    return entry;
}

bool session_store_touch(struct session_store *store, const unsigned char key[STORE_KEY_LEN])
{
    struct part *part = part_of(store, key);
    pthread_mutex_lock(&part->mutex);
    bool there = use(part, key) != NULL;
    pthread_mutex_unlock(&part->mutex);
    return there;
}

bool session_store_get(struct session_store *store, const unsigned char key[STORE_KEY_LEN], char **out,
                       size_t *len)
{
    struct part *part = part_of(store, key);
    *out = NULL;
    pthread_mutex_lock(&part->mutex);
    const struct entry *entry = use(part, key);
    if (entry && (*out = malloc(entry->len + 1))) {
        memcpy(*out, entry->value, entry->len);
        *len = entry->len;
    }
    pthread_mutex_unlock(&part->mutex);
    return *out != NULL;
}

size_t session_store_bytes(struct session_store *store)
{
    size_t bytes = 0;
    for (size_t i = 0; i < PARTS; i++) {
        pthread_mutex_lock(&store->parts[i].mutex);
        bytes += store->parts[i].bytes;
        pthread_mutex_unlock(&store->parts[i].mutex);
    }
    return bytes;
}
