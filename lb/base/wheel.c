#include "lb/base/wheel.h"

#include <stddef.h>

void wheel_init(struct wheel *wheel, uint64_t now_ms)
{
    wheel->now_ms = now_ms;
    wheel->armed = 0;
    for (unsigned i = 0; i < WHEEL_SLOTS; i++)
        wheel->slots[i].next = wheel->slots[i].prev = &wheel->slots[i];
}

static void append(struct wheel_entry *head, struct wheel_entry *entry)
{
    entry->prev = head->prev;
    entry->next = head;
    head->prev->next = entry;
    head->prev = entry;
}

static void unlink_entry(struct wheel_entry *entry)
{
    entry->prev->next = entry->next;
    entry->next->prev = entry->prev;
    entry->next = entry->prev = NULL;
}

bool wheel_armed(const struct wheel_entry *entry)
{
    return entry->next != NULL;
}

/* What is due now goes into the next slot: the slot of now has been walked already. */
static struct wheel_entry *slot_for(struct wheel *wheel, uint64_t due_ms)
{
    uint64_t tick = (due_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS;
    uint64_t next = wheel->now_ms / WHEEL_TICK_MS + 1;
    return &wheel->slots[(tick > next ? tick : next) % WHEEL_SLOTS];
}

void wheel_arm(struct wheel *wheel, struct wheel_entry *entry, uint64_t due_ms)
{
    wheel_disarm(wheel, entry);
    entry->due_ms = due_ms;
    append(slot_for(wheel, due_ms), entry);
    wheel->armed++;
}

void wheel_disarm(struct wheel *wheel, struct wheel_entry *entry)
{
    if (!wheel_armed(entry))
        return;
    unlink_entry(entry);
    wheel->armed--;
}

/* The slot's list is moved aside first, so that what a callback arms or frees cannot disturb the walk. */
static void fire_slot(struct wheel *wheel, unsigned slot, wheel_fired *fired, void *context)
{
    struct wheel_entry *head = &wheel->slots[slot];
    struct wheel_entry due = {.next = &due, .prev = &due};
    if (head->next == head)
        return;
    due.next = head->next;
    due.prev = head->prev;
    due.next->prev = due.prev->next = &due;
    head->next = head->prev = head;
    while (due.next != &due) {
        struct wheel_entry *entry = due.next;
        unlink_entry(entry);
        if (entry->due_ms > wheel->now_ms) {
            append(slot_for(wheel, entry->due_ms), entry); /* of a later turn */
            continue;
        }
        wheel->armed--;
        fired(entry, context);
    }
}

void wheel_turn(struct wheel *wheel, uint64_t now_ms, wheel_fired *fired, void *context)
{
    uint64_t from = wheel->now_ms / WHEEL_TICK_MS, to = now_ms / WHEEL_TICK_MS;
    if (now_ms <= wheel->now_ms)
        return;
    wheel->now_ms = now_ms;
    if (to - from > WHEEL_SLOTS)
        from = to - WHEEL_SLOTS;
    while (from < to)
        fire_slot(wheel, (unsigned)(++from % WHEEL_SLOTS), fired, context);
}
