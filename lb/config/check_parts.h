/* What the files of the cross-checks share. */
#ifndef LB_CONFIG_CHECK_PARTS_H
#define LB_CONFIG_CHECK_PARTS_H

#include "lb/config/build.h"

struct checker {
    const struct draft *draft;
    const struct source *source;
    struct problems *problems;
};

/* One listener and what the checks want to know of it. */
struct subject {
    struct listener *listener;
    const struct origin *origin;
};

/* Whether the value that decides a setting (the section's own, else the one of [defaults]) was refused. */
bool check_refused(const struct origin *origin, const char *name);

/* Where the setting is decided; the section's place if nothing is said. */
struct place check_place(const struct origin *origin, const char *name);

bool check_wants_clients(const struct listener *listener);

/* Whether some host name has a section of its own: then a listener may treat its clients in several ways. */
bool check_has_policies(const struct checker *checker);

/* What stands in the section itself and means nothing because nobody is asked. */
void check_ocsp(const struct section *section, enum ocsp_mode mode, struct problems *problems);

/* The backend of that name, or NULL after adding a problem at `place`. */
const struct backend *check_backend(const struct checker *checker, const char *name, struct place place);

/* All that is wrong with an http listener and only with one; links its routes to their backends. The protocol
 * is known. */
void check_http(const struct checker *checker, const struct subject *subject);

/* TLS to the servers of one backend: the settings, and then the files. */
void check_server_tls(const struct checker *checker, size_t backend);
void check_server_files(struct config *config, size_t backend, const struct origin *origin,
                        struct problems *problems);

/* Warns of each route that an earlier one leaves nothing to match. */
void check_shadows(const struct http_settings *http, struct problems *problems);

#endif
