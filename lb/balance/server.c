#include "lb/balance/server.h"

#include <stdlib.h>
#include <string.h>

#include "lb/base/memory.h"

static bool same(const struct server *server, const char *backend, const char *name, const struct addr *addr)
{
    return strcmp(server->backend, backend) == 0 && strcmp(server->name, name) == 0 &&
           addr_equal(&server->addr, addr);
}

static struct server *server_new(const char *backend, const char *name, const struct addr *addr)
{
    struct server *server = mem_new(sizeof(*server));
    server->backend = mem_copy(backend);
    server->name = mem_copy(name);
    server->addr = *addr;
    atomic_init(&server->up, true);
    return server;
}

struct server *server_get(struct server_table *table, const char *backend, const char *name,
                          const struct addr *addr)
{
    struct server *server = table->first;
    while (server && !same(server, backend, name, addr))
        server = server->next;
    if (!server) {
        server = server_new(backend, name, addr);
        server->next = table->first;
        table->first = server;
    }
    server->refs++;
    return server;
}

void server_put(struct server_table *table, struct server *server)
{
    if (--server->refs > 0)
        return;
    struct server **link = &table->first;
    while (*link != server)
        link = &(*link)->next;
    *link = server->next;
    free(server->backend);
    free(server->name);
    free(server);
}
