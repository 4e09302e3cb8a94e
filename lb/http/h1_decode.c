#include "lb/http/h1_check.h"
#include "lb/http/h1_frame.h"

#include <llhttp.h>
#include <stdlib.h>

/* The longest name of a framing field has 17 bytes. */
#define TRAILER_NAME_MAX 24

/*
 * The bytes are cut where an event may arise (the end of a head, of a chunk line, of a body), checked, and
 * then handed to llhttp piece by piece. So no piece gives more than one event, and llhttp and the checks must
 * agree on where each part of a message ends: where they do not, the message is refused.
 */
struct h1_decoder {
    llhttp_t parser;
    struct h1_check check;
    struct http_head *head; /* of the running call */
    struct slice body;      /* that llhttp found in the piece */
    struct h1_error error;
    struct h1_error deferred; /* llhttp's, until the checks have read the word that it does not know */
    uint8_t deferred_at;      /* enum h1_at: that word */
    bool headed, completed;   /* llhttp has reported the head, or the end, of the message */
    bool head_request, upgrade;
    uint8_t name_len; /* of the trailer that is being read */
    char name[TRAILER_NAME_MAX];
};

static int refuse(struct h1_decoder *decoder, unsigned status, const char *text)
{
    if (!decoder->error.text)
        decoder->error = (struct h1_error){status, text};
    return HPE_USER;
}

static int kept(struct h1_decoder *decoder, bool in_memory)
{
    return in_memory ? HPE_OK : refuse(decoder, 0, "out of memory");
}

static bool responses(const struct h1_decoder *decoder)
{
    return decoder->check.kind == H1_RESPONSES;
}

/* ---- what llhttp finds ---- */

/* One more piece of what lies last in the head's buffer. */
static int extend(struct h1_decoder *decoder, struct span *span, struct slice bytes)
{
    struct span put;
    if (!http_head_put(decoder->head, bytes, &put))
        return kept(decoder, false);
    if (span->len == 0)
        span->at = put.at;
    span->len += put.len;
    return HPE_OK;
}

static int on_method(llhttp_t *parser, const char *at, size_t len)
{
    struct h1_decoder *decoder = parser->data;
    return extend(decoder, &decoder->head->method_text, slice_make(at, len));
}

static int on_target(llhttp_t *parser, const char *at, size_t len)
{
    struct h1_decoder *decoder = parser->data;
    return extend(decoder, &decoder->head->target, slice_make(at, len));
}

/* Names of trailers are kept here, too: they are judged even if nobody wants them. */
static void trailer_name(struct h1_decoder *decoder, struct slice bytes)
{
    size_t room = sizeof(decoder->name) - decoder->name_len;
    size_t len = bytes.len < room ? bytes.len : room;
    memcpy(decoder->name + decoder->name_len, bytes.data, len);
    decoder->name_len = (uint8_t)(decoder->name_len + len);
}

static int on_name(llhttp_t *parser, const char *at, size_t len)
{
    struct h1_decoder *decoder = parser->data;
    if (decoder->check.trailers)
        trailer_name(decoder, slice_make(at, len));
    return kept(decoder, !decoder->head || http_head_name_bytes(decoder->head, slice_make(at, len)));
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct h1_decoder *decoder = parser->data;
    return kept(decoder, !decoder->head || http_head_value_bytes(decoder->head, slice_make(at, len)));
}

/* RFC 9110 section 6.5.1: what frames, routes or authenticates a message comes before its body or never. */
static int trailer_done(struct h1_decoder *decoder)
{
    bool exact;
    unsigned traits = field_traits(field_find(slice_make(decoder->name, decoder->name_len), &exact));
    decoder->name_len = 0;
    if (traits & FIELD_FRAMING)
        return refuse(decoder, 400, "a trailer that frames the message");
    if (decoder->head && traits & FIELD_UNTRAILED)
        decoder->head->fields[decoder->head->count - 1].gone = true;
    return HPE_OK;
}

static int on_field_done(llhttp_t *parser)
{
    struct h1_decoder *decoder = parser->data;
    if (decoder->head)
        http_head_field_done(decoder->head);
    return decoder->check.trailers ? trailer_done(decoder) : HPE_OK;
}

static struct h1_error judge(struct h1_decoder *decoder, struct http_head *head)
{
    struct h1_error error = h1_frame_read(head, (enum h1_kind)decoder->check.kind);
    if (error.text)
        return error;
    if (head->method == METHOD_CONNECT)
        return (struct h1_error){501, "CONNECT is not served"};
    if (head->status == 101 && !decoder->upgrade)
        return (struct h1_error){400, "101 was not asked for"};
    return error;
}

static bool bodiless(const struct h1_decoder *decoder)
{
    return responses(decoder) && (decoder->head_request || h1_frame_bodiless(decoder->head->status));
}

