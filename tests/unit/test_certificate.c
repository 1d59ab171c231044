/* SPDX-License-Identifier: Apache-2.0
 *
 * Why a certificate is refused, in words: the same whichever TLS library libldap has, as the certificate itself is
 * looked at. Certificates are made here.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ldap/certificate.c"

#include <stdio.h>
#include <stdlib.h>

#include <apr_general.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#define DAY 86400L
#define LIBRARY "is not taken by the TLS library"

static apr_pool_t *pool;
static EVP_PKEY *authority_key, *stranger_key, *key;
static X509 *authority, *stranger;
static char trusted[] = "/tmp/authstatus-ca-XXXXXX";

/* One certificate, and what is said of it. */
typedef struct row {
    const char *name, *names; /* subjectAltName */
    long begins, ends;        /* from now */
    bool strange;             /* signed by the stranger */
    const char *host, *said;  /* what the fault begins with */
} row;

static X509 *make(const char *name, EVP_PKEY *public, X509 *issuer, EVP_PKEY *signer, const row *of)
{
    X509 *made = X509_new();
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509_set_version(made, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
    X509_gmtime_adj(X509_getm_notBefore(made), of ? of->begins : -DAY);
    X509_gmtime_adj(X509_getm_notAfter(made), of ? of->ends : DAY);
    if (name) {
        X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
                                   -1, 0);
    }
    X509_set_issuer_name(made, X509_get_subject_name(issuer ? issuer : made));
    X509_set_pubkey(made, public);
    X509V3_set_ctx(&context, issuer ? issuer : made, made, NULL, NULL, 0);
    extension =
        X509V3_EXT_conf_nid(NULL, &context, NID_basic_constraints, issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
    X509_add_ext(made, extension, -1);
    X509_EXTENSION_free(extension);
    if (of && of->names) {
        extension = X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name, of->names);
        X509_add_ext(made, extension, -1);
        X509_EXTENSION_free(extension);
    }
    assert_true(X509_sign(made, signer, EVP_sha256()) > 0);
    return made;
}

static EVP_PKEY *new_key(void)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
    EVP_PKEY *made = NULL;

    assert_true(EVP_PKEY_keygen_init(context) > 0);
    assert_true(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1) > 0);
    assert_true(EVP_PKEY_keygen(context, &made) > 0);
    EVP_PKEY_CTX_free(context);
    return made;
}

static int set_up(void **state)
{
    int fd = mkstemp(trusted);
    FILE *file = fdopen(fd, "w");

    (void)state;
    authority_key = new_key();
    stranger_key = new_key();
    key = new_key();
    authority = make("authority", authority_key, NULL, authority_key, NULL);
    stranger = make("stranger", stranger_key, NULL, stranger_key, NULL);
    assert_int_equal(PEM_write_X509(file, authority), 1);
    fclose(file);
    return apr_pool_create(&pool, NULL) != APR_SUCCESS;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(trusted);
    X509_free(authority);
    X509_free(stranger);
    EVP_PKEY_free(authority_key);
    EVP_PKEY_free(stranger_key);
    EVP_PKEY_free(key);
    apr_pool_destroy(pool);
    return 0;
}

static const row rows[] = {
    {"good", "DNS:ldap.test", -DAY, DAY, false, "ldap.test", LIBRARY},
    {"good", "IP:192.0.2.1", -DAY, DAY, false, "192.0.2.1", LIBRARY},
    {"wild", "DNS:*.corp.test", -DAY, DAY, false, "dc1.corp.test", LIBRARY},
    {"old", "DNS:ldap.test", -2 * DAY, -DAY, false, "ldap.test", "expired on "},
    {"early", "DNS:ldap.test", DAY, 2 * DAY, false, "ldap.test", "is not valid before "},
    {"other", "DNS:a.test,DNS:b.test,IP:192.0.2.1", -DAY, DAY, false, "ldap.test",
     "does not name ldap.test, but a.test, b.test, 192.0.2.1"},
    {"ldap.test", NULL, -DAY, DAY, false, "other.test", "does not name other.test, but no host"},
    {"strange", "DNS:ldap.test", -DAY, DAY, true, "ldap.test", "is not signed by an authority in /tmp/authstatus-ca-"},
    {"strange", "DNS:a.test", -2 * DAY, -DAY, true, "ldap.test", "expired on "},
    {"odd", "DNS:a\033[31m.test", -DAY, DAY, false, "ldap.test", "does not name ldap.test, but a?[31m.test"},
};

