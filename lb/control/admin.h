/*
 * The admin socket: a unix stream socket (mode 0600) in the master's loop. A client sends one line, a
 * command; the answer is a line "ok" or "error", then text, then the end.
 */
#ifndef LB_CONTROL_ADMIN_H
#define LB_CONTROL_ADMIN_H

#include "lb/run/master.h"

struct admin;

/* NULL on failure, *why says so. */
struct admin *admin_open(struct master *master, const char *path, const char **why);
void admin_close(struct admin *admin); /* NULL is fine; the loop must run once more */

int admin_connect(const char *path); /* a blocking socket, or -1 with errno */

/* `lb ctl`: sends the command, prints the answer. The exit code: 0, 1 (refused), 3 (nobody there). */
int admin_call(const char *path, const char *command);

#endif
