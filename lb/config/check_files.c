#include <stdlib.h>

#include "lb/base/clock.h"
#include "lb/base/memory.h"
#include "lb/config/archive.h"
#include "lb/config/check.h"
#include "lb/config/check_parts.h"
#include "lb/config/files.h"
#include "lb/config/folders.h"
#include "lb/config/staples.h"
#include "lb/tls/context.h"
#include "lb/tls/digest.h"
#include "lb/tls/ocsp_signer.h"

static bool load(struct archive *archive, const struct listener *listener, struct tls_file *file,
                 const char *what, struct problems *problems)
{
    return !file->path || archive_load(archive, file, what, file_place(file, listener->place), problems);
}

static bool load_pairs(struct archive *archive, struct listener *listener, struct problems *problems)
{
    bool good = check_folders(archive, listener, problems);
    for (size_t i = 0; i < listener->tls.pair_count; i++)
        good = archive_load_pair(archive, &listener->tls.pairs[i], listener->place, problems) && good;
    return good;
}

static bool load_signer(struct archive *archive, const struct listener *listener, struct tls_file *signer,
                        struct problems *problems)
{
    return !signer->path || (load(archive, listener, signer, "the OCSP signer", problems) &&
                             ocsp_signer_load(signer, file_place(signer, listener->place), problems));
}

/* A policy that inherits a file has it already. */
static bool load_clients(struct archive *archive, struct listener *listener, struct problems *problems)
{
    struct tls_settings *tls = &listener->tls;
    bool good = tls->client_ca.data || load(archive, listener, &tls->client_ca, "the client CA", problems);
    good = (tls->ocsp_signer.data || load_signer(archive, listener, &tls->ocsp_signer, problems)) && good;
    good = check_crl_folders(archive, listener, problems) && good;
    for (size_t i = 0; i < tls->crl_count && tls->client_ca.path; i++)
        archive_bind(archive, tls->client_ca.path, tls->crls[i].path);
    for (size_t i = 0; i < tls->crl_count; i++)
        good =
            (tls->crls[i].data || load(archive, listener, &tls->crls[i], "the revocation list", problems)) &&
            good;
    return good;
}

static bool tls_settings_refused(const struct section *section, const struct section *defaults)
{
    const struct section *both[] = {section, defaults};
    for (size_t s = 0; s < 2; s++)
        for (size_t i = 0; both[s] && i < both[s]->count; i++) {
            const struct entry *entry = &both[s]->entries[i];
            if (entry->bad &&
                (entry->key->flags & (KEY_FOR_TLS | KEY_FOR_CLIENTS) || strcmp(entry->name, "tls") == 0))
                return true;
        }
    return false;
}

static bool is_complete(const struct tls_settings *tls)
{
    return tls->pair_count > 0 && tls->min <= tls->max &&
           (!tls_mode_asks(tls->mode) || (tls->client_ca.path && (!tls->crl_required || tls->crl_count > 0)));
}

/* Tries all certificates; those of a policy have been tried with its listener. */
static void try_contexts(const struct listener *listener, struct problems *problems)
{
    const struct tls_settings *tls = &listener->tls;
    struct trust *trust = tls_trust_new(tls, listener->place, problems);
    size_t count = listener->host ? 1 : tls->pair_count;
    for (size_t i = 0; i < count; i++)
        tls_context_free(tls_context_for(tls, i, trust, listener->place, problems));
    tls_trust_drop(trust);
}

/* A host that the routes serve, but no certificate: its clients would see another name. */
static void warn_of_hosts(const struct listener *listener, struct problems *problems)
{
    for (size_t i = 0; i < listener->http.route_count; i++) {
        const struct route *route = &listener->http.routes[i];
        if (route->host && listener->tls.pair_count > 0 && !tls_sites_serve(listener->sites, route->host))
            problems_warn(
                problems, route->place,
                "route: host=%s: no certificate of [listener %s] has this name: clients will refuse "
                "the connection",
                route->host, listener->name);
    }
}

static void check_tls_files(const struct config *config, struct listener *listener,
                            const struct origin *origin, struct problems *problems)
{
    struct tls_settings *tls = &listener->tls;
    if (tls->mode == TLS_OFF)
        return;
    tls->expiry_warning_s = config->expiry_warning_ms / 1000;
    bool loaded = load_pairs(config->archive, listener, problems);
    if (loaded)
        loaded = check_staples(config->archive, listener, problems);
    loaded = load_clients(config->archive, listener, problems) && loaded;
    if (tls->ticket_keys.path)
        loaded = load(config->archive, listener, &tls->ticket_keys, "the ticket keys", problems) && loaded;
    if (is_complete(tls) && loaded && !tls_settings_refused(origin->section, origin->defaults))
        try_contexts(listener, problems);
    listener->sites = tls_sites_new(tls);
    if (loaded)
        warn_of_hosts(listener, problems);
}

static void discard(void *context, int level, struct slice text)
{
    (void)context;
    (void)level;
    (void)text;
}

static int64_t now_ms(void *context)
{
    (void)context;
    return clock_unix_ms();
}

/* One script on its way through the checks. */
struct trial {
    struct config *config;
    const char *script;
};

static bool has_backend(void *context, struct slice name)
{
    return config_backend(((const struct trial *)context)->config, name) != NULL;
}

static bool read_script(void *context, const char *path, const char *folder, struct slice *bytes,
                        const char **why)
{
    const struct trial *trial = context;
    const struct archived *file = archive_script(trial->config->archive, path, folder);
    archive_bind(trial->config->archive, trial->script, path);
    *bytes = slice_make(file->data, file->len);
    *why = file->why;
    return file->data != NULL;
}

