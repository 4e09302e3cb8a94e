/* A file of the configuration that TLS needs. */
#ifndef LB_TLS_FILE_H
#define LB_TLS_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "lb/base/problems.h"

/* A file as it was read at load; contexts are made from these bytes, never from the path. */
struct tls_file {
    char *path; /* NULL: not configured */
    char *data; /* owned, NUL-terminated for PEM readers */
    size_t len;
    unsigned line; /* of the configuration, for messages */
};

/* Frees what it has, which may be secret. */
void tls_file_release(struct tls_file *file);

/* By content. */
bool tls_file_alike(const struct tls_file *a, const struct tls_file *b);

/* The line that the file was named on, if that is known. */
struct place file_place(const struct tls_file *file, struct place place);

#endif
