/* ${NAME} and ${NAME:-default} in values. */
#ifndef LB_CONFIG_EXPAND_H
#define LB_CONFIG_EXPAND_H

#include "lb/base/problems.h"

/* `value` with the environment put in and $$ made a single '$', without blanks at the ends; owned by the
 * caller. The default is taken where the variable is unset or empty. NULL after adding a problem: a variable
 * that is unset and has no default, a '$' that begins neither form, a control character in what came from the
 * environment. */
char *expand_value(const char *value, struct place place, struct problems *problems);

#endif
