/*
 * One TLS connection of the load generator. It is edge-triggered: after each event of its descriptor call
 * connection_advance, then look at `step`. Only OPEN and CLOSED ask the caller for something; FAILED is
 * final, with its reason in `failure`.
 */
#ifndef BENCH_CONNECTION_H
#define BENCH_CONNECTION_H

#include "answer.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>

enum step {
    STEP_NONE,
    STEP_CONNECT,
    STEP_HANDSHAKE,
    STEP_OPEN,
    STEP_RECEIVE,
    STEP_CLOSING,
    STEP_CLOSED,
    STEP_FAILED
};

enum failure {
    FAILURE_CONNECT,
    FAILURE_TLS,   /* the handshake, or a record in it, failed */
    FAILURE_TERMS, /* another version, suite or group, or a resumed session */
    FAILURE_SHORT, /* the connection ended inside an answer, or before it */
    FAILURE_WRONG, /* an answer with other bytes, or more of them */
    FAILURE_TIMEOUT,
    FAILURE_COUNT
};

/* What all connections of a run share. */
struct target {
    int epoll;
    struct sockaddr_in address;
    SSL_CTX *tls;
    const char *server_name;
    struct pattern pattern;
    struct answer answer; /* what is asked for now */
    char request[128];
    size_t request_len;
    unsigned char scratch[16384];
    uint64_t resets; /* connections that the proxy ended with a reset after the last answer */
};

struct connection {
    struct target *target;
    enum step step;
    enum failure failure;
    int fd;
    SSL *ssl;
    uint64_t received; /* bytes of the running answer */
    uint64_t answers;  /* complete ones on this connection */
};

void target_ask_for(struct target *target, uint64_t size);

void connection_open(struct connection *c, struct target *target);
void connection_ask(struct connection *c); /* when OPEN */
void connection_close(
    struct connection *c); /* when OPEN: close_notify and FIN, then waits for the other's FIN */
void connection_fail(struct connection *c, enum failure failure);
void connection_advance(struct connection *c);

#endif
