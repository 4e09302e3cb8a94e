/* The values of [backend NAME] that have a form of their own. */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "lb/base/memory.h"
#include "lb/base/units.h"
#include "lb/config/backend_section.h"
#include "lb/config/values.h"

#define FIELD(type, field) .offset = offsetof(struct type, field), .size = sizeof(((struct type *)0)->field)

static const struct choice server_tls[] = {{"yes", SAYS_TLS}, {"no", SAYS_PLAIN}, {NULL, 0}};

/* The words `name=value` behind a value are rows like the keys themselves. */
static const struct key server_words[] = {
    {.name = "weight", .type = VALUE_NUMBER, .min = 0, .max = 256, FIELD(member, weight)},
    {.name = "max-connections",
     .type = VALUE_NUMBER,
     .min = 0,
     .max = 10000000,
     FIELD(member, max_connections)},
    {.name = "tls", .type = VALUE_CHOICE, .choices = server_tls, FIELD(member_section, tls)},
    {.name = "verify-host", .type = VALUE_OWN, .parse = value_member_host, .form = "a name or an address"},
    {.name = NULL},
};

static const struct key health_words[] = {
    {.name = "interval",
     .type = VALUE_DURATION,
     .min = 10,
     .max = 3600000,
     FIELD(health_settings, interval_ms)},
    {.name = "timeout",
     .type = VALUE_DURATION,
     .min = 10,
     .max = 3600000,
     FIELD(health_settings, timeout_ms)},
    {.name = "fall", .type = VALUE_NUMBER, .min = 1, .max = 1000, FIELD(health_settings, fall)},
    {.name = "rise", .type = VALUE_NUMBER, .min = 1, .max = 1000, FIELD(health_settings, rise)},
    {.name = NULL},
};

static const struct key *find_word(const struct key *words, const char *name)
{
    while (words->name && strcmp(words->name, name) != 0)
        words++;
    return words->name ? words : NULL;
}

static bool unknown_word(const struct setting *setting, const char *word, const struct key *words)
{
    const char *names[8];
    size_t count = 0;
    for (; words->name; words++)
        names[count++] = words->name;
    names[count] = NULL;
    const char *near = units_nearest(word, names);
    problems_add(setting->problems, setting->place, "%s = %.100s: unknown word '%.60s'%s%s%s", setting->name,
                 setting->value, word, near ? "; did you mean '" : "", near ? near : "", near ? "='?" : "");
    return false;
}

/* One `name=value`; `word` is changed. */
static bool read_word(const struct setting *setting, char *word, const struct key *words, void *object,
                      unsigned *seen)
{
    char *equals = strchr(word, '=');
    if (equals)
        *equals = '\0';
    const struct key *key = equals ? find_word(words, word) : NULL;
    if (!key)
        return unknown_word(setting, word, words);
    unsigned bit = 1u << (key - words);
    if (*seen & bit)
        return value_refuse(setting, "a word stands there twice: keep one");
    *seen |= bit;
    return value_store(key,
                       &(struct setting){word, equals + 1, setting->place, setting->problems,
                                         setting->resolve},
                       object);
}

static bool read_words(const struct setting *setting, const char *at, const struct key *words, void *object)
{
    unsigned seen = 0;
    bool good = true;
    for (struct slice word = value_word(&at, ""); word.len; word = value_word(&at, "")) {
        char *copy = mem_copy_n(word.data, word.len);
        good = read_word(setting, copy, words, object, &seen) && good;
        free(copy);
    }
    return good;
}

bool value_health(const struct setting *setting, void *object)
{
    struct health_settings *health = &((struct backend *)object)->health;
    const char *at = setting->value;
    struct slice kind = value_word(&at, "");
    *health = (struct health_settings){HEALTH_OFF, 2000, 1000, 3, 2};
    if (slice_is(kind, "tcp"))
        health->kind = HEALTH_TCP;
    else if (!slice_is(kind, "off"))
        return value_refuse(setting, "unknown kind of check: write off or tcp");
    if (health->kind == HEALTH_OFF && value_word(&at, "").len)
        return value_refuse(setting, "nothing follows 'off'");
    return read_words(setting, at, health_words, health);
}

