/*
 * Lua scripts that decide. A `struct script` is one Lua state with one compiled script: it belongs to one
 * listener, one thread and one snapshot. Whatever goes wrong inside a hook is a denial with its reason;
 * nothing a script does can end the process, hang the thread beyond its CPU limit or grow beyond its memory
 * limit.
 */
#ifndef SCRIPTING_SCRIPT_H
#define SCRIPTING_SCRIPT_H

#include "lb/base/problems.h"
#include "lb/base/reason.h"
#include "scripting/facts.h"

struct script_option {
    char *name;  /* after "option." */
    char *value; /* reaches Lua as lb.options.NAME: see script_new */
};

struct script_settings {
    char *path; /* NULL: no script */
    struct script_option *options;
    size_t option_count;
    uint64_t cpu_ms;     /* CPU time of one hook */
    uint64_t timeout_ms; /* wall time of one hook, waits included */
    uint64_t memory;     /* bytes of one state */
    bool http;           /* of a listener where on_request decides about each request */
};

/* What scripts need of the process. All functions are called in the thread that runs the script. */
struct script_host {
    void *context;
    void (*log)(void *context, int level, struct slice text); /* enum log_level; print is LOG_INFO */
    int64_t (*now_ms)(void *context);                         /* wall clock, for lb.now */
    void (*sha256)(struct slice in, unsigned char out[32]);
    void (*field_read)(void *context,
                       struct slice path); /* NULL, or told each fact read: "certificate.subject.OU" */
    bool (*has_backend)(void *context,
                        struct slice name); /* is `backend =` of an allow known? NULL: none is */
    bool (*has_server)(void *context, struct slice backend, struct slice name); /* NULL: none is */
    /* Counts one for `key` and answers whether that is within `limit` in any `window_ms`, over all threads,
     * scripts of this listener and reloads. NULL: lb.rate_limit is an error. */
    bool (*rate)(void *context, struct slice key, unsigned limit, uint64_t window_ms);
    /* Only during script_new: the bytes of the script or of a file that it requires, which stay until
     * script_new returns. Else as script_file_read, which NULL stands for. */
    bool (*read)(void *context, const char *path, const char *folder, struct slice *bytes, const char **why);
    const char *version; /* lb.version; copied; NULL reads as "" */
};

enum script_verdict {
    SCRIPT_ALLOW,
    SCRIPT_DENY,
    SCRIPT_WAIT,
    SCRIPT_REPLY, /* requests: answer with outcome->extra instead of asking a server */
};

/* What only some outcomes have; one block of memory, freed with free(). Texts are counted and lie in the
 * block. */
struct script_extra {
    struct slice server; /* allow{server=}: of the chosen backend; empty: any */
    struct slice path;   /* allow{path=}: path and query that the server gets; empty: as it is */
    struct slice
        headers; /* allow{headers=} of on_authorize, or of a reply: NAME NUL VALUE NUL ...; no controls */
    struct slice body; /* of a reply */
};

#define SCRIPT_BACKEND_MAX 128
#define SCRIPT_TEXT_MAX    512
#define SCRIPT_LOG_MAX     1024

struct script_outcome {
    enum script_verdict verdict;
    enum reason reason;         /* NONE for allow; DENIED or SCRIPT_* for deny */
    char text[SCRIPT_TEXT_MAX]; /* deny: the script's reason, or "file:line: what failed"; no controls */
    char backend[SCRIPT_BACKEND_MAX]; /* allow: chosen backend, "" for the listener's own */
    char log[SCRIPT_LOG_MAX]; /* allow or deny: log fields as JSON members without braces: "\"ou\":\"x\"", or
                                 "" */
    unsigned status; /* of a request: deny: 403, the script's choice, or 500 for a script that failed; reply:
                        any; on_response that allows: what the status of the response is now */
    struct script_extra *extra; /* NULL: none. The caller frees it */
    size_t
        want_body; /* WAIT: resume when the body is complete; a body longer than this is refused with 413 */
    uint64_t wait_ms; /* WAIT: call script_resume after that many milliseconds at the latest */
    uint64_t cpu_us;  /* CPU time so far; of a hook that ends within some 500 instructions the time passed */
};

struct script;
struct script_call; /* a hook that waits */

/* Reads a file of a script; bytes->data, with a NUL behind it, is the caller's to free. False: *why (constant
 * text or strerror's) says why not, NULL: there is no such file. With all symbolic links followed it must lie
 * below `folder`; NULL: anywhere. */
bool script_file_read(const char *path, const char *folder, struct slice *bytes, const char **why);

/* Reads, compiles and runs the file's top level (under the same limits); NULL after adding problems with file
 * and line. A script that defines no hook is a problem. `host` is copied. lb.options.NAME is a string-like
 * value that also answers set membership: "a, b" gives lb.options.NAME["a"] == true; lb.options.NAME == "a,
 * b" holds through tostring only, see scripting/README. */
struct script *script_new(const struct script_settings *settings, const struct script_host *host,
                          struct place place, struct problems *problems);
void script_free(struct script *script);

/* Runs on_authorize. If the outcome is SCRIPT_WAIT, *call is set and must be given to script_resume or
 * script_cancel; else it is NULL. Facts stay valid until then. A script without on_authorize denies with
 * SCRIPT_ERROR. */
void script_authorize(struct script *script, const struct script_conn *conn, struct script_outcome *out,
                      struct script_call **call);

/* The same number for the same files and options, another one (but for chance, 1 in 2^64) for others. */
uint64_t script_fingerprint(const struct script *script);

enum script_hook { HOOK_AUTHORIZE, HOOK_REQUEST, HOOK_RESPONSE };
bool script_has(const struct script *script, enum script_hook hook);

/* Whether on_authorize is to be asked about a connection. Over HTTP a script may leave it to on_request to
 * decide; one that has neither hook is asked, and denies. */
bool script_decides_connections(const struct script *script);

/* Runs on_request or on_response, which must be there; as script_authorize does. allow{headers=} of
 * on_request is carried out through the message's ops. On whatever goes wrong: SCRIPT_DENY with status 500.
 * on_response allows by returning nothing or true; it changes the response through the ops; out->status is
 * what it has made of the status. What `request` and `response` point to must stay until the hook has ended,
 * they themselves are copied. */
void script_request(struct script *script, const struct script_request *request, struct script_outcome *out,
                    struct script_call **call);
void script_response(struct script *script, const struct script_response *response,
                     struct script_outcome *out, struct script_call **call);
void script_resume(struct script_call **call, struct script_outcome *out);
void script_cancel(struct script_call **call); /* the connection went away */

size_t script_memory(const struct script *script); /* bytes in use */

const char *script_language(void); /* "Lua 5.4.x" */

#endif
