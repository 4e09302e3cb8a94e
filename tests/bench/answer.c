#include "answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void pattern_fill(struct pattern *pattern)
{
    uint64_t x = 88172645463325252U; /* xorshift64: any seed but 0 */
    for (size_t i = 0; i < sizeof pattern->bytes; i++) {
        if (i >= PATTERN_PERIOD) {
            pattern->bytes[i] = pattern->bytes[i - PATTERN_PERIOD];
            continue;
        }
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        pattern->bytes[i] = (unsigned char)x;
    }
}

void answer_make(struct answer *answer, const struct pattern *pattern, uint64_t size)
{
    size_t first = size < ANSWER_INLINE ? (size_t)size : ANSWER_INLINE;
    int len = snprintf((char *)answer->head, sizeof answer->head - ANSWER_INLINE,
                       "HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: application/octet-stream\r\n"
                       "Cache-Control: no-store\r\nContent-Length: %" PRIu64 "\r\n\r\n",
                       size);
    answer->header_len = (uint64_t)len;
    answer->head_len = (size_t)len + first;
    answer->len = answer->header_len + size;
    memcpy(answer->head + len, pattern->bytes, first);
}

size_t answer_at(const struct answer *answer, const struct pattern *pattern, uint64_t offset,
                 const unsigned char **bytes)
{
    if (offset < answer->head_len) {
        *bytes = answer->head + offset;
        return answer->head_len - (size_t)offset;
    }
    uint64_t left = answer->len - offset;
    *bytes = pattern->bytes + (offset - answer->header_len) % PATTERN_PERIOD;
    return left < PATTERN_SPAN ? (size_t)left : PATTERN_SPAN;
}

bool pattern_matches(const struct pattern *pattern, uint64_t offset, const unsigned char *data, size_t len)
{
    for (size_t done = 0, run; done < len; done += run) {
        run = len - done < PATTERN_SPAN ? len - done : PATTERN_SPAN;
        if (memcmp(data + done, pattern->bytes + (offset + done) % PATTERN_PERIOD, run) != 0) {
            return false;
        }
    }
    return true;
}
