/* What a trusted proxy says first: for whom it connects. Nobody else is asked or believed. */
#include <stdlib.h>
#include <string.h>

#include "lb/net/proxy_protocol.h"
#include "lb/proxy/steps.h"

bool header_wanted(const struct conn *conn)
{
    const struct listener *listener = conn->service->listener;
    return listener->proxy_protocol && network_has(listener->trusted, listener->trusted_count, &conn->peer);
}

/* Whom a proxy cannot name is a stranger, although the address at hand is the proxy's own. */
bool conn_trusted(const struct conn *conn, const struct listener *listener)
{
    return listener->trusted_count > 0 && !(conn->via && conn->via->unknown) &&
           network_has(listener->trusted, listener->trusted_count, &conn->peer);
}

void header_expired(struct conn *conn)
{
    conn_note(conn, "no whole PROXY header came in time");
    conn_close(conn, REASON_TIMEOUT_HANDSHAKE);
}

/* A proxy that only looks whether lb is there has done nothing wrong. */
void header_end(struct conn *conn)
{
    if (conn->early)
        conn_refuse(conn, REASON_PROXY_HEADER_INVALID, 0, "the connection ended within the PROXY header");
    else
        conn_close(conn, REASON_CLIENT_CLOSED);
}

/* False: out of memory. */
static bool adopt(struct conn *conn, const struct proxy_header *header)
{
    if (header->origin == PROXY_ORIGIN_LOCAL)
        return true;
    conn->via = malloc(sizeof(*conn->via));
    if (!conn->via)
        return false;
    *conn->via = (struct via){.peer = conn->peer, .unknown = header->origin == PROXY_ORIGIN_UNKNOWN};
    if (conn->via->unknown)
        return true;
    conn->via->local = header->destination;
    conn->peer = header->source;
    return true;
}

/* What came behind the header is the client's. */
static void go_on(struct conn *conn, const struct proxy_header *header, struct slice rest)
{
    if (!adopt(conn, header)) {
        conn_close(conn, REASON_NO_MEMORY);
        return;
    }
    conn_begin(conn);
    if (rest.len > 0)
        conn_take(conn, rest);
}

/* `wire` are all bytes so far. */
static void read_header(struct conn *conn, struct slice wire)
{
    struct proxy_header header;
    switch (proxy_read(wire, &header)) {
    case PROXY_COMPLETE:
        go_on(conn, &header, slice_make(wire.data + header.len, wire.len - header.len));
        break;
    case PROXY_PARTIAL: early_data(conn, wire); break;
    case PROXY_INVALID: conn_refuse(conn, REASON_PROXY_HEADER_INVALID, 0, header.why); break;
    case PROXY_TOO_LONG:
        conn_refuse(conn, REASON_PROXY_HEADER_INVALID, 0,
                    "the header is longer than 107 bytes of version 1 or 8208 of version 2");
        break;
    }
}

void header_data(struct conn *conn, struct slice bytes)
{
    early_read(conn, bytes, read_header);
}
