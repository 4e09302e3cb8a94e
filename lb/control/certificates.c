#include "lb/control/certificates.h"

#include <stdlib.h>

#include "lb/base/clock.h"
#include "lb/base/memory.h"
#include "lb/base/text.h"
#include "lb/tls/crl.h"
#include "lb/tls/keys.h"
#include "lb/tls/names.h"
#include "lb/tls/path.h"
#include "lb/tls/pem.h"

#define NAMES_MAX 256

struct line {
    int64_t end; /* CRL_NEVER: none */
    char text[1024];
};

struct lines {
    struct line *list;
    size_t count;
};

static struct line *add_line(struct lines *lines, int64_t end)
{
    lines->list = mem_grow(lines->list, (lines->count + 1) * sizeof(*lines->list));
    lines->list[lines->count].end = end;
    return &lines->list[lines->count++];
}

static int sooner(const void *a, const void *b)
{
    int64_t left = ((const struct line *)a)->end, right = ((const struct line *)b)->end;
    return left < right ? -1 : left > right;
}

/* ---- certificates ---- */

static void add_name(void *context, const char *name)
{
    struct text *names = context;
    if (names->len > 0)
        text_addc(names, ',');
    text_adds(names, name);
}

static const char *kind_of_key(const struct certificate *certificate, char out[32])
{
    struct key_facts key;
    if (!key_read(certificate->spki, &key) || !key_name(key.kind))
        return "-";
    snprintf(out, 32, "%s-%u", key_name(key.kind), key.bits);
    return out;
}

static void describe(const struct certificate *certificate, bool own, char out[NAMES_MAX])
{
    struct text names;
    text_init(&names, out, NAMES_MAX);
    if (own)
        tls_site_names(certificate, add_name, &names);
    if (names.len > 0)
        return;
    certificate_subject(certificate, out, NAMES_MAX);
}

static void add_certificate(struct lines *lines, const struct certificate *certificate, const char *what,
                            const char *path, bool own)
{
    char names[NAMES_MAX], key[32], when[BRIEF_MAX];
    struct line *line = add_line(lines, certificate->not_after);
    describe(certificate, own, names);
    snprintf(line->text, sizeof(line->text), "%s %s key=%s ends=%s days=%lld file=%s", what, names,
             kind_of_key(certificate, key), brief_time(certificate->not_after, when),
             (long long)((certificate->not_after - clock_unix_s()) / 86400), path);
}

/* All of a PEM file; `rest`: what those behind the first are. */
static void add_file(struct lines *lines, const struct tls_file *file, const char *first, const char *rest)
{
    struct slice pem = {file->data, file->len};
    struct certificate certificate;
    const char *why;
    size_t len;
    char *room = mem_new(file->len + 1);
    for (size_t number = 0; certificate_next_pem(&pem, room, &len, &why); number++)
        if (certificate_open(slice_make(room, len), &certificate, &why))
            add_certificate(lines, &certificate, number == 0 ? first : rest, file->path,
                            number == 0 && first != rest);
    free(room);
}

/* ---- revocation lists ---- */

static void add_crl(struct lines *lines, const struct crl *crl, const char *path)
{
    char issuer[BRIEF_MAX], when[BRIEF_MAX] = "never";
    struct line *line = add_line(lines, crl->next_update);
    long long days = 0;
    if (crl->next_update != CRL_NEVER) {
        brief_time(crl->next_update, when);
        days = (crl->next_update - clock_unix_s()) / 86400;
    }
    snprintf(line->text, sizeof(line->text), "crl %s revoked=%zu ends=%s days=%lld file=%s",
             brief_name(crl->issuer, issuer), crl->count, when, days, path);
}

static void add_crl_der(struct lines *lines, struct slice der, const char *path)
{
    struct crl crl;
    const char *why;
    if (!crl_open(der, &crl, &why))
        return;
    add_crl(lines, &crl, path);
    crl_close(&crl);
}

static void add_crl_file(struct lines *lines, const struct tls_file *file)
{
    struct slice rest = {file->data, file->len};
    struct pem_block block;
    const char *why;
    size_t len;
    if (rest.len > 0 && rest.data[0] == 0x30) {
        add_crl_der(lines, rest, file->path);
        return;
    }
    char *der = mem_new(file->len + 1);
    while (pem_next(&rest, &block, &why))
        if (slice_is(block.label, "X509 CRL") && pem_decode(block.body, der, &len))
            add_crl_der(lines, slice_make(der, len), file->path);
    free(der);
}

/* ---- listeners ---- */

static void add_clients(struct lines *lines, const struct tls_settings *tls)
{
    if (!tls_mode_asks(tls->mode))
        return;
    if (tls->client_ca.data)
        add_file(lines, &tls->client_ca, "client-ca", "client-ca");
    for (size_t i = 0; i < tls->crl_count; i++)
        add_crl_file(lines, &tls->crls[i]);
}

static void write_lines(struct lines *lines, const struct listener *listener, FILE *out)
{
    if (lines->count > 0)
        qsort(lines->list, lines->count, sizeof(*lines->list), sooner);
    for (size_t i = 0; i < lines->count; i++)
        fprintf(out, "%s%s%s %s\n", listener->name, listener->host ? "/" : "",
                listener->host ? listener->host : "", lines->list[i].text);
    free(lines->list);
}

static void write_listener(const struct listener *listener, FILE *out)
{
    struct lines lines = {0};
    for (size_t i = 0; !listener->host && i < listener->tls.pair_count; i++)
        if (listener->tls.pairs[i].certificate.data)
            add_file(&lines, &listener->tls.pairs[i].certificate, "certificate", "intermediate");
    add_clients(&lines, &listener->tls);
    write_lines(&lines, listener, out);
    for (size_t i = 0; i < listener->policy_count; i++)
        write_listener(&listener->policies[i], out);
}

void certificates_write(const struct config *config, FILE *out)
{
    for (size_t i = 0; i < config->listener_count; i++)
        if (config->listeners[i].tls.mode != TLS_OFF)
            write_listener(&config->listeners[i], out);
}
