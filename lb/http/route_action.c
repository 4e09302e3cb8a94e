#include <stdlib.h>

#include "lb/base/memory.h"
#include "lb/base/units.h"
#include "lb/http/route_parts.h"

#define SHOWN(slice) (int)((slice).len < 80 ? (slice).len : 80), (slice).data
#define NAME_LONGEST 48

static bool is_backend_name(struct slice name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    for (size_t i = 0; i < name.len; i++)
        if (!strchr(letters, name.data[i]))
            return false;
    return name.len > 0 && name.len <= NAME_LONGEST;
}

/* "301" and what follows; 0: there are no three digits. */
static unsigned read_status(struct slice text, struct slice *rest)
{
    unsigned status = 0;
    for (size_t i = 0; i < 3; i++) {
        if (i == text.len || text.data[i] < '0' || text.data[i] > '9')
            return 0;
        status = status * 10 + (unsigned)(text.data[i] - '0');
    }
    *rest = slice_make(text.data + 3, text.len - 3);
    return status;
}

static bool only_blanks(const char *text)
{
    return route_word(&text).len == 0;
}

/* ---- redirect ---- */

static bool is_redirect(unsigned status)
{
    return (status >= 301 && status <= 303) || status == 307 || status == 308;
}

static bool check_placeholders(struct slice url, const char **why)
{
    struct slice left = url, rest;
    while (left.len > 0) {
        bool known = route_after(left, "{host}", &rest) || route_after(left, "{path}", &rest) ||
                     route_after(left, "{query}", &rest);
        if (!known && (left.data[0] == '{' || left.data[0] == '}'))
            return route_refuse(
                why,
                "redirect=: braces stand around host, path or query only: write {host}, {path}, {query}");
        left = known ? rest : slice_make(left.data + 1, left.len - 1);
    }
    return true;
}

static bool check_url_bytes(struct slice url, const char **why)
{
    for (size_t i = 0; i < url.len; i++)
        if (url.data[i] <= ' ' || url.data[i] > 0x7E || strchr("\"<>\\^`|", url.data[i]))
            return route_refuse(why, "redirect=: a URL holds no '%c': write it percent-encoded",
                                url.data[i] > ' ' && url.data[i] < 0x7F ? url.data[i] : '?');
    return true;
}

/* A Location that begins with two slashes names another host (RFC 3986 section 4.2), and a path of the client
 * could be that host. */
static bool check_url_start(struct slice url, const char **why)
{
    struct slice rest;
    if (route_after(url, "//", &rest) || route_after(url, "/{path}", &rest))
        return route_refuse(why, "redirect=: '%.*s' would name a host after \"//\": write https://HOST{path}",
                            SHOWN(url));
    bool absolute = route_after(url, "http://", &rest) || route_after(url, "https://", &rest);
    if (absolute && (rest.len == 0 || strchr("/?#:", rest.data[0])))
        return route_refuse(why, "redirect=: '%.*s' names no host", SHOWN(url));
    if (absolute && (route_after(rest, "{path}", &rest) || route_after(rest, "{query}", &rest)))
        return route_refuse(why, "redirect=: the host of '%.*s' would be the client's choice", SHOWN(url));
    if (!absolute && url.data[0] != '/')
        return route_refuse(why, "redirect=: '%.*s' begins neither with http:// or https:// nor with '/'",
                            SHOWN(url));
    return true;
}

static bool read_redirect(struct slice value, const char *after, struct route *out, const char **why)
{
    struct slice rest, url;
    unsigned status = read_status(value, &rest);
    if (!is_redirect(status) || !route_after(rest, ":", &url) || url.len == 0)
        return route_refuse(why, "redirect=%.*s: write redirect=STATUS:URL with 301, 302, 303, 307 or 308",
                            SHOWN(value));
    if (!only_blanks(after))
        return route_refuse(why, "redirect=: nothing may follow the URL, which has no blanks");
    if (!check_url_bytes(url, why) || !check_url_start(url, why) || !check_placeholders(url, why))
        return false;
    out->action = ROUTE_REDIRECT;
    out->status = status;
    out->text = mem_copy_n(url.data, url.len);
    return true;
}

/* ---- respond ---- */

