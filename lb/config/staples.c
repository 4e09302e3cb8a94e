#include "lb/config/staples.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lb/base/clock.h"
#include "lb/base/memory.h"
#include "lb/config/archive.h"
#include "lb/config/files.h"
#include "lb/tls/staple.h"

#define WHAT "the OCSP response"

/* CHAIN.pem.ocsp, else CHAIN.ocsp; NULL: neither is there. */
static char *file_beside(const char *path)
{
    const char *dot = strrchr(path, '.');
    size_t stem = dot && !strchr(dot, '/') ? (size_t)(dot - path) : strlen(path);
    char *longer = mem_printf("%s.ocsp", path);
    if (access(longer, F_OK) == 0)
        return longer;
    free(longer);
    char *shorter = mem_printf("%.*s.ocsp", (int)stem, path);
    if (access(shorter, F_OK) == 0)
        return shorter;
    free(shorter);
    return NULL;
}

static void make_staple(struct tls_pair *pair, struct place place, struct problems *problems)
{
    const char *why;
    pair->staple = staple_new(slice_make(pair->certificate.data, pair->certificate.len), &why);
    if (!pair->staple)
        problems_warn(problems, place, "%s: no OCSP response is stapled: %s", pair->certificate.path, why);
}

static bool load_file(struct archive *archive, struct tls_pair *pair, const char *path, struct place place,
                      struct problems *problems)
{
    struct ocsp_answer answer;
    const char *why;
    char *data;
    size_t len;
    if (!archive_read(archive, path, WHAT, FILES_PAGE_MAX, place, &data, &len, problems))
        return false;
    make_staple(pair, place, problems);
    if (pair->staple && !staple_load(pair->staple, slice_make(data, len), clock_unix_s(), &answer, &why))
        problems_warn(problems, place, "%s is not stapled: %s", path, why);
    free(data);
    return true;
}

static bool load_beside(struct archive *archive, struct tls_pair *pair, struct place place,
                        struct problems *problems)
{
    char *path = file_beside(pair->certificate.path);
    bool good = !path || load_file(archive, pair, path, place, problems);
    free(path);
    return good;
}

static void prepare_fetch(struct tls_pair *pair, struct place place, struct problems *problems)
{
    make_staple(pair, place, problems);
    if (!pair->staple || ocsp_url(staple_subject(pair->staple)->certificate).len > 0)
        return;
    problems_warn(problems, place,
                  "%s: no OCSP response is stapled: the certificate names no responder (http://)",
                  pair->certificate.path);
    staple_drop(pair->staple);
    pair->staple = NULL;
}

static bool check_named(struct archive *archive, struct listener *listener, struct problems *problems)
{
    struct tls_settings *tls = &listener->tls;
    struct place place = file_place(&tls->staple, listener->place);
    if (tls->pair_count == 1)
        return load_file(archive, &tls->pairs[0], tls->staple.path, place, problems);
    problems_add(
        problems, place,
        "ocsp-staple = %s: the listener has several certificates: put CHAIN.pem.ocsp beside each, and "
        "write ocsp-staple = auto",
        tls->staple.path);
    return false;
}

bool check_staples(struct archive *archive, struct listener *listener, struct problems *problems)
{
    struct tls_settings *tls = &listener->tls;
    bool good = true;
    if (tls->staple_mode == STAPLE_FILE)
        return tls->pair_count == 0 || check_named(archive, listener, problems);
    for (size_t i = 0; i < tls->pair_count; i++) {
        struct place place = file_place(&tls->pairs[i].certificate, listener->place);
        if (tls->staple_mode == STAPLE_FETCH)
            prepare_fetch(&tls->pairs[i], place, problems);
        else if (tls->staple_mode == STAPLE_AUTO)
            good = load_beside(archive, &tls->pairs[i], place, problems) && good;
    }
    return good;
}
