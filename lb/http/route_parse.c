#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lb/base/memory.h"
#include "lb/base/regex.h"
#include "lb/base/units.h"
#include "lb/http/route_parts.h"

bool route_refuse(const char **why, const char *format, ...)
{
    static _Thread_local char scratch[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(scratch, sizeof(scratch), format, arguments);
    va_end(arguments);
    *why = scratch;
    return false;
}

static bool blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

struct slice route_word(const char **at)
{
    while (blank(**at))
        ++*at;
    const char *start = *at;
    while (**at && !blank(**at))
        ++*at;
    return slice_make(start, (size_t)(*at - start));
}

bool route_after(struct slice text, const char *prefix, struct slice *rest)
{
    size_t len = strlen(prefix);
    if (text.len < len || memcmp(text.data, prefix, len) != 0)
        return false;
    *rest = slice_make(text.data + len, text.len - len);
    return true;
}

/* ---- conditions ---- */

enum condition {
    CONDITION_HOST,
    CONDITION_HOST_REGEX,
    CONDITION_PATH,
    CONDITION_PATH_EXACT,
    CONDITION_PATH_REGEX,
    CONDITION_METHOD,
    CONDITION_HEADER,
    CONDITION_CERTIFICATE,
};

/* How they are written; a longer word before the one that it begins with. `subject`: at most one of a
 * subject's. */
static const struct {
    const char *word;
    enum condition condition;
    char subject;
} CONDITIONS[] = {
    {"host=", CONDITION_HOST, 'h'},        {"host~", CONDITION_HOST_REGEX, 'h'},
    {"path==", CONDITION_PATH_EXACT, 'p'}, {"path=", CONDITION_PATH, 'p'},
    {"path~", CONDITION_PATH_REGEX, 'p'},  {"method=", CONDITION_METHOD, 'm'},
    {"header=", CONDITION_HEADER, 0},      {"certificate=", CONDITION_CERTIFICATE, 'c'},
};

static bool unknown_word(struct slice word, const char **why)
{
    static const char *const names[] = {"host",        "path",     "method",  "header",
                                        "certificate", "redirect", "respond", NULL};
    char name[64];
    size_t len = 0;
    while (len < word.len && len < sizeof(name) - 1 && !strchr("=~", word.data[len]))
        len++;
    memcpy(name, word.data, len);
    name[len] = '\0';
    const char *near = units_nearest(name, names);
    const char *mark = len == word.len ? "" : word.data[len] == '~' ? "~" : "=";
    if (near && (strcmp(near, "redirect") == 0 || strcmp(near, "respond") == 0))
        return route_refuse(why, "'%s%s' is an action: write it after '->', as in -> %s=STATUS", name, mark,
                            near);
    if (near && *mark == '~' && strcmp(near, "host") != 0 && strcmp(near, "path") != 0)
        return route_refuse(why, "'%s~': only host~ and path~ take a regular expression; write '%s='", name,
                            near);
    if (near)
        return route_refuse(why, "unknown word '%s%s': did you mean '%s%s'?", name, mark, near,
                            *mark ? mark : "=");
    return route_refuse(why,
                        "unknown word '%s%s': conditions are host=, path=, method=, header= and certificate=",
                        name, mark);
}

static bool read_value(enum condition condition, struct slice value, struct route *out, const char **why)
{
    switch (condition) {
    case CONDITION_HOST: return route_read_host(value, out, why);
    case CONDITION_HOST_REGEX: return route_read_regex(value, &out->host_regex, why);
    case CONDITION_PATH: return route_read_path(value, false, out, why);
    case CONDITION_PATH_EXACT: return route_read_path(value, true, out, why);
    case CONDITION_PATH_REGEX: return route_read_regex(value, &out->path_regex, why);
    case CONDITION_METHOD: return route_read_methods(value, out, why);
    case CONDITION_HEADER: return route_read_header(value, out, why);
    case CONDITION_CERTIFICATE: return route_read_certificate(value, out, why);
    }
    return false;
}

/* `seen`: the subjects so far, as a string. */
static bool note_subject(char subject, char *seen)
{
    if (subject == 0)
        return true;
    if (strchr(seen, subject))
        return false;
    seen[strlen(seen)] = subject;
    return true;
}

static bool read_condition(struct slice word, struct route *out, char *seen, const char **why)
{
    for (size_t i = 0; i < sizeof(CONDITIONS) / sizeof(CONDITIONS[0]); i++) {
        struct slice value;
        if (!route_after(word, CONDITIONS[i].word, &value))
            continue;
        if (!note_subject(CONDITIONS[i].subject, seen))
            return route_refuse(why, "'%s' is the second condition of its kind: write one route for each",
                                CONDITIONS[i].word);
        if (value.len == 0)
            return route_refuse(why, "nothing stands after '%s'", CONDITIONS[i].word);
        return read_value(CONDITIONS[i].condition, value, out, why);
    }
    return unknown_word(word, why);
}

static bool no_arrow(const char *text, const char **why)
{
    if (strstr(text, "->"))
        return route_refuse(why, "there is no '->' with a blank on either side: write conditions -> backend");
    return route_refuse(why, "there is no '->': write conditions -> backend");
}

static bool has_arrow(const char *text)
{
    struct slice word;
    while ((word = route_word(&text)).len > 0)
        if (slice_is(word, "->"))
            return true;
    return false;
}

static bool read_line(const char *text, struct route *out, const char **why)
{
    char seen[8] = "";
    struct slice word;
    if (!has_arrow(text))
        return no_arrow(text, why);
    for (word = route_word(&text); !slice_is(word, "->"); word = route_word(&text))
        if (!read_condition(word, out, seen, why))
            return false;
    return route_read_action(text, out, why);
}

bool route_parse(const char *text, struct route *out, const char **why)
{
    *out = (struct route){.exact = false};
    if (read_line(text, out, why))
        return true;
    route_release(out);
    return false;
}

void route_release(struct route *route)
{
    for (size_t i = 0; i < route->method_count; i++)
        free(route->methods[i]);
    for (size_t i = 0; i < route->header_count; i++) {
        free(route->headers[i].name);
        free(route->headers[i].value);
    }
    free(route->methods);
    free(route->headers);
    free(route->host);
    free(route->path);
    regex_free(route->host_regex);
    regex_free(route->path_regex);
    free(route->backend_name);
    free(route->rewrite);
    free(route->text);
    *route = (struct route){.exact = false};
}
