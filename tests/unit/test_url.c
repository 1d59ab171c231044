/* SPDX-License-Identifier: Apache-2.0
 *
 * AuthLDAPURL as rows: what works with mod_authnz_ldap means the same here, and a wrong URL has a sentence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <ldap.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "authstatus/ldap.h"

#define ALL "(objectClass=*)"
#define SUB LDAP_SCOPE_SUBTREE
#define ONE LDAP_SCOPE_ONELEVEL
#define NONE AS_SECURITY_NONE
#define SSL AS_SECURITY_SSL
#define STARTTLS AS_SECURITY_STARTTLS

typedef struct good_row {
    const char *url, *mode;
    const char *servers; /* "host port host port" */
    as_security security;
    const char *base;
    int scope;
    const char *filter;
    const char *attributes; /* with commas */
} good_row;

static const good_row good[] = {
    {"ldap://h/dc=x", NULL, "h 389", NONE, "dc=x", SUB, ALL, "uid"},
    {"LDAP://h/dc=x", "none", "h 389", NONE, "dc=x", SUB, ALL, "uid"},
    {"ldaps://h/dc=x", NULL, "h 636", SSL, "dc=x", SUB, ALL, "uid"},
    {"LdapS://h:3269/dc=x", "NONE", "h 3269", SSL, "dc=x", SUB, ALL, "uid"},
    {"ldaps://h/dc=x", "STARTTLS", "h 636", SSL, "dc=x", SUB, ALL, "uid"},
    {"ldap://h/dc=x", "ssl", "h 636", SSL, "dc=x", SUB, ALL, "uid"},
    {"ldap://h:389/dc=x", "SSL", "h 389", SSL, "dc=x", SUB, ALL, "uid"},
    {"ldap://h/o=Acme%20SSL", NULL, "h 389", NONE, "o=Acme SSL", SUB, ALL, "uid"},
    {"ldap://h/dc=x", "TLS", "h 389", STARTTLS, "dc=x", SUB, ALL, "uid"},
    {"ldap://h/dc=x", "StartTls", "h 389", STARTTLS, "dc=x", SUB, ALL, "uid"},
    /* no host, no base */
    {"ldap:///dc=x", NULL, "localhost 389", NONE, "dc=x", SUB, ALL, "uid"},
    {"ldap://h", NULL, "h 389", NONE, "", SUB, ALL, "uid"},
    {"ldap://h/", NULL, "h 389", NONE, "", SUB, ALL, "uid"},
    {"ldap://", NULL, "localhost 389", NONE, "", SUB, ALL, "uid"},
    /* several hosts; the last port is that of those without */
    {"ldap://a b/dc=x", NULL, "a 389 b 389", NONE, "dc=x", SUB, ALL, "uid"},
    {"ldap://a  b c/dc=x", NULL, "a 389 b 389 c 389", NONE, "dc=x", SUB, ALL, "uid"},
    {"ldap://a%20b/dc=x", NULL, "a 389 b 389", NONE, "dc=x", SUB, ALL, "uid"},
    {"ldap://a,b/dc=x", NULL, "a 389 b 389", NONE, "dc=x", SUB, ALL, "uid"},
    {"ldap://a b:1389/dc=x", NULL, "a 1389 b 1389", NONE, "dc=x", SUB, ALL, "uid"},
    {"ldap://a:1389 b/dc=x", NULL, "a 1389 b 1389", NONE, "dc=x", SUB, ALL, "uid"},
    {"ldap://a:1389 b:2389 c/dc=x", NULL, "a 1389 b 2389 c 2389", NONE, "dc=x", SUB, ALL, "uid"},
    /* addresses */
    {"ldap://127.0.0.1:65535/dc=x", NULL, "127.0.0.1 65535", NONE, "dc=x", SUB, ALL, "uid"},
    {"ldap://[::1]/dc=x", NULL, "::1 389", NONE, "dc=x", SUB, ALL, "uid"},
    {"ldap://[::1]:1389 [fe80::2]:2389/dc=x", NULL, "::1 1389 fe80::2 2389", NONE, "dc=x", SUB, ALL, "uid"},
    {"ldap://fe80::2/dc=x", NULL, "fe80::2 389", NONE, "dc=x", SUB, ALL, "uid"},
    /* base */
    {"ldap://h/ou=People, o=Air us", NULL, "h 389", NONE, "ou=People, o=Air us", SUB, ALL, "uid"},
    {"ldap://h/ou=People,%20o=Air%3fus", NULL, "h 389", NONE, "ou=People, o=Air?us", SUB, ALL, "uid"},
    {"ldap://h/o=a/b", NULL, "h 389", NONE, "o=a/b", SUB, ALL, "uid"},
    {"ldap://h/o=M\xc3\xbcller", NULL, "h 389", NONE, "o=M\xc3\xbcller", SUB, ALL, "uid"},
    /* attributes */
    {"ldap://h/dc=x?cn", NULL, "h 389", NONE, "dc=x", SUB, ALL, "cn"},
    {"ldap://h/dc=x?cn,mail,2.5.4.3", NULL, "h 389", NONE, "dc=x", SUB, ALL, "cn,mail,2.5.4.3"},
    {"ldap://h/dc=x?uid,*", NULL, "h 389", NONE, "dc=x", SUB, ALL, "uid"},
    {"ldap://h/dc=x?uid,+,mail,*", NULL, "h 389", NONE, "dc=x", SUB, ALL, "uid,mail"},
    {"ldap://h/dc=x?", NULL, "h 389", NONE, "dc=x", SUB, ALL, "uid"},
    /* scope: httpd takes base for sub */
    {"ldap://h/dc=x??sub", NULL, "h 389", NONE, "dc=x", SUB, ALL, "uid"},
    {"ldap://h/dc=x??ONE", NULL, "h 389", NONE, "dc=x", ONE, ALL, "uid"},
    {"ldap://h/dc=x??base", NULL, "h 389", NONE, "dc=x", SUB, ALL, "uid"},
    /* filter */
    {"ldap://h/dc=x?\?\?(a=b)", NULL, "h 389", NONE, "dc=x", SUB, "(a=b)", "uid"},
    {"ldap://h/dc=x?\?\?a=b", NULL, "h 389", NONE, "dc=x", SUB, "(a=b)", "uid"},
    {"ldap://h/dc=x?cn?one?(&(a=b)(!(c=d e)))", NULL, "h 389", NONE, "dc=x", ONE, "(&(a=b)(!(c=d e)))", "cn"},
    {"ldap://h/dc=x?\?\?(a=b)(c=d)", NULL, "h 389", NONE, "dc=x", SUB, "(&(a=b)(c=d))", "uid"},
    {"ldap://h/dc=x?\?\?%28a=b%29", NULL, "h 389", NONE, "dc=x", SUB, "(a=b)", "uid"},
    {"ldap://h/dc=x?\?\?(a=\\28b\\29)", NULL, "h 389", NONE, "dc=x", SUB, "(a=\\28b\\29)", "uid"},
    {"ldap://h/dc=x?\?\?(memberOf:1.2.840.113556.1.4.1941:=cn=a)", NULL, "h 389", NONE, "dc=x", SUB,
     "(memberOf:1.2.840.113556.1.4.1941:=cn=a)", "uid"},
    {"ldap://h/dc=x?\?\?none", NULL, "h 389", NONE, "dc=x", SUB, NULL, "uid"},
    {"ldap://h/dc=x?\?\?NONE", NULL, "h 389", NONE, "dc=x", SUB, NULL, "uid"},
    {"ldap://h/dc=x?\?\?(a=b)?ext", NULL, "h 389", NONE, "dc=x", SUB, "(a=b)", "uid"},
};

