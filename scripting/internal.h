/* What the files of scripting/ share. Nothing of this is seen outside the folder. */
#ifndef SCRIPTING_INTERNAL_H
#define SCRIPTING_INTERNAL_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "lb/base/text.h"
#include "scripting/script.h"

#define SCRIPT_STRING_MAX                                                                                    \
    (256u << 10) /* longest string a script may build: bounds what one instruction can cost */
#define SCRIPT_WHERE_MAX 96
#define SCRIPT_FAULT_MAX 256
#define SCRIPT_NO_WAIT   "cannot wait inside a function that table.sort, string.gsub or tostring calls"
#define SCRIPT_HOOKS     3 /* as many as enum script_hook has */

/* Why a hook was ended from outside. Once set it stays for that hook, whatever the script catches. */
enum trip { TRIP_NONE, TRIP_CPU, TRIP_TIME, TRIP_MEMORY, TRIP_CERTIFICATE, TRIP_CHANGE };

/* The limits of one hook; times in microseconds of the monotonic clock. */
struct budget {
    uint64_t cpu_limit;
    uint64_t cpu_used; /* by slices that have ended, and by this one up to the mark */
    uint64_t deadline; /* wall time */
    uint64_t slice_start;
    uint64_t cpu_mark; /* this thread's CPU clock at the mark, 0: not read yet in this slice */
    uint64_t probe;    /* before this time no limit can have been reached */
    enum trip tripped;
    char where[SCRIPT_WHERE_MAX]; /* "file:line: " at which it tripped, or "" */
};

/* Memory of one state. */
struct memory {
    size_t used, limit;
    size_t failed;     /* size of a request that was refused and not yet granted, or 0 */
    bool out;          /* it will not be granted any more: Lua has raised the error */
    size_t grown;      /* bytes handed out since the limits were last looked at */
    size_t collect_at; /* a call that ends with more than this in use collects everything */
};

/* Blocks of up to BLOCK_CLASSES * BLOCK_STEP bytes that were dropped and serve again. */
enum { BLOCK_STEP = 16, BLOCK_CLASSES = 16 };

struct kept_block;

struct blocks {
    struct kept_block *free[BLOCK_CLASSES];
    size_t kept; /* bytes */
};

/* One run of a hook (or of the top level: loading). Records are reused, never freed before the
 * script: a view whose serial differs from its call's is stale. */
struct script_call {
    struct script *script;
    struct script_call *next_spare, *next_all;
    lua_State *thread; /* anchored in the registry under the record's address; NULL if none */
    uint64_t serial;
    enum script_hook hook;
    struct script_conn conn;
    struct script_request request;   /* on_request; on_response: the one that is answered */
    struct script_response response; /* on_response; the status is what the script has made of it */
    bool loading;
    struct budget budget;
    uint64_t wake;    /* lb.sleep: monotonic microseconds */
    size_t want_body; /* req:body waits for a body of at most so many bytes; else 0 */
    unsigned logged;
    char fault[SCRIPT_FAULT_MAX]; /* TRIP_CHANGE: what was refused */
};

/* What a hook is called with; NULL where the hook has none. */
struct hook_facts {
    enum script_hook hook;
    const struct script_conn *conn;
    const struct script_request *request;
    const struct script_response *response;
};

/* The userdata that lb makes. */
enum kind {
    KIND_CONN,
    KIND_TLS,
    KIND_CHAIN,
    KIND_CERTIFICATE,
    KIND_NAME,
    KIND_SAN,
    KIND_KEY,
    KIND_LIST,
    KIND_VERDICT,
    KIND_REQUEST,
    KIND_RESPONSE,
    KIND_HEADERS,
    KIND_COOKIES,
    KIND_COUNT
};

