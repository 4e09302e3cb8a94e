/* Folders that stand in the configuration in place of the files in them. */
#ifndef LB_CONFIG_FOLDERS_H
#define LB_CONFIG_FOLDERS_H

#include "lb/config/archive.h"
#include "lb/config/config.h"

/* Puts the files of each `certificate` folder in its place: *.pem and *.crt in byte order, with the key
 * NAME.key beside NAME.pem where there is one, else in the file. Hidden files are left out. False after
 * adding a problem: the folder cannot be read, or holds none. */
bool check_folders(struct archive *archive, struct listener *listener, struct problems *problems);

/* Likewise for `client-crl`: *.crl, *.pem and *.der. */
bool check_crl_folders(struct archive *archive, struct listener *listener, struct problems *problems);

#endif
