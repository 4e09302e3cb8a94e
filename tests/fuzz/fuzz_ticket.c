/*
 * What resumption reads: proofs and chains as they stand behind a seal that is good, and tickets whose seal
 * is anything. What was read is written and read again; a ticket that nobody sealed must not open.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lb/tls/ticket.h"

static void must(int condition)
{
    if (!condition)
        abort();
}

static void read_chain(struct slice bytes)
{
    struct proof_chain chain;
    char *again;
    size_t len;
    if (!proof_chain_read(bytes, &chain))
        return;
    must(chain.count >= 1 && chain.count <= PATH_SENT_MAX);
    struct certificate list[PATH_MAX_LEN];
    memcpy(list, chain.list, chain.count * sizeof list[0]);
    if (!chain.leaf_is_anchor) /* in its place any will do: it is not written */
        list[chain.count] = list[0];
    must(bytes.len > PROOF_CHAIN_MAX ||
         proof_chain_write(list, chain.count + (chain.leaf_is_anchor ? 0 : 1), &again, &len));
    if (bytes.len > PROOF_CHAIN_MAX)
        return;
    must(slice_equal(slice_make(again, len), bytes));
    free(again);
}

static void read_proof(struct slice bytes)
{
    struct proof proof;
    if (!proof_read(bytes, &proof))
        return;
    char *again = malloc(bytes.len + 1);
    size_t len = proof_write(&proof, again, bytes.len);
    must(slice_equal(slice_make(again, len), bytes));
    must(proof_write(&proof, again, bytes.len - 1) == 0);
    free(again);
    if (proof.kind == PROOF_CHAIN)
        read_chain(proof.chain);
}

/* Name, vector and tag first, then what is sealed. */
static void open_ticket(const uint8_t *data, size_t size)
{
    enum { FRAME = 16 + 16 + 32 };
    static const unsigned char scope[32] = {1};
    struct ticket_key key = {.key = {2}};
    struct ticket_bond bond;
    struct proof proof;
    size_t inner;
    if (size < FRAME)
        return;
    unsigned char *copy = malloc(size);
    memcpy(copy, data, size);
    memcpy(key.name, copy, sizeof key.name);
    struct ticket_parts parts = {copy, copy + 16, copy + 32, copy + FRAME};
    ticket_bond(&bond, scope, 4, "a.test");
    must(!ticket_open(&key, &bond, &parts, size - FRAME, &inner, &proof));
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make(data, size);
    read_proof(input);
    read_chain(input);
    open_ticket(data, size);
    return 0;
}
