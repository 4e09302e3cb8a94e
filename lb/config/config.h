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
#include "lb/base/problems.h"
#include "lb/tls/settings.h"
#include "scripting/script.h"

enum protocol { PROTOCOL_TCP, PROTOCOL_RESPOND };

struct listener_state; /* counters across snapshots: lb/proxy */

struct bind {
    struct addr addr;
    char *text; /* as written */
    unsigned line;
};

struct listener {
    char *name;
    struct place place; /* of its section */
    struct bind *binds;
    size_t bind_count;
    enum protocol protocol;
    struct tls_settings tls;
    struct script_settings script;
    char *backend_name;
    const struct backend *backend; /* NULL only for respond */
    uint64_t timeout_handshake_ms, timeout_idle_ms, timeout_half_closed_ms;
    uint64_t max_connections; /* 0: no limit of its own */
    bool log_connections;
    uint64_t respond_status;
    char *respond_text;
    struct listener_state *state; /* set once before the snapshot is published */
};

struct config {
    atomic_uint refs;
    char **files; /* as read, in order */
    size_t file_count;

    uint64_t workers;         /* at least 1, resolved from auto */
    uint64_t max_connections; /* 0: as the file-descriptor limit allows */
    uint64_t shutdown_timeout_ms;
    char *admin; /* path of the admin socket, NULL: off */
    char *log_target;
    enum log_format log_format;
    enum log_level log_level;

    struct listener *listeners;
    size_t listener_count;
    struct backend *backends;
    size_t backend_count;
};

/* Paths are files or folders (whose *.ini are read in name order). NULL after adding at least one error to
 * `problems`; warnings may come with a snapshot too. The snapshot has one reference. Everything that needs no
 * thread is checked: files readable, certificate and key fit (a context is made), scripts compile and define
 * a hook (a state is made), names known, binds unique. */
struct config *config_load(const char *const *paths, size_t count, struct problems *problems);
struct config *config_hold(struct config *config);
void config_drop(struct config *config);

const struct listener *config_listener(const struct config *config, const char *name); /* NULL if unknown */
const struct backend *config_backend(const struct config *config, struct slice name);

/* Every key with type, default and help, as Markdown, from the key table. */
void config_reference(FILE *out);

#endif
