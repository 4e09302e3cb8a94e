#include "lb/config/source.h"

#include <stdlib.h>

#include "lb/base/memory.h"
#include "lb/base/units.h"
#include "lb/config/expand.h"
#include "lb/config/reader.h"
#include "lb/config/values.h"

static const char *const kinds[] = {"global", "defaults", "listener", "backend", "certificate", NULL};

static bool named(enum section_kind kind)
{
    return kind == SECTION_LISTENER || kind == SECTION_BACKEND || kind == SECTION_CERTIFICATE;
}

static struct section *current(struct source *source)
{
    return &source->sections[source->count - 1];
}

static struct section *append_section(struct source *source, struct place place)
{
    source->sections = mem_grow(source->sections, (source->count + 1) * sizeof(*source->sections));
    source->sections[source->count++] = (struct section){.place = place, .ignored = true};
    return current(source);
}

static bool find_kind(struct source *source, struct place place, struct slice word, enum section_kind *kind)
{
    char copy[64];
    for (int i = 0; kinds[i]; i++)
        if (slice_is(word, kinds[i])) {
            *kind = (enum section_kind)i;
            return true;
        }
    size_t len = word.len < sizeof(copy) ? word.len : sizeof(copy) - 1;
    memcpy(copy, word.data, len);
    copy[len] = '\0';
    const char *near = units_nearest(copy, kinds);
    problems_add(
        source->problems, place,
        "unknown section [%s]%s%s%s; there are [global], [defaults], [listener NAME], [backend NAME] and "
        "[certificate NAME]",
        copy, near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
    return false;
}

static bool check_name(struct source *source, struct place place, enum section_kind kind, struct slice name)
{
    const char *word = kinds[kind];
    char host[VALUE_HOST_MAX];
    if (!named(kind) && name.len > 0)
        problems_add(source->problems, place, "[%s] has no name: write [%s]", word, word);
    else if (named(kind) && name.len == 0)
        problems_add(source->problems, place, "[%s] needs a name: write [%s NAME]", word, word);
    else if (kind == SECTION_CERTIFICATE && !value_host_pattern(name, host))
        problems_add(source->problems, place,
                     "[certificate %.*s]: NAME is a host name, or '*.' and a host name", (int)name.len,
                     name.data);
    else if (named(kind) && kind != SECTION_CERTIFICATE && !value_is_name(name))
        problems_add(source->problems, place, "[%s %.*s]: " VALUE_NAME_RULE, word, (int)name.len, name.data);
    else
        return true;
    return false;
}

/* Host names in their one form, so that two spellings of one name are the same section. */
static char *section_name(enum section_kind kind, struct slice name)
{
    char host[VALUE_HOST_MAX];
    if (kind == SECTION_CERTIFICATE && value_host_pattern(name, host))
        return mem_copy(host);
    return name.len ? mem_copy_n(name.data, name.len) : NULL;
}

static bool same(const struct section *a, const struct section *b)
{
    return !a->ignored && a->kind == b->kind && (!named(a->kind) || strcmp(a->name, b->name) == 0);
}

static void check_repeated(struct source *source, struct section *section)
{
    for (const struct section *other = source->sections; other < section && !section->repeated; other++) {
        if (!same(other, section))
            continue;
        section->repeated = true;
        problems_add(source->problems, section->place, "[%s%s%s] is already at %s:%u: %s",
                     kinds[section->kind], section->name ? " " : "", section->name ? section->name : "",
                     other->place.file, other->place.line,
                     section->name ? "merge the two, or rename one" : "merge the two");
    }
}

static void take_section(void *context, struct slice heading, struct place place)
{
    struct source *source = context;
    struct section *section = append_section(source, place);
    enum section_kind kind;
    if (!heading.data)
        return;
    char *text = mem_copy_n(heading.data, heading.len);
    const char *at = text;
    struct slice word = value_word(&at, "");
    struct slice name = slice_of(at + strspn(at, " \t"));
    if (find_kind(source, place, word, &kind) && check_name(source, place, kind, name)) {
        section->kind = kind;
        section->name = section_name(kind, name);
        check_repeated(source, section);
        section->ignored = false;
    }
    free(text);
}

/* An unknown key: what was meant, or where it belongs. */
static void refuse_key(struct source *source, enum section_kind kind, const char *name, struct place place)
{
    const char *near = keys_nearest(kind, name), *gone = keys_gone(kind, name);
    if (gone) {
        problems_add(source->problems, place, "'%s' is gone: %s", name, gone);
        return;
    }
    for (int other = 0; other < SECTION_KINDS; other++) {
        const struct key *key = keys_find((enum section_kind)other, name);
        if (!key)
            continue;
        problems_add(source->problems, place, "'%s' %s %s, but in %s", name,
                     kind == SECTION_DEFAULTS ? "can have no default: it does not belong in"
                                              : "does not belong in",
                     keys_heading(kind), keys_heading(key->kind));
        return;
    }
    problems_add(source->problems, place, "unknown key '%.60s' in %s%s%s%s", name, keys_heading(kind),
                 near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static bool already_there(struct source *source, const struct section *section, const struct key *key,
                          const char *name, struct place place)
{
    const struct entry *other = section_entry(section, name);
    if (!other || key->flags & KEY_REPEAT)
        return false;
    problems_add(source->problems, place, "'%s' is already set in line %u of this section: keep one", name,
                 other->place.line);
    return true;
}

static void take_setting(void *context, const char *name, const char *value, struct place place)
{
    struct source *source = context;
    if (source->count == 0 || strcmp(current(source)->place.file, place.file) != 0) {
        problems_add(source->problems, place,
                     "'%.60s' stands before any section: begin with [global], [listener NAME] ...", name);
        return;
    }
    struct section *section = current(source);
    if (section->ignored)
        return;
    const struct key *key = keys_find(section->kind, name);
    if (!key) {
        refuse_key(source, section->kind, name, place);
        return;
    }
    if (already_there(source, section, key, name, place))
        return;
    char *expanded = expand_value(value, place, source->problems);
    section->entries = mem_grow(section->entries, (section->count + 1) * sizeof(*section->entries));
    section->entries[section->count++] = (struct entry){
        .key = key, .name = mem_copy(name), .value = expanded, .place = place, .bad = !expanded};
}

void source_read(struct source *source, const char *file, struct slice text)
{
    static const struct reader_events events = {take_section, take_setting};
    reader_run(text, file, &events, source, source->problems);
}

const struct entry *section_entry(const struct section *section, const char *name)
{
    for (size_t i = 0; section && i < section->count; i++)
        if (strcmp(section->entries[i].name, name) == 0)
            return &section->entries[i];
    return NULL;
}

void source_free(struct source *source)
{
    for (size_t i = 0; i < source->count; i++) {
        struct section *section = &source->sections[i];
        for (size_t j = 0; j < section->count; j++) {
            free(section->entries[j].name);
            free(section->entries[j].value);
        }
        free(section->entries);
        free(section->name);
    }
    free(source->sections);
    *source = (struct source){0};
}
