/*
 * Asking OCSP responders about the certificates of clients: after the handshake, resumed ones too, and before
 * the script. What is known is taken from the process's cache; else the connection waits, and no other one
 * with it, while its thread asks. Connections that ask the same share one question.
 *
 * Asked about is the client's own certificate; intermediates are the affair of client-crl.
 */
#ifndef LB_PROXY_OCSP_H
#define LB_PROXY_OCSP_H

#include "lb/proxy/conn.h"

/* Questions that one thread has open at a time, each with a connection of its own. Where they are used up
 * there is no answer. */
#define OCSP_QUESTIONS_MAX 128

/* Whether the listener wants it, and the client has shown a certificate. */
bool ocsp_must_ask(const struct conn *conn);

/* Ends with authorize_certified or authorize_uncertified, now or when the answer is there. */
void ocsp_ask(struct conn *conn);

/* Whether an answer that is there already, under the rules of `service`, revokes its certificate. */
bool ocsp_known_revoked(const struct conn *conn, const struct service *service);

/* The answer is not there although its time is over. */
void ocsp_overdue(struct conn *conn);

/* The connection waits no longer; harmless when it does not. */
void ocsp_leave(struct conn *conn);

/* At the end of the thread, after its connections are closed. */
void ocsp_close(struct proxy_thread *thread);

#endif
