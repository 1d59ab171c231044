/* SPDX-License-Identifier: Apache-2.0
 *
 * Failed logins of accounts and clients: how many are allowed, and how long to wait.
 *
 * The processes of a machine count in memory that they share, exactly. Where several machines share a store, each count
 * is in the store as well, as the union of what the machines saw. A store has no call that reads, changes and writes as
 * one: the threads of a process take turns, but two processes that count the same account at the same moment may
 * overwrite each other. What was overwritten is still in its machine's memory, and is written again with the next
 * answer. Memory holds only what its machine saw: what another withdraws must not come back from here.
 */
#include "throttle_private.h"

#include <string.h>
#include <time.h>

/* Sections may throttle the same account with other times; a count is kept for the longest of them. */
#define KEPT_AT_LEAST apr_time_from_sec(3600)
/* A name may be given to another entry. */
#define SPELLING_KEPT apr_time_from_sec(60)
/* Threads of a process that may wait for binds under way: right passwords that are the same wait for one another
 * elsewhere (single flight), and who guesses shall not keep the slots of AuthStatusInFlight. */
#define WAITING_MOST 2
/* Binds under way are looked at so often. */
#define PAUSE_HERE 2000
#define PAUSE_WITH_STORE 20000

/* ---- what counts ---- */

static long in_seconds(apr_interval_time_t wait)
{
    return (long)((wait + APR_USEC_PER_SEC - 1) / APR_USEC_PER_SEC);
}

static apr_interval_time_t wait_of(const as_throttle *throttle, const as_failures *all, apr_time_t now)
{
    return as_failures_wait(all, throttle->failures, throttle->within, now);
}

static apr_interval_time_t kept_for(const as_throttle *throttle)
{
    return throttle->within > KEPT_AT_LEAST ? throttle->within : KEPT_AT_LEAST;
}

/* Would it be admitted if no bind were under way? */
static bool is_busy(const as_tally *own, const as_throttle *throttle, const as_failures *all, apr_time_t now)
{
    as_failures answered = *all;

    if (!own || as_tally_pending(own, now) == 0) {
        return false;
    }
    for (int i = 0; i < own->failures.count; i++) {
        if (own->answered[i] == 0) {
            as_failures_withdraw(&answered, own->failures.times[i]);
        }
    }
    return wait_of(throttle, &answered, now) == 0;
}

/* Adds a failure to a count, which is made if there is none. Returns 0, or how long to wait as there is no room. */
static apr_interval_time_t add(const as_count *of, as_tally *own, const as_throttle *throttle, as_failures *all,
                               apr_time_t now, bool is_answered, apr_time_t *stamp)
{
    apr_time_t wait = throttle->within, until = now + kept_for(throttle);

    own = own ? own : as_tally_make(of->all->memory, of->table, of->name.id, now, &wait);
    if (!own) {
        return wait;
    }
    *stamp = as_failures_stamp(all, now);
    as_tally_add(own, *stamp, is_answered ? *stamp : 0);
    as_failures_add(all, *stamp);
    own->until = own->until > until ? own->until : until;
    wait = wait_of(throttle, all, now);
    if (wait > 0 && own->forbids_until < now + wait) {
        own->forbids_until = now + wait;
    }
    return 0;
}

/* ---- the interface: accounts ---- */

static bool is_on(const as_throttle *throttle, bool counted)
{
    return throttle && counted && throttle->failures > 0 && throttle->within > 0;
}

typedef struct admission {
    apr_interval_time_t wait; /* 0: admitted */
    bool busy;                /* only as long as binds are under way */
    apr_time_t stamp;
    as_failures all;
} admission;

/* Under the lock. */
static void judge(const as_count *of, const as_throttle *throttle, bool certain, admission *into)
{
    const apr_time_t now = as_throttle_now(of->all);
    as_tally *own = as_count_own(of, now);

    into->all = as_count_merge(of, own);
    into->wait = certain ? 0 : wait_of(throttle, &into->all, now);
    into->busy = into->wait > 0 && is_busy(own, throttle, &into->all, now);
    if (into->wait == 0) {
        into->wait = add(of, own, throttle, &into->all, now, false, &into->stamp);
    } else if (own && !into->busy && own->forbids_until < now + into->wait) {
        own->forbids_until = now + into->wait;
    }
}

static admission try_admit(as_count *of, const as_throttle *throttle, bool certain, apr_pool_t *pool)
{
    admission made = {.wait = APR_USEC_PER_SEC};

    as_count_take_turn(of);
    as_count_fetch(of, pool);
    if (as_throttle_lock(of->all->memory)) {
        judge(of, throttle, certain, &made);
        as_throttle_unlock(of->all->memory);
    }
    if (made.wait == 0) {
        as_count_keep(of, made.all, kept_for(throttle), pool);
    }
    as_count_end_turn(of);
    return made;
}

static void pause_for(int64_t microseconds)
{
    const struct timespec pause = {.tv_nsec = (long)microseconds * 1000};

    nanosleep(&pause, NULL);
}

