/* `certificate` in Lua. */
#include <string.h>

#include "scripting/facts_in.h"

#define WHAT "certificate"

/* How a field gets its value. */
enum form {
    FORM_TEXT,
    FORM_NUMBER,
    FORM_LIST,
    FORM_SUBJECT,
    FORM_ISSUER,
    FORM_SAN,
    FORM_KEY,
    FORM_ANCHOR,
    FORM_EXTENSION
};

struct field {
    enum form form;
    enum script_field fact;
    int slot; /* user value that keeps it, 0: not kept */
};

enum certificate_name {
    CERT_SUBJECT,
    CERT_ISSUER,
    CERT_SERIAL,
    CERT_NOT_BEFORE,
    CERT_NOT_AFTER,
    CERT_SAN,
    CERT_KEY,
    CERT_KEY_USAGE,
    CERT_EXTENDED_KEY_USAGE,
    CERT_POLICIES,
    CERT_SHA256,
    CERT_SHA1,
    CERT_SPKI_SHA256,
    CERT_PEM,
    CERT_DER,
    CERT_SPIFFE_ID,
    CERT_ANCHOR,
    CERT_EXTENSION,
    CERT_NAMES
};

static const char *const names[] = {[CERT_SUBJECT] = "subject",
                                    [CERT_ISSUER] = "issuer",
                                    [CERT_SERIAL] = "serial",
                                    [CERT_NOT_BEFORE] = "not_before",
                                    [CERT_NOT_AFTER] = "not_after",
                                    [CERT_SAN] = "san",
                                    [CERT_KEY] = "key",
                                    [CERT_KEY_USAGE] = "key_usage",
                                    [CERT_EXTENDED_KEY_USAGE] = "extended_key_usage",
                                    [CERT_POLICIES] = "policies",
                                    [CERT_SHA256] = "sha256",
                                    [CERT_SHA1] = "sha1",
                                    [CERT_SPKI_SHA256] = "spki_sha256",
                                    [CERT_PEM] = "pem",
                                    [CERT_DER] = "der",
                                    [CERT_SPIFFE_ID] = "spiffe_id",
                                    [CERT_ANCHOR] = "anchor",
                                    [CERT_EXTENSION] = "extension",
                                    [CERT_NAMES] = NULL};

static const struct field fields[] = {[CERT_SUBJECT] = {FORM_SUBJECT, FIELD_SUBJECT_TEXT, 1},
                                      [CERT_ISSUER] = {FORM_ISSUER, FIELD_ISSUER_TEXT, 2},
                                      [CERT_SERIAL] = {FORM_TEXT, FIELD_SERIAL, 0},
                                      [CERT_NOT_BEFORE] = {FORM_NUMBER, FIELD_NOT_BEFORE, 0},
                                      [CERT_NOT_AFTER] = {FORM_NUMBER, FIELD_NOT_AFTER, 0},
                                      [CERT_SAN] = {FORM_SAN, FIELD_SAN_DNS, 3},
                                      [CERT_KEY] = {FORM_KEY, FIELD_KEY_TYPE, 4},
                                      [CERT_KEY_USAGE] = {FORM_LIST, FIELD_KEY_USAGE, 5},
                                      [CERT_EXTENDED_KEY_USAGE] = {FORM_LIST, FIELD_EXTENDED_KEY_USAGE, 6},
                                      [CERT_POLICIES] = {FORM_LIST, FIELD_POLICIES, 7},
                                      [CERT_SHA256] = {FORM_TEXT, FIELD_SHA256, 0},
                                      [CERT_SHA1] = {FORM_TEXT, FIELD_SHA1, 0},
                                      [CERT_SPKI_SHA256] = {FORM_TEXT, FIELD_SPKI_SHA256, 0},
                                      [CERT_PEM] = {FORM_TEXT, FIELD_PEM, 0},
                                      [CERT_DER] = {FORM_TEXT, FIELD_DER, 0},
                                      [CERT_SPIFFE_ID] = {FORM_TEXT, FIELD_SPIFFE_ID, 0},
                                      [CERT_ANCHOR] = {FORM_ANCHOR, FIELD_SUBJECT_TEXT, 0},
                                      [CERT_EXTENSION] = {FORM_EXTENSION, FIELD_EXTENSION, 0}};

#define CERTIFICATE_SLOTS 7

static const struct slice no_key = {"", 0};

/* A view of the same certificate as `of`. */
static struct view *push_part(lua_State *L, enum kind kind, const struct view *of, int user_values)
{
    struct view *view = view_new(L, kind, of->call, user_values);
    view->index = of->index;
    view->chained = of->chained;
    return view;
}

/* --- subject and issuer --- */

static const char *const attributes[] = {"CN",           "O",  "OU",  "C",   "ST", "L", "emailAddress",
                                         "serialNumber", "DC", "UID", "all", NULL};

static bool is_oid(const char *text)
{
    size_t arcs = 0;
    for (;; text++, arcs++) {
        size_t digits = strspn(text, "0123456789");
        text += digits;
        if (digits == 0 || *text != '.')
            return digits > 0 && *text == '\0' && arcs > 0;
    }
}

static const char *name_text(const struct view *view)
{
    return view->issuer ? "issuer" : "subject";
}

/* The attribute type at stack index 2; unknown ones raise. */
static struct slice attribute_type(lua_State *L, const struct view *view)
{
    struct slice type = {"", 0};
    char what[32];
    struct text text;
    if (lua_type(L, 2) == LUA_TSTRING)
        type.data = lua_tolstring(L, 2, &type.len);
    for (int i = 0; attributes[i]; i++)
        if (slice_is(type, attributes[i]))
            return type;
    if (strlen(type.data) == type.len && is_oid(type.data))
        return type;
    text_init(&text, what, sizeof(what));
    text_addf(&text, WHAT ".%s", name_text(view));
    userdata_unknown(L, 2, what, attributes);
}

