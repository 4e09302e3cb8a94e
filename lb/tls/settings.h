/* What a listener's TLS is made of: plain data that the configuration fills and contexts are made from. */
#ifndef LB_TLS_SETTINGS_H
#define LB_TLS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lb/base/slice.h"
#include "lb/tls/file.h"

enum tls_mode { TLS_OFF, TLS_ONE_WAY, TLS_MUTUAL_OPTIONAL, TLS_MUTUAL };

/* Whether clients are asked for certificates. */
static inline bool tls_mode_asks(enum tls_mode mode)
{
    return mode == TLS_MUTUAL || mode == TLS_MUTUAL_OPTIONAL;
}

const char *tls_mode_name(enum tls_mode mode); /* as it is configured: "mutual-optional" */

/* AUTO: a file beside the certificate, if there is one. */
enum staple_mode { STAPLE_AUTO, STAPLE_OFF, STAPLE_FETCH, STAPLE_FILE };
enum ocsp_mode { OCSP_OFF, OCSP_SOFT, OCSP_HARD };
enum tls_version { TLS_1_2 = 12, TLS_1_3 = 13 };

struct staple; /* lb/tls/staple.h */

/* One certificate of our own. */
struct tls_pair {
    struct tls_file certificate; /* PEM: leaf first, then intermediates */
    struct tls_file key;         /* PEM; the same file as the certificate is allowed */
    struct staple *staple;       /* a reference; NULL: nothing is stapled */
};

enum crl_depth { CRL_DEPTH_CHAIN, CRL_DEPTH_LEAF };

struct tls_settings {
    enum tls_mode mode;
    enum tls_version min, max;
    struct tls_pair *pairs; /* in the order of the configuration; see lb/tls/sites.h for who gets which */
    size_t pair_count;
    enum staple_mode staple_mode;
    struct tls_file staple;    /* STAPLE_FILE: DER */
    bool strict_sni;           /* a name that no certificate has is refused; so is a hello without one */
    struct tls_file client_ca; /* PEM, one or more */
    struct tls_file *crls;     /* PEM (one or more in the file) or DER; optional */
    size_t crl_count;
    enum ocsp_mode ocsp;         /* whether the clients' certificates are asked about: see lb/proxy/ocsp.h */
    uint64_t ocsp_timeout_ms;    /* for one question */
    char *ocsp_url;              /* http://, in place of the one in the certificate; NULL: that one */
    struct tls_file ocsp_signer; /* one certificate that may answer too; DER once it is loaded */
    bool crl_required;           /* a CA of the chain without a current CRL refuses */
    enum crl_depth crl_depth;
    unsigned verify_depth;     /* intermediates allowed between leaf and anchor */
    uint64_t expiry_warning_s; /* our own certificates that expire sooner are warned of at load */
    char *ciphers;             /* names separated by ':'; NULL: the default list */
    char *groups;     /* names separated by ':'; NULL: the default list. A TLS 1.2 client that offers one of
                         them may still get its own first choice, which is wolfSSL's doing */
    char *signatures; /* names of signature schemes separated by ':'; NULL: all */
    char *alpn;       /* names separated by ',' in order of preference; NULL: none */
    uint64_t session_lifetime_ms; /* from a client's first handshake, rounded up to seconds; 0: nothing is
                                     resumed */
    bool session_tickets;         /* no: only TLS 1.2 clients resume, by session id */
    struct tls_file ticket_keys;  /* as lb/tls/ticket_keys.h says; optional */
};

/* Would both verify every client alike? By content: a file that was read again unchanged is the same. */
bool tls_settings_verify_alike(const struct tls_settings *a, const struct tls_settings *b);

#endif
