#include "lb/http/target_parts.h"

#include <strings.h>

struct reading {
    struct http_head *head;
    struct http_target *out;
    unsigned status;
    const char *why;
};

static bool refuse(struct reading *reading, unsigned status, const char *why)
{
    reading->status = status;
    reading->why = why;
    return false;
}

static bool starts_with(struct slice text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && strncasecmp(text.data, prefix, len) == 0;
}

static struct span sub_span(struct span span, size_t from, size_t len)
{
    return (struct span){span.at + (uint32_t)from, (uint32_t)len};
}

/* ---- host ---- */

static const struct http_field *next_host(const struct http_head *head, const struct http_field *after)
{
    return http_head_next_named(head, SLICE_LITERAL("host"), after);
}

/* RFC 9112 section 3.2: one Host, no more. */
static bool find_host(struct reading *reading, const struct http_field **host)
{
    *host = next_host(reading->head, NULL);
    if (*host && next_host(reading->head, *host))
        return refuse(reading, 400, "the request has more than one Host");
    return true;
}

static bool same_authority(struct slice text, const struct http_target *target, unsigned usual_port)
{
    char host[HTTP_HOST_MAX];
    unsigned port;
    if (!http_host_normalize(text, host, &port) || strcmp(host, target->host) != 0)
        return false;
    return (port ? port : usual_port) == (target->port ? target->port : usual_port);
}

static bool read_host(struct reading *reading, struct span authority)
{
    if (!http_host_normalize(head_text(reading->head, authority), reading->out->host, &reading->out->port))
        return refuse(reading, 400, "the host that the request names is none");
    return true;
}

static bool http1_host(struct reading *reading)
{
    struct http_head *head = reading->head;
    const struct http_field *host;
    if (!find_host(reading, &host))
        return false;
    if (head->minor > 0 && !host)
        return refuse(reading, 400, "the request has no Host");
    if (!host || (host->value.len == 0 && head->minor == 0))
        return true;
    if (head->authority.len == 0)
        head->authority = host->value;
    return read_host(reading, host->value);
}

/* RFC 9113 section 8.3.1. */
static bool http2_host(struct reading *reading)
{
    struct http_head *head = reading->head;
    struct slice scheme = head_text(head, head->scheme);
    bool secure = scheme.len == 5 && starts_with(scheme, "https");
    const struct http_field *host;
    if (!secure && !(scheme.len == 4 && starts_with(scheme, "http")))
        return refuse(reading, 400, "the scheme is neither http nor https");
    if (!find_host(reading, &host))
        return false;
    if (head->authority.len == 0 && host)
        head->authority = host->value;
    if (head->authority.len == 0)
        return refuse(reading, 400, "the request names no host");
    if (!read_host(reading, head->authority))
        return false;
    if (host && !same_authority(head_value(head, host), reading->out, secure ? 443 : 80))
        return refuse(reading, 400, "Host and :authority name different hosts");
    return true;
}

/* ---- absolute-form ---- */

static size_t authority_len(struct slice text)
{
    size_t len = 0;
    while (len < text.len && !strchr("/?#", text.data[len]))
        len++;
    return len;
}

/* RFC 9112 section 3.2.2; cuts *target down to what an origin-form would be (it may be empty). */
static bool absolute_form(struct reading *reading, struct span *target)
{
    struct slice text = head_text(reading->head, *target);
    bool secure = starts_with(text, "https://");
    if (!secure && !starts_with(text, "http://"))
        return refuse(reading, 400, "the target is neither a path nor an http URI");
    size_t start = secure ? 8 : 7;
    size_t len = authority_len(slice_make(text.data + start, text.len - start));
    struct span authority = sub_span(*target, start, len);
    *target = sub_span(*target, start + len, text.len - start - len);
    if (reading->out->host[0] == '\0') {
        if (reading->head->authority.len == 0)
            reading->head->authority = authority;
        return read_host(reading, authority);
    }
    if (!same_authority(head_text(reading->head, authority), reading->out, secure ? 443 : 80))
        return refuse(reading, 400, "Host and the target name different hosts");
    return true;
}

/* ---- path and query ---- */

static bool read_query(struct reading *reading, struct span span)
{
    struct slice query = head_text(reading->head, span);
    for (size_t i = 0; i < query.len; i++)
        if (http_byte_refused(query.data[i]) || (query.data[i] == '%' && http_escape_value(query, i) < 0))
            return refuse(reading, 400, "the query holds a byte or an escape that it may not");
    reading->out->query = span;
    return true;
}

static bool put_normalized(struct reading *reading, struct span span, enum encoded_slash slash)
{
    struct http_head *head = reading->head;
    const char *why;
    size_t len;
    struct span room;
    if (!http_head_put(head, head_text(head, span), &room) ||
        !http_head_put(head, slice_make("", 1), &(struct span){0, 0}))
        return refuse(reading, 0, "out of memory");
    if (!http_path_normalize(head_text(head, room), slash, head->bytes + room.at, &len, &why))
        return refuse(reading, 400, why);
    head->len = room.at + (uint32_t)len;
    reading->out->path = (struct span){room.at, (uint32_t)len};
    return true;
}

static bool read_path(struct reading *reading, struct span span, enum encoded_slash slash)
{
    struct slice path = head_text(reading->head, span);
    if (!http_path_is_normal(path))
        return put_normalized(reading, span, slash);
    reading->out->path = span;
    return true;
}

static bool is_options(const struct http_head *head)
{
    return head->method == METHOD_OPTIONS;
}

/* The target names a host only: RFC 9110 section 4.2.3, and RFC 9112 section 3.2.4 for OPTIONS. */
static bool empty_path(struct reading *reading)
{
    bool server = is_options(reading->head) && !reading->out->has_query;
    if (!http_head_put(reading->head, slice_of(server ? "*" : "/"), &reading->out->path))
        return refuse(reading, 0, "out of memory");
    return true;
}

static bool read_origin_form(struct reading *reading, struct span span, enum encoded_slash slash)
{
    struct slice text = head_text(reading->head, span);
    const char *mark = text.len ? memchr(text.data, '?', text.len) : NULL;
    size_t len = mark ? (size_t)(mark - text.data) : text.len;
    reading->out->has_query = mark != NULL;
    if (mark && !read_query(reading, sub_span(span, len + 1, text.len - len - 1)))
        return false;
    return len == 0 ? empty_path(reading) : read_path(reading, sub_span(span, 0, len), slash);
}

static bool read_target(struct reading *reading, enum encoded_slash slash)
{
    struct span span = reading->head->target;
    struct slice text = head_text(reading->head, span);
    if (slice_is(text, "*")) {
        reading->out->path = span;
        return is_options(reading->head) || refuse(reading, 400, "'*' is for OPTIONS only");
    }
    if (text.len > 0 && text.data[0] == '/')
        return read_origin_form(reading, span, slash);
    if (reading->head->http2)
        return refuse(reading, 400, "the path does not begin with '/'");
    return absolute_form(reading, &span) && read_origin_form(reading, span, slash);
}

bool http_target_read(struct http_head *head, enum encoded_slash slash, struct http_target *out,
                      unsigned *status, const char **why)
{
    struct reading reading = {.head = head, .out = out};
    *out = (struct http_target){.port = 0};
    bool good = head->method == METHOD_CONNECT ? refuse(&reading, 501, "CONNECT is not served here")
                                               : (head->http2 ? http2_host : http1_host)(&reading);
    if (good && read_target(&reading, slash))
        return true;
    *status = reading.status;
    *why = reading.why;
    return false;
}
