#include "lb/proxy/counters.h"

#include <stdlib.h>
#include <string.h>

#include "lb/base/memory.h"

struct listener_state *listener_state_get(struct listener_table *table, const char *name)
{
    struct listener_state *state = table->first;
    while (state && strcmp(state->name, name) != 0)
        state = state->next;
    if (!state) {
        state = mem_new(sizeof(*state));
        state->name = mem_copy(name);
        state->next = table->first;
        table->first = state;
    }
    state->refs++;
    return state;
}

void listener_state_put(struct listener_table *table, struct listener_state *state)
{
    if (--state->refs > 0)
        return;
    struct listener_state **link = &table->first;
    while (*link != state)
        link = &(*link)->next;
    *link = state->next;
    free(state->name);
    free(state);
}
