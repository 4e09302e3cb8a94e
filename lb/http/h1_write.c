#include "lb/http/h1.h"

#include <assert.h>
#include <stdlib.h>

#define OUT_FIRST 4096

/* ---- bytes out ---- */

static bool make_room(struct http_out *out, size_t more)
{
    if (out->cap - out->len >= more)
        return true;
    size_t cap = out->cap ? out->cap : OUT_FIRST;
    while (cap - out->len < more && cap <= SIZE_MAX / 2)
        cap *= 2;
    char *grown = cap - out->len >= more ? realloc(out->bytes, cap) : NULL;
    if (!grown) {
        out->failed = true;
        return false;
    }
    out->bytes = grown;
    out->cap = cap;
    return true;
}

void http_out_add(struct http_out *out, struct slice bytes)
{
    if (out->failed || bytes.len == 0 || !make_room(out, bytes.len))
        return;
    memcpy(out->bytes + out->len, bytes.data, bytes.len);
    out->len += bytes.len;
}

void http_out_free(struct http_out *out)
{
    free(out->bytes);
    *out = (struct http_out){0};
}

/* Into room that is there. */
static char *put(char *at, struct slice bytes)
{
    slice_copy(at, bytes);
    return at + bytes.len;
}

/* Whoever made a head has refused what would end a line early. */
static void check_clean(struct slice text)
{
#ifdef LB_ASSERT
    for (size_t i = 0; i < text.len; i++)
        assert(text.data[i] != '\r' && text.data[i] != '\n' && text.data[i] != '\0');
#else
    (void)text;
#endif
}

static char *put_clean(char *at, struct slice text)
{
    check_clean(text);
    return put(at, text);
}

/* ---- heads ---- */

static size_t fields_size(const struct http_head *head)
{
    size_t size = 2;
    for (unsigned i = 0; i < head->count; i++)
        if (!head->fields[i].gone)
            size += head->fields[i].name_len + 4 + head->fields[i].value.len;
    return size;
}

static char *put_fields(char *at, const struct http_head *head)
{
    for (unsigned i = 0; i < head->count; i++) {
        const struct http_field *field = &head->fields[i];
        if (field->gone)
            continue;
        at = put_clean(at, head_name(head, field));
        at = put(at, SLICE_LITERAL(": "));
        at = put_clean(at, head_value(head, field));
        at = put(at, SLICE_LITERAL("\r\n"));
    }
    return put(at, SLICE_LITERAL("\r\n"));
}

#define VERSION_LEN 8

void h1_write_request(struct http_out *out, const struct http_head *head, struct slice target)
{
    size_t first = head->method_text.len + 1 + target.len + 1 + VERSION_LEN + 2;
    if (out->failed || !make_room(out, first + fields_size(head)))
        return;
    char *at = put_clean(out->bytes + out->len, head_text(head, head->method_text));
    at = put(at, SLICE_LITERAL(" "));
    at = put_clean(at, target);
    at = put_fields(put(at, SLICE_LITERAL(" HTTP/1.1\r\n")), head);
    out->len = (size_t)(at - out->bytes);
}

static char *put_status(char *at, unsigned status)
{
    *at++ = (char)('0' + status / 100 % 10);
    *at++ = (char)('0' + status / 10 % 10);
    *at++ = (char)('0' + status % 10);
    return at;
}

void h1_write_response(struct http_out *out, const struct http_head *head)
{
    struct slice phrase = slice_of(http_status_phrase(head->status));
    size_t first = VERSION_LEN + 1 + 3 + 1 + phrase.len + 2;
    if (out->failed || !make_room(out, first + fields_size(head)))
        return;
    char *at = put_status(put(out->bytes + out->len, SLICE_LITERAL("HTTP/1.1 ")), head->status);
    at = put(put(at, SLICE_LITERAL(" ")), phrase);
    at = put_fields(put(at, SLICE_LITERAL("\r\n")), head);
    out->len = (size_t)(at - out->bytes);
}

/* ---- chunks ---- */

#define SIZE_DIGITS 16

static struct slice chunk_size(char digits[SIZE_DIGITS], size_t size)
{
    size_t first = SIZE_DIGITS;
    for (; size > 0; size >>= 4)
        digits[--first] = "0123456789abcdef"[size & 15];
    return slice_make(&digits[first], SIZE_DIGITS - first);
}

void h1_write_chunk(struct http_out *out, struct slice bytes)
{
    if (bytes.len == 0)
        return;
    char digits[SIZE_DIGITS] = {0};
    struct slice size = chunk_size(digits, bytes.len);
    if (out->failed || !make_room(out, size.len + 4 + bytes.len))
        return;
    char *at = put(out->bytes + out->len, size);
    at = put(at, SLICE_LITERAL("\r\n"));
    at = put(put(at, bytes), SLICE_LITERAL("\r\n"));
    out->len = (size_t)(at - out->bytes);
}

void h1_write_last_chunk(struct http_out *out, const struct http_head *trailers)
{
    size_t fields = trailers ? fields_size(trailers) : 2;
    if (out->failed || !make_room(out, 3 + fields))
        return;
    char *at = put(out->bytes + out->len, SLICE_LITERAL("0\r\n"));
    at = trailers ? put_fields(at, trailers) : put(at, SLICE_LITERAL("\r\n"));
    out->len = (size_t)(at - out->bytes);
}
