/*
 * What the process keeps so that clients can resume their sessions with any of its threads, over reloads: the
 * random ticket keys, chains that are too long for a ticket, and the sessions of TLS 1.2 clients that take no
 * tickets. Any thread.
 */
#ifndef LB_TLS_SESSIONS_H
#define LB_TLS_SESSIONS_H

struct tls_sessions;

struct tls_sessions *tls_sessions_new(void);
void tls_sessions_free(struct tls_sessions *sessions); /* NULL is fine; no context may use it any more */

#endif
