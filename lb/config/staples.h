/* What is stapled to a listener's certificates. */
#ifndef LB_CONFIG_STAPLES_H
#define LB_CONFIG_STAPLES_H

#include "lb/config/archive.h"
#include "lb/config/config.h"

/* Gives each pair, whose certificate is loaded, its staple; the response of a file is put in. What cannot be
 * stapled is warned of and left out. False after adding a problem: a file that is named cannot be read. */
bool check_staples(struct archive *archive, struct listener *listener, struct problems *problems);

#endif
