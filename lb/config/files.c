#include "lb/config/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lb/base/memory.h"

char *files_absolute(const char *path)
{
    char folder[PATH_MAX];
    if (path[0] == '/' || !getcwd(folder, sizeof(folder)))
        return mem_copy(path);
    return mem_printf("%s/%s", strcmp(folder, "/") == 0 ? "" : folder, path);
}

void files_refuse(const char *path, const char *what, size_t limit, const char *why, struct place place,
                  struct problems *problems)
{
    if (strcmp(why, FILES_TOO_LARGE) == 0) {
        problems_add(problems, place, "%s %s has more than %zu MB: is it the right file?", what, path,
                     limit >> 20);
        return;
    }
    char *absolute = files_absolute(path);
    problems_add(problems, place, "cannot read %s %s: %s", what, absolute, why);
    free(absolute);
}

static void append(struct file_list *list, char *name)
{
    list->names = mem_grow(list->names, (list->count + 1) * sizeof(*list->names));
    list->names[list->count++] = name;
}

static int is_ini(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && len > 4 && strcmp(entry->d_name + len - 4, ".ini") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool find_in_folder(const char *path, struct file_list *list, struct problems *problems)
{
    struct dirent **entries;
    size_t len = strlen(path);
    int count = scandir(path, &entries, is_ini, by_bytes);
    if (count <= 0) {
        files_refuse(path, "the configuration folder", 0,
                     count < 0 ? strerror(errno) : "it holds no *.ini file", (struct place){0}, problems);
        if (count == 0)
            free(entries);
        return false;
    }
    while (len > 1 && path[len - 1] == '/')
        len--;
    for (int i = 0; i < count; i++) {
        append(list,
               mem_printf("%.*s%s%s", (int)len, path, path[len - 1] == '/' ? "" : "/", entries[i]->d_name));
        free(entries[i]);
    }
    free(entries);
    return true;
}

bool files_find(const char *path, struct file_list *list, struct problems *problems)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        files_refuse(path, "the configuration", 0, strerror(errno), (struct place){0}, problems);
        return false;
    }
    if (S_ISDIR(info.st_mode))
        return find_in_folder(path, list, problems);
    append(list, mem_copy(path));
    return true;
}

/* NULL, or why the open file will not do. */
static const char *unsuitable(int fd)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return strerror(errno);
    if (S_ISDIR(info.st_mode))
        return "it is a folder, not a file";
    return S_ISREG(info.st_mode) ? NULL : "it is no regular file";
}

/* NULL, or why it failed. One byte over the limit is read to see that there is more. */
static const char *read_whole(int fd, size_t limit, char **data, size_t *len)
{
    size_t room = 0;
    ssize_t got = 1;
    while (got > 0 && *len <= limit) {
        if (*len == room) {
            room = room ? room * 2 : 8192;
            *data = mem_grow(*data, room + 1);
        }
        got = read(fd, *data + *len, room - *len);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            *len += (size_t)got;
    }
    if (got < 0)
        return strerror(errno);
    (*data)[*len] = '\0';
    return *len > limit ? FILES_TOO_LARGE : NULL;
}

const char *files_take(const char *path, size_t limit, char **data, size_t *len)
{
    *data = NULL;
    *len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a FIFO must not hold up the load */
    const char *why = fd < 0 ? strerror(errno) : unsuitable(fd);
    if (!why)
        why = read_whole(fd, limit, data, len);
    if (fd >= 0)
        close(fd);
    if (why) {
        free(*data);
        *data = NULL;
        *len = 0;
    }
    return why;
}

int files_appendable(const char *path)
{
    struct stat info;
    if (stat(path, &info) == 0) {
        if (S_ISDIR(info.st_mode))
            return EISDIR;
        return access(path, W_OK) == 0 ? 0 : errno;
    }
    if (errno != ENOENT)
        return errno;
    char *copy = mem_copy(path);
    int error = access(dirname(copy), W_OK | X_OK) == 0 ? 0 : errno;
    free(copy);
    return error;
}
