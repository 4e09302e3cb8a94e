/*
 * One listening socket of one thread: accepts in batches, and rests when told to or when the process is out
 * of descriptors; what waits then stays in the kernel's queue.
 */
#ifndef LB_NET_ACCEPTOR_H
#define LB_NET_ACCEPTOR_H

#include <stdbool.h>
#include <uv.h>

#include "lb/base/addr.h"

struct acceptor;

/* Asked before each accept: makes room for one connection. False: what waits stays in the kernel's queue, and
 * the acceptor rests until acceptor_resume. */
typedef bool acceptor_may(void *context);

/* Nobody was there: the room that acceptor_may made is not needed. */
typedef void acceptor_spared(void *context);

/* A new connection: a non-blocking, close-on-exec socket that the callee owns now. */
typedef void acceptor_taken(void *context, int fd, const struct addr *peer);

/* accept failed for want of descriptors or memory; the acceptor rests until acceptor_resume. */
typedef void acceptor_starved(void *context, int error);

struct acceptor_owner {
    acceptor_may *may;
    acceptor_spared *spared;
    acceptor_taken *taken;
    acceptor_starved *starved;
};

/* Takes the listening, non-blocking socket. NULL: *error is a negative errno. It accepts at once. `owner`
 * must outlive it. */
struct acceptor *acceptor_new(uv_loop_t *loop, int fd, const struct acceptor_owner *owner, void *context,
                              int *error);
void acceptor_pause(struct acceptor *acceptor);
void acceptor_resume(struct acceptor *acceptor);

/* Hands over everything that waits in the kernel's queue as long as acceptor_may allows, then closes the
 * socket and frees the acceptor: no connection that the kernel had accepted is lost. */
void acceptor_finish(struct acceptor *acceptor);

/* Opens a listening socket that several threads may open beside each other (SO_REUSEPORT; a unix socket is
 * opened once and duplicated). -1 on failure with errno and *why, a text that says what to do. `probe` only
 * binds, alone: it fails when any other process has the address, which SO_REUSEPORT would hide; close its
 * result before the real ones. A stale unix socket is removed. */
int acceptor_listen(const struct addr *addr, bool probe, char *why, size_t size);

#endif