typedef struct bad_row {
    const char *url, *mode;
    const char *says; /* part of the sentence */
} bad_row;

static const bad_row bad[] = {
    {"", NULL, "ldap:// or ldaps://"},
    {"http://h/dc=x", NULL, "ldap:// or ldaps://"},
    {"ldapi://%2ftmp%2fx/dc=x", NULL, "write ldap://127.0.0.1/"},
    {"h/dc=x", NULL, "ldap:// or ldaps://"},
    {"ldap://h/dc=x", "", "NONE, SSL, TLS, STARTTLS"},
    {"ldap://h/dc=x", "tls1.2", "NONE, SSL, TLS, STARTTLS"},
    {"ldap://h:/dc=x", NULL, "1 to 65535"},
    {"ldap://h:0/dc=x", NULL, "1 to 65535"},
    {"ldap://h:65536/dc=x", NULL, "1 to 65535"},
    {"ldap://h:-1/dc=x", NULL, "1 to 65535"},
    {"ldap://h:389x/dc=x", NULL, "1 to 65535"},
    {"ldap://h:99999999999999999999/dc=x", NULL, "1 to 65535"},
    {"ldap://h:389:636/dc=x", NULL, "\"h:389:636\" is not the name or the address"},
    {"ldap://[h:389]/dc=x", NULL, "not the name or the address"},
    {"ldap://[::1/dc=x", NULL, "not the name or the address"},
    {"ldap://[::1]x/dc=x", NULL, "1 to 65535"},
    {"ldap://:389/dc=x", NULL, "not the name or the address"},
    {"ldap://h_(/dc=x", NULL, "not the name or the address"},
    {"ldap://h?uid", NULL, "no / between"},
    {"ldap://h/dc=100%", NULL, "%25"},
    {"ldap://h/dc=%zz", NULL, "%25"},
    {"ldap://h/dc=x%00", NULL, "%00"},
    {"ldap://h/dc=x?*", NULL, "not the name of an attribute"},
    {"ldap://h/dc=x?uid,)(cn", NULL, "not the name of an attribute"},
    {"ldap://h/dc=x?uid STARTTLS", NULL, "write STARTTLS behind the quotes"},
    {"ldap://h/dc=x STARTTLS", NULL, "write STARTTLS behind the quotes"},
    {"ldap://h/o=Acme%20Corp SSL", NULL, "as the end of a name it is %20SSL"},
    {"ldap://h/dc=x?uid,cn ssl", NULL, "write ssl behind the quotes"},
    {"ldap://h/dc=x?uid?sub none", NULL, "write none behind the quotes"},
    {"ldap://h/dc=x?uid?sub?(a=b) TLS", NULL, "write TLS behind the quotes"},
    {"ldap://h/dc=x?uid STARTTLS ", NULL, "not the name of an attribute"},
    {"ldap://h/dc=x?uid NONE", "NONE", "not the name of an attribute"},
    {"ldap://h/dc=x??onelevel-ish", NULL, "one, sub"},
    {"ldap://h/dc=x??subordinate", NULL, "one, sub"},
    {"ldap://h/dc=x?\?\?(a=b", NULL, "not a search filter"},
    {"ldap://h/dc=x?\?\?(a=b))", NULL, "not a search filter"},
    {"ldap://h/dc=x?\?\?a=b)(c=d", NULL, "not a search filter"},
    {"ldap://h/dc=x?\?\?a=b))(|(c=d", NULL, "not a search filter"},
    {"ldap://h/dc=x?\?\?(a=b)x", NULL, "not a search filter"},
    {"ldap://h/dc=x?\?\?(a=b))(|(c=d)", NULL, "not a search filter"},
    {"ldap://h/dc=x?\?\?(ab)", NULL, "not a search filter"},
    {"ldap://h/dc=x?\?\?(&(a=b)x)", NULL, "not a search filter"},
    {"ldap://h/dc=x?\?\?(a=\\zz)", NULL, "not a search filter"},
    {"ldap://h/dc=x?\?\?(a=b)\\", NULL, "not a search filter"},
    {"ldap://h/dc=x?\?\?()", NULL, "not a search filter"},
    {"ldap://h/dc=x?\?\?\?!bindname=cn", NULL, "critical extension"},
    {"ldap://h/dc=x?\?\??x?y", NULL, "form"},
    {"ldap://1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33/dc=x", NULL,
     "more than 32"},
};

