#include "lb/run/watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "lb/base/memory.h"
#include "lb/run/stamp.h"
#include "lb/run/trail.h"

#define ROUNDS_MAX 4     /* to look again at what changed while its folders began to be watched */
#define SWEEP_MS   60000 /* between two looks at what is watched: the kernel's queue may have overflowed */

/* A folder under watch. */
struct sight {
    uv_fs_event_t event;
    struct watch *watch;
    struct sight *next;
    char *folder;
    dev_t dev; /* a folder of the same name may be another one now */
    ino_t inode;
    bool wanted;
    bool gone; /* the kernel watches it no more, though another folder may have its name and inode now */
};

/* A file or folder that is followed. */
struct followed {
    char *path;
    bool folder;
    struct stamp stamp;
};

struct watch {
    uv_loop_t *loop;
    struct log *log;
    watch_changed *changed;
    void *owner;
    uv_timer_t quiet; /* runs from the first change until it is told of */
    uv_timer_t sweep;
    uint64_t latest; /* when a change is told of though more happens; 0: nothing has happened */
    unsigned handles;
    struct followed *followed;
    size_t count;
    struct trail trail;
    struct sight *sights;
    bool blind;  /* some folder is not watched */
    bool unsure; /* what is followed is to be told of, changed or not */
    bool warned;
};

void watch_set_add(struct watch_set *set, const char *path, bool folder)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->list[i].folder == folder && strcmp(set->list[i].path, path) == 0)
            return;
    set->list = mem_grow(set->list, (set->count + 1) * sizeof(*set->list));
    set->list[set->count++] = (struct watched){mem_copy(path), folder};
}

void watch_set_free(struct watch_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        free(set->list[i].path);
    free(set->list);
    *set = (struct watch_set){0};
}

/* ---- something happens ---- */

static void look(struct watch *watch);

static void on_quiet(uv_timer_t *timer)
{
    struct watch *watch = timer->data;
    watch->latest = 0;
    look(watch);
}

static void expect_quiet(struct watch *watch)
{
    uint64_t now = uv_now(watch->loop), wait = WATCH_QUIET_MS;
    if (watch->latest == 0)
        watch->latest = now + WATCH_LATEST_MS;
    if (now + wait > watch->latest)
        wait = watch->latest > now ? watch->latest - now : 0;
    uv_timer_start(&watch->quiet, on_quiet, wait, 0);
}

/* What happens to the folder itself libuv reports with the folder's own name. */
static bool is_itself(const struct sight *sight, const char *name)
{
    return !name || strcmp(strrchr(sight->folder, '/') + 1, name) == 0;
}

static void on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
    struct sight *sight = event->data;
    struct watch *watch = sight->watch;
    (void)events;
    if (status < 0 || is_itself(sight, name))
        sight->gone = true;
    if (sight->gone || trail_has(&watch->trail, sight->folder, name))
        expect_quiet(watch);
}

/* ---- which folders are watched ---- */

static void release(struct watch *watch)
{
    if (--watch->handles > 0)
        return;
    trail_free(&watch->trail);
    for (size_t i = 0; i < watch->count; i++)
        free(watch->followed[i].path);
    free(watch->followed);
    free(watch);
}

static void on_timer_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void on_sight_closed(uv_handle_t *handle)
{
    struct sight *sight = handle->data;
    struct watch *watch = sight->watch;
    free(sight->folder);
    free(sight);
    release(watch);
}

static void close_sights(struct watch *watch, bool all)
{
    struct sight **link = &watch->sights;
    while (*link) {
        struct sight *sight = *link;
        if (sight->wanted && !all) {
            link = &sight->next;
            continue;
        }
        *link = sight->next;
        uv_close((uv_handle_t *)&sight->event, on_sight_closed);
    }
}

static void tell_blind(struct watch *watch, const char *folder, int error)
{
    if (watch->warned)
        return;
    watch->warned = true;
    log_event(watch->log, LOG_WARNING,
              "cannot watch %s for changed files: %s%s; what cannot be watched is looked at every %d s",
              folder, uv_strerror(error), error == UV_ENOSPC ? " (raise fs.inotify.max_user_watches)" : "",
              WATCH_POLL_MS / 1000);
}

/* Network file systems do not tell of what other machines change, and file systems in user space need not. */
static bool tells_of_changes(const char *folder)
{
    static const unsigned long silent[] = {0x6969,     0x517b,     0xfe534d42, 0xff534d42, 0x65735546,
                                           0x01021997, 0x00c36400, 0x5346414f, 0x0bd00bd0, 0x73757245};
    struct statfs info;
    if (statfs(folder, &info) != 0)
        return true;
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++)
        if (((unsigned long)info.f_type & 0xffffffff) == silent[i])
            return false;
    return true;
}

