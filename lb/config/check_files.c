#include <stdlib.h>

#include "lb/base/clock.h"
#include "lb/base/memory.h"
#include "lb/config/check.h"
#include "lb/config/files.h"
#include "lb/tls/context.h"
#include "lb/tls/digest.h"
#include "lb/tls/ocsp_signer.h"

static struct place line_of(const struct listener *listener, const struct tls_file *file)
{
    return (struct place){listener->place.file, file->line};
}

static bool load(const struct listener *listener, struct tls_file *file, const char *what,
                 struct problems *problems)
{
    return !file->path || files_load(file, what, line_of(listener, file), problems);
}

/* Certificate and key of one file are read once, so that they are of one moment. */
static bool load_pair(struct listener *listener, struct problems *problems)
{
    struct tls_file *certificate = &listener->tls.certificate, *key = &listener->tls.key;
    if (!load(listener, certificate, "the certificate", problems)) {
        if (strcmp(certificate->path, key->path) != 0)
            load(listener, key, "the private key", problems);
        return false;
    }
    if (strcmp(certificate->path, key->path) != 0)
        return load(listener, key, "the private key", problems);
    key->data = mem_copy_n(certificate->data, certificate->len);
    key->len = certificate->len;
    return true;
}

static bool load_signer(struct listener *listener, struct problems *problems)
{
    struct tls_file *signer = &listener->tls.ocsp_signer;
    return !signer->path || (load(listener, signer, "the OCSP signer", problems) &&
                             ocsp_signer_load(signer, line_of(listener, signer), problems));
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

static void check_context(struct listener *listener, const struct origin *origin, struct problems *problems)
{
    struct tls_settings *tls = &listener->tls;
    bool clients = tls->mode == TLS_MUTUAL || tls->mode == TLS_MUTUAL_OPTIONAL;
    if (tls->mode == TLS_OFF)
        return;
    bool complete = tls->certificate.path && tls->min <= tls->max;
    if (clients)
        complete = complete && tls->client_ca.path && (!tls->crl_required || tls->client_crl.path);
    bool loaded = !tls->certificate.path || load_pair(listener, problems);
    loaded = load(listener, &tls->client_ca, "the client CA", problems) && loaded;
    loaded = load(listener, &tls->client_crl, "the revocation list", problems) && loaded;
    loaded = load_signer(listener, problems) && loaded;
    if (complete && loaded && !tls_settings_refused(origin->section, origin->defaults))
        tls_context_free(tls_context_new(tls, listener->place, problems));
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

static bool has_backend(void *context, struct slice name)
{
    return config_backend(context, name) != NULL;
}

static void check_script(struct config *config, const struct listener *listener, const struct origin *origin,
                         struct problems *problems)
{
    const struct script_host host = {.context = config,
                                     .log = discard,
                                     .now_ms = now_ms,
                                     .sha256 = digest_sha256,
                                     .has_backend = has_backend};
    const struct entry *entry = section_entry(origin->section, "script");
    if (entry && !entry->bad)
        script_free(script_new(&listener->script, &host, entry->place, problems));
}

/* The settings that were not refused are the pages, in the same order. */
static void load_pages(struct http_settings *http, const struct section *section, struct problems *problems)
{
    size_t next = 0;
    for (size_t i = 0; i < section->count && next < http->page_count; i++) {
        const struct entry *entry = &section->entries[i];
        if (entry->bad || strcmp(entry->name, "error-page") != 0)
            continue;
        struct error_page *page = &http->pages[next++];
        files_read(page->path, "the error page", FILES_PAGE_MAX, entry->place, &page->body, &page->len,
                   problems);
    }
}

static void check_log(const struct config *config, const struct source *source, struct problems *problems)
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
    check_log(config, source, problems);
    for (size_t i = 0; i < config->listener_count; i++) {
        if (draft->listeners[i].section->repeated)
            continue;
        check_context(&config->listeners[i], &draft->listeners[i], problems);
        check_script(config, &config->listeners[i], &draft->listeners[i], problems);
        load_pages(&config->listeners[i].http, draft->listeners[i].section, problems);
    }
}
