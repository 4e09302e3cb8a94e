#include "lb/config/config.h"

#include <stdlib.h>

#include "lb/base/memory.h"
#include "lb/config/archive.h"
#include "lb/config/build.h"
#include "lb/config/check.h"
#include "lb/config/files.h"
#include "lb/config/kept.h"

/* One configuration on its way from files to a snapshot. */
struct loading {
    struct source source;
    struct file_list files;
    struct archive *archive;
    const struct config *before; /* NULL: nothing is known yet */
    struct problems found;
};

static void read_file(struct loading *loading, const char *name)
{
    char *text;
    size_t len;
    if (archive_read(loading->archive, name, "the configuration", FILES_INI_MAX, (struct place){name, 0},
                     &text, &len, loading->source.problems))
        source_read(&loading->source, name, slice_make(text, len));
    else
        loading->source.incomplete = true;
    free(text);
}

/* The addresses of servers are those that were found when the text was read from the disk. */
static void keep_addresses(struct config *config, const struct config *before)
{
    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; j < config->backends[i].member_count; j++) {
            struct member *member = &config->backends[i].members[j];
            member->addr = before->backends[i].members[j].addr;
            member->resolved = before->backends[i].members[j].resolved;
        }
}

static struct config *build(struct loading *loading)
{
    struct source *source = &loading->source;
    struct draft draft;
    draft_build(&draft, source, !loading->before);
    struct config *config = draft.config;
    config->archive = loading->archive;
    config->files = loading->files.names;
    config->file_count = loading->files.count;
    if (loading->before)
        keep_addresses(config, loading->before);
    check_settings(&draft, source, source->problems);
    if (!loading->before)
        check_log(config, source, source->problems);
    check_files(&draft, source, source->problems);
    if (loading->before)
        check_kept(config, loading->before, source->problems);
    draft_release(&draft);
    return config;
}

static void free_files(struct file_list *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->names[i]);
    free(files->names);
}

static bool is_in(const char *file, const struct problem *problem)
{
    return file && problem->file ? strcmp(file, problem->file) == 0 : file == problem->file;
}

static void hand_over_of(const char *file, struct problems *found, struct problems *out)
{
    for (size_t i = 0; i < found->count; i++) {
        struct problem *problem = &found->list[i];
        if (!problem->text || !is_in(file, problem))
            continue;
        struct place place = {problem->file, problem->line};
        if (problem->warning)
            problems_warn(out, place, "%s", problem->text);
        else
            problems_add(out, place, "%s", problem->text);
        free(problem->text);
        problem->text = NULL;
    }
}

/* In the order of the files, whatever step found them; those of other files (scripts) come last. */
static void hand_over(struct problems *found, const struct file_list *files, struct problems *out)
{
    hand_over_of(NULL, found, out);
    for (size_t i = 0; i < files->count; i++)
        hand_over_of(files->names[i], found, out);
    for (size_t i = 0; i < found->count; i++)
        if (found->list[i].text)
            hand_over_of(found->list[i].file, found, out);
    problems_sort(out);
    problems_free(found);
}

/* Reads every file there is, though one before it could not be read. */
static struct config *load(struct loading *loading, struct problems *problems)
{
    struct config *config = NULL;
    loading->source.problems = &loading->found;
    for (size_t i = 0; i < loading->files.count; i++)
        read_file(loading, loading->files.names[i]);
    if (!loading->source.incomplete || loading->source.count > 0)
        config = build(loading);
    bool refused = loading->found.errors > 0;
    hand_over(&loading->found, &loading->files, problems);
    source_free(&loading->source);
    archive_seal(loading->archive);
    if (!config) {
        free_files(&loading->files);
        archive_free(loading->archive);
    } else if (refused) {
        config_destroy(config);
    } else {
        config_index(config);
    }
    return refused ? NULL : config;
}

struct config *config_load(const char *const *paths, size_t count, struct problems *problems)
{
    struct loading loading = {.archive = archive_new(NULL)};
    for (size_t i = 0; i < count; i++)
        if (!files_find(paths[i], &loading.files, &loading.found))
            loading.source.incomplete = true;
    return load(&loading, problems);
}

struct config *config_load_again(const struct config *before, struct archive *archive,
                                 struct problems *problems)
{
    struct loading loading = {.archive = archive, .before = before};
    loading.files.names = mem_new(before->file_count * sizeof(char *));
    for (size_t i = 0; i < before->file_count; i++)
        loading.files.names[loading.files.count++] = mem_copy(before->files[i]);
    return load(&loading, problems);
}

struct config *config_hold(struct config *config)
{
    atomic_fetch_add_explicit(&config->refs, 1, memory_order_relaxed);
    return config;
}

void config_drop(struct config *config)
{
    if (config && atomic_fetch_sub_explicit(&config->refs, 1, memory_order_acq_rel) == 1)
        config_destroy(config);
}

const struct listener *config_listener(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->listener_count; i++)
        if (strcmp(config->listeners[i].name, name) == 0)
            return &config->listeners[i];
    return NULL;
}

size_t listener_policy(const struct listener *listener, struct slice host)
{
    return listener->policy_names && host.len > 0 ? name_map_find(listener->policy_names, host)
                                                  : NAME_MAP_NONE;
}

const struct backend *config_backend(const struct config *config, struct slice name)
{
    for (size_t i = 0; i < config->backend_count; i++)
        if (slice_is(name, config->backends[i].name))
            return &config->backends[i];
    return NULL;
}
