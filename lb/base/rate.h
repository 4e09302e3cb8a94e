/*
 * Counters of events per key, for all threads, in memory that is set once: who makes up keys makes it no
 * larger.
 *
 * No window of `window_ms`, wherever it begins, holds more than `limit` events of a key. For that, events are
 * counted in eighths of the window and an eighth counts as long as any of it is within the window: a key that
 * asks without pause is granted `limit` in up to 9/8 of the window. Events that are refused are not counted.
 *
 * A key belongs to a set of eight entries. A new key takes an entry whose window has passed; if all are in
 * use, it takes over the one that is used up least (among equals the one used longest ago), and with it the
 * share that is used up. So an entry that is taken away gives nobody more than his limit (its key would
 * inherit at least as much when it comes back, as far as windows are of one length), and who wants to keep
 * strangers out has to use up every limit of a set first, for which he cannot aim: where a key belongs is
 * secret.
 */
#ifndef LB_BASE_RATE_H
#define LB_BASE_RATE_H

#include "lb/base/slice.h"

#include <stdint.h>

struct rate_table;

/* Room for at least so many keys at a time, 72 bytes each. */
struct rate_table *rate_table_new(size_t entries);
void rate_table_free(struct rate_table *table); /* NULL is fine */

/* Whether one more event is within the limit; if so it is counted. Keys with different windows count apart, a
 * limit may change from call to call. limit at least 1, window_ms from 1 to 2^32; `now_ms` is of a monotonic
 * clock. Any thread; holds a lock of one of many shards for some 100 ns. */
bool rate_take(struct rate_table *table, struct slice key, unsigned limit, uint64_t window_ms,
               uint64_t now_ms);

#endif
