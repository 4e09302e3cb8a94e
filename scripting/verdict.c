/* What a hook answers: lb.allow, lb.deny, lb.redirect, lb.respond, true, false; anything else denies. */
#include <stdio.h>
#include <stdlib.h>

#include "scripting/verdict.h"

#define STATUS_FAILED    500
#define STATUS_FORBIDDEN 403

/* --- refusing --- */

static const char *expected(enum script_hook hook)
{
    switch (hook) {
    case HOOK_AUTHORIZE: return "return true, false and a reason, lb.allow{…} or lb.deny(reason)";
    case HOOK_REQUEST:
        return "return true, false and a reason, lb.allow{…}, lb.deny(reason), lb.redirect(url) or "
               "lb.respond{…}";
    default: return "return nothing, true, false and a reason, lb.deny(reason) or lb.respond{…}";
    }
}

static void fail(struct script_outcome *out, enum reason reason, struct text *text)
{
    text_init(text, out->text, sizeof(out->text));
    out->verdict = SCRIPT_DENY;
    out->reason = reason;
    out->status = STATUS_FAILED;
    out->backend[0] = '\0';
}

static void refuse(const struct script_call *call, struct script_outcome *out, const char *got)
{
    struct text text;
    fail(out, REASON_SCRIPT_RESULT, &text);
    text_addf(&text, "%s: %s returned %s: %s", call->script->path, load_hook_names[call->hook], got,
              expected(call->hook));
}

/* --- verdicts --- */

static void copy(char *out, size_t size, struct slice bytes)
{
    struct text text;
    text_init(&text, out, size);
    text_add(&text, bytes);
}

static struct slice append(char **at, struct slice bytes)
{
    struct slice copied = slice_make(*at, bytes.len);
    if (bytes.len > 0)
        memcpy(*at, bytes.data, bytes.len);
    *at += bytes.len;
    return copied;
}

/* on_request has its headers carried out; what others ask for, the caller does. */
static bool keeps_headers(const struct script_call *call, const struct verdict *verdict)
{
    if (verdict->answer == ANSWER_REPLY)
        return true;
    return verdict->answer == ANSWER_ALLOW && call->hook == HOOK_AUTHORIZE && call->script->http;
}

static bool make_extra(const struct script_call *call, const struct verdict *verdict,
                       struct script_outcome *out)
{
    struct slice server = verdict_part(verdict, PART_SERVER), path = verdict_part(verdict, PART_PATH),
                 body = verdict_part(verdict, PART_BODY), headers = {"", 0};
    if (keeps_headers(call, verdict))
        headers = verdict_part(verdict, PART_HEADERS);
    if (verdict->answer != ANSWER_REPLY && server.len + path.len + headers.len == 0)
        return true;
    out->extra = malloc(sizeof(*out->extra) + server.len + path.len + headers.len + body.len);
    if (!out->extra)
        return false;
    char *at = (char *)(out->extra + 1);
    out->extra->server = append(&at, server);
    out->extra->path = append(&at, path);
    out->extra->headers = append(&at, headers);
    out->extra->body = append(&at, body);
    return true;
}

/* False after denying: a request that lacks a header which its server trusts must not reach it. */
static bool set_headers(const struct script_call *call, const struct verdict *verdict,
                        struct script_outcome *out)
{
    const struct script_message *message = &call->request.message;
    struct slice rest = verdict_part(verdict, PART_HEADERS), name, value;
    struct text text;
    while (verdict_next_header(&rest, &name, &value)) {
        const char *why = message->ops->set(message->message, name, value);
        if (!why)
            continue;
        fail(out, REASON_SCRIPT_RESULT, &text);
        text_addf(&text, "%s: lb.allow: the header '%.*s': %s", call->script->path, (int)name.len, name.data,
                  why);
        return false;
    }
    return true;
}

static void read_allow(const struct script_call *call, const struct verdict *verdict,
                       struct script_outcome *out)
{
    struct text text;
    if (call->hook == HOOK_REQUEST && !set_headers(call, verdict, out))
        return;
    if (!make_extra(call, verdict, out)) {
        fail(out, REASON_SCRIPT_MEMORY, &text);
        text_adds(&text, "out of memory");
        return;
    }
    out->verdict = verdict->answer == ANSWER_REPLY ? SCRIPT_REPLY : SCRIPT_ALLOW;
    out->reason = REASON_NONE;
    out->status = verdict->status;
    copy(out->backend, sizeof(out->backend), verdict_part(verdict, PART_BACKEND));
}

