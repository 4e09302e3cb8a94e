/* OCSP: what is asked, and which answers are believed. */
#include "tests/unit/test_tls_ocsp_world.h"

static void expect(const struct world *world, struct spec spec, enum ocsp_status status)
{
    struct ocsp_subject subject = about_client(world);
    struct slice der = respond(world, spec);
    struct ocsp_answer answer;
    const char *why = NULL;
    bool read = ocsp_read(der, &subject, time(NULL), &answer, &why);
    if (!read)
        print_message("    %s\n", why);
    assert_true(read);
    assert_int_equal(answer.status, status);
    free((char *)der.data);
}

static void expect_no_of(const struct ocsp_subject *subject, struct slice der, const char *words)
{
    struct ocsp_answer answer;
    const char *why = NULL;
    assert_false(ocsp_read(der, subject, time(NULL), &answer, &why));
    if (!strstr(why, words))
        print_message("    %s\n", why);
    assert_non_null(strstr(why, words));
}

static void expect_no(const struct world *world, struct spec spec, const char *words)
{
    struct ocsp_subject subject = about_client(world);
    struct slice der = respond(world, spec);
    expect_no_of(&subject, der, words);
    free((char *)der.data);
}

/* ---- not believed ---- */

static void a_response_that_is_cut_anywhere_is_refused(void **state)
{
    const struct world *world = *state;
    struct ocsp_subject subject = about_client(world);
    struct slice der = respond(world, good(world));
    struct ocsp_answer answer;
    const char *why;
    for (size_t len = 0; len < der.len; len++) {
        char *cut = malloc(len + 1); /* so that a read beyond it is seen */
        memcpy(cut, der.data, len);
        assert_false(ocsp_read(slice_make(cut, len), &subject, time(NULL), &answer, &why));
        free(cut);
    }
    free((char *)der.data);
}

static void no_bit_can_be_changed_in_what_revokes_so_that_it_says_good(void **state)
{
    const struct world *world = *state;
    struct ocsp_subject subject = about_client(world);
    struct spec spec = good(world);
    struct ocsp_answer answer;
    const char *why;
    spec.status = V_OCSP_CERTSTATUS_REVOKED;
    struct slice der = respond(world, spec);
    char *bytes = (char *)der.data;
    for (size_t bit = 0; bit < der.len * 8; bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        if (ocsp_read(der, &subject, time(NULL), &answer, &why))
            assert_int_equal(answer.status, OCSP_REVOKED);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
    }
    free(bytes);
}

static void a_response_about_another_certificate_is_refused(void **state)
{
    const struct world *world = *state;
    struct spec spec = good(world);
    spec.about[0] = &world->second;
    expect_no(world, spec, "about another certificate");
}

static void a_response_of_another_issuer_with_the_same_name_is_refused(void **state)
{
    const struct world *world = *state;
    struct ocsp_subject subject = {&world->client.certificate, &world->other.certificate, NULL};
    struct slice der = respond(world, good(world));
    expect_no_of(&subject, der, "about another certificate");
    free((char *)der.data);
}

static void a_response_signed_with_sha1_is_refused(void **state)
{
    const struct world *world = *state;
    struct spec spec = good(world);
    spec.digest = EVP_sha1();
    expect_no(world, spec, "too weak");
}

static void a_critical_extension_that_is_not_known_refuses(void **state)
{
    const struct world *world = *state;
    struct spec spec = good(world);
    spec.critical = true;
    expect_no(world, spec, "critical extension");
}

static void a_certid_by_a_hash_other_than_sha1_and_sha256_is_not_known(void **state)
{
    const struct world *world = *state;
    struct spec spec = good(world);
    spec.id_digest = EVP_sha512();
    expect_no(world, spec, "about another certificate");
}

static void a_responder_that_another_ca_appointed_is_refused_though_the_names_are_the_same(void **state)
{
    const struct world *world = *state;
    struct seen stranger = see(make_responder(&world->other.made));
    struct spec spec = good(world);
    spec.signer = &stranger;
    expect_no(world, spec, "not issued by the issuer");
    forget(&stranger);
}

static void a_responder_whose_certificate_forbids_signatures_is_refused(void **state)
{
    const struct world *world = *state;
    struct seen mute = see(pki_make((struct pki_spec){.cn = "responder",
                                                      .issuer = &world->root.made,
                                                      .purpose = "OCSPSigning",
                                                      .usage = "critical,keyEncipherment"}));
    struct spec spec = good(world);
    spec.signer = &mute;
    expect_no(world, spec, "OCSPSigning");
    forget(&mute);
}

static void an_appointed_responder_that_leaves_its_certificate_out_is_not_known(void **state)
{
    const struct world *world = *state;
    struct spec spec = good(world);
    spec.signer = &world->responder;
    spec.flags = OCSP_NOCERTS;
    expect_no(world, spec, "signed neither by the issuer");
}

