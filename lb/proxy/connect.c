/* Finding a server that accepts: one after the other, each at most once, within the backend's limits. */
#include <stdlib.h>
#include <string.h>

#include "lb/base/clock.h"
#include "lb/base/text.h"
#include "lb/net/proxy_protocol.h"
#include "lb/proxy/http.h"
#include "lb/proxy/server_tls.h"
#include "lb/proxy/steps.h"

extern const struct stream_events conn_server_events;

struct connect_attempt {
    struct balancer *balancer;
    struct tried tried;
    unsigned left; /* further servers that may be tried */
    unsigned made;
    uint64_t started_us;
    int last_error;  /* negative errno; 0: it was TLS */
    enum reason tls; /* then this is why */
    char tls_text[400];
};

static const char refuse_nothing_up[] = "no server of the backend is up with room for a connection";

uint64_t connect_limit(const struct conn *conn)
{
    return conn->backend->timeout_connect_ms;
}

void connect_free(struct conn *conn)
{
    free(conn->attempt);
    conn->attempt = NULL;
}

static void leave_member(struct conn *conn)
{
    balancer_release_member(conn->member);
    conn->member = NULL;
    if (conn->server)
        stream_close(conn->server);
    conn->server = NULL;
}

static enum reason failure_of(const struct connect_attempt *attempt)
{
    if (attempt->made == 0)
        return REASON_NO_SERVER;
    if (attempt->last_error == 0)
        return attempt->tls;
    if (attempt->last_error == UV_ETIMEDOUT)
        return REASON_TIMEOUT_CONNECT;
    if (attempt->last_error == UV_EMFILE || attempt->last_error == UV_ENFILE)
        return REASON_NO_DESCRIPTORS;
    return REASON_CONNECT_FAILED;
}

static const char *text_of(const struct connect_attempt *attempt)
{
    if (attempt->made == 0)
        return refuse_nothing_up;
    return attempt->last_error == 0 ? attempt->tls_text : uv_strerror(attempt->last_error);
}

static void give_up(struct conn *conn)
{
    struct connect_attempt *attempt = conn->attempt;
    enum reason reason = failure_of(attempt);
    conn->connect_us = (uint32_t)(clock_us() - attempt->started_us);
    conn_refuse(conn, reason, TLS_ALERT_INTERNAL_ERROR, text_of(attempt));
}

/* True when a connect is under way. */
static bool try_member(struct conn *conn)
{
    struct connect_attempt *attempt = conn->attempt;
    conn->member = balancer_pick(attempt->balancer, &attempt->tried);
    if (!conn->member)
        return false;
    attempt->made++;
    conn->server = stream_connect(&conn->thread->net, &conn->member->addr, &conn_server_events, conn,
                                  &attempt->last_error);
    if (conn->server)
        conn->handles++;
    return true;
}

static void failed_once(struct conn *conn, int error)
{
    count(&conn->member->server->connect_errors, 1);
    conn->attempt->last_error = error;
    leave_member(conn);
}

static void try_next(struct conn *conn)
{
    struct connect_attempt *attempt = conn->attempt;
    while (attempt->made == 0 || attempt->left-- > 0) {
        if (!try_member(conn))
            break;
        if (conn->server) {
            conn_enter(conn, CONN_CONNECT);
            return;
        }
        failed_once(conn, attempt->last_error);
    }
    give_up(conn);
}

void connect_start(struct conn *conn)
{
    conn->attempt = calloc(1, sizeof(*conn->attempt));
    if (!conn->attempt) {
        conn_refuse(conn, REASON_NO_MEMORY, TLS_ALERT_INTERNAL_ERROR, NULL);
        return;
    }
    conn->attempt->balancer = generation_balancer(conn->service->generation, conn->backend);
    conn->attempt->left = conn->backend->retries;
    conn->attempt->started_us = clock_us();
    try_next(conn);
}

/* Right behind the connect, before anything else is said: without it the server would take the connection for
 * lb's own. 0 or a negative errno. */
static int announce(struct conn *conn)
{
    char id[33] = "", *header = conn->thread->net.scratch.plain; /* nothing is being decrypted now */
    if (conn->backend->send_proxy == SEND_PROXY_OFF)
        return 0;
    if (conn->backend->send_proxy == SEND_PROXY_V2) {
        forward_new_id(&conn->thread->http->ids, id);
        free(conn->unique_id);
        conn->unique_id = strdup(id);
    }
    size_t len = proxy_announce(conn, conn->backend, id, header);
    if (len == 0)
        return UV_EMSGSIZE;
    return stream_write(conn->server, slice_make(header, len)) == STREAM_BROKEN ? UV_ECONNRESET : 0;
}

static void established(struct conn *conn)
{
    conn->connect_us = (uint32_t)(clock_us() - conn->attempt->started_us);
    connect_free(conn);
    relay_start(conn);
}

/* Within the same timeout-connect. The outcome may be told from within. */
static void secure(struct conn *conn, struct tls_peer *peer)
{
    const struct tls_protocols *protocols =
        server_tls_protocols(conn->service->generation->servers, conn->backend);
    struct tls_session *session = tls_session_connect(peer, protocols, &conn->thread->net.scratch);
    if (session)
        stream_secure(conn->server, session, slice_make("", 0));
    else
        conn_close(conn, REASON_NO_MEMORY);
}

void connect_done(struct conn *conn, int status)
{
    if (status == 0)
        status = announce(conn);
    if (status < 0) {
        failed_once(conn, status);
        try_next(conn);
        return;
    }
    count(&conn->member->server->connections, 1);
    struct tls_peer *peer = server_tls_peer(conn->service->generation->servers, conn->backend, conn->member);
    if (peer)
        secure(conn, peer);
    else
        established(conn);
}

void connect_secured(struct conn *conn)
{
    struct server *server = conn->member->server;
    count(tls_session_resumed(conn->server->tls) ? &server->handshakes_resumed : &server->handshakes_full, 1);
    established(conn);
}

/* Whose fault it is stands in the text: the connection goes on to the next server. */
static void note_tls(struct connect_attempt *attempt, const struct member *member,
                     const struct tls_failure *failure)
{
    struct text text;
    attempt->tls = failure->reason;
    text_init(&text, attempt->tls_text, sizeof(attempt->tls_text));
    text_addf(&text, "server %s: %s", member->name, failure->text);
}

void connect_unsecured(struct conn *conn)
{
    note_tls(conn->attempt, conn->member, tls_session_why(conn->server->tls));
    count(&conn->member->server->handshakes_failed, 1);
    failed_once(conn, 0);
    try_next(conn);
}

void connect_lost(struct conn *conn)
{
    const struct tls_failure *failure = tls_session_why(conn->server->tls);
    conn_note(conn, failure->text);
    if (tls_session_spurned(conn->server->tls))
        count(&conn->member->server->handshakes_failed, 1);
    conn_close(conn, failure->reason);
}

void connect_expired(struct conn *conn)
{
    failed_once(conn, UV_ETIMEDOUT);
    try_next(conn);
}
