/* The syntax of header fields and cookies, as far as scripts write or read them. */
#ifndef SCRIPTING_FIELD_H
#define SCRIPTING_FIELD_H

#include "lb/base/slice.h"

#define FIELD_NAME_MAX 256

/* A token (RFC 9110, section 5.6.2) of at most FIELD_NAME_MAX bytes. */
bool field_is_name(struct slice name);
/* No controls, HTAB included: stricter than RFC 9110, section 5.5. */
bool field_is_value(struct slice value);
/* To lower case, into out[FIELD_NAME_MAX]. */
struct slice field_lower(struct slice name, char *out);
/* Whether the field decides about framing or about one connection (RFC 9110, section 7.6.1): lb sets it.
 * `name` is in any case. */
bool field_is_framing(struct slice name);

/* One pair of a cookie field (RFC 6265, section 4.2.1). */
struct cookie {
    struct slice name, value;
    bool valid; /* false: the pair is not written as the RFC demands, so servers may read it differently */
};

/* Takes the next pair that has a name off *rest; false at the end. */
bool cookie_next(struct slice *rest, struct cookie *cookie);

#endif
