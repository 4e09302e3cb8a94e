#include "lb/base/rate.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "lb/base/clock.h"
#include "lb/base/memory.h"

#define SHARDS   64u
#define WAYS     8u
#define EIGHTHS  8u
#define COUNTERS (EIGHTHS + 1) /* the eighth that runs, and all that the window may touch */

struct entry {
    uint64_t key;       /* hash of key and window; 0: never used */
    uint64_t newest;    /* number of the eighth that counts[newest % COUNTERS] belongs to */
    uint64_t used;      /* milliseconds */
    uint32_t eighth_ms; /* length of an eighth */
    uint32_t limit;     /* as last asked with */
    uint32_t counts[COUNTERS];
};

struct shard {
    pthread_mutex_t mutex;
    struct entry *entries; /* sets of WAYS, one after the other */
};

struct rate_table {
    uint64_t secret[2];
    uint64_t sets; /* of one shard; a power of two */
    struct shard shards[SHARDS];
};

/* --- where a key belongs: SipHash-2-4 (Aumasson and Bernstein) --- */

struct sip {
    uint64_t a, b, c, d;
};

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static void sip_round(struct sip *sip)
{
    sip->a += sip->b;
    sip->c += sip->d;
    sip->b = rotate(sip->b, 13) ^ sip->a;
    sip->d = rotate(sip->d, 16) ^ sip->c;
    sip->a = rotate(sip->a, 32);
    sip->c += sip->b;
    sip->a += sip->d;
    sip->b = rotate(sip->b, 17) ^ sip->c;
    sip->d = rotate(sip->d, 21) ^ sip->a;
    sip->c = rotate(sip->c, 32);
}

static void sip_word(struct sip *sip, uint64_t word)
{
    sip->d ^= word;
    sip_round(sip);
    sip_round(sip);
    sip->a ^= word;
}

static uint64_t sip_tail(const char *bytes, size_t len, uint64_t top)
{
    uint64_t word = top << 56;
    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)(unsigned char)bytes[i] << (8 * i);
    return word;
}

/* Never 0. */
static uint64_t hash(const struct rate_table *table, struct slice key, uint64_t window_ms)
{
    struct sip sip = {table->secret[0] ^ 0x736f6d6570736575u, table->secret[1] ^ 0x646f72616e646f6du,
                      table->secret[0] ^ 0x6c7967656e657261u, table->secret[1] ^ 0x7465646279746573u};
    size_t at = 0;
    sip_word(&sip, window_ms);
    for (; key.len - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, key.data + at, 8);
        sip_word(&sip, word);
    }
    sip_word(&sip, sip_tail(key.data + at, key.len - at, key.len + 8));
    sip.c ^= 0xFF;
    for (int i = 0; i < 4; i++)
        sip_round(&sip);
    uint64_t result = sip.a ^ sip.b ^ sip.c ^ sip.d;
    return result ? result : 1;
}

/* --- one entry --- */

static uint64_t sum(const struct entry *entry)
{
    uint64_t total = 0;
    for (size_t i = 0; i < COUNTERS; i++)
        total += entry->counts[i];
    return total;
}

/* Forgets what is older than the window. Threads read the clock one after the other but come here in any
 * order: time never goes back. */
static void advance(struct entry *entry, uint64_t now_ms)
{
    uint64_t eighth = now_ms / entry->eighth_ms;
    if (eighth <= entry->newest)
        return;
    if (eighth - entry->newest >= COUNTERS)
        memset(entry->counts, 0, sizeof(entry->counts));
    else
        for (uint64_t i = entry->newest + 1; i <= eighth; i++)
            entry->counts[i % COUNTERS] = 0;
    entry->newest = eighth;
}

static bool take(struct entry *entry, unsigned limit, uint64_t now_ms)
{
    advance(entry, now_ms);
    entry->limit = limit;
    if (now_ms > entry->used)
        entry->used = now_ms;
    if (sum(entry) >= limit)
        return false;
    entry->counts[entry->newest % COUNTERS]++;
    return true;
}

/* --- sets --- */

/* What is used up, in parts of 2^32. */
static uint64_t share(struct entry *entry, uint64_t now_ms)
{
    if (entry->key == 0)
        return 0;
    advance(entry, now_ms);
    uint64_t total = sum(entry);
    return total >= entry->limit ? UINT64_C(1) << 32 : (total << 32) / entry->limit;
}

static struct entry *victim(struct entry *set, uint64_t now_ms, uint64_t *least)
{
    struct entry *best = NULL;
    for (size_t i = 0; i < WAYS; i++) {
        uint64_t used_up = share(&set[i], now_ms);
        if (!best || used_up < *least || (used_up == *least && set[i].used < best->used)) {
            best = &set[i];
            *least = used_up;
        }
    }
    return best;
}

static struct entry *find(struct entry *set, uint64_t key, unsigned limit, uint64_t window_ms,
                          uint64_t now_ms)
{
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].key == key)
            return &set[i];
    uint64_t inherited = 0;
    struct entry *entry = victim(set, now_ms, &inherited);
    uint64_t eighth_ms = (window_ms + EIGHTHS - 1) / EIGHTHS;
    *entry = (struct entry){.key = key,
                            .limit = limit,
                            .eighth_ms = (uint32_t)(eighth_ms < UINT32_MAX ? eighth_ms : UINT32_MAX)};
    entry->newest = now_ms / entry->eighth_ms;
    entry->counts[entry->newest % COUNTERS] = (uint32_t)((inherited * limit + (UINT64_C(1) << 32) - 1) >> 32);
    return entry;
}

bool rate_take(struct rate_table *table, struct slice key, unsigned limit, uint64_t window_ms,
               uint64_t now_ms)
{
    uint64_t where = hash(table, key, window_ms);
    struct shard *shard = &table->shards[where % SHARDS];
    struct entry *set = &shard->entries[(where / SHARDS & (table->sets - 1)) * WAYS];
    pthread_mutex_lock(&shard->mutex);
    bool within = take(find(set, where, limit, window_ms, now_ms), limit, now_ms);
    pthread_mutex_unlock(&shard->mutex);
    return within;
}

/* --- the table --- */

/* A kernel too young to be seeded has no clients yet: the clock must do. */
static void make_secret(struct rate_table *table)
{
    if (getrandom(table->secret, sizeof(table->secret), GRND_NONBLOCK) == (ssize_t)sizeof(table->secret))
        return;
    table->secret[0] = clock_us();
    table->secret[1] = (uint64_t)clock_unix_ms();
}

struct rate_table *rate_table_new(size_t entries)
{
    struct rate_table *table = mem_new(sizeof(*table));
    make_secret(table);
    table->sets = 1;
    while (table->sets * WAYS * SHARDS < entries)
        table->sets *= 2;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&table->shards[i].mutex, NULL);
        table->shards[i].entries = mem_new(table->sets * WAYS * sizeof(struct entry));
    }
    return table;
}

void rate_table_free(struct rate_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_destroy(&table->shards[i].mutex);
        free(table->shards[i].entries);
    }
    free(table);
}
