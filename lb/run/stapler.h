/*
 * Keeps the staples of listeners with `ocsp-staple = fetch` fresh, in the master thread: each certificate is
 * asked about at start, and again at half of the answer's time; after a failure soon, then less and less
 * often. What came last is sent until it ends. A certificate that a reload keeps keeps its staple.
 */
#ifndef LB_RUN_STAPLER_H
#define LB_RUN_STAPLER_H

#include <uv.h>

#include "lb/config/config.h"

struct stapler;

struct stapler *stapler_new(uv_loop_t *loop, struct log *log);

/* Gives certificates of a snapshot that is not published yet the staple that they have already. */
void stapler_attach(struct stapler *stapler, struct config *config);

/* The snapshot serves from now on: its certificates are asked about, others no longer. */
void stapler_follow(struct stapler *stapler, const struct config *config);

/* Ends all questions; frees itself once the loop has run the close callbacks. */
void stapler_close(struct stapler *stapler);

#endif
