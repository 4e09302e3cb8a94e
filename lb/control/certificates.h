/* `lb ctl certificates`: what is served, trusted and revoked by, and for how long still. */
#ifndef LB_CONTROL_CERTIFICATES_H
#define LB_CONTROL_CERTIFICATES_H

#include <stdio.h>

#include "lb/config/config.h"

/* A line for each certificate of the files in use: listener, what it is for, file, names or subject, kind of
 * key, end and days left (negative: expired); those that end first come first within a listener. */
void certificates_write(const struct config *config, FILE *out);

#endif
