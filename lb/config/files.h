/* What the configuration reads from the file system. */
#ifndef LB_CONFIG_FILES_H
#define LB_CONFIG_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "lb/base/problems.h"

#define FILES_INI_MAX  ((size_t)1 << 20)
#define FILES_PEM_MAX  ((size_t)16 << 20)
#define FILES_PAGE_MAX ((size_t)1 << 20)

struct file_list {
    char **names; /* owned; in the order to read */
    size_t count;
};

/* Appends what `path` names: the file itself, or the *.ini of a folder in byte order (hidden ones left out).
 * False after adding a problem that names the absolute path tried: it cannot be read, or the folder holds no
 * *.ini. */
bool files_find(const char *path, struct file_list *list, struct problems *problems);

/* Reads a regular file whole, with a NUL behind it; the caller owns *data. NULL, or why not (the system's
 * text, FILES_TOO_LARGE over `limit` bytes, or that it is no file); then *data is NULL. */
const char *files_take(const char *path, size_t limit, char **data, size_t *len);

#define FILES_TOO_LARGE "it is too large"

/* Adds the problem that a file cannot be read, with its absolute path. `what` names it: "the certificate". */
void files_refuse(const char *path, const char *what, size_t limit, const char *why, struct place place,
                  struct problems *problems);

/* The path with the working directory before it; owned by the caller. */
char *files_absolute(const char *path);

/* Whether the file could be opened for appending, without making it: errno's value, 0 if it could. */
int files_appendable(const char *path);

#endif
