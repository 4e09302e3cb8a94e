/* lb.allow, lb.deny, lb.redirect and lb.respond. */
#include <stdlib.h>

#include "lb/base/units.h"
#include "scripting/verdict.h"

#define STATUS_OK        200
#define STATUS_FOUND     302
#define STATUS_FORBIDDEN 403

/* --- drafts --- */

static void draft_init(struct draft *draft, enum answer answer, unsigned status)
{
    draft->answer = answer;
    draft->status = status;
    for (size_t i = 0; i < PARTS; i++)
        draft->parts[i] = (struct slice){"", 0};
    draft->text[0] = draft->log[0] = '\0';
    draft->headers.count = draft->headers.size = 0;
}

struct slice verdict_part(const struct verdict *verdict, enum part part)
{
    const char *at = verdict->bytes;
    for (size_t i = 0; i < part; i++)
        at += verdict->lens[i];
    return slice_make(at, verdict->lens[part]);
}

static int push_verdict(lua_State *L, struct draft *draft)
{
    const struct script_call *call = script_of(L)->running;
    size_t size = 0;
    if (draft->headers.count > 0)
        draft->parts[PART_HEADERS] = (struct slice){NULL, draft->headers.size};
    for (size_t i = 0; i < PARTS; i++)
        size += draft->parts[i].len;
    limits_charge(L, size / 16);
    luaL_checkstack(L, 6, "lb");
    struct verdict *verdict = userdata_new(L, KIND_VERDICT, sizeof(*verdict) + size, 0);
    *verdict = (struct verdict){.serial = call->loading ? 0 : call->serial,
                                .answer = draft->answer,
                                .status = draft->status};
    char *at = verdict->bytes;
    for (size_t i = 0; i < PARTS; i++) {
        struct slice part = draft->parts[i];
        if (i == PART_HEADERS && part.len > 0)
            verdict_pack_headers(L, &draft->headers, at);
        else if (part.len > 0)
            memcpy(at, part.data, part.len);
        verdict->lens[i] = part.len;
        at += part.len;
    }
    return 1;
}

/* A mistake in the arguments does not raise, which a pcall could hide: it makes a verdict that denies and
 * says why. The text is on the top of the stack. */
static bool unusable(lua_State *L, struct draft *draft)
{
    struct text text;
    size_t len;
    const char *why = lua_tolstring(L, -1, &len);
    draft_init(draft, ANSWER_UNUSABLE, 0);
    text_init(&text, draft->text, sizeof(draft->text));
    luaL_where(L, 1);
    text_adds(&text, lua_tostring(L, -1));
    text_clean(&text, slice_make(why, len));
    draft->parts[PART_TEXT] = slice_make(draft->text, text.len);
    return false;
}

/* --- tables of named values --- */

static bool is_text(lua_State *L, int index, struct slice *text)
{
    if (lua_type(L, index) != LUA_TSTRING)
        return false;
    text->data = lua_tolstring(L, index, &text->len);
    return true;
}

static bool is_known(lua_State *L, int key, const char *const *names)
{
    struct slice name;
    for (; *names && is_text(L, key, &name); names++)
        if (slice_is(name, *names))
            return true;
    return false;
}

/* False for a key that is none of `names`. */
static bool know_keys(lua_State *L, int table, const char *what, const char *const *names,
                      struct draft *draft)
{
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        limits_charge(L, 1);
        if (is_known(L, -2, names))
            continue;
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : luaL_typename(L, -2);
        const char *nearest = units_nearest(name, names);
        if (nearest)
            lua_pushfstring(L, "%s: unknown key '%s', did you mean '%s'?", what, name, nearest);
        else
            lua_pushfstring(L, "%s: unknown key '%s'", what, name);
        return unusable(L, draft);
    }
    return true;
}

/* Pushes the table's value of that name; its stack index, or 0 (and nothing pushed) if there is none. */
static int field(lua_State *L, int table, const char *name)
{
    lua_pushstring(L, name);
    if (lua_rawget(L, table) != LUA_TNIL)
        return lua_gettop(L);
    lua_pop(L, 1);
    return 0;
}

/* Of what a hook has no use for: says so rather than ignore it. */
static bool only_in(lua_State *L, enum script_hook hook, const char *name, struct draft *draft)
{
    const struct script_call *call = script_of(L)->running;
    if (call->hook == hook || call->loading)
        return true;
    lua_pushfstring(L, "lb.allow: %s is for %s", name, load_hook_names[hook]);
    return unusable(L, draft);
}

