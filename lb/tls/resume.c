#include "lb/tls/resume.h"

#include <stdlib.h>

#include "lb/base/text.h"
#include "lb/tls/digest.h"
#include "lb/tls/session_parts.h"
#include "lb/tls/sessions_parts.h"
#include "lb/tls/ticket.h"

enum { WIRE_TLS_1_3 = 0x0304 };

#define SKEW_S    60  /* between the clocks of machines that share ticket keys */
#define TIMES_MAX 255 /* resumptions in a row: wolfSSL has one byte to number tickets, and then fails */

enum { SCOPE_ROOM = 64 + 5 * (SUITES_MAX + GROUPS_MAX + SIGNATURES_MAX) };

/* ---- the context ---- */

/* Every connection is verified in full: nothing of an earlier one is taken up. */
static bool forbid(WOLFSSL_CTX *ctx)
{
    return wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_OFF) == WOLFSSL_SUCCESS;
}

static bool forbid_tickets(WOLFSSL_CTX *ctx, const struct tls_settings *settings)
{
    /* A context that cannot speak TLS 1.3 refuses to be told about its tickets. */
    return (settings->max == TLS_1_2 || wolfSSL_CTX_no_ticket_TLSv13(ctx) == 0) &&
           wolfSSL_CTX_NoTicketTLSv12(ctx) == WOLFSSL_SUCCESS;
}

/* Without the second call, a TLS 1.2 client whose ticket is refused gets no other. */
static bool permit_tickets(WOLFSSL_CTX *ctx, const struct tls_settings *settings)
{
    return (settings->max == TLS_1_2 || wolfSSL_CTX_only_dhe_psk(ctx) == 0) &&
           wolfSSL_CTX_UseSessionTicket(ctx) == WOLFSSL_SUCCESS;
}

/* The library's own cache knows nothing of policies: it stays off. */
static bool permit(WOLFSSL_CTX *ctx, int64_t lifetime)
{
    resume_by_id(ctx);
    return wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_NO_INTERNAL) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_timeout(ctx, (unsigned)lifetime) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_TicketHint(ctx, (int)lifetime) == WOLFSSL_SUCCESS;
}

bool resume_setup(struct tls_context *context, const struct tls_settings *settings, struct place place,
                  struct problems *problems)
{
    struct resume_rules *rules = &context->resume;
    rules->lifetime = (int64_t)((settings->session_lifetime_ms + 999) / 1000);
    rules->tickets = rules->lifetime > 0 && settings->session_tickets;
    if (rules->tickets && settings->ticket_keys.data &&
        !(rules->file = ticket_set_read(&settings->ticket_keys, place, problems)))
        return false;
    bool good = rules->lifetime > 0 ? permit(context->ctx, rules->lifetime) : forbid(context->ctx);
    good =
        (rules->tickets ? permit_tickets(context->ctx, settings) : forbid_tickets(context->ctx, settings)) &&
        good;
    /* Without this, wolfSSL would seal with keys of its own. */
    good = wolfSSL_CTX_set_TicketEncCb(context->ctx, NULL) == WOLFSSL_SUCCESS && good;
    if (!good)
        problems_add(problems, place,
                     "wolfSSL cannot be told how sessions are resumed: build it as docker/install-deps does");
    return good;
}

void resume_release(struct tls_context *context)
{
    struct resume_rules *rules = &context->resume;
    ticket_set_drop(rules->file);
    ticket_set_drop(rules->held);
    if (rules->has_rng)
        wc_FreeRng(&rules->rng);
}

static void add_rules(struct text *text, const struct tls_context *context)
{
    for (size_t i = 0; i < context->suite_count; i++)
        text_addf(text, "%x ", context->suites[i]);
    text_addc(text, '/');
    for (int i = 0; i < context->group_count; i++)
        text_addf(text, "%x ", (unsigned)context->groups[i]);
    text_addc(text, '/');
    for (size_t i = 0; i < context->signatures.count; i++)
        text_addf(text, "%x ", context->signatures.list[i]);
}

/* The mode is part of it: a session from when certificates were optional is none for a demand. So is what a
 * full handshake has to keep to: in TLS 1.2 wolfSSL resumes with a cipher that is allowed no more. */
