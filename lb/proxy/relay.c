/* Bytes both ways. Back-pressure is one rule: what cannot be written makes the source wait. */
#include <stdlib.h>

#include "lb/proxy/steps.h"

uint64_t relay_idle_limit(const struct conn *conn)
{
    return conn->service->listener->timeout_idle_ms;
}

uint64_t relay_drain_limit(const struct conn *conn)
{
    return conn->service->listener->timeout_half_closed_ms;
}

/* Told in order: nobody has done anything wrong, so a side that has read all it was sent sees an end, not a
 * cut. */
static void end_quietly(struct conn *conn, enum reason reason)
{
    if (conn->client)
        stream_end(conn->client);
    if (conn->server)
        stream_end(conn->server);
    conn_close(conn, reason);
}

/* A slow reader is told apart from one that has gone: what waits for it gets less, although lb has not
 * written for long. */
static bool still_taken(struct conn *conn)
{
    size_t before = conn->unsent;
    conn->unsent = stream_unsent(conn->client) + (conn->server ? stream_unsent(conn->server) : 0);
    return conn->unsent > 0 && conn->unsent != before;
}

static void expired(struct conn *conn, enum reason reason)
{
    if (still_taken(conn))
        conn_enter(conn, conn->state); /* the deadline starts anew */
    else
        end_quietly(conn, reason);
}

void relay_idle_expired(struct conn *conn)
{
    expired(conn, REASON_TIMEOUT_IDLE);
}

void relay_drain_expired(struct conn *conn)
{
    expired(conn, REASON_TIMEOUT_HALF_CLOSED);
}

/* False: the connection has been closed. */
static bool forward(struct conn *conn, struct stream *from, struct stream *to, struct slice bytes,
                    enum reason broken)
{
    switch (stream_write(to, bytes)) {
    case STREAM_WROTE: return true;
    case STREAM_QUEUED: stream_pause(from); return true;
    case STREAM_BROKEN: break;
    }
    conn_close(conn, broken);
    return false;
}

static void finish_if_done(struct conn *conn)
{
    if (conn->client_ended && conn->server_ended && !stream_blocked(conn->client) &&
        !stream_blocked(conn->server))
        conn_close(conn, REASON_FINISHED);
    else if (conn->state == CONN_RELAY)
        conn_enter(conn, CONN_DRAIN);
}

void relay_start(struct conn *conn)
{
    struct early *early = conn->early;
    bool open = true;
    conn->early = NULL;
    conn_enter(conn, CONN_RELAY);
    if (early) {
        conn->bytes_in += early->len;
        open = forward(conn, conn->client, conn->server, slice_make(early->bytes, early->len),
                       REASON_SERVER_RESET);
        free(early);
    }
    if (open && conn->client_ended)
        relay_client_end(conn);
    else if (open && !stream_blocked(conn->server))
        stream_resume(conn->client);
}

void relay_client_data(struct conn *conn, struct slice bytes)
{
    conn_touch(conn);
    conn->bytes_in += bytes.len;
    forward(conn, conn->client, conn->server, bytes, REASON_SERVER_RESET);
}

void relay_server_data(struct conn *conn, struct slice bytes)
{
    conn_touch(conn);
    conn->bytes_out += bytes.len;
    forward(conn, conn->server, conn->client, bytes, REASON_CLIENT_RESET);
}

void relay_client_end(struct conn *conn)
{
    conn->client_ended = true;
    stream_end(conn->server);
    finish_if_done(conn);
}

void relay_server_end(struct conn *conn)
{
    conn->server_ended = true;
    stream_end(conn->client);
    finish_if_done(conn);
}

void relay_drained(struct conn *conn)
{
    conn_touch(conn);
    conn->unsent = 0;
    if (!stream_blocked(conn->server))
        stream_resume(conn->client);
    if (!stream_blocked(conn->client))
        stream_resume(conn->server);
    if (conn->state == CONN_DRAIN)
        finish_if_done(conn);
}
