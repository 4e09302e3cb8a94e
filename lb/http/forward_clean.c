#include "lb/http/forward_parts.h"

#include <strings.h>

/* Work for one message is bounded: what names more than this is nobody's honest list. */
enum { OPTIONS_MAX = 64 };

static bool says(struct slice text, const char *word)
{
    size_t len = strlen(word);
    return text.len == len && strncasecmp(text.data, word, len) == 0;
}

/* ---- Connection ---- */

/*
 * Not for Connection to take away: what decides where a request goes and what a trusted proxy says about it,
 * or a client could have lb hide from a server what the proxy in front has found out. Upgrade and TE have
 * rules of their own.
 */
static const uint64_t REQUEST_KEEPS =
    FIELD_BIT(HOST) | FIELD_BIT(UPGRADE) | FIELD_BIT(TE) | FIELD_BIT(VIA) | FIELD_BIT(FORWARDED) |
    FIELD_BIT(X_FORWARDED_FOR) | FIELD_BIT(X_FORWARDED_PROTO) | FIELD_BIT(X_FORWARDED_HOST) |
    FIELD_BIT(X_FORWARDED_PORT) | FIELD_BIT(X_REAL_IP) | FIELD_BIT(X_REQUEST_ID);
static const uint64_t RESPONSE_KEEPS = FIELD_BIT(UPGRADE) | FIELD_BIT(VIA);

static void remove_named(struct http_head *head, struct slice name, uint64_t keeps)
{
    bool exact;
    if (!(keeps >> field_find(name, &exact) & 1))
        http_head_remove_named(head, name);
}

static void remove_unknown(struct http_head *head)
{
    for (unsigned i = 0; i < head->count; i++)
        if (head->fields[i].id == HEADER_OTHER)
            head->fields[i].gone = true;
}

static void remove_listed(struct http_head *head, struct slice list, uint64_t keeps, unsigned *options)
{
    struct slice name;
    while (http_list_next(&list, &name) && ++*options <= OPTIONS_MAX)
        remove_named(head, name, keeps);
}

/* RFC 9110 section 7.6.1: of every line of Connection. */
static void remove_options(struct http_head *head, uint64_t keeps)
{
    unsigned options = 0;
    for (unsigned i = 0; i < head->count; i++) {
        const struct http_field *field = &head->fields[i];
        if (field->id == HEADER_CONNECTION && field->exact)
            remove_listed(head, head_value(head, field), keeps, &options);
    }
    if (options > OPTIONS_MAX)
        remove_unknown(head);
}

/* The usual values name no field. */
static bool names_fields(const struct http_head *head, const struct http_field *field)
{
    struct slice value = head_value(head, field);
    return field->id == HEADER_CONNECTION && !says(value, "keep-alive") && !says(value, "close");
}

/* ---- requests ---- */

/* A TE with "trailers" says that and nothing else (RFC 9110 section 10.1.4). */
static bool keep_trailers(struct http_head *head, struct http_field *field)
{
    static const struct slice word = SLICE_LITERAL("trailers");
    struct slice list = head_value(head, field), member;
    while (http_list_next(&list, &member))
        if (says(member, word.data)) {
            field->value = (struct span){(uint32_t)(member.data - head->bytes), (uint32_t)word.len};
            memcpy(head->bytes + field->value.at, word.data, word.len);
            return true;
        }
    return false;
}

struct rules {
    unsigned drop; /* traits */
    bool upgrade;  /* stays */
    bool te;       /* one was kept */
};

static bool stays(struct http_head *head, struct http_field *field, struct rules *rules)
{
    if (!field->exact)
        return false;
    if (field->id == HEADER_TE && !rules->te)
        return rules->te = keep_trailers(head, field);
    if (field->id == HEADER_UPGRADE)
        return rules->upgrade;
    return !(field_traits((enum field_id)field->id) & rules->drop);
}

void forward_clean(struct http_head *head, bool trusted, bool keep_upgrade)
{
    struct rules rules = {FIELD_FRAMING | FIELD_HOP | FIELD_IDENTITY | (trusted ? 0 : FIELD_FORWARDED),
                          keep_upgrade, false};
    bool options = false;
    for (unsigned i = 0; i < head->count; i++) {
        struct http_field *field = &head->fields[i];
        if (field->id == HEADER_OTHER || field->gone)
            continue;
        options = options || names_fields(head, field);
        field->gone = !stays(head, field, &rules);
    }
    if (options)
        remove_options(head, REQUEST_KEEPS);
}

/* ---- responses and trailers ---- */

bool forward_response(struct http_head *head, bool keep_upgrade)
{
    bool options = false;
    for (unsigned i = 0; i < head->count; i++) {
        struct http_field *field = &head->fields[i];
        bool kept = field->id == HEADER_UPGRADE && field->exact && keep_upgrade;
        options = options || names_fields(head, field);
        if (field_traits((enum field_id)field->id) & (FIELD_HOP | FIELD_FRAMING) && !kept)
            field->gone = true;
    }
    if (options)
        remove_options(head, RESPONSE_KEEPS);
    return forward_add_via(head);
}

void forward_trailers(struct http_head *trailers)
{
    for (unsigned i = 0; i < trailers->count; i++) {
        struct http_field *field = &trailers->fields[i];
        if (!field->exact || field_traits((enum field_id)field->id) != 0)
            field->gone = true;
    }
}
