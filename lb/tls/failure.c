#include "lb/tls/failure.h"

#include "lb/tls/session_parts.h"

const struct tls_failure failure_no_memory = {
    .reason = REASON_NO_MEMORY,
    .alert_sent = -1,
    .alert_received = -1,
    .text = "out of memory",
};

/* What one code of wolfSSL means. */
struct meaning {
    int error;
    enum reason reason;
    int alert;
    const char *text;
};

static const struct meaning *find_meaning(const struct meaning *list, size_t count, int error)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].error == error)
            return &list[i];
    return NULL;
}

#define FIND(list, error) find_meaning(list, sizeof(list) / sizeof((list)[0]), error)

/* ---- certificates ---- */

static const struct meaning CERTIFICATE_ERRORS[] = {
    {ASN_SIG_CONFIRM_E, REASON_CERTIFICATE_CHAIN_BROKEN, ALERT_BAD_CERTIFICATE,
     "its signature is not that of the issuer it names"},
    {ASN_SIG_HASH_E, REASON_CERTIFICATE_CHAIN_BROKEN, ALERT_BAD_CERTIFICATE,
     "its signature's hash is not supported"},
    {ASN_SIG_KEY_E, REASON_CERTIFICATE_CHAIN_BROKEN, ALERT_BAD_CERTIFICATE,
     "its signature does not fit the issuer's kind of key"},
    {ASN_NAME_INVALID_E, REASON_CERTIFICATE_CHAIN_BROKEN, ALERT_BAD_CERTIFICATE,
     "one of its names (its common name, if it has no other) is outside of its issuer's name constraints"},
    {ASN_PATHLEN_INV_E, REASON_CERTIFICATE_CHAIN_BROKEN, ALERT_BAD_CERTIFICATE,
     "its issuer's pathlen allows no CA below it"},
    {ASN_PATHLEN_SIZE_E, REASON_CERTIFICATE_CHAIN_BROKEN, ALERT_BAD_CERTIFICATE, "its pathlen is too large"},
    {KEYUSAGE_E, REASON_CERTIFICATE_CHAIN_BROKEN, ALERT_BAD_CERTIFICATE,
     "its keyUsage has keyCertSign although it is no CA"},
    {NOT_CA_ERROR, REASON_CERTIFICATE_CHAIN_BROKEN, ALERT_BAD_CERTIFICATE, "it is no CA but was to issue"},
    {ASN_AFTER_DATE_E, REASON_CERTIFICATE_EXPIRED, ALERT_CERTIFICATE_EXPIRED, "it has expired"},
    {ASN_BEFORE_DATE_E, REASON_CERTIFICATE_NOT_YET_VALID, ALERT_CERTIFICATE_EXPIRED, "it is not yet valid"},
    {EXTKEYUSE_AUTH_E, REASON_CERTIFICATE_PURPOSE, ALERT_UNSUPPORTED_CERTIFICATE,
     "its extendedKeyUsage lacks clientAuth"},
    {KEYUSE_SIGNATURE_E, REASON_CERTIFICATE_PURPOSE, ALERT_UNSUPPORTED_CERTIFICATE,
     "its keyUsage lacks digitalSignature"},
    {ASN_CRIT_EXT_E, REASON_CERTIFICATE_MALFORMED, ALERT_UNSUPPORTED_CERTIFICATE,
     "it has a critical extension that lb does not know"},
    {ASN_VERSION_E, REASON_CERTIFICATE_MALFORMED, ALERT_BAD_CERTIFICATE, "it is not of X.509 version 3"},
    {RSA_KEY_SIZE_E, REASON_CERTIFICATE_WEAK, ALERT_BAD_CERTIFICATE, "its RSA key is too small"},
    {ECC_KEY_SIZE_E, REASON_CERTIFICATE_WEAK, ALERT_BAD_CERTIFICATE, "its EC key is too small"},
};

static bool in_path(const struct path *path, const struct certificate *certificate)
{
    for (size_t i = 0; i < path->count; i++)
        if (slice_equal(path->list[i]->der, certificate->der))
            return true;
    return false;
}

/* wolfSSL wants each certificate sent to be issued by the next: the path may be good and this one still in
 * the way. */
static void explain_signer(const struct certificate *certificate, const struct path *path,
                           struct tls_failure *failure)
{
    char subject[BRIEF_MAX];
    brief_name(certificate->subject, subject);
    if (in_path(path, certificate))
        failure_set(failure, REASON_CERTIFICATE_CHAIN_BROKEN, ALERT_BAD_CERTIFICATE,
                    "%s is sent out of order: send the leaf first, then each certificate's issuer", subject);
    else
        failure_set(failure, REASON_CERTIFICATE_CHAIN_BROKEN, ALERT_BAD_CERTIFICATE,
                    "%s is sent but not part of the chain, and its issuer is not trusted: leave it out",
                    subject);
}

