/* "50/s ipv4=24 ipv6=56" */
#include <string.h>

#include "lb/base/units.h"
#include "lb/config/config.h"
#include "lb/config/values.h"

enum { LIMIT_MAX = 1000000, WORD_MAX = 24 };

static bool read_number(struct slice text, uint64_t most, uint64_t *out)
{
    char word[WORD_MAX];
    const char *why;
    if (text.len >= sizeof(word))
        return false;
    memcpy(word, text.data, text.len);
    word[text.len] = '\0';
    return units_number(word, out, &why) && *out >= 1 && *out <= most;
}

static uint64_t unit_ms(struct slice unit)
{
    if (slice_is(unit, "s"))
        return 1000;
    if (slice_is(unit, "m"))
        return 60 * 1000;
    return slice_is(unit, "h") ? 3600 * 1000 : 0;
}

static bool read_limit(struct slice word, struct handshake_rate *rate)
{
    const char *slash = memchr(word.data, '/', word.len);
    uint64_t limit;
    if (!slash)
        return false;
    size_t len = (size_t)(slash - word.data);
    rate->window_ms = unit_ms(slice_make(slash + 1, word.len - len - 1));
    if (rate->window_ms == 0 || !read_number(slice_make(word.data, len), LIMIT_MAX, &limit))
        return false;
    rate->limit = (unsigned)limit;
    return true;
}

static bool read_bits(struct slice word, const char *name, uint64_t most, unsigned *bits)
{
    uint64_t number;
    size_t len = strlen(name);
    if (word.len <= len || memcmp(word.data, name, len) != 0 ||
        !read_number(slice_make(word.data + len, word.len - len), most, &number))
        return false;
    *bits = (unsigned)number;
    return true;
}

bool value_handshake_rate(const struct setting *setting, void *object)
{
    struct handshake_rate *rate = &((struct listener *)object)->handshake_rate;
    const char *at = setting->value;
    struct slice word = value_word(&at, "");
    *rate = (struct handshake_rate){.bits4 = 24, .bits6 = 56};
    if (slice_is(word, "off")) {
        if (value_word(&at, "").len)
            return value_refuse(setting, "nothing follows 'off'");
        return true;
    }
    if (!read_limit(word, rate))
        return value_refuse(setting,
                            "write off, or how many in a second, minute or hour: 50/s, 600/m, 3600/h "
                            "(1 to 1000000)");
    for (word = value_word(&at, ""); word.len; word = value_word(&at, ""))
        if (!read_bits(word, "ipv4=", 32, &rate->bits4) && !read_bits(word, "ipv6=", 128, &rate->bits6))
            return value_refuse(setting,
                                "what follows the rate is ipv4= with 1 to 32 or ipv6= with 1 to 128: the "
                                "bits of an address that tell sources apart");
    return true;
}