static bool is_host_name(const char *text, const char *colon)
{
    const char *label = text;
    if (colon == text || colon - text > 253)
        return false;
    for (const char *at = text; at < colon; at++) {
        if (!isalnum((unsigned char)*at) && !strchr("_.-", *at))
            return false;
        if (*at == '.')
            label = at + 1;
    }
    /* A name whose last label is a number is an IPv4 address gone wrong (RFC 1123 section 2.1). */
    return strspn(label, "0123456789") < (size_t)(colon - label);
}

/* Whether it reads as "name:port"; *why says what the numeric form lacks otherwise. */
static bool is_host_address(const char *text, const char **why)
{
    char port[64];
    struct addr ignored;
    const char *colon = strrchr(text, ':');
    if (!colon || !is_host_name(text, colon))
        return false;
    if ((size_t)snprintf(port, sizeof(port), "0.0.0.0%s", colon) >= sizeof(port))
        return false;
    return addr_parse(port, &ignored, why);
}

static bool read_address(const struct setting *setting, struct member *member)
{
    const char *why;
    member->resolved = addr_parse(member->addr_text, &member->addr, &why);
    if (member->resolved)
        return true;
    if (!is_host_address(member->addr_text, &why)) {
        problems_add(setting->problems, setting->place, "server %s: %.100s: %s", member->name,
                     member->addr_text, why);
        return false;
    }
    if (!setting->resolve)
        return true;
    member->resolved = addr_resolve(member->addr_text, &member->addr, &why);
    if (!member->resolved)
        problems_warn(
            setting->problems, setting->place,
            "server %s: %s cannot be looked up (%s): it gets no connections until a reload finds it",
            member->name, member->addr_text, why);
    return true;
}

/* The same as written, or the same numbers; two names may lead to one address. */
static bool same_address(const struct member *a, const struct member *b)
{
    struct addr first, second;
    const char *why;
    return strcmp(a->addr_text, b->addr_text) == 0 ||
           (addr_parse(a->addr_text, &first, &why) && addr_parse(b->addr_text, &second, &why) &&
            addr_equal(&first, &second));
}

static bool is_new(const struct setting *setting, const struct backend *backend, const struct member *member)
{
    for (size_t i = 0; i < backend->member_count; i++) {
        const struct member *other = &backend->members[i];
        bool name = strcmp(other->name, member->name) == 0;
        if (!name && !same_address(other, member))
            continue;
        problems_add(setting->problems, setting->place, "server %s: the %s is already that of server %s: %s",
                     member->name, name ? "name" : "address", other->name,
                     name ? "give each a name of its own" : "use weight= to give it more connections");
        return false;
    }
    return true;
}

static void drop(struct member_section *line)
{
    free(line->member.name);
    free(line->member.addr_text);
    free(line->host);
}

static void add(struct backend_section *section, const struct member_section *line)
{
    struct backend *backend = &section->backend;
    size_t count = backend->member_count + 1;
    backend->members = mem_grow(backend->members, count * sizeof(*backend->members));
    section->lines = mem_grow(section->lines, count * sizeof(*section->lines));
    backend->members[backend->member_count] = line->member;
    section->lines[backend->member_count++] = *line;
}

bool value_server(const struct setting *setting, void *object)
{
    struct backend_section *section = object;
    struct backend *backend = &section->backend;
    struct member_section line = {.member = {.weight = 1}, .number = setting->place.line};
    struct member *member = &line.member;
    const char *at = setting->value;
    struct slice name = value_word(&at, ""), address = value_word(&at, "");
    if (!value_is_name(name))
        return value_refuse(setting, "write NAME ADDRESS; " VALUE_NAME_RULE);
    if (address.len == 0)
        return value_refuse(setting, "the address is missing: write NAME ADDRESS");
    if (backend->member_count == BACKEND_MEMBERS_MAX)
        return value_refuse(setting, "a backend has at most 1024 servers");
    member->name = mem_copy_n(name.data, name.len);
    member->addr_text = mem_copy_n(address.data, address.len);
    bool good = read_address(setting, member);
    good = read_words(setting, at, server_words, &line) && good;
    good = good && is_new(setting, backend, member);
    if (good)
        add(section, &line);
    else
        drop(&line);
    return good;
}