void failure_from_certificate(int error, const struct certificate *certificate, const struct path *path,
                              struct tls_failure *failure)
{
    char subject[BRIEF_MAX], words[LIBRARY_TEXT_MAX];
    const struct meaning *meaning = FIND(CERTIFICATE_ERRORS, error);
    brief_name(certificate->subject, subject);
    if (error == ASN_NO_SIGNER_E || error == ASN_SELF_SIGNED_E)
        explain_signer(certificate, path, failure);
    else if (meaning)
        failure_set(failure, meaning->reason, meaning->alert, "certificate %s is refused: %s", subject,
                    meaning->text);
    else
        failure_set(failure, REASON_CERTIFICATE_MALFORMED, ALERT_BAD_CERTIFICATE,
                    "certificate %s is refused: %s", subject, library_error(error, words));
}

/* ---- the handshake with a client ---- */

static const char NO_PROOF[] = "the client did not prove that it has its certificate's key: give it the key "
                               "that belongs to the certificate";

static const struct meaning HANDSHAKE_ERRORS[] = {
    {NO_PEER_CERT, REASON_CERTIFICATE_MISSING, -1,
     "the client sent no certificate, which this listener demands: give it one that a CA of client-ca has "
     "issued"},
    {MAX_CHAIN_ERROR, REASON_CERTIFICATE_TOO_DEEP, ALERT_UNKNOWN_CA,
     "the client sent more than 9 certificates: have it send the leaf and its intermediates only"},
    {ASN_PARSE_E, REASON_CERTIFICATE_MALFORMED, ALERT_BAD_CERTIFICATE,
     "a certificate of the client cannot be read: is it damaged, or has its name a part with two "
     "attributes?"},
    {BUFFER_E, REASON_CERTIFICATE_MALFORMED, ALERT_BAD_CERTIFICATE,
     "a certificate of the client is cut off: is its file damaged?"},
    {HANDSHAKE_SIZE_ERROR, REASON_CERTIFICATE_MALFORMED, ALERT_BAD_CERTIFICATE,
     "the certificates of the client are too large for a handshake: have it send fewer"},
    {NOT_CA_ERROR, REASON_CERTIFICATE_CHAIN_BROKEN, ALERT_BAD_CERTIFICATE,
     "an intermediate that the client sent is no CA: have it send the leaf first, then its issuers"},
    {VERSION_ERROR, REASON_TLS_VERSION, protocol_version,
     "the client offers no TLS version that this listener allows: see tls-min and tls-max"},
    {MATCH_SUITE_ERROR, REASON_TLS_CIPHER, ALERT_HANDSHAKE_FAILURE,
     "no cipher suite or signature scheme in common with the client: see ciphers, or add a certificate with "
     "another kind of key"},
    {UNSUPPORTED_SUITE, REASON_TLS_CIPHER, ALERT_HANDSHAKE_FAILURE,
     "no cipher suite in common with the client: see ciphers"},
    {BAD_KEY_SHARE_DATA, REASON_TLS_CIPHER, ALERT_HANDSHAKE_FAILURE,
     "no group in common with the client, or a key share that is none: see groups"},
    {ECC_CURVETYPE_ERROR, REASON_TLS_CIPHER, ALERT_HANDSHAKE_FAILURE,
     "no group in common with the client: see groups"},
    {ECC_PEERKEY_ERROR, REASON_TLS_FAILED, illegal_parameter,
     "the client's key share is no point of its group: update the client"},
    {INVALID_PARAMETER, REASON_TLS_CIPHER, illegal_parameter,
     "the client's parameters contradict each other: update the client"},
    {SIG_VERIFY_E, REASON_TLS_FAILED, decrypt_error, NO_PROOF},
    {VERIFY_SIGN_ERROR, REASON_TLS_FAILED, decrypt_error, NO_PROOF},
    {VERIFY_FINISHED_ERROR, REASON_TLS_FAILED, decrypt_error,
     "the client's Finished message is wrong: something between it and lb changes bytes, or the client is "
     "broken"},
    {SOCKET_PEER_CLOSED_E, REASON_TLS_ABORTED, -1,
     "the client left during the handshake: does it trust this listener's certificate?"},
    {WOLFSSL_ERROR_ZERO_RETURN, REASON_TLS_ABORTED, -1,
     "the client closed TLS during the handshake: does it trust this listener's certificate?"},
    {MEMORY_E, REASON_NO_MEMORY, internal_error, "out of memory"},
};

/* ---- the handshake with a server; what reason it is, is told by session_refuse ---- */

static const char NO_SERVER_PROOF[] = "the server did not prove that it has its certificate's key";
static const char NOTHING_IN_COMMON[] =
    "no cipher suite, group or signature algorithm in common with the server";
