/*
 * The files that a configuration was made of, each as it was when it was first asked for. Whoever asks again
 * gets the same bytes: what was checked is what runs, in every thread. A configuration can be made again from
 * its archive, with only some of its files read anew.
 *
 * One thread fills an archive; once it is sealed any thread may read it.
 */
#ifndef LB_CONFIG_ARCHIVE_H
#define LB_CONFIG_ARCHIVE_H

#include <stdatomic.h>

#include "lb/base/problems.h"
#include "lb/tls/settings.h"

enum archive_kind {
    ARCHIVE_FILE,
    ARCHIVE_SCRIPT, /* a script or what it requires */
    ARCHIVE_FOLDER, /* `data` are the names of its entries that are not hidden, each with its NUL, sorted */
};

/* Immutable; archives share it. */
struct archived {
    atomic_uint refs;
    enum archive_kind kind;
    char *path;
    char *folder; /* ARCHIVE_SCRIPT: what the file must lie in, links followed; NULL: anywhere */
    size_t limit; /* ARCHIVE_FILE: bytes */
    char *data;   /* with a NUL behind it; NULL: not read */
    size_t len;
    char *why; /* it was not read; NULL: there is no such script or folder */
};

#define ARCHIVE_NONE ((size_t)-1) /* it was never asked for */

struct archive;

/* What it does not have yet it asks `source` for, which must stay until it is sealed; NULL: the disk. */
struct archive *archive_new(struct archive *source);
void archive_seal(struct archive *archive); /* nothing is added any more */
void archive_free(struct archive *archive); /* NULL is fine */

/* Reads a file, or a folder's names, unless it is there already. */
const struct archived *archive_file(struct archive *archive, const char *path, size_t limit);
const struct archived *archive_script(struct archive *archive, const char *path, const char *folder);
const struct archived *archive_folder(struct archive *archive, const char *path);

/* What it is of which `entry` was read, read into this archive. */
const struct archived *archive_again(struct archive *archive, const struct archived *entry);

/* Takes the entry as it is. */
void archive_keep(struct archive *archive, const struct archived *entry);

/* NULL: it was never asked for. */
const struct archived *archive_find(const struct archive *archive, enum archive_kind kind, const char *path);

size_t archive_count(const struct archive *archive);
const struct archived *archive_at(const struct archive *archive, size_t i);
size_t archive_index(const struct archive *archive, enum archive_kind kind, const char *path);
bool archived_equal(const struct archived *a, const struct archived *b); /* by content */
bool archive_folder_has(const struct archived *folder, const char *name);

/* Two files that fit together or not at all: certificate and key, CA and its revocation lists. */
void archive_bind(struct archive *archive, const char *a, const char *b);
size_t archive_bonds(const struct archive *archive);
void archive_bond(const struct archive *archive, size_t i, const char **a, const char **b);

/* A copy of the file's bytes, with a NUL behind them, for the caller. False after adding a problem at `place`
 * with the absolute path and the system's text: unreadable, over `limit` bytes, or no file. `what` names it
 * in the message: "the certificate". */
bool archive_read(struct archive *archive, const char *path, const char *what, size_t limit,
                  struct place place, char **data, size_t *len, struct problems *problems);

/* As archive_read, for file->path; an empty file is a problem. */
bool archive_load(struct archive *archive, struct tls_file *file, const char *what, struct place place,
                  struct problems *problems);

/* Both files of a pair, which belong together; where they are one file, it is read once. `place` is the
 * section's. */
bool archive_load_pair(struct archive *archive, struct tls_pair *pair, struct place place,
                       struct problems *problems);

#endif
