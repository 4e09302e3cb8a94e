#include "lb/tls/hello.h"

#include <ctype.h>

enum {
    RECORD_HEADER = 5,
    RECORD_MAX = 16384,
    RECORD_HANDSHAKE = 22,
    HANDSHAKE_HEADER = 4,
    HANDSHAKE_CLIENT_HELLO = 1,
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_GROUPS = 10,
    EXTENSION_SIGNATURES = 13,
    EXTENSION_ALPN = 16,
    EXTENSION_EXTENDED_MASTER = 23,
    EXTENSION_TICKET = 35,
    EXTENSION_PSK = 41,
    EXTENSION_VERSIONS = 43,
    EXTENSION_PSK_MODES = 45,
    PSK_WITH_KEY_EXCHANGE = 1,
    LABEL_MAX = 63,
    NAME_MAX_LEN = 253,
};

/* ---- reading ---- */

struct reader {
    const uint8_t *at;
    size_t left;
};

static bool take(struct reader *in, size_t bytes, size_t *number)
{
    if (in->left < bytes)
        return false;
    *number = 0;
    for (size_t i = 0; i < bytes; i++)
        *number = *number << 8 | in->at[i];
    in->at += bytes;
    in->left -= bytes;
    return true;
}

static bool take_run(struct reader *in, size_t len, struct reader *out)
{
    if (in->left < len)
        return false;
    *out = (struct reader){in->at, len};
    in->at += len;
    in->left -= len;
    return true;
}

/* A vector (RFC 8446, section 3.4) whose length has `bytes` bytes. */
static bool take_vector(struct reader *in, size_t bytes, struct reader *out)
{
    size_t len;
    return take(in, bytes, &len) && take_run(in, len, out);
}

static struct slice rest(struct reader in)
{
    return slice_make(in.at, in.left);
}

/* ---- names ---- */

static bool looks_like_address(struct slice name)
{
    bool digits = name.len > 0;
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == ':' || name.data[i] == '[')
            return true;
        digits = digits && (isdigit((unsigned char)name.data[i]) || name.data[i] == '.');
    }
    return digits;
}

/* Lower case of a byte that may stand in a label; 0 for any other. */
static char label_byte(char byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return (char)(byte + ('a' - 'A'));
    bool fits = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' || byte == '_';
    return fits ? byte : 0;
}

static bool label_ends_well(const char *name, size_t start, size_t end)
{
    return end > start && end - start <= LABEL_MAX && name[start] != '-' && name[end - 1] != '-';
}

/* Resolvers read a name whose last label is a number, decimal or hexadecimal, as an address. */
static bool last_label_is_number(const char *name, size_t len)
{
    size_t start = len;
    while (start > 0 && name[start - 1] != '.')
        start--;
    bool hexadecimal = len - start >= 2 && name[start] == '0' && name[start + 1] == 'x';
    for (size_t i = hexadecimal ? start + 2 : start; i < len; i++)
        if (!(hexadecimal ? isxdigit((unsigned char)name[i]) : isdigit((unsigned char)name[i])))
            return false;
    return true;
}

bool hello_normalize_name(struct slice name, char out[HELLO_NAME_MAX + 1])
{
    if (name.len > 0 && name.data[name.len - 1] == '.')
        name.len--;
    if (name.len == 0 || name.len > NAME_MAX_LEN)
        return false;
    size_t start = 0;
    for (size_t i = 0; i < name.len; i++) {
        out[i] = name.data[i] == '.' ? '.' : label_byte(name.data[i]);
        if (out[i] == 0 || (out[i] == '.' && !label_ends_well(out, start, i)))
            return false;
        if (out[i] == '.')
            start = i + 1;
    }
    out[name.len] = '\0';
    return label_ends_well(out, start, name.len) && !last_label_is_number(out, name.len);
}

/* ---- extensions ---- */

/* RFC 6066 section 3. An IP literal is forbidden there but common among clients: it counts as no name. */
static const char *read_server_name(struct reader body, struct hello *out)
{
    struct reader list, name;
    size_t type;
    if (!take_vector(&body, 2, &list) || body.left != 0 || !take(&list, 1, &type) ||
        !take_vector(&list, 2, &name))
        return "the server_name extension is malformed";
    if (type != 0 || list.left != 0)
        return "the server_name extension holds something else than one host name";
    out->names_address = looks_like_address(rest(name));
    if (out->names_address)
        return NULL;
    if (!hello_normalize_name(rest(name), out->name)) {
        out->name[0] = '\0';
        return "the server_name is no valid host name";
    }
    return NULL;
}

