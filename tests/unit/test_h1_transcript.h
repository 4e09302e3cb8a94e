/*
 * What a decoder makes of some bytes, as text, for bytes that come in pieces of any size. Each piece lies in
 * memory of its own size, so that AddressSanitizer sees a byte too many that is read. Bodies are joined, for
 * they may be cut anywhere.
 *
 *     HEAD GET /a 1.1 keep ends|host=a|accept=x
 *     HEAD 200 1.1 keep length=3
 *     BODY abc
 *     END|trailer=x
 *     INVALID 400
 *     MORE                     the bytes are used up within a message
 */
#ifndef LB_TESTS_H1_TRANSCRIPT_H
#define LB_TESTS_H1_TRANSCRIPT_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lb/http/h1.h"

struct h1_way {
    enum h1_kind kind;
    struct http_limits limits;
    bool head_request, upgrade; /* responses */
    bool eof;                   /* the peer ends after the bytes */
    bool no_trailers;           /* they are not asked for */
};

#define H1_LIMITS ((struct http_limits){.header_bytes = 4096, .header_count = 20, .uri_bytes = 1024})

struct h1_transcript {
    char *text;
    size_t len, cap;
    bool in_body, invalid;
    struct h1_error error;
};

static inline void h1_must(bool condition)
{
    if (!condition)
        abort();
}

static inline void transcript_add(struct h1_transcript *transcript, const char *bytes, size_t len)
{
    if (transcript->len + len + 1 > transcript->cap) {
        transcript->cap = (transcript->len + len + 1) * 2;
        transcript->text = realloc(transcript->text, transcript->cap);
        h1_must(transcript->text != NULL);
    }
    if (len > 0)
        memcpy(transcript->text + transcript->len, bytes, len);
    transcript->len += len;
    transcript->text[transcript->len] = '\0';
}

__attribute__((format(printf, 2, 3))) static inline void transcript_print(struct h1_transcript *transcript,
                                                                          const char *format, ...)
{
    char line[128];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    h1_must(len >= 0 && (size_t)len < sizeof(line));
    transcript_add(transcript, line, (size_t)len);
}

static inline void transcript_fields(struct h1_transcript *transcript, const struct http_head *head)
{
    for (unsigned i = 0; i < head->count; i++) {
        const struct http_field *field = &head->fields[i];
        if (field->gone)
            continue;
        h1_must(field->id < HEADER_COUNT);
        transcript_add(transcript, "|", 1);
        transcript_add(transcript, head_name(head, field).data, field->name_len);
        transcript_add(transcript, "=", 1);
        transcript_add(transcript, head_value(head, field).data, field->value.len);
    }
}

static inline void transcript_span(struct h1_transcript *transcript, const struct http_head *head,
                                   struct span span)
{
    transcript_add(transcript, head_text(head, span).data, span.len);
}

static inline void transcript_head(struct h1_transcript *transcript, const struct h1_way *way,
                                   const struct http_head *head, bool ends)
{
    transcript_print(transcript, "HEAD ");
    if (way->kind == H1_REQUESTS) {
        transcript_span(transcript, head, head->method_text);
        transcript_print(transcript, " ");
        transcript_span(transcript, head, head->target);
    } else {
        transcript_print(transcript, "%u", head->status);
    }
    transcript_print(transcript, " 1.%u", head->minor);
    transcript_print(transcript, "%s%s%s", head->keep_alive ? " keep" : "", head->upgrade ? " upgrade" : "",
                     head->chunked ? " chunked" : "");
    if (head->content_length >= 0)
        transcript_print(transcript, " length=%lld", (long long)head->content_length);
    transcript_print(transcript, "%s", ends ? " ends" : "");
    transcript_fields(transcript, head);
}

/* The event as text. True: go on with what is left of the piece. */
static inline bool transcript_event(struct h1_transcript *transcript, const struct h1_way *way,
                                    struct h1_result result, struct http_head *head)
{
    if (transcript->in_body && result.event != H1_BODY && result.event != H1_MORE) {
        transcript_print(transcript, "\n");
        transcript->in_body = false;
    }
    switch (result.event) {
    case H1_MORE: return false;
    case H1_BODY:
        h1_must(result.body.len > 0);
        if (!transcript->in_body)
            transcript_print(transcript, "BODY ");
        transcript->in_body = true;
        transcript_add(transcript, result.body.data, result.body.len);
        return true;
    case H1_HEAD: transcript_head(transcript, way, head, result.ends); break;
    case H1_END:
        transcript_print(transcript, "END");
        transcript_fields(transcript, head);
        break;
    case H1_INVALID: transcript->invalid = true; return false;
    }
    transcript_print(transcript, "\n");
    http_head_reset(head);
    return true;
}

static inline void transcript_piece(struct h1_transcript *transcript, const struct h1_way *way,
                                    struct h1_decoder *decoder, const char *bytes, size_t len,
                                    struct http_head *head, bool *within)
{
    char *copy = malloc(len ? len : 1);
    h1_must(copy != NULL);
    memcpy(copy, bytes, len);
    struct slice in = slice_make(copy, len);
    bool going = true;
    while (going) {
        size_t before = in.len;
        struct h1_result result = h1_decode(decoder, &in, *within && way->no_trailers ? NULL : head);
        h1_must(in.data + in.len == copy + len && in.len <= before);
        h1_must(result.event != H1_MORE || in.len == 0);
        h1_must(in.len < before || result.event != H1_BODY);
        going = transcript_event(transcript, way, result, head);
        if (result.event == H1_HEAD)
            *within = !result.ends;
        if (result.event == H1_END)
            *within = false;
    }
    free(copy);
}

static inline void transcript_end(struct h1_transcript *transcript, const struct h1_way *way,
                                  struct h1_decoder *decoder, struct http_head *head)
{
    if (!transcript->invalid && way->eof) {
        struct h1_result result = {.event = h1_decoder_eof(decoder)};
        transcript_event(transcript, way, result, head);
    }
    if (transcript->in_body)
        transcript_print(transcript, "\n");
    transcript->in_body = false;
    transcript->error = h1_decoder_error(decoder);
    h1_must(transcript->invalid == (transcript->error.text != NULL));
    if (transcript->invalid)
        transcript_print(transcript, "INVALID %u\n", transcript->error.status);
    else if (!h1_decoder_idle(decoder))
        transcript_print(transcript, "MORE\n");
    if (!transcript->text)
        transcript_add(transcript, "", 0);
}

/* Pieces of `cut` bytes; 0: all at once. The text is the caller's to free. */
static inline struct h1_transcript h1_transcribe(const struct h1_way *way, struct slice bytes, size_t cut)
{
    struct h1_transcript transcript = {0};
    struct http_head head;
    struct h1_decoder *decoder = h1_decoder_new(way->kind, &way->limits);
    bool within = false;
    h1_must(decoder != NULL);
    http_head_init(&head);
    h1_decoder_expect(decoder, way->head_request, way->upgrade);
    for (size_t at = 0; at < bytes.len && !transcript.invalid;) {
        size_t len = cut == 0 || bytes.len - at < cut ? bytes.len - at : cut;
        transcript_piece(&transcript, way, decoder, bytes.data + at, len, &head, &within);
        at += len;
    }
    transcript_end(&transcript, way, decoder, &head);
    http_head_free(&head);
    h1_decoder_free(decoder);
    return transcript;
}

#endif