static void make_scope(const struct tls_context *context, struct slice name, unsigned char out[32])
{
    char buffer[SCOPE_ROOM];
    struct text text;
    unsigned char hash[PROOF_HASH_LEN];
    text_init(&text, buffer, sizeof buffer);
    digest_sha256(name, hash);
    text_adds(&text, "lb scope 2");
    text_addc(&text, (char)context->mode);
    text_add(&text, slice_make(hash, sizeof hash));
    add_rules(&text, context);
    digest_sha256(slice_make(text.data, text.len), out);
}

void tls_context_resume(struct tls_context *context, struct tls_sessions *sessions, struct slice scope)
{
    struct resume_rules *rules = &context->resume;
    if (rules->sessions || rules->lifetime == 0 || !sessions)
        return;
    rules->has_rng = wc_InitRng(&rules->rng) == 0;
    if (!rules->has_rng)
        return;
    make_scope(context, scope, rules->scope);
    ticket_ring_keep(sessions->ring, rules->lifetime);
    rules->sessions = sessions;
}

/* ---- tickets ---- */

static void bond_of(const struct tls_session *session, struct ticket_bond *bond)
{
    ticket_bond(bond, session->context->resume.scope, wolfSSL_GetVersion(session->ssl),
                session->resumption->name);
}

static const struct ticket_set *keys_of(const struct resume_rules *rules)
{
    return rules->file ? rules->file : rules->held;
}

/* What is left of the session's life goes into the ticket's lifetime, too (RFC 8446, section 4.6.1). */
static void tell_lifetime(struct tls_session *session, int64_t first)
{
    int64_t left = first + session->context->resume.lifetime - context_now(session->context);
    wolfSSL_CTX_set_TicketHint(session->context->ctx, left > 0 ? (int)left : 0);
}

static int seal(struct tls_session *session, const struct ticket_parts *parts, int inner, int *len)
{
    struct resume_rules *rules = &session->context->resume;
    struct ticket_bond bond;
    struct proof proof;
    char *chain = NULL;
    size_t sealed = 0, room = (size_t)*len;
    bond_of(session, &bond);
    if (resume_prove(session, ticket_room((size_t)inner, room), &proof, &chain))
        sealed =
            ticket_seal(&keys_of(rules)->keys[0], &rules->rng, &bond, parts, (size_t)inner, room, &proof);
    free(chain);
    *len = (int)sealed;
    if (sealed == 0)
        return WOLFSSL_TICKET_RET_FATAL;
    tell_lifetime(session, proof.first);
    return WOLFSSL_TICKET_RET_OK;
}

/* Initialization vector and tag: no two tickets have the same. */
static void token_of(const struct ticket_parts *parts, unsigned char token[32])
{
    memcpy(token, parts->iv, 16);
    memcpy(token + 16, parts->mac, 16);
}

static bool open_ticket(struct tls_session *session, const struct ticket_key *key,
                        const struct ticket_parts *parts, size_t len, size_t *inner)
{
    struct ticket_bond bond;
    struct proof proof;
    unsigned char token[32];
    token_of(parts, token);
    bond_of(session, &bond);
    if (!ticket_open(key, &bond, parts, len, inner, &proof))
        return resume_refuse(session, TLS_REFUSED_BOND);
    return resume_admit(session, &proof, token);
}

/* A ticket of TLS 1.2 under an older key is made anew; in TLS 1.3 each resumption brings a new one. */
static int unseal(struct tls_session *session, const struct ticket_parts *parts, int sealed, int *len)
{
    const struct ticket_set *keys = keys_of(&session->context->resume);
    const struct ticket_key *key = ticket_set_find(keys, parts->name);
    bool recent = wolfSSL_GetVersion(session->ssl) == WOLFSSL_TLSV1_3;
    size_t inner;
    if (recent && !session->resumption->fresh_keys)
        return WOLFSSL_TICKET_RET_REJECT;
    if (!key)
        resume_refuse(session, TLS_REFUSED_KEY);
    if (!key || !open_ticket(session, key, parts, (size_t)sealed, &inner))
        return WOLFSSL_TICKET_RET_REJECT;
    *len = (int)inner;
    return recent || key == &keys->keys[0] ? WOLFSSL_TICKET_RET_OK : WOLFSSL_TICKET_RET_CREATE;
}