static void read_deny(const struct verdict *verdict, struct script_outcome *out)
{
    bool meant = verdict->answer == ANSWER_DENY;
    out->verdict = SCRIPT_DENY;
    out->reason = meant ? REASON_DENIED : REASON_SCRIPT_RESULT;
    out->status = meant ? verdict->status : STATUS_FAILED;
    copy(out->text, sizeof(out->text), verdict_part(verdict, PART_TEXT));
}

static void read_verdict(const struct script_call *call, const struct verdict *verdict,
                         struct script_outcome *out)
{
    if (verdict->serial != call->serial) {
        refuse(call, out, "a verdict that another call has made");
        return;
    }
    if (verdict->answer == ANSWER_REPLY && call->hook == HOOK_AUTHORIZE) {
        refuse(call, out, "a reply, but there is no request yet");
        return;
    }
    if (verdict->answer == ANSWER_ALLOW && call->hook == HOOK_RESPONSE) {
        refuse(call, out, "lb.allow");
        return;
    }
    copy(out->log, sizeof(out->log), verdict_part(verdict, PART_LOG));
    if (verdict->answer == ANSWER_ALLOW || verdict->answer == ANSWER_REPLY)
        read_allow(call, verdict, out);
    else
        read_deny(verdict, out);
}

/* --- anything else --- */

static void read_reason(lua_State *co, int at, struct script_outcome *out)
{
    struct text text;
    size_t len;
    const char *reason = lua_tolstring(co, at, &len);
    text_init(&text, out->text, sizeof(out->text));
    text_clean(&text, slice_make(reason, len));
}

static void read_other(const struct script_call *call, lua_State *co, int at, int results,
                       struct script_outcome *out)
{
    char got[160];
    int type = lua_type(co, at);
    if (results > 1)
        snprintf(got, sizeof(got), "%d values, the first a %s", results, lua_typename(co, type));
    else if (results == 0)
        snprintf(got, sizeof(got), "nothing");
    else if (type == LUA_TNUMBER)
        snprintf(got, sizeof(got), "the number %.14g", lua_tonumber(co, at));
    else if (type == LUA_TSTRING)
        snprintf(got, sizeof(got), "the text \"%.60s\"", lua_tostring(co, at));
    else
        snprintf(got, sizeof(got), "%s%s", type == LUA_TNIL ? "" : "a ", lua_typename(co, type));
    for (char *c = got; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = '?';
    refuse(call, out, got);
}

static void pass(const struct script_call *call, struct script_outcome *out)
{
    out->verdict = SCRIPT_ALLOW;
    out->reason = REASON_NONE;
    out->status = call->response.status;
}

/* `true` or `false`, alone or with a reason: `return condition, "why not"` is how both are written in one
 * line. */
static void read_boolean(const struct script_call *call, lua_State *co, int at, int results,
                         struct script_outcome *out)
{
    int reason = results == 2 ? lua_type(co, at + 1) : LUA_TNIL;
    if (reason != LUA_TSTRING && reason != LUA_TNIL) {
        refuse(call, out, "a reason that is no text");
    } else if (lua_toboolean(co, at)) {
        pass(call, out);
    } else {
        out->verdict = SCRIPT_DENY;
        out->reason = REASON_DENIED;
        out->status = STATUS_FORBIDDEN;
        if (reason == LUA_TSTRING)
            read_reason(co, at + 1, out);
    }
}

void verdict_read(struct script_call *call, int results, struct script_outcome *out)
{
    lua_State *co = call->thread;
    int first = lua_gettop(co) - results + 1;
    if (!lua_checkstack(co, 1)) {
        refuse(call, out, "more values than there is room for");
        return;
    }
    const struct verdict *verdict = results == 1 ? userdata_is(co, first, KIND_VERDICT) : NULL;
    if (verdict)
        read_verdict(call, verdict, out);
    else if ((results == 1 || results == 2) && lua_isboolean(co, first))
        read_boolean(call, co, first, results, out);
    else if (results == 0 && call->hook == HOOK_RESPONSE)
        pass(call, out);
    else
        read_other(call, co, first, results, out);
}
