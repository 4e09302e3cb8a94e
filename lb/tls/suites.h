/* Names of cipher suites and groups, and lists of them as users write them. */
#ifndef LB_TLS_SUITES_H
#define LB_TLS_SUITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lb/base/problems.h"
#include "lb/tls/settings.h"

#define SUITES_TEXT_MAX 512
#define SUITES_MAX      16
#define GROUPS_MAX      8

/* Turns settings->ciphers (NULL: the default) into wolfSSL's list. False after adding what is wrong to
 * `problems`. */
bool suites_read(const struct tls_settings *settings, struct place place, struct problems *problems,
                 char out[SUITES_TEXT_MAX]);

/* The protocol's numbers for what suites_read has given. */
size_t suites_numbers(const char *list, uint16_t out[SUITES_MAX]);

/* By the protocol's numbers: the IANA names of those that are known here, or NULL. */
const char *suite_name(unsigned number);
const char *group_name(unsigned number);

/* Turns settings->groups (NULL: the default) into wolfSSL's numbers, which are those of the protocol. */
bool groups_read(const struct tls_settings *settings, struct place place, struct problems *problems,
                 int out[GROUPS_MAX], int *count);

#endif
