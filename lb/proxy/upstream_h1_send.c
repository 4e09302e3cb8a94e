/* Requests over HTTP/1.1: the framing fields are lb's own, whatever the client's were. */
#include <stdio.h>

#include "lb/proxy/counters.h"
#include "lb/proxy/upstream_h1.h"

static struct http_out *out_of(const struct h1_link *link)
{
    return &link->link.home->pool->thread->out;
}

/* The server shall see that the request is cut: it must never wait for a rest, or take what another request
 * sends for it. Its answer, or its end, is still read. */
static enum stream_written give_up(struct h1_link *link)
{
    struct http_out *out = out_of(link);
    out->len = 0;
    out->failed = false;
    link->link.broken = true;
    stream_end(link->link.stream);
    return STREAM_BROKEN;
}

static enum stream_written write_out(struct h1_link *link, struct slice bytes)
{
    enum stream_written wrote = link_write(&link->link, bytes);
    return wrote == STREAM_BROKEN ? give_up(link) : wrote;
}

static enum stream_written flush(struct h1_link *link)
{
    struct http_out *out = out_of(link);
    struct slice bytes = slice_make(out->bytes, out->len);
    if (out->failed)
        return give_up(link);
    out->len = 0;
    return write_out(link, bytes);
}

/* ---- the head ---- */

struct hop {
    bool te, upgrade;
    bool framing; /* that is not ours */
};

static struct hop survey(const struct http_head *head)
{
    struct hop hop = {0};
    for (unsigned i = 0; i < head->count; i++) {
        const struct http_field *field = &head->fields[i];
        if (field->gone || field->id == HEADER_OTHER)
            continue;
        hop.te |= field->id == HEADER_TE;
        hop.upgrade |= field->id == HEADER_UPGRADE && head->upgrade;
        hop.framing |=
            field->id == HEADER_CONNECTION || field_traits((enum field_id)field->id) & FIELD_FRAMING;
    }
    return hop;
}

/* RFC 9110 sections 7.8 and 10.1.4. */
static void write_connection(struct http_out *out, struct hop hop)
{
    if (hop.upgrade && hop.te)
        http_out_add(out, SLICE_LITERAL("connection: upgrade, te\r\n"));
    else if (hop.upgrade)
        http_out_add(out, SLICE_LITERAL("connection: upgrade\r\n"));
    else if (hop.te)
        http_out_add(out, SLICE_LITERAL("connection: te\r\n"));
}

/* RFC 9110 section 8.6: methods that have content as a rule say so when they have none. */
static bool means_content(enum method method)
{
    return method == METHOD_POST || method == METHOD_PUT || method == METHOD_PATCH;
}

/* RFC 9112 section 6. */
static void write_framing(struct http_out *out, const struct h1_link *link, const struct http_head *head)
{
    char line[64];
    if (link->chunked) {
        http_out_add(out, SLICE_LITERAL("transfer-encoding: chunked\r\n"));
    } else if (head->content_length >= 0 || link->left > 0 || means_content(head->method)) {
        int len = snprintf(line, sizeof(line), "content-length: %llu\r\n", (unsigned long long)link->left);
        http_out_add(out, slice_make(line, (size_t)len));
    }
}

/* h1_write_request ends the head; what is added here comes before that end. */
static void write_head(const struct h1_link *link, const struct http_head *head, struct slice path,
                       struct hop hop)
{
    struct http_out *out = out_of(link);
    h1_write_request(out, head, path);
    if (out->failed)
        return;
    out->len -= 2;
    write_connection(out, hop);
    write_framing(out, link, head);
    http_out_add(out, SLICE_LITERAL("\r\n"));
}

/* ---- the body ---- */

static enum stream_written write_large(struct h1_link *link, struct slice bytes)
{
    struct http_out *out = out_of(link);
    char line[24];
    if (link->chunked) {
        int len = snprintf(line, sizeof(line), "%zx\r\n", bytes.len);
        http_out_add(out, slice_make(line, (size_t)len));
    }
    enum stream_written wrote = out->len > 0 || out->failed ? flush(link) : STREAM_WROTE;
    if (wrote != STREAM_BROKEN)
        wrote = written_worse(wrote, write_out(link, bytes));
    if (wrote != STREAM_BROKEN && link->chunked)
        wrote = written_worse(wrote, write_out(link, SLICE_LITERAL("\r\n")));
    return wrote;
}

/* After what stands in `out` already. */
static enum stream_written write_piece(struct h1_link *link, struct slice bytes)
{
    struct http_out *out = out_of(link);
    if (bytes.len > WRITE_TOGETHER || (!link->chunked && out->len == 0))
        return write_large(link, bytes);
    if (link->chunked)
        h1_write_chunk(out, bytes);
    else
        http_out_add(out, bytes);
    return flush(link);
}

/* More than Content-Length has promised would be the next request. */
static bool promised(struct h1_link *link, struct slice bytes)
{
    if (link->chunked)
        return true;
    if (bytes.len > link->left)
        return false;
    link->left -= bytes.len;
    return true;
}

static uint64_t length_of(const struct http_head *head, struct slice body, bool ends)
{
    if (head->content_length >= 0)
        return (uint64_t)head->content_length;
    return ends ? body.len : 0;
}

enum stream_written h1_link_request(struct upstream *upstream, const struct http_head *head,
                                    struct slice path, struct slice body, bool ends)
{
    struct h1_link *link = (struct h1_link *)upstream->link;
    struct hop hop = survey(head);
    if (link->requested)
        return STREAM_BROKEN;
    link->requested = true;
    link->link.served++;
    link->chunked = head->content_length < 0 && !ends;
    link->left = length_of(head, body, ends);
    count(&link->link.home->server->requests, 1);
    h1_decoder_expect(link->decoder, head->method == METHOD_HEAD, hop.upgrade);
    if (hop.framing)
        return give_up(link);
    write_head(link, head, path, hop);
    if (!promised(link, body))
        return give_up(link);
    enum stream_written wrote = body.len > 0 ? write_piece(link, body) : flush(link);
    return ends ? written_worse(wrote, h1_link_end(upstream, NULL)) : wrote;
}

enum stream_written h1_link_body(struct upstream *upstream, struct slice bytes)
{
    struct h1_link *link = (struct h1_link *)upstream->link;
    if (link->tunnel)
        return write_out(link, bytes);
    if (link->request_whole || !promised(link, bytes))
        return give_up(link);
    return write_piece(link, bytes);
}

enum stream_written h1_link_end(struct upstream *upstream, const struct http_head *trailers)
{
    struct h1_link *link = (struct h1_link *)upstream->link;
    if (link->tunnel) {
        stream_end(link->link.stream);
        return STREAM_WROTE;
    }
    if (link->link.broken || link->request_whole || link->left > 0)
        return give_up(link);
    link->request_whole = true;
    if (!link->chunked)
        return STREAM_WROTE;
    h1_write_last_chunk(out_of(link), trailers);
    return flush(link);
}
