#include "lb/tls/sites.h"

#include <stdlib.h>

#include "lb/base/memory.h"
#include "lb/base/name_map.h"
#include "lb/tls/extensions.h"
#include "lb/tls/keys.h"
#include "lb/tls/names.h"

/* In the order of preference: what costs least first. */
enum site_key { SITE_EC, SITE_EDWARDS, SITE_RSA, SITE_KEYS };

/* The pairs for one name, by kind of key. */
struct site {
    size_t pair[SITE_KEYS];
};

struct tls_sites {
    struct name_map *names;
    struct site *list; /* the first one is for what no certificate names */
    size_t count;
    bool strict;
};

/* ---- a certificate's names ---- */

static void give_name(struct slice name, void (*found)(void *context, const char *name), void *context)
{
    char host[HELLO_NAME_MAX + 1], pattern[HELLO_NAME_MAX + 3];
    bool wildcard = name.len > 2 && memcmp(name.data, "*.", 2) == 0;
    if (wildcard)
        name = slice_make(name.data + 2, name.len - 2);
    if (!hello_normalize_name(name, host))
        return;
    memcpy(pattern, "*.", 2);
    memcpy(pattern + 2, host, strlen(host) + 1);
    found(context, wildcard ? pattern : host);
}

static void give_common_names(const struct certificate *certificate,
                              void (*found)(void *context, const char *name), void *context)
{
    struct name_walk walk = name_walk(certificate->subject);
    struct name_attribute attribute;
    char buffer[NAME_UTF8_MAX];
    struct slice value;
    while (name_next(&walk, &attribute))
        if (name_key_matches(attribute.oid, SLICE_LITERAL("CN")) && name_value(&attribute, buffer, &value))
            give_name(value, found, context);
}

void tls_site_names(const struct certificate *certificate, void (*found)(void *context, const char *name),
                    void *context)
{
    struct slice names, name;
    unsigned kind;
    if (!alternative_names(certificate->extensions, &names)) {
        give_common_names(certificate, found, context);
        return;
    }
    while (names.len > 0 && alternative_name_next(&names, &kind, &name))
        if (kind == NAME_DNS)
            give_name(name, found, context);
}

/* ---- making ---- */

static struct site *add_site(struct tls_sites *sites)
{
    sites->list = mem_grow(sites->list, (sites->count + 1) * sizeof(*sites->list));
    struct site *site = &sites->list[sites->count++];
    for (size_t i = 0; i < SITE_KEYS; i++)
        site->pair[i] = SITES_NONE;
    return site;
}

static void claim(struct site *site, enum site_key key, size_t pair)
{
    if (site->pair[key] == SITES_NONE)
        site->pair[key] = pair;
}

struct claimer {
    struct tls_sites *sites;
    enum site_key key;
    size_t pair;
};

static void claim_name(void *context, const char *name)
{
    const struct claimer *claimer = context;
    struct tls_sites *sites = claimer->sites;
    size_t number = name_map_put(sites->names, slice_of(name), sites->count);
    claim(number == sites->count ? add_site(sites) : &sites->list[number], claimer->key, claimer->pair);
}

static enum site_key key_of(const struct certificate *certificate)
{
    struct key_facts facts;
    if (!key_read(certificate->spki, &facts))
        return SITE_RSA;
    switch (facts.kind) {
    case KEY_EC: return SITE_EC;
    case KEY_ED25519:
    case KEY_ED448: return SITE_EDWARDS;
    default: return SITE_RSA;
    }
}

/* The leaf of the pair; false: unreadable. `room` is of the file's size. */
static bool open_leaf(const struct tls_pair *pair, char *room, struct certificate *out)
{
    struct slice pem = {pair->certificate.data, pair->certificate.len};
    const char *why;
    size_t len;
    return certificate_next_pem(&pem, room, &len, &why) && certificate_open(slice_make(room, len), out, &why);
}

static void add_pair(struct tls_sites *sites, const struct tls_pair *pair, size_t number)
{
    struct certificate leaf;
    if (!pair->certificate.data)
        return;
    char *room = mem_new(pair->certificate.len + 1);
    if (open_leaf(pair, room, &leaf)) {
        struct claimer claimer = {sites, key_of(&leaf), number};
        tls_site_names(&leaf, claim_name, &claimer);
        if (number == 0)
            claim(&sites->list[0], claimer.key, 0);
    }
    free(room);
}

static bool holds_first(const struct site *site)
{
    for (size_t i = 0; i < SITE_KEYS; i++)
        if (site->pair[i] == 0)
            return true;
    return false;
}

/* Who names nothing gets what the first certificate's names get. */
static void complete_default(struct tls_sites *sites)
{
    for (size_t i = 1; i < sites->count; i++) {
        if (!holds_first(&sites->list[i]))
            continue;
        for (enum site_key key = 0; key < SITE_KEYS; key++)
            if (sites->list[i].pair[key] != SITES_NONE)
                claim(&sites->list[0], key, sites->list[i].pair[key]);
        return;
    }
}

struct tls_sites *tls_sites_new(const struct tls_settings *settings)
{
    struct tls_sites *sites = mem_new(sizeof(*sites));
    sites->names = name_map_new();
    sites->strict = settings->strict_sni;
    add_site(sites);
    for (size_t i = 0; i < settings->pair_count; i++)
        add_pair(sites, &settings->pairs[i], i);
    complete_default(sites);
    return sites;
}

void tls_sites_free(struct tls_sites *sites)
{
    if (!sites)
        return;
    name_map_free(sites->names);
    free(sites->list);
    free(sites);
}

/* ---- choosing ---- */

/* Where the client can use none of them, any does: the handshake then says what is missing. */
static size_t choose_key(const struct site *site, const struct hello *hello)
{
    const bool offers[SITE_KEYS] = {[SITE_EC] = hello->offers_ecdsa,
                                    [SITE_EDWARDS] = hello->offers_edwards,
                                    [SITE_RSA] = hello->offers_rsa};
    size_t any = 0;
    for (enum site_key key = SITE_KEYS; key-- > 0;)
        if (site->pair[key] != SITES_NONE)
            any = site->pair[key];
    for (enum site_key key = 0; key < SITE_KEYS; key++)
        if (site->pair[key] != SITES_NONE && offers[key])
            return site->pair[key];
    return any;
}

size_t tls_sites_choose(const struct tls_sites *sites, const struct hello *hello)
{
    size_t number = hello->name[0] ? name_map_find(sites->names, slice_of(hello->name)) : NAME_MAP_NONE;
    if (number == NAME_MAP_NONE && sites->strict)
        return SITES_NONE;
    return choose_key(&sites->list[number == NAME_MAP_NONE ? 0 : number], hello);
}

struct serving {
    const char *suffix; /* ".name" of a pattern */
    bool found;
};

static void note_below(void *context, struct slice name)
{
    struct serving *serving = context;
    size_t len = strlen(serving->suffix);
    const char *dot = memchr(name.data, '.', name.len);
    if (dot && (size_t)(name.data + name.len - dot) == len && memcmp(dot, serving->suffix, len) == 0)
        serving->found = true;
}

bool tls_sites_serve(const struct tls_sites *sites, const char *name)
{
    if (strncmp(name, "*.", 2) != 0)
        return name_map_find(sites->names, slice_of(name)) != NAME_MAP_NONE;
    struct serving serving = {name + 1, false};
    name_map_each(sites->names, note_below, &serving);
    return serving.found;
}
