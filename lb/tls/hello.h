/*
 * The ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2), read before any TLS object exists.
 * Bounded, never allocates, and either reads the hello to its end or refuses it: a hello cut into many
 * records or segments is put together first, so that nothing falls back to a default for want of a name.
 */
#ifndef LB_TLS_HELLO_H
#define LB_TLS_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lb/base/slice.h"

#define HELLO_MAX      16384               /* handshake header and body together */
#define HELLO_WIRE_MAX (HELLO_MAX + 16384) /* with the record headers of a finely cut one */
#define HELLO_NAME_MAX 255

enum hello_result {
    HELLO_COMPLETE,
    HELLO_PARTIAL,  /* more bytes are needed */
    HELLO_INVALID,  /* refuse; `why` says what is wrong */
    HELLO_TOO_LONG, /* refuse */
};

struct hello {
    char name[HELLO_NAME_MAX + 1]; /* SNI, normalized (lower case, no trailing dot); "" when absent */
    uint16_t version_max;          /* highest offered that we know of: 0x0304, 0x0303, ... */
    uint16_t version_min;          /* lowest of them */
    uint16_t legacy_version;
    /* By signature_algorithms and, up to TLS 1.2, the suites; the first and the last are true when the
     * extension is absent. */
    bool offers_ecdsa, offers_edwards, offers_rsa;
    bool offers_psk;
    bool psk_fresh_keys;  /* with it, it takes part in a key exchange (RFC 8446 section 4.2.9) */
    bool extended_master; /* RFC 7627 */
    size_t ticket_len;    /* of a ticket in the extension of RFC 5077 */
    bool names_address;   /* the SNI is an IP literal, which is no name: see read_server_name */
    struct slice alpn;    /* body of the ALPN extension's list; points into the input; empty when absent */
    struct slice groups;  /* body of supported_groups' list, two bytes each */
    /* For comparing two hellos (hello_repeats); they point into the input as well. */
    struct slice fixed;      /* all that stands before the extensions */
    struct slice suites;     /* of it; two bytes each */
    struct slice versions;   /* bodies of supported_versions and signature_algorithms; empty when absent */
    struct slice signatures; /* two bytes each */
    size_t wire_len;         /* bytes of the input that carried the hello */
    size_t records;          /* how many records it came in */
    const char *why;         /* constant text, for HELLO_INVALID */
};

/* Looks at the first `len` bytes of a connection. The pieces of `out` are valid while `flat` (or `wire` when
 * the hello came in one record) is. flat[HELLO_MAX + 5] receives the hello re-framed as one record when it
 * came in several; feed *record then, else the input itself: *record always is the bytes to feed, followed by
 * nothing. */
enum hello_result hello_read(struct slice wire, char *flat, struct hello *out, struct slice *record);

/* Puts the complete records at the start of what hello_read has called HELLO_PARTIAL into one, in place, and
 * returns how many bytes are left: never more than HELLO_MAX + 10, however finely the hello is cut. */
size_t hello_compact(char *wire, size_t len);

/* NULL if `again`, the hello after a HelloRetryRequest, asks for what `first` did (RFC 8446 section 4.1.2: it
 * may differ in key shares, cookie, padding and pre-shared keys only); else a text that says what is
 * different. */
const char *hello_repeats(const struct hello *first, const struct hello *again);

/* The one normalizer of host names: lower case, one trailing dot dropped. False for what is no host name (RFC
 * 1123 labels,
 * '_' allowed, at most 253 bytes) or is an IP literal. */
bool hello_normalize_name(struct slice name, char out[HELLO_NAME_MAX + 1]);

#endif
