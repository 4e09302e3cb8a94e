#include "lb/run/trail.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lb/base/memory.h"
#include "lb/base/slice.h"

#define LINKS_MAX 10000 /* in one folder that are followed */

/* A path on the way. */
struct walk {
    char *folder; /* reached so far: absolute, no links */
    char *rest;   /* still to go */
    unsigned links;
};

static bool is_there(const struct trail *trail, const char *folder, const char *name)
{
    for (size_t i = 0; i < trail->count; i++)
        if (same_string(trail->steps[i].name, name) && strcmp(trail->steps[i].folder, folder) == 0)
            return true;
    return false;
}

static void add_step(struct trail *trail, const char *folder, const char *name)
{
    if (is_there(trail, folder, NULL) || is_there(trail, folder, name))
        return;
    if (trail->count == trail->room) {
        trail->room = trail->room ? trail->room * 2 : 16;
        trail->steps = mem_grow(trail->steps, trail->room * sizeof(*trail->steps));
    }
    trail->steps[trail->count++] = (struct trail_step){mem_copy(folder), mem_copy(name)};
}

static char *join(const char *folder, const char *name)
{
    return mem_printf("%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name);
}

static void replace(char **text, char *with)
{
    free(*text);
    *text = with;
}

/* Takes the next element off the rest; NULL at the end. */
static char *next_element(struct walk *walk)
{
    const char *start = walk->rest + strspn(walk->rest, "/");
    size_t len = strcspn(start, "/");
    if (len == 0)
        return NULL;
    char *element = mem_copy_n(start, len);
    replace(&walk->rest, mem_copy(start + len));
    return element;
}

static void go_up(struct walk *walk)
{
    char *slash = strrchr(walk->folder, '/');
    slash[slash == walk->folder ? 1 : 0] = '\0';
}

/* What the link says comes before the rest. */
static bool follow_link(struct walk *walk, const char *link)
{
    char target[PATH_MAX];
    ssize_t len = readlink(link, target, sizeof(target) - 1);
    if (len <= 0 || ++walk->links > TRAIL_LINKS_MAX || strlen(walk->rest) > PATH_MAX)
        return false;
    target[len] = '\0';
    if (target[0] == '/')
        replace(&walk->folder, mem_copy("/"));
    replace(&walk->rest, mem_printf("%s/%s", target, walk->rest));
    return true;
}

/* Goes on by one named entry. True: there may be more to go. *end is set where a file ends the path. */
static bool enter(struct trail *trail, struct walk *walk, const char *name, char **end)
{
    struct stat info;
    bool more = false;
    char *path = join(walk->folder, name);
    add_step(trail, walk->folder, name);
    if (lstat(path, &info) == 0) {
        if (S_ISLNK(info.st_mode)) {
            more = follow_link(walk, path);
        } else if (S_ISDIR(info.st_mode)) {
            replace(&walk->folder, mem_copy(path));
            more = true;
        } else if (walk->rest[strspn(walk->rest, "/")] == '\0') {
            *end = mem_copy(path);
        }
    }
    free(path);
    return more;
}

/* One element; false at the end of the way. */
static bool step(struct trail *trail, struct walk *walk, char **end)
{
    char *element = next_element(walk);
    bool more = true;
    if (!element) {
        *end = mem_copy(walk->folder);
        return false;
    }
    if (strcmp(element, "..") == 0)
        go_up(walk);
    else if (strcmp(element, ".") != 0)
        more = enter(trail, walk, element, end);
    free(element);
    return more;
}

char *trail_add(struct trail *trail, const char *path)
{
    char here[PATH_MAX], *end = NULL;
    if (path[0] != '/' && !getcwd(here, sizeof(here)))
        return NULL;
    struct walk walk = {mem_copy(path[0] == '/' ? "/" : here), mem_copy(path), 0};
    while (step(trail, &walk, &end)) {
    }
    free(walk.folder);
    free(walk.rest);
    return end;
}

/* What is no link is an entry of the folder and nothing else. */
static void add_links(struct trail *trail, const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    if (!folder)
        return;
    for (size_t links = 0; links < LINKS_MAX && (entry = readdir(folder));) {
        if (entry->d_name[0] == '.' || (entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN))
            continue;
        links++;
        char *name = join(path, entry->d_name);
        free(trail_add(trail, name));
        free(name);
    }
    closedir(folder);
}

void trail_add_folder(struct trail *trail, const char *path)
{
    char *end = trail_add(trail, path);
    struct stat info;
    if (end && stat(end, &info) == 0 && S_ISDIR(info.st_mode)) {
        add_step(trail, end, NULL);
        add_links(trail, end);
    }
    free(end);
}

bool trail_has(const struct trail *trail, const char *folder, const char *name)
{
    for (size_t i = 0; i < trail->count; i++) {
        const struct trail_step *one = &trail->steps[i];
        if (strcmp(one->folder, folder) == 0 && (!name || !one->name || strcmp(one->name, name) == 0))
            return true;
    }
    return false;
}

void trail_free(struct trail *trail)
{
    for (size_t i = 0; i < trail->count; i++) {
        free(trail->steps[i].folder);
        free(trail->steps[i].name);
    }
    free(trail->steps);
    *trail = (struct trail){0};
}
