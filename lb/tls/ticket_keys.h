/*
 * The keys that session tickets are sealed with. A set is immutable and counted; whoever uses one holds it,
 * so that nothing is locked where tickets are sealed and opened. Sets come from a file (the same on all
 * machines that share sessions), or from the ring: random keys of the process, rotated by time.
 */
#ifndef LB_TLS_TICKET_KEYS_H
#define LB_TLS_TICKET_KEYS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lb/base/problems.h"
#include "lb/tls/settings.h"

#define TICKET_NAME_LEN   16
#define TICKET_KEY_LEN    32
#define TICKET_RECORD_LEN 80 /* of a file: name, 32 bytes of secret, 32 bytes of secret */

struct ticket_key {
    unsigned char name[TICKET_NAME_LEN]; /* never all zero */
    unsigned char key[TICKET_KEY_LEN];   /* AES-256 */
    int64_t made;                        /* unix seconds; of the ring's keys */
};

struct ticket_set {
    atomic_uint users;
    size_t count;
    struct ticket_key keys[]; /* the first seals, all open */
};

/* The records of a file, newest first. NULL after adding the one problem: a wrong length, a key of zeros, a
 * name that comes twice. */
struct ticket_set *ticket_set_read(const struct tls_file *file, struct place place,
                                   struct problems *problems);
void ticket_set_drop(struct ticket_set *set); /* NULL is fine; the last user wipes it */

/* NULL: no key has that name. */
const struct ticket_key *ticket_set_find(const struct ticket_set *set,
                                         const unsigned char name[TICKET_NAME_LEN]);

/* ---- the ring: any thread ---- */

struct ticket_ring;

#define TICKET_ROTATION_S 3600 /* a key seals for so long */

struct ticket_ring *ticket_ring_new(void);
void ticket_ring_free(struct ticket_ring *ring); /* NULL is fine */

/* Keys must open tickets for at least so many seconds after they have sealed the last; never less than was
 * asked for before. */
void ticket_ring_keep(struct ticket_ring *ring, int64_t seconds);

/* The set to use at `now` (unix seconds). `held` is what the caller got the last time, or NULL; it is given
 * back if another one is due. Takes a lock only then. NULL: no random bytes or no memory; `held` is given
 * back. */
struct ticket_set *ticket_ring_use(struct ticket_ring *ring, struct ticket_set *held, int64_t now);

#endif
