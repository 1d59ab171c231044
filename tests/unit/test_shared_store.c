/* SPDX-License-Identifier: Apache-2.0
 *
 * What comes out of a store, and a store that is away.
 */
#include "fake_store.h"

/* ---- what is in it ---- */

static void neither_passwords_nor_names_are_in_it(void **state)
{
    static const char *const words[] = {"secret", "alice2", "wrong-one", "www.example", "directory1"};
    as_cache_key subject = {"www.example", "directory1", "alice2", "secret", NULL};
    as_cache *memory = a_process();

    (void)state;
    keep(memory, subject, AS_OUTCOME_GRANTED);
    subject.password = "wrong-one";
    keep(memory, subject, AS_OUTCOME_WRONG_PASSWORD);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        assert_null(memmem(shelf.records, sizeof shelf.records, words[i], strlen(words[i])));
    }
}

static void two_with_one_key_share_it(void **state)
{
    as_cache *other = a_process_with(&fake, other_key, 64);

    (void)state;
    keep(a_process(), alice, AS_OUTCOME_GRANTED);
    assert_int_equal(recalled(a_process(), alice), AS_OUTCOME_GRANTED);
    assert_int_equal(recalled(other, alice), NOTHING);
}

static void a_record_sealed_by_another_key_is_none(void **state)
{
    as_cache *here = a_process(), *other = a_process_with(&fake, other_key, 64);
    unsigned char id[AS_HASH_SIZE], forged[AS_STORED_MAX];
    fake_record *record;
    size_t length;

    (void)state;
    keep(here, alice, AS_OUTCOME_GRANTED);
    record = fake_only();
    memcpy(id, record->id, sizeof id);
    length = as_record_seal(other, id, record->data, record->length - AS_HASH_SIZE, forged);
    assert_int_equal(length, record->length);
    memcpy(record->data, forged, length);
    assert_int_equal(recalled(a_process(), alice), NOTHING);
    assert_int_equal(recalled(here, alice), AS_OUTCOME_GRANTED); /* its own copy */
}

static void a_record_under_another_id_is_none(void **state)
{
    as_cache_key bob = {"www", "d1", "bob", "secret", NULL};
    as_cache *memory = a_process();
    unsigned char id[AS_HASH_SIZE];

    (void)state;
    keep(memory, alice, AS_OUTCOME_GRANTED);
    assert_true(as_record_make_id(memory, AS_RECORD_ACCEPTANCE, &bob, id));
    memcpy(fake_only()->id, id, sizeof id);
    assert_int_equal(recalled(a_process(), bob), NOTHING);
    assert_true(as_record_make_id(memory, AS_RECORD_REFUSAL, &alice, id));
    memcpy(fake_only()->id, id, sizeof id);
    assert_int_equal(recalled(a_process(), alice), NOTHING);
}

static void not_one_octet_of_a_record_may_change(void **state)
{
    fake_record *record, whole;

    (void)state;
    keep(a_process(), alice, AS_OUTCOME_GRANTED);
    record = fake_only();
    whole = *record;
    for (unsigned int i = 0; i < whole.length; i++) {
        *record = whole;
        record->data[i] ^= 1;
        assert_int_equal(recalled(a_process(), alice), NOTHING);
        *record = whole;
        record->length = i + 1;
        assert_int_equal(recalled(a_process(), alice), i + 1 == whole.length ? AS_OUTCOME_GRANTED : NOTHING);
        memset(record->data, (int)i, i + 1);
        assert_int_equal(recalled(a_process(), alice), NOTHING);
    }
    *record = whole;
    record->length++;
    assert_int_equal(recalled(a_process(), alice), NOTHING);
    *record = whole;
    shelf.lies = AS_STORED_MAX + 1;
    assert_int_equal(recalled(a_process(), alice), NOTHING);
    shelf.lies = UINT32_MAX;
    assert_int_equal(recalled(a_process(), alice), NOTHING);
    shelf.lies = 0;
    assert_int_equal(recalled(a_process(), alice), AS_OUTCOME_GRANTED);
}

