#include "lb/tls/ticket_keys.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "lb/base/memory.h"
#include "lb/tls/digest.h"

/* ---- sets ---- */

static struct ticket_set *new_set(size_t count)
{
    struct ticket_set *set = calloc(1, sizeof(*set) + count * sizeof(set->keys[0]));
    if (!set)
        return NULL;
    atomic_init(&set->users, 1);
    set->count = count;
    return set;
}

void ticket_set_drop(struct ticket_set *set)
{
    if (!set || atomic_fetch_sub_explicit(&set->users, 1, memory_order_acq_rel) > 1)
        return;
    explicit_bzero(set->keys, set->count * sizeof(set->keys[0]));
    free(set);
}

const struct ticket_key *ticket_set_find(const struct ticket_set *set,
                                         const unsigned char name[TICKET_NAME_LEN])
{
    for (size_t i = 0; i < set->count; i++)
        if (memcmp(set->keys[i].name, name, TICKET_NAME_LEN) == 0)
            return &set->keys[i];
    return NULL;
}

/* ---- from a file ---- */

static bool all_zero(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i])
            return false;
    return true;
}

/* Both secrets of a record go into the key: a server of another kind that reads the same file seals with
 * other keys. */
static void derive(const char *record, struct ticket_key *out)
{
    static const char label[] = "lb session ticket 1";
    char text[sizeof label + TICKET_RECORD_LEN];
    memcpy(out->name, record, TICKET_NAME_LEN);
    memcpy(text, label, sizeof label);
    memcpy(text + sizeof label, record, TICKET_RECORD_LEN);
    digest_sha256(slice_make(text, sizeof text), out->key);
    explicit_bzero(text, sizeof text);
}

static const char *fault_of(const struct ticket_set *set, size_t index, const char *record)
{
    enum { SECRET = 32 };
    if (all_zero(record, TICKET_NAME_LEN))
        return "its name is all zeros";
    if (all_zero(record + TICKET_NAME_LEN, SECRET) || all_zero(record + TICKET_NAME_LEN + SECRET, SECRET))
        return "its secret is all zeros";
    for (size_t i = 0; i < index; i++)
        if (memcmp(set->keys[i].name, record, TICKET_NAME_LEN) == 0)
            return "an earlier one has the same name";
    return NULL;
}

static void refuse_length(const struct tls_file *file, struct place place, struct problems *problems)
{
    problems_add(problems, place,
                 "%s has %zu bytes: ticket keys are of %d bytes each, newest first (48-byte keys are not "
                 "taken); make one with: openssl rand -out %s %d",
                 file->path, file->len, TICKET_RECORD_LEN, file->path, TICKET_RECORD_LEN);
}

static void warn_of_readers(const struct tls_file *file, struct place place, struct problems *problems)
{
    struct stat status;
    if (stat(file->path, &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)))
        problems_warn(problems, place,
                      "%s: others than its owner may read it, and with it the sessions of the clients: chmod "
                      "600 %s",
                      file->path, file->path);
}

struct ticket_set *ticket_set_read(const struct tls_file *file, struct place place, struct problems *problems)
{
    size_t count = file->len / TICKET_RECORD_LEN;
    place = file_place(file, place);
    if (count == 0 || file->len % TICKET_RECORD_LEN != 0) {
        refuse_length(file, place, problems);
        return NULL;
    }
    struct ticket_set *set = mem_new(sizeof(*set) + count * sizeof(set->keys[0]));
    atomic_init(&set->users, 1);
    set->count = count;
    for (size_t i = 0; i < count; i++) {
        const char *record = file->data + i * TICKET_RECORD_LEN, *fault = fault_of(set, i, record);
        if (fault) {
            problems_add(problems, place, "%s: key %zu cannot be used: %s", file->path, i + 1, fault);
            ticket_set_drop(set);
            return NULL;
        }
        derive(record, &set->keys[i]);
    }
    warn_of_readers(file, place, problems);
    return set;
}

/* ---- the ring ---- */

struct ticket_ring {
    atomic_uintptr_t newest; /* the set's address, for comparing only: it may be gone */
    _Atomic int64_t due;     /* when the next key is made */
    pthread_mutex_t mutex;
    struct ticket_set *set; /* under the mutex, as what follows */
    int64_t keep;
};

struct ticket_ring *ticket_ring_new(void)
{
    struct ticket_ring *ring = mem_new(sizeof(*ring));
    atomic_init(&ring->newest, 0);
    atomic_init(&ring->due, INT64_MIN);
    pthread_mutex_init(&ring->mutex, NULL);
    return ring;
}

void ticket_ring_free(struct ticket_ring *ring)
{
    if (!ring)
        return;
    ticket_set_drop(ring->set);
    pthread_mutex_destroy(&ring->mutex);
    free(ring);
}

void ticket_ring_keep(struct ticket_ring *ring, int64_t seconds)
{
    pthread_mutex_lock(&ring->mutex);
    if (seconds > ring->keep)
        ring->keep = seconds;
    pthread_mutex_unlock(&ring->mutex);
}

static bool fill_random(void *out, size_t len)
{
    char *at = out;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got <= 0)
            return false;
        at += got;
        len -= (size_t)got;
    }
    return true;
}

/* A clock that was set back must not make a key immortal. */
static bool still_opens(const struct ticket_ring *ring, const struct ticket_key *key, int64_t now)
{
    return now - key->made <= TICKET_ROTATION_S + ring->keep && key->made - now <= TICKET_ROTATION_S;
}

/* A new key before those that may still have to open something. */
static struct ticket_set *rotate(const struct ticket_ring *ring, int64_t now)
{
    size_t old = ring->set ? ring->set->count : 0, count = 1;
    struct ticket_set *set = new_set(old + 1);
    if (!set)
        return NULL;
    set->keys[0].made = now;
    bool good = fill_random(set->keys[0].name, TICKET_NAME_LEN) &&
                fill_random(set->keys[0].key, TICKET_KEY_LEN) &&
                !all_zero((const char *)set->keys[0].name, TICKET_NAME_LEN);
    for (size_t i = 0; i < old; i++)
        if (still_opens(ring, &ring->set->keys[i], now))
            set->keys[count++] = ring->set->keys[i];
    set->count = count;
    if (good)
        return set;
    ticket_set_drop(set);
    return NULL;
}

static bool is_due(const struct ticket_ring *ring, int64_t now)
{
    int64_t due = atomic_load_explicit(&ring->due, memory_order_acquire);
    return now >= due || due - now > 2 * (int64_t)TICKET_ROTATION_S;
}

static struct ticket_set *take_newest(struct ticket_ring *ring, int64_t now)
{
    pthread_mutex_lock(&ring->mutex);
    if (is_due(ring, now)) {
        struct ticket_set *set = rotate(ring, now);
        if (set) {
            ticket_set_drop(ring->set);
            ring->set = set;
            atomic_store_explicit(&ring->newest, (uintptr_t)set, memory_order_release);
            atomic_store_explicit(&ring->due, now + TICKET_ROTATION_S, memory_order_release);
        }
    }
    struct ticket_set *set = ring->set;
    if (set)
        atomic_fetch_add_explicit(&set->users, 1, memory_order_relaxed);
    pthread_mutex_unlock(&ring->mutex);
    return set;
}

struct ticket_set *ticket_ring_use(struct ticket_ring *ring, struct ticket_set *held, int64_t now)
{
    if (held && !is_due(ring, now) &&
        (uintptr_t)held == atomic_load_explicit(&ring->newest, memory_order_acquire))
        return held;
    ticket_set_drop(held);
    return take_newest(ring, now);
}
