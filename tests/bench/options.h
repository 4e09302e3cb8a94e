/* The arguments of the load generator. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum mode { MODE_HANDSHAKE, MODE_REQUEST, MODE_BULK, MODE_IDLE, MODE_HTTP1, MODE_HTTP2, MODE_COUNT };
extern const char *const mode_names[MODE_COUNT];

struct options {
    enum mode mode;
    uint64_t count, connections, bytes, timeout;
    uint64_t size;         /* HTTP: of a body */
    uint64_t streams;      /* HTTP/2: at the same time on each connection */
    uint64_t hosts, paths; /* HTTP: the routes that requests go around */
    uint64_t names;        /* handshake: of the server, each with a certificate of its own; 0: one */
    uint16_t port;
    bool plain, http, resume, tls12;
    const char *server_cert, *client_cert, *server_name;
};

/* Ends the process with 2 and what is wrong. */
void options_parse(struct options *options, int argc, char **argv);
void fail(const char *what) __attribute__((noreturn));

#endif
