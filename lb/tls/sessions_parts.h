/* The inside of struct tls_sessions, for the files of this folder. */
#ifndef LB_TLS_SESSIONS_PARTS_H
#define LB_TLS_SESSIONS_PARTS_H

#include "lb/tls/session_store.h"
#include "lb/tls/sessions.h"
#include "lb/tls/ticket_keys.h"

struct tls_sessions {
    struct ticket_ring *ring;
    struct session_store *chains; /* by their SHA-256 */
    struct session_store *ids;    /* by session id */
};

#endif
