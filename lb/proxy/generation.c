#include "lb/proxy/generation.h"

#include <stdlib.h>

#include "lb/base/clock.h"
#include "lb/base/memory.h"
#include "lb/base/rate.h"
#include "lb/base/text.h"
#include "lb/base/version.h"
#include "lb/config/archive.h"
#include "lb/proxy/http.h"
#include "lb/proxy/reauthorize.h"
#include "lb/proxy/server_tls.h"
#include "lb/tls/context.h"
#include "lb/tls/digest.h"

static void script_log(void *context, int level, struct slice text)
{
    const struct service *service = context;
    char line[1024];
    struct text quoted;
    if (!log_wants(service->generation->log, (enum log_level)level))
        return;
    text_init(&quoted, line, sizeof(line));
    text_quoted(&quoted, text);
    log_event(service->generation->log, (enum log_level)level, "listener %s: script: %s",
              service->listener->name, line);
}

static int64_t script_now(void *context)
{
    (void)context;
    return clock_unix_ms();
}

static bool script_has_backend(void *context, struct slice name)
{
    const struct service *service = context;
    return config_backend(service->generation->config, name) != NULL;
}

static bool script_has_server(void *context, struct slice backend_name, struct slice name)
{
    const struct service *service = context;
    const struct backend *backend = backend_name.len > 0
                                        ? config_backend(service->generation->config, backend_name)
                                        : service->listener->backend;
    for (size_t i = 0; backend && i < backend->member_count; i++)
        if (slice_is(name, backend->members[i].name))
            return true;
    return false;
}

#define RATE_KEY_MAX 512
#define SCOPE_MAX    1024 /* two names */

static bool script_rate(void *context, struct slice key, unsigned limit, uint64_t window_ms)
{
    const struct service *service = context;
    char whole[RATE_KEY_MAX];
    struct text text;
    text_init(&text, whole, sizeof(whole));
    text_adds(&text, service->listener->name);
    text_addc(&text, '\0');
    text_add(&text, key);
    return service->generation->rates && rate_take(service->generation->rates, slice_make(whole, text.len),
                                                   limit, window_ms, (uint64_t)(clock_us() / 1000));
}

/* What the checks have read, and no file that has changed since. */
static bool script_read(void *context, const char *path, const char *folder, struct slice *bytes,
                        const char **why)
{
    const struct service *service = context;
    const struct archived *file = archive_find(service->generation->config->archive, ARCHIVE_SCRIPT, path);
    (void)folder;
    *bytes = slice_make(file ? file->data : NULL, file ? file->len : 0);
    *why = file ? file->why : "it was not asked for when the configuration was loaded";
    return file && file->data;
}

static bool make_script(struct service *service, struct problems *problems)
{
    const struct listener *listener = service->listener;
    struct script_host host = {
        .context = service,
        .log = script_log,
        .now_ms = script_now,
        .sha256 = digest_sha256,
        .has_backend = script_has_backend,
        .has_server = script_has_server,
        .rate = script_rate,
        .read = script_read,
        .version = LB_VERSION,
    };
    if (!listener->script.path)
        return true;
    service->script = script_new(&listener->script, &host, listener->place, problems);
    return service->script != NULL;
}

/* The first context at once, since most connections need it; the others when they are asked for. */
static bool make_tls(struct service *service, struct problems *problems)
{
    const struct tls_settings *tls = &service->listener->tls;
    size_t before = problems->errors;
    if (tls->mode == TLS_OFF)
        return true;
    service->contexts = mem_new(tls->pair_count * sizeof(struct tls_context *));
    service->trust = tls_trust_new(tls, service->listener->place, problems);
    if (problems->errors == before && service->base == service)
        service->contexts[0] = tls_context_for(tls, 0, service->trust, service->listener->place, problems);
    return problems->errors == before;
}

static bool make_service(struct service *service, struct problems *problems)
{
    const struct listener *listener = service->listener;
    bool good = make_tls(service, problems);
    good = make_script(service, problems) && good;
    service->policies = mem_new(listener->policy_count * sizeof(*service->policies));
    for (size_t i = 0; i < listener->policy_count; i++) {
        service->policies[i] = (struct service){.listener = &listener->policies[i],
                                                .generation = service->generation,
                                                .base = service};
        good = make_service(&service->policies[i], problems) && good;
    }
    return good;
}

