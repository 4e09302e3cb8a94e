#include "lb/tls/precheck.h"

enum { WIRE_TLS_1_2 = 0x0303, WIRE_TLS_1_3 = 0x0304 };

static unsigned wire_version(enum tls_version version)
{
    return version == TLS_1_3 ? WIRE_TLS_1_3 : WIRE_TLS_1_2;
}

static const char *version_text(unsigned version)
{
    switch (version) {
    case WIRE_TLS_1_3: return "TLSv1.3";
    case WIRE_TLS_1_2: return "TLSv1.2";
    case 0x0302: return "TLSv1.1";
    case 0x0301: return "TLSv1.0";
    case 0x0300: return "SSLv3";
    default: return "no version known here";
    }
}

static bool check_versions(const struct tls_context *context, const struct hello *hello,
                           struct tls_failure *failure)
{
    unsigned least = wire_version(context->min), most = wire_version(context->max);
    if (hello->version_max < least)
        failure_set(failure, REASON_TLS_VERSION, protocol_version,
                    "the client offers at most %s, this listener demands %s",
                    version_text(hello->version_max), version_text(least));
    else if (hello->version_min > most)
        failure_set(failure, REASON_TLS_VERSION, protocol_version,
                    "the client demands %s, this listener allows at most %s",
                    version_text(hello->version_min), version_text(most));
    else
        return true;
    return false;
}

static bool allows_group(const struct tls_context *context, int group)
{
    for (int i = 0; i < context->group_count; i++)
        if (context->groups[i] == group)
            return true;
    return false;
}

/* wolfSSL would ask for a group that the client did not offer. */
static bool check_groups(const struct tls_context *context, const struct hello *hello,
                         struct tls_failure *failure)
{
    const unsigned char *at = (const unsigned char *)hello->groups.data;
    if (hello->groups.len == 0)
        return true;
    for (size_t i = 0; i + 1 < hello->groups.len; i += 2)
        if (allows_group(context, at[i] << 8 | at[i + 1]))
            return true;
    failure_set(failure, REASON_TLS_CIPHER, ALERT_HANDSHAKE_FAILURE,
                "the client offers none of the groups that this listener allows");
    return false;
}

bool precheck_hello(const struct tls_context *context, const struct hello *hello, struct tls_failure *failure)
{
    return check_versions(context, hello, failure) && check_groups(context, hello, failure);
}
