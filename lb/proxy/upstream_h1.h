/* One HTTP/1.1 connection to a server, between the file that reads answers and the one that sends requests.
 */
#ifndef LB_PROXY_UPSTREAM_H1_H
#define LB_PROXY_UPSTREAM_H1_H

#include "lb/proxy/upstream_parts.h"

enum answer_state { ANSWER_AWAITED, ANSWER_BODY, ANSWER_TUNNEL, ANSWER_WHOLE };

struct h1_link {
    struct link link; /* first */
    struct upstream *upstream;
    struct h1_decoder *decoder;
    struct http_head *head; /* being read: the answer's, then its trailers */
    uint64_t left;          /* bytes of the request's body that Content-Length has promised */
    unsigned use;           /* grows whenever an upstream comes or goes */
    enum answer_state answer;
    bool requested, request_whole, chunked;
    bool interim; /* a 1xx has come */
    bool tunnel;  /* after 101: no HTTP any more, either way */
    bool lasting; /* the answer lets the connection go on */
    bool dirty;   /* bytes have come that nobody has asked for, or the server's end */
};

enum stream_written h1_link_request(struct upstream *upstream, const struct http_head *head,
                                    struct slice path, struct slice body, bool ends);
enum stream_written h1_link_body(struct upstream *upstream, struct slice bytes);
enum stream_written h1_link_end(struct upstream *upstream, const struct http_head *trailers);

#endif
