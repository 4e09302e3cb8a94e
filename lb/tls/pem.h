/* PEM (RFC 7468): finds blocks in a text, decodes and writes them. */
#ifndef LB_TLS_PEM_H
#define LB_TLS_PEM_H

#include <stdbool.h>

#include "lb/base/slice.h"

struct pem_block {
    struct slice label; /* "CERTIFICATE" */
    struct slice body;  /* between the BEGIN and the END line */
    struct slice whole; /* with both lines */
};

/* The next block; advances *text. False: no more, or (*why set) a BEGIN without its END. */
bool pem_next(struct slice *text, struct pem_block *out, const char **why);

/* Strict base64 with white space between; `out` has room for body.len bytes. */
bool pem_decode(struct slice body, char *out, size_t *len);

/* Bytes that pem_encode writes, without a NUL. */
size_t pem_encoded_size(size_t der_len, const char *label);
void pem_encode(struct slice der, const char *label, char *out);

#endif
