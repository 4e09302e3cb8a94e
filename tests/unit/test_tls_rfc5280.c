/* Chains that only the rules for the whole path (RFC 5280 section 6) refuse. */
#include "tests/unit/test_tls_world.h"

#include "lb/base/clock.h"
#include "lb/tls/constraints.h"
#include "lb/tls/path.h"
#include "lb/tls/signatures.h"

#define CHAIN_BROKEN(text) ((struct expected){REASON_CERTIFICATE_CHAIN_BROKEN, 42, text})

static struct pki_cert make_middle(const char *cn, const struct pki_cert *issuer, const char *constraints)
{
    return pki_make((struct pki_spec){.cn = cn,
                                      .issuer = issuer,
                                      .basic = "critical,CA:TRUE",
                                      .usage = PKI_CA_USAGE,
                                      .constraints = constraints});
}

/* ---- name constraints reach through the CAs below ---- */

struct below {
    const char *constraints; /* of the upper of two intermediates */
    const char *cn, *san;
    void (*name)(X509_NAME *subject);
};

static void expect_below(const struct world *world, struct below below, bool admitted)
{
    struct server server;
    struct pki_cert upper = make_middle("Upper", &world->root, below.constraints),
                    lower = pki_make((struct pki_spec){.cn = "Lower",
                                                       .issuer = &upper,
                                                       .basic = "critical,CA:TRUE",
                                                       .usage = PKI_CA_USAGE,
                                                       .san = "DNS:ca.good.example"}),
                    leaf = pki_make((struct pki_spec){.cn = below.cn ? below.cn : "c",
                                                      .issuer = &lower,
                                                      .san = below.san,
                                                      .name = below.name});
    struct client_spec spec = {.leaf = &leaf, .more = {&lower, &upper}};
    start(&server, world);
    if (admitted)
        expect_admitted(&server, spec, 4);
    else
        expect_refused(&server, spec, CHAIN_BROKEN("name constraints of CN=Upper"));
    pki_free(&leaf);
    pki_free(&lower);
    pki_free(&upper);
    server_stop(&server);
}

