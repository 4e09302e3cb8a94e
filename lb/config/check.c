#include "lb/config/check.h"

#include <stdlib.h>

#include "lb/base/memory.h"
#include "lb/base/units.h"
#include "lb/config/check_parts.h"

bool check_wants_clients(const struct listener *listener)
{
    return tls_mode_asks(listener->tls.mode);
}

/* The entry that decides a setting: the section's own, else the one of [defaults], else NULL. */
static const struct entry *deciding(const struct origin *origin, const char *name)
{
    const struct entry *own = section_entry(origin->section, name);
    return own ? own : section_entry(origin->defaults, name);
}

bool check_has_policies(const struct checker *checker)
{
    for (size_t i = 0; i < checker->source->count; i++)
        if (checker->source->sections[i].kind == SECTION_CERTIFICATE)
            return true;
    return false;
}

bool check_refused(const struct origin *origin, const char *name)
{
    const struct entry *entry = deciding(origin, name);
    return entry && entry->bad;
}

struct place check_place(const struct origin *origin, const char *name)
{
    const struct entry *entry = deciding(origin, name);
    return entry ? entry->place : origin->section->place;
}

/* NULL, or why the key means nothing in this listener. */
static const char *out_of_place(const struct key *key, const struct subject *subject)
{
    const struct listener *listener = subject->listener;
    bool tls_known = !check_refused(subject->origin, "tls"),
         protocol_known = !check_refused(subject->origin, "protocol");
    if (key->flags & (KEY_FOR_TLS | KEY_FOR_CLIENTS) && tls_known && listener->tls.mode == TLS_OFF)
        return "has no effect with tls = off: set 'tls', or remove it";
    if (key->flags & KEY_FOR_CLIENTS && tls_known && !check_wants_clients(listener))
        return "has no effect with tls = one-way: set tls = mutual, or remove it";
    if (key->flags & KEY_FOR_SCRIPT && !deciding(subject->origin, "script"))
        return "has no effect without a script: set 'script', or remove it";
    if (key->flags & KEY_FOR_HTTP && protocol_known && listener->protocol != PROTOCOL_HTTP)
        return "has no effect with protocol = tcp: set protocol = http, or remove it";
    if (key->flags & KEY_FOR_PEERS && protocol_known && listener->protocol != PROTOCOL_HTTP &&
        !listener->proxy_protocol && !check_refused(subject->origin, "proxy-protocol"))
        return "has no effect with protocol = tcp: set protocol = http or proxy-protocol = yes, or remove it";
    return NULL;
}

static void check_keys(struct checker *checker, const struct subject *subject)
{
    const struct section *section = subject->origin->section;
    for (size_t i = 0; i < section->count; i++) {
        const struct entry *entry = &section->entries[i];
        const char *why = out_of_place(entry->key, subject);
        if (why)
            problems_add(checker->problems, entry->place, "'%s' %s", entry->name, why);
    }
}

void check_ocsp(const struct section *section, enum ocsp_mode mode, struct problems *problems)
{
    static const char *const names[] = {"ocsp-timeout", "ocsp-url", "ocsp-signer"};
    for (size_t i = 0; mode == OCSP_OFF && i < sizeof(names) / sizeof(names[0]); i++) {
        const struct entry *entry = section_entry(section, names[i]);
        if (entry)
            problems_add(problems, entry->place,
                         "'%s' has no effect with ocsp = off: set ocsp = soft or hard, or remove it",
                         entry->name);
    }
}

static void check_tls(struct checker *checker, const struct subject *subject)
{
    const struct tls_settings *tls = &subject->listener->tls;
    const struct origin *origin = subject->origin;
    const char *mode = tls_mode_name(tls->mode), *name = subject->listener->name;
    struct place place = origin->section->place;
    if (tls->mode == TLS_OFF || check_refused(origin, "tls"))
        return;
    if (!section_entry(origin->section, "certificate"))
        problems_add(checker->problems, place,
                     "[listener %s]: tls = %s needs 'certificate = CHAIN.pem KEY.pem'", name, mode);
    if (check_wants_clients(subject->listener) && !section_entry(origin->section, "client-ca"))
        problems_add(checker->problems, place,
                     "[listener %s]: tls = %s needs 'client-ca = FILE.pem' with the CAs that issue the "
                     "clients' certificates",
                     name, mode);
    if (check_wants_clients(subject->listener) && tls->crl_required &&
        !section_entry(origin->section, "client-crl"))
        problems_add(
            checker->problems, check_place(origin, "crl-required"),
            "[listener %s]: crl-required = yes needs 'client-crl = FILE', or every client is refused", name);
    if (tls->min > tls->max && !check_refused(origin, "tls-min") && !check_refused(origin, "tls-max"))
        problems_add(checker->problems, check_place(origin, "tls-min"),
                     "[listener %s]: tls-min = 1.3 is above tls-max = 1.2: no client could connect", name);
}

