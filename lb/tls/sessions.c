#include <stdlib.h>

#include "lb/base/memory.h"
#include "lb/tls/sessions_parts.h"

#define STORE_BYTES ((size_t)16 << 20)

struct tls_sessions *tls_sessions_new(void)
{
    struct tls_sessions *sessions = mem_new(sizeof(*sessions));
    sessions->ring = ticket_ring_new();
    sessions->chains = session_store_new(STORE_BYTES);
    sessions->ids = session_store_new(STORE_BYTES);
    return sessions;
}

void tls_sessions_free(struct tls_sessions *sessions)
{
    if (!sessions)
        return;
    ticket_ring_free(sessions->ring);
    session_store_free(sessions->chains);
    session_store_free(sessions->ids);
    free(sessions);
}