/* Changes a sealed record, and seals it again: what a machine with the key and another version may have stored. */
static int with_change(size_t at, unsigned char to)
{
    as_cache *memory = a_process();
    fake_record *record = fake_only(), whole = *record;
    int outcome;

    record->data[at] = to;
    as_record_seal(memory, record->id, whole.data, 0, record->data);
    assert_int_equal(as_record_seal(memory, record->id, apr_pmemdup(pool, record->data, record->length),
                                    record->length - AS_HASH_SIZE, record->data),
                     record->length);
    outcome = recalled(memory, alice);
    *record = whole;
    return outcome;
}

/* Returns where the record has the name of its outcome. */
static size_t find_name(const fake_record *record, const char *name)
{
    const unsigned char *found = memmem(record->data, record->length, name, strlen(name));

    assert_non_null(found);
    return (size_t)(found - record->data);
}

static void a_record_is_of_this_version_and_kind(void **state)
{
    unsigned char version;
    size_t name;

    (void)state;
    keep(a_process(), alice, AS_OUTCOME_GRANTED);
    version = fake_only()->data[0];
    name = find_name(fake_only(), "granted");
    assert_int_equal(with_change(0, version), AS_OUTCOME_GRANTED);
    assert_int_equal(with_change(0, (unsigned char)(version - 1)), NOTHING);
    assert_int_equal(with_change(0, (unsigned char)(version + 1)), NOTHING);
    assert_int_equal(with_change(1, AS_RECORD_REFUSAL), NOTHING);
    assert_int_equal(with_change(1, AS_RECORD_FLIGHT), NOTHING);
    assert_int_equal(with_change(58, 0), NOTHING);                /* proven */
    assert_int_equal(with_change(58, 2), NOTHING);                /* no boolean */
    assert_int_equal(with_change(name, 'G'), AS_OUTCOME_GRANTED); /* names are in any case */
    assert_int_equal(with_change(name, 'x'), NOTHING);            /* an outcome that we do not know */
    assert_int_equal(with_change(26, 0x55), NOTHING);             /* the proof of another password */
}

static void nothing_may_follow_a_record(void **state)
{
    as_cache *memory = a_process();
    fake_record *record;
    size_t length;

    (void)state;
    keep(memory, alice, AS_OUTCOME_GRANTED);
    record = fake_only();
    length = record->length - AS_HASH_SIZE;
    for (size_t more = 0; more < 2; more++) {
        unsigned char *payload = apr_pcalloc(pool, length + 1);

        memcpy(payload, record->data, length);
        record->length = (unsigned int)as_record_seal(memory, record->id, payload, length + more, record->data);
        assert_int_equal(recalled(a_process(), alice), more ? NOTHING : AS_OUTCOME_GRANTED);
    }
}

/* ---- clocks ---- */

static void set_back(double seconds)
{
    wall -= (apr_time_t)(seconds * SECOND);
}

static void a_record_from_the_future_is_none(void **state)
{
    as_cache *here = a_process();

    (void)state;
    keep(here, alice, AS_OUTCOME_GRANTED);
    keep(here, with_password("wrong"), AS_OUTCOME_WRONG_PASSWORD);
    set_back(2);
    assert_int_equal(recalled(a_process(), alice), AS_OUTCOME_GRANTED);
    assert_int_equal(recalled(here, alice), AS_OUTCOME_GRANTED);
    set_back(0.001);
    assert_int_equal(recalled(a_process(), alice), NOTHING);
    assert_int_equal(recalled(a_process(), with_password("wrong")), NOTHING);
    assert_int_equal(recalled(here, alice), NOTHING);
}

static void a_clock_set_back_makes_nothing_younger(void **state)
{
    as_cache *here = a_process();

    (void)state;
    keep(here, alice, AS_OUTCOME_GRANTED);
    pass(40);
    set_back(30);
    assert_int_equal(recalled(here, alice), AS_OUTCOME_GRANTED);
    assert_int_equal(recalled(a_process(), alice), AS_OUTCOME_GRANTED);
    pass(19.9);
    assert_int_equal(recalled(here, alice), AS_OUTCOME_GRANTED);
    assert_int_equal(recalled(a_process(), alice), AS_OUTCOME_GRANTED);
    pass(0.1);
    assert_int_equal(recalled(here, alice), NOTHING);
    assert_int_equal(recalled(a_process(), alice), NOTHING);
}

