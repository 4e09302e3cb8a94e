#include "lb/run/rotate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lb/base/memory.h"
#include "lb/base/text.h"
#include "lb/config/archive.h"
#include "lb/config/renew.h"
#include "lb/run/master.h"
#include "lb/run/watch.h"

#define NAMES_MAX  4096 /* bytes of files' names in one line of the log */
#define NAMES_TOLD 16   /* files */

static const unsigned pauses_ms[] = {500, 1000, 2000}; /* before what does not fit is tried again */

#define TRIES (sizeof(pauses_ms) / sizeof(pauses_ms[0]))

/* What does not fit, over several tries. */
struct patience {
    uv_timer_t timer;
    size_t tries;
    bool refused; /* and told of; until it fits, or is another one */
    unsigned char digest[32];
};

struct rotation {
    struct master *master;
    struct watch *files, *settings;
    struct patience files_patience, settings_patience;
    unsigned handles;
};

/* ---- patience ---- */

/* True: it is to be refused now. False: it is tried again later, or was refused already. */
static bool gives_up(struct patience *patience, const unsigned char digest[32], uv_timer_cb again)
{
    if (patience->refused && memcmp(patience->digest, digest, 32) == 0)
        return false;
    if (patience->tries < TRIES) {
        uv_timer_start(&patience->timer, again, pauses_ms[patience->tries++], 0);
        return false;
    }
    patience->refused = true;
    memcpy(patience->digest, digest, 32);
    return true;
}

static void all_is_well(struct patience *patience)
{
    patience->refused = false;
    uv_timer_stop(&patience->timer);
}

/* ---- files ---- */

static void add_all(struct watch_set *set, const struct archive *archive, const struct config *config)
{
    for (size_t i = 0; archive && i < archive_count(archive); i++) {
        const struct archived *file = archive_at(archive, i);
        if (!config_is_own(config, file) && (file->kind != ARCHIVE_FOLDER || file->data || file->why))
            watch_set_add(set, file->path, file->kind == ARCHIVE_FOLDER);
    }
}

/* `seen` (may be NULL) are files that a renewal asked for; they may be what it lacks. */
static void follow_files(struct rotation *rotation, const struct archive *seen)
{
    const struct config *config = snapshots_current(&rotation->master->snapshots);
    struct watch_set set = {0};
    if (config->watch != WATCH_NOTHING) {
        add_all(&set, config->archive, config);
        add_all(&set, seen, config);
    }
    watch_follow(rotation->files, &set);
    watch_set_free(&set);
}

/* Of what was there before, the operator was warned at load. */
static bool is_about(const struct problem *warning, const struct renewal *renewal)
{
    for (size_t i = 0; i < renewal->taken_count; i++)
        if ((warning->file && strcmp(warning->file, renewal->taken[i]) == 0) ||
            strstr(warning->text, renewal->taken[i]))
            return true;
    return false;
}

static void tell_rotated(struct master *master, const struct renewal *renewal)
{
    char names[NAMES_MAX], line[1024];
    struct text text;
    text_init(&text, names, sizeof(names));
    for (size_t i = 0; i < renewal->taken_count && i < NAMES_TOLD; i++) {
        text_adds(&text, i > 0 ? ", " : "");
        text_adds(&text, renewal->taken[i]);
    }
    if (renewal->taken_count > NAMES_TOLD)
        text_addf(&text, " and %zu more", renewal->taken_count - NAMES_TOLD);
    for (size_t i = 0; i < renewal->warnings.count; i++) {
        problems_format(&renewal->warnings, i, line, sizeof(line));
        if (is_about(&renewal->warnings.list[i], renewal))
            log_event(master->log, LOG_WARNING, "%s", line);
    }
    log_event(master->log, LOG_INFO, "rotated: %.*s; generation %u serves new connections", (int)text.len,
              names, master->snapshots.last_number);
}

static void tell_refused(struct master *master, const struct problems *problems)
{
    master->rotations_refused++;
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->list[i];
        char line[32] = "";
        if (problem->line > 0)
            snprintf(line, sizeof(line), ":%u", problem->line);
        log_event(master->log, problem->warning ? LOG_WARNING : LOG_ERROR,
                  "rotation refused: %s%s: %s; the old one stays", problem->file ? problem->file : "", line,
                  problem->text);
    }
}

