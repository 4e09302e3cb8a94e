#include "lb/tls/path.h"

#include "lb/tls/extensions.h"
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

/* Ends the path if its last certificate is one of client-ca, whose own copy takes the place of one that was
 * sent. */
static bool end_at_anchor(const struct trust *trust, struct path *path)
{
    const struct certificate **last = &path->list[path->count - 1];
    for (size_t i = 0; i < trust->anchor_count && !path->anchored; i++) {
        if (!slice_equal(trust->anchors[i].der, (*last)->der))
            continue;
        *last = path->count > 1 ? &trust->anchors[i] : *last;
        path->anchored = true;
    }
    return path->anchored;
}

static void add_issuers(const struct certificate *child, const struct certificate *list, size_t count,
                        const struct path *path, struct candidates *out)
{
    for (size_t i = 0; i < count && out->count < PATH_MAX_LEN; i++)
        if (certificate_issued_by(child, &list[i]) && !in_path(path, &list[i]))
            out->list[out->count++] = &list[i];
}

static bool has_namesake(const struct certificate *list, size_t count, const struct certificate *issuer)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal(list[i].subject, issuer->subject) && !slice_equal(list[i].spki, issuer->spki))
            return true;
    return false;
}

/* Whether key identifiers, not names alone, lead to the candidates. */
static bool are_identified(const struct certificate *child, const struct candidates *among)
{
    for (size_t i = 0; i < among->count; i++)
        if (subject_key_id(among->list[i]->extensions).len == 0)
            return false;
    return authority_key_id(child->extensions).len > 0;
}

/* Whether another key than that of the first candidate could be the issuer's. The library may have taken a
 * namesake that was sent for the issuer, even one that is no candidate here. */
static bool is_doubtful(const struct trust *trust, const struct certificate *child,
                        const struct certificate *sent, size_t count, const struct candidates *among)
{
    const struct certificate *first = among->list[0];
    if (among->count == 0)
        return false;
    for (size_t i = 1; i < among->count; i++)
        if (!slice_equal(among->list[i]->spki, first->spki))
            return true;
    return has_namesake(sent, count, first) ||
           (has_namesake(trust->anchors, trust->anchor_count, first) && !are_identified(child, among));
}

/* A renewed CA has the name, often also the key, of the old one: where keys differ, the signature tells them
 * apart. */
static const struct certificate *choose(const struct trust *trust, const struct certificate *child,
                                        const struct candidates *among, bool doubt, int64_t now)
{
    const struct certificate *chosen = NULL;
    for (size_t i = 0; i < among->count; i++) {
        const struct certificate *issuer = among->list[i];
        bool better = !chosen || (!is_valid_at(chosen, now) && is_valid_at(issuer, now));
        if (better && (!doubt || trust->signed_by(child, issuer)))
            chosen = issuer;
    }
    return chosen;
}

const struct certificate *trust_anchor_named(const struct trust *trust, struct slice name)
{
    for (size_t i = 0; i < trust->anchor_count; i++)
        if (slice_equal(trust->anchors[i].subject, name))
            return &trust->anchors[i];
    return NULL;
}

bool trust_has_anchor(const struct trust *trust, const struct certificate *certificate)
{
    for (size_t i = 0; i < trust->anchor_count; i++)
        if (slice_equal(trust->anchors[i].der, certificate->der))
            return true;
    return false;
}

bool trust_has_crl(const struct trust *trust, struct slice issuer)
{
    for (size_t i = 0; i < trust->crl_count; i++)
        if (slice_equal(trust->crls[i].issuer, issuer))
            return true;
    return false;
}

void path_build(const struct trust *trust, const struct certificate *sent, size_t count, bool confirm,
                int64_t now, struct path *out)
{
    *out = (struct path){.list = {&sent[0]}, .count = 1};
    while (!end_at_anchor(trust, out) && out->count < PATH_MAX_LEN) {
        const struct certificate *last = out->list[out->count - 1];
        struct candidates found = {.count = 0};
        add_issuers(last, trust->anchors, trust->anchor_count, out, &found);
        if (!certificate_self_issued(last))
            add_issuers(last, sent, count, out, &found);
        bool doubt = confirm && is_doubtful(trust, last, sent, count, &found);
        const struct certificate *issuer = choose(trust, last, &found, doubt, now);
        if (!issuer)
            return;
        out->list[out->count++] = issuer;
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
