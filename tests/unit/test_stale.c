/* SPDX-License-Identifier: Apache-2.0
 *
 * What serves while the directory is away: what it accepted, for stale= longer, and nothing that it refused since.
 */
#include "fake_store.h"

#define STALE (600 * SECOND)

static as_cache *one(const as_store *store)
{
    as_cache *memory = a_process_with(store, key, 64);

    memory->times.stale = STALE;
    return memory;
}

static const as_store none = {NULL, NULL, NULL, NULL, false};

static as_stale stale_of(as_cache *memory, as_cache_key subject)
{
    as_cached_answer answer;
    const as_stale found = as_cache_get_stale(memory, &subject, wall, pool, &answer);

    assert_int_equal(answer.finding.outcome, found == AS_STALE_FOUND ? AS_OUTCOME_GRANTED : AS_OUTCOME_UNKNOWN_RESULT);
    if (found != AS_STALE_NONE) {
        assert_string_equal(answer.dn, "uid=alice,dc=x");
    }
    return found;
}

/* Accepted, and a minute ago. */
static as_cache *one_that_accepted(const as_store *store)
{
    as_cache *memory = one(store);

    keep(memory, alice, AS_OUTCOME_GRANTED);
    pass(60);
    assert_int_equal(recalled(memory, alice), NOTHING);
    assert_int_equal(stale_of(memory, alice), AS_STALE_FOUND);
    return memory;
}

#define EACH_STORE(store)                                                                                              \
    for (const as_store *store = &none; store; memset(&shelf, 0, sizeof shelf), store = store == &none ? &fake : NULL)

static void it_serves_to_the_microsecond(void **state)
{
    (void)state;
    EACH_STORE(store)
    {
        as_cache *memory = one_that_accepted(store);

        for (int i = 0; i < 59; i++) {
            pass(10);
            assert_int_equal(stale_of(memory, alice), AS_STALE_FOUND);
            assert_int_equal(recalled(memory, alice), NOTHING);
        }
        pass(9.5);
        assert_int_equal(stale_of(memory, alice), AS_STALE_FOUND);
        pass(0.5);
        assert_int_equal(stale_of(memory, alice), AS_STALE_NONE);
    }
}

static void by_either_clock(void **state)
{
    (void)state;
    EACH_STORE(store)
    {
        as_cache *memory = one_that_accepted(store);

        wall -= 30 * SECOND;
        assert_int_equal(stale_of(memory, alice), AS_STALE_FOUND);
        mono += STALE;
        assert_int_equal(stale_of(memory, alice), AS_STALE_NONE);
        wall += 30 * SECOND;
    }
}

static void without_stale_nothing_serves(void **state)
{
    (void)state;
    EACH_STORE(store)
    {
        as_cache *memory = one_that_accepted(store);

        memory->times.stale = 0;
        assert_int_equal(stale_of(memory, alice), AS_STALE_NONE);
        keep(memory, alice, AS_OUTCOME_GRANTED);
        pass(61);
        memory->times.stale = STALE;
        assert_int_equal(stale_of(memory, alice), store == &none ? AS_STALE_NONE : AS_STALE_FOUND);
    }
}

static void an_acceptance_that_is_not_cached_may_serve(void **state)
{
    (void)state;
    EACH_STORE(store)
    {
        as_cache *memory = one(store);

        memory->times.acceptance = memory->times.refusal = 0;
        keep(memory, alice, AS_OUTCOME_GRANTED);
        assert_int_equal(recalled(memory, alice), NOTHING);
        assert_int_equal(stale_of(memory, alice), AS_STALE_FOUND);
        pass(599);
        assert_int_equal(stale_of(memory, alice), AS_STALE_FOUND);
        pass(1);
        assert_int_equal(stale_of(memory, alice), AS_STALE_NONE);
    }
}