static void each_failure_that_a_responder_tells_has_its_words(void **state)
{
    static const struct {
        int status;
        const char *words;
    } FAILURES[] = {{OCSP_RESPONSE_STATUS_MALFORMEDREQUEST, "malformedRequest"},
                    {OCSP_RESPONSE_STATUS_INTERNALERROR, "internalError"},
                    {OCSP_RESPONSE_STATUS_TRYLATER, "tryLater"},
                    {OCSP_RESPONSE_STATUS_SIGREQUIRED, "sigRequired"},
                    {OCSP_RESPONSE_STATUS_UNAUTHORIZED, "unauthorized"}};
    struct ocsp_subject subject = about_client(*state);
    for (size_t i = 0; i < sizeof FAILURES / sizeof FAILURES[0]; i++) {
        OCSP_RESPONSE *response = OCSP_response_create(FAILURES[i].status, NULL);
        unsigned char *der = NULL;
        int len = i2d_OCSP_RESPONSE(response, &der);
        expect_no_of(&subject, slice_make(der, (size_t)len), FAILURES[i].words);
        OPENSSL_free(der);
        OCSP_RESPONSE_free(response);
    }
}

static void a_minute_of_skew_is_allowed_and_no_more(void **state)
{
    const struct world *world = *state;
    struct spec spec = good(world);
    spec.start = 50;
    expect(world, spec, OCSP_GOOD);
    spec.start = 90;
    expect_no(world, spec, "future");
    spec.start = -HOUR;
    spec.end = -50;
    expect(world, spec, OCSP_GOOD);
    spec.end = -90;
    expect_no(world, spec, "nextUpdate has passed");
}

/* ---- believed ---- */

static void each_status_is_read(void **state)
{
    const struct world *world = *state;
    struct spec spec = good(world);
    expect(world, spec, OCSP_GOOD);
    spec.status = V_OCSP_CERTSTATUS_REVOKED;
    expect(world, spec, OCSP_REVOKED);
    spec.status = V_OCSP_CERTSTATUS_UNKNOWN;
    expect(world, spec, OCSP_UNKNOWN);
}

static void times_are_those_of_the_response(void **state)
{
    const struct world *world = *state;
    struct ocsp_subject subject = about_client(world);
    struct spec spec = good(world);
    spec.status = V_OCSP_CERTSTATUS_REVOKED;
    struct slice der = respond(world, spec);
    struct ocsp_answer answer;
    const char *why;
    int64_t now = time(NULL);
    assert_true(ocsp_read(der, &subject, now, &answer, &why));
    assert_in_range(answer.until - now, HOUR - 5, HOUR);
    assert_in_range(now - answer.this_update, HOUR, HOUR + 5);
    assert_int_equal(answer.revoked_at, answer.this_update);
    free((char *)der.data);
}

static void a_response_without_end_counts_for_minutes(void **state)
{
    const struct world *world = *state;
    struct ocsp_subject subject = about_client(world);
    struct spec spec = good(world);
    spec.end = 0;
    struct slice der = respond(world, spec);
    struct ocsp_answer answer;
    const char *why;
    int64_t now = time(NULL);
    assert_true(ocsp_read(der, &subject, now, &answer, &why));
    assert_int_equal(answer.until, now + 300);
    free((char *)der.data);
}

static void the_certificate_is_found_among_others(void **state)
{
    const struct world *world = *state;
    struct spec spec = good(world);
    spec.about[0] = &world->second;
    spec.about[1] = &world->client;
    expect(world, spec, OCSP_GOOD);
}

static void certids_by_both_hashes_are_known(void **state)
{
    const struct world *world = *state;
    struct spec spec = good(world);
    spec.id_digest = EVP_sha256();
    expect(world, spec, OCSP_GOOD);
}

static void a_responder_is_known_by_key_and_by_name(void **state)
{
    const struct world *world = *state;
    struct spec spec = good(world);
    for (int i = 0; i < 4; i++) {
        spec.signer = i & 1 ? &world->responder : NULL;
        spec.flags = i & 2 ? OCSP_RESPID_KEY : 0;
        expect(world, spec, OCSP_GOOD);
    }
}

static void responders_with_every_kind_of_key_are_believed(void **state)
{
    const struct world *world = *state;
    static const struct {
        enum pki_key key;
        bool pss;
    } KINDS[] = {{PKI_EC, false}, {PKI_RSA, false}, {PKI_RSA, true}, {PKI_ED25519, false}};
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        struct seen responder = see(pki_make((struct pki_spec){
            .cn = "kind", .issuer = &world->root.made, .purpose = "OCSPSigning", .key = KINDS[i].key}));
        const EVP_MD *const digests[] = {EVP_sha256(), EVP_sha384(), EVP_sha512()};
        for (size_t j = 0; j < 3; j++) {
            struct spec spec = good(world);
            spec.signer = &responder;
            spec.digest = digests[j];
            spec.pss = KINDS[i].pss;
            expect(world, spec, OCSP_GOOD);
        }
        forget(&responder);
    }
}

static void a_responder_with_pss_and_sha1_is_refused(void **state)
{
    const struct world *world = *state;
    struct seen responder = see(pki_make((struct pki_spec){
        .cn = "pss", .issuer = &world->root.made, .purpose = "OCSPSigning", .key = PKI_RSA}));
    struct spec spec = good(world);
    spec.signer = &responder;
    spec.digest = EVP_sha1();
    spec.pss = true;
    expect_no(world, spec, "too weak");
    forget(&responder);
}

