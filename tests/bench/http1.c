#include "http1.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *value_of(const char *line, const char *name)
{
    size_t len = strlen(name);
    return strncasecmp(line, name, len) == 0 && line[len] == ':'
               ? line + len + 1 + strspn(line + len + 1, " ")
               : NULL;
}

/* Each line of the head ends with CRLF, which strtoull and strncasecmp stop at. */
static bool fields_are_right(const char *line, uint64_t size)
{
    unsigned lengths = 0;
    for (; *line != '\0'; line = strstr(line, "\r\n") + 2) {
        const char *length = value_of(line, "content-length");
        const char *connection = value_of(line, "connection");
        if (length != NULL) {
            char *end;
            lengths++;
            if (strtoull(length, &end, 10) != size || end == length || *end != '\r') {
                return false;
            }
        }
        if (value_of(line, "transfer-encoding") != NULL ||
            (connection != NULL && strncasecmp(connection, "close", 5) == 0)) {
            return false;
        }
    }
    return lengths == 1;
}

static void read_head(struct connection *c)
{
    static const char version[] = "HTTP/1.1 ";
    if (strncmp(c->head, version, sizeof version - 1) != 0) {
        connection_fail(c, FAILURE_WRONG);
    } else if (strncmp(c->head + sizeof version - 1, "200 ", 4) != 0) {
        connection_fail(c, FAILURE_STATUS);
    } else if (!fields_are_right(strstr(c->head, "\r\n") + 2, c->target->size)) {
        connection_fail(c, FAILURE_WRONG);
    } else {
        c->head_complete = true;
        c->received = 0;
    }
}

/* How many of the bytes belong to the head. */
static size_t take_head(struct connection *c, const unsigned char *data, size_t len)
{
    size_t before = c->head_len, room = sizeof c->head - 1 - before;
    size_t taken = len < room ? len : room;
    memcpy(c->head + before, data, taken);
    c->head[before + taken] = '\0';
    char *end = strstr(c->head, "\r\n\r\n");
    if (end == NULL) {
        c->head_len += taken;
        if (taken == room || strlen(c->head) != c->head_len) {
            connection_fail(c, FAILURE_WRONG);
        }
        return taken;
    }
    end[2] = '\0';
    read_head(c);
    return (size_t)(end + 4 - c->head) - before;
}

void http1_take(struct connection *c, const unsigned char *data, size_t len)
{
    if (!c->head_complete) {
        size_t used = take_head(c, data, len);
        data += used;
        len -= used;
    }
    if (c->step == STEP_FAILED || !c->head_complete) {
        return;
    }
    if (len > c->target->size - c->received ||
        !pattern_matches(&c->target->pattern, c->received, data, len)) {
        connection_fail(c, FAILURE_WRONG);
        return;
    }
    c->received += len;
    if (c->received == c->target->size) {
        c->head_complete = false;
        c->head_len = 0;
        connection_answered(c);
        c->step = STEP_OPEN;
    }
}