static bool take_status(lua_State *L, int value, const char *what, int least, struct draft *draft)
{
    int whole = 0;
    lua_Integer status = lua_type(L, value) == LUA_TNUMBER ? lua_tointegerx(L, value, &whole) : 0;
    if (!whole || status < least || status > 599) {
        lua_pushfstring(L, "%s: the status is a whole number from %d to 599", what, least);
        return unusable(L, draft);
    }
    draft->status = (unsigned)status;
    return true;
}

static bool take_headers(lua_State *L, int value, const char *what, bool lists, struct draft *draft)
{
    return verdict_take_headers(L, value, what, lists, &draft->headers) || unusable(L, draft);
}

static bool take_log(lua_State *L, int value, struct draft *draft)
{
    return verdict_take_log(L, value, draft) || unusable(L, draft);
}

/* --- lb.allow --- */

static bool take_backend(lua_State *L, int value, struct draft *draft)
{
    const struct script_host *host = &script_of(L)->host;
    struct slice name;
    if (!is_text(L, value, &name)) {
        lua_pushfstring(L, "lb.allow: backend is a %s, expected a text", luaL_typename(L, value));
        return unusable(L, draft);
    }
    bool fits = name.len > 0 && name.len < SCRIPT_BACKEND_MAX && memchr(name.data, '\0', name.len) == NULL;
    if (!fits || !host->has_backend || !host->has_backend(host->context, name)) {
        lua_pushfstring(L, "lb.allow: there is no backend '%s'", name.data);
        return unusable(L, draft);
    }
    draft->parts[PART_BACKEND] = name;
    return true;
}

/* After take_backend: of the backend that was chosen, empty for the route's own. */
static bool take_server(lua_State *L, int value, struct draft *draft)
{
    const struct script_host *host = &script_of(L)->host;
    struct slice backend = draft->parts[PART_BACKEND], name;
    if (!is_text(L, value, &name)) {
        lua_pushfstring(L, "lb.allow: server is a %s, expected a text", luaL_typename(L, value));
        return unusable(L, draft);
    }
    bool fits = name.len > 0 && name.len < SCRIPT_BACKEND_MAX && memchr(name.data, '\0', name.len) == NULL;
    if (!fits || !host->has_server || !host->has_server(host->context, backend, name)) {
        lua_pushfstring(L, "lb.allow: there is no server '%s' in the backend%s%s", name.data,
                        backend.len > 0 ? " " : "", backend.data);
        return unusable(L, draft);
    }
    draft->parts[PART_SERVER] = name;
    return true;
}

/* Printable ASCII without blanks. */
static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] <= 0x20 || (unsigned char)text.data[i] > 0x7E)
            return false;
    return true;
}

/* origin-form of RFC 9112, section 3.2.1. */
static bool take_path(lua_State *L, int value, struct draft *draft)
{
    struct slice path;
    if (!is_text(L, value, &path) || path.len == 0 || path.data[0] != '/' || !is_plain(path) ||
        memchr(path.data, '#', path.len)) {
        lua_pushliteral(L,
                        "lb.allow: path begins with '/' and has neither blanks, controls, '#' nor bytes over "
                        "0x7E");
        return unusable(L, draft);
    }
    draft->parts[PART_PATH] = path;
    return only_in(L, HOOK_REQUEST, "path", draft);
}

static bool take_allow(lua_State *L, struct draft *draft)
{
    static const char *const names[] = {"backend", "server", "headers", "path", "log", NULL};
    int at;
    if (!know_keys(L, 1, "lb.allow", names, draft))
        return false;
    if ((at = field(L, 1, "backend")) && !take_backend(L, at, draft))
        return false;
    if ((at = field(L, 1, "server")) && !take_server(L, at, draft))
        return false;
    if ((at = field(L, 1, "headers")) && !take_headers(L, at, "lb.allow", false, draft))
        return false;
    if ((at = field(L, 1, "path")) && !take_path(L, at, draft))
        return false;
    return !(at = field(L, 1, "log")) || take_log(L, at, draft);
}

int verdict_allow(lua_State *L)
{
    struct draft draft;
    draft_init(&draft, ANSWER_ALLOW, 0);
    if (lua_gettop(L) == 0)
        return push_verdict(L, &draft);
    if (lua_gettop(L) == 1 && lua_istable(L, 1)) {
        take_allow(L, &draft);
    } else {
        lua_pushliteral(L, "lb.allow takes nothing, or one table { backend = …, log = … }");
        unusable(L, &draft);
    }
    return push_verdict(L, &draft);
}

/* --- lb.deny --- */

static bool take_denial(lua_State *L, struct draft *draft)
{
    static const char *const names[] = {"status", "log", NULL};
    int at;
    if (lua_type(L, 2) == LUA_TNUMBER)
        return take_status(L, 2, "lb.deny", 400, draft);
    if (!know_keys(L, 2, "lb.deny", names, draft))
        return false;
    if ((at = field(L, 2, "status")) && !take_status(L, at, "lb.deny", 400, draft))
        return false;
    return !(at = field(L, 2, "log")) || take_log(L, at, draft);
}

