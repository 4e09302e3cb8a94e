#include "lb/config/build.h"

#include <stdlib.h>

#include "lb/base/memory.h"
#include "lb/config/archive.h"
#include "lb/config/backend_section.h"
#include "lb/config/values.h"
#include "lb/tls/staple.h"

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

/* What says who the clients are, which a policy has of its own. */
static void free_clients(struct tls_settings *tls)
{
    tls_file_release(&tls->client_ca);
    tls_file_release(&tls->ocsp_signer);
    free(tls->ocsp_url);
    for (size_t i = 0; i < tls->crl_count; i++)
        tls_file_release(&tls->crls[i]);
    free(tls->crls);
}

static void free_tls(struct tls_settings *tls)
{
    for (size_t i = 0; i < tls->pair_count; i++) {
        tls_file_release(&tls->pairs[i].certificate);
        tls_file_release(&tls->pairs[i].key);
        staple_drop(tls->pairs[i].staple);
    }
    tls_file_release(&tls->staple);
    free(tls->pairs);
    free_clients(tls);
    tls_file_release(&tls->ticket_keys);
    free(tls->ciphers);
    free(tls->groups);
    free(tls->signatures);
    free(tls->alpn);
}

static void free_script(struct script_settings *script)
{
    for (size_t i = 0; i < script->option_count; i++) {
        free(script->options[i].name);
        free(script->options[i].value);
    }
    free(script->options);
    free(script->path);
}

static void free_policies(struct listener *listener)
{
    for (size_t i = 0; i < listener->policy_count; i++) {
        free(listener->policies[i].host);
        free_clients(&listener->policies[i].tls);
        free_script(&listener->policies[i].script);
    }
    free(listener->policies);
    name_map_free(listener->policy_names);
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
}

static void free_listener(struct listener *listener)
{
    for (size_t i = 0; i < listener->bind_count; i++)
        free(listener->binds[i].text);
    free_policies(listener);
    free(listener->name);
    free(listener->binds);
    free(listener->trusted);
    free_tls(&listener->tls);
    tls_sites_free(listener->sites);
    free_http(&listener->http);
    free_script(&listener->script);
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
    for (size_t i = 0; i < config->backend_count; i++) {
        backend_tls_free(&config->backend_tls[i], config->backends[i].member_count);
        free_backend(&config->backends[i]);
    }
    archive_free(config->archive);
    free(config->files);
    free(config->listeners);
    free(config->backends);
    free(config->backend_tls);
    free(config->admin);
    free(config->log_target);
    free(config);
}

/* A wrong default is one problem, however many listeners it would reach: it is tried once, on objects of no
 * use. */
static void try_defaults(struct section *defaults, struct problems *problems)
{
    struct listener listener = {0};
    struct backend_section backend = {0};
    for (size_t i = 0; i < defaults->count; i++) {
        struct entry *entry = &defaults->entries[i];
        apply(entry, entry->key->kind == SECTION_LISTENER ? (void *)&listener : (void *)&backend, problems,
              false);
    }
    free_listener(&listener);
    backend_section_release(&backend);
    backend_tls_free(&backend.tls, 0);
    free_backend(&backend.backend);
}

/* Likewise what is wrong in a section that several listeners use, or none. */
static void try_certificate(struct section *section, struct problems *problems)
{
    struct listener listener = {0};
    apply_section(section, &listener, problems, false);
    free_listener(&listener);
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
    struct backend_section backend = {0};
    backend.backend.name = mem_copy(section->name);
    apply_fallbacks(SECTION_BACKEND, &backend, problems);
    apply_defaults(defaults, section, &backend, problems);
    apply_section(section, &backend, problems, resolve);
    backend.tls.place = section->place;
    backend_section_complete(&backend);
    backend_section_release(&backend);
    config->backends[config->backend_count] = backend.backend;
    config->backend_tls[config->backend_count] = backend.tls;
    draft->backends[config->backend_count++] = (struct origin){section, defaults};
}

