/*
 * What of a message goes on to the other side, and what lb says about it: hop-by-hop fields, Forwarded and
 * its kin, Via, request ids, identity fields. Works on heads; no socket, no configuration.
 */
#ifndef LB_HTTP_FORWARD_H
#define LB_HTTP_FORWARD_H

#include "lb/base/addr.h"
#include "lb/http/target.h"
#include "lb/tls/certificate.h"

enum forwarded_mode { FORWARDED_SET, FORWARDED_APPEND, FORWARDED_OFF };

/* What request ids are made from without a system call for each. One a thread; begins as zeroes. */
struct request_ids {
    uint64_t seed[2], made;
};

/* What is known of a request beside its head. */
struct forward_facts {
    const struct addr *client; /* the peer of the connection */
    const struct addr *local;  /* the address it came to; NULL: unknown */
    bool tls;
    bool trusted;      /* the peer is one of trusted-proxies */
    struct slice host; /* as it came in Host or :authority */
    unsigned port;     /* that the client connected to */
    enum forwarded_mode mode;
    uint64_t identity;               /* bit 1 << field_id for each identity field to set */
    const struct certificate *chain; /* verified, leaf first, anchor last */
    size_t chain_len;                /* 0: no certificate was proven */
    struct slice host_out;           /* Host for the server, not the head's own text; empty: as it came */
    struct request_ids *ids;         /* of this thread; NULL: a system call for each id */
    char request_id[40]; /* in: "" or what forward_request_id gave; out: what the request is known by (32 hex
                            digits, or the beginning of the trusted one's) */
};

/*
 * What a client may not tell a server is taken away, before a script or a route sees it: hop-by-hop fields
 * and those that Connection names, `te` other than "trailers", every identity field however it is spelled,
 * framing, Host and other fields of HTTP_FIELDS in a spelling that only folds to theirs, Forwarded and its
 * kin (X-Request-ID too) unless the peer is trusted. `keep_upgrade`: Upgrade stays (Connection goes).
 * Content-Length and Transfer-Encoding go too: head->content_length and ->chunked have what they said. Cannot
 * fail.
 */
void forward_clean(struct http_head *head, bool trusted, bool keep_upgrade);

/* A new id: 32 hex digits. */
void forward_new_id(struct request_ids *ids, char out[33]);

/* What the request will be known by, into facts->request_id: for scripts and logs that need it before
 * forward_request. After forward_clean. */
void forward_request_id(const struct http_head *head, struct forward_facts *facts);

/*
 * What lb says about a request, after scripts: sets Host, X-Forwarded-For/-Proto/-Host/-Port and Forwarded
 * (RFC 7239) by mode (`set`: replaced by what lb knows; `append`: for a trusted peer its list goes on; an
 * untrusted one's is replaced all the same; `off`: nothing is set), Via, X-Request-ID (kept if there is one
 * of a trusted peer, which forward_clean left), and the identity fields asked for. False: out of memory.
 */
bool forward_request(struct http_head *head, struct forward_facts *facts);

/* Makes a server's response into one for a client: hop-by-hop fields and those that Connection names go, Via
 * is added. Content-Length and Transfer-Encoding are taken away (head->content_length has the length). */
bool forward_response(struct http_head *head, bool keep_upgrade);

/* Takes away what has no business in a trailer section, identity and forwarding fields in any spelling
 * included. */
void forward_trailers(struct http_head *trailers);

/* "X-SSL-Client-DN" etc. to its id, HEADER_OTHER for what is none: for the configuration. */
enum field_id forward_identity(struct slice name);
const char *const *forward_identity_names(void); /* NULL-terminated, as they are written */

/* The value of one identity field into `head` as a field; nothing for one that has no value (no certificate).
 * X-SSL-Client-Verify is SUCCESS or NONE. False: out of memory. No value holds CR, LF, NUL or another
 * control. */
bool forward_add_identity(struct http_head *head, enum field_id id, const struct certificate *chain,
                          size_t chain_len);

#endif
