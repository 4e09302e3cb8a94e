/*
 * Rotation: files that change on disk take effect by themselves, without anything else of a reload. The
 * configuration's text stays the one that was loaded last, unless `watch = yes` says that it is watched too:
 * then its changes are reloads. Master thread only.
 *
 * What cannot serve (yet: a pair may be caught between two renames) is tried again a few times before it is
 * refused, logged and counted; then the old stays until the file changes again.
 */
#ifndef LB_RUN_ROTATE_H
#define LB_RUN_ROTATE_H

struct master;
struct rotation;

struct rotation *rotation_new(struct master *master);

/* Watches what the newest snapshot was made of; after each that a load has published. */
void rotation_follow(struct rotation *rotation);

void rotation_close(struct rotation *rotation); /* freed once the loop has closed its handles */

#endif
