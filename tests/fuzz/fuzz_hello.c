/* hello_read: whatever it says must hold, for the whole input and for each prefix that it called partial. */
#include <stdint.h>
#include <stdlib.h>

#include "lb/tls/hello.h"

static void check(int condition)
{
    if (!condition)
        abort();
}

static void check_complete(struct slice wire, const struct hello *hello, struct slice record)
{
    check(hello->wire_len <= wire.len && hello->records > 0);
    check(record.len > 9 && record.len <= HELLO_MAX + 5 && record.data[0] == 22);
    check(hello->alpn.len <= record.len && hello->groups.len <= record.len);
    check(memchr(hello->name, 0, sizeof hello->name) != NULL);
    for (const char *at = hello->name; *at; at++)
        check((unsigned char)*at > ' ' && (unsigned char)*at < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char flat[HELLO_MAX + 5];
    struct hello hello;
    struct slice wire = slice_make(data, size), record;
    enum hello_result result = hello_read(wire, flat, &hello, &record);
    check(result != HELLO_INVALID || hello.why != NULL);
    if (result != HELLO_COMPLETE)
        return 0;
    check_complete(wire, &hello, record);
    check(hello_read(slice_make(data, hello.wire_len - 1), flat, &hello, &record) == HELLO_PARTIAL);
    return 0;
}
