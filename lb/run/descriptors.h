/* How many connections the process may hold, by its limit of file descriptors. */
#ifndef LB_RUN_DESCRIPTORS_H
#define LB_RUN_DESCRIPTORS_H

#include <stdint.h>

/* Raises the soft limit to the hard one; once, at start. */
void descriptors_raise(void);

/* Connections that fit after what lb itself needs, if each takes so many descriptors. */
uint64_t descriptors_connections(unsigned each);

#endif