static apr_pool_t *pool;

static const char *servers_of(const as_directory_settings *settings)
{
    const char *text = "";

    for (int i = 0; i < settings->server_count; i++) {
        text =
            apr_psprintf(pool, "%s%s%s %d", text, i ? " " : "", settings->servers[i].host, settings->servers[i].port);
    }
    return text;
}

static const char *attributes_of(const as_directory_settings *settings)
{
    const char *text = settings->attributes[0];

    for (int i = 1; i < settings->attribute_count; i++) {
        text = apr_pstrcat(pool, text, ",", settings->attributes[i], NULL);
    }
    assert_null(settings->attributes[settings->attribute_count]);
    return text;
}

static void check_good(const good_row *row)
{
    as_directory_settings settings = {.server_count = 0};
    const char *wrong = as_directory_parse_url(pool, row->url, row->mode, &settings);

    if (wrong) {
        fail_msg("%s: %s", row->url, wrong);
    }
    assert_string_equal(servers_of(&settings), row->servers);
    assert_int_equal(settings.security, row->security);
    assert_string_equal(settings.base, row->base);
    assert_int_equal(settings.scope, row->scope);
    assert_string_equal(attributes_of(&settings), row->attributes);
    if (row->filter) {
        assert_non_null(settings.filter);
        assert_string_equal(settings.filter, row->filter);
    } else {
        assert_null(settings.filter);
    }
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        check_good(&good[i]);
    }
}

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        as_directory_settings settings = {.server_count = 0};
        const char *wrong = as_directory_parse_url(pool, bad[i].url, bad[i].mode, &settings);

        if (!wrong || !strstr(wrong, bad[i].says)) {
            fail_msg("%s: \"%s\" does not say \"%s\"", bad[i].url, wrong ? wrong : "(taken)", bad[i].says);
        }
    }
}

