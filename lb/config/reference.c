#include "lb/config/config.h"
#include "lb/config/values.h"
#include "lb/tls/context.h"

/* A cell of a Markdown table: a bar would end it. */
static void put_cell(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void put_default(const struct key *key, FILE *out)
{
    if (key->fallback && *key->fallback)
        fprintf(out, "`%s`", key->fallback);
    else
        fputs(key->fallback ? "empty" : "-", out);
}

static void put_row(const struct key *key, FILE *out)
{
    char form[512];
    value_form(key, form, sizeof(form));
    fprintf(out, "| `%s%s` | ", key->name, key->flags & KEY_PREFIX ? "NAME" : "");
    put_cell(out, form);
    fputs(" | ", out);
    put_default(key, out);
    fputs(" | ", out);
    put_cell(out, key->help);
    if (key->flags & KEY_REPEAT)
        fputs(" May be repeated.", out);
    if (key->flags & KEY_IN_DEFAULTS)
        fputs(" May stand in `[defaults]`.", out);
    if (key->flags & KEY_RESTART)
        fputs(" A change needs a restart.", out);
    fputs(" |\n", out);
}

/* The rows of a kind for which KEY_FOR_HTTP is as given. */
static void put_rows(enum section_kind kind, unsigned http, FILE *out)
{
    fputs("\n| key | value | default | meaning |\n|---|---|---|---|\n", out);
    for (const struct key *key = keys; key->name; key++)
        if (key->kind == kind && (key->flags & KEY_FOR_HTTP) == http)
            put_row(key, out);
}

static void put_section(enum section_kind kind, const char *intro, FILE *out)
{
    fprintf(out, "\n### %s\n\n%s\n", keys_heading(kind), intro);
    put_rows(kind, 0, out);
}

static void put_defaults(FILE *out)
{
    fprintf(out,
            "\n### %s\n\nOnce over all files; it holds for every listener and backend of all files that does "
            "not set the key "
            "itself.\nThe keys that may stand there:",
            keys_heading(SECTION_DEFAULTS));
    const char *before = " ";
    for (const struct key *key = keys; key->name; key++)
        if (key->flags & KEY_IN_DEFAULTS) {
            fprintf(out, "%s`%s`", before, key->name);
            before = ", ";
        }
    fputs(".\n", out);
}

static void put_policy(FILE *out)
{
    fprintf(
        out,
        "\n### %s\n\nWhat clients that ask for this host name meet instead of what their listener says, at "
        "every listener with\na certificate for it. NAME is a host name or a pattern `*.NAME`, for which "
        "exact names come first. What is\nnot set here is as in `[listener]`; with a `script` of its own, "
        "a name has options of its own. A request over\nHTTP whose host has other rules than the "
        "connection's is answered with 421. The keys that may stand there:",
        keys_heading(SECTION_CERTIFICATE));
    const char *before = " ";
    for (const struct key *key = keys; key->name; key++)
        if (key->flags & KEY_IN_CERTIFICATE) {
            fprintf(out, "%s`%s%s`", before, key->name, key->flags & KEY_PREFIX ? "NAME" : "");
            before = ", ";
        }
    fputs(".\n", out);
}

static void put_names(const char *what, const char *const *names, FILE *out)
{
    fprintf(out, "\n%s:", what);
    for (const char *before = " "; *names; names++, before = ", ")
        fprintf(out, "%s`%s`", before, *names);
    fputs(".\n", out);
}

static const char form_of_files[] =
    "A configuration is one or more INI files; those of a folder are read in the byte order of their names, "
    "`*.ini` only. A\n"
    "section stands in one place; its settings are `key = value`, one on each line of at most 199 bytes, "
    "beginning at the left "
    "edge.\n\n"
    "* **Names** of listeners and backends have 1 to 48 of `A-Z a-z 0-9 _ . -`.\n"
    "* **Comments** begin with `;` or `#` at the beginning of a line, or with a blank and `;` behind a "
    "value. A `#` behind a "
    "value belongs to the value. A value that itself needs a blank and `;` must come from the environment "
    "(the text of a route's `respond=` knows `\\;` too).\n"
    "* **Environment**: `${NAME}` is the variable's value, and an error when it is not set; "
    "`${NAME:-default}` takes the "
    "default when it is unset or empty; `$$` is a dollar sign.\n"
    "* **Units**: durations are `250ms`, `10s`, `5m`, `2h`, `1d`; sizes are bytes, or `64k`, `8m`, `1g`.\n"
    "* **Paths** that are relative begin at the working directory of lb.\n";

static const char routes[] =
    "\n#### Routes\n\n"
    "`route = [CONDITION...] -> ACTION`, words separated by blanks. All conditions of a route must hold; one "
    "without any takes every\nrequest. The first route of the listener that matches counts; what none takes "
    "goes "
    "to `backend`, or is answered with 404.\nHosts and paths are compared in one normal form, in which "
    "servers "
    "get them too.\n\n"
    "| condition | holds for |\n|---|---|\n"
    "| `host=NAME` | this host. `*.NAME`: any name below it |\n"
    "| `host~REGEX` | hosts in which the regular expression (PCRE2) is found |\n"
    "| `path=/PREFIX` | this path and what is below it: `/api` takes `/api` and `/api/x`, not `/apis` |\n"
    "| `path==/PATH` | this path only |\n"
    "| `path~REGEX` | paths in which the regular expression is found |\n"
    "| `method=GET,POST` | one of these methods |\n"
    "| `header=NAME`, `header=NAME:VALUE` | requests with this field, or with this value of it. May be "
    "repeated |\n"
    "| `certificate=present`, `certificate=none` | clients that have shown a certificate, or none |\n"
    "| `certificate=required` | all clients, but those without a certificate are refused |\n\n"
    "| action | |\n|---|---|\n"
    "| `BACKEND`, `BACKEND rewrite=/PREFIX` | ask a server of that backend; with `rewrite=`, what `path=` "
    "matched "
    "is replaced |\n"
    "| `redirect=STATUS:URL` | 301, 302, 303, 307 or 308; `{host}`, `{path}` and `{query}` are put into the "
    "URL |\n"
    "| `respond=STATUS`, `respond=STATUS:TEXT` | 200 to 599, without any server; the text goes to the end of "
    "the "
    "line, in which `\\n` is a line end, `\\t` a tab, `\\;` a semicolon that begins no comment, `\\\\` a "
    "backslash |\n";

void config_reference(FILE *out)
{
    fputs(form_of_files, out);
    put_section(SECTION_GLOBAL, "Once over all files: the process.", out);
    put_defaults(out);
    put_section(SECTION_LISTENER, "Where clients connect, and who is let in.", out);
    put_names("Names for `ciphers`, each suite by its IANA or its short name", tls_cipher_names(), out);
    put_names("Names for `groups`", tls_group_names(), out);
    fputs("\nThese have a meaning with `protocol = http` only.\n", out);
    put_rows(SECTION_LISTENER, KEY_FOR_HTTP, out);
    put_names("Names for `certificate-headers`", forward_identity_names(), out);
    fputs(routes, out);
    put_policy(out);
    put_section(SECTION_BACKEND, "Servers, and how one of them is chosen.", out);
}
