#include "lb/tls/suites.h"

#include <strings.h>

#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include "lb/base/text.h"
#include "lb/base/units.h"
#include "lb/tls/context.h"

enum { NAME_MAX_BYTES = 64 };

/* In the order of Mozilla's intermediate profile, which is the default. Each may be given by its IANA name or
 * by the other. */
static const struct suite {
    const char *iana, *library;
    enum tls_version version;
    uint16_t number;
} SUITES[] = {
    {"TLS_AES_128_GCM_SHA256", "TLS13-AES128-GCM-SHA256", TLS_1_3, 0x1301},
    {"TLS_AES_256_GCM_SHA384", "TLS13-AES256-GCM-SHA384", TLS_1_3, 0x1302},
    {"TLS_CHACHA20_POLY1305_SHA256", "TLS13-CHACHA20-POLY1305-SHA256", TLS_1_3, 0x1303},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", TLS_1_2, 0xc02b},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", TLS_1_2, 0xc02f},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384", TLS_1_2, 0xc02c},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", TLS_1_2, 0xc030},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", TLS_1_2, 0xcca9},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305", TLS_1_2, 0xcca8},
};

enum { SUITE_COUNT = sizeof SUITES / sizeof SUITES[0] };

static const struct {
    const char *name;
    int number;
} GROUPS[] = {
    {"X25519MLKEM768", WOLFSSL_X25519MLKEM768},
    {"X25519", WOLFSSL_ECC_X25519},
    {"SECP256R1", WOLFSSL_ECC_SECP256R1},
    {"SECP384R1", WOLFSSL_ECC_SECP384R1},
    {"SECP521R1", WOLFSSL_ECC_SECP521R1},
    {"SecP256r1MLKEM768", WOLFSSL_SECP256R1MLKEM768},
    {"SecP384r1MLKEM1024", WOLFSSL_SECP384R1MLKEM1024},
};

enum { GROUP_COUNT = sizeof GROUPS / sizeof GROUPS[0] };

_Static_assert((int)GROUP_COUNT == TLS_GROUP_COUNT, "each group has its name");

static const char DEFAULT_GROUPS[] = "X25519MLKEM768:X25519:SECP256R1:SECP384R1";

const char *const *tls_cipher_names(void)
{
    static const char *const names[] = {
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS13-AES128-GCM-SHA256",
        "TLS13-AES256-GCM-SHA384",
        "TLS13-CHACHA20-POLY1305-SHA256",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        NULL,
    };
    return names;
}

const char *const *tls_group_names(void)
{
    static const char *const names[] = {
        "X25519MLKEM768",     "X25519", "SECP256R1", "SECP384R1", "SECP521R1", "SecP256r1MLKEM768",
        "SecP384r1MLKEM1024", NULL,
    };
    _Static_assert(sizeof names / sizeof names[0] == TLS_GROUP_COUNT + 1, "as many as the header says");
    return names;
}

/* The next name of a list; false at its end. Blanks around it are dropped. */
static bool next_name(const char **list, char out[NAME_MAX_BYTES])
{
    if (!**list)
        return false;
    size_t len = strcspn(*list, ":");
    const char *start = *list;
    *list += len + ((*list)[len] == ':');
    while (len > 0 && *start == ' ')
        start++, len--;
    while (len > 0 && start[len - 1] == ' ')
        len--;
    if (len >= NAME_MAX_BYTES)
        len = NAME_MAX_BYTES - 1;
    memcpy(out, start, len);
    out[len] = '\0';
    return true;
}

static void refuse_name(const char *what, const char *name, const char *const *names, struct place place,
                        struct problems *problems)
{
    const char *nearest = units_nearest(name, names);
    if (nearest)
        problems_add(problems, place, "there is no %s \"%s\" here: did you mean %s?", what, name, nearest);
    else
        problems_add(problems, place, "there is no %s \"%s\" here: names are such as %s", what, name,
                     names[0]);
}

/* ---- suites ---- */