struct script {
    lua_State *L;
    struct script_host host;
    struct memory memory;
    struct blocks blocks;
    uint64_t cpu_us, timeout_us;
    uint64_t serial;
    struct script_call *spare, *all;
    struct script_call *running; /* the call whose slice runs now */
    lua_State *current;          /* the coroutine that runs now */
    bool host_yield; /* the yield under way is meant for the host, not for the script's own resume */
    unsigned steps;  /* work charged since the limits were last looked at */
    const void *meta[KIND_COUNT];
    int meta_ref[KIND_COUNT]; /* the same in the registry */
    bool http;                /* struct script_settings */
    bool hooks[SCRIPT_HOOKS]; /* those that the file defines */
    char *path;               /* as configured */
    char *folder;             /* the script's folder, as configured */
    uint64_t fingerprint;     /* of what was compiled so far, and of the options */
    char **sources;           /* every file compiled so far, as it is named in error texts */
    size_t source_count;
    char *scratch; /* values of one fact on their way into Lua */
    size_t scratch_cap;
};

/* What the extra space of each coroutine holds: the script's address, and flags where its alignment leaves
 * room. */
enum { COROUTINE_HOOK = 1, COROUTINE_PARKED = 2, COROUTINE_FLAGS = 3 };

/* The state's script; any coroutine of it does. */
static inline struct script *script_of(lua_State *L)
{
    return (struct script *)(*(uintptr_t *)lua_getextraspace(L) & ~(uintptr_t)COROUTINE_FLAGS);
}

/* --- blocks.c --- */
/* As realloc, for a block of which the size is known and a new size that is not 0. The old size of a block
 * that is NULL means nothing. */
void *blocks_resize(struct blocks *blocks, void *block, size_t old_size, size_t new_size);
void blocks_drop(struct blocks *blocks, void *block, size_t size);
void blocks_free(struct blocks *blocks); /* those that wait for use */

/* --- limits.c --- */
void *limits_alloc(void *script, void *block, size_t old_size, size_t new_size);
void limits_watch(lua_State *L); /* puts the count hook on a coroutine */
void budget_begin(struct budget *budget);
void budget_end(struct budget *budget);

/* Accounts for work done in C that executes no instruction; raises when a limit is reached. `steps` are about
 * 10 ns. */
void limits_charge(lua_State *L, size_t steps);
/* As limits_charge, but answers false instead of raising. The caller raises with limits_raise once its own
 * state is in order. */
bool limits_spend(struct script *script, size_t steps);
/* Ends the running hook for `trip`; does not return. */
_Noreturn void limits_trip(lua_State *L, enum trip trip);
_Noreturn void limits_raise(lua_State *L);
bool limits_tripped(const struct script *script);
/* "file:line: " of the innermost Lua function of the coroutine, or "", to out[SCRIPT_WHERE_MAX]. Raises
 * nothing. */
void limits_where(lua_State *L, char *out);
/* Passes on what a coroutine of the script yielded to the host: yields itself, or raises where it cannot. */
int limits_pass_on(lua_State *L, lua_KContext context, lua_KFunction next);

/* --- coroutine.c --- */
void coroutine_init(lua_State *co, struct script *script); /* no flag is on */
void coroutine_mark(lua_State *co, unsigned flag, bool on);
bool coroutine_is(lua_State *co, unsigned flag);
int coroutine_open(lua_State *L);

/* --- sandbox.c and the libraries --- */
void sandbox_open(lua_State *L); /* sets all globals except lb */
/* Makes these functions of the library on the top charge for the length of their texts. */
void sandbox_charge(lua_State *L, const char *const *names);
int library_string_open(lua_State *L);
int library_table_open(lua_State *L);

/* --- load.c --- */
/* Runs the script's top level. False after adding problems. */
bool load_run(struct script *script, const struct script_settings *settings, struct place place,
              struct problems *problems);
int load_require(lua_State *L);
/* The registry's keys of the hooks. */
extern const char load_hook_keys[SCRIPT_HOOKS];
extern const char *const load_hook_names[SCRIPT_HOOKS];

/* --- run.c --- */
/* NULL facts: for the top level. NULL: out of memory. */
struct script_call *call_new(struct script *script, const struct hook_facts *facts);
void call_release(struct script_call *call, bool clean);
/* Runs the call's coroutine with `args` values on its stack until it ends or waits: LUA_OK, LUA_YIELD or an
 * error. */
int call_slice(struct script_call *call, int args, int *results);

/* --- failure.c --- */
/* The failure of a slice as the operator reads it. */
void call_failure(struct script_call *call, int status, struct script_outcome *out);

