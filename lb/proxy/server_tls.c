#include "lb/proxy/server_tls.h"

#include <stdlib.h>

#include "lb/base/memory.h"

struct entry {
    struct tls_context *context; /* NULL: no server of the backend is spoken TLS to */
    struct tls_peer **peers;     /* as the backend's members */
    struct tls_protocols protocols;
};

struct server_tls {
    const struct config *config;
    struct entry *entries; /* as config->backends */
};

/* Backends with the same CAs share a context: those of the system are many. */
static struct entry *find_alike(struct server_tls *servers, size_t index)
{
    const struct backend_tls *all = servers->config->backend_tls;
    for (size_t i = 0; i < index; i++)
        if (servers->entries[i].context && tls_client_settings_alike(&all[i].settings, &all[index].settings))
            return &servers->entries[i];
    return NULL;
}

static void add_peers(struct server_tls *servers, size_t index)
{
    const struct backend_tls *tls = &servers->config->backend_tls[index];
    struct entry *entry = &servers->entries[index];
    for (size_t i = 0; i < servers->config->backends[index].member_count; i++)
        if (tls->members[i].on)
            entry->peers[i] = tls_peer_new(entry->context, tls->members[i].name);
}

static bool add_backend(struct server_tls *servers, size_t index, struct problems *problems)
{
    const struct config *config = servers->config;
    const struct backend_tls *tls = &config->backend_tls[index];
    struct entry *entry = &servers->entries[index], *alike;
    entry->peers = mem_new(config->backends[index].member_count * sizeof(*entry->peers));
    entry->protocols = (struct tls_protocols){.names = tls->alpn};
    if (!tls->used)
        return true;
    alike = find_alike(servers, index);
    entry->context = alike ? tls_context_share(alike->context)
                           : tls_client_context_new(&tls->settings, tls->place, problems);
    if (entry->context)
        add_peers(servers, index);
    return entry->context != NULL;
}

struct server_tls *server_tls_new(const struct config *config, struct problems *problems)
{
    struct server_tls *servers = mem_new(sizeof(*servers));
    bool good = true;
    servers->config = config;
    servers->entries = mem_new(config->backend_count * sizeof(*servers->entries));
    for (size_t i = 0; i < config->backend_count; i++)
        good = add_backend(servers, i, problems) && good;
    if (good)
        return servers;
    server_tls_free(servers);
    return NULL;
}

void server_tls_free(struct server_tls *servers)
{
    if (!servers)
        return;
    for (size_t i = 0; i < servers->config->backend_count; i++) {
        struct entry *entry = &servers->entries[i];
        for (size_t j = 0; entry->peers && j < servers->config->backends[i].member_count; j++)
            tls_peer_free(entry->peers[j]);
        free(entry->peers);
        tls_context_free(entry->context);
    }
    free(servers->entries);
    free(servers);
}

static struct entry *entry_of(const struct server_tls *servers, const struct backend *backend)
{
    return &servers->entries[backend - servers->config->backends];
}

struct tls_peer *server_tls_peer(const struct server_tls *servers, const struct backend *backend,
                                 const struct member *member)
{
    return entry_of(servers, backend)->peers[member - backend->members];
}

const struct tls_protocols *server_tls_protocols(const struct server_tls *servers,
                                                 const struct backend *backend)
{
    return &entry_of(servers, backend)->protocols;
}

const struct tls_protocols *server_tls_http(const struct backend *backend)
{
    static const struct tls_protocols http_1 = {"http/1.1", false}, http_2 = {"h2", true};
    return backend->h2 ? &http_2 : &http_1;
}

/* ---- a reload ---- */

static const struct backend_tls *find_server(const struct config *config, const struct server *server,
                                             const struct member_tls **member)
{
    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; j < config->backends[i].member_count; j++)
            if (config->backends[i].members[j].server == server) {
                *member = &config->backend_tls[i].members[j];
                return &config->backend_tls[i];
            }
    return NULL;
}

bool server_tls_alike(const struct config *a, const struct config *b, const struct server *server)
{
    const struct member_tls *one, *other;
    const struct backend_tls *first = find_server(a, server, &one), *second = find_server(b, server, &other);
    if (!first || !second || one->on != other->on)
        return false;
    return !one->on || (same_string(one->name, other->name) &&
                        tls_client_settings_alike(&first->settings, &second->settings));
}
