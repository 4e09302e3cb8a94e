#include "lb/run/stapler.h"

#include <stdlib.h>

#include "lb/base/clock.h"
#include "lb/base/memory.h"
#include "lb/net/fetch.h"
#include "lb/tls/staple.h"

enum { TIMEOUT_MS = 10000, FIRST_RETRY_MS = 1000, LAST_RETRY_MS = 300000, SOONEST_MS = 1000 };

/* One certificate. */
struct job {
    struct job *next;
    struct stapler *stapler;
    struct staple *staple; /* held */
    char *path;            /* of the certificate, for the log */
    uv_timer_t timer;
    struct fetch *fetch; /* running, or NULL */
    uint64_t retry_ms;
    bool keep;
};

struct stapler {
    uv_loop_t *loop;
    struct log *log;
    struct job *first;
};

struct stapler *stapler_new(uv_loop_t *loop, struct log *log)
{
    struct stapler *stapler = mem_new(sizeof(*stapler));
    *stapler = (struct stapler){.loop = loop, .log = log};
    return stapler;
}

/* ---- asking ---- */

static void on_due(uv_timer_t *timer);

static void again(struct job *job, uint64_t in_ms)
{
    uv_timer_start(&job->timer, on_due, in_ms > SOONEST_MS ? in_ms : SOONEST_MS, 0);
}

static void failed(struct job *job, enum log_level level, const char *why)
{
    struct slice url = ocsp_url(staple_subject(job->staple)->certificate);
    log_event(job->stapler->log, level,
              "%s: no new OCSP response to staple from %.*s: %s; asked again in %llu s", job->path,
              (int)(url.len < 200 ? url.len : 200), url.data, why, (unsigned long long)job->retry_ms / 1000);
    again(job, job->retry_ms);
    job->retry_ms = job->retry_ms < LAST_RETRY_MS / 2 ? job->retry_ms * 2 : LAST_RETRY_MS;
}

static void on_fetched(void *context, struct slice body, const char *why)
{
    struct job *job = context;
    struct ocsp_answer answer = {.status = OCSP_UNKNOWN};
    int64_t now = clock_unix_s();
    job->fetch = NULL;
    if (why || !staple_load(job->staple, body, now, &answer, &why)) {
        failed(job, answer.status == OCSP_REVOKED ? LOG_ERROR : LOG_WARNING, why);
        return;
    }
    job->retry_ms = FIRST_RETRY_MS;
    again(job, (uint64_t)(answer.until - now) * 1000 / 2);
}

/* A fetch calls back later, or is NULL. */
static void on_due(uv_timer_t *timer)
{
    struct job *job = timer->data;
    const struct ocsp_subject *subject = staple_subject(job->staple);
    char request[OCSP_REQUEST_MAX];
    struct http_url url;
    const char *why = "the certificate cannot be named in a question";
    size_t len = ocsp_request(subject, request);
    if (len == 0 || !http_url_parse(ocsp_url(subject->certificate), &url, &why)) {
        failed(job, LOG_ERROR, why);
        return;
    }
    job->fetch = fetch_post(job->stapler->loop, &url, "application/ocsp-request", slice_make(request, len),
                            TIMEOUT_MS, on_fetched, job);
    if (!job->fetch)
        failed(job, LOG_WARNING, "out of memory or descriptors");
}

/* ---- following snapshots ---- */

static bool same_subject(const struct staple *a, const struct staple *b)
{
    const struct ocsp_subject *left = staple_subject(a), *right = staple_subject(b);
    return slice_equal(left->certificate->der, right->certificate->der) &&
           slice_equal(left->issuer->der, right->issuer->der);
}

static struct job *find_job(const struct stapler *stapler, const struct staple *staple)
{
    struct job *job = stapler->first;
    while (job && !same_subject(job->staple, staple))
        job = job->next;
    return job;
}

typedef void pair_visitor(struct stapler *stapler, struct tls_pair *pair);

static void each_fetched(struct stapler *stapler, const struct config *config, pair_visitor *visit)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct tls_settings *tls = &config->listeners[i].tls;
        for (size_t j = 0; tls->staple_mode == STAPLE_FETCH && j < tls->pair_count; j++)
            if (tls->pairs[j].staple)
                visit(stapler, &tls->pairs[j]);
    }
}

static void take_over(struct stapler *stapler, struct tls_pair *pair)
{
    const struct job *job = find_job(stapler, pair->staple);
    if (!job)
        return;
    staple_drop(pair->staple);
    pair->staple = staple_hold(job->staple);
}

/* The same certificate in two listeners of a new snapshot has two staples, and only one job. */
static void start_or_keep(struct stapler *stapler, struct tls_pair *pair)
{
    struct job *job = find_job(stapler, pair->staple);
    if (job && job->staple == pair->staple) {
        job->keep = true;
        return;
    }
    job = mem_new(sizeof(*job));
    *job = (struct job){.next = stapler->first,
                        .stapler = stapler,
                        .staple = staple_hold(pair->staple),
                        .path = mem_copy(pair->certificate.path),
                        .retry_ms = FIRST_RETRY_MS,
                        .keep = true};
    stapler->first = job;
    uv_timer_init(stapler->loop, &job->timer);
    job->timer.data = job;
    uv_timer_start(&job->timer, on_due, 0, 0);
}

static void on_closed(uv_handle_t *handle)
{
    struct job *job = handle->data;
    staple_drop(job->staple);
    free(job->path);
    free(job);
}

static void drop_others(struct stapler *stapler)
{
    struct job **link = &stapler->first;
    while (*link) {
        struct job *job = *link;
        if (job->keep) {
            link = &job->next;
            continue;
        }
        *link = job->next;
        if (job->fetch)
            fetch_cancel(job->fetch);
        uv_close((uv_handle_t *)&job->timer, on_closed);
    }
}

void stapler_attach(struct stapler *stapler, struct config *config)
{
    each_fetched(stapler, config, take_over);
}

void stapler_follow(struct stapler *stapler, const struct config *config)
{
    for (struct job *job = stapler->first; job; job = job->next)
        job->keep = false;
    each_fetched(stapler, config, start_or_keep);
    drop_others(stapler);
}

void stapler_close(struct stapler *stapler)
{
    for (struct job *job = stapler->first; job; job = job->next)
        job->keep = false;
    drop_others(stapler);
    free(stapler);
}