static const char *read_versions(struct reader body, struct hello *out)
{
    struct reader list;
    size_t version;
    if (!take_vector(&body, 1, &list) || body.left != 0 || list.left == 0 || list.left % 2 != 0)
        return "the supported_versions extension is malformed";
    out->versions = rest(list);
    out->version_max = 0;
    out->version_min = 0xffff;
    while (take(&list, 2, &version)) {
        if (version < 0x0300 || version > 0x0304)
            continue;
        out->version_max = version > out->version_max ? (uint16_t)version : out->version_max;
        out->version_min = version < out->version_min ? (uint16_t)version : out->version_min;
    }
    return NULL;
}

static const char *read_signatures(struct reader body, struct hello *out)
{
    struct reader list;
    size_t scheme;
    if (!take_vector(&body, 2, &list) || body.left != 0 || list.left == 0 || list.left % 2 != 0)
        return "the signature_algorithms extension is malformed";
    out->signatures = rest(list);
    out->offers_ecdsa = out->offers_rsa = out->offers_edwards = false;
    while (take(&list, 2, &scheme)) {
        out->offers_ecdsa |= scheme == 0x0403 || scheme == 0x0503 || scheme == 0x0603;
        out->offers_rsa |= scheme == 0x0401 || scheme == 0x0501 || scheme == 0x0601 ||
                           (scheme >= 0x0804 && scheme <= 0x0806);
        out->offers_edwards |= scheme == 0x0807 || scheme == 0x0808;
    }
    return NULL;
}

static const char *read_alpn(struct reader body, struct hello *out)
{
    struct reader list, walk, name;
    if (!take_vector(&body, 2, &list) || body.left != 0 || list.left == 0)
        return "the ALPN extension is malformed";
    walk = list;
    while (walk.left > 0)
        if (!take_vector(&walk, 1, &name) || name.left == 0)
            return "the ALPN extension is malformed";
    out->alpn = rest(list);
    return NULL;
}

static const char *read_groups(struct reader body, struct hello *out)
{
    struct reader list;
    if (!take_vector(&body, 2, &list) || body.left != 0 || list.left == 0 || list.left % 2 != 0)
        return "the supported_groups extension is malformed";
    out->groups = rest(list);
    return NULL;
}

static const char *read_psk_modes(struct reader body, struct hello *out)
{
    struct reader list;
    size_t mode;
    if (!take_vector(&body, 1, &list) || body.left != 0 || list.left == 0)
        return "the psk_key_exchange_modes extension is malformed";
    while (take(&list, 1, &mode))
        out->psk_fresh_keys |= mode == PSK_WITH_KEY_EXCHANGE;
    return NULL;
}

static const char *read_extension(size_t type, struct reader body, struct hello *out)
{
    switch (type) {
    case EXTENSION_SERVER_NAME: return read_server_name(body, out);
    case EXTENSION_VERSIONS: return read_versions(body, out);
    case EXTENSION_SIGNATURES: return read_signatures(body, out);
    case EXTENSION_ALPN: return read_alpn(body, out);
    case EXTENSION_GROUPS: return read_groups(body, out);
    case EXTENSION_EXTENDED_MASTER: out->extended_master = true; return NULL;
    case EXTENSION_TICKET: out->ticket_len = body.left; return NULL;
    case EXTENSION_PSK: out->offers_psk = true; return NULL;
    case EXTENSION_PSK_MODES: return read_psk_modes(body, out);
    default: return NULL;
    }
}

static const char *read_extensions(struct reader in, struct hello *out)
{
    uint8_t seen[65536 / 8] = {0};
    while (in.left > 0) {
        struct reader body;
        size_t type;
        if (!take(&in, 2, &type) || !take_vector(&in, 2, &body))
            return "an extension of the ClientHello is cut off";
        if (seen[type / 8] & 1u << type % 8)
            return "an extension of the ClientHello comes twice";
        seen[type / 8] |= (uint8_t)(1u << type % 8);
        const char *why = read_extension(type, body, out);
        if (why)
            return why;
    }
    return NULL;
}

/* ---- the hello itself ---- */

/* Up to TLS 1.2 the suite says what the certificate's key must be (RFC 8422, RFC 5289, RFC 7905). */
static void narrow_by_suites(struct reader suites, struct hello *out)
{
    bool ecdsa = false, rsa = false;
    size_t suite;
    while (take(&suites, 2, &suite)) {
        ecdsa |= suite == 0xc02b || suite == 0xc02c || suite == 0xcca9 || suite == 0xc009 ||
                 suite == 0xc00a || suite == 0xc023 || suite == 0xc024;
        rsa |= suite == 0xc02f || suite == 0xc030 || suite == 0xcca8 || suite == 0xc013 || suite == 0xc014 ||
               suite == 0xc027 || suite == 0xc028;
    }
    out->offers_edwards = out->offers_edwards && ecdsa;
    out->offers_ecdsa = out->offers_ecdsa && ecdsa;
    out->offers_rsa = out->offers_rsa && rsa;
}

