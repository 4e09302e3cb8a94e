#include "lb/control/log_fields.h"

#include <stdlib.h>

#include "lb/base/clock.h"

void log_fields_begin(struct log_fields *line, const struct log *log, char *buffer)
{
    *line = (struct log_fields){.json = log_format(log) == LOG_JSON, .first = true};
    text_init(&line->text, buffer, LOG_FIELDS_MAX);
    if (line->json)
        text_addc(&line->text, '{');
}

void log_fields_end(struct log_fields *line, struct log *log)
{
    if (line->json)
        text_addc(&line->text, '}');
    log_line(log, slice_make(line->text.data, line->text.len));
}

/* Where all of it may not fit: what fits, and then nothing more does. */
static void cut_name(struct log_fields *line, const char *key)
{
    struct text *text = &line->text;
    if (!line->first)
        text_addc(text, line->json ? ',' : ' ');
    text_adds(text, line->json ? "\"" : "");
    text_adds(text, key);
    text_adds(text, line->json ? "\":" : "=");
}

static void put_name(struct log_fields *line, const char *key, size_t len)
{
    struct text *text = &line->text;
    char *at = text->data + text->len;
    if (!line->first)
        *at++ = line->json ? ',' : ' ';
    if (line->json)
        *at++ = '"';
    memcpy(at, key, len);
    at += len;
    if (line->json)
        *at++ = '"';
    *at++ = line->json ? ':' : '=';
    *at = '\0';
    text->len = (size_t)(at - text->data);
}

/* A line has some forty names, so they are written into room that is known to be there. */
static void name(struct log_fields *line, const char *key)
{
    size_t len = strlen(key);
    if (line->text.cap - line->text.len > len + sizeof(",\"\":"))
        put_name(line, key, len);
    else
        cut_name(line, key);
    line->first = false;
}

void log_add(struct log_fields *line, const char *key, struct slice value)
{
    name(line, key);
    if (!line->json)
        text_quoted(&line->text, value);
    else if (value.len == 0)
        text_adds(&line->text, "null");
    else
        text_json(&line->text, value);
}

void log_adds(struct log_fields *line, const char *key, const char *value)
{
    log_add(line, key, slice_of(value));
}

void log_addu(struct log_fields *line, const char *key, uint64_t value)
{
    name(line, key);
    text_addu(&line->text, value);
}

void log_addb(struct log_fields *line, const char *key, bool value)
{
    name(line, key);
    text_adds(&line->text, value ? "true" : "false");
}

void log_add_members(struct log_fields *line, const char *key, const char *members)
{
    if (!members)
        return;
    name(line, key);
    text_addc(&line->text, '{');
    text_adds(&line->text, members);
    text_addc(&line->text, '}');
}

void log_addw(struct log_fields *line, const char *key, const char *word)
{
    if (line->json) {
        log_adds(line, key, word);
        return;
    }
    name(line, key);
    text_adds(&line->text, word);
}

/* Through whom a client came that a PROXY header has named. */
static void log_add_via(struct log_fields *line, const struct conn *conn)
{
    char via[ADDR_TEXT_MAX];
    if (!conn->service->listener->proxy_protocol)
        return;
    if (conn->via)
        addr_format(&conn->via->peer, via);
    log_adds(line, "via", conn->via ? via : NULL);
}

void log_add_who(struct log_fields *line, const struct conn *conn)
{
    char stamp[40], client[ADDR_TEXT_MAX];
    struct text time;
    text_init(&time, stamp, sizeof(stamp));
    text_time(&time, clock_unix_ms());
    addr_format(&conn->peer, client);
    log_addw(line, "time", stamp);
    log_addw(line, "listener", conn->service->listener->name);
    if (conn->peer.sa.sa_family == AF_UNIX) /* a client may bind its socket to any path */
        log_adds(line, "client", client);
    else
        log_addw(line, "client", client);
    log_add_via(line, conn);
}

static const struct certificate *leaf_of(const struct conn *conn)
{
    size_t count;
    if (!conn->client || !conn->client->tls)
        return NULL;
    const struct certificate *chain = tls_session_chain(conn->client->tls, &count);
    return count > 0 ? chain : tls_session_offered(conn->client->tls);
}

void log_add_certificate(struct log_fields *line, const struct conn *conn)
{
    char subject[512], serial[64], sha256[72];
    const struct certificate *leaf = leaf_of(conn);
    log_adds(line, "subject", leaf ? certificate_subject(leaf, subject, sizeof(subject)) : NULL);
    log_adds(line, "serial", leaf ? certificate_serial(leaf, serial, sizeof(serial)) : NULL);
    log_adds(line, "sha256", leaf ? certificate_sha256(leaf, sha256, sizeof(sha256)) : NULL);
}

void log_add_tls(struct log_fields *line, const struct conn *conn)
{
    const struct tls_session *session = conn->client ? conn->client->tls : NULL;
    log_adds(line, "tls", session ? tls_session_version(session) : NULL);
    log_adds(line, "cipher", session ? tls_session_cipher(session) : NULL);
    log_adds(line, "group", session ? tls_session_group(session) : NULL);
    log_adds(line, "signature", session ? tls_session_scheme(session) : NULL);
    log_addb(line, "resumed", session && tls_session_resumed(session));
    log_adds(line, "sni", conn->server_name);
}

void log_add_session(struct log_fields *line, struct http_conn *http)
{
    size_t from = line->text.len;
    if (http->log_session && http->log_json == line->json) {
        text_adds(&line->text, http->log_session);
        return;
    }
    log_add_tls(line, http->conn);
    log_add_certificate(line, http->conn);
    if (line->text.truncated)
        return;
    free(http->log_session);
    http->log_session = strdup(line->text.data + from);
    http->log_json = line->json;
}
