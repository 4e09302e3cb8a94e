/* A request's head as HTTP/2 has it: the connection to the server is another one than the client's. */

#include "lb/proxy/upstream_parts.h"

/* RFC 9113 section 8.2.2; Host becomes :authority (section 8.3.1). */
static bool passes(const struct http_field *field)
{
    enum field_id id = (enum field_id)field->id;
    if (field->gone || id == HEADER_HOST)
        return false;
    return id == HEADER_TE || !(field_traits(id) & (FIELD_HOP | FIELD_FRAMING));
}

static bool copy_fields(struct http_head *to, const struct http_head *from)
{
    for (unsigned i = 0; i < from->count; i++) {
        const struct http_field *field = &from->fields[i];
        if (passes(field) && !http_head_add(to, head_name(from, field), head_value(from, field)))
            return false;
    }
    return true;
}

struct http_head *h2_request_head(struct head_pool *heads, const struct http_head *head)
{
    const struct http_field *host = http_head_find(head, HEADER_HOST);
    struct slice authority = host ? head_value(head, host) : head_text(head, head->authority);
    struct http_head *sent = head_pool_take(heads);
    if (!sent)
        return NULL;
    sent->method = head->method;
    sent->http2 = true;
    sent->content_length = head->content_length;
    if (http_head_put(sent, head_text(head, head->method_text), &sent->method_text) &&
        http_head_put(sent, SLICE_LITERAL("http"), &sent->scheme) &&
        http_head_put(sent, authority, &sent->authority) && copy_fields(sent, head) &&
        (head->content_length < 0 || http_head_add_length(sent, head->content_length)))
        return sent;
    head_pool_give(heads, sent);
    return NULL;
}
