/* What each state does, for the table in conn.c. Nobody else calls these. */
#ifndef LB_PROXY_STEPS_H
#define LB_PROXY_STEPS_H

#include "lb/proxy/conn.h"

/* proxy_header.c */
bool header_wanted(const struct conn *conn); /* the peer is one that speaks for others */
void header_data(struct conn *conn, struct slice bytes);
void header_end(struct conn *conn);
void header_expired(struct conn *conn);

/* announce.c: the PROXY header for a server of `backend`, which has send_proxy, into out[PROXY_WRITE_MAX].
 * `id` is told as the connection's unique id. The length; 0: it cannot be written. */
size_t proxy_announce(const struct conn *conn, const struct backend *backend, const char *id, char *out);

/* greet.c */
void greet_data(struct conn *conn, struct slice bytes);
void greet_end(struct conn *conn);
void greet_expired(struct conn *conn);
uint64_t greet_limit(const struct conn *conn);
void greet_failed(struct conn *conn); /* the TLS session refused */
void greet_done(struct conn *conn);   /* counts the handshake's outcome, good or bad */

/* authorize.c */
void authorize_start(struct conn *conn);
void authorize_resume(struct conn *conn);
void authorize_cancel(struct conn *conn); /* harmless when nothing waits */
uint64_t authorize_limit(const struct conn *conn);
/* ocsp.c has an answer: the decision goes on, or ends here. */
void authorize_certified(struct conn *conn);
void authorize_uncertified(struct conn *conn, enum reason reason, int alert, const char *text);
/* What scripts see of the connection, the same as long as it lasts, whatever is reloaded; one block, freed
 * with free(). NULL: out of memory. */
struct authorize_facts *authorize_collect(struct conn *conn);
const struct script_conn *authorize_conn_of(const struct authorize_facts *facts);

/* early.c */
void early_data(struct conn *conn, struct slice bytes);
void early_end(struct conn *conn);
/* For a state that reads the beginning of a connection: calls `read` with all bytes so far, which keeps them
 * by early_data if they are too few. */
void early_read(struct conn *conn, struct slice bytes, void (*read)(struct conn *conn, struct slice wire));

/* connect.c */
void connect_start(struct conn *conn);
void connect_done(struct conn *conn, int status);
void connect_secured(struct conn *conn);
void connect_unsecured(struct conn *conn); /* the server's stream has failed or ended before */
void connect_lost(struct conn *conn);      /* TLS has failed after that */
void connect_expired(struct conn *conn);
void connect_free(struct conn *conn);
uint64_t connect_limit(const struct conn *conn);

/* relay.c */
void relay_start(struct conn *conn);
void relay_client_data(struct conn *conn, struct slice bytes);
void relay_client_end(struct conn *conn);
void relay_server_data(struct conn *conn, struct slice bytes);
void relay_server_end(struct conn *conn);
void relay_drained(struct conn *conn);
void relay_idle_expired(struct conn *conn);
void relay_drain_expired(struct conn *conn);
uint64_t relay_idle_limit(const struct conn *conn);
uint64_t relay_drain_limit(const struct conn *conn);

#endif