/* Whoever may send a header may name any client: who that is must be said. */
static void check_proxy_protocol(struct checker *checker, const struct subject *subject)
{
    const struct listener *listener = subject->listener;
    if (listener->proxy_protocol && listener->trusted_count == 0 &&
        !check_refused(subject->origin, "trusted-proxies"))
        problems_add(
            checker->problems, check_place(subject->origin, "proxy-protocol"),
            "[listener %s]: proxy-protocol = yes needs 'trusted-proxies = NETWORKS' that the header is "
            "taken from: from anybody else it would let them pass for anyone",
            listener->name);
}

static const char *nearest_backend(const struct config *config, const char *name)
{
    const char **names = mem_new((config->backend_count + 1) * sizeof(*names));
    for (size_t i = 0; i < config->backend_count; i++)
        names[i] = config->backends[i].name;
    const char *near = units_nearest(name, names);
    free(names);
    return near;
}

const struct backend *check_backend(const struct checker *checker, const char *name, struct place place)
{
    const struct config *config = checker->draft->config;
    const struct backend *backend = config_backend(config, slice_of(name));
    const char *near = backend ? NULL : nearest_backend(config, name);
    if (!backend)
        problems_add(checker->problems, place, "there is no [backend %.60s]%s%s%s: add it, or name another",
                     name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return backend;
}

static void lacks_backend(const struct checker *checker, const struct subject *subject)
{
    const struct listener *listener = subject->listener;
    bool http = listener->protocol == PROTOCOL_HTTP;
    if (http && section_entry(subject->origin->section, "route"))
        return;
    problems_add(checker->problems, listener->place, "[listener %s] needs 'backend = NAME'%s%s",
                 listener->name, http ? ", or routes: 'route = path=/ -> NAME'" : "",
                 checker->draft->config->backend_count || http ? "" : " and a [backend NAME] section");
}

static void link_backend(const struct checker *checker, const struct subject *subject)
{
    struct listener *listener = subject->listener;
    if (check_refused(subject->origin, "backend"))
        return;
    if (listener->backend_name)
        listener->backend =
            check_backend(checker, listener->backend_name, check_place(subject->origin, "backend"));
    else
        lacks_backend(checker, subject);
}

/* Where its connections or requests go. Of a listener whose protocol is not known nothing is said. */
static void check_targets(const struct checker *checker, const struct subject *subject)
{
    if (check_refused(subject->origin, "protocol"))
        return;
    link_backend(checker, subject);
    if (subject->listener->protocol == PROTOCOL_HTTP)
        check_http(checker, subject);
}

/* Whether an earlier bind of this or an earlier listener has the address. */
static const struct bind *earlier_bind(const struct draft *draft, size_t listener, size_t index,
                                       const struct listener **owner)
{
    const struct bind *bind = &draft->config->listeners[listener].binds[index];
    for (size_t i = 0; i <= listener; i++) {
        const struct listener *other = &draft->config->listeners[i];
        if (draft->listeners[i].section->repeated)
            continue;
        for (size_t j = 0; j < (i == listener ? index : other->bind_count); j++)
            if (addr_equal(&other->binds[j].addr, &bind->addr)) {
                *owner = other;
                return &other->binds[j];
            }
    }
    return NULL;
}

static void check_admin_bind(struct checker *checker, const struct bind *bind, struct place place)
{
    const char *admin = checker->draft->config->admin;
    if (admin && bind->addr.sa.sa_family == AF_UNIX && strcmp(bind->addr.un.sun_path, admin) == 0)
        problems_add(checker->problems, place,
                     "%s is the admin socket of [global]: give one of them another path", bind->text);
}

static void check_binds(struct checker *checker, size_t index)
{
    const struct listener *listener = &checker->draft->config->listeners[index], *owner;
    if (!section_entry(checker->draft->listeners[index].section, "bind"))
        problems_add(checker->problems, listener->place, "[listener %s] needs 'bind = ADDRESS:PORT'",
                     listener->name);
    for (size_t i = 0; i < listener->bind_count; i++) {
        const struct bind *bind = &listener->binds[i];
        struct place place = {listener->place.file, bind->line};
        const struct bind *other = earlier_bind(checker->draft, index, i, &owner);
        check_admin_bind(checker, bind, place);
        if (other)
            problems_add(
                checker->problems, place,
                "%.100s is bound already by [listener %s] at %s:%u: an address belongs to one listener",
                bind->text, owner->name, owner->place.file, other->line);
    }
}

static void check_listeners(struct checker *checker)
{
    const struct draft *draft = checker->draft;
    for (size_t i = 0; i < draft->config->listener_count; i++) {
        struct subject subject = {&draft->config->listeners[i], &draft->listeners[i]};
        if (subject.origin->section->repeated)
            continue;
        check_binds(checker, i);
        check_keys(checker, &subject);
        check_tls(checker, &subject);
        if (check_wants_clients(subject.listener) && !check_refused(subject.origin, "ocsp"))
            check_ocsp(subject.origin->section, subject.listener->tls.ocsp, checker->problems);
        check_proxy_protocol(checker, &subject);
        check_targets(checker, &subject);
    }
}

static bool has_route_to(const struct http_settings *http, const char *name)
{
    for (size_t i = 0; i < http->route_count; i++)
        if (http->routes[i].action == ROUTE_BACKEND && strcmp(http->routes[i].backend_name, name) == 0)
            return true;
    return false;
}

static bool used(const struct config *config, const struct backend *backend)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct listener *listener = &config->listeners[i];
        if (listener->script.path) /* it may name any backend */
            return true;
        if (listener->backend_name && strcmp(listener->backend_name, backend->name) == 0)
            return true;
        if (has_route_to(&listener->http, backend->name))
            return true;
    }
    return false;
}

