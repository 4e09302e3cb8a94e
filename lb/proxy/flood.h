/* How many TLS handshakes one source may begin, and how many a listener has under way. */
#ifndef LB_PROXY_FLOOD_H
#define LB_PROXY_FLOOD_H

#include "lb/proxy/conn.h"

/* Counts the handshake that the client is about to begin. False: its source has begun as many as
 * handshake-rate allows; conn->quiet is set if a line about that source was due less than a second ago. */
bool flood_admits(struct conn *conn);

/* The connection's handshake, which acceptors have counted (the listener's handshaking), is over. Harmless
 * when it was over before, or never was. */
void flood_handshake_over(struct conn *conn);

#endif