static const char *read_body(struct reader in, struct hello *out)
{
    struct reader random, session, suites, compression, extensions, whole = in;
    size_t version;
    if (!take(&in, 2, &version) || !take_run(&in, 32, &random) || !take_vector(&in, 1, &session) ||
        !take_vector(&in, 2, &suites) || !take_vector(&in, 1, &compression))
        return "the ClientHello is cut off";
    if (version >> 8 != 3)
        return "the ClientHello names no TLS version";
    if (session.left > 32 || suites.left < 2 || suites.left % 2 != 0 || compression.left == 0)
        return "a length in the ClientHello is wrong";
    out->suites = rest(suites);
    out->fixed = slice_make(whole.at, (size_t)(in.at - whole.at));
    out->legacy_version = out->version_max = (uint16_t)(version > 0x0303 ? 0x0303 : version);
    out->version_min = 0x0300; /* of what comes before TLS 1.3, all below the highest is offered */
    out->offers_ecdsa = out->offers_rsa = true;
    if (in.left > 0) {
        if (!take_vector(&in, 2, &extensions) || in.left != 0)
            return "a length in the ClientHello is wrong";
        const char *why = read_extensions(extensions, out);
        if (why)
            return why;
    }
    if (out->version_max < 0x0304)
        narrow_by_suites(suites, out);
    return NULL;
}

/* ---- records ---- */

static bool starts_with(struct slice text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && memcmp(text.data, prefix, len) == 0;
}

/* What an operator can make of bytes that are no TLS record. */
static const char *explain_other(struct slice wire)
{
    const uint8_t *bytes = (const uint8_t *)wire.data;
    if (starts_with(wire, "PROXY ") || starts_with(wire, "\r\n\r\n"))
        return "this looks like a PROXY protocol header, which this listener does not expect from there";
    if (starts_with(wire, "SSH-"))
        return "this looks like SSH on a TLS port: connect to another one";
    if (bytes[0] >= 'A' && bytes[0] <= 'Z')
        return "this looks like plain HTTP on a TLS port: have the client use https://";
    if (bytes[0] & 0x80)
        return "this looks like an SSLv2 hello: update the client";
    if (bytes[0] == 21)
        return "the client sent an alert in place of a ClientHello: see what the client says";
    return "this is no TLS record: does the client speak another protocol?";
}

struct progress {
    size_t at;      /* first byte after the records read so far */
    size_t records; /* complete ones */
    size_t have;    /* handshake bytes in them */
    size_t need;    /* handshake bytes in all; 0 while the header is not complete */
    uint8_t header[HANDSHAKE_HEADER];
};

static enum hello_result refuse(struct hello *out, const char *why)
{
    out->why = why;
    return HELLO_INVALID;
}

static enum hello_result note_bytes(struct progress *progress, struct slice bytes, struct hello *out)
{
    for (size_t i = 0; i < bytes.len && progress->have + i < HANDSHAKE_HEADER; i++)
        progress->header[progress->have + i] = (uint8_t)bytes.data[i];
    progress->have += bytes.len;
    if (progress->have > 0 && progress->header[0] != HANDSHAKE_CLIENT_HELLO)
        return refuse(out, "the first handshake message is no ClientHello");
    if (progress->have < HANDSHAKE_HEADER)
        return HELLO_PARTIAL;
    const uint8_t *header = progress->header;
    progress->need = HANDSHAKE_HEADER + ((size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3]);
    if (progress->need > HELLO_MAX)
        return HELLO_TOO_LONG;
    if (progress->have > progress->need)
        return refuse(out, "more bytes follow the ClientHello in its record");
    return progress->have == progress->need ? HELLO_COMPLETE : HELLO_PARTIAL;
}

