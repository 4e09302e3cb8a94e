#include "lb/tls/ticket.h"

#include <wolfssl/wolfcrypt/aes.h>

#include "lb/base/text.h"

enum {
    TAG_LEN = 16,
    MAC_LEN = WOLFSSL_TICKET_MAC_SZ,
    COUNT_LEN = 2, /* of the proof, at the very end */
};

_Static_assert(WOLFSSL_TICKET_NAME_SZ == TICKET_NAME_LEN && MAC_LEN >= TAG_LEN, "the frame of a ticket");

/* Another build of the library may have another idea of its part. */
void ticket_bond(struct ticket_bond *bond, const unsigned char scope[32], int version, const char *name)
{
    struct text text;
    text_init(&text, bond->data, sizeof bond->data);
    text_add(&text, SLICE_LITERAL("lb ticket 1"));
    text_add(&text, slice_make(scope, 32));
    text_addf(&text, "%d %d %lx ", version, WOLFSSL_TICKET_EXTRA_PADDING_SZ,
              (unsigned long)LIBWOLFSSL_VERSION_HEX);
    text_adds(&text, name);
    bond->len = text.len;
}

/* The key's name stands in the open. */
static size_t additional(const struct ticket_bond *bond, const unsigned char *name,
                         unsigned char out[TICKET_NAME_LEN + TICKET_BOND_MAX])
{
    memcpy(out, name, TICKET_NAME_LEN);
    memcpy(out + TICKET_NAME_LEN, bond->data, bond->len);
    return TICKET_NAME_LEN + bond->len;
}

static bool has_key(Aes *aes, const struct ticket_key *key)
{
    if (wc_AesInit(aes, NULL, INVALID_DEVID) != 0)
        return false;
    if (wc_AesGcmSetKey(aes, key->key, TICKET_KEY_LEN) == 0)
        return true;
    wc_AesFree(aes);
    return false;
}

size_t ticket_room(size_t inner, size_t room)
{
    size_t most = room < TICKET_MAX - TICKET_FRAME_LEN ? room : TICKET_MAX - TICKET_FRAME_LEN;
    return most > inner + COUNT_LEN ? most - inner - COUNT_LEN : 0;
}

size_t ticket_seal(const struct ticket_key *key, WC_RNG *rng, const struct ticket_bond *bond,
                   const struct ticket_parts *parts, size_t inner, size_t room, const struct proof *proof)
{
    unsigned char aad[TICKET_NAME_LEN + TICKET_BOND_MAX];
    Aes aes;
    size_t count = proof_write(proof, (char *)parts->bytes + inner, ticket_room(inner, room)),
           len = inner + count + COUNT_LEN;
    if (count == 0 || wc_RNG_GenerateBlock(rng, parts->iv, WOLFSSL_TICKET_IV_SZ) != 0 || !has_key(&aes, key))
        return 0;
    parts->bytes[len - 2] = (unsigned char)(count >> 8);
    parts->bytes[len - 1] = (unsigned char)count;
    memcpy(parts->name, key->name, TICKET_NAME_LEN);
    memset(parts->mac, 0, MAC_LEN);
    size_t aad_len = additional(bond, key->name, aad);
    int result = wc_AesGcmEncrypt(&aes, parts->bytes, parts->bytes, (word32)len, parts->iv,
                                  WOLFSSL_TICKET_IV_SZ, parts->mac, TAG_LEN, aad, (word32)aad_len);
    wc_AesFree(&aes);
    return result == 0 ? len : 0;
}

static bool unused_is_zero(const unsigned char *mac)
{
    for (size_t i = TAG_LEN; i < MAC_LEN; i++)
        if (mac[i])
            return false;
    return true;
}

static bool unseal(const struct ticket_key *key, const struct ticket_bond *bond,
                   const struct ticket_parts *parts, size_t len)
{
    unsigned char aad[TICKET_NAME_LEN + TICKET_BOND_MAX];
    Aes aes;
    if (!unused_is_zero(parts->mac) || !has_key(&aes, key))
        return false;
    size_t aad_len = additional(bond, parts->name, aad);
    int result = wc_AesGcmDecrypt(&aes, parts->bytes, parts->bytes, (word32)len, parts->iv,
                                  WOLFSSL_TICKET_IV_SZ, parts->mac, TAG_LEN, aad, (word32)aad_len);
    wc_AesFree(&aes);
    return result == 0;
}

bool ticket_open(const struct ticket_key *key, const struct ticket_bond *bond,
                 const struct ticket_parts *parts, size_t len, size_t *inner, struct proof *proof)
{
    if (len < COUNT_LEN || !unseal(key, bond, parts, len))
        return false;
    size_t count = (size_t)parts->bytes[len - 2] << 8 | parts->bytes[len - 1];
    if (count > len - COUNT_LEN)
        return false;
    *inner = len - COUNT_LEN - count;
    return proof_read(slice_make(parts->bytes + *inner, count), proof);
}
