#include "lb/control/access_log.h"

#include "lb/base/clock.h"
#include "lb/base/text.h"

struct line {
    struct text text;
    bool json, first;
};

static void name(struct line *line, const char *key)
{
    if (!line->first)
        text_addc(&line->text, line->json ? ',' : ' ');
    line->first = false;
    if (line->json)
        text_addf(&line->text, "\"%s\":", key);
    else
        text_addf(&line->text, "%s=", key);
}

static void add(struct line *line, const char *key, struct slice value)
{
    name(line, key);
    if (!line->json)
        text_quoted(&line->text, value);
    else if (value.len == 0)
        text_adds(&line->text, "null");
    else
        text_json(&line->text, value);
}

static void adds(struct line *line, const char *key, const char *value)
{
    add(line, key, slice_of(value));
}

static void addu(struct line *line, const char *key, uint64_t value)
{
    name(line, key);
    text_addu(&line->text, value);
}

/* Words of our own need no quotes in text. */
static void addw(struct line *line, const char *key, const char *word)
{
    if (line->json) {
        adds(line, key, word);
        return;
    }
    name(line, key);
    text_adds(&line->text, word);
}

static void add_who(struct line *line, const struct conn *conn)
{
    char stamp[40], client[ADDR_TEXT_MAX];
    struct text time;
    text_init(&time, stamp, sizeof(stamp));
    text_time(&time, clock_unix_ms());
    addr_format(&conn->peer, client);
    addw(line, "time", stamp);
    addw(line, "listener", conn->service->listener->name);
    if (conn->peer.sa.sa_family == AF_UNIX) /* a client may bind its socket to any path */
        adds(line, "client", client);
    else
        addw(line, "client", client);
}

static const struct certificate *leaf_of(const struct conn *conn)
{
    size_t count;
    if (!conn->client || !conn->client->tls)
        return NULL;
    const struct certificate *chain = tls_session_chain(conn->client->tls, &count);
    return count > 0 ? chain : tls_session_offered(conn->client->tls);
}

static void add_certificate(struct line *line, const struct conn *conn)
{
    char subject[512], serial[64], sha256[72];
    const struct certificate *leaf = leaf_of(conn);
    adds(line, "subject", leaf ? certificate_subject(leaf, subject, sizeof(subject)) : NULL);
    adds(line, "serial", leaf ? certificate_serial(leaf, serial, sizeof(serial)) : NULL);
    adds(line, "sha256", leaf ? certificate_sha256(leaf, sha256, sizeof(sha256)) : NULL);
}

static void add_tls(struct line *line, const struct conn *conn)
{
    const struct tls_session *session = conn->client ? conn->client->tls : NULL;
    adds(line, "tls", session ? tls_session_version(session) : NULL);
    adds(line, "cipher", session ? tls_session_cipher(session) : NULL);
    adds(line, "group", session ? tls_session_group(session) : NULL);
    adds(line, "sni", conn->server_name);
}

static const char *decision_of(const struct conn *conn)
{
    if (conn->authorized)
        return "allow";
    return reason_refused(conn->reason) ? "deny" : "-";
}

static void add_decision(struct line *line, const struct conn *conn)
{
    bool refused = !conn->authorized && reason_refused(conn->reason);
    addw(line, "decision", decision_of(conn));
    addw(line, "reason", refused ? reason_name(conn->reason) : "-");
    adds(line, "text", conn->decision.text);
    if (!conn->decision.log)
        return;
    name(line, "log");
    text_addf(&line->text, "{%s}", conn->decision.log);
}

static void add_figures(struct line *line, const struct conn *conn)
{
    adds(line, "backend", conn->authorized && conn->backend ? conn->backend->name : NULL);
    adds(line, "server", conn->member ? conn->member->name : NULL);
    addu(line, "bytes_in", conn->bytes_in);
    addu(line, "bytes_out", conn->bytes_out);
    addu(line, "handshake_us", conn->handshake_us);
    addu(line, "script_us", conn->script_us);
    addu(line, "connect_us", conn->connect_us);
    addu(line, "total_us", clock_us() - conn->started_us);
    addw(line, "close", reason_name(conn->reason));
    addu(line, "generation", conn->service->generation->number);
}

void access_log_write(struct proxy_thread *thread, const struct conn *conn)
{
    char buffer[8192];
    struct line line = {.json = log_format(thread->log) == LOG_JSON, .first = true};
    struct listener_state *state = conn->service->listener->state;
    count(&state->bytes_in, conn->bytes_in);
    count(&state->bytes_out, conn->bytes_out);
    if (!conn->service->listener->log_connections)
        return;
    text_init(&line.text, buffer, sizeof(buffer));
    if (line.json)
        text_addc(&line.text, '{');
    add_who(&line, conn);
    add_tls(&line, conn);
    add_certificate(&line, conn);
    add_decision(&line, conn);
    add_figures(&line, conn);
    if (line.json)
        text_addc(&line.text, '}');
    log_line(thread->log, slice_make(line.text.data, line.text.len));
}