/* 1 tells llhttp that there is no body. */
static int on_head(llhttp_t *parser)
{
    struct h1_decoder *decoder = parser->data;
    struct http_head *head = decoder->head;
    decoder->headed = true;
    head->minor = parser->http_minor;
    if (responses(decoder))
        head->status = parser->status_code;
    else
        head->method = method_of(head_text(head, head->method_text));
    struct h1_error error = judge(decoder, head);
    if (error.text) {
        refuse(decoder, error.status, error.text);
        return -1;
    }
    return bodiless(decoder);
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct h1_decoder *decoder = parser->data;
    decoder->body = slice_make(at, len);
    return HPE_OK;
}

/* The next message is read from a clean state, so that nothing of this one can count for it. */
static int on_complete(llhttp_t *parser)
{
    struct h1_decoder *decoder = parser->data;
    decoder->completed = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t *settings(void)
{
    static const llhttp_settings_t table = {
        .on_method = on_method,
        .on_url = on_target,
        .on_header_field = on_name,
        .on_header_value = on_value,
        .on_header_value_complete = on_field_done,
        .on_headers_complete = on_head,
        .on_body = on_body,
        .on_message_complete = on_complete,
    };
    return &table;
}

/* ---- handing pieces to llhttp ---- */

/* llhttp's complaint holds unless the checks find the word malformed. */
static void defer(struct h1_decoder *decoder, enum h1_at word, unsigned status, const char *text)
{
    decoder->deferred = (struct h1_error){status, text};
    decoder->deferred_at = (uint8_t)word;
}

/* llhttp knows methods by their names and gives up on the first byte of another one; whether that is a method
 * at all shows only later. The same goes for versions. */
static void parser_failed(struct h1_decoder *decoder, llhttp_errno_t code)
{
    const char *text = llhttp_get_error_reason(&decoder->parser);
    if (!text || !*text)
        text = "not HTTP/1";
    switch (code) {
    case HPE_INVALID_METHOD: defer(decoder, H1_AT_METHOD, 501, "the method is not known"); return;
    case HPE_INVALID_VERSION: defer(decoder, H1_AT_VERSION, 505, text); return;
    /* The checks know "HTTP/1.": this is a method of another protocol of llhttp's. */
    case HPE_INVALID_CONSTANT: refuse(decoder, 501, text); return;
    default: refuse(decoder, 400, text); return;
    }
}

static void feed(struct h1_decoder *decoder, const char *bytes, size_t len)
{
    decoder->body = slice_make(bytes, 0);
    if (len == 0 || decoder->deferred.text)
        return;
    llhttp_errno_t code = llhttp_execute(&decoder->parser, bytes, len);
    if (decoder->error.text)
        return;
    if (code != HPE_OK && code != HPE_PAUSED)
        parser_failed(decoder, code);
    else if (code == HPE_PAUSED && llhttp_get_error_pos(&decoder->parser) != bytes + len)
        refuse(decoder, 400, "the message ends where it must not");
}

/* What came first in the bytes wins, so that it does not matter how they were cut: llhttp has seen those only
 * that passed the checks. */
static void settle(struct h1_decoder *decoder)
{
    const struct h1_check *check = &decoder->check;
    if (decoder->deferred.text && check->at != decoder->deferred_at)
        refuse(decoder, decoder->deferred.status, decoder->deferred.text);
    if (check->error.text)
        refuse(decoder, check->error.status, check->error.text);
}

/* ---- events ---- */

static struct h1_result result(enum h1_event event)
{
    return (struct h1_result){.event = event};
}

static struct h1_result invalid(struct h1_decoder *decoder, const char *text)
{
    refuse(decoder, 400, text);
    return result(H1_INVALID);
}

static struct h1_result message_over(struct h1_decoder *decoder)
{
    if (!decoder->completed)
        return invalid(decoder, "the message does not end where it must");
    decoder->check.at = H1_AT_START;
    return result(H1_END);
}

/* Where the bytes of the body are, if there are any (RFC 9112 section 6.3). */
static enum h1_at after_head(struct h1_decoder *decoder)
{
    struct http_head *head = decoder->head;
    if (bodiless(decoder))
        return H1_AT_OVER;
    decoder->check.count = 0;
    if (head->chunked)
        return H1_AT_CHUNK_SIZE;
    decoder->check.left = head->content_length > 0 ? (uint64_t)head->content_length : 0;
    if (decoder->check.left > 0)
        return H1_AT_BODY;
    if (!responses(decoder) || head->content_length == 0)
        return H1_AT_OVER;
    head->keep_alive = false;
    return H1_AT_UNTIL_EOF;
}

static struct h1_result head_over(struct h1_decoder *decoder)
{
    if (!decoder->headed)
        return invalid(decoder, "the head does not end where it must");
    decoder->check.at = after_head(decoder);
    bool ends = decoder->check.at == H1_AT_OVER;
    if (decoder->completed != ends)
        return invalid(decoder, "the head does not say whether there is a body");
    if (ends)
        decoder->check.at = H1_AT_START;
    return (struct h1_result){.event = H1_HEAD, .ends = ends};
}

static struct h1_result data(struct h1_decoder *decoder, struct slice *in)
{
    struct slice body = slice_make(in->data, h1_check_data(&decoder->check, in->len));
    feed(decoder, body.data, body.len);
    *in = slice_make(in->data + body.len, in->len - body.len);
    if (decoder->error.text)
        return result(H1_INVALID);
    if (decoder->body.data != body.data || decoder->body.len != body.len)
        return invalid(decoder, "the body does not end where it must");
    return (struct h1_result){.event = H1_BODY, .body = body};
}

static struct h1_result lines(struct h1_decoder *decoder, struct slice *in)
{
    size_t used = h1_check_lines(&decoder->check, *in);
    feed(decoder, in->data, used);
    *in = slice_make(in->data + used, in->len - used);
    settle(decoder);
    if (decoder->error.text)
        return result(H1_INVALID);
    if (decoder->check.at == H1_AT_FIELDS_OVER)
        return decoder->check.trailers ? message_over(decoder) : head_over(decoder);
    if (decoder->completed)
        return invalid(decoder, "the message ends where it must not");
    if (decoder->check.at == H1_AT_CHUNK_LINE_OVER)
        h1_check_after_chunk_line(&decoder->check);
    return result(H1_MORE);
}

/* H1_MORE: nothing came of it, go on if there are bytes. */
static struct h1_result next(struct h1_decoder *decoder, struct slice *in)
{
    struct h1_check *check = &decoder->check;
    if (check->at <= H1_AT_START_LF) {
        size_t skipped = h1_check_start(check, *in);
        *in = slice_make(in->data + skipped, in->len - skipped);
        settle(decoder);
        if (check->at <= H1_AT_START_LF)
            return result(decoder->error.text ? H1_INVALID : H1_MORE);
        llhttp_reset(&decoder->parser);
        decoder->headed = decoder->completed = false;
        decoder->name_len = 0;
    }
    return check->at < H1_AT_BODY ? lines(decoder, in) : data(decoder, in);
}

struct h1_result h1_decode(struct h1_decoder *decoder, struct slice *in, struct http_head *head)
{
    struct h1_result found = {.event = decoder->error.text ? H1_INVALID : H1_MORE};
    decoder->head = head;
    if (decoder->check.at == H1_AT_OVER)
        return message_over(decoder);
    while (found.event == H1_MORE && in->len > 0)
        found = next(decoder, in);
    return found;
}

enum h1_event h1_decoder_eof(struct h1_decoder *decoder)
{
    if (decoder->error.text)
        return H1_INVALID;
    if (h1_decoder_idle(decoder))
        return H1_MORE;
    if (decoder->check.at != H1_AT_UNTIL_EOF && decoder->check.at != H1_AT_OVER)
        return invalid(decoder, "the message is cut short").event;
    decoder->check.at = H1_AT_START;
    return H1_END;
}

/* ---- the decoder ---- */

struct h1_decoder *h1_decoder_new(enum h1_kind kind, const struct http_limits *limits)
{
    struct h1_decoder *decoder = calloc(1, sizeof(*decoder));
    if (!decoder)
        return NULL;
    llhttp_init(&decoder->parser, kind == H1_REQUESTS ? HTTP_REQUEST : HTTP_RESPONSE, settings());
    decoder->parser.data = decoder;
    decoder->check.kind = (uint8_t)kind;
    decoder->check.limits = *limits;
    return decoder;
}

void h1_decoder_free(struct h1_decoder *decoder)
{
    free(decoder);
}

void h1_decoder_limit(struct h1_decoder *decoder, const struct http_limits *limits)
{
    decoder->check.limits = *limits;
}

void h1_decoder_expect(struct h1_decoder *decoder, bool head_request, bool upgrade)
{
    decoder->head_request = head_request;
    decoder->upgrade = upgrade;
}

bool h1_decoder_idle(const struct h1_decoder *decoder)
{
    return decoder->check.at <= H1_AT_START_LF;
}

struct h1_error h1_decoder_error(const struct h1_decoder *decoder)
{
    return decoder->error;
}

#define TEXT(x)  #x
#define VALUE(x) TEXT(x)

const char *http1_library(void)
{
    return "llhttp " VALUE(LLHTTP_VERSION_MAJOR) "." VALUE(LLHTTP_VERSION_MINOR) "." VALUE(
        LLHTTP_VERSION_PATCH);
}
