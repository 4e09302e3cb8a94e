#include "lb/http/forward.h"

#include "lb/http/encode.h"

/* X(symbol of the field, name as it is written) */
#define IDENTITY_FIELDS(X)                                                                                   \
    X(X_SSL_CLIENT_VERIFY, "X-SSL-Client-Verify")                                                            \
    X(X_SSL_CLIENT_DN, "X-SSL-Client-DN")                                                                    \
    X(X_SSL_CLIENT_ISSUER, "X-SSL-Client-Issuer")                                                            \
    X(X_SSL_CLIENT_SERIAL, "X-SSL-Client-Serial")                                                            \
    X(X_SSL_CLIENT_SHA256, "X-SSL-Client-SHA256")                                                            \
    X(X_SSL_CLIENT_NOTAFTER, "X-SSL-Client-NotAfter")                                                        \
    X(X_SSL_CLIENT_CERT, "X-SSL-Client-Cert")                                                                \
    X(CLIENT_CERT, "Client-Cert")                                                                            \
    X(CLIENT_CERT_CHAIN, "Client-Cert-Chain")

enum field_id forward_identity(struct slice name)
{
    bool exact;
    enum field_id id = field_find(name, &exact);
    return exact && field_traits(id) & FIELD_IDENTITY ? id : HEADER_OTHER;
}

const char *const *forward_identity_names(void)
{
#define X(symbol, name) name,
    static const char *const names[] = {IDENTITY_FIELDS(X) NULL};
#undef X
    return names;
}

/* ---- values ---- */

/* Opens the field with the first byte of a value, so that what has none leaves no field. */
struct value {
    struct http_head *head;
    enum field_id id;
    bool open, failed;
};

static void add(void *sink, struct slice bytes)
{
    struct value *value = sink;
    if (bytes.len == 0 || value->failed)
        return;
    if (!value->open)
        value->failed = !http_head_name_bytes(value->head, field_name_slice(value->id));
    value->open = true;
    value->failed = value->failed || !http_head_value_bytes(value->head, bytes);
}

/* RFC 4514 section 2.4 lets any byte be written as '\' and two hex digits: so is what HTTP may not hold or
 * reads in more than one way. A blank at the end, which the name's text has behind a '\', would be cut off.
 */
static void add_name(void *sink, struct slice text)
{
    size_t from = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        bool last_blank = byte == ' ' && i + 1 == text.len;
        if (byte >= ' ' && byte <= '~' && !last_blank)
            continue;
        char pair[3] = {'\\', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15]};
        add(sink, slice_make(text.data + from, i - from));
        add(sink, slice_make(pair + last_blank, 3 - (size_t)last_blank));
        from = i + 1;
    }
    add(sink, slice_make(text.data + from, text.len - from));
}

static void add_percent(void *sink, struct slice text)
{
    encode_percent(text, add, sink);
}

static bool add_fact(struct value *value, const struct certificate *certificate, enum script_field field,
                     script_emit *emit)
{
    return certificate_ops.values(certificate, field, (struct slice){"", 0}, emit, value);
}

static void add_time(struct value *value, int64_t seconds)
{
    char buffer[32];
    struct text text;
    text_init(&text, buffer, sizeof(buffer));
    encode_time(seconds, &text);
    add(value, slice_make(text.data, text.len));
}

/* A byte sequence (RFC 9440 section 2.1, RFC 8941 section 3.3.5). */
static void add_sequence(struct value *value, const struct certificate *certificate)
{
    add(value, SLICE_LITERAL(":"));
    encode_base64(certificate->der, add, value);
    add(value, SLICE_LITERAL(":"));
}

/* RFC 9440 section 2.3: neither the leaf nor the anchor. */
static void add_chain(struct value *value, const struct certificate *chain, size_t chain_len)
{
    for (size_t i = 1; i + 1 < chain_len; i++) {
        if (i > 1)
            add(value, SLICE_LITERAL(", "));
        add_sequence(value, &chain[i]);
    }
}

static bool add_value(struct value *value, const struct certificate *chain, size_t chain_len)
{
    switch (value->id) {
    case HEADER_X_SSL_CLIENT_DN: return add_fact(value, chain, FIELD_SUBJECT_TEXT, add_name);
    case HEADER_X_SSL_CLIENT_ISSUER: return add_fact(value, chain, FIELD_ISSUER_TEXT, add_name);
    case HEADER_X_SSL_CLIENT_SERIAL: return add_fact(value, chain, FIELD_SERIAL, add);
    case HEADER_X_SSL_CLIENT_SHA256: return add_fact(value, chain, FIELD_SHA256, add);
    case HEADER_X_SSL_CLIENT_CERT: return add_fact(value, chain, FIELD_PEM, add_percent);
    case HEADER_X_SSL_CLIENT_NOTAFTER: add_time(value, chain->not_after); return true;
    case HEADER_CLIENT_CERT: add_sequence(value, chain); return true;
    case HEADER_CLIENT_CERT_CHAIN: add_chain(value, chain, chain_len); return true;
    default: return true;
    }
}

bool forward_add_identity(struct http_head *head, enum field_id id, const struct certificate *chain,
                          size_t chain_len)
{
    struct value value = {.head = head, .id = id};
    bool good = true;
    if (id == HEADER_X_SSL_CLIENT_VERIFY)
        add(&value, chain_len > 0 ? SLICE_LITERAL("SUCCESS") : SLICE_LITERAL("NONE"));
    else if (chain_len > 0)
        good = add_value(&value, chain, chain_len);
    http_head_field_done(head);
    return good && !value.failed;
}