/* Settings that differ in one thing, each from the first and from one another. */
static void vary(as_directory_settings *settings, int which)
{
    static const as_ldap_server two[] = {{"h", 389}, {"h", 636}}, other[] = {{"h", 636}};
    static const char *const joined[] = {"uidcn", NULL}, *const split[] = {"uid", "cn", NULL};

    switch (which) {
    case 1:
        settings->servers = two, settings->server_count = 2;
        break;
    case 2:
        settings->servers = other;
        break;
    case 3:
        settings->security = AS_SECURITY_SSL;
        break;
    case 4:
        settings->base = "dc=y";
        break;
    case 5:
        settings->base = "";
        break;
    case 6:
        settings->scope = LDAP_SCOPE_ONELEVEL;
        break;
    case 7:
        settings->filter = NULL;
        break;
    case 8:
        settings->filter = "";
        break;
    case 9:
        settings->attributes = joined;
        break;
    case 10:
        settings->attributes = split, settings->attribute_count = 2;
        break;
    case 11:
        settings->deref = LDAP_DEREF_ALWAYS;
        break;
    case 12:
        settings->referrals = AS_REFERRALS_ON;
        break;
    case 13:
        settings->bind_dn = "ab", settings->bind_password = "c";
        break;
    case 14:
        settings->bind_dn = "a", settings->bind_password = "bc";
        break;
    case 15:
        settings->bind_dn = "";
        break;
    case 16:
        settings->verify_certificate = true;
        break;
    case 17:
        settings->ca_file = "f";
        break;
    case 18:
        settings->ca_directory = "f";
        break;
    case 19:
        settings->client_certificate = "f";
        break;
    case 20:
        settings->client_key = "f";
        break;
    case 21:
        settings->connect_timeout = 1;
        break;
    case 22:
        settings->operation_timeout = 1;
        break;
    case 23:
        settings->session_ttl = 1;
        break;
    case 24:
        settings->uniform_timing = true;
        break;
    default:
        break;
    }
}
#define VARIANTS 25

static void test_names_differ_as_settings_do(void **state)
{
    const char *names[VARIANTS], *again;
    as_directory_settings settings;

    (void)state;
    for (int i = 0; i < VARIANTS; i++) {
        memset(&settings, 0, sizeof(settings));
        assert_null(as_directory_parse_url(pool, "ldap://h/dc=x", NULL, &settings));
        vary(&settings, i);
        names[i] = as_directory_compute_fingerprint(pool, &settings);
        again = as_directory_compute_fingerprint(pool, &settings);
        assert_int_equal(strlen(names[i]), 64);
        assert_int_equal(strspn(names[i], "0123456789abcdef"), 64);
        assert_string_equal(names[i], again);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(names[i], names[j]);
        }
    }
}

static int set_up(void **state)
{
    (void)state;
    return apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS;
}

static int tear_down(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_names_differ_as_settings_do),
    };
    return cmocka_run_group_tests_name("url", tests, set_up, tear_down);
}
