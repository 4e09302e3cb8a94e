/*
 * The configuration as an immutable snapshot. Loading reads every file, reports every problem, and either
 * gives a complete snapshot or none. All threads may read it; it is freed with its last reference.
 */
#ifndef LB_CONFIG_CONFIG_H
#define LB_CONFIG_CONFIG_H

#include <stdatomic.h>
#include <stdio.h>

#include "lb/balance/backend.h"
#include "lb/base/addr.h"
#include "lb/base/log.h"
#include "lb/base/name_map.h"
#include "lb/base/network.h"
#include "lb/base/problems.h"
#include "lb/http/forward.h"
#include "lb/http/h1.h"
#include "lb/http/route.h"
#include "lb/tls/client_settings.h"
#include "lb/tls/sites.h"
#include "scripting/script.h"

enum protocol { PROTOCOL_TCP, PROTOCOL_HTTP };

/* Which changes on disk take effect by themselves. */
enum watch_what { WATCH_NOTHING, WATCH_FILES, WATCH_CONFIGURATION }; /* the last: the files, too */

struct archive;
struct listener_state; /* counters across snapshots: lb/proxy */

struct bind {
    struct addr addr;
    char *text; /* as written */
    unsigned line;
};

/* What is sent with a status that lb answers by itself, instead of its own text. */
struct error_page {
    unsigned status;
    char *path;
    char *body; /* as read at load */
    size_t len;
    const char *type; /* media type, by the file's name */
};

struct http_settings {
    bool h2c; /* HTTP/2 with prior knowledge on a listener without TLS */
    struct http_limits limits;
    uint64_t max_body;              /* 0: no limit */
    uint64_t max_requests;          /* of one connection; 0: no limit */
    uint64_t max_streams;           /* of one HTTP/2 connection at the same time */
    uint64_t timeout_first_ms;      /* from the connection to the first byte of its first request */
    uint64_t timeout_header_ms;     /* from the first byte of a request to the end of its head */
    uint64_t timeout_body_ms;       /* between two pieces of a request's body */
    uint64_t timeout_keep_alive_ms; /* from the end of one exchange to the first byte of the next request */
    enum encoded_slash slash;
    enum forwarded_mode forwarded;
    uint64_t identity; /* 1 << enum field_id: the certificate's fields that servers are sent */
    struct route *routes;
    size_t route_count;
    struct route_table *table; /* NULL without routes */
    struct error_page *pages;
    size_t page_count;
    bool json_errors; /* bodies of lb's own answers */
    bool show_reason; /* the reason of a denial in them */
};

/* Of the TLS handshakes that the addresses of one network may begin. */
struct handshake_rate {
    unsigned limit; /* in each window; 0: any number */
    uint64_t window_ms;
    unsigned bits4, bits6; /* of an address that make its network */
};

/* Where clients connect. Also what one host name gets instead, by its [certificate NAME] section: then a copy
 * of the listener that differs in what the section sets and borrows the rest. */
struct listener {
    char *name;
    struct place place; /* of its section */
    char *host;         /* of a copy: the NAME, normalized, or its pattern "*.name"; NULL for a listener */
    struct listener *policies; /* its copies; none with tls = off */
    size_t policy_count;
    struct name_map *policy_names; /* to the index of the policy; NULL: none */
    struct tls_sites *sites;       /* NULL with tls = off */
    struct bind *binds;
    size_t bind_count;
    enum protocol protocol;
    struct tls_settings tls;
    struct script_settings script;
    char *backend_name;
    const struct backend *backend; /* NULL only for http: then what no route takes is 404 */
    struct http_settings http;
    bool proxy_protocol;     /* a PROXY header is demanded of `trusted`, and read from nobody else */
    struct network *trusted; /* whose PROXY header and, over HTTP, whose X-Forwarded-For count */
    size_t trusted_count;
    uint64_t timeout_handshake_ms, timeout_idle_ms, timeout_half_closed_ms;
    uint64_t max_connections; /* 0: no limit of its own */
    uint64_t max_handshakes;  /* likewise; of TLS, from accepting to their end */
    struct handshake_rate handshake_rate;
    uint64_t max_age_ms;  /* of a connection; 0: no limit */
    bool close_on_expiry; /* no connection outlives the certificates that it was let in by */
    bool reauthorize;     /* live connections are judged again when the rules have changed */
    bool log_connections;
    struct listener_state *state; /* set once before the snapshot is published */
};

/* TLS to one server. */
struct member_tls {
    unsigned line; /* of the configuration */
    bool on;
    char *name; /* what its certificate must be for, also sent as SNI; NULL: its address has none */
};

/* TLS to the servers of a backend, which itself knows nothing of it. */
struct backend_tls {
    struct place place; /* of the backend's section */
    bool on;            /* of servers that do not say */
    bool used;          /* by one server at least */
    char *name;         /* of servers that do not say; NULL: as in their address */
    char *alpn;         /* names separated by ',' for connections of tcp listeners; NULL: none */
    struct tls_client_settings settings;
    struct member_tls *members; /* as those of the backend */
};

struct config {
    atomic_uint refs;
    char **files; /* as read, in order */
    size_t file_count;
    struct archive *archive; /* all files it was made of, these included; sealed */

    uint64_t workers;         /* at least 1, resolved from auto */
    uint64_t max_connections; /* 0: as the file-descriptor limit allows */
    uint64_t shutdown_timeout_ms;
    uint64_t drain_spread_ms;   /* kept HTTP connections that shall go are told so within this time */
    uint64_t expiry_warning_ms; /* certificates that expire sooner are warned of */
    char *admin;                /* path of the admin socket, NULL: off */
    char *log_target;
    enum log_format log_format;
    enum log_level log_level;
    enum watch_what watch;

    struct listener *listeners;
    size_t listener_count;
    struct backend *backends;
    struct backend_tls *backend_tls; /* as backends */
    size_t backend_count;
};

/* Paths are files or folders (whose *.ini are read in name order). NULL after adding at least one error to
 * `problems`; warnings may come with a snapshot too. The snapshot has one reference. Everything that needs no
 * thread is checked: files readable, certificate and key fit (a context is made), scripts compile and define
 * a hook (a state is made), names known, binds unique. */
struct config *config_load(const char *const *paths, size_t count, struct problems *problems);

/* From the same text as `before`, which still says where everything is; its other files are those of
 * `archive`, which becomes the snapshot's, or is freed. Nothing is looked up in the network. */
struct config *config_load_again(const struct config *before, struct archive *archive,
                                 struct problems *problems);
struct config *config_hold(struct config *config);
void config_drop(struct config *config);

const struct listener *config_listener(const struct config *config, const char *name); /* NULL if unknown */

/* Index of the policy for a host name (normalized; empty: none was given); NAME_MAP_NONE: the listener's own.
 */
size_t listener_policy(const struct listener *listener, struct slice host);
const struct backend *config_backend(const struct config *config, struct slice name);

/* Every key with type, default and help, as Markdown, from the key table. */
void config_reference(FILE *out);

#endif
