/*
 * The head of a request or a response: what stands before the body, from whichever version of HTTP it came.
 * Also a trailer section. All text lies in one growing buffer and is named by offsets, so that a head can be
 * read in pieces, changed, kept and sent again. Names of fields are in lower case.
 *
 * Growing can fail: functions that return bool answer false when out of memory, and the head is then unusable
 * but may be reset or freed.
 */
#ifndef LB_HTTP_HEAD_H
#define LB_HTTP_HEAD_H

#include <stdint.h>

#include "lb/http/fields.h"

enum method {
    METHOD_OTHER,
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_PATCH,
    METHOD_TRACE,
    METHOD_CONNECT,
};

/* A run of the head's buffer. */
struct span {
    uint32_t at, len;
};

struct http_field {
    struct span value;
    uint32_t name_at;
    uint16_t name_len;
    uint8_t id; /* enum field_id, folded */
    bool exact; /* spelled as the field it is taken for */
    bool gone;  /* removed */
};

struct http_head {
    char *bytes;
    uint32_t len, cap;
    struct http_field *fields;
    uint16_t count, room;
    struct http_head *next; /* for whoever keeps heads in a list */

    /* Requests. Absent parts are empty. */
    struct span method_text; /* as sent */
    enum method method;
    struct span target;    /* as sent: origin-form or absolute-form, or ":path" */
    struct span scheme;    /* as sent in absolute-form or ":scheme"; else empty */
    struct span authority; /* Host, ":authority" or that of the absolute-form, as sent */

    unsigned status; /* responses */
    uint8_t minor;   /* HTTP/1.x: 0 or 1; 1 for HTTP/2 */
    bool http2;
    bool keep_alive;        /* HTTP/1: the sender would go on with this connection */
    bool upgrade;           /* request: Connection: upgrade and Upgrade are there, and what Upgrade names is
                               neither HTTP nor TLS */
    bool chunked;           /* the body has no length of its own */
    int64_t content_length; /* -1: not given */
};

void http_head_init(struct http_head *head);  /* owns nothing yet */
void http_head_reset(struct http_head *head); /* empty again; keeps its memory */
void http_head_free(struct http_head *head);  /* what it owns, not itself */

static inline struct slice head_text(const struct http_head *head, struct span span)
{
    return slice_make(head->bytes + span.at, span.len);
}

static inline struct slice head_name(const struct http_head *head, const struct http_field *field)
{
    return slice_make(head->bytes + field->name_at, field->name_len);
}

static inline struct slice head_value(const struct http_head *head, const struct http_field *field)
{
    return head_text(head, field->value);
}

/* Heads to use again. One thread. */
struct head_pool {
    struct http_head *first;
    unsigned count;
};

struct http_head *head_pool_take(struct head_pool *pool);            /* empty; NULL: out of memory */
void head_pool_give(struct head_pool *pool, struct http_head *head); /* NULL is harmless */
void head_pool_free(struct head_pool *pool);

/* Appends bytes, which may lie in the head's own buffer, and gives where they lie now. */
bool http_head_put(struct http_head *head, struct slice bytes, struct span *out);

/* Appends a field; the name is put in lower case and looked up. Checks nothing. */
bool http_head_add(struct http_head *head, struct slice name, struct slice value);

/* The same for a name in lower case that field_find has seen; the value has no blanks at its ends. */
bool http_head_add_found(struct http_head *head, enum field_id id, bool exact, struct slice name,
                         struct slice value);

/* The same for a field of HTTP_FIELDS, which need not be looked up; the value has no blanks at its ends. */
bool http_head_add_known(struct http_head *head, enum field_id id, struct slice value);

/* The same in pieces, as parsers find them: name bytes, then value bytes, then done, which looks the name up
 * and cuts blanks off both ends of the value. Nothing else may be appended in between. */
bool http_head_name_bytes(struct http_head *head, struct slice bytes);
bool http_head_value_bytes(struct http_head *head, struct slice bytes);
void http_head_field_done(struct http_head *head);

/* The first field of that id, exactly spelled, that is not gone; NULL if there is none. */
const struct http_field *http_head_find(const struct http_head *head, enum field_id id);

/* The next field after `after` (NULL: the first) of that name in any case, not folded, that is not gone. */
struct http_field *http_head_next_named(const struct http_head *head, struct slice name,
                                        const struct http_field *after);

/* Removes every field whose name folds to this id, however it is spelled. */
void http_head_remove(struct http_head *head, enum field_id id);
/* Removes every field of that name in any case, not folded. */
void http_head_remove_named(struct http_head *head, struct slice name);

/* Content-Length: `length`, which is not negative. */
bool http_head_add_length(struct http_head *head, int64_t length);

/* Which fields there are, for going back to them. */
#define HEAD_MARK_MAX 1024 /* fields; a head with more cannot be marked */
struct head_mark {
    uint64_t gone[HEAD_MARK_MAX / 64];
    uint16_t count;
};

bool http_head_mark(const struct http_head *head, struct head_mark *mark);    /* false: too many fields */
void http_head_restore(struct http_head *head, const struct head_mark *mark); /* adding and removing undone */

/* Fields that are not gone, and their bytes: names, values and 4 for each, as limits count them. */
unsigned http_head_field_count(const struct http_head *head);

enum method method_of(struct slice text);   /* exact spelling */
bool method_idempotent(enum method method); /* RFC 9110 section 9.2.2 */

/* RFC 9110 section 5.6.2: a token of at least one byte. */
bool http_is_token(struct slice text);
/* RFC 9110 section 5.5: no control but tab. */
bool http_is_value(struct slice text);
/* Whether a comma-separated list (RFC 9110 section 5.6.1) holds the token, case-insensitively. */
bool http_list_has(struct slice list, const char *token);
/* The next member of a comma-separated list, without blanks; advances *list. False: no more. */
bool http_list_next(struct slice *list, struct slice *member);

#endif
