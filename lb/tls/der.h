/* A bounded reader of DER (ITU-T X.690): definite, minimal lengths and one-byte tags only. Never allocates;
 * slices point into what was given. */
#ifndef LB_TLS_DER_H
#define LB_TLS_DER_H

#include <stdbool.h>
#include <stdint.h>

#include "lb/base/slice.h"
#include "lb/base/text.h"

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0a,
    DER_UTF8 = 0x0c,
    DER_NUMERIC = 0x12,
    DER_PRINTABLE = 0x13,
    DER_T61 = 0x14,
    DER_IA5 = 0x16,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_VISIBLE = 0x1a,
    DER_UNIVERSAL = 0x1c,
    DER_BMP = 0x1e,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
};

#define DER_CONTEXT(n)      (0x80u | (n)) /* primitive */
#define DER_CONSTRUCTED(n)  (0xa0u | (n))
#define DER_UNSUPPORTED_TAG 0x1fu

/* The next element: its tag and content, and the input behind it. False: malformed, or nothing left. */
bool der_next(struct slice *in, unsigned *tag, struct slice *content);

/* As der_next, for an element that must have this tag; the input stays where it was if it has another. */
bool der_take(struct slice *in, unsigned tag, struct slice *content);

/* As der_take; `whole` is the element with its tag and length. */
bool der_take_whole(struct slice *in, unsigned tag, struct slice *whole);

/* True if the next element has this tag. */
bool der_is(struct slice in, unsigned tag);

/* Skips an element of this tag if it comes next. False: it does, and is malformed. */
bool der_skip(struct slice *in, unsigned tag);

/* The one element that fills all of `in`. */
bool der_only(struct slice in, unsigned tag, struct slice *content);

/* UTCTime or GeneralizedTime as RFC 5280 section 4.1.2.5 wants them: seconds, "Z". */
bool der_take_time(struct slice *in, int64_t *unix_seconds);

/* Content of a BOOLEAN: 0 or 0xff (X.690, section 11.1). */
bool der_boolean(struct slice content, bool *value);

/* Whether the content of an INTEGER is one that is not negative, in as few bytes as it needs. */
bool der_is_natural(struct slice content);

/* Content of a BIT STRING of whole bytes. */
bool der_bits(struct slice content, struct slice *bytes);

/* "1.2.840.113549"; false for an OID that is malformed or has an arc over 64 bits. */
bool der_oid_text(struct slice oid, struct text *out);

#endif
