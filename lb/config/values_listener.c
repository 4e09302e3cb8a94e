/* The values of [listener NAME] that have a form of their own. */
#include <stdlib.h>
#include <strings.h>

#include "lb/base/memory.h"
#include "lb/base/units.h"
#include "lb/base/url.h"
#include "lb/config/config.h"
#include "lb/config/values.h"
#include "lb/tls/context.h"
#include "lb/tls/hello.h"

static bool add_bind(const struct setting *setting, struct listener *listener, char *text)
{
    struct bind bind = {.text = text, .line = setting->place.line};
    const char *why;
    if (!addr_parse(text, &bind.addr, &why)) {
        problems_add(setting->problems, setting->place, "%s = %.100s: %s", setting->name, text, why);
        free(text);
        return false;
    }
    listener->binds = mem_grow(listener->binds, (listener->bind_count + 1) * sizeof(bind));
    listener->binds[listener->bind_count++] = bind;
    return true;
}

bool value_bind(const struct setting *setting, void *object)
{
    const char *at = setting->value;
    bool good = true;
    struct slice word = value_word(&at, ",");
    if (word.len == 0)
        return value_refuse(setting, "there is no address; write ADDRESS:PORT, several separated by commas");
    for (; word.len; word = value_word(&at, ","))
        good = add_bind(setting, object, mem_copy_n(word.data, word.len)) && good;
    return good;
}

static bool add_network(const struct setting *setting, struct listener *listener, struct slice word)
{
    char *text = mem_copy_n(word.data, word.len);
    struct network network;
    const char *why;
    bool good = network_parse(text, &network, &why);
    if (!good)
        problems_add(setting->problems, setting->place, "%s: %.100s: %s", setting->name, text, why);
    free(text);
    if (!good)
        return false;
    listener->trusted = mem_grow(listener->trusted, (listener->trusted_count + 1) * sizeof(network));
    listener->trusted[listener->trusted_count++] = network;
    return true;
}

bool value_trusted_proxies(const struct setting *setting, void *object)
{
    struct listener *listener = object;
    const char *at = setting->value;
    bool good = true;
    struct slice word = value_word(&at, ",");
    if (word.len == 0)
        return value_refuse(setting, "there is no network in the list");
    for (; word.len; word = value_word(&at, ","))
        good = add_network(setting, listener, word) && good;
    return good;
}

bool value_host_pattern(struct slice text, char out[VALUE_HOST_MAX])
{
    bool wildcard = text.len > 2 && memcmp(text.data, "*.", 2) == 0;
    if (!wildcard)
        return hello_normalize_name(text, out);
    memcpy(out, "*.", 2);
    return hello_normalize_name(slice_make(text.data + 2, text.len - 2), out + 2);
}

static void set_path(struct tls_file *file, const struct setting *setting, struct slice path)
{
    free(file->path);
    file->path = mem_copy_n(path.data, path.len);
    file->line = setting->place.line;
}

bool value_pair(const struct setting *setting, struct tls_pair *pair)
{
    const char *at = setting->value;
    struct slice chain = value_word(&at, ""), key = value_word(&at, "");
    if (value_word(&at, "").len)
        return value_refuse(setting, "write one or two paths without blanks: CHAIN.pem KEY.pem");
    set_path(&pair->certificate, setting, chain);
    set_path(&pair->key, setting, key.len ? key : chain);
    return true;
}

bool value_certificate(const struct setting *setting, void *object)
{
    struct tls_settings *tls = &((struct listener *)object)->tls;
    struct tls_pair pair = {0};
    if (!value_pair(setting, &pair))
        return false;
    tls->pairs = mem_grow(tls->pairs, (tls->pair_count + 1) * sizeof(*tls->pairs));
    tls->pairs[tls->pair_count++] = pair;
    return true;
}

bool value_one_path(const struct setting *setting, struct tls_file *file)
{
    const char *at = setting->value;
    struct slice path = value_word(&at, "");
    if (value_word(&at, "").len)
        return value_refuse(setting,
                            "write one path without blanks; put several PEM files together into one");
    set_path(file, setting, path);
    return true;
}

bool value_client_ca(const struct setting *setting, void *object)
{
    return value_one_path(setting, &((struct listener *)object)->tls.client_ca);
}

bool value_client_crl(const struct setting *setting, void *object)
{
    struct tls_settings *tls = &((struct listener *)object)->tls;
    struct tls_file file = {0};
    if (!value_one_path(setting, &file))
        return false;
    tls->crls = mem_grow(tls->crls, (tls->crl_count + 1) * sizeof(*tls->crls));
    tls->crls[tls->crl_count++] = file;
    return true;
}

