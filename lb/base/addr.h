/* Socket addresses as users write them: "127.0.0.1:80", "[::1]:80", "*:80", "name:80", "unix:/path". */
#ifndef LB_BASE_ADDR_H
#define LB_BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

struct addr {
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    };
    socklen_t len;
};

#define ADDR_TEXT_MAX 128

/* Reads a numeric or unix address. Ports are 1-65535 without leading zeros or signs. On false, *why is a
 * constant text that says what is wrong. Host names are refused here: addr_resolve is for servers. */
bool addr_parse(const char *text, struct addr *out, const char **why);

/* As addr_parse, and host names through the system's resolver (blocks: only at load). The first answer is
 * taken. */
bool addr_resolve(const char *text, struct addr *out, const char **why);

/* "127.0.0.1:80", "[::1]:80" or "unix:/path" into out[ADDR_TEXT_MAX]. */
void addr_format(const struct addr *addr, char *out);

/* The address without port ("unix" for a unix socket) into out[ADDR_TEXT_MAX]; IPv4-mapped IPv6 reads as
 * IPv4. */
void addr_host(const struct addr *addr, char *out);

unsigned addr_port(const struct addr *addr); /* 0 for unix */
bool addr_equal(const struct addr *a, const struct addr *b);

#endif
