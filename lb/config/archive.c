#include "lb/config/archive.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lb/base/memory.h"
#include "lb/base/name_map.h"
#include "lb/config/files.h"
#include "scripting/script.h"

struct bond {
    char *a, *b;
};

struct archive {
    struct archive *source;
    bool sealed;
    struct archived **entries;
    size_t count;
    struct name_map *names; /* of kind and path, to the entry */
    struct bond *bonds;
    size_t bond_count;
};

struct archive *archive_new(struct archive *source)
{
    struct archive *archive = mem_new(sizeof(*archive));
    *archive = (struct archive){.source = source, .names = name_map_new()};
    return archive;
}

void archive_seal(struct archive *archive)
{
    archive->sealed = true;
    archive->source = NULL;
}

static void drop(struct archived *entry)
{
    if (atomic_fetch_sub_explicit(&entry->refs, 1, memory_order_acq_rel) > 1)
        return;
    if (entry->data)
        explicit_bzero(entry->data, entry->len); /* it may be a private key */
    free(entry->data);
    free(entry->path);
    free(entry->folder);
    free(entry->why);
    free(entry);
}

void archive_free(struct archive *archive)
{
    if (!archive)
        return;
    for (size_t i = 0; i < archive->count; i++)
        drop(archive->entries[i]);
    for (size_t i = 0; i < archive->bond_count; i++) {
        free(archive->bonds[i].a);
        free(archive->bonds[i].b);
    }
    free(archive->entries);
    free(archive->bonds);
    name_map_free(archive->names);
    free(archive);
}

/* ---- reading ---- */

static void read_file(struct archived *entry)
{
    entry->why = mem_copy(files_take(entry->path, entry->limit, &entry->data, &entry->len));
}

static void read_script(struct archived *entry)
{
    struct slice bytes;
    const char *why;
    if (script_file_read(entry->path, entry->folder, &bytes, &why)) {
        entry->data = (char *)bytes.data;
        entry->len = bytes.len;
    } else {
        entry->why = mem_copy(why);
    }
}

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_folder(struct archived *entry)
{
    struct dirent **names;
    int count = scandir(entry->path, &names, is_shown, by_bytes);
    if (count < 0) {
        entry->why = errno == ENOENT || errno == ENOTDIR ? NULL : mem_copy(strerror(errno));
        return;
    }
    entry->data = mem_new(1);
    for (int i = 0; i < count; i++) {
        size_t len = strlen(names[i]->d_name) + 1;
        entry->data = mem_grow(entry->data, entry->len + len + 1);
        memcpy(entry->data + entry->len, names[i]->d_name, len);
        entry->len += len;
        free(names[i]);
    }
    entry->data[entry->len] = '\0';
    free(names);
}

static struct archived *read_entry(const struct archived *wanted)
{
    static void (*const readers[])(
        struct archived *
        entry) = {[ARCHIVE_FILE] = read_file, [ARCHIVE_SCRIPT] = read_script, [ARCHIVE_FOLDER] = read_folder};
    struct archived *entry = mem_new(sizeof(*entry));
    *entry = (struct archived){.kind = wanted->kind,
                               .path = mem_copy(wanted->path),
                               .folder = mem_copy(wanted->folder),
                               .limit = wanted->limit};
    atomic_init(&entry->refs, 1);
    readers[entry->kind](entry);
    return entry;
}

/* ---- entries ---- */

static char *name_of(enum archive_kind kind, const char *path)
{
    return mem_printf("%d %s", (int)kind, path);
}

size_t archive_index(const struct archive *archive, enum archive_kind kind, const char *path)
{
    char *name = name_of(kind, path);
    size_t i = name_map_get(archive->names, slice_of(name));
    free(name);
    return i == NAME_MAP_NONE ? ARCHIVE_NONE : i;
}

static void add(struct archive *archive, struct archived *entry)
{
    char *name = name_of(entry->kind, entry->path);
    name_map_put(archive->names, slice_of(name), archive->count);
    free(name);
    archive->entries = mem_grow(archive->entries, (archive->count + 1) * sizeof(struct archived *));
    archive->entries[archive->count++] = entry;
}

const struct archived *archive_find(const struct archive *archive, enum archive_kind kind, const char *path)
{
    size_t i = archive_index(archive, kind, path);
    return i == ARCHIVE_NONE ? NULL : archive->entries[i];
}

