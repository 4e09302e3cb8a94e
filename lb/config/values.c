#include "lb/config/values.h"

#include <ctype.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "lb/base/addr.h"
#include "lb/base/memory.h"
#include "lb/base/text.h"
#include "lb/base/units.h"
#include "lb/config/config.h"

#define CHOICES_MAX 16
#define WORKERS_MAX 256

bool value_refuse(const struct setting *setting, const char *why)
{
    /* inih takes only " ;" for a comment behind a value; a '#' there is meant as one more often than not. */
    const char *hint = strstr(setting->value, " #") ? " (a comment behind a value begins with ' ;')" : "";
    problems_add(setting->problems, setting->place, "%s = %.100s: %s%s", setting->name, setting->value, why,
                 hint);
    return false;
}

struct slice value_word(const char **at, const char *separators)
{
    const char *start = *at;
    while (*start && (isblank((unsigned char)*start) || strchr(separators, *start)))
        start++;
    const char *end = start;
    while (*end && !isblank((unsigned char)*end) && !strchr(separators, *end))
        end++;
    *at = end;
    return slice_make(start, (size_t)(end - start));
}

bool value_is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!isalnum((unsigned char)name.data[i]) && !memchr("_.-", name.data[i], 3))
            return false;
    return name.len >= 1 && name.len <= 48;
}

static void put_number(const struct key *key, void *object, uint64_t number)
{
    char *field = (char *)object + key->offset;
    if (key->size == sizeof(uint64_t))
        memcpy(field, &number, sizeof(number));
    else if (key->size == sizeof(bool))
        memcpy(field, &(bool){number != 0}, sizeof(bool));
    else
        memcpy(field, &(unsigned){(unsigned)number}, sizeof(unsigned));
}

static void put_text(const struct key *key, void *object, const char *value)
{
    char **field = (char **)(void *)((char *)object + key->offset);
    free(*field);
    *field = mem_copy(value);
}

void value_format(enum value_type type, uint64_t number, char *out)
{
    static const struct {
        uint64_t factor;
        const char *suffix;
    } times[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}},
      sizes[] = {{1u << 30, "g"}, {1u << 20, "m"}, {1u << 10, "k"}, {1, ""}};
    size_t i = 0;
    if (number > 0 && type == VALUE_DURATION) {
        while (number % times[i].factor)
            i++;
        snprintf(out, 32, "%" PRIu64 "%s", number / times[i].factor, times[i].suffix);
    } else if (number > 0 && type == VALUE_SIZE) {
        while (number % sizes[i].factor)
            i++;
        snprintf(out, 32, "%" PRIu64 "%s", number / sizes[i].factor, sizes[i].suffix);
    } else {
        snprintf(out, 32, "%" PRIu64, number);
    }
}

static bool store_number(const struct key *key, const struct setting *setting, void *object)
{
    uint64_t number;
    const char *why;
    bool read = key->type == VALUE_SIZE       ? units_size(setting->value, &number, &why)
                : key->type == VALUE_DURATION ? units_duration(setting->value, &number, &why)
                                              : units_number(setting->value, &number, &why);
    if (!read)
        return value_refuse(setting, why);
    if (number < key->min || number > key->max) {
        char low[32], high[32], text[96];
        value_format(key->type, key->min, low);
        value_format(key->type, key->max, high);
        snprintf(text, sizeof(text), "out of range: write %s to %s", low, high);
        return value_refuse(setting, text);
    }
    put_number(key, object, number);
    return true;
}

static bool store_bool(const struct key *key, const struct setting *setting, void *object)
{
    const char *why;
    bool value;
    if (!units_bool(setting->value, &value, &why))
        return value_refuse(setting, why);
    memcpy((char *)object + key->offset, &value, sizeof(value));
    return true;
}

static void join(struct text *out, const char *const *words, const char *last)
{
    for (size_t i = 0; words[i]; i++)
        text_addf(out, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : last, words[i]);
}

