/*
 * What a client may send between its hello and the end of its handshake: wolfSSL keeps what it has not got as
 * a whole, and a client that goes no further must cost little.
 */
#ifndef LB_TLS_FLIGHT_H
#define LB_TLS_FLIGHT_H

#include <stdint.h>

#include "lb/base/slice.h"
#include "lb/tls/settings.h"

struct flight {
    size_t sum;  /* bytes of the records so far, with what the last one has yet to bring */
    size_t left; /* of the record that is coming */
    uint8_t header[5];
    uint8_t have; /* bytes of the header */
};

/* The hello is not part of it, unless it came in pieces. */
void flight_begin(struct flight *flight, struct slice hello);

/* Counts bytes after which the handshake is not complete. False: they are more than a handshake needs. */
bool flight_fits(struct flight *flight, struct slice in, enum tls_mode mode);

#endif
