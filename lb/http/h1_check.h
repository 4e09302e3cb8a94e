/*
 * The grammar of HTTP/1 in bytes (RFC 9112 sections 2 to 7), as narrow as the RFC allows, and the limits.
 * This stands in front of llhttp, which is handed only what passed here: it takes line ends, blanks, versions
 * and controls more broadly than what sits in front of an authorization may. Private to the decoder.
 *
 * The verdict on a byte depends on the bytes before it only, however they were cut.
 */
#ifndef LB_HTTP_H1_CHECK_H
#define LB_HTTP_H1_CHECK_H

#include "lb/http/h1.h"

enum h1_at {
    H1_AT_START, /* between messages */
    H1_AT_START_LF,
    H1_AT_METHOD,
    H1_AT_TARGET,
    H1_AT_VERSION,
    H1_AT_STATUS,
    H1_AT_REASON,
    H1_AT_LINE_LF,
    H1_AT_FIELD, /* at the beginning of a field line or of the empty line */
    H1_AT_NAME,
    H1_AT_VALUE,
    H1_AT_FIELDS_LF,
    H1_AT_CHUNK_CR, /* after the data of a chunk */
    H1_AT_CHUNK_LF,
    H1_AT_CHUNK_SIZE,
    H1_AT_EXTENSION,
    H1_AT_CHUNK_LINE_LF,
    /* Bytes of a body. */
    H1_AT_BODY,
    H1_AT_CHUNK_DATA,
    H1_AT_UNTIL_EOF,
    /* Here h1_check_lines stops: what the bytes mean has to be looked at first. */
    H1_AT_FIELDS_OVER,
    H1_AT_CHUNK_LINE_OVER,
    H1_AT_OVER, /* of the message */
};

struct h1_check {
    struct http_limits limits;
    uint64_t room;       /* bytes that this head or trailer section may still have */
    uint64_t extensions; /* bytes that chunk extensions of this message may still have */
    uint64_t word;       /* bytes of the target or of the field name so far */
    uint64_t left;       /* of the body or the chunk */
    uint64_t fields;     /* of this head or trailer section */
    struct h1_error error;
    uint8_t at;      /* enum h1_at; where an error was found, it stays */
    uint8_t kind;    /* enum h1_kind */
    uint8_t count;   /* of bytes in a method, version, status or chunk size */
    uint8_t leading; /* CRLFs before the message */
    uint8_t major, minor;
    bool trailers; /* the fields are trailers */
};

/* Skips what may stand between messages; a message begins (at is no longer START) when a byte of it is there.
 * Gives how many bytes were skipped. */
size_t h1_check_start(struct h1_check *check, struct slice in);

/* How many of the bytes are well-formed: up to an error (error.text is set), to where a stop is made, or all.
 */
size_t h1_check_lines(struct h1_check *check, struct slice in);

/* How many of the bytes are of the body (or the chunk). */
size_t h1_check_data(struct h1_check *check, size_t len);

/* After a chunk line: its data follow, or the trailers. */
void h1_check_after_chunk_line(struct h1_check *check);

void h1_check_fail(struct h1_check *check, unsigned status, const char *text);

#endif
