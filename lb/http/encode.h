/* Encodings of bytes in header field values, piece by piece and without memory of their own. */
#ifndef LB_HTTP_ENCODE_H
#define LB_HTTP_ENCODE_H

#include "lb/base/text.h"

/* Takes the next piece; the bytes are only valid during the call. */
typedef void encode_emit(void *sink, struct slice piece);

void encode_base64(struct slice bytes, encode_emit *emit, void *sink); /* RFC 4648 section 4, with padding */

/* All but unreserved characters (RFC 3986 section 2.3) as "%XX". */
void encode_percent(struct slice bytes, encode_emit *emit, void *sink);

/* Unix seconds as "2027-01-02T03:04:05Z" (RFC 3339). Years 0 to 9999. */
void encode_time(int64_t seconds, struct text *out);

#endif
