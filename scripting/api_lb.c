/* `lb` in Lua. */
#include <math.h>

#include "lb/base/clock.h"
#include "lb/base/log.h"
#include "scripting/internal.h"

#define LOG_LINES_MAX 100 /* of one hook */
#define LOG_TEXT_MAX  2048

/* --- log --- */

static void log_line_of(lua_State *L, int level, struct slice text)
{
    struct script *script = script_of(L);
    struct script_call *call = script->running;
    if (!script->host.log || call->logged > LOG_LINES_MAX)
        return;
    if (call->logged++ == LOG_LINES_MAX)
        text = SLICE_LITERAL("(the script logs too much: further lines of this hook are left out)");
    script->host.log(script->host.context, level, text);
}

/* All arguments as texts with blanks between, as print does; controls become '?'. */
static int log_arguments(lua_State *L, int level)
{
    char bytes[LOG_TEXT_MAX];
    struct text text;
    int args = lua_gettop(L);
    text_init(&text, bytes, sizeof(bytes));
    for (int i = 1; i <= args; i++) {
        size_t len;
        const char *value = luaL_tolstring(L, i, &len);
        if (i > 1)
            text_addc(&text, ' ');
        text_clean(&text, slice_make(value, len));
        lua_pop(L, 1);
    }
    log_line_of(L, level, slice_make(bytes, text.len));
    limits_charge(L, 100 + 20 * (size_t)args);
    return 0;
}

static int log_debug(lua_State *L)
{
    return log_arguments(L, LOG_DEBUG);
}

int api_lb_print(lua_State *L)
{
    return log_arguments(L, LOG_INFO);
}

static int log_warning(lua_State *L)
{
    return log_arguments(L, LOG_WARNING);
}

static int log_error(lua_State *L)
{
    return log_arguments(L, LOG_ERROR);
}

/* --- time --- */

static int now(lua_State *L)
{
    const struct script_host *host = &script_of(L)->host;
    int64_t ms = host->now_ms ? host->now_ms(host->context) : clock_unix_ms();
    lua_pushnumber(L, (lua_Number)ms / 1000);
    return 1;
}

static int slept(lua_State *L, int status, lua_KContext context)
{
    (void)L;
    (void)status;
    (void)context;
    return 0;
}

static int sleep_for(lua_State *L)
{
    struct script *script = script_of(L);
    struct script_call *call = script->running;
    lua_Number seconds = luaL_checknumber(L, 1);
    if (!(seconds >= 0) || isinf(seconds))
        return luaL_error(L, "lb.sleep takes seconds from 0 on");
    if (call->loading)
        return luaL_error(L, "lb.sleep waits in hooks only, not while the script is loaded");
    if (!lua_isyieldable(L))
        return luaL_error(L, "lb.sleep " SCRIPT_NO_WAIT);
    if (seconds > 86400)
        seconds = 86400; /* beyond any script-timeout */
    call->wake = clock_us() + (uint64_t)(seconds * 1e6);
    script->host_yield = true;
    return lua_yieldk(L, 0, 0, slept);
}

/* --- encodings --- */

static int sha256(lua_State *L)
{
    const struct script_host *host = &script_of(L)->host;
    size_t len;
    const char *bytes = luaL_checklstring(L, 1, &len);
    unsigned char digest[32];
    char hex[65];
    struct text text;
    if (!host->sha256)
        return luaL_error(L, "lb.sha256 is not available here");
    limits_charge(L, 50 + len / 4);
    host->sha256(slice_make(bytes, len), digest);
    text_init(&text, hex, sizeof(hex));
    text_hex(&text, digest, sizeof(digest), false);
    lua_pushlstring(L, hex, 64);
    return 1;
}

static const char base64_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode_group(const unsigned char *in, size_t len, char *out)
{
    unsigned bits = (unsigned)in[0] << 16 | (len > 1 ? (unsigned)in[1] << 8 : 0) | (len > 2 ? in[2] : 0u);
    out[0] = base64_letters[bits >> 18];
    out[1] = base64_letters[bits >> 12 & 63];
    out[2] = len > 1 ? base64_letters[bits >> 6 & 63] : '=';
    out[3] = len > 2 ? base64_letters[bits & 63] : '=';
}

