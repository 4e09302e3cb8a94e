#include "lb/tls/der.h"

static bool read_length(const uint8_t *bytes, size_t left, size_t *len, size_t *used)
{
    if (left < 1)
        return false;
    *used = 1;
    *len = bytes[0];
    if (bytes[0] < 0x80)
        return true;
    size_t count = bytes[0] & 0x7f;
    if (count == 0 || count > 3 || left < 1 + count)
        return false;
    *len = 0;
    for (size_t i = 1; i <= count; i++)
        *len = *len << 8 | bytes[i];
    *used = 1 + count;
    return *len >= 0x80 && (count == 1 || *len >> 8 * (count - 1) != 0); /* minimal */
}

bool der_next(struct slice *in, unsigned *tag, struct slice *content)
{
    const uint8_t *bytes = (const uint8_t *)in->data;
    size_t len, used;
    if (in->len < 2 || (bytes[0] & 0x1f) == DER_UNSUPPORTED_TAG)
        return false;
    if (!read_length(bytes + 1, in->len - 1, &len, &used) || len > in->len - 1 - used)
        return false;
    *tag = bytes[0];
    *content = slice_make(bytes + 1 + used, len);
    *in = slice_make(bytes + 1 + used + len, in->len - 1 - used - len);
    return true;
}

bool der_is(struct slice in, unsigned tag)
{
    return in.len > 0 && (uint8_t)in.data[0] == tag;
}

bool der_take(struct slice *in, unsigned tag, struct slice *content)
{
    unsigned found;
    return der_is(*in, tag) && der_next(in, &found, content);
}

bool der_take_whole(struct slice *in, unsigned tag, struct slice *whole)
{
    struct slice start = *in, content;
    if (!der_take(in, tag, &content))
        return false;
    *whole = slice_make(start.data, start.len - in->len);
    return true;
}

bool der_skip(struct slice *in, unsigned tag)
{
    struct slice content;
    return !der_is(*in, tag) || der_take(in, tag, &content);
}

bool der_only(struct slice in, unsigned tag, struct slice *content)
{
    return der_take(&in, tag, content) && in.len == 0;
}

/* ---- time ---- */

static bool two_digits(const char *text, int *number)
{
    if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9')
        return false;
    *number = (text[0] - '0') * 10 + (text[1] - '0');
    return true;
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar. */
static int64_t days_from_civil(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static int days_of(int month, int year)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool read_clock(const char *text, int year, int64_t *unix_seconds)
{
    int month, day, hour, minute, second;
    if (!two_digits(text, &month) || !two_digits(text + 2, &day) || !two_digits(text + 4, &hour) ||
        !two_digits(text + 6, &minute) || !two_digits(text + 8, &second) || text[10] != 'Z')
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_of(month, year) || hour > 23 || minute > 59 ||
        second > 59)
        return false;
    *unix_seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}

bool der_take_time(struct slice *in, int64_t *unix_seconds)
{
    struct slice text;
    int high, low;
    if (der_is(*in, DER_UTC_TIME))
        return der_take(in, DER_UTC_TIME, &text) && text.len == 13 && two_digits(text.data, &low) &&
               read_clock(text.data + 2, low < 50 ? 2000 + low : 1900 + low, unix_seconds);
    return der_take(in, DER_GENERALIZED_TIME, &text) && text.len == 15 && two_digits(text.data, &high) &&
           two_digits(text.data + 2, &low) && read_clock(text.data + 4, high * 100 + low, unix_seconds);
}

/* ---- numbers, bits, OIDs ---- */

bool der_boolean(struct slice content, bool *value)
{
    uint8_t byte = content.len == 1 ? (uint8_t)content.data[0] : 0x7f;
    *value = byte == 0xff;
    return *value || byte == 0;
}

bool der_is_natural(struct slice content)
{
    return content.len > 0 && !(content.data[0] & 0x80) &&
           (content.len == 1 || content.data[0] != 0 || content.data[1] & 0x80);
}

bool der_bits(struct slice content, struct slice *bytes)
{
    if (content.len < 1 || content.data[0] != 0)
        return false;
    *bytes = slice_make(content.data + 1, content.len - 1);
    return true;
}

static void add_first_arcs(struct text *out, uint64_t arc)
{
    unsigned first = arc < 40 ? 0 : arc < 80 ? 1 : 2;
    text_addu(out, first);
    text_addc(out, '.');
    text_addu(out, arc - 40 * first);
}

bool der_oid_text(struct slice oid, struct text *out)
{
    uint64_t arc = 0;
    bool first = true, inside = false;
    for (size_t i = 0; i < oid.len; i++) {
        uint8_t byte = (uint8_t)oid.data[i];
        if (arc >> 57 != 0 || (!inside && byte == 0x80))
            return false;
        arc = arc << 7 | (byte & 0x7f);
        inside = byte & 0x80;
        if (inside)
            continue;
        if (first)
            add_first_arcs(out, arc);
        else
            text_addc(out, '.'), text_addu(out, arc);
        first = false;
        arc = 0;
    }
    return oid.len > 0 && !inside;
}
