#include "lb/config/config.h"

#include <stdlib.h>

#include "lb/config/build.h"
#include "lb/config/check.h"
#include "lb/config/files.h"

/* Reads every file there is, though one before it could not be read. */
static void read_files(struct source *source, struct file_list *files, const char *const *paths, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!files_find(paths[i], files, source->problems))
            source->incomplete = true;
    for (size_t i = 0; i < files->count; i++) {
        char *text;
        size_t len;
        bool read = files_read(files->names[i], "the configuration", FILES_INI_MAX,
                               (struct place){files->names[i], 0}, &text, &len, source->problems);
        if (read)
            source_read(source, files->names[i], slice_make(text, len));
        else
            source->incomplete = true;
        free(text);
    }
}

static struct config *build(struct source *source, const struct file_list *files)
{
    struct draft draft;
    draft_build(&draft, source, true);
    check_settings(&draft, source, source->problems);
    check_files(&draft, source, source->problems);
    draft_release(&draft);
    draft.config->files = files->names;
    draft.config->file_count = files->count;
    return draft.config;
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

struct config *config_load(const char *const *paths, size_t count, struct problems *problems)
{
    struct problems found = {0};
    struct source source = {.problems = &found};
    struct file_list files = {0};
    struct config *config = NULL;
    read_files(&source, &files, paths, count);
    if (!source.incomplete || source.count > 0)
        config = build(&source, &files);
    bool refused = found.errors > 0;
    hand_over(&found, &files, problems);
    source_free(&source);
    if (!config)
        free_files(&files);
    if (config && refused)
        config_destroy(config);
    else if (config)
        config_index(config);
    return refused ? NULL : config;
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
