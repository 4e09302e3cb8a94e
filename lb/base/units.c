#include "lb/base/units.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

struct unit {
    const char *suffix;
    uint64_t factor;
};

static bool digits(const char *text, uint64_t *number, const char **end)
{
    uint64_t sum = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *number = sum;
    *end = at;
    return at != text;
}

static bool scaled(uint64_t number, const char *suffix, const struct unit *units, uint64_t *out)
{
    for (; units->suffix; units++) {
        if (strcmp(suffix, units->suffix) != 0)
            continue;
        if (number > UINT64_MAX / units->factor)
            return false;
        *out = number * units->factor;
        return true;
    }
    return false;
}

bool units_duration(const char *text, uint64_t *ms, const char **why)
{
    static const struct unit units[] = {{"ms", 1},           {"s", 1000},
                                        {"m", 60 * 1000},    {"h", 60 * 60 * 1000},
                                        {"d", 24 * 3600000}, {NULL, 0}};
    uint64_t number;
    const char *suffix;
    *why = "write a duration with its unit: 250ms, 10s, 5m, 2h or 1d";
    if (!digits(text, &number, &suffix))
        return false;
    if (number == 0 && *suffix == '\0') {
        *ms = 0;
        return true;
    }
    return scaled(number, suffix, units, ms);
}

bool units_size(const char *text, uint64_t *bytes, const char **why)
{
    static const struct unit units[] = {
        {"", 1}, {"k", 1u << 10}, {"m", 1u << 20}, {"g", 1u << 30}, {NULL, 0}};
    uint64_t number;
    const char *suffix;
    *why = "write a size in bytes, or with k, m or g: 512, 64k, 8m";
    return digits(text, &number, &suffix) && scaled(number, suffix, units, bytes);
}

bool units_number(const char *text, uint64_t *number, const char **why)
{
    const char *end;
    *why = "write a whole number in decimal digits";
    return digits(text, number, &end) && *end == '\0';
}

bool units_bool(const char *text, bool *value, const char **why)
{
    static const char *const words[] = {"yes", "no", "on", "off", "true", "false"};
    *why = "write yes or no";
    for (size_t i = 0; i < 6; i++)
        if (strcmp(text, words[i]) == 0) {
            *value = i % 2 == 0;
            return true;
        }
    return false;
}

#define WORD_MAX 64

/* Edits (insert, drop, replace, swap neighbours) that turn one word into the other. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t la = strlen(a), lb = strlen(b);
    if (la > WORD_MAX || lb > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= lb; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t *row = rows[i % 3], *above = rows[(i - 1) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t best =
                above[j - 1] + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && above2[j - 2] + 1 < best)
                best = above2[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[la % 3][lb];
}

const char *units_nearest(const char *word, const char *const *names)
{
    const char *nearest = NULL;
    size_t limit = strlen(word) / 3 + 2; /* exclusive: two typos in a short word are another word */
    for (; *names; names++) {
        size_t d = distance(word, *names);
        if (d < limit) {
            limit = d;
            nearest = *names;
        }
    }
    return nearest;
}
