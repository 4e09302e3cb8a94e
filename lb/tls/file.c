#include "lb/tls/file.h"

#include <stdlib.h>
#include <string.h>

#include "lb/base/slice.h"

void tls_file_release(struct tls_file *file)
{
    free(file->path);
    if (file->data)
        explicit_bzero(file->data, file->len);
    free(file->data);
}

bool tls_file_alike(const struct tls_file *a, const struct tls_file *b)
{
    return slice_equal(slice_make(a->data, a->len), slice_make(b->data, b->len));
}

struct place file_place(const struct tls_file *file, struct place place)
{
    if (file->line)
        place.line = file->line;
    return place;
}
