#include "lb/http/forward_parts.h"

#include "lb/base/text.h"

/* ---- lists ---- */

static bool join(struct http_head *head, enum field_id id, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct http_field *field = &head->fields[i];
        if (field->id != id || field->gone || !field->exact)
            continue;
        field->gone = true;
        if (field->value.len == 0)
            continue;
        if (!http_head_value_bytes(head, head_value(head, field)) ||
            !http_head_value_bytes(head, SLICE_LITERAL(", ")))
            return false;
    }
    return true;
}

bool forward_extend(struct http_head *head, enum field_id id, struct slice member)
{
    unsigned count = head->count;
    if (!http_head_find(head, id))
        return http_head_add_known(head, id, member);
    bool good = http_head_name_bytes(head, field_name_slice(id)) && join(head, id, count) &&
                http_head_value_bytes(head, member);
    http_head_field_done(head);
    return good;
}

bool forward_add_via(struct http_head *head)
{
    if (head->http2)
        return forward_extend(head, HEADER_VIA, SLICE_LITERAL("2.0 lb"));
    return forward_extend(head, HEADER_VIA,
                          head->minor == 0 ? SLICE_LITERAL("1.0 lb") : SLICE_LITERAL("1.1 lb"));
}

/* ---- what comes first ---- */

#define X(symbol, name, traits) | ((traits)&FIELD_IDENTITY ? FIELD_BIT(symbol) : 0)
static const uint64_t IDENTITY = 0 HTTP_FIELDS(X);
#undef X

static const uint64_t FORWARDED_FIELDS = FIELD_BIT(FORWARDED) | FIELD_BIT(X_FORWARDED_FOR) |
                                         FIELD_BIT(X_FORWARDED_PROTO) | FIELD_BIT(X_FORWARDED_HOST) |
                                         FIELD_BIT(X_FORWARDED_PORT);

/* Takes away the fields of `drop`, in any spelling; gives those that are there. */
static uint64_t survey(struct http_head *head, uint64_t drop)
{
    uint64_t seen = 0;
    for (unsigned i = 0; i < head->count; i++) {
        struct http_field *field = &head->fields[i];
        uint64_t bit = 1ull << field->id;
        field->gone = field->gone || bit & drop;
        if (!field->gone)
            seen |= bit;
    }
    return seen;
}

/* A server may answer by the first Host that it finds, so it stands first (RFC 9110 section 7.2). It is empty
 * where HTTP/1.0 has named none: HTTP/1.1 demands one (RFC 9112 section 3.2). */
static bool set_host(struct http_head *head, const struct forward_facts *facts)
{
    struct slice value = facts->host_out.len > 0 ? facts->host_out : head_text(head, head->authority);
    if (!http_head_add_known(head, HEADER_HOST, value))
        return false;
    unsigned last = head->count - 1u;
    struct http_field host = head->fields[last];
    memmove(head->fields + 1, head->fields, last * sizeof(*head->fields));
    head->fields[0] = host;
    return true;
}

static bool set_request_id(struct http_head *head, struct forward_facts *facts)
{
    struct slice kept;
    bool keeps = forward_kept_id(head, &kept);
    if (keeps || facts->request_id[0] == '\0') /* else it has been made already */
        forward_request_id(head, facts);
    if (keeps)
        return true;
    http_head_remove(head, HEADER_X_REQUEST_ID);
    return http_head_add_known(head, HEADER_X_REQUEST_ID, slice_of(facts->request_id));
}

static bool add_identity(struct http_head *head, const struct forward_facts *facts)
{
    for (uint64_t left = facts->identity & IDENTITY; left; left &= left - 1)
        if (!forward_add_identity(head, (enum field_id)__builtin_ctzll(left), facts->chain, facts->chain_len))
            return false;
    return true;
}

/* ---- where it came from ---- */

/* The client's address; false for a unix socket, which has none. */
static bool client_host(const struct forward_facts *facts, char out[ADDR_TEXT_MAX])
{
    addr_host(facts->client, out);
    return facts->client->sa.sa_family != AF_UNIX;
}

static bool add_port(struct http_head *head, unsigned port)
{
    char digits[12];
    struct text text;
    text_init(&text, digits, sizeof(digits));
    text_addu(&text, port);
    return port == 0 || http_head_add_known(head, HEADER_X_FORWARDED_PORT, slice_make(text.data, text.len));
}

