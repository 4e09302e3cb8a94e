/*
 * Which of a listener's certificates a client gets: by the name of its hello (RFC 6066 section 3), exact
 * before wildcard, and by the signatures that it offers where there are several kinds of key for the name.
 * Immutable once made; all threads read it.
 */
#ifndef LB_TLS_SITES_H
#define LB_TLS_SITES_H

#include "lb/tls/certificate.h"
#include "lb/tls/hello.h"
#include "lb/tls/settings.h"

#define SITES_NONE ((size_t)-1)

struct tls_sites;

/* From the pairs' certificates, whose files must be loaded. A name that several certificates with the same
 * kind of key have belongs to the first of them. Never NULL; a certificate that cannot be read has no names.
 */
struct tls_sites *tls_sites_new(const struct tls_settings *settings);
void tls_sites_free(struct tls_sites *sites); /* NULL is fine */

/* The index of the pair. A name that no certificate has, or none at all, gets the first pair's certificate,
 * or SITES_NONE with strict-sni. */
size_t tls_sites_choose(const struct tls_sites *sites, const struct hello *hello);

/* Whether a certificate has the name, which may be a pattern "*.name": then one for the pattern itself, or
 * for a name that it is for. */
bool tls_sites_serve(const struct tls_sites *sites, const char *name);

/* Calls `found` for each host name or pattern of a certificate, normalized: its dNSNames, or its common name
 * if it has no subject alternative name at all. What is no host name is left out. */
void tls_site_names(const struct certificate *certificate, void (*found)(void *context, const char *name),
                    void *context);

#endif
