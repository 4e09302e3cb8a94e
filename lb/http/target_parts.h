/* What path.c and target.c share. */
#ifndef LB_HTTP_TARGET_PARTS_H
#define LB_HTTP_TARGET_PARTS_H

#include "lb/http/target.h"

/* The byte that the escape at text.data[at], a '%', stands for; -1 if two hexadecimal digits do not follow.
 */
int http_escape_value(struct slice text, size_t at);

/* Why this byte may stand neither in a path nor in a query; NULL: it may. */
const char *http_byte_refused(char byte);

/* Whether http_path_normalize would surely leave the path as it is; quick, and false when in doubt. */
bool http_path_is_normal(struct slice path);

#endif
