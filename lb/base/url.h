/* Plain http:// URLs, for what lb itself asks (RFC 9110 section 4.2.1). */
#ifndef LB_BASE_URL_H
#define LB_BASE_URL_H

#include "lb/base/slice.h"

enum { URL_MAX = 2048, URL_HOST_MAX = 255 };

struct http_url {
    char host[URL_HOST_MAX + 1];          /* without brackets */
    char authority[URL_HOST_MAX + 1 + 8]; /* as Host has it */
    char port[6];
    char target[URL_MAX + 1]; /* "/path?query" */
};

/* False: it is no http:// URL that can be asked; *why is constant text. */
bool http_url_parse(struct slice url, struct http_url *out, const char **why);

#endif