void archive_keep(struct archive *archive, const struct archived *entry)
{
    struct archived *shared = archive->sealed ? NULL : (struct archived *)entry;
    if (!shared || archive_index(archive, entry->kind, entry->path) != ARCHIVE_NONE)
        return;
    atomic_fetch_add_explicit(&shared->refs, 1, memory_order_relaxed);
    add(archive, shared);
}

const struct archived *archive_again(struct archive *archive, const struct archived *wanted)
{
    const struct archived *there = archive_find(archive, wanted->kind, wanted->path);
    if (there || archive->sealed)
        return there;
    if (archive->source)
        archive_keep(archive, archive_again(archive->source, wanted));
    else
        add(archive, read_entry(wanted));
    return archive->entries[archive->count - 1];
}

const struct archived *archive_file(struct archive *archive, const char *path, size_t limit)
{
    const struct archived wanted = {.kind = ARCHIVE_FILE, .path = (char *)path, .limit = limit};
    return archive_again(archive, &wanted);
}

const struct archived *archive_script(struct archive *archive, const char *path, const char *folder)
{
    const struct archived wanted = {.kind = ARCHIVE_SCRIPT, .path = (char *)path, .folder = (char *)folder};
    return archive_again(archive, &wanted);
}

const struct archived *archive_folder(struct archive *archive, const char *path)
{
    const struct archived wanted = {.kind = ARCHIVE_FOLDER, .path = (char *)path};
    return archive_again(archive, &wanted);
}

size_t archive_count(const struct archive *archive)
{
    return archive->count;
}

const struct archived *archive_at(const struct archive *archive, size_t i)
{
    return archive->entries[i];
}

bool archived_equal(const struct archived *a, const struct archived *b)
{
    if (!a->data || !b->data)
        return !a->data && !b->data && slice_equal(slice_of(a->why), slice_of(b->why));
    return slice_equal(slice_make(a->data, a->len), slice_make(b->data, b->len));
}

bool archive_folder_has(const struct archived *folder, const char *name)
{
    for (const char *at = folder->data; at && at < folder->data + folder->len; at += strlen(at) + 1)
        if (strcmp(at, name) == 0)
            return true;
    return false;
}

/* ---- what belongs together ---- */

void archive_bind(struct archive *archive, const char *a, const char *b)
{
    archive->bonds = mem_grow(archive->bonds, (archive->bond_count + 1) * sizeof(*archive->bonds));
    archive->bonds[archive->bond_count++] = (struct bond){mem_copy(a), mem_copy(b)};
}

size_t archive_bonds(const struct archive *archive)
{
    return archive->bond_count;
}

void archive_bond(const struct archive *archive, size_t i, const char **a, const char **b)
{
    *a = archive->bonds[i].a;
    *b = archive->bonds[i].b;
}

/* ---- for those who need the bytes ---- */

bool archive_read(struct archive *archive, const char *path, const char *what, size_t limit,
                  struct place place, char **data, size_t *len, struct problems *problems)
{
    const struct archived *entry = archive_file(archive, path, limit);
    *data = entry->data ? mem_copy_n(entry->data, entry->len) : NULL;
    *len = entry->len;
    if (!*data)
        files_refuse(path, what, limit, entry->why, place, problems);
    return *data != NULL;
}

bool archive_load(struct archive *archive, struct tls_file *file, const char *what, struct place place,
                  struct problems *problems)
{
    if (!archive_read(archive, file->path, what, FILES_PEM_MAX, place, &file->data, &file->len, problems))
        return false;
    if (file->len > 0)
        return true;
    files_refuse(file->path, what, FILES_PEM_MAX, "it is empty", place, problems);
    return false;
}

static bool load_at(struct archive *archive, struct tls_file *file, const char *what, struct place place,
                    struct problems *problems)
{
    return archive_load(archive, file, what, file_place(file, place), problems);
}

bool archive_load_pair(struct archive *archive, struct tls_pair *pair, struct place place,
                       struct problems *problems)
{
    struct tls_file *certificate = &pair->certificate, *key = &pair->key;
    bool one_file = strcmp(certificate->path, key->path) == 0;
    archive_bind(archive, certificate->path, key->path);
    bool good = load_at(archive, certificate, "the certificate", place, problems);
    if (!one_file)
        return load_at(archive, key, "the private key", place, problems) && good;
    if (good) {
        key->data = mem_copy_n(certificate->data, certificate->len);
        key->len = certificate->len;
    }
    return good;
}