static void free_service(struct service *service)
{
    const struct listener *listener = service->listener;
    for (size_t i = 0; service->policies && i < listener->policy_count; i++)
        free_service(&service->policies[i]);
    for (size_t i = 0; service->contexts && i < listener->tls.pair_count; i++)
        tls_context_free(service->contexts[i]);
    tls_trust_drop(service->trust);
    script_free(service->script);
    free(service->policies);
    free(service->contexts);
}

/* Clients resume only where they came first: at the listener of that name, under the same policy of it. */
static void share_sessions(const struct service *service, struct tls_context *context)
{
    char name[SCOPE_MAX];
    struct text text;
    text_init(&text, name, sizeof(name));
    text_adds(&text, service->listener->name);
    text_addc(&text, '\0');
    text_adds(&text, service->listener->host ? service->listener->host : "");
    tls_context_resume(context, service->generation->sessions, slice_make(name, text.len));
}

static void tell_unusable(const struct service *service, size_t pair, const struct problems *problems)
{
    const struct listener *listener = service->listener;
    log_event(service->generation->log, LOG_ERROR, "listener %s: %s cannot be used: %s", listener->name,
              listener->tls.pairs[pair].certificate.path,
              problems->count > 0 ? problems->list[0].text : "out of memory");
}

static struct tls_context *make_context(struct service *service, size_t pair)
{
    const struct listener *listener = service->listener;
    struct problems problems = {0};
    struct tls_context *context =
        tls_context_for(&listener->tls, pair, service->trust, listener->place, &problems);
    if (context)
        share_sessions(service, context);
    else
        tell_unusable(service, pair, &problems);
    problems_free(&problems);
    return context;
}

struct tls_context *service_context(struct service *service, size_t pair)
{
    if (!service->contexts[pair])
        service->contexts[pair] = make_context(service, pair);
    return service->contexts[pair];
}

static bool names_hosts(const struct listener *listener)
{
    for (size_t i = 0; i < listener->http.route_count; i++)
        if (listener->http.routes[i].host)
            return true;
    return listener->policy_count > 0;
}

/* One of each kind of rules. */
struct kinds {
    const struct service **list;
    unsigned count;
};

/* Once, by content: requests then compare numbers. */
static void number_rules(struct service *service, struct kinds *kinds)
{
    while (service->rules < kinds->count && !service_shares_hosts(kinds->list[service->rules], service))
        service->rules++;
    if (service->rules == kinds->count) {
        kinds->list = mem_grow(kinds->list, (kinds->count + 1) * sizeof(*kinds->list));
        kinds->list[kinds->count++] = service;
    }
    for (size_t i = 0; i < service->listener->policy_count; i++)
        number_rules(&service->policies[i], kinds);
}

static bool differ(const struct service *a, const struct service *b)
{
    bool alike = a->rules == b->rules;
    for (size_t i = 0; alike && i < b->listener->policy_count; i++)
        alike = a->rules == b->policies[i].rules;
    return !alike;
}

static void find_strangers(struct generation *generation, struct service *service)
{
    for (size_t i = 0; i < generation->config->listener_count; i++) {
        const struct service *other = &generation->services[i];
        if (other != service && other->listener->tls.mode != TLS_OFF && names_hosts(other->listener) &&
            (differ(service, other) || service->listener->policy_count > 0))
            service->strangers = true;
    }
    for (size_t i = 0; i < service->listener->policy_count; i++)
        service->policies[i].strangers = service->strangers;
}

static void sort_hosts(struct generation *generation)
{
    struct kinds kinds = {0};
    for (size_t i = 0; i < generation->config->listener_count; i++)
        number_rules(&generation->services[i], &kinds);
    for (size_t i = 0; i < generation->config->listener_count; i++)
        find_strangers(generation, &generation->services[i]);
    free(kinds.list);
}

