/*
 * The same configuration with files that have changed since. Each file that was refused, and what belongs to
 * it (certificate and key, CA and revocation lists, a script and what it requires), stays as it was, while
 * the others take effect.
 */
#ifndef LB_CONFIG_RENEW_H
#define LB_CONFIG_RENEW_H

#include "lb/config/archive.h"
#include "lb/config/config.h"

struct renewal {
    struct config *config;    /* with one reference; NULL: all that may serve is the same as before */
    struct problems warnings; /* that come with it */
    char **taken;             /* the files that config has and the one before has not, each once */
    size_t taken_count;
    struct problems refused; /* each at its file; warnings where all that is wrong is that a file is gone */
    size_t refused_count;    /* of those that belong together */
    unsigned char refused_digest[32]; /* of the bytes that were refused, to know them again */
    struct archive *seen;             /* all files that were looked at */
};

/* `before` must serve. Reads its files and, if any is another one now, checks which of them can serve. Does
 * nothing to `before`. The renewal is to be released. */
void config_renew(const struct config *before, struct renewal *renewal);
void renewal_release(struct renewal *renewal); /* the config included, unless it was set to NULL */

/* Whether it is one of the configuration's own files (*.ini), and none that they name. */
bool config_is_own(const struct config *config, const struct archived *file);

/* Of the names and texts of the configuration's own files: as a snapshot was made of them, and as they are on
 * the disk now. */
void config_digest(const struct config *config, unsigned char sum[32]);
void config_digest_now(const char *const *paths, size_t count, unsigned char sum[32]);

#endif