/* False: it cannot be watched. */
static bool open_sight(struct watch *watch, const char *folder, const struct stat *info)
{
    struct sight *sight = mem_new(sizeof(*sight));
    *sight = (struct sight){.watch = watch,
                            .next = watch->sights,
                            .folder = mem_copy(folder),
                            .dev = info->st_dev,
                            .inode = info->st_ino,
                            .wanted = true};
    uv_fs_event_init(watch->loop, &sight->event);
    sight->event.data = sight;
    watch->handles++;
    int error = uv_fs_event_start(&sight->event, on_event, folder, 0);
    if (error == 0) {
        watch->sights = sight;
        return true;
    }
    uv_close((uv_handle_t *)&sight->event, on_sight_closed);
    if (error == UV_ENOENT || error == UV_ENOTDIR)
        return true; /* likewise */
    watch->blind = true;
    tell_blind(watch, folder, error);
    return false;
}

/* True: the trail must be read again, because it was not watched before. */
static bool want_sight(struct watch *watch, const char *folder)
{
    struct stat info;
    if (stat(folder, &info) != 0)
        return true; /* gone since the trail was read */
    for (struct sight *sight = watch->sights; sight; sight = sight->next)
        if (!sight->gone && sight->dev == info.st_dev && sight->inode == info.st_ino &&
            strcmp(sight->folder, folder) == 0) {
            sight->wanted = true;
            return false;
        }
    if (!tells_of_changes(folder))
        watch->blind = true;
    return open_sight(watch, folder, &info);
}

static void read_trail(struct watch *watch)
{
    trail_free(&watch->trail);
    for (size_t i = 0; i < watch->count; i++)
        if (watch->followed[i].folder)
            trail_add_folder(&watch->trail, watch->followed[i].path);
        else
            free(trail_add(&watch->trail, watch->followed[i].path));
}

static bool want_sights(struct watch *watch)
{
    bool news = false;
    for (struct sight *sight = watch->sights; sight; sight = sight->next)
        sight->wanted = false;
    for (size_t i = 0; i < watch->trail.count; i++)
        news = want_sight(watch, watch->trail.steps[i].folder) || news;
    close_sights(watch, false);
    return news;
}

static void on_sweep(uv_timer_t *timer)
{
    look(timer->data);
}

/* A folder may have been swapped before its watch began: then the trail leads elsewhere now. */
static void follow_trail(struct watch *watch)
{
    bool news = true;
    for (int round = 0; news && round < ROUNDS_MAX; round++) {
        read_trail(watch);
        watch->blind = false;
        news = want_sights(watch);
    }
    uv_timer_start(&watch->sweep, on_sweep, watch->blind ? WATCH_POLL_MS : SWEEP_MS, 0);
}

/* ---- what has changed ---- */

static bool take_stamps(struct watch *watch)
{
    bool differ = false;
    for (size_t i = 0; i < watch->count; i++) {
        struct followed *one = &watch->followed[i];
        struct stamp now = one->folder ? stamp_folder(one->path) : stamp_file(one->path);
        differ = differ || !stamp_equal(&now, &one->stamp);
        one->stamp = now;
    }
    return differ;
}

static void look(struct watch *watch)
{
    follow_trail(watch);
    bool differ = take_stamps(watch) || watch->unsure;
    watch->unsure = false;
    if (differ)
        watch->changed(watch->owner);
}

/* ---- for its owner ---- */

struct watch *watch_new(uv_loop_t *loop, struct log *log, watch_changed *changed, void *owner)
{
    struct watch *watch = mem_new(sizeof(*watch));
    *watch = (struct watch){.loop = loop, .log = log, .changed = changed, .owner = owner, .handles = 2};
    uv_timer_init(loop, &watch->quiet);
    uv_timer_init(loop, &watch->sweep);
    watch->quiet.data = watch->sweep.data = watch;
    return watch;
}

/* The stamp that is known of it; none: it is new. */
static bool known(const struct watch *watch, const struct watched *watched, struct stamp *stamp)
{
    for (size_t i = 0; i < watch->count; i++)
        if (watch->followed[i].folder == watched->folder &&
            strcmp(watch->followed[i].path, watched->path) == 0) {
            *stamp = watch->followed[i].stamp;
            return true;
        }
    return false;
}

void watch_follow(struct watch *watch, const struct watch_set *set)
{
    struct followed *followed = mem_new((set->count + 1) * sizeof(*followed));
    bool news = false;
    for (size_t i = 0; i < set->count; i++) {
        const struct watched *watched = &set->list[i];
        followed[i] = (struct followed){.path = mem_copy(watched->path), .folder = watched->folder};
        news = !known(watch, watched, &followed[i].stamp) || news;
    }
    for (size_t i = 0; i < watch->count; i++)
        free(watch->followed[i].path);
    free(watch->followed);
    watch->followed = followed;
    watch->count = set->count;
    follow_trail(watch);
    watch->unsure = watch->unsure || news;
    if (news)
        expect_quiet(watch);
}

void watch_close(struct watch *watch)
{
    if (!watch)
        return;
    close_sights(watch, true);
    uv_close((uv_handle_t *)&watch->quiet, on_timer_closed);
    uv_close((uv_handle_t *)&watch->sweep, on_timer_closed);
}