long as_throttle_admit(as_throttles *all, const as_throttle *throttle, const char *account, bool certain,
                       as_mono patience, apr_pool_t *pool, apr_time_t *stamp)
{
    admission made;
    as_count of;

    *stamp = 0;
    if (!is_on(throttle, throttle && throttle->by_user)) {
        return 0;
    }
    if (!as_count_begin(all, &of, AS_RECORD_USER_FAILURES, account)) {
        return 1;
    }
    made = try_admit(&of, throttle, certain, pool);
    if (made.busy && atomic_fetch_add(&all->waiting, 1) < WAITING_MOST) {
        while (made.busy && all->mono() < patience) {
            pause_for(of.shared ? PAUSE_WITH_STORE : PAUSE_HERE);
            made = try_admit(&of, throttle, certain, pool);
        }
        atomic_fetch_sub(&all->waiting, 1);
    } else if (made.busy) {
        atomic_fetch_sub(&all->waiting, 1);
    }
    *stamp = made.wait == 0 ? made.stamp : 0;
    return in_seconds(made.wait);
}

/* How long it has to wait; not at all if nothing but a bind that is under way stands against it. */
static long look(as_count *of, const as_throttle *throttle, apr_pool_t *pool)
{
    apr_interval_time_t wait = APR_USEC_PER_SEC;
    as_failures failures;
    apr_time_t now;
    as_tally *own;

    as_count_fetch(of, pool);
    if (as_throttle_lock(of->all->memory)) {
        now = as_throttle_now(of->all);
        own = as_count_own(of, now);
        failures = as_count_merge(of, own);
        wait = wait_of(throttle, &failures, now);
        wait = wait > 0 && is_busy(own, throttle, &failures, now) ? 0 : wait;
        as_throttle_unlock(of->all->memory);
    }
    return in_seconds(wait);
}

long as_throttle_wait(as_throttles *all, const as_throttle *throttle, const char *account, apr_pool_t *pool)
{
    as_count of;

    if (!is_on(throttle, throttle && throttle->by_user)) {
        return 0;
    }
    return as_count_begin(all, &of, AS_RECORD_USER_FAILURES, account) ? look(&of, throttle, pool) : 1;
}

/* A change of what is counted already. Under the lock; `own` may be NULL. Returns true if the store is to know. */
typedef bool change(as_tally *own, as_failures *all, apr_time_t stamp, apr_time_t now);

static bool note_answer(as_tally *own, as_failures *all, apr_time_t stamp, apr_time_t now)
{
    const int at = own ? as_tally_find(own, stamp) : -1;

    (void)all;
    if (at >= 0 && own->answered[at] == 0) {
        own->answered[at] = now;
    }
    /* Another machine may have overwritten it meanwhile. */
    return at >= 0;
}

static bool withdraw(as_tally *own, as_failures *all, apr_time_t stamp, apr_time_t now)
{
    const int at = own ? as_tally_find(own, stamp) : -1;

    (void)now;
    if (at >= 0) {
        as_tally_remove(own, at);
    }
    as_failures_withdraw(all, stamp);
    return true;
}

static bool succeed(as_tally *own, as_failures *all, apr_time_t stamp, apr_time_t now)
{
    apr_time_t cleared = stamp;
    int at;

    (void)now;
    if (own) {
        at = as_tally_find(own, stamp);
        if (at >= 0) {
            as_tally_remove(own, at);
        }
        as_tally_clear(own, stamp);
        own->forbids_until = own->failures.count > 0 ? own->forbids_until : 0;
        if (own->failures.count > 0 && own->failures.times[0] <= cleared) {
            cleared = own->failures.times[0] - 1;
        }
    }
    as_failures_withdraw(all, stamp);
    as_failures_clear(all, cleared);
    return true;
}

/* The failures that the store has, and should have: are they the same? */
static bool is_kept(const as_count *of, const as_failures *all)
{
    return of->elsewhere.cleared == all->cleared && of->elsewhere.count == all->count &&
           memcmp(of->elsewhere.times, all->times, (size_t)all->count * sizeof all->times[0]) == 0;
}

static void settle(as_throttles *all, const char *account, apr_time_t stamp, change *apply, apr_pool_t *pool)
{
    as_failures failures;
    as_tally *own;
    bool tell = false;
    as_count of;

    if (!as_count_begin(all, &of, AS_RECORD_USER_FAILURES, account)) {
        return;
    }
    as_count_take_turn(&of);
    as_count_fetch(&of, pool);
    if (as_throttle_lock(all->memory)) {
        const apr_time_t now = as_throttle_now(all);

        own = as_count_own(&of, now);
        failures = as_count_merge(&of, own);
        tell = apply(own, &failures, stamp, now);
        /* A success that another machine should know of is kept as long as the store might lose it. */
        if (own && own->failures.count == 0 && !(of.shared && own->failures.cleared != 0)) {
            as_tally_drop(all->memory, of.table, own);
        }
        as_throttle_unlock(all->memory);
    }
    if (tell && !is_kept(&of, &failures)) {
        as_count_keep(&of, failures, KEPT_AT_LEAST, pool);
    }
    as_count_end_turn(&of);
}

