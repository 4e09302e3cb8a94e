#include <lua.h>

#include "scripting/script.h"

const char *script_language(void)
{
    return LUA_RELEASE;
}
