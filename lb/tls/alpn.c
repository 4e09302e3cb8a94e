#include "lb/tls/alpn.h"

static bool is_offered(struct slice name, struct slice offered)
{
    const unsigned char *at = (const unsigned char *)offered.data;
    for (size_t i = 0; i < offered.len; i += 1 + (size_t)at[i])
        if (i + 1 + at[i] <= offered.len && slice_equal(name, slice_make(at + i + 1, at[i])))
            return true;
    return false;
}

/* The library would follow the client's order: it is told the one name that ours leads to. */
static bool agree(WOLFSSL *ssl, struct slice name)
{
    char text[256];
    if (name.len >= sizeof(text))
        return true;
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    return wolfSSL_UseALPN(ssl, text, (unsigned)name.len, WOLFSSL_ALPN_CONTINUE_ON_MISMATCH) ==
           WOLFSSL_SUCCESS;
}

bool alpn_choose(WOLFSSL *ssl, const char *ours, struct slice offered)
{
    while (ours && *ours) {
        struct slice name = slice_make(ours, strcspn(ours, ","));
        if (name.len > 0 && is_offered(name, offered))
            return agree(ssl, name);
        ours += name.len + (ours[name.len] == ',');
    }
    return true;
}
