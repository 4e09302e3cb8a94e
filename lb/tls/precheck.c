#include "lb/tls/precheck.h"

#include <stdio.h>

#include "lb/base/text.h"

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
    if (hello->version_max < WIRE_TLS_1_2)
        failure_set(
            failure, REASON_TLS_VERSION, protocol_version,
            "the client offers only %s, which is broken: update the client (lb has TLSv1.2 and TLSv1.3)",
            version_text(hello->version_max));
    else if (hello->version_max < least)
        failure_set(
            failure, REASON_TLS_VERSION, protocol_version,
            "the client offers at most %s, this listener demands %s: update the client, or set tls-min = 1.2",
            version_text(hello->version_max), version_text(least));
    else if (hello->version_min > most)
        failure_set(failure, REASON_TLS_VERSION, protocol_version,
                    "the client demands %s, this listener allows at most %s: set tls-max = 1.3",
                    version_text(hello->version_min), version_text(most));
    else
        return true;
    return false;
}

/* ---- lists of numbers, two bytes each ---- */

static unsigned number_at(struct slice list, size_t i)
{
    const unsigned char *at = (const unsigned char *)list.data + 2 * i;
    return (unsigned)(at[0] << 8 | at[1]);
}

static bool has_number(struct slice list, unsigned number)
{
    for (size_t i = 0; i < list.len / 2; i++)
        if (number_at(list, i) == number)
            return true;
    return false;
}

enum { LISTED_MAX = 96 };

/* RFC 8701: values that mean nothing. */
static bool is_grease(unsigned number)
{
    return (number & 0x0f0f) == 0x0a0a && number >> 8 == (number & 0xff);
}

/* As many as there is room for. */
static const char *listed(struct slice list, const char *name_of(unsigned number), char out[LISTED_MAX])
{
    struct text text;
    text_init(&text, out, LISTED_MAX);
    for (size_t i = 0; i < list.len / 2; i++) {
        char hexadecimal[8];
        unsigned number = number_at(list, i);
        const char *name = name_of(number);
        snprintf(hexadecimal, sizeof hexadecimal, "0x%04x", number & 0xffff);
        if (is_grease(number))
            continue;
        if (text.len + strlen(name ? name : hexadecimal) + sizeof ", ..." > LISTED_MAX) {
            text_adds(&text, ", ...");
            break;
        }
        text_adds(&text, text.len > 0 ? ", " : "");
        text_adds(&text, name ? name : hexadecimal);
    }
    return out;
}

/* ---- suites ---- */

static bool is_tls13_suite(unsigned number)
{
    return number >> 8 == 0x13;
}

static bool is_rsa_suite(unsigned number)
{
    return number == 0xc02f || number == 0xc030 || number == 0xcca8;
}

static bool has_rsa_key(const struct tls_context *context)
{
    return strncmp(context->own.key, "RSA", 3) == 0;
}

/* How far the client and the listener agree on some suite. */
enum agreement { AGREE_ON_NONE, AGREE_BUT_KEY, AGREE };

static enum agreement agreement_on_suites(const struct tls_context *context, const struct hello *hello)
{
    enum agreement best = AGREE_ON_NONE;
    bool tls13 = hello->version_max >= WIRE_TLS_1_3 && context->max == TLS_1_3;
    for (size_t i = 0; i < context->suite_count; i++) {
        unsigned number = context->suites[i];
        if (!has_number(hello->suites, number))
            continue;
        if (is_tls13_suite(number) ? tls13 : is_rsa_suite(number) == has_rsa_key(context))
            return AGREE;
        if (!is_tls13_suite(number))
            best = AGREE_BUT_KEY;
    }
    return best;
}

static bool check_suites(const struct tls_context *context, const struct hello *hello,
                         struct tls_failure *failure)
{
    char offered[LISTED_MAX];
    enum agreement agreement = agreement_on_suites(context, hello);
    bool rsa = has_rsa_key(context);
    if (agreement == AGREE_ON_NONE)
        failure_set(
            failure, REASON_TLS_CIPHER, ALERT_HANDSHAKE_FAILURE,
            "the client offers none of this listener's cipher suites, but %s: update it, or extend ciphers",
            listed(hello->suites, suite_name, offered));
    else if (agreement == AGREE_BUT_KEY)
        failure_set(
            failure, REASON_TLS_CIPHER, ALERT_HANDSHAKE_FAILURE,
            "the client only takes certificates with %s keys, and the one for this name has an %s key: add a "
            "second certificate",
            rsa ? "EC" : "RSA", rsa ? "RSA" : "EC");
    return agreement == AGREE;
}

/* ---- signatures ---- */

static bool can_verify(const struct tls_context *context, const struct hello *hello)
{
    bool tls13 = hello->version_max >= WIRE_TLS_1_3 && context->max == TLS_1_3;
    for (size_t i = 0; i < hello->signatures.len / 2; i++) {
        unsigned scheme = number_at(hello->signatures, i);
        if (signatures_allow(&context->signatures, scheme) &&
            signature_fits(scheme, &context->own, tls13 ? TLS_1_3 : TLS_1_2))
            return true;
    }
    return false;
}

static bool check_signatures(const struct tls_context *context, const struct hello *hello,
                             struct tls_failure *failure)
{
    char offered[LISTED_MAX];
    bool known = has_rsa_key(context) || context->own.scheme[0];
    if (hello->signatures.len == 0 || !known || can_verify(context, hello))
        return true;
    failure_set(failure, REASON_TLS_CIPHER, ALERT_HANDSHAKE_FAILURE,
                "the client verifies no signature of this listener's %s key, but %s: add a certificate with "
                "such a key",
                context->own.key, listed(hello->signatures, signature_name, offered));
    return false;
}

/* ---- groups ---- */

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
    char offered[LISTED_MAX];
    for (size_t i = 0; i < hello->groups.len / 2; i++)
        if (allows_group(context, (int)number_at(hello->groups, i)))
            return true;
    if (hello->groups.len == 0)
        return true;
    failure_set(failure, REASON_TLS_CIPHER, ALERT_HANDSHAKE_FAILURE,
                "the client offers none of this listener's groups, but %s: add one of them to groups",
                listed(hello->groups, group_name, offered));
    return false;
}

bool precheck_hello(const struct tls_context *context, const struct hello *hello, struct tls_failure *failure)
{
    return check_versions(context, hello, failure) && check_suites(context, hello, failure) &&
           check_signatures(context, hello, failure) && check_groups(context, hello, failure);
}
