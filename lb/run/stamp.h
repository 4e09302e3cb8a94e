/* What tells cheaply, without reading it, that a file is not the one it was. */
#ifndef LB_RUN_STAMP_H
#define LB_RUN_STAMP_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: the file is not there, or cannot be looked at. */
struct stamp {
    uint64_t device, inode, size;
    int64_t modified_ns, changed_ns; /* of the bytes; of owner and mode too, which may make it readable */
};

struct stamp stamp_file(const char *path); /* of what the path leads to */

/* Of all entries of a folder that are not hidden, their names included, in no order. */
struct stamp stamp_folder(const char *path);

bool stamp_equal(const struct stamp *a, const struct stamp *b);

#endif
