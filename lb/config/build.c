#include "lb/config/build.h"

#include <stdlib.h>

#include "lb/base/memory.h"
#include "lb/config/values.h"

static const char built_in[] =
    "built-in default"; /* a place for what no file says; nothing is ever wrong there */

static void apply_fallbacks(enum section_kind kind, void *object, struct problems *problems)
{
    for (const struct key *key = keys; key->name; key++)
        if (key->kind == kind && key->fallback)
            value_store(key, &(struct setting){key->name, key->fallback, {built_in, 0}, problems, false},
                        object);
}

static void apply(struct entry *entry, void *object, struct problems *problems, bool resolve)
{
    struct setting setting = {entry->name, entry->value, entry->place, problems, resolve};
    if (!entry->bad && !value_store(entry->key, &setting, object))
        entry->bad = true;
}

/* The entries of [defaults] that are for this kind, save those that the section has itself. */
static void apply_defaults(struct section *defaults, const struct section *section, void *object,
                           struct problems *problems)
{
    for (size_t i = 0; defaults && i < defaults->count; i++) {
        struct entry *entry = &defaults->entries[i];
        if (entry->key->kind == section->kind && !section_entry(section, entry->name))
            apply(entry, object, problems, false);
    }
}

static void apply_section(struct section *section, void *object, struct problems *problems, bool resolve)
{
    for (size_t i = 0; i < section->count; i++)
        apply(&section->entries[i], object, problems, resolve);
}

static void free_tls(struct tls_settings *tls)
{
    struct tls_file *files[] = {&tls->certificate, &tls->key, &tls->client_ca, &tls->client_crl,
                                &tls->ocsp_signer};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        free(files[i]->path);
        if (files[i]->data)
            explicit_bzero(files[i]->data, files[i]->len); /* one of them is a private key */
        free(files[i]->data);
    }
    free(tls->ocsp_url);
    free(tls->ciphers);
    free(tls->groups);
    free(tls->alpn);
}

static void free_http(struct http_settings *http)
{
    if (http->table)
        route_table_free(http->table);
    for (size_t i = 0; i < http->route_count; i++)
        route_release(&http->routes[i]);
    for (size_t i = 0; i < http->page_count; i++) {
        free(http->pages[i].path);
        free(http->pages[i].body);
    }
    free(http->routes);
    free(http->pages);
    free(http->trusted);
}

static void free_listener(struct listener *listener)
{
    for (size_t i = 0; i < listener->bind_count; i++)
        free(listener->binds[i].text);
    for (size_t i = 0; i < listener->script.option_count; i++) {
        free(listener->script.options[i].name);
        free(listener->script.options[i].value);
    }
    free(listener->name);
    free(listener->binds);
    free_tls(&listener->tls);
    free_http(&listener->http);
    free(listener->script.path);
    free(listener->script.options);
    free(listener->backend_name);
}

static void free_backend(struct backend *backend)
{
    for (size_t i = 0; i < backend->member_count; i++) {
        free(backend->members[i].name);
        free(backend->members[i].addr_text);
    }
    free(backend->name);
    free(backend->host);
    free(backend->members);
}

void config_destroy(struct config *config)
{
    for (size_t i = 0; i < config->file_count; i++)
        free(config->files[i]);
    for (size_t i = 0; i < config->listener_count; i++)
        free_listener(&config->listeners[i]);
    for (size_t i = 0; i < config->backend_count; i++)
        free_backend(&config->backends[i]);
    free(config->files);
    free(config->listeners);
    free(config->backends);
    free(config->admin);
    free(config->log_target);
    free(config);
}

/* A wrong default is one problem, however many listeners it would reach: it is tried once, on objects of no
 * use. */
static void try_defaults(struct section *defaults, struct problems *problems)
{
    struct listener listener = {0};
    struct backend backend = {0};
    for (size_t i = 0; i < defaults->count; i++) {
        struct entry *entry = &defaults->entries[i];
        apply(entry, entry->key->kind == SECTION_LISTENER ? (void *)&listener : (void *)&backend, problems,
              false);
    }
    free_listener(&listener);
    free_backend(&backend);
}

static struct section *first_defaults(struct source *source)
{
    struct section *found = NULL;
    for (size_t i = source->count; i-- > 0;) {
        struct section *section = &source->sections[i];
        if (section->kind != SECTION_DEFAULTS || section->ignored)
            continue;
        try_defaults(section, source->problems);
        found = section;
    }
    return found;
}

static size_t count_kind(const struct source *source, enum section_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < source->count; i++)
        count += source->sections[i].kind == kind && !source->sections[i].ignored;
    return count;
}

/* What other settings decide where nothing is said. */
static void complete(struct listener *listener)
{
    listener->script.http = listener->protocol == PROTOCOL_HTTP;
    if (listener->protocol == PROTOCOL_HTTP && listener->tls.mode != TLS_OFF && !listener->tls.alpn)
        listener->tls.alpn = mem_copy("h2,http/1.1");
}

static void build_listener(struct draft *draft, struct section *section, struct section *defaults,
                           struct problems *problems, bool resolve)
{
    struct config *config = draft->config;
    struct listener *listener = &config->listeners[config->listener_count];
    draft->listeners[config->listener_count++] = (struct origin){section, defaults};
    listener->name = mem_copy(section->name);
    listener->place = section->place;
    apply_fallbacks(SECTION_LISTENER, listener, problems);
    apply_defaults(defaults, section, listener, problems);
    apply_section(section, listener, problems, resolve);
    complete(listener);
}

static void build_backend(struct draft *draft, struct section *section, struct section *defaults,
                          struct problems *problems, bool resolve)
{
    struct config *config = draft->config;
    struct backend *backend = &config->backends[config->backend_count];
    draft->backends[config->backend_count++] = (struct origin){section, defaults};
    backend->name = mem_copy(section->name);
    apply_fallbacks(SECTION_BACKEND, backend, problems);
    apply_defaults(defaults, section, backend, problems);
    apply_section(section, backend, problems, resolve);
}

static void allocate(struct draft *draft, const struct source *source)
{
    size_t listeners = count_kind(source, SECTION_LISTENER), backends = count_kind(source, SECTION_BACKEND);
    draft->config = mem_new(sizeof(*draft->config));
    atomic_init(&draft->config->refs, 1);
    draft->config->listeners = mem_new(listeners * sizeof(struct listener));
    draft->config->backends = mem_new(backends * sizeof(struct backend));
    draft->listeners = mem_new(listeners * sizeof(struct origin));
    draft->backends = mem_new(backends * sizeof(struct origin));
}

void draft_build(struct draft *draft, struct source *source, bool resolve)
{
    allocate(draft, source);
    apply_fallbacks(SECTION_GLOBAL, draft->config, source->problems);
    struct section *defaults = first_defaults(source);
    for (size_t i = 0; i < source->count; i++) {
        struct section *section = &source->sections[i];
        if (section->ignored)
            continue;
        if (section->kind == SECTION_GLOBAL)
            apply_section(section, draft->config, source->problems, resolve);
        else if (section->kind == SECTION_LISTENER)
            build_listener(draft, section, defaults, source->problems, resolve);
        else if (section->kind == SECTION_BACKEND)
            build_backend(draft, section, defaults, source->problems, resolve);
    }
}

void config_index(struct config *config)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        struct http_settings *http = &config->listeners[i].http;
        if (http->route_count > 0)
            http->table = route_table_new(http->routes, http->route_count);
    }
}

void draft_release(struct draft *draft)
{
    free(draft->listeners);
    free(draft->backends);
}
