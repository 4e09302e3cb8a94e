/* What a server is told about the client in front of everything else (send-proxy). */
#include <string.h>

#include "lb/base/text.h"
#include "lb/net/proxy_protocol.h"
#include "lb/proxy/steps.h"
#include "lb/tls/names.h"

_Static_assert(NET_INPUT_MAX >= PROXY_WRITE_MAX, "a header is put together where a thread decrypts");

/* Texts that the facts point into. */
struct room {
    struct addr local;
    char group[32], common_name[NAME_UTF8_MAX];
};

/* The first one, as others do; it is told, not believed. */
static void take_common_name(void *sink, struct slice value)
{
    struct proxy_facts *facts = sink;
    char *room = (char *)facts->common_name.data;
    if (facts->common_name.len > 0 || value.len > NAME_UTF8_MAX)
        return;
    memcpy(room, value.data, value.len);
    facts->common_name.len = value.len;
}

static void add_certificate(const struct certificate *leaf, bool resumed, bool whole,
                            struct proxy_facts *facts, struct room *room)
{
    facts->certificate_in_session = true;
    facts->certificate_now = !resumed;
    facts->common_name = slice_make(room->common_name, 0);
    certificate_ops.values(leaf, FIELD_SUBJECT_ATTRIBUTE, SLICE_LITERAL("CN"), take_common_name, facts);
    if (whole)
        facts->certificate = leaf->der;
}

/* The names of single groups are in small letters in the registry, those of hybrids are not. */
static struct slice group_name(const char *name, struct room *room)
{
    struct text text;
    bool hybrid = strstr(name, "MLKEM") != NULL;
    text_init(&text, room->group, sizeof(room->group));
    for (; *name; name++)
        text_addc(&text, !hybrid && *name >= 'A' && *name <= 'Z' ? (char)(*name | 0x20) : *name);
    return slice_make(text.data, text.len);
}

static void add_tls(const struct tls_session *session, bool whole, struct proxy_facts *facts,
                    struct room *room)
{
    const struct tls_own *own = tls_session_own(session);
    size_t count;
    const struct certificate *chain = tls_session_chain(session, &count);
    facts->tls = true;
    facts->alpn = tls_session_alpn(session);
    facts->version = slice_of(tls_session_version(session));
    facts->cipher = slice_of(tls_session_suite(session));
    facts->group = group_name(tls_session_group(session), room);
    facts->scheme = slice_of(tls_session_scheme(session));
    facts->signature = slice_of(own->signature);
    facts->key = slice_of(own->key);
    if (count > 0)
        add_certificate(chain, tls_session_resumed(session), whole, facts, room);
}

size_t proxy_announce(const struct conn *conn, const struct backend *backend, const char *id, char *out)
{
    struct room room;
    struct proxy_facts facts = {.source = &conn->peer};
    if (conn_local(conn, &room.local))
        facts.destination = &room.local;
    if (backend->send_proxy == SEND_PROXY_V1)
        return proxy_write_v1(&facts, out);
    facts.authority = slice_of(conn->server_name);
    facts.unique_id = slice_of(id);
    if (conn->client->tls)
        add_tls(conn->client->tls, backend->send_proxy_certificate, &facts, &room);
    return proxy_write_v2(&facts, out, PROXY_WRITE_MAX);
}
