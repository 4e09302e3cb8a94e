/*
 * One line of the log out of fields, JSON or key=value text as `log-format` says. No value that a client
 * chose can forge a field or a line.
 */
#ifndef LB_CONTROL_LOG_FIELDS_H
#define LB_CONTROL_LOG_FIELDS_H

#include "lb/base/log.h"
#include "lb/base/text.h"
#include "lb/proxy/http.h"

#define LOG_FIELDS_MAX 16384

struct log_fields {
    struct text text;
    bool json, first;
};

/* `buffer` has LOG_FIELDS_MAX bytes and outlives the line. */
void log_fields_begin(struct log_fields *line, const struct log *log, char *buffer);
void log_fields_end(struct log_fields *line, struct log *log); /* puts the line out */

void log_add(struct log_fields *line, const char *key, struct slice value); /* empty: null, or - */
void log_adds(struct log_fields *line, const char *key, const char *value);
void log_addu(struct log_fields *line, const char *key, uint64_t value);
void log_addb(struct log_fields *line, const char *key, bool value);
/* A word of our own: needs no quotes in text. */
void log_addw(struct log_fields *line, const char *key, const char *word);
/* JSON members that a script has attached, without braces; NULL: none. */
void log_add_members(struct log_fields *line, const char *key, const char *members);

/* Time, listener, client, and with proxy-protocol the proxy that spoke for it; TLS and certificate of the
 * connection. */
void log_add_who(struct log_fields *line, const struct conn *conn);
void log_add_tls(struct log_fields *line, const struct conn *conn);
void log_add_certificate(struct log_fields *line, const struct conn *conn);
/* The latter two; kept with the connection, whose lines all say the same. */
void log_add_session(struct log_fields *line, struct http_conn *http);

#endif
