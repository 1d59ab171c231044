/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_store.h"
#include "within.h"

#include <pthread.h>

#include "authstatus/outages.h"

#define START (1000 * SECOND)

static as_outages *none_yet(void)
{
    return apr_pcalloc(pool, as_outages_get_size());
}

static as_outage_news down(as_outages *outages, int64_t now)
{
    return as_outages_record_failure(outages, "corp", false, AS_OUTCOME_DIRECTORY_DOWN, now);
}

static void the_first_is_reported_at_once_and_the_next_are_not(void **state)
{
    as_outages *outages = none_yet();
    as_outage_news news = down(outages, START);

    (void)state;
    assert_true(news.due);
    assert_int_equal(news.more, 0);
    for (int i = 0; i < 1000; i++) {
        assert_false(down(outages, START + i * 9 * SECOND / 1000).due);
    }
    news = down(outages, START + 10 * SECOND);
    assert_true(news.due);
    assert_int_equal(news.more, 1000);
    assert_int_equal(news.before, 10 * SECOND);
}

/* A day with a request a second: fewer than one line in five minutes, and every failure in one of them. */
static void the_longer_it_lasts_the_more_rarely(void **state)
{
    as_outages *outages = none_yet();
    const int day = 86400;
    int64_t last = 0, longest = 0;
    uint64_t reported = 0;
    int lines = 0;

    (void)state;
    for (int i = 0; i < day; i++) {
        as_outage_news news = down(outages, START + i * SECOND);

        if (news.due) {
            longest = lines && i - last > longest ? i - last : longest;
            reported += 1 + news.more;
            last = i;
            lines++;
        }
    }
    assert_within(lines, 280, 300);
    assert_within(longest, 300, 301);
    assert_int_equal(reported, last + 1);
}

static void its_end_counts_all(void **state)
{
    as_outages *outages = none_yet();
    as_outage_end end;

    (void)state;
    assert_false(as_outages_record_answer(outages, "corp", false, START, &end));
    for (int i = 0; i < 25; i++) {
        down(outages, START + i * SECOND);
    }
    assert_false(as_outages_record_answer(outages, "other", false, START + 25 * SECOND, &end));
    assert_true(as_outages_record_answer(outages, "corp", false, START + 30 * SECOND, &end));
    assert_int_equal(end.outcome, AS_OUTCOME_DIRECTORY_DOWN);
    assert_int_equal(end.failures, 25);
    assert_int_equal(end.first, 30 * SECOND);
    assert_int_equal(end.last, 6 * SECOND);
    assert_false(as_outages_record_answer(outages, "corp", false, START + 31 * SECOND, &end));
    /* The next one is news again. */
    assert_true(down(outages, START + 3600 * SECOND).due);
    assert_int_equal(down(outages, START + 3610 * SECOND).more, 0);
}

static void each_outcome_of_each_directory_for_itself(void **state)
{
    as_outages *outages = none_yet();
    as_outage_end end;
    int ends = 0;

    (void)state;
    assert_true(down(outages, START).due);
    assert_true(as_outages_record_failure(outages, "corp", false, AS_OUTCOME_TLS_FAILED, START).due);
    assert_true(as_outages_record_failure(outages, "other", false, AS_OUTCOME_TLS_FAILED, START).due);
    assert_true(as_outages_record_failure(outages, "", false, AS_OUTCOME_DIRECTORY_MISCONFIGURED, START).due);
    assert_false(as_outages_record_failure(outages, "corp", false, AS_OUTCOME_TLS_FAILED, START + SECOND).due);
    while (as_outages_record_answer(outages, "corp", false, START + 2 * SECOND, &end)) {
        assert_int_equal(end.failures, end.outcome == AS_OUTCOME_TLS_FAILED ? 2 : 1);
        ends++;
    }
    assert_int_equal(ends, 2);
}

/* Up and down ten times a second for five minutes: not two lines a time, and no failure is lost. */
static void one_that_comes_and_goes(void **state)
{
    as_outages *outages = none_yet();
    as_outage_end end;
    uint64_t ended = 0;
    int lines = 0, count = 3000;

    (void)state;
    for (int i = 0; i < count; i++) {
        int64_t now = START + i * SECOND / 10;

        lines += down(outages, now).due;
        if (as_outages_record_answer(outages, "corp", false, now + 1, &end)) {
            ended += end.failures;
            lines++;
        }
    }
    assert_within(lines, 30, 62);
    if (as_outages_record_answer(outages, "corp", false, START + 3600 * SECOND, &end)) {
        ended += end.failures;
        assert_true(end.last > 3000 * SECOND);
    }
    assert_int_equal(ended, count);
}