static int on_ticket(WOLFSSL *ssl, unsigned char *name, unsigned char *iv, unsigned char *mac, int encrypt,
                     unsigned char *bytes, int in, int *out, void *unused)
{
    struct tls_session *session = wolfSSL_GetIOReadCtx(ssl);
    const struct ticket_parts parts = {name, iv, mac, bytes};
    (void)unused;
    if (!session || !session->resumption || in < 0 || *out < 0)
        return WOLFSSL_TICKET_RET_REJECT;
    return encrypt ? seal(session, &parts, in, out) : unseal(session, &parts, in, out);
}

/* ---- the session ---- */

/* What is resumed in TLS 1.2 must be tied to its handshake, or a man in the middle could have made it with
 * both sides (RFC 7627, section 5.3). */
static bool is_tied(const struct tls_context *context, const struct hello *hello)
{
    return hello->extended_master || (hello->version_max >= WIRE_TLS_1_3 && context->max == TLS_1_3);
}

void resume_begin(struct tls_session *session, const struct hello *hello)
{
    if (!session->context->resume.sessions || !is_tied(session->context, hello))
        return;
    struct resumption *resumption = session->resumption = calloc(1, sizeof *resumption);
    if (!resumption)
        return;
    memcpy(resumption->name, hello->name, sizeof resumption->name);
    resumption->fresh_keys = hello->psk_fresh_keys;
    resumption->foreign = hello->ticket_len > TICKET_MAX;
}

/* wolfSSL fails a handshake for a ticket that is longer than its own; with no callback it does not look. */
void resume_arm(struct tls_session *session)
{
    struct resume_rules *rules = &session->context->resume;
    bool on = rules->tickets && session->resumption && !session->resumption->foreign;
    if (on && !rules->file)
        rules->held = ticket_ring_use(rules->sessions->ring, rules->held, context_now(session->context));
    on = on && keys_of(rules);
    if (rules->lifetime > 0)
        wolfSSL_CTX_set_TicketEncCb(session->context->ctx, on ? on_ticket : NULL);
}

/* A session can be opened and the handshake still be a full one (another name, cipher or ALPN): what was
 * opened then counts for nothing. */
bool resume_settle(struct tls_session *session)
{
    struct resumption *resumption = session->resumption;
    if (wolfSSL_session_reused(session->ssl) != 1)
        return true;
    if (!resumption || !resumption->opened || session->captured || session->verified)
        return false;
    session->captured = resumption->captured;
    session->verified = session->captured != NULL;
    resumption->captured = NULL;
    session->refusal = TLS_REFUSED_NONE;
    return true;
}

void resume_end(struct tls_session *session)
{
    if (session->resumption)
        free(session->resumption->captured);
    free(session->resumption);
    session->resumption = NULL;
}

bool resume_refuse(struct tls_session *session, enum tls_refusal refusal)
{
    session->refusal = refusal;
    return false;
}

/* ---- what goes into a session ---- */

/* A chain that cannot be kept leaves a session that will not be resumed. */
static void refer_to(struct tls_session *session, struct slice chain, struct proof *proof)
{
    struct session_store *chains = session->context->resume.sessions->chains;
    proof->kind = PROOF_CHAIN_AT;
    digest_sha256(chain, proof->at);
    if (chain.len > 0 && !session_store_touch(chains, proof->at))
        session_store_put(chains, proof->at, chain);
}

static void describe(struct tls_session *session, const struct captured *who, size_t room,
                     struct proof *proof, char **chain)
{
    size_t len = 0;
    digest_sha256(who->list[who->count - 1].spki, proof->anchor);
    if (!proof_chain_write(who->list, who->count, chain, &len))
        len = 0;
    if (len == 0 || PROOF_SMALLEST - PROOF_HASH_LEN + len > room) {
        refer_to(session, slice_make(*chain, len), proof);
        return;
    }
    proof->kind = PROOF_CHAIN;
    proof->chain = slice_make(*chain, len);
}

bool resume_prove(struct tls_session *session, size_t room, struct proof *proof, char **chain)
{
    const struct resumption *resumption = session->resumption;
    bool again = wolfSSL_session_reused(session->ssl) == 1;
    const struct captured *who = again ? resumption->captured : session->verified ? session->captured : NULL;
    *proof = (struct proof){.kind = PROOF_NOBODY,
                            .times = again ? (uint8_t)(resumption->times + 1) : 0,
                            .first = again ? resumption->first : context_now(session->context)};
    if ((again && !resumption->opened) || (!who && session->context->mode == TLS_MUTUAL))
        return false;
    if (who)
        describe(session, who, room, proof, chain);
    return true;
}

