/* SPDX-License-Identifier: Apache-2.0
 *
 * The identity of a directory: each setting of setting.def is part of its fingerprint and of its copy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "authstatus/ldap.h"
#include "ldap/ldap_private.h"

static apr_pool_t *pool;

static const as_ldap_server servers[] = {{"one.example", 389}, {"two.example", 636}};
static const as_ldap_server other_host[] = {{"one.example", 389}, {"six.example", 636}};
static const as_ldap_server other_port[] = {{"one.example", 390}, {"two.example", 636}};
static const as_ldap_server other_order[] = {{"two.example", 636}, {"one.example", 389}};
static const char *const texts[] = {"uid", "mail", NULL};
static const char *const other_text[] = {"uid", "cn", NULL};
static const char *const joined_texts[] = {"uidmail", "", NULL};

/* Every setting has a value of its own. */
static as_directory_settings whole(void)
{
    as_directory_settings settings;
    int number = 0;

    memset(&settings, 0, sizeof(settings));
#define SET_NUMBER(type, name) settings.name = (type)(++number % 2 ? 1 : 0);
#define SET_TEXT(type, name) settings.name = apr_pstrdup(pool, #name);
#define SET_SECRET(type, name) SET_TEXT(type, name)
#define SET_SERVERS(name) settings.name = servers;
#define SET_TEXTS(name) settings.name = texts;
#define AS_SETTING(kind, type, name) SET_##kind(type, name)
#define AS_SETTING_LIST(kind, type, name, count) SET_##kind(name) settings.count = 2;
#include "authstatus/setting.def"
    return settings;
}

#define MOST 100

/* Fingerprints so far, with what was changed. */
static struct {
    const char *fingerprint, *changed;
    const as_directory_settings *settings;
} seen[MOST];
static int seen_count;

static void is_new(const as_directory_settings *settings, const char *changed)
{
    const char *fingerprint = as_directory_compute_fingerprint(pool, settings);
    const as_directory_settings *copy = as_settings_copy(pool, settings);

    assert_non_null(fingerprint);
    assert_int_equal(strlen(fingerprint), 64);
    for (int i = 0; i < seen_count; i++) {
        if (!strcmp(seen[i].fingerprint, fingerprint) || as_settings_are_same(seen[i].settings, settings) ||
            as_settings_compute_hash(seen[i].settings) == as_settings_compute_hash(settings)) {
            fail_msg("a directory with another %s is the one with another %s", changed, seen[i].changed);
        }
    }
    assert_string_equal(as_directory_compute_fingerprint(pool, copy), fingerprint);
    assert_true(as_settings_are_same(copy, settings));
    assert_true(as_settings_compute_hash(copy) == as_settings_compute_hash(settings));
    assert_true(seen_count < MOST);
    seen[seen_count].fingerprint = fingerprint;
    seen[seen_count].settings = copy;
    seen[seen_count++].changed = changed;
}

/* No two of these are one directory, and each copy is what it is a copy of. */
static void test_each_setting_is_part_of_the_identity(void **state)
{
    as_directory_settings settings = whole();

    (void)state;
    seen_count = 0;
    is_new(&settings, "nothing");
#define CHANGE(name, value, what)                                                                                      \
    settings = whole();                                                                                                \
    settings.name = value;                                                                                             \
    is_new(&settings, what);
#define CHANGE_NUMBER(type, name) CHANGE(name, (type)(settings.name ? 0 : 1), #name)
#define CHANGE_TEXT(type, name)                                                                                        \
    CHANGE(name, "another", #name) CHANGE(name, NULL, "no " #name) CHANGE(name, "", "an empty " #name)
#define CHANGE_SECRET(type, name) CHANGE_TEXT(type, name)
#define CHANGE_SERVERS(name)                                                                                           \
    CHANGE(name, other_host, "host of " #name)                                                                         \
    CHANGE(name, other_port, "port of " #name) CHANGE(name, other_order, "order of " #name)
#define CHANGE_TEXTS(name) CHANGE(name, other_text, #name) CHANGE(name, joined_texts, "border in " #name)
#define AS_SETTING(kind, type, name) CHANGE_##kind(type, name)
#define AS_SETTING_LIST(kind, type, name, count) CHANGE_##kind(name) CHANGE(count, 1, #count)
#include "authstatus/setting.def"
    assert_true(seen_count > 40);
}

/* The border between two texts that follow each other is part of them. */
static void test_borders(void **state)
{
    as_directory_settings one = whole(), other = whole();

    (void)state;
    one.client_certificate = "ab";
    one.client_key = "c";
    other.client_certificate = "a";
    other.client_key = "bc";
    assert_string_not_equal(as_directory_compute_fingerprint(pool, &one),
                            as_directory_compute_fingerprint(pool, &other));
    assert_false(as_settings_are_same(&one, &other));
    assert_true(as_settings_compute_hash(&one) != as_settings_compute_hash(&other));
}

/* A copy has nothing of what it was made of: a request's settings go with the request. */
static void test_copy_stands_alone(void **state)
{
    as_directory_settings settings = whole();
    const as_directory_settings *copy = as_settings_copy(pool, &settings);

    (void)state;
#define ALONE_NUMBER(name)
#define ALONE_TEXT(name) assert_ptr_not_equal(copy->name, settings.name);
#define ALONE_SECRET(name) ALONE_TEXT(name)
#define ALONE_SERVERS(name)                                                                                            \
    ALONE_TEXT(name)                                                                                                   \
    assert_ptr_not_equal(copy->name[1].host, settings.name[1].host);
#define ALONE_TEXTS(name)                                                                                              \
    ALONE_TEXT(name)                                                                                                   \
    assert_ptr_not_equal(copy->name[1], settings.name[1]);                                                             \
    assert_null(copy->name[2]);
#define AS_SETTING(kind, type, name) ALONE_##kind(name)
#define AS_SETTING_LIST(kind, type, name, count) ALONE_##kind(name)
#include "authstatus/setting.def"
}

static void test_wipe(void **state)
{
    as_directory_settings settings = whole();
    const as_directory_settings *copy = as_settings_copy(pool, &settings);
    const char *password = copy->bind_password;

    (void)state;
    assert_string_equal(password, "bind_password");
    as_settings_wipe(copy);
    for (size_t i = 0; i < strlen("bind_password"); i++) {
        assert_int_equal(password[i], 0);
    }
    assert_string_equal(copy->bind_dn, "bind_dn");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_setting_is_part_of_the_identity),
        cmocka_unit_test(test_borders),
        cmocka_unit_test(test_copy_stands_alone),
        cmocka_unit_test(test_wipe),
    };
    int failed;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_pool_destroy(pool);
    apr_terminate();
    return failed;
}