static const struct suite *find_suite(const char *name)
{
    for (size_t i = 0; i < SUITE_COUNT; i++)
        if (strcasecmp(SUITES[i].iana, name) == 0 || strcasecmp(SUITES[i].library, name) == 0)
            return &SUITES[i];
    return NULL;
}

static void add_suite(struct text *list, const struct suite *suite)
{
    if (list->len > 0)
        text_addc(list, ':');
    text_adds(list, suite->library);
}

static bool in_range(const struct tls_settings *settings, enum tls_version version)
{
    return settings->min <= version && version <= settings->max;
}

static bool has_all_versions(const struct tls_settings *settings, const bool seen[2], struct place place,
                             struct problems *problems)
{
    static const char *const names[] = {"TLSv1.2", "TLSv1.3"};
    for (int i = 0; i < 2; i++) {
        if (!in_range(settings, i ? TLS_1_3 : TLS_1_2) || seen[i])
            continue;
        problems_add(problems, place, "the ciphers have none for %s: add one, or exclude that version",
                     names[i]);
        return false;
    }
    return true;
}

static bool read_suite_names(const struct tls_settings *settings, struct place place,
                             struct problems *problems, struct text *list)
{
    char name[NAME_MAX_BYTES];
    bool good = true, seen[2] = {false, false};
    for (const char *at = settings->ciphers; next_name(&at, name);) {
        const struct suite *suite = find_suite(name);
        if (suite) {
            add_suite(list, suite);
            seen[suite->version == TLS_1_3] = true;
        } else {
            refuse_name("cipher", name, tls_cipher_names(), place, problems);
            good = false;
        }
    }
    return good && has_all_versions(settings, seen, place, problems);
}

bool suites_read(const struct tls_settings *settings, struct place place, struct problems *problems,
                 char out[SUITES_TEXT_MAX])
{
    struct text list;
    text_init(&list, out, SUITES_TEXT_MAX);
    if (!settings->ciphers) {
        for (size_t i = 0; i < SUITE_COUNT; i++)
            add_suite(&list, &SUITES[i]);
        return true;
    }
    if (!read_suite_names(settings, place, problems, &list))
        return false;
    if (list.truncated)
        problems_add(problems, place, "the list of ciphers is too long: name each once");
    return !list.truncated;
}

size_t suites_numbers(const char *list, uint16_t out[SUITES_MAX])
{
    char name[NAME_MAX_BYTES];
    size_t count = 0;
    while (count < SUITES_MAX && next_name(&list, name)) {
        const struct suite *suite = find_suite(name);
        if (suite)
            out[count++] = suite->number;
    }
    return count;
}

const char *suite_name(unsigned number)
{
    for (size_t i = 0; i < SUITE_COUNT; i++)
        if (SUITES[i].number == number)
            return SUITES[i].iana;
    return NULL;
}

/* ---- groups ---- */

const char *group_name(unsigned number)
{
    for (size_t i = 0; i < GROUP_COUNT; i++)
        if (GROUPS[i].number == (int)number)
            return GROUPS[i].name;
    return NULL;
}

static int find_group(const char *name)
{
    for (size_t i = 0; i < GROUP_COUNT; i++)
        if (strcasecmp(GROUPS[i].name, name) == 0)
            return GROUPS[i].number;
    return 0;
}

bool groups_read(const struct tls_settings *settings, struct place place, struct problems *problems,
                 int out[GROUPS_MAX], int *count)
{
    char name[NAME_MAX_BYTES];
    bool good = true;
    *count = 0;
    for (const char *at = settings->groups ? settings->groups : DEFAULT_GROUPS; next_name(&at, name);) {
        int number = find_group(name);
        if (number == 0) {
            refuse_name("group", name, tls_group_names(), place, problems);
            good = false;
        } else if (*count == GROUPS_MAX) {
            problems_add(problems, place, "the list of groups is too long: name each once");
            return false;
        } else {
            out[(*count)++] = number;
        }
    }
    if (good && *count == 0)
        problems_add(problems, place, "the list of groups is empty");
    return good && *count > 0;
}
