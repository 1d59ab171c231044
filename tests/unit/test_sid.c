/* SPDX-License-Identifier: Apache-2.0 */
#include "guard_page.h"

#include <string.h>

#include "authstatus/sid.h"

/* S-1-5-21-1-2-3-1103, S-1-5-32-544 */
static const unsigned char user_octets[] = {1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0,    0, 1, 0,
                                            0, 0, 2, 0, 0, 0, 3, 0, 0,  0, 0x4f, 4, 0, 0};
static const unsigned char builtin_octets[] = {1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0};

static as_sid sid_of(const unsigned char *octets, size_t length)
{
    as_sid sid;

    assert_true(as_sid_read(octets, length, &sid));
    return sid;
}

static void what_is_one(void **state)
{
    as_sid sid;

    (void)state;
    for (size_t length = 0; length <= sizeof user_octets; length++) {
        guarded octets = guarded_copy(user_octets, length);

        assert_int_equal(as_sid_read((const unsigned char *)octets.at, length, &sid), length == sizeof user_octets);
        assert_int_equal(sid.length, length == sizeof user_octets ? length : 0);
        guarded_free(&octets);
    }
    assert_false(as_sid_read(NULL, 28, &sid));
}

static void what_is_none(void **state)
{
    unsigned char octets[AS_SID_MAX + 4] = {1, 15, 0, 0, 0, 0, 0, 5};
    as_sid sid;

    (void)state;
    assert_true(as_sid_read(octets, AS_SID_MAX, &sid));
    octets[1] = 16;
    assert_false(as_sid_read(octets, AS_SID_MAX + 4, &sid));
    octets[1] = 15;
    octets[0] = 2;
    assert_false(as_sid_read(octets, AS_SID_MAX, &sid));
    octets[0] = 1;
    octets[1] = 0;
    assert_false(as_sid_read(octets, 8, &sid));
}

static void primary_groups(void **state)
{
    static const char *const none[] = {"", "0", "-1", " 513", "513 ", "513x", "4294967296", "99999999999999999999"};
    as_sid user = sid_of(user_octets, sizeof user_octets), builtin = sid_of(builtin_octets, sizeof builtin_octets),
           group;
    as_sid empty = {0};

    (void)state;
    assert_true(as_sid_make_primary_group(&user, "513", &group));
    assert_int_equal(group.length, sizeof user_octets);
    assert_memory_equal(group.octets, user_octets, 24);
    assert_memory_equal(group.octets + 24, "\x01\x02\0\0", 4);
    assert_true(as_sid_make_primary_group(&user, "4294967295", &group));
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        assert_false(as_sid_make_primary_group(&user, none[i], &group));
        assert_int_equal(group.length, 0);
    }
    assert_false(as_sid_make_primary_group(&user, NULL, &group));
    assert_false(as_sid_make_primary_group(&builtin, "513", &group));
    assert_false(as_sid_make_primary_group(&empty, "513", &group));
}

static void equality_and_text(void **state)
{
    as_sid user = sid_of(user_octets, sizeof user_octets), builtin = sid_of(builtin_octets, sizeof builtin_octets),
           again;
    as_sid empty = {0};
    char text[AS_SID_TEXT_MAX];

    (void)state;
    assert_true(as_sid_is_same(&user, &user));
    assert_false(as_sid_is_same(&user, &builtin));
    assert_false(as_sid_is_same(&empty, &empty));
    as_sid_write(&builtin, text);
    assert_string_equal(text, "01020000000000052000000020020000");
    assert_true(as_sid_parse(text, &again) && as_sid_is_same(&builtin, &again));
    text[0] = 'x';
    assert_false(as_sid_parse(text, &again));
    assert_false(as_sid_parse("010200000000000520000000200200", &again));
    assert_false(as_sid_parse("0", &again));
    assert_false(as_sid_parse("", &again));
    as_sid_write(&empty, text);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_one),
        cmocka_unit_test(what_is_none),
        cmocka_unit_test(primary_groups),
        cmocka_unit_test(equality_and_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
