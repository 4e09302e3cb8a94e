/* Values of a certificate on their way into Lua. What cannot be read ends the hook, whatever the script
 * catches. */
#ifndef SCRIPTING_FACTS_IN_H
#define SCRIPTING_FACTS_IN_H

#include "scripting/internal.h"

/* The first value, or nil. */
void facts_push_first(lua_State *L, const struct view *view, enum script_field field, struct slice key);
/* All values as a read-only list. */
void facts_push_list(lua_State *L, const struct view *view, enum script_field field, struct slice key);
void facts_push_number(lua_State *L, const struct view *view, enum script_field field);

#endif
