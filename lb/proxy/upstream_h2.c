#include "lb/proxy/upstream_parts.h"
struct upstream *h2_open(struct pool *pool, const struct backend *backend, const struct member *member,
                         bool fresh, int *error)
{
    (void)pool;
    (void)backend;
    (void)member;
    (void)fresh;
    *error = UV_ENOSYS;
    return NULL;
}
void h2_close_idle(struct pool_server *server, uint64_t idle_since_ms)
{
    (void)server;
    (void)idle_since_ms;
}
void h2_retire(struct pool_server *server)
{
    (void)server;
}
void h2_move_idle(struct pool *from, struct pool_server *server, struct pool *to, struct pool_server *target,
                  const struct member *member)
{
    (void)from;
    (void)server;
    (void)to;
    (void)target;
    (void)member;
}
