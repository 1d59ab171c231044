/* SPDX-License-Identifier: Apache-2.0
 *
 * How long facts about groups are good for, by a clock of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "../../src/ldap/ldap_private.h"

#define HOUR (3600 * AS_MONO_SECOND)

static apr_pool_t *pool;
static as_facts *facts;
static as_mono now;

as_mono __wrap_as_mono_read(void);

as_mono __wrap_as_mono_read(void)
{
    return now;
}

static int begin(void **state)
{
    (void)state;
    now = 1000 * HOUR;
    apr_pool_create(&pool, NULL);
    facts = as_facts_create(pool);
    return facts ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    return 0;
}

static as_group_facts get(const char *key)
{
    as_group_facts group;

    as_facts_get(facts, key, &group, pool);
    return group;
}

/* That a group may be compared: for an hour, and for its key alone. */
static void test_a_right_to_compare(void **state)
{
    (void)state;
    as_facts_note_comparable(facts, "staff");
    assert_true(get("staff").comparable);
    assert_false(get("staff").described || get("team").comparable);
    now += HOUR - 1;
    assert_true(get("staff").comparable);
    now += 1;
    assert_false(get("staff").comparable);
    as_facts_note_comparable(facts, "staff");
    assert_true(get("staff").comparable);
}

/* A description: for an hour; fresh for AS_GROUP_FRESH. The right to compare has a time of its own. */
static void test_a_description(void **state)
{
    static const char *const classes[] = {"groupOfNames", "top", NULL};
    const as_group_facts group = {.exists = true, .dn = "cn=staff", .classes = classes, .searchable = true};
    as_group_facts got;

    (void)state;
    as_facts_note_described(facts, "staff", &group);
    got = get("staff");
    assert_true(got.described && got.fresh && got.exists && got.searchable && !got.comparable);
    assert_string_equal(got.dn, "cn=staff");
    assert_string_equal(got.classes[1], "top");
    assert_null(got.classes[2]);
    now += AS_GROUP_FRESH;
    assert_true(get("staff").described && !get("staff").fresh);
    as_facts_note_comparable(facts, "staff");
    now += HOUR - AS_GROUP_FRESH;
    got = get("staff");
    assert_true(!got.described && !got.exists && !got.searchable && got.comparable);
    assert_null(got.dn);
}

/* More groups than there are slots: what is known of a group is what was noted of it. */
static void test_many_groups(void **state)
{
    static const char *const none[] = {NULL};
    int i, known = 0;

    (void)state;
    for (i = 0; i < 5000; i++) {
        const char *dn = apr_psprintf(pool, "cn=%d", i);

        as_facts_note_described(facts, dn, &(as_group_facts){.exists = true, .dn = dn, .classes = none});
    }
    for (i = 0; i < 5000; i++) {
        const char *dn = apr_psprintf(pool, "cn=%d", i);
        const as_group_facts got = get(dn);

        known += got.described;
        if (got.described) {
            assert_string_equal(got.dn, dn);
        }
    }
    assert_true(known > 0 && known < 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_right_to_compare, begin, end),
        cmocka_unit_test_setup_teardown(test_a_description, begin, end),
        cmocka_unit_test_setup_teardown(test_many_groups, begin, end),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
