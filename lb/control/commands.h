/* The subcommands of `lb` other than run, for main.c. Each returns the exit code (enum exit_code, but
 * authorize: 0 allow, 1 deny, 2 error). */
#ifndef LB_CONTROL_COMMANDS_H
#define LB_CONTROL_COMMANDS_H

#include <stddef.h>

struct arguments {
    const char *const *paths; /* -f, or the default */
    size_t path_count;
    const char *listener, *cert, *chain, *sni, *address, *time, *ocsp; /* authorize */
    const char *socket;                                                /* ctl: -s */
    const char *word;                                                  /* ctl: the command */
};

int command_check(const struct arguments *arguments);
int command_reference(void);
int command_authorize(const struct arguments *arguments);
int command_ctl(const struct arguments *arguments);
int command_version(void);

#endif
