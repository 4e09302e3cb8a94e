/* What the keys of [backend NAME] write to, until it goes its ways: the backend and its TLS. */
#ifndef LB_CONFIG_BACKEND_SECTION_H
#define LB_CONFIG_BACKEND_SECTION_H

#include "lb/config/config.h"

enum member_says { SAYS_NOTHING, SAYS_TLS, SAYS_PLAIN };

/* One `server` line. */
struct member_section {
    struct member member; /* first */
    unsigned number;      /* its line of the file */
    enum member_says tls;
    char *host; /* verify-host; NULL: not there */
};

struct backend_section {
    struct backend backend;       /* first */
    struct backend_tls tls;       /* its members stay empty until backend_section_complete */
    struct member_section *lines; /* the members, for what else their lines say */
};

/* Once all keys are read: who is spoken TLS to, and by which name. */
void backend_section_complete(struct backend_section *section);
void backend_section_release(struct backend_section *section); /* what is left when it has been taken over */

void backend_tls_free(struct backend_tls *tls, size_t members);

/* The host of "host:port", "[::1]:port": without port and brackets; NULL for unix sockets. Owned by the
 * caller. */
char *backend_host_of(const char *address);

#endif
