/* Names of cipher suites and groups, and lists of them as users write them. */
#ifndef LB_TLS_SUITES_H
#define LB_TLS_SUITES_H

#include <stdbool.h>
#include <stddef.h>

#include "lb/base/problems.h"
#include "lb/tls/settings.h"

#define SUITES_TEXT_MAX 512
#define GROUPS_MAX      8

/* Turns settings->ciphers (NULL: the default) into wolfSSL's list. False after adding what is wrong to
 * `problems`. */
bool suites_read(const struct tls_settings *settings, struct place place, struct problems *problems,
                 char out[SUITES_TEXT_MAX]);

/* Turns settings->groups (NULL: the default) into wolfSSL's numbers, which are those of the protocol. */
bool groups_read(const struct tls_settings *settings, struct place place, struct problems *problems,
                 int out[GROUPS_MAX], int *count);

#endif