int verdict_deny(lua_State *L)
{
    struct draft draft;
    struct text text;
    struct slice reason;
    int args = lua_gettop(L), type = lua_type(L, 2);
    draft_init(&draft, ANSWER_DENY, STATUS_FORBIDDEN);
    bool good = args >= 1 && args <= 2 && is_text(L, 1, &reason) &&
                (args == 1 || type == LUA_TTABLE || type == LUA_TNUMBER);
    if (!good) {
        lua_pushliteral(L, "lb.deny takes the reason as a text, and optionally a status or a table "
                           "{ status = …, log = … }");
        unusable(L, &draft);
        return push_verdict(L, &draft);
    }
    text_init(&text, draft.text, sizeof(draft.text));
    text_clean(&text, reason);
    draft.parts[PART_TEXT] = slice_make(draft.text, text.len);
    if (args == 2)
        take_denial(L, &draft);
    return push_verdict(L, &draft);
}

/* --- lb.redirect --- */

static bool begins(struct slice text, const char *with)
{
    return text.len > strlen(with) && memcmp(text.data, with, strlen(with)) == 0;
}

/* "//host" and "/\host", which browsers read as another host, are no paths. */
static bool is_url(struct slice url)
{
    bool path =
        url.len > 0 && url.data[0] == '/' && (url.len == 1 || (url.data[1] != '/' && url.data[1] != '\\'));
    return is_plain(url) && (path || begins(url, "http://") || begins(url, "https://"));
}

static bool take_redirect_status(lua_State *L, int value, struct draft *draft)
{
    static const lua_Number known[] = {301, 302, 303, 307, 308};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (lua_type(L, value) == LUA_TNUMBER && lua_tonumber(L, value) == known[i]) {
            draft->status = (unsigned)known[i];
            return true;
        }
    lua_pushliteral(L, "lb.redirect: the status is 301, 302, 303, 307 or 308");
    return unusable(L, draft);
}

/* Through a table, so that there is one way for headers into a verdict. */
static bool take_location(lua_State *L, struct draft *draft)
{
    lua_settop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, 1);
    lua_setfield(L, 2, "location");
    return take_headers(L, 2, "lb.redirect", false, draft);
}

int verdict_redirect(lua_State *L)
{
    struct draft draft;
    struct slice url;
    int args = lua_gettop(L);
    draft_init(&draft, ANSWER_REPLY, STATUS_FOUND);
    bool good = args >= 1 && args <= 2 && is_text(L, 1, &url) && is_url(url);
    if (!good) {
        lua_pushliteral(
            L, "lb.redirect takes a URL that begins with http://, https:// or one '/', without blanks "
               "and controls, and optionally a status");
        unusable(L, &draft);
    } else if (args == 1 || take_redirect_status(L, 2, &draft)) {
        take_location(L, &draft);
    }
    return push_verdict(L, &draft);
}

/* --- lb.respond --- */

/* RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5. */
static bool may_have_body(unsigned status)
{
    return status != 204 && status != 205 && status != 304;
}

static bool take_body(lua_State *L, int value, struct draft *draft)
{
    if (!is_text(L, value, &draft->parts[PART_BODY])) {
        lua_pushfstring(L, "lb.respond: body is a %s, expected a text", luaL_typename(L, value));
        return unusable(L, draft);
    }
    if (draft->parts[PART_BODY].len == 0 || may_have_body(draft->status))
        return true;
    lua_pushfstring(L, "lb.respond: a response with status %d has no body", (int)draft->status);
    return unusable(L, draft);
}

static bool take_response(lua_State *L, struct draft *draft)
{
    static const char *const names[] = {"status", "headers", "body", NULL};
    int at;
    if (!know_keys(L, 1, "lb.respond", names, draft))
        return false;
    if ((at = field(L, 1, "status")) && !take_status(L, at, "lb.respond", 200, draft))
        return false;
    if ((at = field(L, 1, "headers")) && !take_headers(L, at, "lb.respond", true, draft))
        return false;
    return !(at = field(L, 1, "body")) || take_body(L, at, draft);
}

int verdict_respond(lua_State *L)
{
    struct draft draft;
    draft_init(&draft, ANSWER_REPLY, STATUS_OK);
    if (lua_gettop(L) == 1 && lua_istable(L, 1)) {
        take_response(L, &draft);
    } else {
        lua_pushliteral(L, "lb.respond takes one table { status = …, headers = …, body = … }");
        unusable(L, &draft);
    }
    return push_verdict(L, &draft);
}