static enum script_field attribute_fact(const struct view *view)
{
    return view->issuer ? FIELD_ISSUER_ATTRIBUTE : FIELD_SUBJECT_ATTRIBUTE;
}

/* subject:all("OU") */
static int name_all(lua_State *L)
{
    struct view *view = view_check(L, 1, KIND_NAME, "subject");
    struct slice type = attribute_type(L, view);
    view_read(L, view, name_text(view), type.data);
    facts_push_list(L, view, attribute_fact(view), type);
    return 1;
}

static int name_index(lua_State *L)
{
    struct view *view = view_check(L, 1, KIND_NAME, "subject");
    struct slice type = attribute_type(L, view);
    if (slice_is(type, "all")) {
        lua_pushcfunction(L, name_all);
        return 1;
    }
    view_read(L, view, name_text(view), type.data);
    facts_push_first(L, view, attribute_fact(view), type);
    return 1;
}

static int name_tostring(lua_State *L)
{
    struct view *view = view_check(L, 1, KIND_NAME, "subject");
    view_read(L, view, name_text(view), NULL);
    facts_push_first(L, view, view->issuer ? FIELD_ISSUER_TEXT : FIELD_SUBJECT_TEXT, no_key);
    if (lua_isnil(L, -1))
        lua_pushliteral(L, "");
    return 1;
}

/* --- san and key --- */

static const char *const san_names[] = {"dns", "email", "uri", "ip", NULL};
static const char *const key_names[] = {"type", "bits", NULL};

static int san_index(lua_State *L)
{
    static const enum script_field facts[] = {FIELD_SAN_DNS, FIELD_SAN_EMAIL, FIELD_SAN_URI, FIELD_SAN_IP};
    struct view *view = view_check(L, 1, KIND_SAN, WHAT ".san");
    int field = userdata_field(L, WHAT ".san", san_names);
    if (view_cached(L, field + 1))
        return 1;
    view_read(L, view, "san", san_names[field]);
    facts_push_list(L, view, facts[field], no_key);
    view_cache(L, field + 1);
    return 1;
}

static int key_index(lua_State *L)
{
    struct view *view = view_check(L, 1, KIND_KEY, WHAT ".key");
    int field = userdata_field(L, WHAT ".key", key_names);
    view_read(L, view, "key", key_names[field]);
    if (field == 0)
        facts_push_first(L, view, FIELD_KEY_TYPE, no_key);
    else
        facts_push_number(L, view, FIELD_KEY_BITS);
    return 1;
}

/* --- certificate --- */

/* certificate:extension("1.2.3") */
static int certificate_extension(lua_State *L)
{
    size_t len;
    struct view *view = view_check(L, 1, KIND_CERTIFICATE, WHAT);
    const char *oid = luaL_checklstring(L, 2, &len);
    if (strlen(oid) != len || !is_oid(oid))
        return luaL_error(L, "certificate:extension takes an OID in dotted form, as \"1.2.3.4\"");
    view_read(L, view, "extension", oid);
    facts_push_first(L, view, FIELD_EXTENSION, slice_make(oid, len));
    return 1;
}

static void push_anchor(lua_State *L, const struct view *view)
{
    struct view last = *view;
    last.index = (unsigned)view->call->conn.chain_len - 1;
    facts_push_first(L, &last, FIELD_SUBJECT_TEXT, no_key);
}

static void push_field(lua_State *L, const struct view *view, const struct field *field, const char *name)
{
    bool leaf = field->form <= FORM_LIST || field->form == FORM_ANCHOR;
    if (leaf)
        view_read(L, view, name, NULL);
    switch (field->form) {
    case FORM_TEXT: facts_push_first(L, view, field->fact, no_key); break;
    case FORM_NUMBER: facts_push_number(L, view, field->fact); break;
    case FORM_LIST: facts_push_list(L, view, field->fact, no_key); break;
    case FORM_ANCHOR: push_anchor(L, view); break;
    case FORM_SAN: push_part(L, KIND_SAN, view, 4); break;
    case FORM_KEY: push_part(L, KIND_KEY, view, 0); break;
    case FORM_EXTENSION: lua_pushcfunction(L, certificate_extension); break;
    default: push_part(L, KIND_NAME, view, 0)->issuer = field->form == FORM_ISSUER; break;
    }
}

static int certificate_index(lua_State *L)
{
    struct view *view = view_check(L, 1, KIND_CERTIFICATE, WHAT);
    int name = userdata_field(L, WHAT, names);
    const struct field *field = &fields[name];
    if (field->slot && view_cached(L, field->slot))
        return 1;
    push_field(L, view, field, names[name]);
    if (field->slot)
        view_cache(L, field->slot);
    return 1;
}

void api_certificate_push(lua_State *L, struct script_call *call, unsigned index, bool chained)
{
    struct view *view = view_new(L, KIND_CERTIFICATE, call, CERTIFICATE_SLOTS);
    view->index = index;
    view->chained = chained;
}

void api_certificate_open(lua_State *L)
{
    static const luaL_Reg name[] = {{"__tostring", name_tostring}, {NULL, NULL}};
    userdata_kind(L, KIND_CERTIFICATE, NULL, names, certificate_index);
    userdata_kind(L, KIND_NAME, name, NULL, name_index);
    userdata_kind(L, KIND_SAN, NULL, san_names, san_index);
    userdata_kind(L, KIND_KEY, NULL, key_names, key_index);
}
