/* TLS to the servers, within a generation: a context for each kind of settings, and the servers that are
 * spoken TLS to. Made in the master thread, then its worker's. */
#ifndef LB_PROXY_SERVER_TLS_H
#define LB_PROXY_SERVER_TLS_H

#include "lb/config/config.h"
#include "lb/tls/client.h"

struct server_tls;

/* NULL after adding problems. The configuration outlives it. */
struct server_tls *server_tls_new(const struct config *config, struct problems *problems);
void server_tls_free(struct server_tls *servers); /* NULL is fine; sessions keep what they need */

/* NULL: the server is spoken to without TLS. */
struct tls_peer *server_tls_peer(const struct server_tls *servers, const struct backend *backend,
                                 const struct member *member);

/* What connections of tcp listeners offer, as long as it lives; and those of requests, forever. */
const struct tls_protocols *server_tls_protocols(const struct server_tls *servers,
                                                 const struct backend *backend);
const struct tls_protocols *server_tls_http(const struct backend *backend);

/* Whether a connection to the server that was made under one configuration may go on under the other. */
bool server_tls_alike(const struct config *a, const struct config *b, const struct server *server);

#endif