/* The next record, as far as it is there: its body, and whether that is all of it. */
static enum hello_result next_record(struct slice wire, size_t at, struct slice *body, bool *whole,
                                     struct hello *out)
{
    const uint8_t *bytes = (const uint8_t *)wire.data + at;
    size_t left = wire.len - at;
    *body = (struct slice){wire.data + at, 0};
    *whole = false;
    if (left > 0 && bytes[0] != RECORD_HANDSHAKE)
        return refuse(out, at == 0 ? explain_other(wire) : "another record interrupts the ClientHello");
    if (left > 1 && bytes[1] != 3)
        return refuse(out, "the record names no TLS version");
    if (left < RECORD_HEADER)
        return HELLO_PARTIAL;
    size_t len = (size_t)bytes[3] << 8 | bytes[4];
    if (len == 0 || len > RECORD_MAX)
        return refuse(out, "a record's length is wrong");
    *whole = left - RECORD_HEADER >= len;
    *body = slice_make(bytes + RECORD_HEADER, *whole ? len : left - RECORD_HEADER);
    return HELLO_PARTIAL;
}

/* Walks the records until the hello is complete; copies nothing, so that a client which sends byte by byte
 * costs little. */
static enum hello_result walk_records(struct slice wire, struct progress *progress, struct hello *out)
{
    while (progress->at < wire.len) {
        struct slice body;
        bool whole;
        enum hello_result result = next_record(wire, progress->at, &body, &whole, out);
        if (result == HELLO_PARTIAL && body.len > 0)
            result = note_bytes(progress, body, out);
        if (result == HELLO_INVALID || result == HELLO_TOO_LONG || !whole)
            return result == HELLO_COMPLETE ? refuse(out, "more bytes follow the ClientHello in its record")
                                            : result;
        progress->at += RECORD_HEADER + body.len;
        progress->records++;
        if (result == HELLO_COMPLETE)
            return result;
    }
    return HELLO_PARTIAL;
}

/* One record out of many; the version is that of the first. */
static struct slice join_records(struct slice wire, const struct progress *progress, char *flat)
{
    size_t len = 0;
    for (size_t at = 0; at < progress->at;) {
        const uint8_t *bytes = (const uint8_t *)wire.data + at;
        size_t body = (size_t)bytes[3] << 8 | bytes[4];
        memcpy(flat + RECORD_HEADER + len, bytes + RECORD_HEADER, body);
        len += body;
        at += RECORD_HEADER + body;
    }
    memcpy(flat, wire.data, 3);
    flat[3] = (char)(len >> 8);
    flat[4] = (char)len;
    return slice_make(flat, RECORD_HEADER + len);
}

enum hello_result hello_read(struct slice wire, char *flat, struct hello *out, struct slice *record)
{
    struct progress progress = {0};
    memset(out, 0, sizeof *out);
    *record = (struct slice){wire.data, 0};
    enum hello_result result = walk_records(wire, &progress, out);
    if (result == HELLO_PARTIAL && wire.len >= HELLO_WIRE_MAX)
        return HELLO_TOO_LONG;
    if (result != HELLO_COMPLETE)
        return result;
    out->wire_len = progress.at;
    out->records = progress.records;
    *record =
        progress.records == 1 ? slice_make(wire.data, progress.at) : join_records(wire, &progress, flat);
    struct reader body = {(const uint8_t *)record->data + RECORD_HEADER + HANDSHAKE_HEADER,
                          progress.need - HANDSHAKE_HEADER};
    const char *why = read_body(body, out);
    return why ? refuse(out, why) : HELLO_COMPLETE;
}

size_t hello_compact(char *wire, size_t len)
{
    size_t body = 0, at = 0;
    while (len - at >= RECORD_HEADER) {
        const uint8_t *bytes = (const uint8_t *)wire + at;
        size_t more = (size_t)bytes[3] << 8 | bytes[4];
        if (len - at - RECORD_HEADER < more)
            break;
        memmove(wire + RECORD_HEADER + body, wire + at + RECORD_HEADER, more);
        body += more;
        at += RECORD_HEADER + more;
    }
    if (body == 0)
        return len;
    wire[3] = (char)(body >> 8);
    wire[4] = (char)body;
    memmove(wire + RECORD_HEADER + body, wire + at, len - at);
    return RECORD_HEADER + body + (len - at);
}

const char *hello_repeats(const struct hello *first, const struct hello *again)
{
    if (strcmp(first->name, again->name) != 0 || first->names_address != again->names_address)
        return "it has another name (SNI) than the first";
    if (!slice_equal(first->alpn, again->alpn))
        return "it has other protocols (ALPN) than the first";
    if (!slice_equal(first->versions, again->versions))
        return "it has other versions than the first";
    if (!slice_equal(first->groups, again->groups))
        return "it has other groups than the first";
    if (!slice_equal(first->signatures, again->signatures))
        return "it has other signature schemes than the first";
    if (!slice_equal(first->fixed, again->fixed))
        return "it has other cipher suites, or another random or session id, than the first";
    return NULL;
}
