#include "lb/tls/path.h"

#include "lb/tls/names.h"

struct candidates {
    const struct certificate *list[PATH_MAX_LEN];
    size_t count;
};

static bool is_valid_at(const struct certificate *certificate, int64_t now)
{
    return certificate->not_before <= now && now <= certificate->not_after;
}

static bool in_path(const struct path *path, const struct certificate *certificate)
{
    for (size_t i = 0; i < path->count; i++)
        if (path->list[i] == certificate || slice_equal(path->list[i]->der, certificate->der))
            return true;
    return false;
}

static void find_issuers(const struct certificate *child, const struct certificate *list, size_t count,
                         const struct path *path, struct candidates *out)
{
    out->count = 0;
    for (size_t i = 0; i < count && out->count < PATH_MAX_LEN; i++)
        if (certificate_issued_by(child, &list[i]) && !in_path(path, &list[i]))
            out->list[out->count++] = &list[i];
}

/* A renewed CA has the name, often also the key, of the old one. */
static const struct certificate *choose(const struct trust *trust, const struct certificate *child,
                                        const struct candidates *among, int64_t now)
{
    const struct certificate *signer = NULL;
    if (among->count < 2)
        return among->count ? among->list[0] : NULL;
    for (size_t i = 0; i < among->count; i++) {
        if (!trust->signed_by(child, among->list[i]))
            continue;
        if (is_valid_at(among->list[i], now))
            return among->list[i];
        signer = signer ? signer : among->list[i];
    }
    return signer ? signer : among->list[0];
}

static bool is_anchor(const struct trust *trust, const struct certificate *certificate)
{
    for (size_t i = 0; i < trust->anchor_count; i++)
        if (slice_equal(trust->anchors[i].der, certificate->der))
            return true;
    return false;
}

void path_build(const struct trust *trust, const struct certificate *sent, size_t count, int64_t now,
                struct path *out)
{
    *out = (struct path){.list = {&sent[0]}, .count = 1};
    struct candidates found;
    while (out->count < PATH_MAX_LEN) {
        const struct certificate *last = out->list[out->count - 1];
        out->anchored = is_anchor(trust, last);
        if (out->anchored)
            return;
        find_issuers(last, trust->anchors, trust->anchor_count, out, &found);
        out->anchored = found.count > 0;
        if (!out->anchored && !certificate_self_issued(last))
            find_issuers(last, sent, count, out, &found);
        if (found.count == 0)
            return;
        out->list[out->count++] = choose(trust, last, &found, now);
        if (out->anchored)
            return;
    }
}

/* ---- texts ---- */

/* Cuts at a whole character and says so. */
const char *brief_name(struct slice name, char out[BRIEF_MAX])
{
    static const char more[] = "...";
    struct text text;
    text_init(&text, out, BRIEF_MAX);
    if (name.len == 0)
        text_adds(&text, "(no name)");
    name_text(name, &text);
    if (!text.truncated)
        return out;
    size_t end = BRIEF_MAX - sizeof more;
    while (end > 0 && ((unsigned char)out[end] & 0xc0) == 0x80)
        end--;
    memcpy(out + end, more, sizeof more);
    return out;
}

const char *brief_time(int64_t unix_seconds, char out[BRIEF_MAX])
{
    static const size_t whole_seconds = sizeof "2026-01-02T03:04:05" - 1;
    struct text text;
    text_init(&text, out, BRIEF_MAX);
    text_time(&text, unix_seconds * 1000);
    if (text.len > whole_seconds)
        memcpy(out + whole_seconds, "Z", sizeof "Z");
    return out;
}