static void check_script(struct config *config, const struct listener *listener,
                         const struct section *section, struct problems *problems)
{
    struct trial trial = {config, listener->script.path};
    const struct script_host host = {.context = &trial,
                                     .log = discard,
                                     .now_ms = now_ms,
                                     .sha256 = digest_sha256,
                                     .has_backend = has_backend,
                                     .read = read_script};
    const struct entry *entry = section_entry(section, "script");
    if (entry && !entry->bad)
        script_free(script_new(&listener->script, &host, entry->place, problems));
}

/* ---- what single names get instead ---- */

static bool says(const struct section *section, const char *name)
{
    return section_entry(section, name) != NULL;
}

static bool check_policy_settings(const struct listener *policy, const struct section *section,
                                  struct problems *problems)
{
    const struct tls_settings *tls = &policy->tls;
    size_t before = problems->errors;
    if (tls->mode == TLS_OFF)
        problems_add(problems, section->place,
                     "[certificate %s]: tls = off does not go with a certificate: write one-way, "
                     "mutual-optional or mutual",
                     policy->host);
    if (tls_mode_asks(tls->mode) && !tls->client_ca.path)
        problems_add(problems, section->place,
                     "[certificate %s]: [listener %s] has no client-ca: set 'client-ca = FILE.pem' here",
                     policy->host, policy->name);
    if (tls_mode_asks(tls->mode) && tls->crl_required && tls->crl_count == 0)
        problems_add(problems, section->place,
                     "[certificate %s]: crl-required = yes needs 'client-crl = FILE', or every client is "
                     "refused",
                     policy->host);
    if (tls_mode_asks(tls->mode))
        check_ocsp(section, tls->ocsp, problems);
    if (!tls_mode_asks(tls->mode) && (says(section, "client-ca") || says(section, "client-crl") ||
                                      says(section, "ocsp") || says(section, "ocsp-url")))
        problems_add(
            problems, section->place,
            "[certificate %s]: client-ca, client-crl and ocsp have no effect with tls = one-way: set tls = "
            "mutual",
            policy->host);
    return problems->errors == before;
}

static void check_policy(struct config *config, struct listener *listener, struct section *section,
                         struct problems *problems)
{
    struct problems told = {0}; /* wrong values have been told of already */
    struct listener *policy = draft_policy(listener, section, &told);
    bool good = told.errors == 0;
    problems_free(&told);
    if (!check_policy_settings(policy, section, problems) || !good)
        return;
    if (load_clients(config->archive, policy, problems))
        try_contexts(policy, problems);
    check_script(config, policy, section, problems);
}

static void check_certificate_section(struct config *config, struct section *section,
                                      struct problems *problems)
{
    bool served = false;
    for (size_t i = 0; i < config->listener_count; i++) {
        struct listener *listener = &config->listeners[i];
        if (!listener->sites || !tls_sites_serve(listener->sites, section->name))
            continue;
        served = true;
        check_policy(config, listener, section, problems);
    }
    if (!served && problems->errors == 0)
        problems_add(problems, section->place,
                     "[certificate %s]: no listener has a certificate for this name: correct it, or add one "
                     "with 'certificate = CHAIN.pem KEY.pem'",
                     section->name);
}

/* The settings that were not refused are the pages, in the same order. */
static void load_pages(struct archive *archive, struct http_settings *http, const struct section *section,
                       struct problems *problems)
{
    size_t next = 0;
    for (size_t i = 0; i < section->count && next < http->page_count; i++) {
        const struct entry *entry = &section->entries[i];
        if (entry->bad || strcmp(entry->name, "error-page") != 0)
            continue;
        struct error_page *page = &http->pages[next++];
        archive_read(archive, page->path, "the error page", FILES_PAGE_MAX, entry->place, &page->body,
                     &page->len, problems);
    }
}

void check_log(const struct config *config, const struct source *source, struct problems *problems)
{
    if (strcmp(config->log_target, "stdout") == 0 || strcmp(config->log_target, "stderr") == 0)
        return;
    for (size_t i = 0; i < source->count; i++) {
        const struct section *section = &source->sections[i];
        bool global = section->kind == SECTION_GLOBAL && !section->ignored;
        const struct entry *entry = section_entry(global ? section : NULL, "log");
        int error = entry ? files_appendable(config->log_target) : 0;
        if (error == 0)
            continue;
        char *absolute = files_absolute(config->log_target);
        problems_add(problems, entry->place, "cannot write the log %s: %s", absolute, strerror(error));
        free(absolute);
    }
}

void check_files(const struct draft *draft, const struct source *source, struct problems *problems)
{
    struct config *config = draft->config;
    for (size_t i = 0; i < config->listener_count; i++) {
        struct listener *listener = &config->listeners[i];
        const struct origin *origin = &draft->listeners[i];
        if (origin->section->repeated)
            continue;
        check_tls_files(config, listener, origin, problems);
        check_script(config, listener, origin->section, problems);
        load_pages(config->archive, &listener->http, origin->section, problems);
    }
    for (size_t i = 0; i < config->backend_count; i++)
        if (!draft->backends[i].section->repeated)
            check_server_files(config, i, &draft->backends[i], problems);
    for (size_t i = 0; i < source->count; i++)
        if (source->sections[i].kind == SECTION_CERTIFICATE && !source->sections[i].ignored &&
            !source->sections[i].repeated)
            check_certificate_section(config, &source->sections[i], problems);
}