static void without_memory_all_is_reported(void **state)
{
    as_outage_end end;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_true(down(NULL, START).due);
    }
    assert_false(as_outages_record_answer(NULL, "corp", false, START, &end));
}

/* More outages than there are places: the old ones make room, and the reported numbers stay true. */
static void more_than_there_is_room_for(void **state)
{
    as_outages *outages = none_yet();

    (void)state;
    for (int i = 0; i < 5000; i++) {
        char name[16];
        as_outage_news news;

        apr_snprintf(name, sizeof(name), "directory %d", i);
        news = as_outages_record_failure(outages, name, false, AS_OUTCOME_DIRECTORY_DOWN, START + i);
        assert_true(news.due);
        assert_int_equal(news.more, 0);
        assert_false(as_outages_record_failure(outages, name, false, AS_OUTCOME_DIRECTORY_DOWN, START + i).due);
    }
    assert_false(
        as_outages_record_failure(outages, "directory 4999", false, AS_OUTCOME_DIRECTORY_DOWN, START + 5001).due);
}

#define THREADS 4
#define EACH 20000

static void *fail_often(void *data)
{
    uint64_t *reported = data;

    for (int i = 0; i < EACH; i++) {
        as_outage_news news = down((as_outages *)(uintptr_t)reported[1], START + i * SECOND / 100);
        reported[0] += news.due ? 1 + news.more : 0;
    }
    return NULL;
}

/* With any number of threads: the reported numbers and those to be reported are all outages. */
static void threads_lose_nothing(void **state)
{
    as_outages *outages = none_yet();
    uint64_t reported[THREADS][2], sum = 0;
    pthread_t threads[THREADS];
    as_outage_end end;

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        reported[i][0] = 0;
        reported[i][1] = (uint64_t)(uintptr_t)outages;
        assert_int_equal(pthread_create(&threads[i], NULL, fail_often, reported[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        sum += reported[i][0];
    }
    sum += down(outages, START + 3600 * SECOND).more + 1;
    assert_int_equal(sum, THREADS * EACH + 1);
    assert_true(as_outages_record_answer(outages, "corp", false, START + 3601 * SECOND, &end));
    assert_int_equal(end.failures, THREADS * EACH + 1);
}

/* Who may write .htaccess may name as many dead directories as he likes. */
static void those_of_htaccess_displace_no_other(void **state)
{
    as_outages *outages = none_yet();
    as_outage_end end;
    char name[32];
    int i;

    (void)state;
    assert_true(down(outages, START).due);
    for (i = 0; i < 1000; i++) {
        apr_snprintf(name, sizeof(name), "his %d", i);
        assert_true(as_outages_record_failure(outages, name, true, AS_OUTCOME_DIRECTORY_DOWN, START + 1 + i).due);
        assert_false(down(outages, START + 1 + i).due);
    }
    assert_false(as_outages_record_failure(outages, "his 999", true, AS_OUTCOME_DIRECTORY_DOWN, START + 1001).due);
    assert_true(as_outages_record_answer(outages, "corp", false, START + 2000, &end));
    assert_int_equal(end.failures, 1001);
    assert_false(as_outages_record_answer(outages, "his 0", true, START + 2000, &end));
    assert_true(as_outages_record_answer(outages, "his 999", true, START + 2000, &end));
}

/* As many sections as a site may have, each with a filter of its own, and one server. */
static void five_hundred_directories_are_down(void **state)
{
    as_outages *outages = none_yet();
    char name[32];
    int turn, i;

    (void)state;
    for (turn = 0; turn < 3; turn++) {
        for (i = 0; i < 500; i++) {
            apr_snprintf(name, sizeof(name), "section %d", i);
            assert_int_equal(
                as_outages_record_failure(outages, name, false, AS_OUTCOME_DIRECTORY_DOWN, START + turn).due,
                turn == 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(the_first_is_reported_at_once_and_the_next_are_not),
        ROW(the_longer_it_lasts_the_more_rarely),
        ROW(its_end_counts_all),
        ROW(each_outcome_of_each_directory_for_itself),
        ROW(one_that_comes_and_goes),
        ROW(without_memory_all_is_reported),
        ROW(more_than_there_is_room_for),
        ROW(threads_lose_nothing),
        ROW(those_of_htaccess_displace_no_other),
        ROW(five_hundred_directories_are_down),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("outages", tests, NULL, NULL);
}