struct generation *generation_new(struct config *config, unsigned number, struct log *log, atomic_uint *alive,
                                  struct problems *problems)
{
    struct generation *generation = mem_new(sizeof(*generation));
    bool good = true;
    *generation = (struct generation){
        .config = config_hold(config), .number = number, .log = log, .alive = alive, .made_us = clock_us()};
    generation->services = mem_new(config->listener_count * sizeof(*generation->services));
    generation->balancers = mem_new(config->backend_count * sizeof(*generation->balancers));
    atomic_fetch_add(alive, 1);
    for (size_t i = 0; i < config->backend_count; i++)
        balancer_init(&generation->balancers[i], &config->backends[i]);
    for (size_t i = 0; i < config->listener_count; i++) {
        generation->services[i] =
            (struct service){.listener = &config->listeners[i], .generation = generation};
        generation->services[i].base = &generation->services[i];
        good &= make_service(&generation->services[i], problems);
    }
    generation->servers = server_tls_new(config, problems);
    good &= generation->servers != NULL;
    if (good) {
        sort_hosts(generation);
        return generation;
    }
    generation_free(generation);
    return NULL;
}

void generation_free(struct generation *generation)
{
    generation_drop_pool(generation);
    struct config *config = generation->config;
    for (size_t i = 0; i < config->listener_count; i++)
        if (generation->services[i].listener)
            free_service(&generation->services[i]);
    for (size_t i = 0; i < config->backend_count; i++)
        balancer_release(&generation->balancers[i]);
    server_tls_free(generation->servers);
    atomic_fetch_sub(generation->alive, 1);
    free(generation->services);
    free(generation->balancers);
    free(generation);
    config_drop(config);
}

void generation_adopt(struct generation *generation, struct log *log, struct rate_table *rates,
                      struct tls_sessions *sessions)
{
    generation->log = log;
    generation->rates = rates;
    generation->sessions = sessions;
    for (size_t i = 0; i < generation->config->listener_count; i++)
        if (generation->services[i].contexts)
            share_sessions(&generation->services[i], generation->services[i].contexts[0]);
}

void generation_hold(struct generation *generation)
{
    generation->connections++;
}

void generation_drop(struct generation *generation)
{
    if (--generation->connections == 0 && generation->retired)
        generation_free(generation);
}

void generation_retire(struct generation *generation)
{
    generation->retired = true;
    generation_drop_pool(generation);
    if (generation->connections == 0)
        generation_free(generation);
}

struct pool *generation_pool(struct generation *generation, struct upstream_thread *thread)
{
    if (!generation->pool)
        generation->pool = pool_new(thread);
    if (generation->pool)
        pool_secure(generation->pool, generation->servers);
    if (generation->pool && generation->retired) /* nobody looks after it any more */
        pool_keep_nothing(generation->pool);
    return generation->pool;
}

void generation_drop_pool(struct generation *generation)
{
    if (generation->pool)
        pool_retire(generation->pool);
    generation->pool = NULL;
}

/* The two generations that a pool goes between. */
struct passage {
    const struct config *from, *to;
};

static bool keeps_server(void *context, const struct server *server, const struct backend **backend,
                         const struct member **member)
{
    const struct passage *passage = context;
    const struct config *config = passage->to;
    if (!server_tls_alike(passage->from, config, server))
        return false;
    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; j < config->backends[i].member_count; j++)
            if (config->backends[i].members[j].server == server) {
                *backend = &config->backends[i];
                *member = &config->backends[i].members[j];
                return true;
            }
    return false;
}

void generation_move_pool(struct generation *from, struct generation *to, struct upstream_thread *thread)
{
    struct passage passage = {from->config, to->config};
    if (from->pool && generation_pool(to, thread))
        pool_move(from->pool, to->pool, keeps_server, &passage);
}

struct service *service_for(struct service *base, struct slice host)
{
    size_t policy = listener_policy(base->listener, host);
    return policy == NAME_MAP_NONE ? base : &base->policies[policy];
}

struct service *generation_service(struct generation *generation, const char *name, const char *host)
{
    for (size_t i = 0; i < generation->config->listener_count; i++)
        if (strcmp(generation->services[i].listener->name, name) == 0)
            return service_for(&generation->services[i], slice_of(host));
    return NULL;
}

struct balancer *generation_balancer(struct generation *generation, const struct backend *backend)
{
    return &generation->balancers[backend - generation->config->backends];
}
