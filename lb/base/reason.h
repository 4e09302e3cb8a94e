/*
 * Why a connection ended or was refused: the one list that the access log, the counters and the documentation
 * share. "refused" reasons count as refusals; each has a text for the operator that says what it means.
 */
#ifndef LB_BASE_REASON_H
#define LB_BASE_REASON_H

#include <stdbool.h>

/* X(symbol, name in logs and metrics, refused?, meaning) */
#define REASONS(X)                                                                                           \
    X(NONE, "none", false, "still open")                                                                     \
    X(FINISHED, "finished", false, "both sides ended in order")                                              \
    X(CLIENT_CLOSED, "client-closed", false, "the client left before a server was connected")                \
    X(CLIENT_RESET, "client-reset", false, "the client reset the connection")                                \
    X(CLIENT_TRUNCATED, "client-truncated", false,                                                           \
      "the client ended TCP without close_notify in mid-record")                                             \
    X(SERVER_RESET, "server-reset", false, "the server reset the connection")                                \
    X(TIMEOUT_HANDSHAKE, "timeout-handshake", true,                                                          \
      "no complete PROXY header or TLS handshake within timeout-handshake")                                  \
    X(TIMEOUT_CONNECT, "timeout-connect", true, "no server accepted within timeout-connect")                 \
    X(TIMEOUT_FIRST_BYTE, "timeout-first-byte", false,                                                       \
      "no byte of a first request within timeout-first-byte")                                                \
    X(TIMEOUT_HEADER, "timeout-header", true, "no complete head of a request within timeout-header")         \
    X(TIMEOUT_BODY, "timeout-body", true, "no byte of a request's body for timeout-body")                    \
    X(TIMEOUT_KEEP_ALIVE, "timeout-keep-alive", false, "no further request within timeout-keep-alive")       \
    X(TIMEOUT_SERVER, "timeout-server", true, "the server sent nothing for timeout-server")                  \
    X(TIMEOUT_IDLE, "timeout-idle", false, "no byte in either direction for timeout-idle")                   \
    X(TIMEOUT_HALF_CLOSED, "timeout-half-closed", false, "one side had ended, the other sent nothing more")  \
    X(PROXY_HEADER_INVALID, "proxy-header-invalid", true,                                                    \
      "a peer of trusted-proxies did not begin with a whole and valid PROXY header")                         \
    X(HELLO_INVALID, "hello-invalid", true, "what came first is no TLS ClientHello")                         \
    X(HELLO_TOO_LONG, "hello-too-long", true, "the ClientHello exceeds 16 KB")                               \
    X(HANDSHAKE_RATE, "handshake-rate", true,                                                                \
      "the client's network began more handshakes than handshake-rate")                                      \
    X(TLS_VERSION, "tls-version", true, "no TLS version in common")                                          \
    X(TLS_CIPHER, "tls-cipher", true, "no cipher suite, group or signature algorithm in common")             \
    X(NAME_UNKNOWN, "name-unknown", true,                                                                    \
      "no certificate has the name that the client asks for (strict-sni)")                                   \
    X(TLS_CLIENT_ALERT, "tls-client-alert", true, "the client refused the handshake with an alert")          \
    X(TLS_ABORTED, "tls-aborted", true, "the client left during the handshake")                              \
    X(TLS_FAILED, "tls-failed", true, "the TLS handshake or a record failed")                                \
    X(CERTIFICATE_MISSING, "certificate-missing", true, "the client sent no certificate")                    \
    X(CERTIFICATE_SELF_SIGNED, "certificate-self-signed", true, "the client's certificate is self-signed")   \
    X(CERTIFICATE_UNKNOWN_CA, "certificate-unknown-ca", true, "the chain does not end in a CA of client-ca") \
    X(CERTIFICATE_EXPIRED, "certificate-expired", true, "a certificate of the chain has expired")            \
    X(CERTIFICATE_NOT_YET_VALID, "certificate-not-yet-valid", true,                                          \
      "a certificate of the chain is not yet valid")                                                         \
    X(CERTIFICATE_REVOKED, "certificate-revoked", true,                                                      \
      "a certificate of the chain is revoked, by CRL or OCSP")                                               \
    X(CERTIFICATE_PURPOSE, "certificate-purpose", true,                                                      \
      "the certificate may not be used by clients (key usage)")                                              \
    X(CERTIFICATE_CHAIN_BROKEN, "certificate-chain-broken", true,                                            \
      "the certificates sent do not form a valid chain")                                                     \
    X(CERTIFICATE_TOO_DEEP, "certificate-too-deep", true, "more intermediates than verify-depth")            \
    X(CERTIFICATE_WEAK, "certificate-weak", true,                                                            \
      "MD5 or SHA-1 signature, RSA key under 2048 bits or EC key under 256, or a key that proves nothing")   \
    X(CERTIFICATE_MALFORMED, "certificate-malformed", true,                                                  \
      "the certificate cannot be read or has controls in a name")                                            \
    X(CRL_EXPIRED, "crl-expired", true, "the CRL that decides is past its nextUpdate")                       \
    X(CRL_MISSING, "crl-missing", true, "no CRL for a CA of the chain")                                      \
    X(OCSP_UNAVAILABLE, "ocsp-unavailable", true,                                                            \
      "with ocsp = hard: no OCSP responder has said that the certificate is good")                           \
    X(DENIED, "denied", true, "the script denied")                                                           \
    X(SCRIPT_ERROR, "script-error", true, "the script failed")                                               \
    X(SCRIPT_RESULT, "script-result", true,                                                                  \
      "the script returned neither allow nor deny, or an unknown backend")                                   \
    X(SCRIPT_CPU, "script-cpu", true, "the script used more CPU time than script-cpu")                       \
    X(SCRIPT_TIME, "script-time", true, "the script waited longer than script-timeout")                      \
    X(SCRIPT_MEMORY, "script-memory", true, "the script used more memory than script-memory")                \
    X(NO_SERVER, "no-server", true, "all servers of the backend are down or full")                           \
    X(CONNECT_FAILED, "connect-failed", true, "each server tried refused the connection")                    \
    X(SERVER_TLS_FAILED, "server-tls-failed", true, "no TLS handshake with a server came about")             \
    X(SERVER_CERTIFICATE, "server-certificate", true, "a server did not prove by its certificate who it is") \
    X(SERVER_TRUNCATED, "server-truncated", false, "the server ended TCP without close_notify")              \
    X(REQUEST_INVALID, "request-invalid", true, "the request breaks the rules of HTTP")                      \
    X(URI_TOO_LONG, "uri-too-long", true, "the request's target exceeds max-uri")                            \
    X(HEADERS_TOO_LARGE, "headers-too-large", true, "a head exceeds max-header-bytes or max-headers")        \
    X(BODY_TOO_LARGE, "body-too-large", true,                                                                \
      "the request's body exceeds max-body or what the script reads")                                        \
    X(NO_ROUTE, "no-route", true, "no route and no default backend takes the request")                       \
    X(MISDIRECTED, "misdirected", true, "the host belongs to another TLS policy than the connection's")      \
    X(SERVER_CLOSED, "server-closed", true, "the server ended the connection without an answer")             \
    X(ANSWER_INVALID, "answer-invalid", true, "the server's answer breaks the rules of HTTP")                \
    X(ANSWER_CUT, "answer-cut", false, "the server did not finish its answer")                               \
    X(NO_DESCRIPTORS, "no-descriptors", true, "the process is out of file descriptors")                      \
    X(NO_MEMORY, "no-memory", true, "out of memory")                                                         \
    X(ANSWERED, "answered", false,                                                                           \
      "lb answered the request by itself, as the configuration or the script says")                          \
    X(REAUTHORIZATION, "reauthorization", true,                                                              \
      "a reload or a new CRL no longer allows the live connection (reauthorize)")                            \
    X(CLOSE_ON_EXPIRY, "close-on-expiry", false, "the client's certificate has expired meanwhile")           \
    X(MAX_AGE, "max-connection-age", false, "the connection has lasted for max-connection-age")              \
    X(SHUTDOWN, "shutdown", false, "lb stopped before the connection ended")

enum reason {
#define X(symbol, name, refused, meaning) REASON_##symbol,
    REASONS(X)
#undef X
        REASON_COUNT
};

const char *reason_name(enum reason reason);
const char *reason_meaning(enum reason reason);
bool reason_refused(enum reason reason);

#endif
