/*
 * A writer into a buffer of fixed size that the caller owns. It never allocates and never overruns: what does
 * not fit is left out and `truncated` is set. The text is always NUL-terminated.
 */
#ifndef LB_BASE_TEXT_H
#define LB_BASE_TEXT_H

#include <stdint.h>

#include "lb/base/slice.h"

struct text {
    char *data;
    size_t len;
    size_t cap; /* size of data, at least 1 */
    bool truncated;
};

void text_init(struct text *text, char *data, size_t cap);
void text_add(struct text *text, struct slice bytes);
static inline void text_adds(struct text *text, const char *string)
{
    text_add(text, slice_of(string));
}
void text_addc(struct text *text, char byte);
void text_addf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_addu(struct text *text, uint64_t number); /* decimal */
void text_hex(struct text *text, const void *bytes, size_t len, bool upper);

/* A JSON string (RFC 8259, section 7) with its quotes. Bytes that are no valid UTF-8 become U+FFFD. */
void text_json(struct text *text, struct slice bytes);

/* For text logs: printable ASCII and valid UTF-8 as they are, anything else (controls, quotes, backslash) as
 * \xHH, within double quotes; "-" for the empty slice. A hostile value cannot forge a line or a field. */
void text_quoted(struct text *text, struct slice bytes);

/* For texts within texts: controls become '?', the rest stays as it is. */
void text_clean(struct text *text, struct slice bytes);

/* UTC time, RFC 3339 with milliseconds; unix_ms counts from 1970. */
void text_time(struct text *text, int64_t unix_ms);

#endif