static const char NO_TLS[] = "what the server sends is no TLS: does it expect plain connections?";

static const struct meaning SERVER_ERRORS[] = {
    {MAX_CHAIN_ERROR, REASON_CERTIFICATE_TOO_DEEP, ALERT_UNKNOWN_CA,
     "the server sent more than 9 certificates"},
    {ASN_PARSE_E, REASON_CERTIFICATE_MALFORMED, ALERT_BAD_CERTIFICATE,
     "a certificate of the server cannot be read: is it damaged, is there a NUL in a name, or has its name "
     "a part with two attributes?"},
    {NOT_CA_ERROR, REASON_CERTIFICATE_CHAIN_BROKEN, ALERT_BAD_CERTIFICATE,
     "an intermediate that the server sent is no CA"},
    {NO_PEER_CERT, REASON_CERTIFICATE_MISSING, -1, "the server sent no certificate"},
    {VERSION_ERROR, REASON_TLS_VERSION, protocol_version,
     "no TLS version in common with the server, or what it sends is no TLS"},
    {UNKNOWN_RECORD_TYPE, REASON_TLS_FAILED, -1, NO_TLS},
    {MATCH_SUITE_ERROR, REASON_TLS_CIPHER, ALERT_HANDSHAKE_FAILURE, NOTHING_IN_COMMON},
    {UNSUPPORTED_SUITE, REASON_TLS_CIPHER, ALERT_HANDSHAKE_FAILURE, NOTHING_IN_COMMON},
    {BAD_KEY_SHARE_DATA, REASON_TLS_CIPHER, ALERT_HANDSHAKE_FAILURE, NOTHING_IN_COMMON},
    {ECC_CURVETYPE_ERROR, REASON_TLS_CIPHER, ALERT_HANDSHAKE_FAILURE, NOTHING_IN_COMMON},
    {UNKNOWN_ALPN_PROTOCOL_NAME_E, REASON_TLS_FAILED, illegal_parameter,
     "the server chose by ALPN what it was not offered"},
    {SIG_VERIFY_E, REASON_TLS_FAILED, decrypt_error, NO_SERVER_PROOF},
    {VERIFY_SIGN_ERROR, REASON_TLS_FAILED, decrypt_error, NO_SERVER_PROOF},
    {VERIFY_FINISHED_ERROR, REASON_TLS_FAILED, decrypt_error, "the server's Finished message is wrong"},
    {SOCKET_PEER_CLOSED_E, REASON_TLS_ABORTED, -1, "the server left during the handshake"},
    {WOLFSSL_ERROR_ZERO_RETURN, REASON_TLS_ABORTED, -1, "the server closed TLS during the handshake"},
    {MEMORY_E, REASON_NO_MEMORY, internal_error, "out of memory"},
};

#define NOT_TRUSTED                                                                                          \
    "give the client the CA of this listener's certificate, or put the intermediates into its file"

static const struct alert_meaning {
    int code;
    const char *name, *remedy;
} ALERTS[] = {
    {0, "close_notify", "it left"},
    {10, "unexpected_message", "is it really speaking TLS?"},
    {20, "bad_record_mac", "something between it and lb changes bytes"},
    {22, "record_overflow", "something between it and lb changes bytes"},
    {40, "handshake_failure", "it does not take the version, suite, group or certificate that was chosen"},
    {42, "bad_certificate", "it does not accept this listener's certificate: see what the client says"},
    {43, "unsupported_certificate",
     "it cannot use this listener's certificate: try another kind of key, or one with serverAuth"},
    {44, "certificate_revoked", "it takes this listener's certificate for revoked: replace it"},
    {45, "certificate_expired",
     "it takes this listener's certificate for expired: renew it, or set the client's clock"},
    {46, "certificate_unknown",
     "it does not accept this listener's certificate: is the name that it asks for in it?"},
    {47, "illegal_parameter", "does it share no group with this listener?"},
    {48, "unknown_ca", "it does not trust this listener's certificate: " NOT_TRUSTED},
    {49, "access_denied", "it does not want to talk to this listener"},
    {50, "decode_error", "it cannot read what lb sent: update it"},
    {51, "decrypt_error", "it cannot verify what lb signed: does something between it and lb change bytes?"},
    {70, "protocol_version", "it does not take the TLS version that was chosen: see tls-min and tls-max"},
    {71, "insufficient_security", "it demands stronger ciphers or keys: see ciphers and groups"},
    {80, "internal_error", "it failed by itself: see what the client says"},
    {86, "inappropriate_fallback",
     "it retries with an older version than it has: what made its first try fail?"},
    {90, "user_canceled", "it gave up"},
    {109, "missing_extension", "it misses an extension: update it"},
    {110, "unsupported_extension", "it does not know an extension: update it"},
    {112, "unrecognized_name", "it asks for another name"},
    {113, "bad_certificate_status_response", "it does not accept the OCSP response"},
    {116, "certificate_required", "it demands another certificate"},
    {120, "no_application_protocol", "it shares no protocol with this listener: see alpn"},
};