static void nobody_elses(void **state)
{
    (void)state;
    EACH_STORE(store)
    {
        as_cache *memory = one_that_accepted(store);

        assert_int_equal(stale_of(memory, with_password("wrong")), AS_STALE_OTHER);
        assert_int_equal(stale_of(memory, (as_cache_key){"www", "d1", "bob", "secret", NULL}), AS_STALE_NONE);
        assert_int_equal(stale_of(memory, (as_cache_key){"www", "d2", "alice", "secret", NULL}), AS_STALE_NONE);
        assert_int_equal(stale_of(memory, (as_cache_key){"other", "d1", "alice", "secret", NULL}), AS_STALE_NONE);
    }
}

/* One refusal, and what it leaves. */
typedef struct refused {
    as_outcome outcome;
    const char *password;
    as_stale left;
} refused;

static void what_a_refusal_ends(void **state)
{
    static const refused rows[] = {
        {AS_OUTCOME_WRONG_PASSWORD, "secret", AS_STALE_NONE},  {AS_OUTCOME_WRONG_PASSWORD, "guess", AS_STALE_FOUND},
        {AS_OUTCOME_ACCOUNT_LOCKED, "secret", AS_STALE_NONE},  {AS_OUTCOME_ACCOUNT_LOCKED, "guess", AS_STALE_NONE},
        {AS_OUTCOME_ACCOUNT_DISABLED, "guess", AS_STALE_NONE}, {AS_OUTCOME_UNKNOWN_USER, "guess", AS_STALE_NONE},
        {AS_OUTCOME_AMBIGUOUS_USER, "guess", AS_STALE_NONE},   {AS_OUTCOME_PASSWORD_EXPIRED, "secret", AS_STALE_NONE},
        {AS_OUTCOME_DIRECTORY_DOWN, "secret", AS_STALE_FOUND}, {AS_OUTCOME_THROTTLED, "secret", AS_STALE_FOUND},
        {AS_OUTCOME_TLS_FAILED, "secret", AS_STALE_FOUND},     {AS_OUTCOME_UNKNOWN_RESULT, "secret", AS_STALE_FOUND},
        {AS_OUTCOME_NOT_AUTHORIZED, "secret", AS_STALE_NONE},
    };

    (void)state;
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        const refused *row = &rows[i / 2];

        EACH_STORE(store)
        {
            as_cache *memory = one_that_accepted(store);

            memory->times.refusal = i % 2 ? 30 * SECOND : 0;
            keep(memory, with_password(row->password), row->outcome);
            pass(31);
            assert_int_equal(stale_of(memory, alice), row->left);
        }
    }
}

static void a_new_password_ends_the_old_one(void **state)
{
    (void)state;
    EACH_STORE(store)
    {
        as_cache *memory = one_that_accepted(store);

        keep(memory, with_password("new"), AS_OUTCOME_GRANTED);
        assert_int_equal(stale_of(memory, alice), AS_STALE_OTHER);
        assert_int_equal(stale_of(memory, with_password("new")), AS_STALE_FOUND);
        as_cache_remove_acceptance(memory, &alice, wall, pool);
        assert_int_equal(stale_of(memory, with_password("new")), AS_STALE_NONE);
    }
}

static void processes_have_it_in_common(void **state)
{
    as_cache *here, *there;

    (void)state;
    here = one_that_accepted(&fake);
    there = one(&fake);
    assert_int_equal(stale_of(there, alice), AS_STALE_FOUND);
    /* The other one gets the refusal; this one has a copy that was good, and does not serve it. */
    keep(there, alice, AS_OUTCOME_WRONG_PASSWORD);
    assert_int_equal(stale_of(here, alice), AS_STALE_NONE);
}

