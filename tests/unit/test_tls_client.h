/* An OpenSSL client that talks to a tls_session through memory. */
#ifndef TEST_TLS_CLIENT_H
#define TEST_TLS_CLIENT_H

#include "tests/unit/test_tls_pki.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "lb/tls/session.h"
#include "lb/tls/settings.h"

enum { INPUT_MAX = 65536 };

/* ---- the listener ---- */

struct server {
    struct tls_settings settings;
    struct tls_context *context;
    struct tls_scratch scratch;
    struct problems problems;
};

/* `text` is taken over. */
static inline struct tls_file pem_file(const char *path, char *text)
{
    return (struct tls_file){.path = (char *)path, .data = text, .len = strlen(text), .line = 7};
}

/* Takes over the texts; ca may be NULL. */
static inline struct tls_settings server_settings(enum tls_mode mode, char *certificate, char *key, char *ca)
{
    struct tls_settings settings = {.mode = mode, .min = TLS_1_2, .max = TLS_1_3, .verify_depth = 4};
    settings.pairs = calloc(1, sizeof(*settings.pairs));
    settings.pair_count = 1;
    settings.pairs[0].certificate = pem_file("server.pem", certificate);
    settings.pairs[0].key = pem_file("server.key", key);
    if (ca)
        settings.client_ca = pem_file("clients.pem", ca);
    return settings;
}

/* `file` is taken over. */
static inline void settings_add_crl(struct tls_settings *settings, struct tls_file file)
{
    settings->crls = realloc(settings->crls, (settings->crl_count + 1) * sizeof(file));
    settings->crls[settings->crl_count++] = file;
}

static inline void settings_free(struct tls_settings *settings)
{
    for (size_t i = 0; i < settings->pair_count; i++) {
        free(settings->pairs[i].certificate.data);
        free(settings->pairs[i].key.data);
    }
    free(settings->pairs);
    free(settings->client_ca.data);
    for (size_t i = 0; i < settings->crl_count; i++)
        free(settings->crls[i].data);
    free(settings->crls);
}

static inline void problems_print(const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        print_message("%s%s\n", problems->list[i].warning ? "warning: " : "", problems->list[i].text);
}

static inline void server_start(struct server *server, struct tls_settings settings)
{
    *server = (struct server){.settings = settings};
    server->context = tls_context_new(&server->settings, (struct place){"lb.ini", 3}, &server->problems);
    if (!server->context)
        problems_print(&server->problems);
    assert_non_null(server->context);
    assert_true(tls_scratch_init(&server->scratch, INPUT_MAX));
}

static inline void server_stop(struct server *server)
{
    tls_context_free(server->context);
    tls_scratch_free(&server->scratch);
    problems_free(&server->problems);
    settings_free(&server->settings);
}

/* ---- the client ---- */

struct client_spec {
    int version;                     /* TLS1_2_VERSION or TLS1_3_VERSION */
    const struct pki_cert *leaf;     /* NULL: no certificate */
    const struct pki_cert *more[10]; /* sent behind it, in this order */
    const struct pki_cert *trust;    /* NULL: trusts anyone */
    const char *ciphers, *groups, *alpn, *name;
    size_t chunk;            /* bytes given to the server at once; 0: all */
    SSL_SESSION *session;    /* to be resumed */
    uint64_t options;        /* SSL_OP_... */
    struct slice old_ticket; /* of TLS 1.2, in place of the session's */
};

struct client {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out;
    int alert; /* received; -1: none */
    bool done;
};

static inline void note_alert(const SSL *ssl, int where, int value)
{
    struct client *client = SSL_get_app_data(ssl);
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && client->alert < 0)
        client->alert = value & 0xff;
}

static inline void client_give_certificates(struct client *client, const struct client_spec *spec)
{
    if (!spec->leaf)
        return;
    assert_int_equal(SSL_use_certificate(client->ssl, spec->leaf->x509), 1);
    assert_int_equal(SSL_use_PrivateKey(client->ssl, spec->leaf->key), 1);
    for (size_t i = 0; i < 10 && spec->more[i]; i++)
        assert_int_equal(SSL_add1_chain_cert(client->ssl, spec->more[i]->x509), 1);
    SSL_set_mode(client->ssl, SSL_MODE_NO_AUTO_CHAIN);
}

