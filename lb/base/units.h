/* Values with units as users write them. */
#ifndef LB_BASE_UNITS_H
#define LB_BASE_UNITS_H

#include <stdbool.h>
#include <stdint.h>

/* "250ms", "10s", "5m", "2h", "1d"; a bare number is refused except 0. On false *why is a constant text. */
bool units_duration(const char *text, uint64_t *ms, const char **why);

/* "512", "64k", "10m", "1g" (powers of 1024), bytes. */
bool units_size(const char *text, uint64_t *bytes, const char **why);

/* Decimal digits only, without sign or blanks. */
bool units_number(const char *text, uint64_t *number, const char **why);

bool units_bool(const char *text, bool *value, const char **why); /* yes, no, on, off, true, false */

/* The nearest of `names` (NULL-terminated) to `word`, or NULL if none is near enough to suggest. */
const char *units_nearest(const char *word, const char *const *names);

#endif
