#include "lb/http/encode.h"

enum { PIECE = 1024 };

/* ---- base64 ---- */

static char *put_triple(char *out, uint32_t bits)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int shift = 18; shift >= 0; shift -= 6)
        *out++ = digits[bits >> shift & 63];
    return out;
}

static char *put_base64(char *out, const unsigned char *bytes, size_t len)
{
    for (; len >= 3; bytes += 3, len -= 3)
        out = put_triple(out, (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2]);
    if (len == 0)
        return out;
    out = put_triple(out, (uint32_t)bytes[0] << 16 | (len > 1 ? (uint32_t)bytes[1] << 8 : 0));
    out[-1] = '=';
    if (len == 1)
        out[-2] = '=';
    return out;
}

void encode_base64(struct slice bytes, encode_emit *emit, void *sink)
{
    char piece[PIECE];
    while (bytes.len > 0) {
        size_t take = bytes.len < PIECE / 4 * 3 ? bytes.len : PIECE / 4 * 3;
        const char *end = put_base64(piece, (const unsigned char *)bytes.data, take);
        emit(sink, slice_make(piece, (size_t)(end - piece)));
        bytes = slice_make(bytes.data + take, bytes.len - take);
    }
}

/* ---- percent ---- */

static bool unreserved(unsigned char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

static char *put_percent(char *out, unsigned char byte)
{
    static const char digits[] = "0123456789ABCDEF";
    if (unreserved(byte)) {
        *out++ = (char)byte;
        return out;
    }
    *out++ = '%';
    *out++ = digits[byte >> 4];
    *out++ = digits[byte & 15];
    return out;
}

void encode_percent(struct slice bytes, encode_emit *emit, void *sink)
{
    char piece[PIECE], *end = piece;
    for (size_t i = 0; i < bytes.len; i++) {
        end = put_percent(end, (unsigned char)bytes.data[i]);
        if (piece + sizeof(piece) - end >= 3)
            continue;
        emit(sink, slice_make(piece, (size_t)(end - piece)));
        end = piece;
    }
    emit(sink, slice_make(piece, (size_t)(end - piece)));
}

/* ---- time ---- */

static bool leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t days_before(int64_t year) /* since the first day of year 0 */
{
    if (year == 0)
        return 0;
    int64_t past = year - 1;
    return year * 365 + past / 4 - past / 100 + past / 400 + 1;
}

static int64_t year_of(int64_t day)
{
    int64_t year = day / 366; /* never too late */
    while (days_before(year + 1) <= day)
        year++;
    return year;
}

static void add_date(int64_t day, struct text *out)
{
    static const int lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year = year_of(day);
    day -= days_before(year);
    int month = 0;
    for (; month < 11; month++) {
        int len = lengths[month] + (month == 1 && leap(year));
        if (day < len)
            break;
        day -= len;
    }
    text_addf(out, "%04d-%02d-%02d", (int)year, month + 1, (int)day + 1);
}

void encode_time(int64_t seconds, struct text *out)
{
    enum { DAY = 86400, EPOCH = 1970 };
    int64_t since = days_before(EPOCH) * DAY + seconds;
    int clock = (int)(since % DAY);
    add_date(since / DAY, out);
    text_addf(out, "T%02d:%02d:%02dZ", clock / 3600, clock / 60 % 60, clock % 60);
}