static void a_clock_set_forward_makes_everything_old(void **state)
{
    as_cache *here = a_process();

    (void)state;
    keep(here, alice, AS_OUTCOME_GRANTED);
    wall += 60 * SECOND;
    assert_int_equal(recalled(here, alice), NOTHING);
    assert_int_equal(recalled(a_process(), alice), NOTHING);
    keep(here, alice, AS_OUTCOME_GRANTED);
    set_back(60);
    assert_int_equal(recalled(here, alice), NOTHING);
    assert_int_equal(recalled(a_process(), alice), NOTHING);
}

static as_cache *another_machine(const char *boot)
{
    as_cache *memory = a_process();

    memset(memory->boot, 0, AS_BOOT_SIZE);
    memcpy(memory->boot, boot, strlen(boot));
    return memory;
}

/* Its monotonic clock is another, so its records are judged by the wall clock. Here it was started long before. */
static void another_machine_s_record_has_its_time(void **state)
{
    static const char *const boots[] = {"other", ""};
    int64_t ours = mono;

    (void)state;
    for (int i = 0; i < 2; i++) {
        as_cache *copy = a_process();

        mono = ours + 90000 * SECOND;
        keep(another_machine(boots[i]), alice, AS_OUTCOME_GRANTED);
        mono = ours;
        pass(59);
        assert_int_equal(recalled(a_process(), alice), AS_OUTCOME_GRANTED);
        assert_int_equal(recalled(another_machine(""), alice), AS_OUTCOME_GRANTED);
        assert_int_equal(recalled(copy, alice), AS_OUTCOME_GRANTED);
        pass(1);
        assert_int_equal(recalled(a_process(), alice), NOTHING);
        assert_int_equal(recalled(copy, alice), NOTHING);
        ours = mono;
    }
}

static void the_reader_s_times_are_what_counts(void **state)
{
    as_cache *strict = a_process();

    (void)state;
    strict->times.acceptance = 10 * SECOND;
    keep(a_process(), alice, AS_OUTCOME_GRANTED);
    assert_true(fake_only()->expiry >= wall + 60 * SECOND);
    pass(9);
    assert_int_equal(recalled(strict, alice), AS_OUTCOME_GRANTED);
    pass(1);
    assert_int_equal(recalled(strict, alice), NOTHING);
    assert_int_equal(recalled(a_process(), alice), AS_OUTCOME_GRANTED);
}

/* ---- away ---- */

static void without_it_a_process_caches_by_itself(void **state)
{
    static const apr_status_t answers[] = {APR_EGENERAL, APR_TIMEUP, APR_ECONNREFUSED, APR_NOTFOUND, APR_ENOSPC};

    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        as_cache *here = a_process();

        shelf.answer = answers[i];
        assert_int_equal(recalled(here, alice), NOTHING);
        keep(here, alice, AS_OUTCOME_GRANTED);
        assert_int_equal(recalled(here, alice), AS_OUTCOME_GRANTED);
        keep(here, with_password("new"), AS_OUTCOME_GRANTED);
        assert_int_equal(recalled(here, alice), NOTHING);
        keep(here, alice, AS_OUTCOME_WRONG_PASSWORD);
        assert_int_equal(recalled(here, alice), AS_OUTCOME_WRONG_PASSWORD);
    }
}

static void what_it_still_has_of_an_old_password_is_not_believed(void **state)
{
    as_cache *here = a_process();

    (void)state;
    keep(here, alice, AS_OUTCOME_GRANTED);
    shelf.answer = APR_EGENERAL;
    pass(1);
    keep(here, with_password("new"), AS_OUTCOME_GRANTED);
    shelf.answer = APR_SUCCESS;
    pass(1);
    assert_int_equal(recalled(here, alice), NOTHING);
    assert_int_equal(recalled(here, with_password("new")), AS_OUTCOME_GRANTED);
}

