/* What is wrong with TLS to servers, and only with it. */
#include "lb/config/archive.h"
#include "lb/config/check_parts.h"
#include "lb/tls/client.h"

static bool is_bad(const struct origin *origin, const char *name)
{
    const struct entry *entry = section_entry(origin->section, name);
    return entry && entry->bad;
}

static struct place place_of(const struct origin *origin, const char *name)
{
    const struct entry *entry = section_entry(origin->section, name);
    return entry ? entry->place : origin->section->place;
}

static void check_keys(const struct origin *origin, const struct backend_tls *tls, struct problems *problems)
{
    for (size_t i = 0; i < origin->section->count; i++) {
        const struct entry *entry = &origin->section->entries[i];
        if (entry->key->flags & KEY_FOR_TLS && !tls->used && !is_bad(origin, "tls"))
            problems_add(problems, entry->place,
                         "'%s' has no effect with tls = no: set tls = yes, or remove it", entry->name);
    }
}

static void check_verification(const struct backend *backend, const struct backend_tls *tls,
                               const struct origin *origin, struct problems *problems)
{
    if (tls->settings.verify || is_bad(origin, "verify"))
        return;
    problems_warn(problems, place_of(origin, "verify"),
                  "[backend %s]: verify = none: whoever answers at a server's address is believed",
                  backend->name);
    if (section_entry(origin->section, "ca"))
        problems_warn(problems, place_of(origin, "ca"), "'ca' has no effect with verify = none");
}

static void check_names(const struct backend *backend, const struct backend_tls *tls,
                        const struct origin *origin, struct problems *problems)
{
    for (size_t i = 0; i < backend->member_count && tls->settings.verify; i++)
        if (tls->members[i].on && !tls->members[i].name && !is_bad(origin, "verify-host"))
            problems_add(problems, (struct place){origin->section->place.file, tls->members[i].line},
                         "server %s: a unix socket has no host name that its certificate could be for: add "
                         "verify-host=NAME",
                         backend->members[i].name);
}

void check_server_tls(const struct checker *checker, size_t index)
{
    const struct config *config = checker->draft->config;
    const struct backend *backend = &config->backends[index];
    const struct backend_tls *tls = &config->backend_tls[index];
    const struct origin *origin = &checker->draft->backends[index];
    check_keys(origin, tls, checker->problems);
    if (!tls->used)
        return;
    check_verification(backend, tls, origin, checker->problems);
    check_names(backend, tls, origin, checker->problems);
    if (tls->settings.min > tls->settings.max && !is_bad(origin, "tls-min") && !is_bad(origin, "tls-max"))
        problems_add(checker->problems, place_of(origin, "tls-min"),
                     "[backend %s]: tls-min = 1.3 is above tls-max = 1.2: no server could be spoken to",
                     backend->name);
}

/* ---- files ---- */

static bool load_ca(struct archive *archive, const struct origin *origin,
                    struct tls_client_settings *settings, struct problems *problems)
{
    size_t before = problems->errors;
    struct place place = file_place(&settings->ca, origin->section->place);
    const char *what = settings->system_ca ? "the system's CAs" : "the CA of servers";
    if (archive_load(archive, &settings->ca, what, place, problems))
        return true;
    if (settings->system_ca && problems->errors > before)
        problems_add(problems, origin->section->place,
                     "[backend %s]: install ca-certificates, or name the CAs with 'ca = FILE.pem'",
                     origin->section->name);
    return false;
}

static bool any_refused(const struct origin *origin)
{
    for (size_t i = 0; i < origin->section->count; i++)
        if (origin->section->entries[i].bad && origin->section->entries[i].key->flags & KEY_FOR_TLS)
            return true;
    return false;
}

void check_server_files(struct config *config, size_t backend, const struct origin *origin,
                        struct problems *problems)
{
    struct backend_tls *tls = &config->backend_tls[backend];
    struct tls_client_settings *settings = &tls->settings;
    if (!tls->used)
        return;
    settings->expiry_warning_s = config->expiry_warning_ms / 1000;
    bool loaded = !settings->pair.certificate.path ||
                  archive_load_pair(config->archive, &settings->pair, origin->section->place, problems);
    loaded = (!settings->verify || load_ca(config->archive, origin, settings, problems)) && loaded;
    if (loaded && settings->min <= settings->max && !any_refused(origin))
        tls_context_free(tls_client_context_new(settings, origin->section->place, problems));
}
