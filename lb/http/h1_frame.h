/* What the fields of a complete HTTP/1 head say about the message (RFC 9112 sections 3.2, 6 and 9.3). Private
 * to the decoder. */
#ifndef LB_HTTP_H1_FRAME_H
#define LB_HTTP_H1_FRAME_H

#include "lb/http/h1.h"

/* Fills in authority, chunked, content_length, keep_alive and upgrade from the fields; method_text, minor and
 * status are there already. An error without text is none. */
struct h1_error h1_frame_read(struct http_head *head, enum h1_kind kind);

/* Whether a response of this status has no body whatever its fields say (RFC 9112 section 6.3). */
bool h1_frame_bodiless(unsigned status);

#endif