static inline void client_start(struct client *client, const struct client_spec *spec)
{
    *client = (struct client){.alert = -1};
    client->ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(client->ctx, 0);
    SSL_CTX_set_min_proto_version(client->ctx, spec->version);
    SSL_CTX_set_max_proto_version(client->ctx, spec->version);
    SSL_CTX_set_options(client->ctx, spec->options);
    if (spec->trust) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(client->ctx), spec->trust->x509);
        SSL_CTX_set_verify(client->ctx, SSL_VERIFY_PEER, NULL);
    }
    client->ssl = SSL_new(client->ctx);
    client->in = BIO_new(BIO_s_mem());
    client->out = BIO_new(BIO_s_mem());
    SSL_set_bio(client->ssl, client->in, client->out);
    SSL_set_connect_state(client->ssl);
    SSL_set_app_data(client->ssl, client);
    SSL_set_info_callback(client->ssl, note_alert);
    if (spec->ciphers)
        assert_int_equal(SSL_set_cipher_list(client->ssl, spec->ciphers), 1);
    if (spec->groups)
        assert_int_equal(SSL_set1_groups_list(client->ssl, spec->groups), 1);
    if (spec->alpn)
        SSL_set_alpn_protos(client->ssl, (const unsigned char *)spec->alpn, (unsigned)strlen(spec->alpn));
    if (spec->name)
        SSL_set_tlsext_host_name(client->ssl, spec->name);
    client_give_certificates(client, spec);
    if (spec->session)
        assert_int_equal(SSL_set_session(client->ssl, spec->session), 1);
    if (spec->old_ticket.data)
        assert_int_equal(SSL_set_session_ticket_ext(client->ssl, (void *)spec->old_ticket.data,
                                                    (int)spec->old_ticket.len),
                         1);
}

static inline void client_stop(struct client *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->ctx);
    ERR_clear_error();
}

/* ---- both ---- */

struct meeting {
    struct client client;
    struct tls_session *session;
    enum tls_result result; /* the server's last */
    char early[256];        /* what the server decrypted right behind the handshake */
    size_t early_len;
};

static inline void flush_server(struct server *server, struct client *client)
{
    if (server->scratch.out_len > 0)
        BIO_write(client->in, server->scratch.out, (int)server->scratch.out_len);
    server->scratch.out_len = 0;
}

static inline void read_behind_handshake(struct meeting *meeting)
{
    struct slice plain;
    meeting->result = tls_session_read(meeting->session, (struct slice){"", 0}, &plain);
    if (plain.len <= sizeof meeting->early)
        memcpy(meeting->early, plain.data, plain.len);
    meeting->early_len = plain.len;
}

/* Gives what the client has written to the server, chunk by chunk. */
static inline bool feed_server(struct server *server, struct meeting *meeting, size_t chunk)
{
    char *data;
    size_t len = (size_t)BIO_get_mem_data(meeting->client.out, &data);
    if (len == 0 || meeting->result != TLS_WANT)
        return false;
    char *copy = malloc(len);
    memcpy(copy, data, len);
    BIO_reset(meeting->client.out);
    for (size_t at = 0; at < len && meeting->result == TLS_WANT; at += chunk ? chunk : len) {
        size_t part = chunk && len - at > chunk ? chunk : len - at;
        meeting->result = tls_session_handshake(meeting->session, slice_make(copy + at, part));
        if (meeting->result == TLS_OK)
            read_behind_handshake(meeting);
        flush_server(server, &meeting->client);
    }
    free(copy);
    return true;
}

/* One handshake, up to where neither side has anything to say. */
static inline void meet(struct server *server, const struct client_spec *spec, struct meeting *meeting)
{
    *meeting = (struct meeting){.result = TLS_WANT};
    client_start(&meeting->client, spec);
    meeting->session = tls_session_new(server->context, &server->scratch);
    assert_non_null(meeting->session);
    do {
        meeting->client.done = SSL_do_handshake(meeting->client.ssl) == 1;
    } while (feed_server(server, meeting, spec->chunk));
    char rest[16];
    SSL_read(meeting->client.ssl, rest, sizeof rest); /* an alert behind the client's end of the handshake */
}

static inline void part(struct meeting *meeting)
{
    tls_session_free(meeting->session);
    client_stop(&meeting->client);
}

static const int VERSIONS[] = {TLS1_2_VERSION, TLS1_3_VERSION};

#endif
