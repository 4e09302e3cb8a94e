/* proxy_read: whatever it says must hold for the whole input and for each prefix, and what it has read can be
 * written and read again. */
#include <stdint.h>
#include <stdlib.h>

#include "lb/net/proxy_protocol.h"

static void check(int condition)
{
    if (!condition)
        abort();
}

static void check_written(const struct proxy_header *header, size_t len, const char *out)
{
    struct proxy_header again;
    check(proxy_read(slice_make(out, len), &again) == PROXY_COMPLETE);
    check(again.len == len && again.origin == PROXY_ORIGIN_GIVEN);
    check(addr_equal(&again.source, &header->source) && addr_equal(&again.destination, &header->destination));
}

static void check_given(const struct proxy_header *header)
{
    char out[PROXY_V1_MAX];
    struct proxy_facts facts = {.source = &header->source, .destination = &header->destination};
    int family = header->source.sa.sa_family;
    check(family == AF_INET || family == AF_INET6);
    check(header->destination.sa.sa_family == family);
    check_written(header, proxy_write_v1(&facts, out), out);
    check_written(header, proxy_write_v2(&facts, out, sizeof(out)), out);
}

static void check_prefixes(const uint8_t *data, size_t len)
{
    struct proxy_header header;
    for (size_t i = 0; i < len; i += 1 + len / 64)
        check(proxy_read(slice_make(data, i), &header) == PROXY_PARTIAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header header;
    enum proxy_result result = proxy_read(slice_make(data, size), &header);
    check((result == PROXY_INVALID) == (header.why != NULL));
    check(result != PROXY_PARTIAL || size < PROXY_V2_MAX);
    if (result != PROXY_COMPLETE)
        return 0;
    check(header.len <= size && header.len <= PROXY_V2_MAX && header.len >= 15);
    check_prefixes(data, header.len);
    if (header.origin == PROXY_ORIGIN_GIVEN)
        check_given(&header);
    return 0;
}
