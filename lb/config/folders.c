#include "lb/config/folders.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lb/base/memory.h"
#include "lb/config/files.h"

static bool ends_with(const char *name, const char *suffix)
{
    size_t len = strlen(name), end = strlen(suffix);
    return len > end && strcmp(name + len - end, suffix) == 0;
}

static int is_certificate(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && (ends_with(entry->d_name, ".pem") || ends_with(entry->d_name, ".crt"));
}

static int is_crl(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && (ends_with(entry->d_name, ".crl") || ends_with(entry->d_name, ".pem") ||
                                       ends_with(entry->d_name, ".der"));
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool is_folder(const char *path)
{
    struct stat info;
    return path && stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static char *join(const char *folder, const char *name)
{
    size_t len = strlen(folder);
    return mem_printf("%s%s%s", folder, len > 0 && folder[len - 1] == '/' ? "" : "/", name);
}

/* The paths in it; the caller frees them. Not one is a problem. */
static size_t list_folder(const struct tls_file *folder, int (*wanted)(const struct dirent *entry),
                          const char *kinds, struct place place, char ***paths, struct problems *problems)
{
    struct dirent **entries;
    int count = scandir(folder->path, &entries, wanted, by_bytes);
    *paths = mem_new((size_t)(count > 0 ? count : 0) * sizeof(**paths));
    for (int i = 0; i < count; i++) {
        (*paths)[i] = join(folder->path, entries[i]->d_name);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    if (count > 0)
        return (size_t)count;
    char *absolute = files_absolute(folder->path);
    problems_add(problems, place, "cannot use the folder %s: %s%s", absolute,
                 count < 0 ? strerror(errno) : "it holds no ", count < 0 ? "" : kinds);
    free(absolute);
    return 0;
}

static struct place line_of(const struct listener *listener, unsigned line)
{
    return (struct place){listener->place.file, line ? line : listener->place.line};
}

/* ---- certificates ---- */

/* NAME.key beside NAME.pem, else the file itself. */
static char *key_beside(const char *path)
{
    char *key = mem_printf("%.*s.key", (int)(strlen(path) - 4), path);
    if (access(key, F_OK) == 0)
        return key;
    free(key);
    return mem_copy(path);
}

static void append_pair(struct tls_settings *tls, struct tls_pair pair)
{
    tls->pairs = mem_grow(tls->pairs, (tls->pair_count + 1) * sizeof(*tls->pairs));
    tls->pairs[tls->pair_count++] = pair;
}

static bool expand_pair(struct listener *listener, struct tls_pair *folder, struct problems *problems)
{
    unsigned line = folder->certificate.line;
    char **paths;
    size_t count = list_folder(&folder->certificate, is_certificate, "*.pem or *.crt",
                               line_of(listener, line), &paths, problems);
    for (size_t i = 0; i < count; i++)
        append_pair(&listener->tls, (struct tls_pair){.certificate = {.path = paths[i], .line = line},
                                                      .key = {.path = key_beside(paths[i]), .line = line}});
    free(paths);
    free(folder->certificate.path);
    free(folder->key.path);
    return count > 0;
}

bool check_folders(struct listener *listener, struct problems *problems)
{
    struct tls_settings *tls = &listener->tls;
    struct tls_pair *written = tls->pairs;
    size_t count = tls->pair_count;
    bool good = true;
    tls->pairs = NULL;
    tls->pair_count = 0;
    for (size_t i = 0; i < count; i++)
        if (is_folder(written[i].certificate.path))
            good = expand_pair(listener, &written[i], problems) && good;
        else
            append_pair(tls, written[i]);
    free(written);
    return good;
}

/* ---- revocation lists ---- */

static void append_crl(struct tls_settings *tls, struct tls_file crl)
{
    tls->crls = mem_grow(tls->crls, (tls->crl_count + 1) * sizeof(*tls->crls));
    tls->crls[tls->crl_count++] = crl;
}

static bool expand_crl(struct listener *listener, struct tls_file *folder, struct problems *problems)
{
    char **paths;
    size_t count = list_folder(folder, is_crl, "*.crl, *.pem or *.der", line_of(listener, folder->line),
                               &paths, problems);
    for (size_t i = 0; i < count; i++)
        append_crl(&listener->tls, (struct tls_file){.path = paths[i], .line = folder->line});
    free(paths);
    free(folder->path);
    return count > 0;
}

bool check_crl_folders(struct listener *listener, struct problems *problems)
{
    struct tls_settings *tls = &listener->tls;
    struct tls_file *written = tls->crls;
    size_t count = tls->crl_count;
    bool good = true;
    tls->crls = NULL;
    tls->crl_count = 0;
    for (size_t i = 0; i < count; i++)
        if (!written[i].data && is_folder(written[i].path))
            good = expand_crl(listener, &written[i], problems) && good;
        else
            append_crl(tls, written[i]);
    free(written);
    return good;
}
