/* What lb.allow, lb.deny, lb.redirect and lb.respond make, on its way from the script to the outcome. */
#ifndef SCRIPTING_VERDICT_H
#define SCRIPTING_VERDICT_H

#include "scripting/internal.h"

enum answer { ANSWER_ALLOW, ANSWER_DENY, ANSWER_REPLY, ANSWER_UNUSABLE };

enum part { PART_TEXT, PART_BACKEND, PART_LOG, PART_SERVER, PART_PATH, PART_HEADERS, PART_BODY, PARTS };

/* The userdata that a script returns; only the hook that made it may return it. */
struct verdict {
    uint64_t serial;
    enum answer answer;
    unsigned status;
    size_t lens[PARTS]; /* of what follows, in this order, without NULs */
    char bytes[];
};

struct slice verdict_part(const struct verdict *verdict, enum part part);

#define HEADERS_MAX       100 /* names, and values */
#define HEADERS_BYTES_MAX (64u << 10)

/* A table { name = value } or { name = { value, value } } that has been looked through. */
struct headers {
    int table; /* its stack index */
    size_t count, values;
    size_t size;                    /* of it packed */
    const char *names[HEADERS_MAX]; /* sorted without regard to case; the table keeps them */
};

/* A verdict in the making. Parts lie in the buffers, or in texts that the arguments of the function keep. */
struct draft {
    enum answer answer;
    unsigned status;
    struct slice parts[PARTS];
    char text[SCRIPT_TEXT_MAX];
    char log[SCRIPT_LOG_MAX];
    struct headers headers;
};

/* Each takes the value at stack index `value`; false with the text of what is wrong on the top. `what` names
 * the function for that text. */
bool verdict_take_log(lua_State *L, int value, struct draft *draft);
bool verdict_take_headers(lua_State *L, int value, const char *what, bool lists, struct headers *headers);

/* Writes them as struct script_extra holds them, names in lower case; `out` has room for headers->size. */
void verdict_pack_headers(lua_State *L, const struct headers *headers, char *out);
/* Takes the next name and value off *rest; false at the end. */
bool verdict_next_header(struct slice *rest, struct slice *name, struct slice *value);

#endif
