#include "lb/tls/proof.h"

#include <stdlib.h>

enum { FORMAT = 2, TIME_LEN = 8, LENGTH_LEN = 2, FLAG_LEAF_IS_ANCHOR = 1 };

static void put_number(char *out, size_t bytes, uint64_t number)
{
    for (size_t i = bytes; i-- > 0; number >>= 8)
        out[i] = (char)number;
}

static bool take_bytes(struct slice *in, size_t len, struct slice *out)
{
    if (in->len < len)
        return false;
    *out = slice_make(in->data, len);
    *in = slice_make(in->data + len, in->len - len);
    return true;
}

static bool take_number(struct slice *in, size_t bytes, uint64_t *out)
{
    struct slice text;
    if (!take_bytes(in, bytes, &text))
        return false;
    *out = 0;
    for (size_t i = 0; i < bytes; i++)
        *out = *out << 8 | (unsigned char)text.data[i];
    return true;
}

/* ---- the chain: count, flags, and each certificate behind its length ---- */

static size_t chain_size(const struct certificate *chain, size_t count)
{
    size_t size = 2;
    for (size_t i = 0; i < count; i++) {
        if (chain[i].der.len > UINT16_MAX)
            return PROOF_CHAIN_MAX + 1;
        size += LENGTH_LEN + chain[i].der.len;
    }
    return size;
}

bool proof_chain_write(const struct certificate *chain, size_t count, char **out, size_t *len)
{
    size_t own = count > 1 ? count - 1 : count, size = chain_size(chain, own);
    *out = NULL;
    if (own == 0 || own > PATH_SENT_MAX || size > PROOF_CHAIN_MAX || !(*out = malloc(size)))
        return false;
    char *at = *out;
    *at++ = (char)own;
    *at++ = count == 1 ? FLAG_LEAF_IS_ANCHOR : 0;
    for (size_t i = 0; i < own; i++) {
        put_number(at, LENGTH_LEN, chain[i].der.len);
        memcpy(at + LENGTH_LEN, chain[i].der.data, chain[i].der.len);
        at += LENGTH_LEN + chain[i].der.len;
    }
    *len = size;
    return true;
}

bool proof_chain_read(struct slice bytes, struct proof_chain *out)
{
    uint64_t count, flags, len;
    const char *why;
    if (!take_number(&bytes, 1, &count) || !take_number(&bytes, 1, &flags))
        return false;
    if (count == 0 || count > PATH_SENT_MAX || flags > FLAG_LEAF_IS_ANCHOR)
        return false;
    out->count = (size_t)count;
    out->leaf_is_anchor = flags == FLAG_LEAF_IS_ANCHOR;
    for (size_t i = 0; i < out->count; i++) {
        struct slice der;
        if (!take_number(&bytes, LENGTH_LEN, &len) || !take_bytes(&bytes, (size_t)len, &der) ||
            !certificate_open(der, &out->list[i], &why))
            return false;
    }
    return bytes.len == 0 && (!out->leaf_is_anchor || count == 1);
}

/* ---- the whole ---- */

static size_t size_of(const struct proof *proof)
{
    size_t head = 3 + TIME_LEN;
    switch (proof->kind) {
    case PROOF_CHAIN: return head + PROOF_HASH_LEN + proof->chain.len;
    case PROOF_CHAIN_AT: return head + 2 * PROOF_HASH_LEN;
    case PROOF_NOBODY: break;
    }
    return head;
}

size_t proof_write(const struct proof *proof, char *out, size_t room)
{
    size_t size = size_of(proof);
    if (size > room)
        return 0;
    *out++ = FORMAT;
    *out++ = (char)proof->kind;
    *out++ = (char)proof->times;
    put_number(out, TIME_LEN, (uint64_t)proof->first);
    out += TIME_LEN;
    if (proof->kind == PROOF_NOBODY)
        return size;
    memcpy(out, proof->anchor, PROOF_HASH_LEN);
    out += PROOF_HASH_LEN;
    if (proof->kind == PROOF_CHAIN)
        memcpy(out, proof->chain.data, proof->chain.len);
    else
        memcpy(out, proof->at, PROOF_HASH_LEN);
    return size;
}

static bool read_identity(struct slice bytes, struct proof *out)
{
    struct slice hash;
    if (out->kind == PROOF_NOBODY)
        return bytes.len == 0;
    if (!take_bytes(&bytes, PROOF_HASH_LEN, &hash))
        return false;
    memcpy(out->anchor, hash.data, PROOF_HASH_LEN);
    if (out->kind == PROOF_CHAIN) {
        out->chain = bytes;
        return bytes.len > 0;
    }
    if (!take_bytes(&bytes, PROOF_HASH_LEN, &hash))
        return false;
    memcpy(out->at, hash.data, PROOF_HASH_LEN);
    return bytes.len == 0;
}

bool proof_read(struct slice bytes, struct proof *out)
{
    uint64_t format, kind, times, first;
    *out = (struct proof){.kind = PROOF_NOBODY};
    if (!take_number(&bytes, 1, &format) || !take_number(&bytes, 1, &kind) ||
        !take_number(&bytes, 1, &times) || !take_number(&bytes, TIME_LEN, &first))
        return false;
    if (format != FORMAT || kind > PROOF_CHAIN_AT || first > INT64_MAX)
        return false;
    out->kind = (enum proof_kind)kind;
    out->times = (uint8_t)times;
    out->first = (int64_t)first;
    return read_identity(bytes, out);
}
