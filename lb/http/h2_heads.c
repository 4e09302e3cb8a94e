#include <stdlib.h>
#include <strings.h>

#include "lb/http/bytes.h"
#include "lb/http/h2_parts.h"

/* What limits count for each field, as with HTTP/1. */
#define FIELD_COST 4

/* A section this many times over its limit is not worth an answer. */
#define HOPELESS 4

/* ---- receiving ---- */

static bool server(const struct h2_stream *stream)
{
    return stream->session->settings.server;
}

static bool is_target(struct slice text)
{
    return text.len > 0 && http_target_end(text.data, text.data + text.len) == text.data + text.len;
}

/* RFC 9113 section 8.3.1: no userinfo, which a server might take for something else than lb does. */
static bool is_authority(struct slice text)
{
    return is_target(text) && memchr(text.data, '@', text.len) == NULL;
}

static bool keep(struct h2_stream *stream, struct slice value, struct span *out)
{
    return out->len == 0 && http_head_put(stream->head, value, out);
}

static bool take_path(struct h2_stream *stream, struct slice value)
{
    if (value.len > stream->session->settings.limits.uri_bytes)
        stream->refusal = 414;
    return is_target(value) && (stream->refusal || keep(stream, value, &stream->head->target));
}

static bool take_status(struct http_head *head, struct slice value)
{
    if (head->status || value.len != 3 || value.data[0] < '1' || value.data[0] > '5')
        return false;
    for (size_t i = 0; i < 3; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return false;
        head->status = head->status * 10 + (unsigned)(value.data[i] - '0');
    }
    return head->status != 101;
}

/* RFC 9113 section 8.3: before all others, each once, none in trailers. */
static bool take_pseudo(struct h2_stream *stream, struct slice name, struct slice value)
{
    struct http_head *head = stream->head;
    if (stream->in_trailers || head->count > 0)
        return false;
    if (!server(stream))
        return slice_is(name, ":status") && take_status(head, value);
    if (slice_is(name, ":method"))
        return http_is_token(value) && keep(stream, value, &head->method_text);
    if (slice_is(name, ":scheme"))
        return (slice_is(value, "https") || slice_is(value, "http")) && keep(stream, value, &head->scheme);
    if (slice_is(name, ":authority"))
        return is_authority(value) && keep(stream, value, &head->authority);
    return slice_is(name, ":path") && take_path(stream, value);
}

static bool is_name(struct slice text)
{
    return text.len > 0 && http_name_end(text.data, text.data + text.len) == text.data + text.len;
}

static bool blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* RFC 9113 section 8.2.1. */
static bool well_formed(struct slice name, struct slice value)
{
    bool padded = value.len > 0 && (blank(value.data[0]) || blank(value.data[value.len - 1]));
    return is_name(name) && http_is_value(value) && !padded;
}

static bool take_length(struct http_head *head, struct slice value)
{
    int64_t length = 0;
    if (head->content_length >= 0 || value.len == 0)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        int digit = value.data[i] - '0';
        if (digit < 0 || digit > 9 || length > (INT64_MAX - digit) / 10)
            return false;
        length = length * 10 + digit;
    }
    head->content_length = length;
    return true;
}

/* RFC 9113 section 8.2.2, and names that a server may take for those that frame or route a request. */
static bool acceptable(struct h2_stream *stream, enum field_id id, bool exact, struct slice value)
{
    if (!exact && (field_traits(id) & FIELD_FRAMING || id == HEADER_HOST))
        return false;
    switch (id) {
    case HEADER_CONNECTION:
    case HEADER_PROXY_CONNECTION:
    case HEADER_KEEP_ALIVE:
    case HEADER_UPGRADE:
    case HEADER_TRANSFER_ENCODING: return false;
    case HEADER_TE: return value.len == 8 && strncasecmp(value.data, "trailers", 8) == 0;
    case HEADER_CONTENT_LENGTH: return !stream->in_trailers && take_length(stream->head, value);
    case HEADER_HOST:
        return !server(stream) || stream->in_trailers ||
               (is_authority(value) && !http_head_find(stream->head, HEADER_HOST));
    default: return true;
    }
}

static bool take_field(struct h2_stream *stream, struct slice name, struct slice value)
{
    bool exact;
    if (!well_formed(name, value))
        return false;
    enum field_id id = field_find(name, &exact);
    if (!acceptable(stream, id, exact, value))
        return false;
    if (stream->refusal || (stream->in_trailers && field_traits(id) & FIELD_UNTRAILED))
        return true;
    return http_head_add_found(stream->head, id, exact, name, value);
}

bool h2_head_field(struct h2_stream *stream, struct slice name, struct slice value)
{
    const struct http_limits *limits = &stream->session->settings.limits;
    bool pseudo = name.len > 0 && name.data[0] == ':';
    stream->head_bytes += name.len + value.len + FIELD_COST;
    stream->head_fields += !pseudo;
    if (stream->head_bytes > limits->header_bytes || stream->head_fields > limits->header_count)
        stream->refusal = stream->refusal ? stream->refusal : 431;
    if (stream->head_bytes / HOPELESS > limits->header_bytes)
        return false;
    return pseudo ? take_pseudo(stream, name, value) : take_field(stream, name, value);
}

