/*
 * HTTP/1 (RFC 9112): bytes in, events out, by llhttp in strict mode with what it does not check checked here.
 * No socket, no copy of bodies. Where the RFC leaves a choice it is refused: see the tests for the list.
 */
#ifndef LB_HTTP_H1_H
#define LB_HTTP_H1_H

#include "lb/http/head.h"

/* What one message's head (and trailer section) may be. */
struct http_limits {
    uint64_t header_bytes; /* names and values with 4 bytes for each field, and the first line */
    uint64_t header_count;
    uint64_t uri_bytes; /* of the target in a request's first line */
};

enum h1_kind { H1_REQUESTS, H1_RESPONSES };

enum h1_event {
    H1_MORE,    /* all bytes are used; more are needed */
    H1_HEAD,    /* a head is complete; `ends` says whether a body or trailers can follow */
    H1_BODY,    /* a piece of the body, within the bytes given */
    H1_END,     /* the message is complete; after it the next one may begin */
    H1_INVALID, /* h1_decoder_error says why; of no further use */
};

struct h1_result {
    enum h1_event event;
    bool ends;         /* H1_HEAD: the message is complete with its head; no H1_END follows */
    struct slice body; /* H1_BODY */
};

struct h1_decoder;

/* NULL: out of memory. `limits` is copied. */
struct h1_decoder *h1_decoder_new(enum h1_kind kind, const struct http_limits *limits);
void h1_decoder_free(struct h1_decoder *decoder);

/* From now on these hold (a reload); between messages only. */
void h1_decoder_limit(struct h1_decoder *decoder, const struct http_limits *limits);

/*
 * Reads on and gives the next event; *in loses what was used. `head` receives the fields of the message that
 * is being read: the same head from the first byte until H1_HEAD, given empty. After that, pass a head for
 * the trailers (given empty), or NULL to have them dropped. H1_HEAD of a response with status 1xx is followed
 * by the next head of the same answer; after 101 (if a 101 may come: h1_decoder_expect) and after a 2xx to
 * CONNECT the bytes that follow are no HTTP and must not be given to the decoder.
 *
 * A request with Upgrade is read like any other; the caller must not decode what follows it before the answer
 * has shown whether the protocol was changed.
 */
struct h1_result h1_decode(struct h1_decoder *decoder, struct slice *in, struct http_head *head);

/* Before each response: what it answers. `head_request`: there is no body whatever the fields say. `upgrade`:
 * 101 may come; it is an error otherwise. */
void h1_decoder_expect(struct h1_decoder *decoder, bool head_request, bool upgrade);

/* The peer ends its direction. H1_END: that completes the message (a response without length). H1_MORE:
 * nothing was begun. H1_INVALID: cut short. */
enum h1_event h1_decoder_eof(struct h1_decoder *decoder);

/* No byte of a message has come since the last one ended (leading CRLF counts as none). */
bool h1_decoder_idle(const struct h1_decoder *decoder);

struct h1_error {
    unsigned status;  /* requests: what to answer: 400, 414, 431, 501 or 505; 0 when out of memory */
    const char *text; /* constant, for the log */
};

struct h1_error h1_decoder_error(const struct h1_decoder *decoder);

/* ---- writing ---- */

/* Grows as needed and keeps its memory; one a thread is enough. */
struct http_out {
    char *bytes;
    size_t len, cap;
    bool failed; /* out of memory: what was written since is not there */
};

void http_out_add(struct http_out *out, struct slice bytes);
void http_out_free(struct http_out *out);

/* The first line and all fields that are not gone, in order, then what ends the head. The caller has put the
 * framing fields right; nothing is added. Requests: `target` as it shall be sent. Names are written in lower
 * case as they are kept. */
void h1_write_request(struct http_out *out, const struct http_head *head, struct slice target);
void h1_write_response(struct http_out *out, const struct http_head *head);

/* One chunk (nothing for an empty slice: that would end the body), and the end with trailers or without. */
void h1_write_chunk(struct http_out *out, struct slice bytes);
void h1_write_last_chunk(struct http_out *out, const struct http_head *trailers);

/* The reason phrase of a status (RFC 9110 section 15), "Status" if it has none. */
const char *http_status_phrase(unsigned status);

const char *http1_library(void); /* "llhttp x.y.z" */

#endif
