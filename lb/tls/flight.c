#include "lb/tls/flight.h"

enum {
    HEADER = 5,
    KEYS_MAX = 4096,              /* key exchange, change_cipher_spec and Finished have some 300 */
    CERTIFICATES_MAX = 32 * 1024, /* as many certificates as wolfSSL takes, and their signature */
};

static void next_record(struct flight *flight)
{
    flight->left = (size_t)flight->header[3] << 8 | flight->header[4];
    flight->sum += HEADER + flight->left;
    flight->have = 0;
}

static void count_bytes(struct flight *flight, struct slice in)
{
    for (size_t at = 0; at < in.len;) {
        size_t now = in.len - at < flight->left ? in.len - at : flight->left;
        flight->left -= now;
        at += now;
        if (at == in.len)
            break;
        flight->header[flight->have++] = (uint8_t)in.data[at++];
        if (flight->have == HEADER)
            next_record(flight);
    }
}

void flight_begin(struct flight *flight, struct slice hello)
{
    *flight = (struct flight){.sum = 0};
    count_bytes(flight, hello);
    if (flight->left == 0 && flight->have == 0)
        flight->sum = 0;
}

bool flight_fits(struct flight *flight, struct slice in, enum tls_mode mode)
{
    count_bytes(flight, in);
    return flight->sum <= (mode == TLS_ONE_WAY ? KEYS_MAX : CERTIFICATES_MAX);
}