static bool add_if_absent(struct http_head *head, enum field_id id, struct slice value, uint64_t seen)
{
    return seen >> id & 1 || value.len == 0 || http_head_add_known(head, id, value);
}

static struct slice scheme(const struct forward_facts *facts)
{
    return facts->tls ? SLICE_LITERAL("https") : SLICE_LITERAL("http");
}

/* ---- Forwarded (RFC 7239) ---- */

/* Whether what comes behind this list is read as one more member, not as the rest of a quoted string. */
static bool ends_unquoted(struct slice list)
{
    bool quoted = false;
    for (size_t i = 0; i < list.len; i++) {
        if (list.data[i] == '"')
            quoted = !quoted;
        else if (list.data[i] == '\\' && quoted)
            i++;
    }
    return !quoted;
}

static void drop_unfinished(struct http_head *head)
{
    for (unsigned i = 0; i < head->count; i++)
        if (head->fields[i].id == HEADER_FORWARDED && !ends_unquoted(head_value(head, &head->fields[i])))
            head->fields[i].gone = true;
}

/* Quoted, as a host may hold ':' (section 4). */
static void add_host(struct text *text, struct slice host)
{
    size_t from = 0;
    if (host.len == 0)
        return;
    text_adds(text, ";host=\"");
    for (size_t i = 0; i < host.len; i++)
        if (host.data[i] == '"' || host.data[i] == '\\') {
            text_add(text, slice_make(host.data + from, i - from));
            text_addc(text, '\\');
            from = i;
        }
    text_add(text, slice_make(host.data + from, host.len - from));
    text_addc(text, '"');
}

static void add_node(struct text *text, const char *address)
{
    bool brackets = address && strchr(address, ':'); /* section 6 */
    text_adds(text, brackets ? "for=\"[" : "for=");
    text_adds(text, address ? address : "unknown");
    text_adds(text, brackets ? "]\"" : "");
}

/* A host longer than hosts can be is left out. */
static bool extend_forwarded(struct http_head *head, const char *address, struct slice host,
                             struct slice proto)
{
    char buffer[2 * HTTP_HOST_MAX + ADDR_TEXT_MAX + 64];
    struct text text;
    text_init(&text, buffer, sizeof(buffer));
    add_node(&text, address);
    add_host(&text, host.len <= HTTP_HOST_MAX ? host : (struct slice){"", 0});
    text_adds(&text, ";proto=");
    text_add(&text, proto);
    return forward_extend(head, HEADER_FORWARDED, slice_make(text.data, text.len));
}

static bool set_forwarded(struct http_head *head, const struct forward_facts *facts, struct span host,
                          uint64_t seen)
{
    char address[ADDR_TEXT_MAX];
    bool known = client_host(facts, address);
    if (seen & FIELD_BIT(FORWARDED))
        drop_unfinished(head);
    return (!known || forward_extend(head, HEADER_X_FORWARDED_FOR, slice_of(address))) &&
           add_if_absent(head, HEADER_X_FORWARDED_PROTO, scheme(facts), seen) &&
           add_if_absent(head, HEADER_X_FORWARDED_HOST, head_text(head, host), seen) &&
           (seen & FIELD_BIT(X_FORWARDED_PORT) || add_port(head, facts->port)) &&
           extend_forwarded(head, known ? address : NULL, head_text(head, host), scheme(facts));
}

/* ---- all of it ---- */

static uint64_t replaced(const struct forward_facts *facts)
{
    bool goes_on = facts->mode == FORWARDED_OFF || (facts->mode == FORWARDED_APPEND && facts->trusted);
    return (goes_on ? 0 : FORWARDED_FIELDS) | (facts->identity & IDENTITY) | FIELD_BIT(HOST);
}

bool forward_request(struct http_head *head, struct forward_facts *facts)
{
    struct span host;
    /* The text may be the head's own, which moves as fields are added. */
    if (!http_head_put(head, facts->host, &host))
        return false;
    uint64_t seen = survey(head, replaced(facts));
    return set_host(head, facts) &&
           (facts->mode == FORWARDED_OFF || set_forwarded(head, facts, host, seen)) &&
           forward_add_via(head) && set_request_id(head, facts) && add_identity(head, facts);
}
