#include "lb/config/renew.h"

#include <stdlib.h>
#include <string.h>

#include "lb/base/memory.h"
#include "lb/config/archive.h"
#include "lb/config/files.h"
#include "lb/tls/digest.h"

/* Files that take effect together or not at all; by the index of one of them in the archive. */
struct unit {
    size_t root;
    bool taken;
};

struct work {
    const struct config *before;
    const struct archive *old;
    struct archive *fresh; /* what the disk has now, each file read once */
    size_t *roots;         /* for each entry of `old`: of its unit */
    bool *changed;         /* for each entry of `old` */
    struct unit *units;    /* those with a changed file */
    size_t unit_count;
    struct renewal *renewal;
};

/* ---- what belongs together ---- */

static size_t root_of(struct work *work, size_t i)
{
    while (work->roots[i] != i)
        i = work->roots[i] = work->roots[work->roots[i]];
    return i;
}

static void join_kinds(struct work *work, const char *a, const char *b)
{
    static const enum archive_kind kinds[] = {ARCHIVE_FILE, ARCHIVE_SCRIPT};
    for (size_t i = 0; i < 2; i++) {
        size_t first = archive_index(work->old, kinds[i], a), second = archive_index(work->old, kinds[i], b);
        if (first != ARCHIVE_NONE && second != ARCHIVE_NONE)
            work->roots[root_of(work, second)] = root_of(work, first);
    }
}

static void find_units(struct work *work)
{
    for (size_t i = 0; i < archive_count(work->old); i++)
        work->roots[i] = i;
    for (size_t i = 0; i < archive_bonds(work->old); i++) {
        const char *a, *b;
        archive_bond(work->old, i, &a, &b);
        join_kinds(work, a, b);
    }
}

/* ---- what has changed ---- */

static void add_unit(struct work *work, size_t root)
{
    for (size_t i = 0; i < work->unit_count; i++)
        if (work->units[i].root == root)
            return;
    work->units = mem_grow(work->units, (work->unit_count + 1) * sizeof(*work->units));
    work->units[work->unit_count++] = (struct unit){root, false};
}

/* Folders come first: what was taken out of one is not missed any more. */
static void add_units(struct work *work, bool folders)
{
    for (size_t i = 0; i < archive_count(work->old); i++)
        if (work->changed[i] && (archive_at(work->old, i)->kind == ARCHIVE_FOLDER) == folders)
            add_unit(work, root_of(work, i));
}

static void compare(struct work *work)
{
    for (size_t i = 0; i < archive_count(work->old); i++) {
        const struct archived *file = archive_at(work->old, i);
        work->changed[i] =
            !config_is_own(work->before, file) && !archived_equal(file, archive_again(work->fresh, file));
    }
    add_units(work, true);
    add_units(work, false);
}

/* ---- what can serve ---- */

static const struct unit *unit_of(struct work *work, size_t entry)
{
    size_t root = root_of(work, entry);
    for (size_t i = 0; i < work->unit_count; i++)
        if (work->units[i].root == root)
            return &work->units[i];
    return NULL;
}

/* With these units and those that were taken already; NULL after adding problems. */
static struct config *load_with(struct work *work, const struct unit *first, size_t count,
                                struct problems *problems)
{
    struct archive *mixed = archive_new(work->fresh);
    for (size_t i = 0; i < archive_count(work->old); i++) {
        const struct unit *unit = work->changed[i] ? unit_of(work, i) : NULL;
        bool newer = unit && (unit->taken || (unit >= first && unit < first + count));
        if (!newer)
            archive_keep(mixed, archive_at(work->old, i));
    }
    struct config *config = config_load_again(work->before, archive_new(mixed), problems);
    archive_free(mixed);
    return config;
}

static void take(struct work *work, struct unit *first, size_t count, struct config *config,
                 struct problems *problems)
{
    struct renewal *renewal = work->renewal;
    for (size_t i = 0; i < count; i++)
        first[i].taken = true;
    config_drop(renewal->config);
    renewal->config = config;
    problems_free(&renewal->warnings);
    renewal->warnings = *problems;
    *problems = (struct problems){0};
}

/* The first changed file of a unit, and whether all of them are gone. */
static const struct archived *changed_file(struct work *work, const struct unit *unit, bool *gone)
{
    const struct archived *found = NULL;
    *gone = true;
    for (size_t i = 0; i < archive_count(work->old); i++) {
        if (!work->changed[i] || root_of(work, i) != unit->root)
            continue;
        const struct archived *file = archive_at(work->old, i);
        if (!found)
            found = file;
        *gone = *gone && !archive_again(work->fresh, file)->data;
    }
    return found;
}

/* Problems of the configuration's text are none: it was right before. They are the file's. */
static void refuse(struct work *work, const struct unit *unit, const struct problems *problems)
{
    struct renewal *renewal = work->renewal;
    bool gone;
    const char *path = changed_file(work, unit, &gone)->path;
    renewal->refused_count++;
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->list[i];
        bool script = problem->file && archive_find(work->fresh, ARCHIVE_SCRIPT, problem->file);
        struct place place = {script ? problem->file : path, script ? problem->line : 0};
        if (problem->warning)
            continue;
        if (gone)
            problems_warn(&renewal->refused, place, "%s", problem->text);
        else
            problems_add(&renewal->refused, place, "%s", problem->text);
    }
}

