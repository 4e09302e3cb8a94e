/*
 * What the origin answers and the load generator expects. A request is "GET /SIZE HTTP/1.1" or
 * "GET /ANY/PREFIX/SIZE HTTP/1.1", header fields and an empty line; its answer is an HTTP header and SIZE
 * bytes of a pattern. The pattern's period is a
 * prime, so that bytes which were lost, repeated or swapped in any block size do not match.
 */
#ifndef BENCH_ANSWER_H
#define BENCH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_PERIOD 65521
#define PATTERN_SPAN   (1 << 20) /* at least that many bytes follow each offset below the period */
#define ANSWER_SMALL   64
#define ANSWER_INLINE  1024 /* bytes of a body that lie behind its header */

struct pattern {
    unsigned char bytes[PATTERN_PERIOD + PATTERN_SPAN];
};

struct answer {
    unsigned char head[192 + ANSWER_INLINE]; /* header and the first bytes: a small answer is one write */
    size_t head_len;
    uint64_t len; /* all bytes of the answer, header included */
    uint64_t header_len;
};

void pattern_fill(struct pattern *pattern);
void answer_make(struct answer *answer, const struct pattern *pattern, uint64_t size);

/* The longest run of contiguous bytes of the answer at `offset`; 0 at its end. */
size_t answer_at(const struct answer *answer, const struct pattern *pattern, uint64_t offset,
                 const unsigned char **bytes);

/* Whether `data` is what stands at `offset` of a body of any size. */
bool pattern_matches(const struct pattern *pattern, uint64_t offset, const unsigned char *data, size_t len);

#endif
