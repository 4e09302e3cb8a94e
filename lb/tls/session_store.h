/*
 * Bytes by a key of 32 bytes, for all threads, within a fixed amount of memory: what was used longest ago
 * goes first. Whoever needs what is gone does a full handshake. What goes is wiped.
 */
#ifndef LB_TLS_SESSION_STORE_H
#define LB_TLS_SESSION_STORE_H

#include <stdbool.h>

#include "lb/base/slice.h"

#define STORE_KEY_LEN 32

struct session_store;

/* Holds up to `bytes`, what it needs for itself included. Keys must be evenly spread, as hashes and random
 * numbers are. */
struct session_store *session_store_new(size_t bytes);
void session_store_free(struct session_store *store); /* NULL is fine */

/* Copies `value`, in place of an older one. False: no memory, or larger than what one of the store's parts
 * may hold. */
bool session_store_put(struct session_store *store, const unsigned char key[STORE_KEY_LEN],
                       struct slice value);

/* Marks it as used just now. False: not there. */
bool session_store_touch(struct session_store *store, const unsigned char key[STORE_KEY_LEN]);

/* A copy in *out (malloced, the caller's), or false: not there, or no memory. */
bool session_store_get(struct session_store *store, const unsigned char key[STORE_KEY_LEN], char **out,
                       size_t *len);

size_t session_store_bytes(struct session_store *store); /* in use */

#endif
