/*
 * Active health checks, in the master thread: each server of a backend with `health` is probed on its
 * interval, and changes state after `fall` failures or `rise` successes in a row. The result goes into
 * server->up, which all workers read.
 */
#ifndef LB_HEALTH_CHECKER_H
#define LB_HEALTH_CHECKER_H

#include <uv.h>

#include "lb/config/config.h"

struct checker;

struct checker *checker_new(uv_loop_t *loop, struct log *log);

/* Follows a new snapshot: servers that stay keep their state and their streak, those without checks count as
 * up. */
void checker_follow(struct checker *checker, const struct config *config);

/* Ends all checks; frees itself once the loop has run the close callbacks. */
void checker_close(struct checker *checker);

#endif