/* What is said of the certificate of a session that was refused: its faults, or the whole sentence. */
static const char *say_of(X509 *certificate, const char *host, const char *ca, bool whole)
{
    as_directory_settings settings = {.ca_file = ca};
    as_directory directory = {.settings = &settings};
    as_ldap_server server = {host, 636};
    as_peer peer = {.directory = &directory, .address = &server};
    as_session session = {.peer = &peer};

    unsigned char *octets = NULL;
    struct berval der = {(ber_len_t)i2d_X509(certificate, &octets), (char *)octets};
    const char *said = whole ? look_at(&der, &session, pool) : find_faults(certificate, &session, pool);

    OPENSSL_free(octets);
    return said;
}

static const char *fault_of(X509 *certificate, const char *host, const char *ca)
{
    return say_of(certificate, host, ca, false);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const row *of = &rows[i];
        X509 *certificate =
            make(of->name, key, of->strange ? stranger : authority, of->strange ? stranger_key : authority_key, of);
        const char *said = fault_of(certificate, of->host, trusted);

        if (strncmp(said, of->said, strlen(of->said)) != 0) {
            fail_msg("row %zu: \"%s\", not \"%s...\"", i, said, of->said);
        }
        X509_free(certificate);
    }
}

static void all_that_is_wrong_is_said(void **state)
{
    X509 *certificate = make("strange", key, stranger, stranger_key, &rows[8]);
    const char *said = fault_of(certificate, "ldap.test", trusted);

    (void)state;
    assert_non_null(strstr(said, "; it does not name ldap.test, but a.test; it is not signed by an authority in "));
    X509_free(certificate);
}

static void one_that_is_its_own_authority(void **state)
{
    const char *said = fault_of(stranger, "stranger", trusted);

    (void)state;
    assert_non_null(strstr(said, "is self-signed, and not trusted by itself in /tmp/authstatus-ca-"));
}

/* All names are in subjectAltName. */
static void one_without_a_subject(void **state)
{
    const row of = {NULL, "DNS:ldap.test", -2 * DAY, -DAY, false, "ldap.test", ""};
    X509 *certificate = make(of.name, key, authority, authority_key, &of);
    const char *said = say_of(certificate, "ldap.test", trusted, true);
    const char *begin = "the server's certificate for no name, issued by CN=authority, expired on ";

    (void)state;
    if (strncmp(said, begin, strlen(begin)) != 0) {
        fail_msg("\"%s\", not \"%s...\"", said, begin);
    }
    X509_free(certificate);
}

/* libldap compares the machine's own name in place of "localhost". */
static void localhost_is_the_machines_own_name(void **state)
{
    const row of = {"localhost", "DNS:localhost", -DAY, DAY, false, "localhost", ""};
    X509 *certificate = make(of.name, key, authority, authority_key, &of);
    const char *own = get_own_name(pool), *said = fault_of(certificate, "localhost", trusted);

    (void)state;
    assert_true(!strcmp(own, "localhost") ||
                strstr(said, apr_pstrcat(pool, "does not name ", own, ", which libldap compares", NULL)));
    X509_free(certificate);
}

/* The queue of OpenSSL's errors is the thread's: what is left there another module takes for a fault of its own. */
static void no_error_is_left(void **state)
{
    static const unsigned char octets[][8] = {{0x30, 0x03, 0x02, 0x01, 0x01}, {0x30, 0x82, 0xff, 0xff}, {0}};

    (void)state;
    for (size_t i = 0; i < sizeof(octets) / sizeof(*octets); i++) {
        const struct berval der = {sizeof(octets[i]), (char *)(intptr_t)octets[i]};

        assert_null(look_at(&der, NULL, pool));
        assert_int_equal(ERR_peek_error(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(all_that_is_wrong_is_said),
        cmocka_unit_test(one_that_is_its_own_authority),
        cmocka_unit_test(one_without_a_subject),
        cmocka_unit_test(localhost_is_the_machines_own_name),
        cmocka_unit_test(no_error_is_left),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("certificate", tests, set_up, tear_down);
}
