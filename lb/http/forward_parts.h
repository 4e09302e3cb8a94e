/* What the files of forward.h share. */
#ifndef LB_HTTP_FORWARD_PARTS_H
#define LB_HTTP_FORWARD_PARTS_H

#include "lb/http/forward.h"

#define FIELD_BIT(symbol) (1ull << HEADER_##symbol)

/* A list field (RFC 9110 section 5.6.1) with one more member: all its lines become one. False: out of memory.
 */
bool forward_extend(struct http_head *head, enum field_id id, struct slice member);

/* Via (RFC 9110 section 7.6.3) with this message's version and lb's pseudonym. False: out of memory. */
bool forward_add_via(struct http_head *head);

/* The trusted X-Request-ID: the only one, 1 to 128 visible ASCII characters that need no quoting. */
bool forward_kept_id(const struct http_head *head, struct slice *id);

#endif