/* ---- policies ---- */

static struct tls_file copy_file(const struct tls_file *file)
{
    struct tls_file copy = {.path = mem_copy(file->path), .line = file->line, .len = file->len};
    if (file->data)
        copy.data = mem_copy_n(file->data, file->len);
    return copy;
}

static void copy_clients(struct tls_settings *tls)
{
    const struct tls_file *crls = tls->crls;
    tls->client_ca = copy_file(&tls->client_ca);
    tls->ocsp_signer = copy_file(&tls->ocsp_signer);
    tls->ocsp_url = mem_copy(tls->ocsp_url);
    tls->crls = mem_new(tls->crl_count * sizeof(*crls) + 1);
    for (size_t i = 0; i < tls->crl_count; i++)
        tls->crls[i] = copy_file(&crls[i]);
}

static void copy_script(struct script_settings *script)
{
    const struct script_option *options = script->options;
    script->path = mem_copy(script->path);
    script->options = mem_new(script->option_count * sizeof(*options) + 1);
    for (size_t i = 0; i < script->option_count; i++)
        script->options[i] = (struct script_option){mem_copy(options[i].name), mem_copy(options[i].value)};
}

/* A list that the section has replaces the listener's; another script has options of its own. */
static void clear_replaced(const struct section *section, struct listener *policy)
{
    if (section_entry(section, "client-crl")) {
        for (size_t i = 0; i < policy->tls.crl_count; i++)
            tls_file_release(&policy->tls.crls[i]);
        policy->tls.crl_count = 0;
    }
    if (section_entry(section, "script")) {
        free_script(&policy->script);
        policy->script.path = NULL;
        policy->script.options = NULL;
        policy->script.option_count = 0;
    }
    if (section_entry(section, "ocsp-signer")) {
        tls_file_release(&policy->tls.ocsp_signer);
        policy->tls.ocsp_signer = (struct tls_file){0};
    }
    if (section_entry(section, "client-ca")) {
        tls_file_release(&policy->tls.client_ca);
        policy->tls.client_ca = (struct tls_file){0};
    }
}

struct listener *draft_policy(struct listener *listener, struct section *section, struct problems *problems)
{
    listener->policies =
        mem_grow(listener->policies, (listener->policy_count + 1) * sizeof(*listener->policies));
    struct listener *policy = &listener->policies[listener->policy_count];
    if (!listener->policy_names)
        listener->policy_names = name_map_new();
    name_map_put(listener->policy_names, slice_of(section->name), listener->policy_count++);
    *policy = *listener;
    policy->policies = NULL;
    policy->policy_count = 0;
    policy->policy_names = NULL;
    policy->sites = NULL;
    policy->host = mem_copy(section->name);
    policy->place = section->place;
    copy_clients(&policy->tls);
    copy_script(&policy->script);
    clear_replaced(section, policy);
    apply_section(section, policy, problems, false);
    return policy;
}

static void allocate(struct draft *draft, const struct source *source)
{
    size_t listeners = count_kind(source, SECTION_LISTENER), backends = count_kind(source, SECTION_BACKEND);
    draft->config = mem_new(sizeof(*draft->config));
    atomic_init(&draft->config->refs, 1);
    draft->config->listeners = mem_new(listeners * sizeof(struct listener));
    draft->config->backends = mem_new(backends * sizeof(struct backend));
    draft->config->backend_tls = mem_new(backends * sizeof(struct backend_tls));
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
        else if (section->kind == SECTION_CERTIFICATE)
            try_certificate(section, source->problems);
    }
}

void config_index(struct config *config)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        struct http_settings *http = &config->listeners[i].http;
        if (http->route_count > 0)
            http->table = route_table_new(http->routes, http->route_count);
        for (size_t j = 0; j < config->listeners[i].policy_count; j++)
            config->listeners[i].policies[j].http.table = http->table;
    }
}

void draft_release(struct draft *draft)
{
    free(draft->listeners);
    free(draft->backends);
}
