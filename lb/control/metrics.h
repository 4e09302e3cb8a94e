/* What the master can tell: counters in the Prometheus text format, and the same for people. */
#ifndef LB_CONTROL_METRICS_H
#define LB_CONTROL_METRICS_H

#include <stdio.h>

#include "lb/run/master.h"

void metrics_write(struct master *master, FILE *out); /* Prometheus text exposition format 0.0.4 */
void status_write(struct master *master, FILE *out);

#endif