/* ---- what comes back ---- */

static bool has_key(const struct certificate *certificate, const unsigned char hash[PROOF_HASH_LEN])
{
    unsigned char own[PROOF_HASH_LEN];
    digest_sha256(certificate->spki, own);
    return memcmp(own, hash, PROOF_HASH_LEN) == 0;
}

/* The CA that the chain ended in, as the context has it now. */
static const struct certificate *find_anchor(const struct trust *trust, const struct certificate *last,
                                             const unsigned char hash[PROOF_HASH_LEN])
{
    for (size_t i = 0; i < trust->anchor_count; i++)
        if (certificate_issued_by(last, &trust->anchors[i]) && has_key(&trust->anchors[i], hash))
            return &trust->anchors[i];
    return NULL;
}

static bool judge(struct tls_session *session, const struct proof_chain *chain,
                  const unsigned char anchor[PROOF_HASH_LEN])
{
    struct tls_context *context = session->context;
    struct certificate list[PATH_MAX_LEN];
    size_t count = chain->count;
    struct tls_failure failure;
    struct path path;
    memcpy(list, chain->list, count * sizeof list[0]);
    if (chain->leaf_is_anchor ? !has_key(&list[0], anchor) : !context->trust)
        return resume_refuse(session, TLS_REFUSED_CERTIFICATE);
    if (!chain->leaf_is_anchor) {
        const struct certificate *found = find_anchor(context->trust, &list[count - 1], anchor);
        if (!found)
            return resume_refuse(session, TLS_REFUSED_CERTIFICATE);
        list[count++] = *found;
    }
    if (!context_judge(context, list, count, &path, &failure) || !path.anchored)
        return resume_refuse(session, TLS_REFUSED_CERTIFICATE);
    session->resumption->captured = captured_new(&path);
    return session->resumption->captured != NULL;
}

static bool judge_bytes(struct tls_session *session, struct slice bytes, const struct proof *proof)
{
    struct proof_chain chain;
    if (!proof_chain_read(bytes, &chain))
        return resume_refuse(session, TLS_REFUSED_LOST);
    return judge(session, &chain, proof->anchor);
}

static bool judge_kept(struct tls_session *session, const struct proof *proof)
{
    char *bytes;
    size_t len;
    if (!session_store_get(session->context->resume.sessions->chains, proof->at, &bytes, &len))
        return resume_refuse(session, TLS_REFUSED_LOST);
    bool good = judge_bytes(session, slice_make(bytes, len), proof);
    free(bytes);
    return good;
}

static bool judge_proof(struct tls_session *session, const struct proof *proof)
{
    struct tls_failure failure;
    switch (proof->kind) {
    case PROOF_CHAIN: return judge_bytes(session, proof->chain, proof);
    case PROOF_CHAIN_AT: return judge_kept(session, proof);
    case PROOF_NOBODY: break;
    }
    return tls_context_admits(session->context, NULL, 0, &failure) ||
           resume_refuse(session, TLS_REFUSED_CERTIFICATE);
}

static bool is_young(const struct tls_session *session, const struct proof *proof)
{
    int64_t age = context_now(session->context) - proof->first;
    return proof->times < TIMES_MAX && age >= -SKEW_S && age < session->context->resume.lifetime;
}

/* Which of several offers wolfSSL resumes in the end is not told: only the first good one is opened. The same
 * one comes again where wolfSSL asks for another hello. */
bool resume_admit(struct tls_session *session, const struct proof *proof, const unsigned char *token)
{
    struct resumption *resumption = session->resumption;
    if (resumption->opened && memcmp(resumption->token, token, sizeof resumption->token) != 0)
        return false;
    free(resumption->captured);
    resumption->captured = NULL;
    resumption->opened = false;
    if (!is_young(session, proof))
        return resume_refuse(session, TLS_REFUSED_AGE);
    if (!judge_proof(session, proof))
        return false;
    memcpy(resumption->token, token, sizeof resumption->token);
    resumption->times = proof->times;
    resumption->first = proof->first;
    resumption->opened = true;
    return true;
}
