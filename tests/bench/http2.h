/* HTTP/2 (RFC 9113) by nghttp2: several requests at the same time, each a stream with an answer of its own.
 */
#ifndef BENCH_HTTP2_H
#define BENCH_HTTP2_H

#include "connection.h"

bool http2_start(struct connection *c); /* false: out of memory */
void http2_free(struct connection *c);  /* NULL in c->http2 is harmless */

/* Queues a request; it goes out with the next http2_flush. */
bool http2_ask(struct connection *c, const struct request *request);
void http2_flush(struct connection *c);

/* Takes bytes; fails the connection, or marks answers complete. */
void http2_take(struct connection *c, const unsigned char *data, size_t len);

#endif
