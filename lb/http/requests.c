#include "lb/http/requests.h"

#include <llhttp.h>
#include <stdlib.h>

/* What a client may send as one request's head. */
#define HEAD_MAX (32 * 1024)

struct http_requests {
    llhttp_t parser;
    http_request_taken *taken;
    void *context;
    size_t head_bytes;
};

static int on_begin(llhttp_t *parser)
{
    struct http_requests *requests = parser->data;
    requests->head_bytes = 0;
    return HPE_OK;
}

static int on_head_bytes(llhttp_t *parser, const char *at, size_t len)
{
    struct http_requests *requests = parser->data;
    (void)at;
    requests->head_bytes += len;
    if (requests->head_bytes <= HEAD_MAX)
        return HPE_OK;
    llhttp_set_error_reason(parser, "the request's head exceeds 32 KB");
    return HPE_USER;
}

static int on_complete(llhttp_t *parser)
{
    struct http_requests *requests = parser->data;
    struct http_request request = {
        .head = llhttp_get_method(parser) == HTTP_HEAD,
        .keep_alive = llhttp_should_keep_alive(parser) && !parser->upgrade,
        .http_1_1 = parser->http_major == 1 && parser->http_minor == 1,
    };
    return requests->taken(requests->context, &request) ? HPE_OK : HPE_PAUSED;
}

static const llhttp_settings_t *settings(void)
{
    static const llhttp_settings_t table = {
        .on_message_begin = on_begin,
        .on_url = on_head_bytes,
        .on_header_field = on_head_bytes,
        .on_header_value = on_head_bytes,
        .on_message_complete = on_complete,
    };
    return &table;
}

struct http_requests *http_requests_new(http_request_taken *taken, void *context)
{
    struct http_requests *requests = calloc(1, sizeof(*requests));
    if (!requests)
        return NULL;
    llhttp_init(&requests->parser, HTTP_REQUEST, settings());
    requests->parser.data = requests;
    requests->taken = taken;
    requests->context = context;
    return requests;
}

void http_requests_free(struct http_requests *requests)
{
    free(requests);
}

static size_t used_until(const struct http_requests *requests, struct slice bytes)
{
    const char *stopped = llhttp_get_error_pos(&requests->parser);
    return stopped >= bytes.data && stopped <= bytes.data + bytes.len ? (size_t)(stopped - bytes.data)
                                                                      : bytes.len;
}

enum http_fed http_requests_feed(struct http_requests *requests, struct slice bytes, size_t *used)
{
    if (llhttp_get_errno(&requests->parser) == HPE_PAUSED)
        llhttp_resume(&requests->parser);
    *used = bytes.len;
    switch (llhttp_execute(&requests->parser, bytes.data, bytes.len)) {
    case HPE_OK: return HTTP_FED;
    case HPE_PAUSED: *used = used_until(requests, bytes); return HTTP_STOPPED;
    default: return HTTP_INVALID;
    }
}

const char *http_requests_error(const struct http_requests *requests)
{
    const char *reason = llhttp_get_error_reason(&requests->parser);
    return reason ? reason : "not an HTTP/1 request";
}

#define TEXT(x)  #x
#define VALUE(x) TEXT(x)

const char *http_library(void)
{
    return "llhttp " VALUE(LLHTTP_VERSION_MAJOR) "." VALUE(LLHTTP_VERSION_MINOR) "." VALUE(
        LLHTTP_VERSION_PATCH);
}