static void a_store_that_is_away_serves_nothing(void **state)
{
    as_cache *memory;

    (void)state;
    memory = one_that_accepted(&fake);
    shelf.answer = APR_EGENERAL;
    assert_int_equal(stale_of(memory, alice), AS_STALE_NONE);
    shelf.answer = APR_SUCCESS;
    pass(2);
    assert_int_equal(stale_of(memory, alice), AS_STALE_FOUND);
    fake_only()->data[10] ^= 1;
    assert_int_equal(stale_of(memory, alice), AS_STALE_NONE);
}

static void a_password_that_has_expired_serves_no_more(void **state)
{
    (void)state;
    EACH_STORE(store)
    {
        as_cache *memory = one(store);
        as_cached_answer answer = make_answer(AS_OUTCOME_PASSWORD_EXPIRING), again;

        answer.finding.expires_in = 100;
        as_cache_put(memory, &alice, &answer, wall, pool);
        pass(90);
        assert_int_equal(as_cache_get_stale(memory, &alice, wall, pool, &again), AS_STALE_FOUND);
        assert_int_equal(again.finding.expires_in, 10);
        assert_int_equal(again.age, 90 * SECOND);
        pass(11);
        assert_int_equal(as_cache_get_stale(memory, &alice, wall, pool, &again), AS_STALE_NONE);
    }
}

static void what_was_served_is_not_accepted_by_that(void **state)
{
    (void)state;
    EACH_STORE(store)
    {
        as_cache *memory = one_that_accepted(store);

        keep(memory, alice, AS_OUTCOME_GRANTED_STALE);
        assert_int_equal(recalled(memory, alice), NOTHING);
        pass(599);
        assert_int_equal(stale_of(memory, alice), AS_STALE_FOUND);
        keep(memory, alice, AS_OUTCOME_GRANTED_STALE);
        pass(1);
        assert_int_equal(stale_of(memory, alice), AS_STALE_NONE);
    }
}

static void the_lookaside_ends_with_the_acceptance(void **state)
{
    as_cache *memory;
    as_cached_answer answer;
    as_lookaside_answer found;
    as_lookaside_key own;

    (void)state;
    memory = one(&none);
    keep(memory, alice, AS_OUTCOME_GRANTED);
    assert_true(as_cache_get(memory, &alice, wall, pool, &answer));
    as_lookaside_make_key(memory, "here", 4, &own);
    as_lookaside_put(memory, &own, &answer.acceptance, "x", 1, (as_moment){wall, mono});
    pass(59);
    assert_true(as_lookaside_get(memory, &own, (as_moment){wall, mono}, &found));
    pass(1);
    assert_false(as_lookaside_get(memory, &own, (as_moment){wall, mono}, &found));
    assert_int_equal(as_cache_get_stale(memory, &alice, wall, pool, &answer), AS_STALE_FOUND);
    assert_int_equal(answer.acceptance.stamp, 0);
    as_lookaside_put(memory, &own, &answer.acceptance, "x", 1, (as_moment){wall, mono});
    assert_false(as_lookaside_get(memory, &own, (as_moment){wall, mono}, &found));
}

static void the_store_keeps_it_for_as_long(void **state)
{
    as_cache *memory;

    (void)state;
    memory = one(&fake);
    keep(memory, alice, AS_OUTCOME_GRANTED);
    assert_true(fake_only()->expiry >= wall + 660 * SECOND && fake_only()->expiry <= wall + 663 * SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(it_serves_to_the_microsecond),
        ROW(by_either_clock),
        ROW(without_stale_nothing_serves),
        ROW(an_acceptance_that_is_not_cached_may_serve),
        ROW(nobody_elses),
        ROW(what_a_refusal_ends),
        ROW(a_new_password_ends_the_old_one),
        ROW(processes_have_it_in_common),
        ROW(a_store_that_is_away_serves_nothing),
        ROW(a_password_that_has_expired_serves_no_more),
        ROW(what_was_served_is_not_accepted_by_that),
        ROW(the_lookaside_ends_with_the_acceptance),
        ROW(the_store_keeps_it_for_as_long),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("stale", tests, NULL, NULL);
}
