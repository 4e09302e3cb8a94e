#include "lb/http/head.h"

#include <stdlib.h>
#include <strings.h>

#include "lb/base/text.h"
#include "lb/http/bytes.h"

#define BYTES_FIRST  2048
#define FIELDS_FIRST 32
#define KEEP_BYTES   16384 /* what a head that is used again may hold on to */
#define BYTES_MAX    (16u << 20)

void http_head_init(struct http_head *head)
{
    *head = (struct http_head){.content_length = -1};
}

void http_head_reset(struct http_head *head)
{
    if (head->cap > KEEP_BYTES) {
        free(head->bytes);
        head->bytes = NULL;
        head->cap = 0;
    }
    *head = (struct http_head){.bytes = head->bytes,
                               .cap = head->cap,
                               .fields = head->fields,
                               .room = head->room,
                               .content_length = -1};
}

void http_head_free(struct http_head *head)
{
    free(head->bytes);
    free(head->fields);
    http_head_init(head);
}

/* ---- heads to use again ---- */

#define POOL_MAX 256

struct http_head *head_pool_take(struct head_pool *pool)
{
    struct http_head *head = pool->first;
    if (head) {
        pool->first = head->next;
        pool->count--;
        head->next = NULL;
        return head;
    }
    head = malloc(sizeof(*head));
    if (head)
        http_head_init(head);
    return head;
}

void head_pool_give(struct head_pool *pool, struct http_head *head)
{
    if (!head)
        return;
    if (pool->count == POOL_MAX) {
        http_head_free(head);
        free(head);
        return;
    }
    http_head_reset(head);
    head->next = pool->first;
    pool->first = head;
    pool->count++;
}

void head_pool_free(struct head_pool *pool)
{
    while (pool->first) {
        struct http_head *head = pool->first;
        pool->first = head->next;
        http_head_free(head);
        free(head);
    }
    pool->count = 0;
}

/* ---- growing ---- */

static bool grow(struct http_head *head, size_t more)
{
    size_t cap = head->cap ? head->cap : BYTES_FIRST;
    if (more > BYTES_MAX)
        return false;
    while (cap - head->len < more)
        cap *= 2;
    char *grown = cap <= BYTES_MAX ? realloc(head->bytes, cap) : NULL;
    if (!grown)
        return false;
    head->bytes = grown;
    head->cap = (uint32_t)cap;
    return true;
}

static bool own(const struct http_head *head, struct slice bytes)
{
    return head->bytes && (uintptr_t)bytes.data >= (uintptr_t)head->bytes &&
           (uintptr_t)bytes.data < (uintptr_t)head->bytes + head->cap;
}

/* Slices of the head's own buffer go with it when it moves. */
static __attribute__((noinline, cold)) bool move(struct http_head *head, size_t more, struct slice *a,
                                                 struct slice *b)
{
    struct slice *moved[] = {a, b};
    size_t offset[2] = {0};
    bool mine[2];
    for (int i = 0; i < 2; i++) {
        mine[i] = own(head, *moved[i]);
        offset[i] = mine[i] ? (size_t)(moved[i]->data - head->bytes) : 0;
    }
    if (!grow(head, more))
        return false;
    for (int i = 0; i < 2; i++)
        if (mine[i])
            moved[i]->data = head->bytes + offset[i];
    return true;
}

/* Room for `more` bytes. */
static inline bool make_room(struct http_head *head, size_t more, struct slice *a, struct slice *b)
{
    if (__builtin_expect(head->cap - head->len >= more, true))
        return true;
    struct slice first = *a, second = *b; /* copies: the callers' stay in registers */
    if (!move(head, more, &first, &second))
        return false;
    *a = first;
    *b = second;
    return true;
}

static inline bool make_room_for(struct http_head *head, struct slice *bytes)
{
    struct slice none = {0};
    return make_room(head, bytes->len, bytes, &none);
}

/* Into room that is there. */
static inline struct span append(struct http_head *head, struct slice bytes)
{
    struct span put = {head->len, (uint32_t)bytes.len};
    if (bytes.len > 0)
        slice_copy(head->bytes + head->len, bytes);
    head->len += (uint32_t)bytes.len;
    return put;
}

static __attribute__((noinline, cold)) bool grow_fields(struct http_head *head)
{
    size_t room = head->room ? head->room * 2u : FIELDS_FIRST;
    struct http_field *grown = room <= UINT16_MAX ? realloc(head->fields, room * sizeof(*grown)) : NULL;
    if (!grown)
        return false;
    head->fields = grown;
    head->room = (uint16_t)room;
    return true;
}

