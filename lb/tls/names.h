/* Distinguished names (RFC 5280 section 4.1.2.4) and their text (RFC 4514). */
#ifndef LB_TLS_NAMES_H
#define LB_TLS_NAMES_H

#include <stdbool.h>

#include "lb/base/slice.h"
#include "lb/base/text.h"

#define NAME_PARTS_MAX 64
#define NAME_VALUE_MAX 2048                      /* encoded bytes of one value */
#define NAME_UTF8_MAX  (2 * NAME_VALUE_MAX + 16) /* the most that one becomes as UTF-8 or in hex */

struct name_attribute {
    struct slice oid;
    unsigned tag;       /* of the value */
    struct slice value; /* as encoded */
    struct slice whole; /* the value with tag and length */
    bool starts_part;   /* first of its RDN */
};

struct name_walk {
    struct slice parts; /* RDNs not yet entered */
    struct slice part;  /* rest of the current one */
    bool malformed;
};

/* `name` is the content of the Name's SEQUENCE. */
struct name_walk name_walk(struct slice name);

/* The next attribute in order of the encoding. False: none left, or malformed (as the walk then says). */
bool name_next(struct name_walk *walk, struct name_attribute *out);

/* NULL if the name is well formed, within the bounds above and free of NUL and other controls; else what is
 * wrong with it. */
const char *name_problem(struct slice name);

/* The value as UTF-8: points into the value, or into `buffer` [NAME_UTF8_MAX] when it had to be converted. A
 * value that is no string reads as "#" and its DER in hex. False: malformed. */
bool name_value(const struct name_attribute *attribute, char *buffer, struct slice *out);

/* True if `key` ("CN", "OU" … or a dotted OID) means this attribute type. */
bool name_key_matches(struct slice oid, struct slice key);

/* RFC 4514: last part first, '+' between the attributes of one part. False: malformed. */
bool name_text(struct slice name, struct text *out);

#endif