static char unescaped(char letter)
{
    switch (letter) {
    case 'n': return '\n';
    case 't': return '\t';
    case ';': return ';';
    case '\\': return '\\';
    default: return '\0';
    }
}

static char *unescape(const char *text)
{
    char *copy = mem_copy(text), *out = copy;
    for (const char *at = text; *at; at++) {
        char byte = *at == '\\' ? unescaped(*++at) : *at;
        if (byte == '\0') {
            free(copy);
            return NULL;
        }
        *out++ = byte;
    }
    *out = '\0';
    return copy;
}

/* RFC 9110 section 6.4.1: these have no content. */
static bool without_body(unsigned status)
{
    return status == 204 || status == 205 || status == 304;
}

/* `text` goes on to the end of the line, beyond the word. */
static bool read_respond(const char *text, struct route *out, const char **why)
{
    struct slice rest = slice_of(text), body = {0};
    unsigned status = read_status(rest, &rest);
    if (status < 200 || status > 599)
        return route_refuse(why, "respond=: write a status from 200 to 599: respond=404 or respond=404:TEXT");
    bool has_text = route_after(rest, ":", &body);
    if (!has_text && !only_blanks(rest.data))
        return route_refuse(why, "respond=: after the status stands ':' and a text: respond=%u:TEXT", status);
    if (body.len > 0 && without_body(status))
        return route_refuse(why, "respond=%u: an answer of this status has no body: write it without a text",
                            status);
    char *unescaped_text = has_text ? unescape(body.data) : mem_copy("");
    if (!unescaped_text)
        return route_refuse(why, "respond=: after '\\' stands n, t, ';' or another '\\'");
    out->action = ROUTE_RESPOND;
    out->status = status;
    out->text = unescaped_text;
    return true;
}

/* ---- backend ---- */

static bool unknown_action(struct slice word, const char **why)
{
    static const char *const names[] = {"redirect", "respond", NULL};
    static const char *const conditions[] = {"host", "path", "method", "header", "certificate", NULL};
    char *name = mem_copy_n(word.data, strcspn(word.data, "=~: \t"));
    const char *near = units_nearest(name, names), *condition = units_nearest(name, conditions);
    if (near)
        route_refuse(why, "unknown word '%.60s': did you mean '%s='?", name, near);
    else if (condition)
        route_refuse(why, "'%.60s' stands after '->': write conditions before it", name);
    else
        route_refuse(
            why, "'%.*s' is no backend's name: write 1 to 48 of A-Z a-z 0-9 _ . -, or redirect=, respond=",
            SHOWN(word));
    free(name);
    return false;
}

static bool read_rewrite(struct slice value, struct route *out, const char **why)
{
    if (!out->path || out->exact)
        return route_refuse(why,
                            "rewrite= replaces a prefix: write path=/PREFIX as a condition of this route");
    return route_normal_path(value, &out->rewrite, why);
}

static bool read_backend(struct slice name, const char *after, struct route *out, const char **why)
{
    struct slice value;
    if (route_after(name, "rewrite=", &value))
        return route_refuse(why, "write the backend before rewrite=: -> BACKEND rewrite=/PREFIX");
    if (!is_backend_name(name))
        return unknown_action(name, why);
    out->action = ROUTE_BACKEND;
    out->backend_name = mem_copy_n(name.data, name.len);
    struct slice word = route_word(&after);
    if (word.len == 0)
        return true;
    if (!route_after(word, "rewrite=", &value))
        return route_refuse(why, "'%.*s': after the backend stands nothing but rewrite=/PREFIX", SHOWN(word));
    if (!read_rewrite(value, out, why))
        return false;
    return only_blanks(after) || route_refuse(why, "nothing may follow rewrite=/PREFIX");
}

bool route_read_action(const char *text, struct route *out, const char **why)
{
    struct slice word = route_word(&text), value;
    if (word.len == 0)
        return route_refuse(why, "nothing stands after '->': write a backend, redirect= or respond=");
    if (route_after(word, "redirect=", &value))
        return read_redirect(value, text, out, why);
    if (route_after(word, "respond=", &value))
        return read_respond(value.data, out, why);
    return read_backend(word, text, out, why);
}
