#include "lb/proxy/generation.h"

#include <stdlib.h>

#include "lb/base/clock.h"
#include "lb/base/memory.h"
#include "lb/base/text.h"
#include "lb/base/version.h"
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

static bool make_service(struct service *service, struct problems *problems)
{
    const struct listener *listener = service->listener;
    struct script_host host = {
        .context = service,
        .log = script_log,
        .now_ms = script_now,
        .sha256 = digest_sha256,
        .has_backend = script_has_backend,
        .version = LB_VERSION,
    };
    if (listener->tls.mode != TLS_OFF)
        service->tls = tls_context_new(&listener->tls, listener->place, problems);
    if (listener->script.path)
        service->script = script_new(&listener->script, &host, listener->place, problems);
    return (listener->tls.mode == TLS_OFF || service->tls) && (!listener->script.path || service->script);
}

struct generation *generation_new(struct config *config, unsigned number, struct log *log, atomic_uint *alive,
                                  struct problems *problems)
{
    struct generation *generation = mem_new(sizeof(*generation));
    bool good = true;
    *generation =
        (struct generation){.config = config_hold(config), .number = number, .log = log, .alive = alive};
    generation->services = mem_new(config->listener_count * sizeof(*generation->services));
    generation->balancers = mem_new(config->backend_count * sizeof(*generation->balancers));
    atomic_fetch_add(alive, 1);
    for (size_t i = 0; i < config->backend_count; i++)
        balancer_init(&generation->balancers[i], &config->backends[i]);
    for (size_t i = 0; i < config->listener_count; i++) {
        generation->services[i] =
            (struct service){.listener = &config->listeners[i], .generation = generation};
        good &= make_service(&generation->services[i], problems);
    }
    if (good)
        return generation;
    generation_free(generation);
    return NULL;
}

void generation_free(struct generation *generation)
{
    struct config *config = generation->config;
    for (size_t i = 0; i < config->listener_count; i++) {
        tls_context_free(generation->services[i].tls);
        script_free(generation->services[i].script);
    }
    for (size_t i = 0; i < config->backend_count; i++)
        balancer_release(&generation->balancers[i]);
    atomic_fetch_sub(generation->alive, 1);
    free(generation->services);
    free(generation->balancers);
    free(generation);
    config_drop(config);
}

void generation_adopt(struct generation *generation, struct log *log)
{
    generation->log = log;
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
    if (generation->connections == 0)
        generation_free(generation);
}

struct balancer *generation_balancer(struct generation *generation, const struct backend *backend)
{
    return &generation->balancers[backend - generation->config->backends];
}
