#include "scripting/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lb/base/memory.h"
#include "scripting/script.h"

/* A file on its way into memory. */
struct source {
    char *bytes;
    size_t len;
};

static bool read_all(int fd, struct source *out, const char **why)
{
    while (out->len <= SOURCE_MAX) {
        ssize_t got = read(fd, out->bytes + out->len, SOURCE_MAX + 1 - out->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            *why = strerror(errno);
        if (got <= 0)
            return got == 0;
        out->len += (size_t)got;
    }
    *why = "the file is larger than 1 MB";
    return false;
}

static bool read_open(int fd, struct source *out, const char **why)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        *why = S_ISDIR(st.st_mode) ? "is a folder" : "is not a regular file";
        return false;
    }
    *out = (struct source){.bytes = malloc(SOURCE_MAX + 1)};
    if (!out->bytes) {
        *why = "out of memory";
        return false;
    }
    if (read_all(fd, out, why))
        return true;
    free(out->bytes);
    out->bytes = NULL;
    return false;
}

static bool read_file(const char *path, struct source *out, const char **why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not block the load */
    if (fd < 0) {
        *why = errno == ENOENT || errno == ENOTDIR ? NULL : strerror(errno);
        return false;
    }
    bool good = read_open(fd, out, why);
    close(fd);
    return good;
}

static bool is_below(const char *file, const char *folder)
{
    char root[PATH_MAX];
    if (!realpath(folder, root))
        return false;
    size_t len = strlen(root);
    return strncmp(file, root, len) == 0 && (file[len] == '/' || root[len - 1] == '/');
}

bool script_file_read(const char *path, const char *folder, struct slice *bytes, const char **why)
{
    char file[PATH_MAX];
    struct source source = {0};
    *why = NULL;
    if (folder && !realpath(path, file))
        return false;
    if (folder && !is_below(file, folder)) {
        *why = "a symbolic link leads out of its folder";
        return false;
    }
    /* What was looked at is what is opened: a link that is swapped in between leads nowhere else. */
    bool good = read_file(folder ? file : path, &source, why);
    if (good) {
        source.bytes = mem_grow(source.bytes, source.len + 1); /* what was not needed of it goes back */
        source.bytes[source.len] = '\0';
    }
    *bytes = slice_make(source.bytes, good ? source.len : 0);
    return good;
}

char *source_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return mem_copy(".");
    return mem_copy_n(path, slash == path ? 1 : (size_t)(slash - path));
}

char *source_absolute(const char *path)
{
    char cwd[PATH_MAX];
    if (path[0] == '/' || !getcwd(cwd, sizeof(cwd)))
        return mem_copy(path);
    return mem_printf("%s/%s", cwd, path);
}

bool source_name_valid(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    for (;;) {
        size_t part = strspn(name, letters);
        if (part == 0)
            return false;
        name += part;
        if (*name == '\0')
            return true;
        if (*name++ != '.')
            return false;
    }
}

/* Lua writes at most LUA_IDSIZE - 1 bytes of a path: of longer ones "..." and the end. */
static size_t written_path(const char *text, const char *path)
{
    size_t len = strlen(path), most = LUA_IDSIZE - 1;
    if (len <= most)
        return strncmp(text, path, len) == 0 ? len : 0;
    const char *tail = path + len - (most - 3);
    return strncmp(text, "...", 3) == 0 && strncmp(text + 3, tail, most - 3) == 0 ? most : 0;
}

const char *source_place(const char *text, const char *path, unsigned *line)
{
    size_t len = written_path(text, path);
    if (len == 0 || text[len] != ':')
        return NULL;
    char *end;
    unsigned long number = strtoul(text + len + 1, &end, 10);
    if (end == text + len + 1 || *end != ':')
        return NULL;
    *line = (unsigned)number;
    return end[1] == ' ' ? end + 2 : end + 1;
}