static void expect_state(as_cache *memory, as_store_state state, bool changed)
{
    bool has_changed;

    assert_int_equal(as_cache_get_store_state(memory, &has_changed), state);
    assert_int_equal(has_changed, changed);
}

static void it_is_not_used_for_a_second_and_reported_once(void **state)
{
    as_cache *here = a_process();
    as_counters *counters = apr_pcalloc(pool, as_counters_get_size());

    (void)state;
    as_cache_set_counters(here, counters);
    expect_state(here, AS_STORE_UP, false);
    shelf.answer = APR_EGENERAL;
    recalled(here, alice);
    expect_state(here, AS_STORE_DOWN, true);
    expect_state(here, AS_STORE_DOWN, false);
    assert_int_equal(shelf.calls, 1);
    for (int i = 0; i < 9; i++) {
        pass(0.11);
        recalled(here, alice);
        keep(here, alice, AS_OUTCOME_WRONG_PASSWORD);
    }
    assert_int_equal(shelf.calls, 1);
    pass(0.011);
    recalled(here, with_password("other"));
    assert_int_equal(shelf.calls, 2);
    assert_int_equal(as_counters_get(counters, AS_COUNTER_store_errors), 2);
    expect_state(here, AS_STORE_DOWN, false);

    shelf.answer = APR_SUCCESS;
    pass(1);
    recalled(here, with_password("other"));
    keep(here, with_password("other"), AS_OUTCOME_WRONG_PASSWORD);
    expect_state(here, AS_STORE_UP, true);
    expect_state(here, AS_STORE_UP, false);
    assert_int_equal(recalled(a_process(), with_password("other")), AS_OUTCOME_WRONG_PASSWORD);
}

/* memcache's and redis's providers know no such record when all their servers are dead. */
static void no_such_record_is_an_error_where_it_should_be_stored(void **state)
{
    as_cache *here = a_process();

    (void)state;
    shelf.answer = APR_NOTFOUND;
    recalled(here, alice);
    expect_state(here, AS_STORE_UP, false);
    keep(here, alice, AS_OUTCOME_GRANTED);
    expect_state(here, AS_STORE_DOWN, true);
    pass(1);
    recalled(here, with_password("x"));
    expect_state(here, AS_STORE_DOWN, false);
    shelf.answer = APR_SUCCESS;
    keep(here, alice, AS_OUTCOME_GRANTED);
    expect_state(here, AS_STORE_UP, true);
}

static void full_is_not_away(void **state)
{
    as_cache *here = a_process();
    as_counters *counters = apr_pcalloc(pool, as_counters_get_size());

    (void)state;
    as_cache_set_counters(here, counters);
    keep(here, alice, AS_OUTCOME_GRANTED);
    shelf.store_answer = APR_ENOSPC;
    keep(here, with_password("wrong"), AS_OUTCOME_WRONG_PASSWORD);
    expect_state(here, AS_STORE_UP, false);
    assert_int_equal(as_counters_get(counters, AS_COUNTER_store_errors), 1);
    assert_int_equal(recalled(a_process(), alice), AS_OUTCOME_GRANTED);
    assert_int_equal(recalled(here, with_password("wrong")), AS_OUTCOME_WRONG_PASSWORD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(neither_passwords_nor_names_are_in_it),
        ROW(two_with_one_key_share_it),
        ROW(a_record_sealed_by_another_key_is_none),
        ROW(a_record_under_another_id_is_none),
        ROW(not_one_octet_of_a_record_may_change),
        ROW(a_record_is_of_this_version_and_kind),
        ROW(nothing_may_follow_a_record),
        ROW(a_record_from_the_future_is_none),
        ROW(a_clock_set_back_makes_nothing_younger),
        ROW(a_clock_set_forward_makes_everything_old),
        ROW(another_machine_s_record_has_its_time),
        ROW(the_reader_s_times_are_what_counts),
        ROW(without_it_a_process_caches_by_itself),
        ROW(what_it_still_has_of_an_old_password_is_not_believed),
        ROW(it_is_not_used_for_a_second_and_reported_once),
        ROW(no_such_record_is_an_error_where_it_should_be_stored),
        ROW(full_is_not_away),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
