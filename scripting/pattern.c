#include "scripting/pattern.h"

#include <string.h>

#define STEPS_BETWEEN_SPENDS 1024

/* One thing that matches one byte, with what repeats it. */
struct item {
    enum { ITEM_ANY, ITEM_BYTE, ITEM_CLASS, ITEM_SET } kind;
    unsigned char byte;    /* ITEM_BYTE, ITEM_CLASS */
    const char *from, *to; /* ITEM_SET: between the brackets, without '^' */
    bool negated;
    char repeat;      /* one of "*+-?", or 0 */
    const char *next; /* behind item and repeat */
};

static const char *match(struct pattern *m, const char *s, const char *p);

static const char *pattern_end(const struct pattern *m)
{
    return m->pattern.data + m->pattern.len;
}

static const char *subject_end(const struct pattern *m)
{
    return m->subject.data + m->subject.len;
}

static const char *fail(struct pattern *m, const char *error)
{
    if (!m->error)
        m->error = error;
    return NULL;
}

static bool over(const struct pattern *m)
{
    return m->error || m->stopped;
}

/* False: stop matching. */
static bool step(struct pattern *m, size_t count)
{
    m->steps += (unsigned)(count < STEPS_BETWEEN_SPENDS ? count : STEPS_BETWEEN_SPENDS);
    if (m->steps >= STEPS_BETWEEN_SPENDS) {
        m->stopped = m->stopped || !m->spend(m->context, m->steps);
        m->steps = 0;
    }
    return !m->stopped;
}

static bool between(unsigned char c, char low, char high)
{
    return c >= (unsigned char)low && c <= (unsigned char)high;
}

static bool is_alnum(unsigned char c)
{
    return between(c, '0', '9') || between(c | 0x20, 'a', 'z');
}

/* As in the C locale, whatever the locale of the process is. */
static bool class_lower(unsigned char c, unsigned char letter)
{
    switch (letter) {
    case 'a': return between(c | 0x20, 'a', 'z');
    case 'c': return c < 0x20 || c == 0x7F;
    case 'd': return between(c, '0', '9');
    case 'g': return between(c, 0x21, 0x7E);
    case 'l': return between(c, 'a', 'z');
    case 'p': return between(c, 0x21, 0x7E) && !is_alnum(c);
    case 's': return c == ' ' || between(c, '\t', '\r');
    case 'u': return between(c, 'A', 'Z');
    case 'w': return is_alnum(c);
    case 'z': return c == '\0'; /* undocumented since Lua 5.2, still answered */
    default: return between(c, '0', '9') || between(c | 0x20, 'a', 'f');
    }
}

/* What stands behind a '%': a class, its complement, or the byte itself. */
static bool class_takes(unsigned char letter, unsigned char c)
{
    unsigned char lower = letter | 0x20;
    if (letter == '\0' || !between(lower, 'a', 'z') || !strchr("acdglpsuwxz", lower))
        return letter == c;
    return class_lower(c, lower) == between(letter, 'a', 'z');
}

static bool set_takes(const struct item *set, unsigned char c)
{
    const char *at = set->from;
    while (at < set->to) {
        if (*at == '%' && at + 1 < set->to) {
            if (class_takes((unsigned char)at[1], c))
                return !set->negated;
            at += 2;
        } else if (at + 2 < set->to && at[1] == '-') {
            if (between(c, at[0], at[2]))
                return !set->negated;
            at += 3;
        } else {
            if ((unsigned char)*at == c)
                return !set->negated;
            at++;
        }
    }
    return set->negated;
}

/* Reads a set from behind its '['; item->next is behind its ']'. A ']' that comes first is an ordinary byte.
 */
static bool read_set(struct pattern *m, const char *p, struct item *item)
{
    const char *end = pattern_end(m);
    item->kind = ITEM_SET;
    item->negated = p < end && *p == '^';
    if (item->negated)
        p++;
    item->from = p;
    do {
        if (p >= end)
            return fail(m, "malformed pattern (missing ']')") != NULL;
        p += *p == '%' && p + 1 < end ? 2 : 1;
    } while (p >= end || *p != ']');
    item->to = p;
    item->next = p + 1;
    return true;
}

