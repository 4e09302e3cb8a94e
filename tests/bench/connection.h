/*
 * One connection of the load generator. It is edge-triggered: after each event of its descriptor call
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
    FAILURE_TLS,    /* the handshake, or a record in it, failed */
    FAILURE_TERMS,  /* another version, suite, group or application protocol, or resumed unasked */
    FAILURE_FULL,   /* a full handshake instead of a resumed one, or no ticket was there to resume with */
    FAILURE_SHORT,  /* the connection ended inside an answer, or before it */
    FAILURE_WRONG,  /* an answer with other bytes or another length, or one that ends the connection */
    FAILURE_STATUS, /* an answer, but with another status than 200 */
    FAILURE_RESET,  /* a stream was reset, or HTTP/2 ended with a GOAWAY */
    FAILURE_TIMEOUT,
    FAILURE_COUNT
};

enum speech {
    SPEECH_RAW,   /* what lies between the origin and us must not change a byte */
    SPEECH_HTTP1, /* the header may change: status, length and body are compared */
    SPEECH_HTTP2
};

struct request {
    char path[64], authority[64];
    char text[320]; /* HTTP/1 */
    size_t text_len;
};

/* What all connections of a run share. */
struct target {
    int epoll;
    struct sockaddr_in address;
    enum speech speech;
    SSL_CTX *tls; /* NULL: plain TCP */
    int version;  /* of TLS, the only one */
    bool resumes; /* a connection uses the ticket of the one before it in its place */
    const char *server_name;
    size_t names; /* 0: server_name; else connections ask for any of as many "nN.SERVER_NAME" */
    uint64_t random;
    struct pattern pattern;
    struct answer answer; /* what is asked for now */
    uint64_t size;        /* its body */
    struct request *requests;
    size_t request_count, request_next;
    unsigned char scratch[16384];
    uint64_t resets;  /* connections that the proxy ended with a reset after the last answer */
    uint64_t resumed; /* handshakes */
    uint64_t tickets; /* of TLS 1.3, that came before a complete answer */
};

struct http2;

struct connection {
    struct target *target;
    enum step step;
    enum failure failure;
    int fd;
    SSL *ssl;
    SSL_SESSION *session; /* the newest with a ticket; stays when the connection is opened again */
    size_t name;          /* which of the target's names */
    unsigned running;     /* answers that are waited for; more than one with HTTP/2 only */
    unsigned complete;    /* answers that the caller has not taken yet: it sets this to 0 */
    uint64_t answers;     /* complete ones since it was opened */
    uint64_t received;    /* bytes of the running answer; HTTP/1: of its body */
    bool head_complete;
    size_t head_len;
    char head[1024];
    struct http2 *http2;
};

/* How requests are spread: over `hosts` times `paths` routes "hN.SERVER_NAME" with "/pN"; 0: all for the host
 * that the connection has asked for, without a prefix. False: out of memory. */
bool target_ask_for(struct target *target, uint64_t size, size_t hosts, size_t paths);

void connection_open(struct connection *c, struct target *target);
void connection_ask(struct connection *c);  /* when OPEN; HTTP/2: any number of times */
void connection_send(struct connection *c); /* what was asked for; then its answers are waited for */
void connection_close(
    struct connection *c); /* when OPEN: close_notify and FIN, then waits for the other's FIN */
void connection_fail(struct connection *c, enum failure failure);
void connection_advance(struct connection *c);

/* For the protocols. Bytes in the target's scratch; 0: the next event has to be waited for, or it failed. */
size_t connection_read(struct connection *c);
/* Anything but all of it is a failure: requests are far smaller than an empty send buffer. */
void connection_write(struct connection *c, const void *bytes, size_t len);
void connection_answered(struct connection *c);

#endif