void as_throttle_failed(as_throttles *all, const char *account, apr_time_t stamp, apr_pool_t *pool)
{
    settle(all, account, stamp, note_answer, pool);
}

void as_throttle_withdraw(as_throttles *all, const char *account, apr_time_t stamp, apr_pool_t *pool)
{
    settle(all, account, stamp, withdraw, pool);
}

void as_throttle_succeeded(as_throttles *all, const char *account, apr_time_t stamp, apr_pool_t *pool)
{
    settle(all, account, stamp, succeed, pool);
}

void as_throttle_answered(as_throttles *all, const char *account, apr_time_t stamp)
{
    as_failures none = {.cleared = 0};
    as_count of;

    if (as_count_begin(all, &of, AS_RECORD_USER_FAILURES, account) && as_throttle_lock(all->memory)) {
        note_answer(as_tally_get(of.table, of.name.id), &none, stamp, as_throttle_now(all));
        as_throttle_unlock(all->memory);
    }
}

uint32_t as_throttle_mark(const as_throttles *all, const char *account)
{
    unsigned char id[AS_SIPHASH_SIZE];

    return as_throttle_hash_account(all, account, id) ? as_tally_mark(id) : 0;
}

bool as_throttle_is_marked(const as_throttles *all, uint32_t mark)
{
    return atomic_load_explicit(&all->memory->marks[mark % AS_TALLY_MARKS], memory_order_relaxed) != 0;
}

bool as_throttle_is_quiet(const as_throttles *all)
{
    return atomic_load_explicit(&all->memory->counted, memory_order_relaxed) == 0;
}

bool as_throttle_is_counted(as_throttles *all, const char *account)
{
    unsigned char id[AS_SIPHASH_SIZE];
    bool counted = false;
    as_tally *own;

    if (!as_throttle_hash_account(all, account, id) || !as_throttle_is_marked(all, as_tally_mark(id))) {
        return false;
    }
    if (as_throttle_lock(all->memory)) {
        own = as_tally_get(&all->memory->users, id);
        counted = own && own->failures.count > 0 && own->until > as_throttle_now(all);
        as_throttle_unlock(all->memory);
    }
    return counted;
}

/* ---- the interface: spellings ---- */

void as_throttle_keep_spelling(as_throttles *all, const char *directory, const char *spelling, const char *account)
{
    unsigned char id[AS_SIPHASH_SIZE];
    as_count of;

    if (as_throttle_hash(all, "spelling", directory, spelling, id) &&
        as_count_begin(all, &of, AS_RECORD_USER_FAILURES, account) && as_throttle_lock(all->memory)) {
        as_spelling_put(all->memory, id, &of.name, as_throttle_now(all) + SPELLING_KEPT);
        as_throttle_unlock(all->memory);
    }
}

static bool find_spelling(as_throttles *all, const char *directory, const char *spelling, as_counted_name *account)
{
    const as_spelling *known = NULL;
    unsigned char id[AS_SIPHASH_SIZE];

    if (as_throttle_hash(all, "spelling", directory, spelling, id) && as_throttle_lock(all->memory)) {
        known = as_spelling_get(all->memory, id, as_throttle_now(all));
        if (known) {
            *account = known->account;
        }
        as_throttle_unlock(all->memory);
    }
    return known != NULL;
}

long as_throttle_wait_spelling(as_throttles *all, const as_throttle *throttle, const char *directory,
                               const char *spelling, apr_pool_t *pool)
{
    as_counted_name account;
    as_count of;

    if (!is_on(throttle, throttle && throttle->by_user) || !find_spelling(all, directory, spelling, &account)) {
        return 0;
    }
    as_count_begin_known(all, &of, AS_RECORD_USER_FAILURES, &account);
    return look(&of, throttle, pool);
}

/* ---- the interface: clients ---- */

long as_throttle_wait_client(as_throttles *all, const as_throttle *throttle, const char *client, apr_pool_t *pool)
{
    as_count of;

    if (!client || !is_on(throttle, throttle && throttle->by_client)) {
        return 0;
    }
    return as_count_begin(all, &of, AS_RECORD_CLIENT_FAILURES, as_client_of(client, pool)) ? look(&of, throttle, pool)
                                                                                           : 1;
}

void as_throttle_count_client(as_throttles *all, const as_throttle *throttle, const char *client, apr_pool_t *pool)
{
    as_failures failures = {.count = 0};
    apr_time_t stamp;
    bool added = false;
    as_count of;

    if (!client || !is_on(throttle, throttle && throttle->by_client) ||
        !as_count_begin(all, &of, AS_RECORD_CLIENT_FAILURES, as_client_of(client, pool))) {
        return;
    }
    as_count_take_turn(&of);
    as_count_fetch(&of, pool);
    if (as_throttle_lock(all->memory)) {
        const apr_time_t now = as_throttle_now(all);
        as_tally *own = as_count_own(&of, now);

        failures = as_count_merge(&of, own);
        added = add(&of, own, throttle, &failures, now, true, &stamp) == 0;
        as_throttle_unlock(all->memory);
    }
    if (added) {
        as_count_keep(&of, failures, kept_for(throttle), pool);
    }
    as_count_end_turn(&of);
}
