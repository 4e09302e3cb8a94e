/*
 * The PROXY protocol, versions 1 and 2, as HAProxy's doc/proxy-protocol.txt specifies it: what stands in
 * front of a connection's bytes and says on whose behalf it is made. Pure: no socket, no allocation. Sections
 * below are those of that document.
 */
#ifndef LB_NET_PROXY_PROTOCOL_H
#define LB_NET_PROXY_PROTOCOL_H

#include <stdint.h>

#include "lb/base/addr.h"
#include "lb/base/slice.h"

/* The longest header that is read: a line of version 1 with its CRLF (section 2.1), and in version 2 the
 * fixed part and 8 KB of addresses and TLVs. */
#define PROXY_V1_MAX 107
#define PROXY_V2_MAX (16 + 8192)

/* ---- reading ---- */

enum proxy_result {
    PROXY_COMPLETE,
    PROXY_PARTIAL, /* all so far could be the beginning of a header: call again with more */
    PROXY_INVALID, /* see `why` */
    PROXY_TOO_LONG,
};

enum proxy_origin {
    PROXY_ORIGIN_GIVEN,   /* `source` and `destination` are those of the connection that is passed on */
    PROXY_ORIGIN_UNKNOWN, /* for somebody whose address cannot be told: UNKNOWN, UNSPEC, a unix socket, UDP */
    PROXY_ORIGIN_LOCAL,   /* the sender's own connection: LOCAL */
};

struct proxy_header {
    enum proxy_origin origin;
    struct addr source, destination; /* both IPv4 or both IPv6; only with PROXY_ORIGIN_GIVEN */
    size_t len;                      /* of the header; what follows is the connection's */
    const char *why;                 /* after PROXY_INVALID: constant text */
};

/*
 * `wire` is everything that has come so far. Strict: one spelling of each field, lengths that agree, a CRC32c
 * that is right where there is one. Other TLVs are stepped over; where the addresses do not count (UNKNOWN,
 * UNSPEC, LOCAL) what stands behind them does not either. PARTIAL is only said of less than PROXY_V2_MAX
 * bytes.
 */
enum proxy_result proxy_read(struct slice wire, struct proxy_header *out);

/* ---- writing ---- */

/* The longest header that is written; the client's certificate may be in it. */
#define PROXY_WRITE_MAX (16 + 65535)

#define PROXY_UNIQUE_ID_MAX 128

/* What is said about a connection. Empty slices are left out. */
struct proxy_facts {
    /* Both IPv4 or both IPv6; NULL or anything else reads as UNKNOWN. */
    const struct addr *source, *destination;

    /* The rest is for version 2 only. */
    struct slice alpn, authority, unique_id;
    bool tls;
    bool certificate_now;                  /* the client has proven a certificate on this connection */
    bool certificate_in_session;           /* on this one, or on the one whose session it resumes */
    struct slice version;                  /* "TLSv1.3" */
    struct slice cipher;                   /* "ECDHE-RSA-AES128-GCM-SHA256" */
    struct slice group, scheme;            /* "secp256r1", "ecdsa_secp256r1_sha256" */
    struct slice signature, key;           /* of lb's own certificate: "RSA-SHA256", "RSA2048" */
    struct slice common_name, certificate; /* of the client's verified one; the latter DER */
};

/* The length written to `out`. */
size_t proxy_write_v1(const struct proxy_facts *facts, char out[PROXY_V1_MAX]);

/* The same into out[size]; 0: it does not fit, or a value is longer than its length field can tell. */
size_t proxy_write_v2(const struct proxy_facts *facts, char *out, size_t size);

/* The headers of connections that are the sender's own: health checks. Constant. */
struct slice proxy_own_v1(void); /* "PROXY UNKNOWN" */
struct slice proxy_own_v2(void); /* LOCAL */

/* ---- both ---- */

#define PROXY_V2_SIGNATURE SLICE_LITERAL("\r\n\r\n\0\r\nQUIT\n")

enum proxy_tlv {
    PROXY_TLV_ALPN = 0x01,
    PROXY_TLV_AUTHORITY = 0x02,
    PROXY_TLV_CRC32C = 0x03,
    PROXY_TLV_UNIQUE_ID = 0x05,
    PROXY_TLV_TLS = 0x20,
    PROXY_TLV_TLS_VERSION = 0x21,
    PROXY_TLV_TLS_COMMON_NAME = 0x22,
    PROXY_TLV_TLS_CIPHER = 0x23,
    PROXY_TLV_TLS_SIGNATURE = 0x24,
    PROXY_TLV_TLS_KEY = 0x25,
    PROXY_TLV_TLS_GROUP = 0x26,
    PROXY_TLV_TLS_SCHEME = 0x27,
    PROXY_TLV_TLS_CERTIFICATE = 0x28,
};

#endif
