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
    if (key->flags & KEY_FOR_HTTP)
        fputs(" With `protocol = http` only.", out);
    if (key->flags & KEY_REPEAT)
        fputs(" May be repeated.", out);
    if (key->flags & KEY_IN_DEFAULTS)
        fputs(" May stand in `[defaults]`.", out);
    if (key->flags & KEY_RESTART)
        fputs(" A change needs a restart.", out);
    fputs(" |\n", out);
}

static void put_section(enum section_kind kind, const char *intro, FILE *out)
{
    fprintf(out, "\n### %s\n\n%s\n\n| key | value | default | meaning |\n|---|---|---|---|\n",
            keys_heading(kind), intro);
    for (const struct key *key = keys; key->name; key++)
        if (key->kind == kind)
            put_row(key, out);
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
    "(the TEXT of a route's `respond` knows `\\;` too).\n"
    "* **Environment**: `${NAME}` is the variable's value, and an error when it is not set; "
    "`${NAME:-default}` takes the "
    "default when it is unset or empty; `$$` is a dollar sign.\n"
    "* **Units**: durations are `250ms`, `10s`, `5m`, `2h`, `1d`; sizes are bytes, or `64k`, `8m`, `1g`.\n"
    "* **Paths** that are relative begin at the working directory of lb.\n";

void config_reference(FILE *out)
{
    fputs(form_of_files, out);
    put_section(SECTION_GLOBAL, "Once over all files: the process.", out);
    put_defaults(out);
    put_section(SECTION_LISTENER, "Where clients connect, and who is let in.", out);
    put_names("Names for `ciphers`, each suite by its IANA or its short name", tls_cipher_names(), out);
    put_names("Names for `groups`", tls_group_names(), out);
    put_section(SECTION_BACKEND, "Servers, and how one of them is chosen.", out);
}
