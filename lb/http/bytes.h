/* What a byte may be in HTTP/1, and how far a run of bytes of one kind goes. */
#ifndef LB_HTTP_BYTES_H
#define LB_HTTP_BYTES_H

#include <stdbool.h>
#include <stdint.h>

enum byte_class {
    BYTE_TOKEN = 1 << 0,  /* RFC 9110 section 5.6.2 */
    BYTE_VALUE = 1 << 1,  /* may stand in a field value: no control but tab (RFC 9110 section 5.5) */
    BYTE_TARGET = 1 << 2, /* may stand in a request's target: visible ASCII */
    BYTE_NAME = 1 << 3,   /* of a token, and no capital letter: a field name in HTTP/2 */
};

extern const uint8_t http_byte_classes[256];

static inline bool http_byte_is(char byte, enum byte_class class)
{
    return http_byte_classes[(unsigned char)byte] & class;
}

/* The first byte at or after `at` that is not of the class; `end` if there is none. */
const char *http_token_end(const char *at, const char *end);
const char *http_target_end(const char *at, const char *end);
const char *http_name_end(const char *at, const char *end);
const char *http_value_end(const char *at, const char *end);

#endif
