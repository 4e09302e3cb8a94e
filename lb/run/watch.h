/*
 * Tells when files on disk are others than before. Every folder on the way to each file is watched, through
 * all symbolic links, so that it does not matter how a file is replaced: in place, by a rename, by a link
 * swapped somewhere above it, with its whole folder. What is told of is compared by device, inode, size and
 * times first: only a real change is passed on. One thread, that of the loop.
 *
 * Folders that cannot be watched, or whose file system tells of nothing, are looked at every few seconds.
 */
#ifndef LB_RUN_WATCH_H
#define LB_RUN_WATCH_H

#include <uv.h>

#include "lb/base/log.h"

#define WATCH_QUIET_MS  200  /* a change is told of when nothing more has happened for so long */
#define WATCH_LATEST_MS 2000 /* or so long after the first one */
#define WATCH_POLL_MS   2000 /* between two looks at what cannot be watched */

/* Files and folders to watch, each once; zeroed: none. */
struct watch_set {
    struct watched {
        char *path;
        bool folder; /* all files in it that are not hidden, whatever there will be */
    } * list;
    size_t count;
};

void watch_set_add(struct watch_set *set, const char *path, bool folder); /* path is copied */
void watch_set_free(struct watch_set *set);

struct watch;

/* Called from the loop, never from within a function of this header. */
typedef void watch_changed(void *owner);

struct watch *watch_new(uv_loop_t *loop, struct log *log, watch_changed *changed, void *owner);

/* Watches these from now on, and no others. What is watched already goes on without a gap; what is new is
 * told of once as if it had changed, because nobody watched while it was read. */
void watch_follow(struct watch *watch, const struct watch_set *set);

void watch_close(struct watch *watch); /* freed once the loop has closed its handles; NULL is fine */

#endif
