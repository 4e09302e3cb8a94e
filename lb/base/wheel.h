/*
 * Timeouts of one thread in a hashed timing wheel: one tick timer for all, arming is a list move. Activity
 * does not touch the wheel: the owner stores a time, and when an entry fires too early the callback answers
 * when to look again.
 */
#ifndef LB_BASE_WHEEL_H
#define LB_BASE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define WHEEL_SLOTS   1024
#define WHEEL_TICK_MS 50

struct wheel_entry {
    struct wheel_entry *next, *prev; /* NULL while not armed */
    uint64_t due_ms;
};

struct wheel {
    struct wheel_entry slots[WHEEL_SLOTS]; /* list heads */
    uint64_t now_ms;                       /* up to where the wheel has turned */
    unsigned armed;
};

/* The entry has fired and is disarmed; the callback may arm it again, or free what holds it. */
typedef void wheel_fired(struct wheel_entry *entry, void *context);

void wheel_init(struct wheel *wheel, uint64_t now_ms);
void wheel_arm(struct wheel *wheel, struct wheel_entry *entry,
               uint64_t due_ms);                                   /* re-arms one that is armed */
void wheel_disarm(struct wheel *wheel, struct wheel_entry *entry); /* harmless when not armed */
bool wheel_armed(const struct wheel_entry *entry);

/* Fires all entries that are due at now_ms, at most WHEEL_TICK_MS late if called each tick. */
void wheel_turn(struct wheel *wheel, uint64_t now_ms, wheel_fired *fired, void *context);

#endif
