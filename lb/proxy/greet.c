/* From the first byte to the end of the TLS handshake. */
#include <stdlib.h>
#include <string.h>

#include "lb/proxy/flood.h"
#include "lb/proxy/steps.h"

uint64_t greet_limit(const struct conn *conn)
{
    return conn->service->listener->timeout_handshake_ms;
}

static void close_with(struct conn *conn, enum reason reason, const char *text)
{
    conn_note(conn, text);
    conn_close(conn, reason);
}

void greet_expired(struct conn *conn)
{
    const char *text =
        conn->state == CONN_HANDSHAKE
            ? "the client did not go on with the handshake: is it slow, or does it wait for a person?"
        : conn->early ? "the client did not finish its ClientHello: is its network losing packets?"
                      : "the client sent nothing: does it wait for the server to speak first?";
    close_with(conn, REASON_TIMEOUT_HANDSHAKE, text);
}

void greet_end(struct conn *conn)
{
    const char *text =
        conn->state == CONN_HANDSHAKE ? "the client left during the handshake and said nothing: does it "
                                        "trust this listener's certificate?"
        : conn->early                 ? "the client left within its ClientHello"
                      : "the client left without a byte: a health check that only connects, or a port scan";
    close_with(conn, REASON_TLS_ABORTED, text);
}

void greet_done(struct conn *conn)
{
    struct listener_state *state = conn->service->listener->state;
    const struct tls_session *session = conn->client->tls;
    enum tls_refusal refusal = tls_session_refusal(session);
    conn->handshake_us = conn_elapsed_us(conn);
    if (tls_session_resumed(session))
        count(&state->resumed, 1);
    if (refusal != TLS_REFUSED_NONE)
        count(&state->resumption_refused[refusal], 1);
}

void greet_failed(struct conn *conn)
{
    const struct tls_failure *failure = tls_session_failure(conn->client->tls);
    if (conn->state == CONN_HANDSHAKE) {
        greet_done(conn);
        conn_refuse(conn, failure->reason, 0, failure->text);
        return;
    }
    close_with(conn, REASON_TLS_FAILED, failure->text);
}

static void refuse_name(struct conn *conn, const char *why)
{
    static const char alert[] = "\x15\x03\x03\x00\x02\x02\x70"; /* unrecognized_name, fatal */
    stream_write(conn->client, SLICE_LITERAL(alert));
    conn_refuse(conn, REASON_NAME_UNKNOWN, 0, why);
}

/* The name decides under which policy the client is met, before anything of TLS is begun. NULL: refused. */
static struct tls_context *choose_context(struct conn *conn, const struct hello *hello)
{
    struct service *base = conn->service;
    size_t pair = tls_sites_choose(base->listener->sites, hello);
    if (hello->names_address && base->listener->policy_count > 0) {
        refuse_name(conn,
                    "the client asks for an IP address as name (SNI), but names decide here: have it ask "
                    "for a host name, or send none");
        return NULL;
    }
    if (pair == SITES_NONE) {
        refuse_name(conn, hello->name[0] ? "no certificate of the listener has the name (strict-sni)"
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

/* A finely cut hello takes no more memory than another. */
static void keep_hello(struct conn *conn, struct slice wire)
{
    early_data(conn, wire);
    if (conn->state != CONN_HELLO) /* out of memory: it is closed, and what it had is free */
        return;
    size_t len = hello_compact(conn->early->bytes, conn->early->len);
    if (len == conn->early->len)
        return;
    conn->early->len = len;
    struct early *smaller = realloc(conn->early, sizeof(*smaller) + len);
    if (smaller)
        conn->early = smaller;
}

static void refuse_long(struct conn *conn)
{
    conn_refuse(conn, REASON_HELLO_TOO_LONG, 0,
                "the ClientHello has more than 16 KB: have the client offer fewer extensions or key shares");
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
    case HELLO_PARTIAL: keep_hello(conn, wire); break;
    case HELLO_INVALID: conn_refuse(conn, REASON_HELLO_INVALID, 0, hello.why); break;
    case HELLO_TOO_LONG: refuse_long(conn); break;
    }
}

static void refuse_flood(struct conn *conn)
{
    close_with(conn, REASON_HANDSHAKE_RATE,
               "the client's network begins handshakes faster than handshake-rate allows; this line stands "
               "for all of "
               "them within a second");
}

void greet_data(struct conn *conn, struct slice bytes)
{
    if (!conn->early && !flood_admits(conn))
        refuse_flood(conn);
    else if (conn->early && conn->early->len + bytes.len > HELLO_WIRE_MAX)
        refuse_long(conn);
    else
        early_read(conn, bytes, read_hello);
}
