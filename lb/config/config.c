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

static struct config *build(struct source *source, struct file_list *files, struct problems *problems)
{
    struct draft draft;
    draft_build(&draft, source, true);
    draft.config->files = files->names;
    draft.config->file_count = files->count;
    check_settings(&draft, source, problems);
    check_files(&draft, source, problems);
    draft_release(&draft);
    return draft.config;
}

static void free_files(struct file_list *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->names[i]);
    free(files->names);
}

struct config *config_load(const char *const *paths, size_t count, struct problems *problems)
{
    struct source source = {.problems = problems};
    struct file_list files = {0};
    struct config *config = NULL;
    size_t before = problems->errors;
    read_files(&source, &files, paths, count);
    if (!source.incomplete || source.count > 0)
        config = build(&source, &files, problems);
    else
        free_files(&files);
    source_free(&source);
    problems_sort(problems);
    if (problems->errors == before)
        return config;
    if (config)
        config_destroy(config);
    return NULL;
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

const struct backend *config_backend(const struct config *config, struct slice name)
{
    for (size_t i = 0; i < config->backend_count; i++)
        if (slice_is(name, config->backends[i].name))
            return &config->backends[i];
    return NULL;
}