static bool read_item(struct pattern *m, const char *p, struct item *item)
{
    const char *end = pattern_end(m);
    *item = (struct item){.kind = *p == '.' ? ITEM_ANY : ITEM_BYTE, .byte = (unsigned char)*p, .next = p + 1};
    if (*p == '%') {
        if (p + 1 >= end)
            return fail(m, "malformed pattern (ends with '%')") != NULL;
        item->kind = ITEM_CLASS;
        item->byte = (unsigned char)p[1];
        item->next = p + 2;
    } else if (*p == '[' && !read_set(m, p + 1, item)) {
        return false;
    }
    if (item->next < end && strchr("*+-?", *item->next) && *item->next)
        item->repeat = *item->next++;
    return true;
}

static bool item_takes(struct pattern *m, const struct item *item, const char *s)
{
    if (!step(m, item->kind == ITEM_SET ? 1 + (size_t)(item->to - item->from) : 1) || s >= subject_end(m))
        return false;
    switch (item->kind) {
    case ITEM_ANY: return true;
    case ITEM_BYTE: return item->byte == (unsigned char)*s;
    case ITEM_CLASS: return class_takes(item->byte, (unsigned char)*s);
    default: return set_takes(item, (unsigned char)*s);
    }
}

/* '*' and '+': as many as there are, then fewer and fewer. */
static const char *match_greedy(struct pattern *m, const struct item *item, const char *s)
{
    const char *at = s;
    while (item_takes(m, item, at))
        at++;
    const char *least = item->repeat == '+' ? s + 1 : s;
    for (; at >= least && !over(m); at--) {
        const char *end = match(m, at, item->next);
        if (end)
            return end;
    }
    return NULL;
}

/* '-': as few as possible, then more and more. */
static const char *match_lazy(struct pattern *m, const struct item *item, const char *s)
{
    for (;; s++) {
        const char *end = match(m, s, item->next);
        if (end)
            return end;
        if (over(m) || !item_takes(m, item, s))
            return NULL;
    }
}

/* %bxy: a run in which x and y are balanced. */
static const char *skip_balanced(struct pattern *m, const char *s, const char *p)
{
    if (p + 1 >= pattern_end(m))
        return fail(m, "malformed pattern (missing arguments to '%b')");
    const char *end = subject_end(m);
    if (s >= end || *s != p[0])
        return NULL;
    size_t open = 1;
    for (const char *at = s + 1; at < end && step(m, 1); at++) {
        if (*at == p[1]) {
            if (--open == 0)
                return at + 1;
        } else if (*at == p[0]) {
            open++;
        }
    }
    return NULL;
}

/* %1 to %9: the same bytes again. */
static const char *skip_repetition(struct pattern *m, const char *s, char digit)
{
    unsigned i = (unsigned)(digit - '1');
    if (digit == '0' || i >= m->captures || m->capture[i].state == PATTERN_OPEN)
        return fail(m, "malformed pattern (invalid capture index)");
    const struct pattern_capture *capture = &m->capture[i];
    if (capture->state == PATTERN_POSITION || (size_t)(subject_end(m) - s) < capture->len)
        return NULL;
    if (!step(m, 1 + capture->len / 16) || memcmp(capture->start, s, capture->len) != 0)
        return NULL;
    return s + capture->len;
}

/* %f[set]: between a byte outside the set and one inside; both ends of the subject count as NUL. */
static const char *match_frontier(struct pattern *m, const char *s, const char *p)
{
    struct item set;
    if (p >= pattern_end(m) || *p != '[')
        return fail(m, "malformed pattern (missing '[' after '%f')");
    if (!read_set(m, p + 1, &set) || !step(m, 2 * (size_t)(set.to - set.from)))
        return NULL;
    unsigned char before = s == m->subject.data ? '\0' : (unsigned char)s[-1];
    unsigned char here = s == subject_end(m) ? '\0' : (unsigned char)*s;
    return !set_takes(&set, before) && set_takes(&set, here) ? match(m, s, set.next) : NULL;
}