static int base64_encode(lua_State *L)
{
    size_t len;
    const unsigned char *in = (const unsigned char *)luaL_checklstring(L, 1, &len);
    luaL_Buffer buffer;
    limits_charge(L, len / 4);
    size_t size = (len + 2) / 3 * 4;
    char *out = luaL_buffinitsize(L, &buffer, size);
    for (size_t i = 0; i < len; i += 3, out += 4)
        encode_group(in + i, len - i, out);
    luaL_pushresultsize(&buffer, size);
    return 1;
}

static int base64_value(char c)
{
    const char *at = c ? strchr(base64_letters, c) : NULL;
    return at ? (int)(at - base64_letters) : -1;
}

/* Four letters to up to three bytes (RFC 4648, section 4, strict); the count, or 0 if they are none. */
static size_t decode_group(const char *in, bool last, char *out)
{
    size_t pads = last ? (in[3] == '=') + (size_t)(in[3] == '=' && in[2] == '=') : 0;
    unsigned bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i >= 4 - pads ? 0 : base64_value(in[i]);
        if (value < 0)
            return 0;
        bits = bits << 6 | (unsigned)value;
    }
    if ((pads == 1 && (bits & 0xFF)) || (pads == 2 && (bits & 0xFFFF)))
        return 0;
    out[0] = (char)(bits >> 16);
    out[1] = (char)(bits >> 8);
    out[2] = (char)bits;
    return 3 - pads;
}

/* nil for what is no base64. */
static int base64_decode(lua_State *L)
{
    size_t len, size = 0;
    const char *in = luaL_checklstring(L, 1, &len);
    luaL_Buffer buffer;
    limits_charge(L, len / 2);
    char *out = luaL_buffinitsize(L, &buffer, len / 4 * 3 + 3);
    for (size_t i = 0; i + 4 <= len; i += 4) {
        size_t got = decode_group(in + i, i + 4 == len, out + size);
        if (got == 0)
            len = 1; /* ends the loop, and is no multiple of four */
        size += got;
    }
    luaL_pushresultsize(&buffer, size);
    if (len % 4 != 0)
        lua_pushnil(L);
    return 1;
}

/* --- the module --- */

static void push_log(lua_State *L)
{
    static const luaL_Reg functions[] = {{"debug", log_debug},
                                         {"info", api_lb_print},
                                         {"warning", log_warning},
                                         {"error", log_error},
                                         {NULL, NULL}};
    luaL_newlib(L, functions);
    userdata_module(L, "lb.log");
}

static void push_base64(lua_State *L)
{
    static const luaL_Reg functions[] = {{"encode", base64_encode}, {"decode", base64_decode}, {NULL, NULL}};
    luaL_newlib(L, functions);
    userdata_module(L, "lb.base64");
}

void api_lb_open(lua_State *L, const struct script_settings *settings)
{
    static const luaL_Reg functions[] = {{"allow", verdict_allow},
                                         {"deny", verdict_deny},
                                         {"redirect", verdict_redirect},
                                         {"respond", verdict_respond},
                                         {"now", now},
                                         {"sleep", sleep_for},
                                         {"rate_limit", api_rate_limit},
                                         {"sha256", sha256},
                                         {"option", options_default},
                                         {NULL, NULL}};
    const char *version = script_of(L)->host.version;
    userdata_kind(L, KIND_VERDICT, NULL, NULL, NULL);
    luaL_newlib(L, functions);
    push_log(L);
    lua_setfield(L, -2, "log");
    push_base64(L);
    lua_setfield(L, -2, "base64");
    options_open(L, settings);
    lua_setfield(L, -2, "options");
    lua_pushstring(L, version ? version : "");
    lua_setfield(L, -2, "version");
    userdata_module(L, "lb");
    lua_setglobal(L, "lb");
}
