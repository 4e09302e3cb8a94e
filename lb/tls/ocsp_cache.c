#include "lb/tls/ocsp_cache.h"

#include <pthread.h>
#include <stdlib.h>

#include "lb/tls/library.h"

#include <wolfssl/wolfcrypt/sha256.h>

#include "lb/base/memory.h"

enum { SHARDS = 64, WAYS = 8 };

struct entry {
    struct ocsp_key key;
    enum ocsp_known known; /* OCSP_NOT_KNOWN: free */
    int64_t until;
};

struct shard {
    pthread_mutex_t mutex;
    struct entry *entries; /* sets of WAYS, one after the other */
};

struct ocsp_cache {
    size_t sets; /* of one shard; a power of two */
    struct shard shards[SHARDS];
};

/* Each part with its length before it, so that no two lists of parts are one text. */
static bool add(wc_Sha256 *hash, struct slice part)
{
    uint64_t len = part.len;
    return wc_Sha256Update(hash, (const byte *)&len, sizeof len) == 0 &&
           wc_Sha256Update(hash, (const byte *)part.data, (word32)part.len) == 0;
}

bool ocsp_key_of(const struct ocsp_subject *subject, struct slice url, struct ocsp_key *out)
{
    static const struct slice nobody = {"", 0};
    wc_Sha256 hash;
    if (wc_InitSha256(&hash) != 0)
        return false;
    bool good = add(&hash, subject->issuer->spki) && add(&hash, subject->issuer->subject) &&
                add(&hash, subject->certificate->serial) &&
                add(&hash, subject->signer ? subject->signer->der : nobody) && add(&hash, url) &&
                wc_Sha256Final(&hash, out->bytes) == 0;
    wc_Sha256Free(&hash);
    return good;
}

struct ocsp_cache *ocsp_cache_new(size_t entries)
{
    struct ocsp_cache *cache = mem_new(sizeof *cache);
    cache->sets = 1;
    while (cache->sets * WAYS * SHARDS < entries)
        cache->sets *= 2;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&cache->shards[i].mutex, NULL);
        cache->shards[i].entries = mem_new(cache->sets * WAYS * sizeof(struct entry));
    }
    return cache;
}

void ocsp_cache_free(struct ocsp_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_destroy(&cache->shards[i].mutex);
        free(cache->shards[i].entries);
    }
    free(cache);
}

/* Keys are hashes of what CAs have signed: nobody aims at a shard. */
static struct entry *lock_set(struct ocsp_cache *cache, const struct ocsp_key *key, struct shard **shard)
{
    uint64_t where;
    memcpy(&where, key->bytes, sizeof where);
    *shard = &cache->shards[where % SHARDS];
    pthread_mutex_lock(&(*shard)->mutex);
    return &(*shard)->entries[(where / SHARDS & (cache->sets - 1)) * WAYS];
}

static bool same(const struct ocsp_key *a, const struct ocsp_key *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

enum ocsp_known ocsp_cache_get(struct ocsp_cache *cache, const struct ocsp_key *key, int64_t now)
{
    enum ocsp_known known = OCSP_NOT_KNOWN;
    struct shard *shard;
    const struct entry *set = lock_set(cache, key, &shard);
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].known != OCSP_NOT_KNOWN && set[i].until > now && same(&set[i].key, key))
            known = set[i].known;
    pthread_mutex_unlock(&shard->mutex);
    return known;
}

/* The key's own place, else the one that ends first: a free one has ended longest ago. */
static struct entry *place_for(struct entry *set, const struct ocsp_key *key)
{
    struct entry *best = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].known != OCSP_NOT_KNOWN && same(&set[i].key, key))
            return &set[i];
        if (set[i].until < best->until)
            best = &set[i];
    }
    return best;
}

void ocsp_cache_put(struct ocsp_cache *cache, const struct ocsp_key *key, enum ocsp_known known,
                    int64_t until)
{
    struct shard *shard;
    struct entry *entry = place_for(lock_set(cache, key, &shard), key);
    if (known != OCSP_NO_ANSWER || entry->until < until || !same(&entry->key, key))
        *entry = (struct entry){*key, known, until};
    pthread_mutex_unlock(&shard->mutex);
}
