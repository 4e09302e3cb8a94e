/*
 * HTTP/1 requests out of bytes (RFC 9112), by llhttp in strict mode. Bytes in, events out; no socket. Bodies
 * are read and dropped.
 */
#ifndef LB_HTTP_REQUESTS_H
#define LB_HTTP_REQUESTS_H

#include <stdbool.h>

#include "lb/base/slice.h"

struct http_request {
    bool head;       /* HEAD: the answer must have no body */
    bool keep_alive; /* the client may send another one */
    bool http_1_1;
};

/* One request is complete. False: stop here; the rest is taken by a later http_requests_feed. */
typedef bool http_request_taken(void *context, const struct http_request *request);

struct http_requests;

struct http_requests *http_requests_new(http_request_taken *taken, void *context); /* NULL: out of memory */
void http_requests_free(struct http_requests *requests);

enum http_fed {
    HTTP_FED,     /* all bytes are used */
    HTTP_STOPPED, /* by the callback; *used says how many are */
    HTTP_INVALID, /* http_requests_error says why; the connection is of no further use */
};

enum http_fed http_requests_feed(struct http_requests *requests, struct slice bytes, size_t *used);
const char *http_requests_error(const struct http_requests *requests);

/* The reason phrase of a status (RFC 9110 section 15), "Status" if it has none. */
const char *http_status_phrase(unsigned status);

const char *http_library(void); /* "llhttp x.y.z" */

#endif
