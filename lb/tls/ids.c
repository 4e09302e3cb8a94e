/* Sessions of TLS 1.2 clients that take no tickets (RFC 5246 section 7.4.1.2): kept by the process, found
 * again by session id, under the same rules as tickets. */
#include <stdlib.h>
#include <string.h>

#include "lb/tls/digest.h"
#include "lb/tls/resume.h"
#include "lb/tls/session_parts.h"
#include "lb/tls/sessions_parts.h"
#include "lb/tls/ticket.h"

enum {
    ID_LEN = 32,
    ID_AT = 10, /* in the library's form of a session: behind side, time, timeout and the length */
    BOND_LEN = 32,
    PROOF_ROOM = 1024,
    SESSION_MOST = 4096, /* of the library's form */
};

/* What is kept: the bond, the proof behind its length, the library's session. */
struct record {
    char bytes[BOND_LEN + 2 + PROOF_ROOM + SESSION_MOST];
    size_t len;
};

static void hash_bond(const struct tls_session *session, unsigned char out[BOND_LEN])
{
    struct ticket_bond bond;
    ticket_bond(&bond, session->context->resume.scope, WOLFSSL_TLSV1_2, session->resumption->name);
    digest_sha256(slice_make(bond.data, bond.len), out);
}

static bool is_possible(const struct tls_session *session)
{
    return session && session->resumption && wolfSSL_GetVersion(session->ssl) == WOLFSSL_TLSV1_2;
}

/* ---- keeping ---- */

static bool add_proof(struct tls_session *session, struct record *record)
{
    struct proof proof;
    char *chain = NULL;
    size_t len = 0;
    hash_bond(session, (unsigned char *)record->bytes);
    if (resume_prove(session, PROOF_ROOM, &proof, &chain))
        len = proof_write(&proof, record->bytes + BOND_LEN + 2, PROOF_ROOM);
    free(chain);
    record->bytes[BOND_LEN] = (char)(len >> 8);
    record->bytes[BOND_LEN + 1] = (char)len;
    record->len = BOND_LEN + 2 + len;
    return len > 0;
}

static bool add_session(WOLFSSL_SESSION *library, struct record *record, const unsigned char **id)
{
    unsigned char *at = (unsigned char *)record->bytes + record->len;
    int len = wolfSSL_i2d_SSL_SESSION(library, NULL);
    if (len <= ID_AT + ID_LEN || len > SESSION_MOST || wolfSSL_i2d_SSL_SESSION(library, &at) != len)
        return false;
    *id = (unsigned char *)record->bytes + record->len + ID_AT;
    record->len += (size_t)len;
    return (*id)[-1] == ID_LEN;
}

/* Called at the end of every full handshake of TLS 1.2. Who got a ticket needs no id. */
static int on_new(WOLFSSL *ssl, WOLFSSL_SESSION *library)
{
    struct tls_session *session = wolfSSL_GetIOReadCtx(ssl);
    struct record record;
    const unsigned char *id;
    if (!is_possible(session) || wolfSSL_SESSION_has_ticket(library) == WOLFSSL_SUCCESS)
        return 0;
    if (add_proof(session, &record) && add_session(library, &record, &id))
        session_store_put(session->context->resume.sessions->ids, id, slice_make(record.bytes, record.len));
    explicit_bzero(&record, sizeof record);
    return 0;
}

/* ---- finding again ---- */

static bool read_record(struct tls_session *session, struct slice record, struct proof *proof,
                        struct slice *library)
{
    unsigned char bond[BOND_LEN];
    hash_bond(session, bond);
    if (record.len < BOND_LEN + 2)
        return resume_refuse(session, TLS_REFUSED_LOST);
    if (memcmp(record.data, bond, BOND_LEN) != 0)
        return resume_refuse(session, TLS_REFUSED_BOND);
    const unsigned char *at = (const unsigned char *)record.data + BOND_LEN;
    size_t len = (size_t)at[0] << 8 | at[1], left = record.len - BOND_LEN - 2;
    if (len > left || !proof_read(slice_make(at + 2, len), proof))
        return resume_refuse(session, TLS_REFUSED_LOST);
    *library = slice_make(at + 2 + len, left - len);
    return true;
}

static WOLFSSL_SESSION *revive(struct tls_session *session, struct slice record, const unsigned char *id)
{
    struct proof proof;
    struct slice library = {"", 0};
    if (!read_record(session, record, &proof, &library) || !resume_admit(session, &proof, id))
        return NULL;
    const unsigned char *at = (const unsigned char *)library.data;
    return wolfSSL_d2i_SSL_SESSION(NULL, &at, (long)library.len);
}

/* wolfSSL also asks where a TLS 1.3 client offers a key whose name is as long as an id. */
static WOLFSSL_SESSION *on_get(WOLFSSL *ssl, const unsigned char *id, int len, int *keep)
{
    struct tls_session *session = wolfSSL_GetIOReadCtx(ssl);
    char *record;
    size_t record_len;
    *keep = 0;
    if (!is_possible(session) || len != ID_LEN)
        return NULL;
    if (!session_store_get(session->context->resume.sessions->ids, id, &record, &record_len)) {
        resume_refuse(session, TLS_REFUSED_LOST);
        return NULL;
    }
    WOLFSSL_SESSION *library = revive(session, slice_make(record, record_len), id);
    explicit_bzero(record, record_len);
    free(record);
    return library;
}

void resume_by_id(WOLFSSL_CTX *ctx)
{
    wolfSSL_CTX_sess_set_new_cb(ctx, on_new);
    wolfSSL_CTX_sess_set_get_cb(ctx, on_get);
}
