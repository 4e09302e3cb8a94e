#include "lb/http/h1_frame.h"

#include <string.h>
#include <strings.h>

/* What was seen of the fields so far. */
struct seen {
    struct http_head *head;
    unsigned hosts, lengths, codings;
    bool close, keep_alive, upgrade, protocols, http;
    struct h1_error error;
};

static void refuse(struct seen *seen, unsigned status, const char *text)
{
    if (!seen->error.text)
        seen->error = (struct h1_error){status, text};
}

static int64_t length_of(struct slice text)
{
    int64_t length = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = text.data[i] - '0';
        if (digit < 0 || digit > 9 || length > (INT64_MAX - digit) / 10)
            return -1;
        length = length * 10 + digit;
    }
    return text.len > 0 ? length : -1;
}

static void see_length(struct seen *seen, const struct http_field *field)
{
    if (seen->lengths++)
        refuse(seen, 400, "more than one Content-Length");
    seen->head->content_length = length_of(head_value(seen->head, field));
    if (seen->head->content_length < 0)
        refuse(seen, 400, "Content-Length is no number");
}

static void see_coding(struct seen *seen, const struct http_field *field)
{
    struct slice value = head_value(seen->head, field);
    if (seen->codings++)
        refuse(seen, 400, "more than one Transfer-Encoding");
    seen->head->chunked = value.len == 7 && strncasecmp(value.data, "chunked", 7) == 0;
    if (!seen->head->chunked)
        refuse(seen, http_is_token(value) ? 501 : 400, "Transfer-Encoding is not just \"chunked\"");
}

static void see_connection(struct seen *seen, struct slice list)
{
    struct slice member;
    while (http_list_next(&list, &member)) {
        seen->close |= member.len == 5 && strncasecmp(member.data, "close", 5) == 0;
        seen->keep_alive |= member.len == 10 && strncasecmp(member.data, "keep-alive", 10) == 0;
        seen->upgrade |= member.len == 7 && strncasecmp(member.data, "upgrade", 7) == 0;
    }
}

/* Whether a protocol of Upgrade would bring further requests, or TLS, that lb could not look into: "h2c" (RFC
 * 9113 section 3.1 has given it up), "HTTP/2.0", "TLS/1.3". */
static bool hides_requests(struct slice protocol)
{
    static const char *const names[] = {"h2", "http", "tls"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (protocol.len >= strlen(names[i]) && strncasecmp(protocol.data, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static void see_upgrade(struct seen *seen, struct slice list)
{
    struct slice member;
    seen->protocols = true;
    while (http_list_next(&list, &member))
        seen->http |= hides_requests(member);
}

static void see_host(struct seen *seen, const struct http_field *field)
{
    if (seen->hosts++)
        refuse(seen, 400, "more than one Host");
    seen->head->authority = field->value;
}

static void see(struct seen *seen, const struct http_field *field)
{
    if (!field->exact && field_traits((enum field_id)field->id) & FIELD_FRAMING)
        refuse(seen, 400, "a field that may be taken for Content-Length or Transfer-Encoding");
    switch (field->id) {
    case HEADER_HOST: see_host(seen, field); return;
    case HEADER_CONTENT_LENGTH: see_length(seen, field); return;
    case HEADER_TRANSFER_ENCODING: see_coding(seen, field); return;
    case HEADER_CONNECTION: see_connection(seen, head_value(seen->head, field)); return;
    case HEADER_UPGRADE: see_upgrade(seen, head_value(seen->head, field)); return;
    default: return;
    }
}

static void see_together(struct seen *seen)
{
    if (seen->lengths && seen->codings)
        refuse(seen, 400, "Content-Length together with Transfer-Encoding");
    if (seen->codings && seen->head->minor == 0)
        refuse(seen, 400, "Transfer-Encoding in HTTP/1.0");
}

struct h1_error h1_frame_read(struct http_head *head, enum h1_kind kind)
{
    struct seen seen = {.head = head};
    for (unsigned i = 0; i < head->count; i++)
        see(&seen, &head->fields[i]);
    see_together(&seen);
    if (kind == H1_RESPONSES)
        head->authority = (struct span){0, 0};
    head->keep_alive = !seen.close && (head->minor > 0 || seen.keep_alive);
    /* RFC 9110 section 7.8: a server ignores Upgrade in HTTP/1.0. */
    head->upgrade = kind == H1_REQUESTS && head->minor > 0 && seen.upgrade && seen.protocols && !seen.http;
    return seen.error;
}

bool h1_frame_bodiless(unsigned status)
{
    return status < 200 || status == 204 || status == 304;
}