static bool names(const struct problems *problems, const char *path)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->list[i];
        if (!problem->warning &&
            (strstr(problem->text, path) || (problem->file && strcmp(problem->file, path) == 0)))
            return true;
    }
    return false;
}

static bool is_suspect(struct work *work, const struct unit *unit, const struct problems *problems)
{
    for (size_t i = 0; i < archive_count(work->old); i++)
        if (work->changed[i] && root_of(work, i) == unit->root &&
            names(problems, archive_at(work->old, i)->path))
            return true;
    return false;
}

/* Puts the units that the problems name behind the others; how many others there are. */
static size_t sort_suspects(struct work *work, struct unit *first, size_t count,
                            const struct problems *problems)
{
    struct unit *suspects = mem_new(count * sizeof(*suspects));
    size_t others = 0, suspected = 0;
    for (size_t i = 0; i < count; i++)
        if (is_suspect(work, &first[i], problems))
            suspects[suspected++] = first[i];
        else
            first[others++] = first[i];
    memcpy(first + others, suspects, suspected * sizeof(*suspects));
    free(suspects);
    return others;
}

/* All at once if they can; else those without a fault first, or each half by itself, so that one broken file
 * among many costs few tries. */
static void try(struct work *work, struct unit *first, size_t count)
{
    struct problems problems = {0};
    struct config *config = load_with(work, first, count, &problems);
    if (config) {
        take(work, first, count, config, &problems);
    } else if (count == 1) {
        refuse(work, first, &problems);
    } else {
        size_t others = sort_suspects(work, first, count, &problems);
        if (others == 0 || others == count)
            others = count / 2;
        try(work, first, others);
        try(work, first + others, count - others);
    }
    problems_free(&problems);
}

/* ---- what is said about it ---- */

static void add_taken(struct renewal *renewal, const char *path)
{
    for (size_t i = 0; i < renewal->taken_count; i++)
        if (strcmp(renewal->taken[i], path) == 0)
            return;
    renewal->taken = mem_grow(renewal->taken, (renewal->taken_count + 1) * sizeof(char *));
    renewal->taken[renewal->taken_count++] = mem_copy(path);
}

static void digest(unsigned char sum[32], const struct archived *file)
{
    unsigned char three[96];
    memcpy(three, sum, 32);
    digest_sha256(slice_of(file->path), three + 32);
    digest_sha256(slice_make(file->data, file->len), three + 64);
    digest_sha256(slice_make(three, sizeof(three)), sum);
}

static void account(struct work *work)
{
    struct renewal *renewal = work->renewal;
    for (size_t i = 0; i < archive_count(work->old); i++) {
        const struct archived *file = archive_at(work->old, i);
        if (!work->changed[i])
            continue;
        if (unit_of(work, i)->taken)
            add_taken(renewal, file->path);
        else
            digest(renewal->refused_digest, archive_again(work->fresh, file));
    }
}

void config_renew(const struct config *before, struct renewal *renewal)
{
    size_t count = archive_count(before->archive);
    struct work work = {.before = before,
                        .old = before->archive,
                        .fresh = archive_new(NULL),
                        .roots = mem_new((count + 1) * sizeof(size_t)),
                        .changed = mem_new(count + 1),
                        .renewal = renewal};
    *renewal = (struct renewal){.seen = work.fresh};
    find_units(&work);
    compare(&work);
    if (work.unit_count > 0)
        try(&work, work.units, work.unit_count);
    account(&work);
    free(work.roots);
    free(work.changed);
    free(work.units);
}

void renewal_release(struct renewal *renewal)
{
    config_drop(renewal->config);
    for (size_t i = 0; i < renewal->taken_count; i++)
        free(renewal->taken[i]);
    free(renewal->taken);
    problems_free(&renewal->warnings);
    problems_free(&renewal->refused);
    archive_free(renewal->seen);
    *renewal = (struct renewal){0};
}

/* ---- the configuration's own files ---- */

bool config_is_own(const struct config *config, const struct archived *file)
{
    for (size_t i = 0; i < config->file_count; i++)
        if (file->kind == ARCHIVE_FILE && strcmp(config->files[i], file->path) == 0)
            return true;
    return false;
}

void config_digest(const struct config *config, unsigned char sum[32])
{
    memset(sum, 0, 32);
    for (size_t i = 0; i < config->file_count; i++)
        digest(sum, archive_find(config->archive, ARCHIVE_FILE, config->files[i]));
}

void config_digest_now(const char *const *paths, size_t count, unsigned char sum[32])
{
    struct problems ignored = {0};
    struct file_list files = {0};
    struct archive *archive = archive_new(NULL);
    memset(sum, 0, 32);
    for (size_t i = 0; i < count; i++)
        files_find(paths[i], &files, &ignored);
    for (size_t i = 0; i < files.count; i++) {
        digest(sum, archive_file(archive, files.names[i], FILES_INI_MAX));
        free(files.names[i]);
    }
    free(files.names);
    problems_free(&ignored);
    archive_free(archive);
}
