/* The values that mean something to http listeners and have a form of their own. */
#include <stdlib.h>
#include <strings.h>

#include "lb/base/memory.h"
#include "lb/base/units.h"
#include "lb/config/config.h"
#include "lb/config/values.h"

_Static_assert(HEADER_COUNT <= 64, "http_settings.identity has one bit for each field");

bool value_route(const struct setting *setting, void *object)
{
    struct http_settings *http = &((struct listener *)object)->http;
    struct route route;
    const char *why;
    if (!route_parse(setting->value, &route, &why))
        return value_refuse(setting, why);
    route.place = setting->place;
    route.index = http->route_count;
    http->routes = mem_grow(http->routes, (http->route_count + 1) * sizeof(route));
    http->routes[http->route_count++] = route;
    return true;
}

static bool refuse_field(const struct setting *setting, struct slice word)
{
    const char *const *names = forward_identity_names();
    char *name = mem_copy_n(word.data, word.len);
    const char *near = units_nearest(name, names);
    problems_add(setting->problems, setting->place, "%s: there is no '%.60s': %s %s", setting->name, name,
                 near ? "did you mean" : "write off, all, or names such as", near ? near : names[0]);
    free(name);
    return false;
}

static uint64_t every_field(void)
{
    uint64_t bits = 0;
    for (const char *const *names = forward_identity_names(); *names; names++)
        bits |= UINT64_C(1) << forward_identity(slice_of(*names));
    return bits;
}

static bool add_field(const struct setting *setting, struct slice word, uint64_t *bits)
{
    if (slice_is(word, "off") || slice_is(word, "all"))
        return value_refuse(setting, "off and all stand alone");
    enum field_id id = forward_identity(word);
    if (id == HEADER_OTHER)
        return refuse_field(setting, word);
    if (*bits & UINT64_C(1) << id)
        return value_refuse(setting, "a name stands there twice: keep one");
    *bits |= UINT64_C(1) << id;
    return true;
}

bool value_certificate_headers(const struct setting *setting, void *object)
{
    uint64_t *identity = &((struct listener *)object)->http.identity;
    const char *at = setting->value;
    uint64_t bits = 0;
    bool good = true;
    *identity = strcmp(setting->value, "all") == 0 ? every_field() : 0;
    if (strcmp(setting->value, "all") == 0 || strcmp(setting->value, "off") == 0)
        return true;
    struct slice word = value_word(&at, ",");
    if (word.len == 0)
        return value_refuse(setting, "there is no name in the list");
    for (; word.len; word = value_word(&at, ","))
        good = add_field(setting, word, &bits) && good;
    *identity = bits;
    return good;
}

static const char *type_of(struct slice path)
{
    static const struct {
        const char *suffix, *type;
    } types[] = {{".html", "text/html; charset=utf-8"},
                 {".json", "application/json"},
                 {".txt", "text/plain; charset=utf-8"}};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        size_t len = strlen(types[i].suffix);
        if (path.len > len && strncasecmp(path.data + path.len - len, types[i].suffix, len) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}

static bool read_status(struct slice word, unsigned *status)
{
    uint64_t number = 0;
    const char *why;
    char *text = mem_copy_n(word.data, word.len);
    bool good = units_number(text, &number, &why) && number >= 400 && number <= 599;
    *status = good ? (unsigned)number : 0;
    free(text);
    return good;
}

bool value_error_page(const struct setting *setting, void *object)
{
    struct http_settings *http = &((struct listener *)object)->http;
    struct error_page page = {0};
    const char *at = setting->value;
    struct slice status = value_word(&at, ""), path = value_word(&at, "");
    if (!read_status(status, &page.status) || path.len == 0 || value_word(&at, "").len)
        return value_refuse(setting, "write STATUS PATH: a status of 400 to 599, and a path without blanks");
    for (size_t i = 0; i < http->page_count; i++)
        if (http->pages[i].status == page.status)
            return value_refuse(setting, "the status has a page already: keep one");
    page.path = mem_copy_n(path.data, path.len);
    page.type = type_of(path);
    http->pages = mem_grow(http->pages, (http->page_count + 1) * sizeof(page));
    http->pages[http->page_count++] = page;
    return true;
}

bool value_host(const struct setting *setting, void *object)
{
    struct backend *backend = object;
    char host[HTTP_HOST_MAX];
    unsigned port;
    free(backend->host);
    backend->host = NULL;
    if (strcmp(setting->value, "keep") == 0)
        return true;
    if (!http_host_normalize(slice_of(setting->value), host, &port))
        return value_refuse(setting, "write keep, or a host name with a port or without: app.example:8080");
    backend->host = port ? mem_printf("%s:%u", host, port) : mem_copy(host);
    return true;
}
