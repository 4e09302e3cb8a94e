#include "lb/run/stamp.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lb/base/memory.h"

static int64_t nanoseconds(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

struct stamp stamp_file(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return (struct stamp){0};
    return (struct stamp){.device = info.st_dev,
                          .inode = info.st_ino,
                          .size = (uint64_t)info.st_size,
                          .modified_ns = nanoseconds(info.st_mtim),
                          .changed_ns = nanoseconds(info.st_ctim)};
}

/* FNV-1a. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t mix_number(uint64_t hash, uint64_t number)
{
    return mix(hash, &number, sizeof(number));
}

static uint64_t digest(const char *name, const struct stamp *stamp)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *name; name++)
        hash = mix(hash, name, 1);
    hash = mix_number(mix_number(mix_number(hash, stamp->device), stamp->inode), stamp->size);
    return mix_number(mix_number(hash, (uint64_t)stamp->modified_ns), (uint64_t)stamp->changed_ns);
}

struct stamp stamp_folder(const char *path)
{
    struct stamp sum = {0};
    const struct dirent *entry;
    DIR *folder = opendir(path);
    if (!folder)
        return sum;
    sum.device = 1; /* an empty one is not the same as none */
    while ((entry = readdir(folder))) {
        if (entry->d_name[0] == '.')
            continue;
        char *name = mem_printf("%s/%s", path, entry->d_name);
        struct stamp one = stamp_file(name);
        sum.inode += digest(entry->d_name, &one);
        sum.size++;
        free(name);
    }
    closedir(folder);
    return sum;
}

bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns;
}