bool value_ticket_keys(const struct setting *setting, void *object)
{
    const char *at = setting->value;
    struct slice path = value_word(&at, "");
    if (value_word(&at, "").len)
        return value_refuse(setting, "write one path without blanks");
    struct listener *listener = object;
    set_path(&listener->tls.ticket_keys, setting, path);
    if (!listener->place.file || strcmp(listener->place.file, setting->place.file) != 0)
        listener->tls.ticket_keys.line = 0; /* of [defaults] in another file */
    return true;
}

bool value_ocsp_signer(const struct setting *setting, void *object)
{
    return value_one_path(setting, &((struct listener *)object)->tls.ocsp_signer);
}

bool value_ocsp_staple(const struct setting *setting, void *object)
{
    static const char *const names[] = {"auto", "off", "fetch"};
    static const enum staple_mode modes[] = {STAPLE_AUTO, STAPLE_OFF, STAPLE_FETCH};
    struct tls_settings *tls = &((struct listener *)object)->tls;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(setting->value, names[i]) == 0) {
            tls->staple_mode = modes[i];
            return true;
        }
    if (!value_one_path(setting, &tls->staple))
        return false;
    tls->staple_mode = STAPLE_FILE;
    return true;
}

bool value_ocsp_url(const struct setting *setting, void *object)
{
    struct listener *listener = object;
    struct http_url url;
    const char *why;
    if (!http_url_parse(slice_of(setting->value), &url, &why))
        return value_refuse(setting, why);
    free(listener->tls.ocsp_url);
    listener->tls.ocsp_url = mem_copy(setting->value);
    return true;
}

/* NULL `names` allows any. */
static bool is_one_of(const struct setting *setting, const char *word, const char *const *names)
{
    for (size_t i = 0; names && names[i]; i++)
        if (strcasecmp(names[i], word) == 0)
            return true;
    if (!names)
        return true;
    const char *near = units_nearest(word, names);
    problems_add(setting->problems, setting->place, "%s: there is no '%.60s': %s %s", setting->name, word,
                 near ? "did you mean" : "names are such as", near ? near : names[0]);
    return false;
}

static bool append_word(const struct setting *setting, char **list, struct slice word, const char *joint,
                        const char *const *names)
{
    if (word.len > 255)
        return value_refuse(setting, "a name of the list has more than 255 bytes");
    char *name = mem_copy_n(word.data, word.len);
    bool good = is_one_of(setting, name, names);
    char *longer = mem_printf("%s%s%s", *list ? *list : "", *list ? joint : "", name);
    free(*list);
    free(name);
    *list = longer;
    return good;
}

bool value_append_list(const struct setting *setting, char **list, const char *separators, const char *joint,
                       const char *const *names)
{
    const char *at = setting->value;
    bool good = true;
    struct slice word = value_word(&at, separators);
    if (word.len == 0)
        return value_refuse(setting, "there is no name in the list");
    for (; word.len; word = value_word(&at, separators))
        good = append_word(setting, list, word, joint, names) && good;
    return good;
}

bool value_ciphers(const struct setting *setting, void *object)
{
    return value_append_list(setting, &((struct listener *)object)->tls.ciphers, ":,", ":",
                             tls_cipher_names());
}

bool value_groups(const struct setting *setting, void *object)
{
    return value_append_list(setting, &((struct listener *)object)->tls.groups, ":,", ":", tls_group_names());
}

bool value_signatures(const struct setting *setting, void *object)
{
    return value_append_list(setting, &((struct listener *)object)->tls.signatures, ":,", ":",
                             tls_signature_names());
}

bool value_alpn(const struct setting *setting, void *object)
{
    return value_append_list(setting, &((struct listener *)object)->tls.alpn, ",", ",", NULL);
}

bool value_option(const struct setting *setting, void *object)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    struct script_settings *script = &((struct listener *)object)->script;
    const char *name = strchr(setting->name, '.') + 1;
    if (!*name || name[strspn(name, letters)])
        return value_refuse(setting, "the name after 'option.' is of letters, digits and '_'");
    script->options = mem_grow(script->options, (script->option_count + 1) * sizeof(*script->options));
    script->options[script->option_count++] =
        (struct script_option){mem_copy(name), mem_copy(setting->value)};
    return true;
}
