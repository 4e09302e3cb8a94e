/* What a client sends before a server is connected is kept, up to a bound, so that nothing needs to be read
 * again. */
#include <stdlib.h>
#include <string.h>

#include "lb/proxy/steps.h"

/* From here on the client has to wait; the pass that crosses it may still add one read. */
#define EARLY_PAUSE (64 * 1024)

void early_data(struct conn *conn, struct slice bytes)
{
    size_t had = conn->early ? conn->early->len : 0;
    struct early *grown = realloc(conn->early, sizeof(*grown) + had + bytes.len);
    if (!grown) {
        conn_close(conn, REASON_NO_MEMORY);
        return;
    }
    memcpy(grown->bytes + had, bytes.data, bytes.len);
    grown->len = had + bytes.len;
    conn->early = grown;
    if (grown->len >= EARLY_PAUSE)
        stream_pause(conn->client);
}

/* A client may end its direction right after its request; the answer still goes back. client_ended remembers
 * it. */
void early_end(struct conn *conn)
{
    (void)conn;
}

void early_read(struct conn *conn, struct slice bytes, void (*read)(struct conn *conn, struct slice wire))
{
    enum conn_state state = conn->state;
    if (!conn->early) {
        read(conn, bytes);
        return;
    }
    early_data(conn, bytes);
    struct early *collected = conn->early;
    if (conn->state != state) /* out of memory: it is closed */
        return;
    conn->early = NULL;
    read(conn, slice_make(collected->bytes, collected->len));
    free(collected);
}