static void publish(struct master *master, struct renewal *renewal)
{
    struct problems problems = {0};
    struct config *config = renewal->config;
    renewal->config = NULL;
    if (master_publish(master, config, &problems)) {
        master->rotations_done++;
        tell_rotated(master, renewal);
    } else {
        tell_refused(master, &problems);
    }
    problems_free(&problems);
}

static void on_files_again(uv_timer_t *timer);

static void renew(struct rotation *rotation)
{
    struct master *master = rotation->master;
    const struct config *before = snapshots_current(&master->snapshots);
    struct renewal renewal;
    if (master->stopping || before->watch == WATCH_NOTHING)
        return;
    config_renew(before, &renewal);
    if (renewal.config)
        publish(master, &renewal);
    if (renewal.refused_count == 0)
        all_is_well(&rotation->files_patience);
    else if (gives_up(&rotation->files_patience, renewal.refused_digest, on_files_again))
        tell_refused(master, &renewal.refused);
    follow_files(rotation, renewal.seen);
    renewal_release(&renewal);
}

static void on_files_again(uv_timer_t *timer)
{
    renew(timer->data);
}

/* ---- the configuration itself ---- */

static void follow_settings(struct rotation *rotation)
{
    const struct master *master = rotation->master;
    struct watch_set set = {0};
    bool wanted = snapshots_current(&master->snapshots)->watch == WATCH_CONFIGURATION;
    for (size_t i = 0; wanted && i < master->path_count; i++) {
        struct stat info;
        bool folder = stat(master->paths[i], &info) == 0 && S_ISDIR(info.st_mode);
        watch_set_add(&set, master->paths[i], folder);
    }
    watch_follow(rotation->settings, &set);
    watch_set_free(&set);
}

static void on_settings_again(uv_timer_t *timer);

/* What is on the disk is not always news: it may have been loaded by a signal. */
static void reload(struct rotation *rotation)
{
    struct master *master = rotation->master;
    const struct config *before = snapshots_current(&master->snapshots);
    unsigned char loaded[32], now[32];
    struct problems problems = {0};
    if (master->stopping || before->watch != WATCH_CONFIGURATION)
        return;
    config_digest(before, loaded);
    config_digest_now(master->paths, master->path_count, now);
    if (memcmp(loaded, now, sizeof(now)) == 0 || master_try_reload(master, &problems))
        all_is_well(&rotation->settings_patience);
    else if (gives_up(&rotation->settings_patience, now, on_settings_again))
        master_tell_reload_refused(master, &problems);
    problems_free(&problems);
}

static void on_settings_again(uv_timer_t *timer)
{
    reload(timer->data);
}

static void on_settings_changed(void *owner)
{
    struct rotation *rotation = owner;
    rotation->settings_patience.tries = 0;
    reload(rotation);
}

static void on_files_changed(void *owner)
{
    struct rotation *rotation = owner;
    rotation->files_patience.tries = 0;
    renew(rotation);
    if (rotation->settings_patience.refused) { /* it may have wanted just these files */
        rotation->settings_patience.refused = false;
        on_settings_changed(rotation);
    }
}

/* ---- for the master ---- */

static void start_patience(struct rotation *rotation, struct patience *patience)
{
    uv_timer_init(&rotation->master->loop, &patience->timer);
    patience->timer.data = rotation;
    rotation->handles++;
}

struct rotation *rotation_new(struct master *master)
{
    struct rotation *rotation = mem_new(sizeof(*rotation));
    rotation->master = master;
    rotation->files = watch_new(&master->loop, master->log, on_files_changed, rotation);
    rotation->settings = watch_new(&master->loop, master->log, on_settings_changed, rotation);
    start_patience(rotation, &rotation->files_patience);
    start_patience(rotation, &rotation->settings_patience);
    return rotation;
}

void rotation_follow(struct rotation *rotation)
{
    follow_files(rotation, NULL);
    follow_settings(rotation);
}

static void on_closed(uv_handle_t *handle)
{
    struct rotation *rotation = handle->data;
    if (--rotation->handles == 0)
        free(rotation);
}

void rotation_close(struct rotation *rotation)
{
    watch_close(rotation->files);
    watch_close(rotation->settings);
    uv_close((uv_handle_t *)&rotation->files_patience.timer, on_closed);
    uv_close((uv_handle_t *)&rotation->settings_patience.timer, on_closed);
}
