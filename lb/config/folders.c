#include "lb/config/folders.h"

#include <stdlib.h>
#include <string.h>

#include "lb/base/memory.h"
#include "lb/config/files.h"

static bool ends_with(const char *name, const char *suffix)
{
    size_t len = strlen(name), end = strlen(suffix);
    return len > end && strcmp(name + len - end, suffix) == 0;
}

static bool is_certificate(const char *name)
{
    return ends_with(name, ".pem") || ends_with(name, ".crt");
}

static bool is_crl(const char *name)
{
    return ends_with(name, ".crl") || ends_with(name, ".pem") || ends_with(name, ".der");
}

/* NULL if the path names no folder. */
static const struct archived *folder_at(struct archive *archive, const char *path)
{
    const struct archived *folder = path ? archive_folder(archive, path) : NULL;
    return folder && (folder->data || folder->why) ? folder : NULL;
}

static char *join(const char *folder, const char *name)
{
    size_t len = strlen(folder);
    return mem_printf("%s%s%s", folder, len > 0 && folder[len - 1] == '/' ? "" : "/", name);
}

/* The paths in it; the caller frees them. Not one is a problem. */
static size_t list_folder(const struct archived *folder, bool (*wanted)(const char *name), const char *kinds,
                          struct place place, char ***paths, struct problems *problems)
{
    size_t count = 0;
    *paths = NULL;
    for (const char *at = folder->data; at && at < folder->data + folder->len; at += strlen(at) + 1) {
        if (!wanted(at))
            continue;
        *paths = mem_grow(*paths, (count + 1) * sizeof(**paths));
        (*paths)[count++] = join(folder->path, at);
    }
    if (count > 0)
        return count;
    char *absolute = files_absolute(folder->path);
    problems_add(problems, place, "cannot use the folder %s: %s%s", absolute,
                 folder->why ? folder->why : "it holds no ", folder->why ? "" : kinds);
    free(absolute);
    return 0;
}

/* ---- certificates ---- */

/* NAME.key beside NAME.pem, else the file itself. */
static char *key_beside(const struct archived *folder, const char *path)
{
    char *key = mem_printf("%.*s.key", (int)(strlen(path) - 4), path);
    if (archive_folder_has(folder, strrchr(key, '/') + 1))
        return key;
    free(key);
    return mem_copy(path);
}

static void append_pair(struct tls_settings *tls, struct tls_pair pair)
{
    tls->pairs = mem_grow(tls->pairs, (tls->pair_count + 1) * sizeof(*tls->pairs));
    tls->pairs[tls->pair_count++] = pair;
}

static bool expand_pair(struct listener *listener, struct tls_pair *written, const struct archived *folder,
                        struct problems *problems)
{
    unsigned line = written->certificate.line;
    char **paths;
    size_t count = list_folder(folder, is_certificate, "*.pem or *.crt",
                               file_place(&written->certificate, listener->place), &paths, problems);
    for (size_t i = 0; i < count; i++)
        append_pair(&listener->tls,
                    (struct tls_pair){.certificate = {.path = paths[i], .line = line},
                                      .key = {.path = key_beside(folder, paths[i]), .line = line}});
    free(paths);
    free(written->certificate.path);
    free(written->key.path);
    return count > 0;
}

bool check_folders(struct archive *archive, struct listener *listener, struct problems *problems)
{
    struct tls_settings *tls = &listener->tls;
    struct tls_pair *written = tls->pairs;
    size_t count = tls->pair_count;
    bool good = true;
    tls->pairs = NULL;
    tls->pair_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct archived *folder = folder_at(archive, written[i].certificate.path);
        if (folder)
            good = expand_pair(listener, &written[i], folder, problems) && good;
        else
            append_pair(tls, written[i]);
    }
    free(written);
    return good;
}

/* ---- revocation lists ---- */

static void append_crl(struct tls_settings *tls, struct tls_file crl)
{
    tls->crls = mem_grow(tls->crls, (tls->crl_count + 1) * sizeof(*tls->crls));
    tls->crls[tls->crl_count++] = crl;
}

static bool expand_crl(struct listener *listener, struct tls_file *written, const struct archived *folder,
                       struct problems *problems)
{
    char **paths;
    size_t count = list_folder(folder, is_crl, "*.crl, *.pem or *.der", file_place(written, listener->place),
                               &paths, problems);
    for (size_t i = 0; i < count; i++)
        append_crl(&listener->tls, (struct tls_file){.path = paths[i], .line = written->line});
    free(paths);
    free(written->path);
    return count > 0;
}

bool check_crl_folders(struct archive *archive, struct listener *listener, struct problems *problems)
{
    struct tls_settings *tls = &listener->tls;
    struct tls_file *written = tls->crls;
    size_t count = tls->crl_count;
    bool good = true;
    tls->crls = NULL;
    tls->crl_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct archived *folder = written[i].data ? NULL : folder_at(archive, written[i].path);
        if (folder)
            good = expand_crl(listener, &written[i], folder, problems) && good;
        else
            append_crl(tls, written[i]);
    }
    free(written);
    return good;
}