/* Adds "name = value: unknown" with the words there are; false. */
static bool refuse_word(const struct setting *setting, const char *const *words)
{
    char buffer[512];
    struct text out;
    const char *near = units_nearest(setting->value, words);
    text_init(&out, buffer, sizeof(buffer));
    text_adds(&out, "unknown; ");
    if (near)
        text_addf(&out, "did you mean '%s'? Write ", near);
    else
        text_adds(&out, "write ");
    join(&out, words, " or ");
    return value_refuse(setting, buffer);
}

static void choice_names(const struct choice *choices, const char **names)
{
    size_t count = 0;
    for (; choices->name && count < CHOICES_MAX; choices++)
        if (!choices->gone)
            names[count++] = choices->name;
    names[count] = NULL;
}

static bool store_choice(const struct key *key, const struct setting *setting, void *object)
{
    const char *names[CHOICES_MAX + 1];
    for (const struct choice *choice = key->choices; choice->name; choice++)
        if (strcmp(choice->name, setting->value) == 0) {
            if (choice->gone)
                return value_refuse(setting, choice->gone);
            put_number(key, object, (uint64_t)choice->value);
            return true;
        }
    choice_names(key->choices, names);
    return refuse_word(setting, names);
}

bool value_store(const struct key *key, const struct setting *setting, void *object)
{
    if (!*setting->value && !(key->flags & KEY_EMPTY)) {
        problems_add(setting->problems, setting->place,
                     "'%s' has an empty value: give one, or remove the line", setting->name);
        return false;
    }
    switch (key->type) {
    case VALUE_NUMBER:
    case VALUE_SIZE:
    case VALUE_DURATION: return store_number(key, setting, object);
    case VALUE_BOOL: return store_bool(key, setting, object);
    case VALUE_CHOICE: return store_choice(key, setting, object);
    case VALUE_TEXT: put_text(key, object, setting->value); return true;
    case VALUE_OWN: break;
    }
    return key->parse(setting, object);
}

void value_form(const struct key *key, char *out, size_t size)
{
    char low[32], high[32];
    const char *names[CHOICES_MAX + 1];
    struct text text;
    text_init(&text, out, size);
    value_format(key->type, key->min, low);
    value_format(key->type, key->max, high);
    switch (key->type) {
    case VALUE_NUMBER: text_addf(&text, "number, %s to %s", low, high); break;
    case VALUE_SIZE: text_addf(&text, "size, %s to %s", low, high); break;
    case VALUE_DURATION: text_addf(&text, "duration, %s to %s", low, high); break;
    case VALUE_BOOL: text_adds(&text, "yes or no"); break;
    case VALUE_CHOICE:
        choice_names(key->choices, names);
        join(&text, names, " or ");
        break;
    case VALUE_TEXT:
    case VALUE_OWN:
        if (key->names)
            join(&text, key->names(), " or ");
        else
            text_adds(&text, key->form);
    }
}

static uint64_t cpu_count(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    return count < 1 ? 1 : count > WORKERS_MAX ? WORKERS_MAX : (uint64_t)count;
}

bool value_workers(const struct setting *setting, void *object)
{
    struct config *config = object;
    const char *why;
    uint64_t number;
    if (strcmp(setting->value, "auto") == 0)
        number = cpu_count();
    else if (!units_number(setting->value, &number, &why) || number < 1 || number > WORKERS_MAX)
        return value_refuse(setting, "write auto, or a number from 1 to 256");
    config->workers = number;
    return true;
}

bool value_admin(const struct setting *setting, void *object)
{
    struct config *config = object;
    struct addr addr;
    const char *why = NULL;
    free(config->admin);
    config->admin = NULL;
    if (strcmp(setting->value, "off") == 0)
        return true;
    if (strncmp(setting->value, "unix:", 5) != 0)
        return value_refuse(setting, "write off or unix:PATH; the admin socket is never open to the network");
    if (!addr_parse(setting->value, &addr, &why))
        return value_refuse(setting, why);
    config->admin = mem_copy(setting->value + 5);
    return true;
}

bool value_balance(const struct setting *setting, void *object)
{
    struct backend *backend = object;
    const struct policy *policy = policy_find(setting->value);
    if (!policy)
        return refuse_word(setting, policy_names());
    backend->policy = policy;
    return true;
}
