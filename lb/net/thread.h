/* What the streams of one thread share: its loop, and buffers that are only ever used within one callback. */
#ifndef LB_NET_THREAD_H
#define LB_NET_THREAD_H

#include <uv.h>

#include "lb/tls/session.h"

#define NET_INPUT_MAX                                                                                        \
    (256 * 1024) /* one read; larger reads cost less system calls per byte, and nothing per connection */

struct stream;

struct net_thread {
    uv_loop_t *loop;
    char *input; /* NET_INPUT_MAX bytes: received, not yet processed */
    struct tls_scratch scratch;
    size_t queued;          /* bytes of all streams that the kernel has not taken */
    size_t held;            /* bytes that wait above the streams for flow control */
    struct stream *resting; /* streams that had their share of this turn of the loop */
    uv_idle_t wake;         /* resumes them in the next turn */
};

bool net_thread_init(struct net_thread *thread, uv_loop_t *loop); /* false: out of memory */
void net_thread_close(struct net_thread *thread);                 /* run the loop once more, then call free */
void net_thread_free(struct net_thread *thread);

#endif