static void check_send_proxy(struct checker *checker, const struct backend *backend,
                             const struct origin *origin)
{
    bool known = !check_refused(origin, "send-proxy");
    if (known && backend->send_proxy_certificate && backend->send_proxy != SEND_PROXY_V2)
        problems_add(checker->problems, check_place(origin, "send-proxy-certificate"),
                     "[backend %s]: send-proxy-certificate = yes needs send-proxy = v2: no other header has "
                     "room for a certificate",
                     backend->name);
    if (known && backend->h2 && backend->send_proxy != SEND_PROXY_OFF)
        problems_add(checker->problems, check_place(origin, "send-proxy"),
                     "[backend %s]: send-proxy does not go with server-protocol = h2, where one connection "
                     "serves many clients: set server-protocol = http/1.1, or remove it",
                     backend->name);
}

static void check_backends(struct checker *checker)
{
    const struct config *config = checker->draft->config;
    for (size_t i = 0; i < config->backend_count; i++) {
        const struct backend *backend = &config->backends[i];
        const struct section *section = checker->draft->backends[i].section;
        if (section->repeated)
            continue;
        if (!section_entry(section, "server"))
            problems_add(checker->problems, section->place,
                         "[backend %s] has no servers: add 'server = NAME ADDRESS:PORT'", backend->name);
        check_send_proxy(checker, backend, &checker->draft->backends[i]);
        if (!used(config, backend))
            problems_warn(checker->problems, section->place, "[backend %s] is used by no listener",
                          backend->name);
        check_server_tls(checker, i);
    }
}

static bool any_listener(const struct source *source)
{
    for (size_t i = 0; i < source->count; i++)
        if (source->sections[i].kind == SECTION_LISTENER || source->sections[i].ignored)
            return true; /* one that is refused would have been one */
    return false;
}

void check_settings(const struct draft *draft, const struct source *source, struct problems *problems)
{
    struct checker checker = {draft, source, problems};
    check_listeners(&checker);
    check_backends(&checker);
    if (!source->incomplete && !any_listener(source))
        problems_add(
            problems, (struct place){0},
            "the configuration has no listener: add a [listener NAME] section with 'bind = ADDRESS:PORT'");
}