static void explain_client_alert(int code, struct tls_failure *failure)
{
    enum reason reason = code == 90 ? REASON_TLS_ABORTED : REASON_TLS_CLIENT_ALERT;
    struct alert_meaning meaning = {code, "unknown", "see what the client says"};
    for (size_t i = 0; i < sizeof ALERTS / sizeof ALERTS[0]; i++)
        if (ALERTS[i].code == code)
            meaning = ALERTS[i];
    failure_set(failure, reason, -1, "the client sent alert %d (%s): %s", code, meaning.name, meaning.remedy);
    failure->alert_received = code;
}

#define RENEGOTIATES                                                                                         \
    "the client begins another handshake within the connection (renegotiation), which lb never allows: "     \
    "switch it off there"

/* After the handshake. */
static const struct meaning RECORD_ERRORS[] = {
    {DUPLICATE_MSG_E, REASON_TLS_FAILED, unexpected_message, RENEGOTIATES},
    {OUT_OF_ORDER_E, REASON_TLS_FAILED, unexpected_message, RENEGOTIATES},
    {VERIFY_MAC_ERROR, REASON_TLS_FAILED, bad_record_mac,
     "a record was changed on its way: something between the client and lb changes bytes"},
    {DECRYPT_ERROR, REASON_TLS_FAILED, bad_record_mac,
     "a record was changed on its way: something between the client and lb changes bytes"},
};

static const char *alert_name(int code)
{
    for (size_t i = 0; i < sizeof ALERTS / sizeof ALERTS[0]; i++)
        if (ALERTS[i].code == code)
            return ALERTS[i].name;
    return "unknown";
}

static const char *server_alert_hint(int code)
{
    switch (code) {
    case ALERT_HANDSHAKE_FAILURE: return ": versions, ciphers and groups may have nothing in common";
    case ALERT_CERTIFICATE_REQUIRED: return ": it demands a certificate: set 'certificate'";
    case 112: return ": it does not know the name that it was sent: set 'verify-host'";
    default:
        return code >= ALERT_BAD_CERTIFICATE && code <= ALERT_UNKNOWN_CA && code != illegal_parameter
                   ? ": it does not accept the certificate of lb, or demands one"
                   : "";
    }
}

static void explain_server_alert(int code, struct tls_failure *failure)
{
    failure_set(failure, REASON_TLS_FAILED, -1, "the server sent alert %d (%s)%s", code, alert_name(code),
                server_alert_hint(code));
    failure->alert_received = code;
}

static const struct meaning *meaning_of(const struct tls_session *session, int error)
{
    if (session->done)
        return session->peer ? NULL : FIND(RECORD_ERRORS, error);
    return session->peer ? FIND(SERVER_ERRORS, error) : FIND(HANDSHAKE_ERRORS, error);
}

/* `alert`: what the library has sent, -1 if nothing. */
static void explain_error(const struct tls_session *session, int error, int alert,
                          struct tls_failure *failure)
{
    char words[LIBRARY_TEXT_MAX];
    bool done = session->done;
    const struct meaning *meaning = meaning_of(session, error);
    if (meaning)
        failure_set(failure, meaning->reason, meaning->alert, "%s", meaning->text);
    else if (!done && alert == bad_certificate)
        failure_set(failure, REASON_CERTIFICATE_MALFORMED, alert,
                    "a certificate of the %s cannot be read: %s", session->peer ? "server" : "client",
                    library_error(error, words));
    else
        failure_set(failure, REASON_TLS_FAILED, done ? unexpected_message : ALERT_HANDSHAKE_FAILURE, "%s: %s",
                    done ? "a record failed" : "the TLS handshake failed", library_error(error, words));
}

void failure_from_library(struct tls_session *session, int error)
{
    WOLFSSL_ALERT_HISTORY history = {0};
    struct tls_failure failure;
    if (session->failure || session->broken)
        return;
    wolfSSL_get_alert_history(session->ssl, &history);
    if (history.last_rx.level == alert_fatal) {
        if (session->peer)
            explain_server_alert(history.last_rx.code, &failure);
        else
            explain_client_alert(history.last_rx.code, &failure);
        session_refuse(session, &failure);
        return;
    }
    int alert = history.last_tx.level == alert_fatal ? history.last_tx.code : -1;
    explain_error(session, error, alert, &failure);
    if (alert >= 0) {
        failure.alert_sent = alert;
        session_refuse(session, &failure);
    } else {
        session_refuse_now(session, &failure);
    }
}
