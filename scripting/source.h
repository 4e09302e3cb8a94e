/* Script files: finding, reading, and the places that error texts name. */
#ifndef SCRIPTING_SOURCE_H
#define SCRIPTING_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#define SOURCE_MAX (1u << 20) /* bytes of one file */

/* The folder of a path, "." if it names none; owned by the caller. */
char *source_folder(const char *path);

/* `path` made absolute, for messages; owned by the caller. */
char *source_absolute(const char *path);

/* Is a name for require: letters, digits, '_' and '-' in parts separated by single dots? */
bool source_name_valid(const char *name);

/* If the text begins with "PATH:LINE: " as Lua writes it for this path, the text behind it and the line; else
 * NULL. */
const char *source_place(const char *text, const char *path, unsigned *line);

#endif
