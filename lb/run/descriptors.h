/* How many connections the process may hold, by its limit of file descriptors. */
#ifndef LB_RUN_DESCRIPTORS_H
#define LB_RUN_DESCRIPTORS_H

#include <stdint.h>

/* Raises the soft limit to the hard one; once, at start. */
void descriptors_raise(void);

/* Connections that fit if each takes so many descriptors, after `own` ones that lb needs itself. */
uint64_t descriptors_connections(unsigned each, uint64_t own);

#endif