static const char *match_open(struct pattern *m, const char *s, const char *p)
{
    bool position = p < pattern_end(m) && *p == ')';
    if (m->captures >= PATTERN_CAPTURES)
        return fail(m, "malformed pattern (too many captures)");
    m->capture[m->captures++] = (struct pattern_capture){s, 0, position ? PATTERN_POSITION : PATTERN_OPEN};
    const char *end = match(m, s, position ? p + 1 : p);
    if (!end)
        m->captures--;
    return end;
}

static const char *match_close(struct pattern *m, const char *s, const char *p)
{
    unsigned i = m->captures;
    while (i > 0 && m->capture[i - 1].state != PATTERN_OPEN)
        i--;
    if (i == 0)
        return fail(m, "malformed pattern (unexpected ')')");
    struct pattern_capture *capture = &m->capture[i - 1];
    capture->len = (size_t)(s - capture->start);
    capture->state = PATTERN_CLOSED;
    const char *end = match(m, s, p);
    if (!end)
        capture->state = PATTERN_OPEN;
    return end;
}

static const char *match_item(struct pattern *m, const char *s, const struct item *item)
{
    const char *end;
    switch (item->repeat) {
    case '*':
    case '+': return match_greedy(m, item, s);
    case '-': return match_lazy(m, item, s);
    default: /* '?' */
        end = item_takes(m, item, s) ? match(m, s + 1, item->next) : NULL;
        return end || over(m) ? end : match(m, s, item->next);
    }
}

/* What needs no way back is done in this loop, without recursion: long plain patterns are not "too complex".
 */
static const char *match_run(struct pattern *m, const char *s, const char *p)
{
    const char *end = pattern_end(m);
    while (p < end && !over(m)) {
        if (*p == '(')
            return match_open(m, s, p + 1);
        if (*p == ')')
            return match_close(m, s, p + 1);
        if (*p == '$' && p + 1 == end)
            return s == subject_end(m) ? s : NULL;
        if (*p == '%' && p + 1 < end && p[1] == 'f')
            return match_frontier(m, s, p + 2);
        if (*p == '%' && p + 1 < end && (p[1] == 'b' || between((unsigned char)p[1], '0', '9'))) {
            s = p[1] == 'b' ? skip_balanced(m, s, p + 2) : skip_repetition(m, s, p[1]);
            p += p[1] == 'b' ? 4 : 2;
            if (!s)
                return NULL;
            continue;
        }
        struct item item;
        if (!read_item(m, p, &item))
            return NULL;
        if (item.repeat)
            return match_item(m, s, &item);
        if (!item_takes(m, &item, s))
            return NULL;
        s++;
        p = item.next;
    }
    return over(m) ? NULL : s;
}

static const char *match(struct pattern *m, const char *s, const char *p)
{
    if (m->depth >= PATTERN_DEPTH)
        return fail(m, "pattern too complex");
    m->depth++;
    const char *end = step(m, 1) ? match_run(m, s, p) : NULL;
    m->depth--;
    return end;
}

const char *pattern_at(struct pattern *pattern, const char *at)
{
    pattern->captures = 0;
    pattern->depth = 0;
    return match(pattern, at, pattern->pattern.data);
}

const char *pattern_search(struct pattern *pattern, const char *at, bool anchored, const char **end)
{
    const char *last = subject_end(pattern);
    for (; at <= last && !over(pattern); at++) {
        *end = pattern_at(pattern, at);
        if (*end)
            return at;
        if (anchored)
            return NULL;
    }
    return NULL;
}

bool pattern_capture(struct pattern *pattern, unsigned i, const char *start, const char *end,
                     struct pattern_capture *out)
{
    if (i >= pattern->captures) {
        if (i != 0)
            return fail(pattern, "invalid capture index") != NULL;
        *out = (struct pattern_capture){start, (size_t)(end - start), PATTERN_CLOSED};
        return true;
    }
    *out = pattern->capture[i];
    if (out->state == PATTERN_OPEN)
        return fail(pattern, "malformed pattern (unfinished capture)") != NULL;
    return true;
}

const char *pattern_plain(struct slice subject, const char *at, struct slice needle)
{
    size_t left = subject.len - (size_t)(at - subject.data);
    return needle.len == 0 ? at : memmem(at, left, needle.data, needle.len);
}
