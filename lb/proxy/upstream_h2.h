/* One HTTP/2 connection to a server, between the file that takes what comes and the one that serves owners.
 */
#ifndef LB_PROXY_UPSTREAM_H2_H
#define LB_PROXY_UPSTREAM_H2_H

#include "lb/proxy/upstream_parts.h"

struct h2_link {
    struct link link; /* first */
    struct h2_session *session;
    struct upstream *first; /* all of its upstreams */
    unsigned count, unsent; /* all; those that have not sent their request */
    bool receiving, sending;
    bool owing; /* some upstream is to be told something: drained, or failed */
    bool going; /* no further requests */
};

extern const struct h2_events h2_session_events;
extern const struct stream_events h2_link_events;

void h2_link_detach(struct h2_link *link, struct upstream *upstream);
/* Nobody is left: it waits for the next request, or goes. */
void h2_link_left_alone(struct h2_link *link);
/* Once for all that was added. No owner is told anything from within: what comes of it is owed until settle.
 */
void h2_link_send(struct h2_link *link);
/* After events: sends, tells what is owed, and decides whether the connection goes on. */
void h2_link_settle(struct h2_link *link);
/* What a writer is told; remembers what it is owed. */
enum stream_written h2_link_state(const struct h2_link *link, struct upstream *upstream);
/* What was delivered may come again. */
void h2_upstream_grant(struct upstream *upstream);

#endif
