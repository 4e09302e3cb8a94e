/* Listening sockets for a snapshot: opened in the master before anything is published, one for each worker
 * and new address. */
#ifndef LB_RUN_SOCKETS_H
#define LB_RUN_SOCKETS_H

#include "lb/run/worker.h"

struct socket_set {
    size_t count; /* addresses in the snapshot */
    size_t workers;
    struct socket_plan *plans; /* workers rows of count each; owned */
};

/* Opens what `before` (may be NULL) does not listen on already. False after adding problems; nothing stays
 * open then. */
bool sockets_open(struct socket_set *set, const struct config *config, const struct config *before,
                  size_t workers, struct problems *problems);

struct socket_plan *sockets_take(struct socket_set *set, size_t worker); /* malloced copy of a worker's row */
void sockets_close(struct socket_set *set); /* of a snapshot that is not published: closes what was opened */
void sockets_release(struct socket_set *set); /* after publishing: the descriptors are the workers' now */

/* Removes the files of unix sockets that `config` has and `next` (may be NULL) has not. */
void sockets_unlink(const struct config *config, const struct config *next);

#endif
