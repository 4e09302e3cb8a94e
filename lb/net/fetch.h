/*
 * One POST to a plain http:// URL on a loop, for the small questions that lb itself asks: a connection of its
 * own, no redirects, an answer of at most 64 KB, and one time limit for all of it, names included. Belongs to
 * the loop's thread.
 */
#ifndef LB_NET_FETCH_H
#define LB_NET_FETCH_H

#include <uv.h>

#include "lb/base/url.h"

enum { FETCH_ANSWER_MAX = 64 * 1024 };

struct fetch;

/* Once, never within fetch_post. `why` is NULL and `body` the answer's (status 200), valid during the call;
 * or `why` says what went wrong. The fetch is gone afterwards. */
typedef void fetch_done(void *context, struct slice body, const char *why);

/* NULL: out of memory or descriptors. */
struct fetch *fetch_post(uv_loop_t *loop, const struct http_url *url, const char *type, struct slice body,
                         uint64_t timeout_ms, fetch_done *done, void *context);

/* Before `done`, which will not be called then. */
void fetch_cancel(struct fetch *fetch);

#endif