static void name_constraints_hold_for_what_a_ca_below_issues(void **state)
{
    static const struct below refused[] = {
        {.constraints = "critical,permitted;DNS:good.example", .san = "DNS:a.bad.example"},
        {.constraints = "critical,excluded;DNS:bad.example", .san = "DNS:x.example,DNS:a.BAD.example"},
        {.constraints = "critical,permitted;email:good.example", .san = "email:a@bad.example"},
        {.constraints = "critical,permitted;email:a@good.example", .san = "email:b@good.example"},
        {.constraints = "critical,excluded;email:.bad.example", .san = "email:a@x.bad.example"},
        {.constraints = "critical,permitted;URI:.good.example", .san = "URI:spiffe://bad.example/a"},
        {.constraints = "critical,permitted;URI:good.example",
         .san = "URI:spiffe://good.example@bad.example/"},
        {.constraints = "critical,excluded;URI:bad.example", .san = "URI:https://BAD.example:443/a"},
        {.constraints = "critical,permitted;URI:good.example", .san = "URI:urn:good.example"},
        {.constraints = "critical,permitted;IP:10.0.0.0/255.0.0.0", .san = "IP:11.0.0.1"},
        {.constraints = "critical,permitted;IP:10.0.0.0/255.0.0.0", .san = "IP:fd00::1"},
        {.constraints = "critical,excluded;IP:10.0.0.0/255.0.0.0", .san = "IP:10.1.2.3"},
        {.constraints = "critical,permitted;RID:1.2.3", .san = "RID:1.2.4"},
        {.constraints = "critical,excluded;RID:1.2.3", .san = "RID:1.2.3"},
        {.constraints = "permitted;DNS:good.example", .san = "DNS:a.bad.example"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        print_message("    %s, %s\n", refused[i].constraints, refused[i].san);
        expect_below(*state, refused[i], false);
    }
}

static void what_all_cas_above_permit_is_admitted(void **state)
{
    static const struct below admitted[] = {
        {.constraints = "critical,permitted;DNS:good.example,permitted;DNS:fine.example",
         .san = "DNS:a.fine.example"},
        {.constraints = "critical,excluded;DNS:bad.example", .san = "DNS:notbad.example"},
        {.constraints = "critical,permitted;email:good.example", .san = "email:a@GOOD.example"},
        {.constraints = "critical,permitted;URI:good.example", .san = "URI:spiffe://good.example/a"},
        {.constraints = "critical,permitted;IP:10.0.0.0/255.0.0.0", .san = "IP:10.1.2.3"},
        {.constraints = "critical,permitted;DNS:good.example", .san = "email:a@b.example"},
    };
    for (size_t i = 0; i < sizeof admitted / sizeof admitted[0]; i++) {
        print_message("    %s, %s\n", admitted[i].constraints, admitted[i].san);
        expect_below(*state, admitted[i], true);
    }
}

static void add_part(X509_NAME *name, const char *type, const char *value)
{
    X509_NAME_add_entry_by_txt(name, type, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0);
}

static void name_with_two_addresses(X509_NAME *name)
{
    add_part(name, "emailAddress", "a@bad.example");
    add_part(name, "emailAddress", "a@good.example");
}

static void every_address_of_a_subject_is_held_to_the_constraints(void **state)
{
    expect_below(*state,
                 (struct below){.constraints = "critical,permitted;email:good.example",
                                .name = name_with_two_addresses},
                 false);
}

/* A nameConstraints of one directoryName: "O=Test" in the given way. */
static X509_EXTENSION *directory_constraint(bool permitted, const char *organization)
{
    NAME_CONSTRAINTS *constraints = NAME_CONSTRAINTS_new();
    GENERAL_SUBTREE *subtree = GENERAL_SUBTREE_new();
    X509_NAME *name = X509_NAME_new();
    add_part(name, "O", organization);
    GENERAL_NAME_set0_value(subtree->base, GEN_DIRNAME, name);
    STACK_OF(GENERAL_SUBTREE) **list =
        permitted ? &constraints->permittedSubtrees : &constraints->excludedSubtrees;
    *list = sk_GENERAL_SUBTREE_new_null();
    sk_GENERAL_SUBTREE_push(*list, subtree);
    X509_EXTENSION *extension = X509V3_EXT_i2d(NID_name_constraints, 1, constraints);
    NAME_CONSTRAINTS_free(constraints);
    return extension;
}

/* Puts the extension into the certificate and has the issuer sign it again. */
static void add_signed(struct pki_cert *cert, const struct pki_cert *issuer, X509_EXTENSION *extension)
{
    assert_non_null(extension);
    X509_add_ext(cert->x509, extension, -1);
    X509_EXTENSION_free(extension);
    assert_true(X509_sign(cert->x509, issuer->key, EVP_sha256()) > 0);
}

static void other_organization(X509_NAME *name)
{
    add_part(name, "O", "Elsewhere");
    add_part(name, "CN", "c");
}

static void expect_in_directory(const struct world *world, bool permitted, void (*name)(X509_NAME *),
                                bool admitted)
{
    struct server server;
    struct pki_cert upper = make_middle("Upper", &world->root, NULL);
    add_signed(&upper, &world->root, directory_constraint(permitted, permitted ? "TEST" : "ELSEWHERE"));
    struct pki_cert lower = make_middle("Lower", &upper, NULL),
                    leaf = pki_make((struct pki_spec){.cn = "c", .issuer = &lower, .name = name});
    struct client_spec spec = {.leaf = &leaf, .more = {&lower, &upper}};
    start(&server, world);
    if (admitted)
        expect_admitted(&server, spec, 4);
    else
        expect_refused(&server, spec, CHAIN_BROKEN("name constraints"));
    pki_free(&leaf);
    pki_free(&lower);
    pki_free(&upper);
    server_stop(&server);
}

static void directory_constraints_hold_for_the_subject_whatever_its_case(void **state)
{
    expect_in_directory(*state, true, other_organization, false);
    expect_in_directory(*state, false, other_organization, false);
    expect_in_directory(*state, false, NULL, true);
}

/* ---- policies ---- */

static void expect_policy(const struct world *world, const char *constraint, bool admitted)
{
    struct server server;
    struct pki_cert middle = make_middle("Middle", &world->root, NULL);
    add_signed(&middle, &world->root, X509V3_EXT_conf_nid(NULL, NULL, NID_policy_constraints, constraint));
    struct pki_cert leaf = pki_client("c", &middle);
    struct client_spec spec = {.leaf = &leaf, .more = {&middle}};
    start(&server, world);
    if (admitted)
        expect_admitted(&server, spec, 3);
    else
        expect_refused(&server, spec, CHAIN_BROKEN("certificate policy"));
    pki_free(&leaf);
    pki_free(&middle);
    server_stop(&server);
}

static void a_chain_that_requires_a_policy_is_refused_as_none_is_evaluated(void **state)
{
    expect_policy(*state, "critical,requireExplicitPolicy:0", false);
    expect_policy(*state, "requireExplicitPolicy:0,inhibitPolicyMapping:0", false);
    expect_policy(*state, "critical,inhibitPolicyMapping:0", true);
}

/* ---- who may issue ---- */

static void a_certificate_in_the_name_of_the_ca_without_extensions_issues_nothing(void **state)
{
    struct world *world = *state;
    struct server server;
    for (int version1 = 0; version1 < 2; version1++) {
        struct pki_cert twin = pki_make((
            struct pki_spec){.cn = "Root", .issuer = &world->root, .no_key_ids = true, .version1 = version1});
        struct pki_cert leaf = pki_make((struct pki_spec){.cn = "c", .issuer = &twin, .no_key_ids = true});
        struct client_spec spec = {.version = TLS1_3_VERSION, .leaf = &leaf, .more = {&twin}};
        struct meeting meeting;
        start(&server, world);
        meet(&server, &spec, &meeting);
        assert_int_equal(meeting.result, TLS_FAILED);
        part(&meeting);
        pki_free(&leaf);
        pki_free(&twin);
        server_stop(&server);
    }
}

static struct certificate open_made(const struct pki_cert *made, unsigned char **der)
{
    struct certificate opened;
    const char *why;
    size_t len = pki_der(made, der);
    assert_true(certificate_open(slice_make(*der, len), &opened, &why));
    return opened;
}

/* An intermediate issues a CA in the name of its root, and that one a second, without key identifiers. Were
 * the second taken for one that the root has issued, the intermediate could be revoked in vain. */
static void an_intermediate_cannot_hide_behind_the_name_of_its_root(void **state)
{
    struct world *world = *state;
    struct pki_spec without_ids = {.cn = "Root", .basic = "critical,CA:TRUE", .no_key_ids = true};
    struct pki_cert first = make_middle("Root", &world->middle, NULL);
    without_ids.issuer = &first;
    struct pki_cert second = pki_make(without_ids),
                    leaf = pki_make((struct pki_spec){.cn = "c", .issuer = &second, .no_key_ids = true});
    const struct pki_cert *made[] = {&leaf, &second, &first, &world->middle, &world->root};
    struct certificate opened[5];
    unsigned char *der[5];
    struct path path;
    for (int i = 0; i < 5; i++)
        opened[i] = open_made(made[i], &der[i]);
    const struct trust trust = {.anchors = &opened[4],
                                .anchor_count = 1,
                                .signed_by = certificate_signed_by,
                                .crl_signed_by = crl_signed_by};
    path_build(&trust, opened, 4, true, clock_unix_ms() / 1000, &path);
    assert_false(path.anchored);
    for (int i = 0; i < 5; i++)
        OPENSSL_free(der[i]);
    pki_free(&leaf);
    pki_free(&second);
    pki_free(&first);
}

static void path_lengths_are_counted_through_the_whole_chain(void **state)
{
    struct world *world = *state;
    struct server server;
    struct pki_cert upper = pki_make((struct pki_spec){
        .cn = "Upper", .issuer = &world->root, .basic = "critical,CA:TRUE,pathlen:1", .usage = PKI_CA_USAGE});
    struct pki_cert middle = make_middle("Between", &upper, NULL),
                    lower = make_middle("Lower", &middle, NULL), near = pki_client("near", &middle),
                    far = pki_client("far", &lower);
    start(&server, world);
    expect_admitted(&server, (struct client_spec){.leaf = &near, .more = {&middle, &upper}}, 4);
    expect_refused(&server, (struct client_spec){.leaf = &far, .more = {&lower, &middle, &upper}},
                   (struct expected){REASON_CERTIFICATE_CHAIN_BROKEN, 42, ""});
    pki_free(&far);
    pki_free(&near);
    pki_free(&lower);
    pki_free(&middle);
    pki_free(&upper);
    server_stop(&server);
}

static void an_intermediate_with_an_unknown_critical_extension_is_refused(void **state)
{
    struct world *world = *state;
    struct server server;
    struct pki_cert middle = pki_make((struct pki_spec){.cn = "Odd",
                                                        .issuer = &world->root,
                                                        .basic = "critical,CA:TRUE",
                                                        .usage = PKI_CA_USAGE,
                                                        .critical = "x"});
    struct pki_cert leaf = pki_client("c", &middle);
    start(&server, world);
    expect_refused(&server, (struct client_spec){.leaf = &leaf, .more = {&middle}},
                   (struct expected){REASON_CERTIFICATE_MALFORMED, 43, "critical extension"});
    pki_free(&leaf);
    pki_free(&middle);
    server_stop(&server);
}

/* "prefixDNS:n0.example,prefixDNS:n1.example" and so on. */
static char *many_names(const char *prefix, int count)
{
    char *text = malloc((size_t)count * 48 + 1);
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += (size_t)sprintf(text + len, "%s%sDNS:n%d.example", i ? "," : "", prefix, i);
    return text;
}

/* Neither is signed by anybody yet when they are compared. */
static void countless_names_under_countless_constraints_are_refused_in_no_time(void **state)
{
    struct world *world = *state;
    char *constraints = many_names("permitted;", 1500), *san = many_names("", 1500);
    struct pki_cert made[] = {make_middle("Many", &world->root, constraints),
                              pki_make((struct pki_spec){.cn = "c", .issuer = &world->root, .san = san})};
    struct certificate opened[2];
    unsigned char *der[2];
    for (int i = 0; i < 2; i++)
        opened[i] = open_made(&made[i], &der[i]);
    uint64_t before = clock_us();
    assert_false(constraints_allow_names(&opened[0], &opened[1]));
    assert_true(clock_us() - before < 500000);
    for (int i = 0; i < 2; i++) {
        OPENSSL_free(der[i]);
        pki_free(&made[i]);
    }
    free(constraints);
    free(san);
}

/* ---- keys ---- */

static EVP_PKEY *make_pss_key(int bits)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA_PSS, NULL);
    EVP_PKEY_keygen_init(ctx);
    EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, bits);
    assert_int_equal(EVP_PKEY_keygen(ctx, &key), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static void an_intermediate_with_a_short_rsa_pss_key_is_refused(void **state)
{
    struct world *world = *state;
    struct server server;
    struct pki_cert key = {.key = make_pss_key(1024)};
    struct pki_cert middle = pki_make((struct pki_spec){.cn = "Short",
                                                        .issuer = &world->root,
                                                        .share = &key,
                                                        .basic = "critical,CA:TRUE",
                                                        .usage = PKI_CA_USAGE});
    struct pki_cert leaf = pki_client("c", &middle);
    start(&server, world);
    expect_refused(&server, (struct client_spec){.leaf = &leaf, .more = {&middle}},
                   (struct expected){REASON_CERTIFICATE_WEAK, 42, "2048"});
    EVP_PKEY_free(key.key);
    pki_free(&leaf);
    pki_free(&middle);
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_constraints_hold_for_what_a_ca_below_issues),
        cmocka_unit_test(what_all_cas_above_permit_is_admitted),
        cmocka_unit_test(every_address_of_a_subject_is_held_to_the_constraints),
        cmocka_unit_test(directory_constraints_hold_for_the_subject_whatever_its_case),
        cmocka_unit_test(a_chain_that_requires_a_policy_is_refused_as_none_is_evaluated),
        cmocka_unit_test(a_certificate_in_the_name_of_the_ca_without_extensions_issues_nothing),
        cmocka_unit_test(an_intermediate_cannot_hide_behind_the_name_of_its_root),
        cmocka_unit_test(path_lengths_are_counted_through_the_whole_chain),
        cmocka_unit_test(an_intermediate_with_an_unknown_critical_extension_is_refused),
        cmocka_unit_test(countless_names_under_countless_constraints_are_refused_in_no_time),
        cmocka_unit_test(an_intermediate_with_a_short_rsa_pss_key_is_refused),
    };
    return cmocka_run_group_tests(tests, setup_world, teardown_world);
}
