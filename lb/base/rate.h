#ifndef LB_BASE_RATE_H
#define LB_BASE_RATE_H
#include "lb/base/slice.h"
#include <stdint.h>
struct rate_table;
struct rate_table *rate_table_new(size_t entries);
bool rate_take(struct rate_table *table, struct slice key, unsigned limit, uint64_t window_ms, uint64_t now_ms);
#endif
