/* From the first byte to the end of the TLS handshake. */
#include <stdlib.h>
#include <string.h>

#include "lb/proxy/steps.h"

uint64_t greet_limit(const struct conn *conn)
{
    return conn->service->listener->timeout_handshake_ms;
}

void greet_expired(struct conn *conn)
{
    conn_close(conn, REASON_TIMEOUT_HANDSHAKE);
}

void greet_end(struct conn *conn)
{
    conn_close(conn, REASON_TLS_ABORTED);
}

void greet_failed(struct conn *conn)
{
    const struct tls_failure *failure = tls_session_failure(conn->client->tls);
    if (conn->state == CONN_HANDSHAKE) {
        conn->handshake_us = conn_elapsed_us(conn);
        conn_refuse(conn, failure->reason, 0, failure->text);
        return;
    }
    if (!conn->decision.text)
        conn->decision.text = strdup(failure->text);
    conn_close(conn, REASON_TLS_FAILED);
}

/* The name decides under which policy the client is met, before anything of TLS is begun. NULL: refused. */
static struct tls_context *choose_context(struct conn *conn, const struct hello *hello)
{
    struct service *base = conn->service;
    size_t pair = tls_sites_choose(base->listener->sites, hello);
    if (pair == SITES_NONE) {
        static const char alert[] = "\x15\x03\x03\x00\x02\x02\x70"; /* unrecognized_name, fatal */
        stream_write(conn->client, SLICE_LITERAL(alert));
        conn_refuse(conn, REASON_NAME_UNKNOWN, 0,
                    hello->name[0] ? "no certificate of the listener has the name (strict-sni)"
                                   : "the client asked for no name (strict-sni)");
        return NULL;
    }
    conn->service = service_for(base, slice_of(hello->name));
    struct tls_context *context = service_context(conn->service, pair);
    if (!context)
        conn_close(conn, REASON_NO_MEMORY);
    return context;
}

static void start_handshake(struct conn *conn, const struct hello *hello, struct slice record)
{
    conn->server_name = hello->name[0] ? strdup(hello->name) : NULL;
    if (hello->name[0] && !conn->server_name) { /* without it a reload would find the rules of no name */
        conn_close(conn, REASON_NO_MEMORY);
        return;
    }
    struct tls_context *context = choose_context(conn, hello);
    if (!context)
        return;
    struct tls_session *session = tls_session_new(context, &conn->thread->net.scratch);
    if (!session) {
        conn_close(conn, REASON_NO_MEMORY);
        return;
    }
    conn_enter(conn, CONN_HANDSHAKE);
    stream_secure(conn->client, session, record);
}

/* A hello in one piece is used where it lies; one that came in pieces is kept until it is complete. `wire`
 * are all bytes so far. */
static void read_hello(struct conn *conn, struct slice wire)
{
    char flat[HELLO_MAX + 5];
    struct hello hello;
    struct slice record;
    switch (hello_read(wire, flat, &hello, &record)) {
    case HELLO_COMPLETE:
        /* A client sends nothing after its hello until the server answers. */
        if (hello.wire_len < wire.len)
            conn_refuse(conn, REASON_HELLO_INVALID, 0,
                        "bytes follow the ClientHello before the server has answered");
        else
            start_handshake(conn, &hello, record);
        break;
    case HELLO_PARTIAL: early_data(conn, wire); break;
    case HELLO_INVALID: conn_refuse(conn, REASON_HELLO_INVALID, 0, hello.why); break;
    case HELLO_TOO_LONG: conn_refuse(conn, REASON_HELLO_TOO_LONG, 0, NULL); break;
    }
}

void greet_data(struct conn *conn, struct slice bytes)
{
    if (!conn->early) {
        read_hello(conn, bytes);
        return;
    }
    if (conn->early->len + bytes.len > HELLO_WIRE_MAX) {
        conn_refuse(conn, REASON_HELLO_TOO_LONG, 0, NULL);
        return;
    }
    early_data(conn, bytes);
    struct early *collected = conn->early;
    if (conn->state != CONN_HELLO)
        return;
    conn->early = NULL;
    read_hello(conn, slice_make(collected->bytes, collected->len));
    free(collected);
}
