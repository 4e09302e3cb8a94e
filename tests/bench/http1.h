/* Answers of HTTP/1.1 (RFC 9112) that a proxy may have given other header fields. */
#ifndef BENCH_HTTP1_H
#define BENCH_HTTP1_H

#include "connection.h"

/* Takes bytes of the running answer; fails the connection, or marks its answer complete. */
void http1_take(struct connection *c, const unsigned char *data, size_t len);

#endif