/* RFC 9113 section 8.2.3: for whoever reads one Cookie only. */
static bool join_cookies(struct http_head *head)
{
    unsigned all = head->count, cookies = 0;
    for (unsigned i = 0; i < all; i++)
        cookies += head->fields[i].id == HEADER_COOKIE && head->fields[i].exact;
    if (cookies < 2)
        return true;
    bool good = http_head_name_bytes(head, SLICE_LITERAL("cookie"));
    for (unsigned i = 0, met = 0; i < all && good; i++) {
        if (head->fields[i].id != HEADER_COOKIE || !head->fields[i].exact)
            continue;
        good = (met++ == 0 || http_head_value_bytes(head, SLICE_LITERAL("; "))) &&
               http_head_value_bytes(head, head_value(head, &head->fields[i]));
        head->fields[i].gone = true;
    }
    http_head_field_done(head);
    return good;
}

/* RFC 9113 section 8.3.1: Host says the same as ":authority", or stands for it. */
static bool settle_authority(struct http_head *head)
{
    const struct http_field *host = http_head_find(head, HEADER_HOST);
    if (!host)
        return head->authority.len > 0;
    struct slice value = head_value(head, host), authority = head_text(head, head->authority);
    if (authority.len == 0)
        head->authority = host->value;
    return authority.len == 0 ||
           (authority.len == value.len && strncasecmp(authority.data, value.data, value.len) == 0);
}

static bool finish_request(struct h2_stream *stream)
{
    struct http_head *head = stream->head;
    head->method = method_of(head_text(head, head->method_text));
    if (stream->refusal)
        return true;
    struct slice target = head_text(head, head->target);
    bool whole = head->method_text.len > 0 && head->scheme.len > 0 && target.len > 0;
    if (!whole || head->method == METHOD_CONNECT || !settle_authority(head))
        return false;
    if (target.data[0] != '/' && !(slice_is(target, "*") && head->method == METHOD_OPTIONS))
        return false;
    return join_cookies(head);
}

bool h2_head_finish(struct h2_stream *stream, bool ends)
{
    struct http_head *head = stream->head;
    head->http2 = true;
    head->minor = 1;
    head->keep_alive = true;
    if (stream->in_trailers)
        return !stream->refusal;
    head->chunked = !ends && head->content_length < 0;
    if (server(stream))
        return finish_request(stream);
    return !stream->refusal && head->status >= 100;
}

/* ---- sending ---- */

static bool make_room(struct h2_pairs *pairs, size_t fields)
{
    pairs->count = 0;
    pairs->all = pairs->few;
    if (fields > sizeof(pairs->few) / sizeof(pairs->few[0]))
        pairs->all = malloc(fields * sizeof(*pairs->all));
    return pairs->all != NULL;
}

void h2_pairs_free(struct h2_pairs *pairs)
{
    if (pairs->all != pairs->few)
        free(pairs->all);
}

/* nghttp2 copies the value, and a name that is not constant. */
static void add(struct h2_pairs *pairs, struct slice name, struct slice value, uint8_t flags)
{
    pairs->all[pairs->count++] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.data,
                                              .value = (uint8_t *)(uintptr_t)value.data,
                                              .namelen = name.len,
                                              .valuelen = value.len,
                                              .flags = flags};
}

static void add_constant(struct h2_pairs *pairs, struct slice name, struct slice value)
{
    add(pairs, name, value, NGHTTP2_NV_FLAG_NO_COPY_NAME);
}

static void add_field(struct h2_pairs *pairs, const struct http_head *head, const struct http_field *field)
{
    if (field->exact && field->id != HEADER_OTHER)
        add_constant(pairs, field_name_slice((enum field_id)field->id), head_value(head, field));
    else
        add(pairs, head_name(head, field), head_value(head, field), NGHTTP2_NV_FLAG_NONE);
}

/* What HTTP/2 has no place for stays here, should it come this far. */
static bool belongs(const struct http_field *field)
{
    switch (field->id) {
    case HEADER_HOST:
    case HEADER_CONNECTION:
    case HEADER_PROXY_CONNECTION:
    case HEADER_KEEP_ALIVE:
    case HEADER_UPGRADE:
    case HEADER_HTTP2_SETTINGS:
    case HEADER_TRANSFER_ENCODING: return false;
    default: return !field->gone;
    }
}

static void add_fields(struct h2_pairs *pairs, const struct http_head *head)
{
    for (unsigned i = 0; i < head->count; i++)
        if (belongs(&head->fields[i]))
            add_field(pairs, head, &head->fields[i]);
}

bool h2_pairs_request(struct h2_pairs *pairs, const struct http_head *head, struct slice path)
{
    struct slice scheme = head_text(head, head->scheme), authority = head_text(head, head->authority);
    if (!make_room(pairs, head->count + 4u))
        return false;
    add_constant(pairs, SLICE_LITERAL(":method"), head_text(head, head->method_text));
    add_constant(pairs, SLICE_LITERAL(":scheme"), scheme.len > 0 ? scheme : SLICE_LITERAL("http"));
    if (authority.len > 0)
        add_constant(pairs, SLICE_LITERAL(":authority"), authority);
    add_constant(pairs, SLICE_LITERAL(":path"), path);
    add_fields(pairs, head);
    return true;
}

static void write_status(char digits[3], unsigned status)
{
    digits[0] = (char)('0' + status / 100 % 10);
    digits[1] = (char)('0' + status / 10 % 10);
    digits[2] = (char)('0' + status % 10);
}

bool h2_pairs_response(struct h2_pairs *pairs, const struct http_head *head, char status[3])
{
    if (!make_room(pairs, head->count + 1u))
        return false;
    write_status(status, head->status);
    add_constant(pairs, SLICE_LITERAL(":status"), slice_make(status, 3));
    add_fields(pairs, head);
    return true;
}

bool h2_pairs_trailers(struct h2_pairs *pairs, const struct http_head *head)
{
    if (!make_room(pairs, head->count))
        return false;
    add_fields(pairs, head);
    return true;
}
