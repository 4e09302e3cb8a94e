/* What no single value shows: settings that do not go together, names that lead nowhere, files that cannot be
 * used. */
#ifndef LB_CONFIG_CHECK_H
#define LB_CONFIG_CHECK_H

#include "lb/config/build.h"

/* Links each listener to its backend, and adds a problem for whatever does not fit, with what to do. Touches
 * no file. */
void check_settings(const struct draft *draft, const struct source *source, struct problems *problems);

/* Whether the log could be written. */
void check_log(const struct config *config, const struct source *source, struct problems *problems);

/* Reads the certificates, by the config's archive, makes a context and a script's state of each listener and
 * drops them again. Listeners whose settings are refused already are tried as far as that makes sense. */
void check_files(const struct draft *draft, const struct source *source, struct problems *problems);

#endif
