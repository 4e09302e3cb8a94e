/*
 * Where a path leads, step by step: which entries of which folders decide it. Whatever makes a path lead to
 * another file (a rename over it, a symbolic link anywhere above it that is swapped, a folder that comes or
 * goes) changes one of these entries.
 */
#ifndef LB_RUN_TRAIL_H
#define LB_RUN_TRAIL_H

#include <stdbool.h>
#include <stddef.h>

#define TRAIL_LINKS_MAX 40 /* followed for one path, as the kernel does */

/* One entry of one folder. */
struct trail_step {
    char *folder; /* absolute, free of symbolic links */
    char *name;   /* NULL: any entry of it */
};

/* Zeroed: empty. */
struct trail {
    struct trail_step *steps; /* each once */
    size_t count, room;
};

/* Adds the steps of a path as far as they exist; the first entry that is missing is one of them. A relative
 * path begins at the working directory. The end, free of symbolic links and the caller's; NULL if the path
 * leads nowhere. */
char *trail_add(struct trail *trail, const char *path);

/* Adds the steps of a folder, any entry of it, and the steps of each entry that is not hidden. */
void trail_add_folder(struct trail *trail, const char *path);

/* Whether this entry of the folder is one of the steps; a NULL name: any could be. */
bool trail_has(const struct trail *trail, const char *folder, const char *name);

void trail_free(struct trail *trail);

#endif
