/* From a setting's text to the field of its key. */
#ifndef LB_CONFIG_VALUES_H
#define LB_CONFIG_VALUES_H

#include "lb/config/keys.h"
#include "lb/tls/settings.h"

/* Puts setting->value into the key's field of `object`. False after adding a problem. */
bool value_store(const struct key *key, const struct setting *setting, void *object);

/* "1ms" "2h", "8m": what a limit of that type is written like, into out[32]. */
void value_format(enum value_type type, uint64_t number, char *out);

/* How the value is written: "yes or no", "off, one-way, mutual"; `size` bytes at most. */
void value_form(const struct key *key, char *out, size_t size);

/* Adds "name = value: why" as a problem; false. */
bool value_refuse(const struct setting *setting, const char *why);

/* The next word of *at, up to a blank or one of `separators`; empty at the end. */
struct slice value_word(const char **at, const char *separators);

/* [A-Za-z0-9_.-]{1,48} */
bool value_is_name(struct slice name);
#define VALUE_NAME_RULE "a name has 1 to 48 of A-Z a-z 0-9 _ . -"

/* One path without blanks, into `file`. */
bool value_one_path(const struct setting *setting, struct tls_file *file);

/* A certificate and its key, which may be in one file: one path or two. */
bool value_pair(const struct setting *setting, struct tls_pair *pair);

/* Appends the words of the value to *list, with `joint` between them; NULL `names` allows any. */
bool value_append_list(const struct setting *setting, char **list, const char *separators, const char *joint,
                       const char *const *names);

/* A host name, or "*." and one, in its normal form (lb/tls/hello.h). False: it is none. */
#define VALUE_HOST_MAX 258
bool value_host_pattern(struct slice text, char out[VALUE_HOST_MAX]);

/* The parsers of VALUE_OWN, named after their keys. */
value_parse value_workers, value_admin;
value_parse value_bind, value_certificate, value_client_ca, value_client_crl, value_ticket_keys,
    value_ciphers, value_groups, value_signatures, value_alpn, value_option, value_trusted_proxies,
    value_ocsp_url, value_ocsp_signer, value_ocsp_staple;
value_parse value_route, value_certificate_headers, value_error_page;
value_parse value_handshake_rate;
value_parse value_balance, value_server, value_health, value_host;
value_parse value_server_ca, value_server_certificate, value_server_ciphers, value_server_groups,
    value_server_alpn, value_verify_host, value_member_host;

#endif