static struct http_field *new_field(struct http_head *head)
{
    if (head->count == head->room && !grow_fields(head))
        return NULL;
    struct http_field *field = &head->fields[head->count++];
    *field = (struct http_field){.name_at = head->len};
    return field;
}

bool http_head_put(struct http_head *head, struct slice bytes, struct span *out)
{
    if (!make_room_for(head, &bytes))
        return false;
    *out = append(head, bytes);
    return true;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Eight bytes at a time: the high bit of `upper` marks those from 'A' to 'Z'. */
static uint64_t lower_eight(uint64_t eight)
{
    uint64_t low = eight & EACH(0x7F);
    uint64_t upper = (low + EACH(0x80 - 'A')) & ~(low + EACH(0x7F - 'Z')) & ~eight & EACH(0x80);
    return eight | upper >> 2;
}

static inline void lower_word(char *out, const char *in, size_t size)
{
    uint64_t word = 0;
    memcpy(&word, in, size);
    word = lower_eight(word);
    memcpy(out, &word, size);
}

/* The last word may overlap the one before it: so no byte is looked at alone. */
static void put_lower(char *out, struct slice bytes)
{
    const char *in = bytes.data;
    size_t len = bytes.len;
    if (len >= 8) {
        for (size_t i = 0; i + 8 < len; i += 8)
            lower_word(out + i, in + i, 8);
        lower_word(out + len - 8, in + len - 8, 8);
    } else if (len >= 4) {
        lower_word(out, in, 4);
        lower_word(out + len - 4, in + len - 4, 4);
    } else {
        for (size_t i = 0; i < len; i++)
            lower_word(out + i, in + i, 1);
    }
}

/* A field is open from its first name byte to http_head_field_done: its value lies at 0, where no value can.
 */
static struct http_field *open_field(struct http_head *head)
{
    struct http_field *last = head->count ? &head->fields[head->count - 1] : NULL;
    return last && last->id == HEADER_COUNT ? last : NULL;
}

bool http_head_name_bytes(struct http_head *head, struct slice bytes)
{
    struct http_field *field = open_field(head);
    if (!make_room_for(head, &bytes))
        return false;
    if (!field) {
        field = new_field(head);
        if (!field)
            return false;
        field->id = HEADER_COUNT;
    }
    if (field->name_len + bytes.len > UINT16_MAX)
        return false;
    put_lower(head->bytes + head->len, bytes);
    head->len += (uint32_t)bytes.len;
    field->name_len = (uint16_t)(field->name_len + bytes.len);
    return true;
}

bool http_head_value_bytes(struct http_head *head, struct slice bytes)
{
    struct http_field *field = open_field(head);
    if (!field || !make_room_for(head, &bytes))
        return false;
    struct span put = append(head, bytes);
    if (field->value.len == 0)
        field->value.at = put.at;
    field->value.len += put.len;
    return true;
}

static bool blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static struct slice trim(struct slice text)
{
    while (text.len > 0 && blank(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && blank(text.data[text.len - 1]))
        text.len--;
    return text;
}

void http_head_field_done(struct http_head *head)
{
    struct http_field *field = open_field(head);
    if (!field)
        return;
    struct slice value = trim(head_value(head, field));
    field->value =
        (struct span){value.len ? (uint32_t)(value.data - head->bytes) : field->name_at, (uint32_t)value.len};
    field->id = (uint8_t)field_find(head_name(head, field), &field->exact);
}

bool http_head_add(struct http_head *head, struct slice name, struct slice value)
{
    if (!make_room(head, name.len + value.len, &name, &value) || !http_head_name_bytes(head, name) ||
        !http_head_value_bytes(head, value))
        return false;
    http_head_field_done(head);
    return true;
}

bool http_head_add_found(struct http_head *head, enum field_id id, bool exact, struct slice name,
                         struct slice value)
{
    if (name.len > UINT16_MAX || !make_room(head, name.len + value.len, &name, &value))
        return false;
    struct http_field *field = new_field(head);
    if (!field)
        return false;
    field->value = append(head, value);
    field->name_at = append(head, name).at;
    field->name_len = (uint16_t)name.len;
    field->id = (uint8_t)id;
    field->exact = exact;
    return true;
}

bool http_head_add_known(struct http_head *head, enum field_id id, struct slice value)
{
    return http_head_add_found(head, id, true, field_name_slice(id), value);
}

const struct http_field *http_head_find(const struct http_head *head, enum field_id id)
{
    for (unsigned i = 0; i < head->count; i++)
        if (head->fields[i].id == id && head->fields[i].exact && !head->fields[i].gone)
            return &head->fields[i];
    return NULL;
}

static bool same_name(const struct http_head *head, const struct http_field *field, struct slice name)
{
    return !field->gone && field->name_len == name.len &&
           strncasecmp(head->bytes + field->name_at, name.data, name.len) == 0;
}

struct http_field *http_head_next_named(const struct http_head *head, struct slice name,
                                        const struct http_field *after)
{
    for (unsigned i = after ? (unsigned)(after - head->fields) + 1 : 0; i < head->count; i++)
        if (same_name(head, &head->fields[i], name))
            return &head->fields[i];
    return NULL;
}

void http_head_remove(struct http_head *head, enum field_id id)
{
    for (unsigned i = 0; i < head->count; i++)
        if (head->fields[i].id == id)
            head->fields[i].gone = true;
}

void http_head_remove_named(struct http_head *head, struct slice name)
{
    struct http_field *field = NULL;
    while ((field = http_head_next_named(head, name, field)) != NULL)
        field->gone = true;
}

bool http_head_add_length(struct http_head *head, int64_t length)
{
    char digits[24];
    struct text text;
    text_init(&text, digits, sizeof(digits));
    text_addu(&text, (uint64_t)length);
    return http_head_add_known(head, HEADER_CONTENT_LENGTH, slice_make(digits, text.len));
}

bool http_head_mark(const struct http_head *head, struct head_mark *mark)
{
    *mark = (struct head_mark){.count = head->count};
    if (head->count > HEAD_MARK_MAX)
        return false;
    for (unsigned i = 0; i < head->count; i++)
        mark->gone[i / 64] |= (uint64_t)head->fields[i].gone << (i % 64);
    return true;
}

void http_head_restore(struct http_head *head, const struct head_mark *mark)
{
    head->count = mark->count;
    for (unsigned i = 0; i < head->count; i++)
        head->fields[i].gone = mark->gone[i / 64] >> (i % 64) & 1;
}

unsigned http_head_field_count(const struct http_head *head)
{
    unsigned count = 0;
    for (unsigned i = 0; i < head->count; i++)
        count += !head->fields[i].gone;
    return count;
}

/* ---- words ---- */

enum method method_of(struct slice text)
{
    static const struct {
        const char *text;
        enum method method;
    } known[] = {{"GET", METHOD_GET},     {"HEAD", METHOD_HEAD},     {"POST", METHOD_POST},
                 {"PUT", METHOD_PUT},     {"DELETE", METHOD_DELETE}, {"OPTIONS", METHOD_OPTIONS},
                 {"PATCH", METHOD_PATCH}, {"TRACE", METHOD_TRACE},   {"CONNECT", METHOD_CONNECT}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (slice_is(text, known[i].text))
            return known[i].method;
    return METHOD_OTHER;
}

bool method_idempotent(enum method method)
{
    switch (method) {
    case METHOD_GET:
    case METHOD_HEAD:
    case METHOD_PUT:
    case METHOD_DELETE:
    case METHOD_OPTIONS:
    case METHOD_TRACE: return true;
    default: return false;
    }
}

bool http_is_token(struct slice text)
{
    return text.len > 0 && http_token_end(text.data, text.data + text.len) == text.data + text.len;
}

bool http_is_value(struct slice text)
{
    return text.len == 0 || http_value_end(text.data, text.data + text.len) == text.data + text.len;
}

bool http_list_next(struct slice *list, struct slice *member)
{
    while (list->len > 0) {
        const char *comma = memchr(list->data, ',', list->len);
        size_t len = comma ? (size_t)(comma - list->data) : list->len;
        *member = trim(slice_make(list->data, len));
        size_t used = comma ? len + 1 : len;
        *list = slice_make(list->data + used, list->len - used);
        if (member->len > 0)
            return true;
    }
    return false;
}

bool http_list_has(struct slice list, const char *token)
{
    struct slice member;
    size_t len = strlen(token);
    while (http_list_next(&list, &member))
        if (member.len == len && strncasecmp(member.data, token, len) == 0)
            return true;
    return false;
}