/* --- verdict_build.c --- */
int verdict_allow(lua_State *L);
int verdict_deny(lua_State *L);
int verdict_redirect(lua_State *L);
int verdict_respond(lua_State *L);

/* --- verdict.c --- */
/* Translates what the hook left on the coroutine's stack, and carries it out. Raises nothing. */
void verdict_read(struct script_call *call, int results, struct script_outcome *out);

/* --- userdata.c --- */
/* The block if the value at index is userdata of this kind, else NULL. Raises nothing. */
void *userdata_is(lua_State *L, int index, enum kind kind);
void *userdata_check(lua_State *L, int index, enum kind kind, const char *what);
void *userdata_new(lua_State *L, enum kind kind, size_t size, int user_values);
/* Makes the kind's metatable, which refuses writes unless the metamethods hold __newindex. `names`
 * (NULL-terminated, or NULL) are the fields, handed to `index` as upvalue 1: a table from name to position.
 */
void userdata_kind(lua_State *L, enum kind kind, const luaL_Reg *metamethods, const char *const *names,
                   lua_CFunction index);
/* Position of the key at stack index 2 among the fields of upvalue 1; raises naming `what` and the nearest
 * field. */
int userdata_field(lua_State *L, const char *what, const char *const *names);
_Noreturn void userdata_unknown(lua_State *L, int key, const char *what, const char *const *names);
/* A read-only module: fields of the table on the top, which it replaces; unknown names raise. */
void userdata_module(lua_State *L, const char *name);

/* --- list.c --- */
void list_open(lua_State *L);
/* Replaces the table on the top (an array) by a read-only list of it, which also answers membership. `text`
 * at most the value of tostring, NULL data for the values joined by ", ". */
void list_wrap(lua_State *L, struct slice text);
/* Pushes the table behind the list at index, or the plain table itself; false for anything else. */
bool list_table(lua_State *L, int index);

/* --- facts into Lua --- */
void api_lb_open(lua_State *L, const struct script_settings *settings);
int api_lb_print(lua_State *L);
void options_open(lua_State *L, const struct script_settings *settings); /* pushes lb.options */
int options_default(lua_State *L);                                       /* lb.option */
void api_conn_open(lua_State *L);
void api_conn_push(lua_State *L, struct script_call *call);
void api_request_open(lua_State *L); /* req and res, headers, cookies */
/* What the call's hook gets as its argument. */
void api_argument_push(lua_State *L, struct script_call *call);
void api_headers_open(lua_State *L);
void api_cookies_open(lua_State *L);
int api_rate_limit(lua_State *L);
void api_certificate_open(lua_State *L);
/* Pushes a view of chain[index]; `chained` if it was reached by conn.chain. */
void api_certificate_push(lua_State *L, struct script_call *call, unsigned index, bool chained);

/* A window on facts of a call. */
struct view {
    struct script_call *call;
    uint64_t serial;
    unsigned index; /* into the chain */
    bool chained;
    bool issuer;   /* KIND_NAME */
    bool response; /* KIND_HEADERS: of the response */
};

struct view *view_new(lua_State *L, enum kind kind, struct script_call *call, int user_values);
bool view_valid(lua_State *L, const struct view *view);                             /* false: stale */
struct view *view_check(lua_State *L, int index, enum kind kind, const char *what); /* raises if stale */
/* Tells the host which fact is read. `part` and `field` may be NULL. */
void view_read(lua_State *L, const struct view *view, const char *part, const char *field);
/* The same for what is no certificate: "part.field". */
void view_told(lua_State *L, const char *part, struct slice field);
/* The message that a view of headers or cookies shows. */
const struct script_message *view_message(const struct view *view);
/* Ends the hook because a change was refused, whatever the script catches: "what 'name': why". */
_Noreturn void view_refuse(lua_State *L, const char *what, struct slice name, const char *why);
/* Replaces the array on the top (names and values in turn) by an iterator for pairs. */
void view_iterate(lua_State *L);
/* True and the cached user value pushed; false and nothing pushed. */
bool view_cached(lua_State *L, int slot);
void view_cache(lua_State *L, int slot); /* keeps the value on the top in the view at index 1 */

#endif
