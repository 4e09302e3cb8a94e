#ifndef LB_BASE_CLOCK_H
#define LB_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_us(void);     /* monotonic, microseconds */
int64_t clock_unix_ms(void); /* wall clock, milliseconds since 1970 */
int64_t clock_unix_s(void);  /* the same in seconds */

#endif