static void a_signer_that_is_trusted_is_believed_without_its_certificate(void **state)
{
    const struct world *world = *state;
    struct seen stranger = see(pki_root("Stranger"));
    struct ocsp_subject subject = about_client(world);
    struct spec spec = good(world);
    struct ocsp_answer answer;
    const char *why;
    spec.signer = &stranger;
    spec.flags = OCSP_NOCERTS;
    struct slice der = respond(world, spec);
    expect_no_of(&subject, der, "signed neither by the issuer");
    subject.signer = &stranger.certificate;
    assert_true(ocsp_read(der, &subject, time(NULL), &answer, &why));
    free((char *)der.data);
    forget(&stranger);
}

/* ---- asking ---- */

static void the_question_names_the_certificate_as_openssl_does(void **state)
{
    const struct world *world = *state;
    struct ocsp_subject subject = about_client(world);
    char request[OCSP_REQUEST_MAX];
    size_t len = ocsp_request(&subject, request);
    const unsigned char *at = (const unsigned char *)request;
    OCSP_REQUEST *read = d2i_OCSP_REQUEST(NULL, &at, (long)len);
    assert_non_null(read);
    assert_ptr_equal(at, request + len);
    assert_int_equal(OCSP_request_onereq_count(read), 1);
    OCSP_CERTID *expected = OCSP_cert_to_id(EVP_sha1(), world->client.made.x509, world->root.made.x509);
    assert_int_equal(OCSP_id_cmp(OCSP_onereq_get0_id(OCSP_request_onereq_get0(read, 0)), expected), 0);
    OCSP_CERTID_free(expected);
    OCSP_REQUEST_free(read);
}

static void a_certificate_names_its_responder(void **state)
{
    static const struct {
        const char *value, *url;
    } CASES[] = {
        {"OCSP;URI:http://ocsp.test/x", "http://ocsp.test/x"},
        {"caIssuers;URI:http://ca.test/c,OCSP;URI:HTTP://ocsp.test", "HTTP://ocsp.test"},
        {"OCSP;URI:https://ocsp.test,OCSP;URI:http://plain.test", "http://plain.test"},
        {"OCSP;URI:ldap://ocsp.test", ""},
        {"OCSP;DNS:ocsp.test", ""},
        {"caIssuers;URI:http://ca.test/c", ""},
        {"OCSP;URI:http://a.test/a b", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct pki_cert made = pki_make((struct pki_spec){.cn = "aia"});
        pki_extend(made.x509, made.x509, NID_info_access, CASES[i].value);
        X509_sign(made.x509, made.key, EVP_sha256());
        struct seen seen = see(made);
        struct slice url = ocsp_url(&seen.certificate);
        assert_int_equal(url.len, strlen(CASES[i].url));
        assert_memory_equal(url.data, CASES[i].url, url.len);
        forget(&seen);
    }
}

static void a_certificate_without_the_extension_names_none(void **state)
{
    const struct world *world = *state;
    assert_int_equal(ocsp_url(&world->client.certificate).len, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_that_is_cut_anywhere_is_refused),
        cmocka_unit_test(no_bit_can_be_changed_in_what_revokes_so_that_it_says_good),
        cmocka_unit_test(a_response_about_another_certificate_is_refused),
        cmocka_unit_test(a_response_of_another_issuer_with_the_same_name_is_refused),
        cmocka_unit_test(a_response_signed_with_sha1_is_refused),
        cmocka_unit_test(a_critical_extension_that_is_not_known_refuses),
        cmocka_unit_test(a_certid_by_a_hash_other_than_sha1_and_sha256_is_not_known),
        cmocka_unit_test(a_responder_that_another_ca_appointed_is_refused_though_the_names_are_the_same),
        cmocka_unit_test(a_responder_whose_certificate_forbids_signatures_is_refused),
        cmocka_unit_test(an_appointed_responder_that_leaves_its_certificate_out_is_not_known),
        cmocka_unit_test(each_failure_that_a_responder_tells_has_its_words),
        cmocka_unit_test(a_minute_of_skew_is_allowed_and_no_more),
        cmocka_unit_test(each_status_is_read),
        cmocka_unit_test(times_are_those_of_the_response),
        cmocka_unit_test(a_response_without_end_counts_for_minutes),
        cmocka_unit_test(the_certificate_is_found_among_others),
        cmocka_unit_test(certids_by_both_hashes_are_known),
        cmocka_unit_test(a_responder_is_known_by_key_and_by_name),
        cmocka_unit_test(responders_with_every_kind_of_key_are_believed),
        cmocka_unit_test(a_responder_with_pss_and_sha1_is_refused),
        cmocka_unit_test(a_signer_that_is_trusted_is_believed_without_its_certificate),
        cmocka_unit_test(the_question_names_the_certificate_as_openssl_does),
        cmocka_unit_test(a_certificate_names_its_responder),
        cmocka_unit_test(a_certificate_without_the_extension_names_none),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
