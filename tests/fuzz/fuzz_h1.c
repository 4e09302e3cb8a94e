/* h1_decode: whatever it says of the bytes, it says however they are cut. The first byte picks what is read
 * and by which limits, the second one how it is cut. */
#include "tests/unit/test_h1_transcript.h"

static struct h1_way way_of(uint8_t byte)
{
    struct h1_way way = {
        .kind = byte & 1 ? H1_RESPONSES : H1_REQUESTS,
        .limits = H1_LIMITS,
        .head_request = byte & 2,
        .upgrade = byte & 4,
        .eof = byte & 8,
        .no_trailers = byte & 16,
    };
    if (byte & 32)
        way.limits = (struct http_limits){.header_bytes = 70, .header_count = 3, .uri_bytes = 12};
    return way;
}

static void check_words(const struct h1_transcript *transcript)
{
    const unsigned status = transcript->error.status;
    h1_must(!transcript->invalid || transcript->error.text[0] != '\0');
    h1_must(!transcript->invalid || status == 400 || status == 414 || status == 431 || status == 501 ||
            status == 505);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct h1_way way = way_of(data[0]);
    struct slice bytes = slice_make(data + 2, size - 2);
    struct h1_transcript whole = h1_transcribe(&way, bytes, 0);
    check_words(&whole);
    const size_t cuts[] = {1, 2 + data[1] % 64u};
    for (size_t i = 0; i < 2; i++) {
        struct h1_transcript pieces = h1_transcribe(&way, bytes, cuts[i]);
        h1_must(pieces.len == whole.len && memcmp(pieces.text, whole.text, whole.len) == 0);
        free(pieces.text);
    }
    free(whole.text);
    return 0;
}
