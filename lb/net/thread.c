#include "lb/net/thread.h"

#include <stdlib.h>

bool net_thread_init(struct net_thread *thread, uv_loop_t *loop)
{
    *thread = (struct net_thread){.loop = loop, .input = malloc(NET_INPUT_MAX)};
    if (!thread->input || !tls_scratch_init(&thread->scratch, NET_INPUT_MAX)) {
        free(thread->input);
        return false;
    }
    uv_idle_init(loop, &thread->wake);
    thread->wake.data = thread;
    return true;
}

void net_thread_close(struct net_thread *thread)
{
    uv_close((uv_handle_t *)&thread->wake, NULL);
}

void net_thread_free(struct net_thread *thread)
{
    free(thread->input);
    tls_scratch_free(&thread->scratch);
}
